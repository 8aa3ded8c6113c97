"""Kernel ridge regression and kernel gradient flow by one eigendecomposition."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.kernels.wide.dual import KINDS, kernel_matrix
from fracsim.machine.cpus import available_threads

Floats = NDArray[np.float64]

CLIPPED = 1e-13
"""Eigenvalues are not less than this share of the largest: below it is rounding."""

_ROWS = 256
_TEST = 2000


def matrix(name: str, layers: int, scale: float, x: Floats, y: Floats, threads: int) -> Floats:
    """K (N, M) of lifted points x (N, d) and y (M, d), in blocks of rows by threads."""
    out, kind = np.empty((len(x), len(y))), KINDS.index(name)

    def block(first: int) -> None:
        part = slice(first, first + _ROWS)
        kernel_matrix(kind, layers, 0.0, scale, x[part], y, out[part])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(block, range(0, len(x), _ROWS)))
    return out


class Machine:
    """A kernel's eigendecomposition on training points x (m, d), labels y (m,)."""

    def __init__(self, of: Callable[[Floats, Floats], Floats], x: Floats, y: Floats) -> None:
        self._of, self._x = of, x
        values, self._vectors = np.linalg.eigh(of(x, x))
        self._values = np.maximum(values, CLIPPED * values[-1])
        self._labels = self._vectors.T @ y

    def ridge(self, points: Floats, ridges: Floats) -> Floats:
        """f (N, ridges) of (K + m λ I)^-1 y."""
        return self._outputs(points, 1 / (self._values[:, None] + len(self._x) * ridges))

    def flow(self, points: Floats, times: Floats) -> Floats:
        """f_t (N, times) of gradient flow on the squared loss from 0, K (I - exp(-K t/m)) K^-1
        y."""
        rates = self._values[:, None]
        return self._outputs(points, -np.expm1(-rates * times / len(self._x)) / rates)

    def several(self, points: Floats, ridges: Floats) -> list[Floats]:
        """f (N, C) for each λ, where labels are (m, C)."""
        values, m = self._values[:, None], len(self._x)
        weights = [self._vectors @ (self._labels / (values + m * ridge)) for ridge in ridges]
        found: list[list[Floats]] = [[] for _ in ridges]
        for first in range(0, len(points), _TEST):
            kernel = self._of(points[first : first + _TEST], self._x)
            for parts, one in zip(found, weights, strict=True):
                parts.append(kernel @ one)
        return [np.concatenate(parts) for parts in found]

    def _outputs(self, points: Floats, filters: Floats) -> Floats:
        weights = self._vectors @ (filters * self._labels[:, None])
        blocks = [points[i : i + _TEST] for i in range(0, len(points), _TEST)]
        return np.concatenate([self._of(part, self._x) @ weights for part in blocks])


def choose_ridge(
    of: Callable[[Floats, Floats], Floats], x: Floats, y: Floats, ridges: Floats
) -> float:
    """The λ with the best accuracy on the last fifth of the training points, learnt from the
    others; of equal ones that of the least squared error."""
    kept = len(x) - max(len(x) // 5, 1)
    found = Machine(of, x[:kept], y[:kept]).ridge(x[kept:], ridges)
    held = y[kept:, None]
    accuracy = ((found > 0) == (held > 0)).mean(0)
    return choose_of(ridges, accuracy, ((found - held) ** 2).mean(0))


def choose_of(ridges: Floats, accuracy: Floats, errors: Floats) -> float:
    """The λ of the best accuracy; of equal ones that of the least squared error."""
    return float(ridges[np.lexsort((errors, -accuracy))[0]])


def kernel_of(one: Any, kernel: str, layers: int) -> Callable[[Floats, Floats], Floats]:
    """K(x, y) as a function, by the scale and threads of settings."""
    threads = one.threads or available_threads()[0]

    def of(x: Floats, y: Floats) -> Floats:
        return matrix(kernel, layers, one.scale, x, y, threads)

    return of


def nearest(x: Floats, y: Floats, points: Floats) -> Floats:
    """Label (N,) of the nearest training point."""
    lengths, found = (x**2).sum(1) / 2, []
    for first in range(0, len(points), _TEST):
        part = points[first : first + _TEST]
        found.append(y[(part @ x.T - lengths).argmax(1)])
    return np.concatenate(found)
