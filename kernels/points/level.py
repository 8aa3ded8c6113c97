"""level(x): how deep a point lies in the fractal.

    level(x) = the largest j ≤ n with x ∈ K_j, over all addresses (maps may touch; cells are
    closed).

x ∈ K_j iff some address i_1 … i_j keeps u_0 = x, u_1 = F_{i_1}^-1(u_0), … inside the base.
``level_of`` searches all addresses of one point. Nearly always exactly one map keeps u inside, so
there is nothing to search: ``follow_lanes`` takes a row of points down side by side, in vector
registers, and leaves UNDECIDED those that lie in several images (on a border that images share).
Both use plain operators in one order, no fused forms: every way and every backend gives the same
level."""

from typing import NamedTuple

import numpy as np

from fracsim.kernels.jit import formula, inlined, kernel
from fracsim.kernels.points.geometry import Geometry, affine_row

LANES = 256
"""Points side by side: enough to make up for starting a vector loop, few enough for the first-level
cache."""
UNDECIDED = -2.0
_MOST_LANE_MAPS = (
    16  # with more maps the early exit of the search beats trying every map on every lane
)


class Work(NamedTuple):
    """What a search and a row of lanes write on; made by ``make_work``."""

    u: np.ndarray
    """(d, LANES) points, then their images under the inverse maps followed so far"""
    v: np.ndarray
    """(d, LANES)"""
    w: np.ndarray
    """(d, LANES)"""
    inside: np.ndarray
    """(LANES,) 1.0 or 0.0"""
    found: np.ndarray
    """(LANES,) how many maps fit"""
    level: np.ndarray
    """(LANES,)"""
    point: np.ndarray
    """(d,)"""
    following: np.ndarray
    """(d,)"""
    others: np.ndarray
    """(n, d) where the search may turn off"""
    marks: np.ndarray
    """(n, 2) the first map not yet tried there, and its level"""


@formula
def make_work(d, n):
    """Work arrays for points in d dimensions and fractal depth n."""
    rows = (d, LANES)
    return Work(
        np.empty(rows),
        np.empty(rows),
        np.empty(rows),
        np.empty(LANES),
        np.empty(LANES),
        np.empty(LANES),
        np.empty(d),
        np.empty(d),
        np.empty((n, d)),
        np.empty((n, 2), np.int64),
    )


@formula
def in_image(matrix, offset, i, low, high, x):
    """Whether the inverse map i takes x (d,) into [low, high]^d (a NaN never)."""
    for p in range(x.size):
        u = affine_row(matrix, offset, i, p, x)
        if not (low <= u <= high):
            return False
    return True


@formula
def level_of(matrix, offset, low, n, u, v, others, marks):
    """level of the point u (d,); -1 outside the base. matrix and offset are the inverse maps.

    Overwrites u and the work arrays v (d,), others (n, d), marks (n, 2).
    """
    r, d = offset.shape[0], u.size
    in_base = True
    for q in range(d):  # without a way out, so that a card keeps u in registers
        in_base = in_base & (low <= u[q]) & (u[q] <= 1.0)
    if not in_base:
        return -1
    j, deepest, i, waiting = 0, 0, 0, 0
    while j < n:
        while i < r and not in_image(matrix, offset, i, low, 1.0, u):
            i += 1
        if i < r:
            marks[waiting, 0], marks[waiting, 1] = i + 1, j
            for p in range(d):
                others[waiting, p] = u[p]
                v[p] = affine_row(matrix, offset, i, p, u)
            for p in range(d):
                u[p] = v[p]
            waiting += 1
            j, i = j + 1, 0
        else:
            deepest = j if j > deepest else deepest
            if waiting == 0:
                return deepest
            waiting -= 1
            i, j = marks[waiting, 0], marks[waiting, 1]
            for p in range(d):
                u[p] = others[waiting, p]
    return n


@inlined
def _try_image_lanes(matrix, offset, i, low, high, u, w, inside, count, d):
    for lane in range(count):
        fits = 1.0
        for p in range(d):
            total = offset[i, p]
            for q in range(d):
                total += matrix[i, p, q] * u[q, lane]
            w[p, lane] = total
            fits = fits if (total >= low) & (total <= high) else 0.0
        inside[lane] = fits


