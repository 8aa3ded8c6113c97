"""A fractal distribution in one dimension, integrated exactly: mass and first moment on [low, x]
for any x.

Letters: r maps F_i(u) = a_i u + b_i of the base [low, 1], n depth of the fractal. Positives have
mass P(0) = 1/2, equally shared by the r^n cells of K_n; negatives of level j have mass P(j+1) -
P(j), equally shared by the r^j cells of K_j, and lie in the gap of their cell. Positives and all
levels of negatives are integrated in one descent, which follows the one cell per level that holds
x. Images to the left of x count whole, by their means, so the cost is linear in n."""

from typing import NamedTuple

import numpy as np

from fracsim.kernels.jit import formula
from fracsim.kernels.points.geometry import CENTRE, Geometry, Law


class Line(NamedTuple):
    """A distribution on an IFS in d = 1 with its maps sorted from left to right, and tables of what
    one cell holds."""

    low: float
    """Lower end of the base [low, 1]."""
    images: np.ndarray
    """Left and right ends of the images of the base, (r, 2)."""
    maps: np.ndarray
    """a_i, b_i, (r, 2)"""
    before: np.ndarray
    """Sums of a_i and of b_i over the first i images, (r + 1, 2)."""
    gaps: np.ndarray
    """Left and right ends of the intervals in which a cell's own negatives lie, in the base's
    coordinate, (g, 2)."""
    core: np.ndarray
    """Where positives lie in an innermost cell, likewise, (1, 2)."""
    weight: np.ndarray
    """Mass of the negatives of level j, P(j+1) - P(j), (n,)."""
    positive_mean: np.ndarray
    """Mean of the positives of a cell of level j, in the cell's own coordinate, (n + 1,)."""
    negative: np.ndarray
    """Mass and first moment, in the own coordinate of a cell of level j, of all negatives of levels
    ≥ j, as if this cell held them all; (n + 1, 2)."""


def make_line(geometry: Geometry, law: Law) -> Line:
    """The Line of a distribution in d = 1, with its gap and margins."""
    a, b = geometry.matrices[:, 0, 0], geometry.offsets[:, 0]
    low, n = geometry.low, law.fractal_depth
    ends = np.sort(np.stack([a * low + b, a + b], axis=1), axis=1)
    order = np.argsort(ends[:, 0])
    a, b, ends = a[order], b[order], ends[order]
    centre, half = 0.5 * (low + 1.0), 0.5 * (1.0 - low)
    core = centre + half * (1.0 - law.positive_margin) * np.array([[-1.0, 1.0]])
    gaps = _gaps(low, ends, law)
    lengths = gaps[:, 1] - gaps[:, 0]
    weight = np.diff(law.curve)
    positive_mean = np.full(n + 1, centre)
    level_mean = np.full(n + 1, lengths @ gaps.mean(axis=1) / lengths.sum())
    for m in range(1, n + 1):  # of K_m, and of the gaps m levels further down
        positive_mean[m] = a.mean() * positive_mean[m - 1] + b.mean()
        level_mean[m] = a.mean() * level_mean[m - 1] + b.mean()
    negative = np.zeros((n + 1, 2))
    for j in range(n):
        negative[j] = weight[j:].sum(), weight[j:] @ level_mean[: n - j]
    before = np.concatenate([np.zeros((1, 2)), np.cumsum(np.stack([a, b], axis=1), axis=0)])
    return Line(
        low,
        ends,
        np.stack([a, b], axis=1),
        before,
        gaps,
        core,
        weight,
        positive_mean[::-1].copy(),
        negative,
    )


def _gaps(low: float, ends: np.ndarray, law: Law) -> np.ndarray:
    """The intervals (g, 2) of the base in which negatives of level 0 lie; ends (r, 2) of the
    images, left to right."""
    centre, half = 0.5 * (low + 1.0), 0.5 * (1.0 - low)
    reach = half * (1.0 - law.negative_margin)
    if law.gap == CENTRE:
        reach = min(half / 3.0, reach)
    beyond = 0.5 * law.negative_margin * (ends[:, 1] - ends[:, 0])
    starts = np.append(
        low, np.maximum.accumulate(ends[:, 1] + beyond)
    )  # a small image may vanish beside a large one
    stops = np.append(np.minimum.accumulate((ends[:, 0] - beyond)[::-1])[::-1], 1.0)
    intervals = np.clip(np.stack([starts, stops], axis=1), centre - reach, centre + reach)
    return np.ascontiguousarray(intervals[intervals[:, 1] > intervals[:, 0]])


@formula
def share_below(intervals, x):
    """Mass and first moment, below x, of the uniform distribution on the intervals (g, 2)."""
    length = mass = moment = 0.0
    for i in range(intervals.shape[0]):
        left, right = intervals[i, 0], intervals[i, 1]
        end = min(max(x, left), right)
        length += right - left
        mass += end - left
        moment += 0.5 * (end - left) * (end + left)
    return mass / length, moment / length


@formula
def below(line, x):
    """(mass, first moment) of the positives on [low, x], then of the negatives."""
    low, images, maps, before, gaps = line.low, line.images, line.maps, line.before, line.gaps
    weight, positive_mean, negative = line.weight, line.positive_mean, line.negative
    r, n = maps.shape[0], weight.size
    p0 = p1 = q0 = q1 = 0.0
    # of one cell of level j; negative where the part of it to the right of u counts, and is taken
    # off
    share = 1.0
    slope, offset = 1.0, 0.0  # of the cell: x = slope · u + offset
    u = min(max(x, low), 1.0)
    for j in range(n):
        if weight[j] > 0.0:
            mass, moment = share_below(gaps, u)
            q0 += share * weight[j] * mass
            q1 += share * weight[j] * (slope * moment + offset * mass)
        passed = 0
        while passed < r and images[passed, 1] <= u:
            passed += 1
        share /= r
        a, b = before[passed, 0], before[passed, 1]
        p0 += share * passed
        p1 += share * (slope * (a * positive_mean[j + 1] + b) + offset * passed)
        mass, moment = negative[j + 1, 0], negative[j + 1, 1]
        q0 += share * passed * mass
        q1 += share * (slope * (a * moment + b * mass) + offset * passed * mass)
        if passed == r or not images[passed, 0] < u:
            return 0.5 * p0, 0.5 * p1, q0, q1
        a, b = maps[passed, 0], maps[passed, 1]
        u = min(max((u - b) / a, low), 1.0)
        offset += slope * b
        slope *= a
        if a < 0.0:  # what lies below x in this image is the image without what lies below u
            p0 += share
            p1 += share * (slope * positive_mean[j + 1] + offset)
            q0 += share * mass
            q1 += share * (slope * moment + offset * mass)
            share = -share
    mass, moment = share_below(line.core, u)
    return 0.5 * (p0 + share * mass), 0.5 * (p1 + share * (slope * moment + offset * mass)), q0, q1
