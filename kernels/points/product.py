"""Random points of a cube, for products of their coordinates.

Point i of a stream is a pure function of (seed, purpose, i): coordinate q is a uniform of word q %
4 of its Philox block q // 4."""

import numpy as np

from fracsim.kernels.jit import kernel
from fracsim.kernels.random.philox import PRODUCT, random_words, uniform


@kernel
def fill_cube(seed, purpose, first, reach, x):
    """x (N, d) float64 = points first … first + N - 1 of the stream, uniform on (-reach, reach)^d;
    overwrites."""
    d = x.shape[1]
    stream = np.uint64(purpose + PRODUCT)
    for i in range(x.shape[0]):
        for q in range(0, d, 4):
            w0, w1, w2, w3 = random_words(first + np.uint64(i), stream, q // 4, seed)
            x[i, q] = reach * (2.0 * uniform(w0) - 1.0)
            if q + 1 < d:
                x[i, q + 1] = reach * (2.0 * uniform(w1) - 1.0)
            if q + 2 < d:
                x[i, q + 2] = reach * (2.0 * uniform(w2) - 1.0)
            if q + 3 < d:
                x[i, q + 3] = reach * (2.0 * uniform(w3) - 1.0)
