"""Slow twins of the bounds in d = 1: intervals found from all cells, a plain dynamic program,
errors by overlap."""

import itertools

import numpy as np


def intervals(fractal, n, curve_values, gap):
    """[(left, right, mass, label)] from left to right: every cell of K_n, every gap of every cell
    of every level."""
    r, low = fractal.maps, fractal.low
    found = []

    def cells(j):
        matrices, offsets = fractal.cells(j)
        ends = offsets + matrices[:, :, 0] * np.array([[low, 1.0]])
        return np.sort(ends, axis=1)

    for left, right in cells(n):
        found.append((left, right, 0.5 / r**n, 1))
    for j in range(n):
        weight = (curve_values[j + 1] - curve_values[j]) / r**j
        for left, right in cells(j):
            if gap == "centre":
                third = (right - left) / 3
                free = [(left + third, right - third)]
            else:
                images = sorted(
                    (a, b) for a, b in cells(j + 1) if left - 1e-12 < a and b < right + 1e-12
                )
                assert len(images) == r
                ends = [left, *(end for image in images for end in image), right]
                free = [(a, b) for a, b in zip(ends[::2], ends[1::2], strict=True) if b - a > 1e-12]
            whole = sum(b - a for a, b in free)
            found += [(a, b, weight * (b - a) / whole, -1) for a, b in free]
    return sorted(found, key=lambda piece: piece[0] + piece[1])


def least_errors(pieces, most):
    """Least error with at most m sign changes, m = 0..most: the best of each number of changes and
    each last sign."""
    best = {(m, sign): (0.0 if m == 0 else np.inf) for m in range(most + 1) for sign in (-1, 1)}
    for _, _, mass, label in pieces:
        step = {}
        for m in range(most + 1):
            for sign in (-1, 1):
                before = min(best[m, sign], best[m - 1, -sign] if m else np.inf)
                step[m, sign] = before + (mass if sign != label else 0.0)
        best = step
    return np.minimum.accumulate([min(best[m, -1], best[m, 1]) for m in range(most + 1)])


def error_of(pieces, thresholds, first):
    """Error of the classifier whose sign is ``first`` on the far left and changes at every
    threshold."""
    error = 0.0
    for left, right, mass, label in pieces:
        points = [left, *(t for t in sorted(thresholds) if left < t < right), right]
        sign = first * (-1) ** sum(t <= left for t in thresholds)
        for a, b in itertools.pairwise(points):
            if sign != label:
                error += mass * (b - a) / (right - left)
            sign = -sign
    return error


def best_construction(curve_values, d, r, depth, width):
    """Theorem 3: least 1 - P(j) of all levels j and merges s that fit; NaN where none does."""
    n = len(curve_values) - 1
    errors = [
        1 - curve_values[j]
        for s in range(1, n + 3)
        for j in range(n + 1)
        if 5 * d * r**s <= width and 2 * (j // s) + (1 if j % s == 0 else 2) <= depth
    ]
    return min(errors, default=np.nan)


def best_obstruction(curve_values, r, depth, width):
    """Theorem 4: greatest bound over all admissible s and j; NaN where there are none."""
    n = len(curve_values) - 1
    errors = [
        (1 - r ** (s * depth - j)) * (1 - curve_values[j])
        for s in range(1, n + 2)
        for j in range(n)
        if width < r**s and n > j > s * depth
    ]
    return max(errors, default=np.nan)