@formula
def try_image_lanes(matrix, offset, i, low, high, u, w, inside, count):
    """w (d, LANES) = F_i^-1(u) and whether all its coordinates lie in [low, high], as 1.0 or 0.0 in
    inside (LANES,).

    Only the first ``count`` lanes.
    """
    d = offset.shape[1]
    if d == 1:  # a literal d makes vector code of the loop over lanes
        _try_image_lanes(matrix, offset, i, low, high, u, w, inside, count, 1)
    elif d == 2:
        _try_image_lanes(matrix, offset, i, low, high, u, w, inside, count, 2)
    elif d == 3:
        _try_image_lanes(matrix, offset, i, low, high, u, w, inside, count, 3)
    else:  # a loop over lanes for each term
        for lane in range(count):
            inside[lane] = 1.0
        for p in range(d):
            for lane in range(count):
                w[p, lane] = offset[i, p] + matrix[i, p, 0] * u[0, lane]
            for q in range(1, d):
                for lane in range(count):
                    w[p, lane] += matrix[i, p, q] * u[q, lane]
            for lane in range(count):
                fits = (w[p, lane] >= low) & (w[p, lane] <= high)
                inside[lane] = inside[lane] if fits else 0.0


@formula
def follow_lanes(matrix, offset, low, n, u, v, w, inside, found, level, count):
    """level[:count] of the points u (d, LANES) of the base: from 0, or UNDECIDED. Overwrites all
    but the maps."""
    r, d = offset.shape
    for lane in range(count):
        level[lane] = 0.0
    for j in range(n):
        for lane in range(count):
            found[lane] = 0.0
        for p in range(d):
            for lane in range(count):
                v[p, lane] = 0.0
        for i in range(r):
            try_image_lanes(matrix, offset, i, low, 1.0, u, w, inside, count)
            for lane in range(count):
                found[lane] += inside[lane]
            for p in range(d):
                for lane in range(count):
                    v[p, lane] += inside[lane] * w[p, lane]  # exactly w where one map fits
        for lane in range(count):
            below = UNDECIDED if found[lane] > 1.0 else level[lane] + found[lane]
            level[lane] = below if level[lane] == j else level[lane]  # others stopped before
        deepest = 0.0
        for lane in range(count):
            deepest = level[lane] if level[lane] > deepest else deepest
        if deepest <= j:
            return
        for p in range(d):
            for lane in range(count):
                u[p, lane] = v[p, lane]


@formula
def find_levels(matrix, offset, low, n, points, count, work):
    """work.level[:count] = level of the first ``count`` of the points (d, LANES); -1 outside the
    base."""
    r, d = offset.shape
    level, u = work.level, work.u
    if r <= _MOST_LANE_MAPS:
        for q in range(d):
            for lane in range(count):
                u[q, lane] = points[q, lane]
        follow_lanes(
            matrix, offset, low, n, u, work.v, work.w, work.inside, work.found, level, count
        )
    else:
        for lane in range(count):
            level[lane] = UNDECIDED
    for q in range(d):
        for lane in range(count):
            level[lane] = (
                level[lane] if (points[q, lane] >= low) & (points[q, lane] <= 1.0) else -1.0
            )
    for lane in range(count):
        if level[lane] == UNDECIDED:
            for q in range(d):
                work.point[q] = points[q, lane]
            level[lane] = level_of(
                matrix, offset, low, n, work.point, work.following, work.others, work.marks
            )


@kernel
def level_kernel(geometry, n, x, level):
    """level (N,) of the points x (N, d); overwrites level."""
    matrix, offset, low = geometry.inverse_matrices, geometry.inverse_offsets, geometry.low
    d = x.shape[1]
    work, points = make_work(d, n), np.zeros((d, LANES))
    for first in range(0, x.shape[0], LANES):
        count = min(LANES, x.shape[0] - first)
        for lane in range(count):
            for q in range(d):
                points[q, lane] = x[first + lane, q]
        find_levels(matrix, offset, low, n, points, count, work)
        for lane in range(count):
            level[first + lane] = int(work.level[lane])


def level(geometry: Geometry, n: int, x: np.ndarray) -> np.ndarray:
    """Levels (N,) int16 of the points x (N, d) float64; -1 outside the base."""
    x = np.ascontiguousarray(x, dtype=np.float64)
    result = np.empty(len(x), dtype=np.int16)
    level_kernel(geometry, n, x, result)
    return result
