"""level(x) on the card: a thread for each point, which follows the one image that holds it.

The formulas are those of the CPU (``kernels/points/level.py``), so levels agree bit for bit. A
point that lies in several images (on a border that they share) is searched by ``level_of``.

Arrays of d numbers must have a constant size on a card, to lie in registers. So there is a kernel
for each d, made by a factory; the numbers of maps and levels are arguments."""

import functools
from typing import Any, NamedTuple

import numpy as np

import fracsim.kernels.cuda.rounding  # noqa: F401  (the card's mul and add)
from fracsim.kernels.cuda.target import (
    cuda,
    kernel,
    launch,
    multiprocessors,
    new_on_card,
    new_stream,
    to_card,
    to_host,
)
from fracsim.kernels.jit import formula
from fracsim.kernels.points.geometry import Geometry, affine_row
from fracsim.kernels.points.level import level_of

_THREADS = 128  # of a block
_BLOCKS = 16  # for each multiprocessor: as many threads as one can hold
_SEARCH_BYTES = 2**28  # memory for the searches of all threads; beyond it fewer threads are started
_NUMBERS = 2**25  # coordinates on the card at a time
_UNDECIDED = -2


class Work(NamedTuple):
    """What one thread writes on while it finds the level of a point, beside the point itself."""

    u: Any
    """(d,) float64, local: the point's image under the inverse maps followed so far"""
    v: Any
    """(d,) float64, local"""
    w: Any
    """(d,) float64, local"""
    others: Any
    """(n, d) float64, in the card's memory, used by few points: where the search may turn off"""
    marks: Any
    """(n, 2) int64, in the card's memory: the first map not yet tried there, and its level"""


class Stacks(NamedTuple):
    """``others`` and ``marks`` of all threads of a launch; made by ``new_stacks``."""

    others: Any
    """(threads, n, d) float64"""
    marks: Any
    """(threads, n, 2) int64"""


class Levels(NamedTuple):
    """Points and where their levels go."""

    x: Any
    """(N, d) float64"""
    level: Any
    """(N,) int16"""


@formula
def follow_point(matrix, offset, low, n, u, v, w):
    """level of the point u (d,) of the base, or _UNDECIDED where several images hold it. matrix and
    offset are the inverse maps. Overwrites u and the work arrays v, w (d,), all of one constant
    size."""
    r = np.uint64(offset.shape[0])  # unsigned indices need no test for negative ones
    for j in range(n):
        found, i = 0, np.uint64(0)
        while i < r:
            fits = True
            for p in range(u.size):
                total = affine_row(matrix, offset, i, p, u)
                w[p] = total
                fits = fits & (total >= low) & (total <= 1.0)
            for p in range(u.size):
                v[p] = w[p] if fits else v[p]
            found, i = found + fits, i + np.uint64(1)
        if found != 1:
            return j if found == 0 else _UNDECIDED
        for p in range(u.size):
            u[p] = v[p]
    return n


@formula
def point_level(matrix, offset, low, n, x, work):
    """level of the point x (d,); -1 outside the base. matrix and offset are the inverse maps.
    Overwrites work."""
    u, v = work.u, work.v
    in_base = True
    for p in range(u.size):
        u[p], v[p] = x[p], 0.0
        in_base = in_base & (u[p] >= low) & (u[p] <= 1.0)  # a NaN is outside
    if not in_base:
        return -1
    level = follow_point(matrix, offset, low, n, u, v, work.w)
    if level == _UNDECIDED:
        for p in range(u.size):
            u[p] = x[p]
        level = level_of(matrix, offset, low, n, u, v, work.others, work.marks)
    return level


@functools.cache
def level_kernel(d: int) -> Any:
    """The kernel for points in d dimensions: (geometry, n, points: Levels, stacks) overwrites
    points.level."""

    @kernel
    def find_levels(geometry, n, points, stacks):
        k, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        u, v, w = (
            cuda.local.array(d, np.float64),
            cuda.local.array(d, np.float64),
            cuda.local.array(d, np.float64),
        )
        work = Work(u, v, w, stacks.others[k], stacks.marks[k])
        while k < np.uint64(points.x.shape[0]):
            points.level[k] = point_level(
                geometry.inverse_matrices,
                geometry.inverse_offsets,
                geometry.low,
                n,
                points.x[k],
                work,
            )
            k += threads

    return find_levels


def grid_for(count: int, n: int, d: int) -> tuple[int, int]:
    """(blocks, threads of each) that work on ``count`` points; they may be fewer than the
    points."""
    affordable = _SEARCH_BYTES // (_THREADS * 8 * max(n, 1) * (d + 2))
    return max(1, min(-(-count // _THREADS), _BLOCKS * multiprocessors(), affordable)), _THREADS


def new_stacks(threads: int, n: int, d: int, stream: Any) -> Stacks:
    """Room for the searches of ``threads`` threads."""
    n = max(n, 1)  # an array of no bytes is no array on a card
    return Stacks(
        new_on_card((threads, n, d), np.float64, stream),
        new_on_card((threads, n, 2), np.int64, stream),
    )


def place(arrays: Any, stream: Any) -> Any:
    """A NamedTuple with its arrays copied to the card."""
    return type(arrays)(
        *[to_card(field, stream) if isinstance(field, np.ndarray) else field for field in arrays]
    )


def chunks(count: int, d: int) -> list[tuple[int, int]]:
    """(first, beyond) of the pieces of ``count`` points that are on the card at a time."""
    size = max(1, _NUMBERS // d)
    return [(first, min(first + size, count)) for first in range(0, count, size)]


def level(geometry: Geometry, n: int, x: np.ndarray) -> np.ndarray:
    """Levels (N,) int16 of the points x (N, d) float64; -1 outside the base."""
    x = np.ascontiguousarray(x, dtype=np.float64)
    count, d = x.shape
    result = np.empty(count, dtype=np.int16)
    stream = new_stream()
    blocks, threads = grid_for(count, n, d)
    placed, stacks = place(geometry, stream), new_stacks(blocks * threads, n, d, stream)
    for first, beyond in chunks(count, d):
        points = Levels(
            to_card(x[first:beyond], stream), new_on_card(beyond - first, np.int16, stream)
        )
        launch(level_kernel(d), blocks, threads, 0, stream, placed, n, points, stacks)
        result[first:beyond] = to_host(points.level, stream)
    return result
