"""Kernel ridge regression and kernel gradient flow by one eigendecomposition."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.kernels.wide.dual import KINDS
from fracsim.kernels.wide.matrix import kernel_matrix, squared_lengths

Floats = NDArray[np.float64]
Kernel = Callable[[Floats, Floats], Floats]
"""x (N, d), y (M, d) -> K (N, M)"""

CLIPPED = 1e-13
"""Eigenvalues are not less than this share of the largest: below it is rounding."""

_ROWS = 256
BLOCK = 2000
"""Points whose outputs are computed at once."""


def matrix(name: str, layers: int, scale: float, x: Floats, y: Floats, threads: int) -> Floats:
    """K (N, M) of points x (N, d) and y (M, d), in blocks of rows by threads; of x with itself
    (the same array) the part above the diagonal is computed, and copied below it."""
    out, kind, same = np.empty((len(x), len(y))), KINDS.index(name), y is x
    axes = np.ascontiguousarray(y.T)
    squared = tuple(_squared(points) for points in (x, y))

    def block(first: int) -> None:
        last, column = min(first + _ROWS, len(x)), first if same else 0
        kernel_matrix(
            kind, layers, scale, x, squared[0], axes, squared[1], (first, last), column, out
        )
        if same:
            out[last:, first:last] = out[first:last, last:].T

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(block, range(0, len(x), _ROWS)))
    return out


def _squared(points: Floats) -> Floats:
    out = np.empty(len(points))
    squared_lengths(points, out)
    return out


def kernel_of(name: str, layers: int, scale: float, threads: int) -> Kernel:
    """K(x, y) as a function."""

    def of(x: Floats, y: Floats) -> Floats:
        return matrix(name, layers, scale, x, y, threads)

    return of


class Machine:
    """A kernel's eigendecomposition on training points x (m, d) with C outputs y (m, C)."""

    def __init__(self, of: Kernel, x: Floats, y: Floats) -> None:
        self._of, self._x = of, x
        values, self._vectors = np.linalg.eigh(of(x, x))
        self._values = np.maximum(values, CLIPPED * values[-1])
        self._labels = self._vectors.T @ y

    def ridge(self, points: Floats, ridges: Floats) -> Floats:
        """f (N, ridges, C) of (K + m λ I)^-1 y."""
        return self._outputs(points, 1 / (self._values[:, None] + len(self._x) * ridges))

    def flow(self, points: Floats, times: Floats) -> Floats:
        """f_t (N, times, C) of gradient flow on the squared loss from 0, K (I - exp(-K t/m)) K^-1
        y."""
        rates = self._values[:, None]
        return self._outputs(points, -np.expm1(-rates * times / len(self._x)) / rates)

    def _outputs(self, points: Floats, filters: Floats) -> Floats:
        """f (N, F, C) of filters (m, F) on the eigenvalues."""
        (m, f), c = filters.shape, self._labels.shape[1]
        weights = self._vectors @ (filters[:, :, None] * self._labels[:, None]).reshape(m, f * c)
        found = np.empty((len(points), f, c))
        for first in range(0, len(points), BLOCK):
            part = points[first : first + BLOCK]
            found[first : first + BLOCK] = (self._of(part, self._x) @ weights).reshape(-1, f, c)
        return found


def choose_ridge(ridges: Floats, accuracy: Floats, errors: Floats) -> float:
    """The λ of the best accuracy; of equal ones that of the least squared error."""
    return float(ridges[np.lexsort((errors, -accuracy))[0]])


def nearest(x: Floats, y: NDArray[Any], points: Floats) -> NDArray[Any]:
    """Label (N,) of the nearest training point."""
    lengths, found = (x**2).sum(1) / 2, []
    for first in range(0, len(points), BLOCK):
        part = points[first : first + BLOCK]
        found.append(y[(part @ x.T - lengths).argmax(1)])
    return np.concatenate(found)
