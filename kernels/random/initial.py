"""Random numbers for initial weights, drawn on the host for every backend.

Number i of a stream is a pure function of (seed, INIT, i): a uniform from one word of its Philox
block, a normal by Box and Muller from two, redrawn from the next block while it lies outside the
truncation."""

import math

import numpy as np

from fracsim.kernels.jit import kernel
from fracsim.kernels.random.philox import INIT, random_words, uniform


@kernel
def fill_uniform(seed, first, low, high, out):
    """out[i] = number ``first + i`` of the stream, uniform on (low, high)."""
    for i in range(out.size):
        word, _, _, _ = random_words(np.uint64(first + i), INIT, 0, seed)
        out[i] = low + (high - low) * uniform(word)


@kernel
def fill_normal(seed, first, sigma, bound, out):
    """out[i] = number ``first + i`` of the stream, normal with deviation sigma, truncated at ±
    bound · sigma."""
    for i in range(out.size):
        block = 0
        while True:
            word, other, _, _ = random_words(np.uint64(first + i), INIT, block, seed)
            z = math.sqrt(-2.0 * math.log(uniform(word))) * math.cos(2.0 * math.pi * uniform(other))
            if abs(z) <= bound:
                break
            block += 1
        out[i] = sigma * z
