"""The greatest R² that a network of so many pieces could have of a teacher's outputs, d = 1."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fracsim.data.errors import FileError
from fracsim.errors import FracsimError
from fracsim.fractals.fractal import Fractal
from fracsim.kernels.random.philox import TEST
from fracsim.problems.registry import PROBLEM_KEYS
from fracsim.training.run import Run, coerce, problem_of


def segment_r2(settings: Mapping[str, Any], fractal: Fractal, pieces: int, points: int) -> float:
    """R² on the first ``points`` test points of the best function that is linear on each of
    ``pieces`` intervals, with jumps or without: no continuous one, as networks are, is better on
    them. NaN where the teacher's file is gone."""
    known = {
        key: coerce(key, settings[key])
        for key in ("problem", "seed", "precision", *PROBLEM_KEYS)
        if settings.get(key) not in (None, "")
    }
    run = Run(**known, fractal_definition=json.dumps(fractal.to_dict()))
    try:
        found = problem_of(run).points(run.seed, TEST, 0, points)
    except (FileError, FracsimError):
        return math.nan
    order = np.argsort(found.x[:, 0])
    x, y = found.x[order, 0].astype(np.float64), found.y[order].astype(np.float64)
    least = least_squares(x, y, pieces)
    return 1 - least / float(((y - y.mean()) ** 2).sum())


def least_squares(x: np.ndarray, y: np.ndarray, pieces: int) -> float:
    """The least sum of squares of broken lines: x (N,) ascending is cut into at most ``pieces``
    intervals, each with its own line. Exact, by dynamic programming: N² pieces operations."""
    cost = line_costs(x, y)
    best = cost[0].copy()  # of the points up to j, by one line
    for _ in range(min(pieces, len(x)) - 1):
        through = np.concatenate([[0.0], best[:-1]])[:, None] + cost
        following = np.minimum(best, through.min(axis=0))
        if best[-1] - following[-1] <= 1e-14 * cost[0, -1]:
            return float(following[-1])
        best = following
    return float(best[-1])


def line_costs(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, N): the least sum of squares of one line through points i … j; infinite for j < i."""
    x, y = x - x.mean(), y - y.mean()
    sums = [np.concatenate([[0.0], np.cumsum(v)]) for v in (0 * x + 1, x, y, x * x, x * y, y * y)]
    n, sx, sy, sxx, sxy, syy = (one[None, 1:] - one[:-1, None] for one in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        vx, vy, cov = sxx - sx * sx / n, syy - sy * sy / n, sxy - sx * sy / n
        explained = np.where(vx > 1e-14 * np.abs(sxx), cov * cov / vx, 0.0)
        found: np.ndarray = np.maximum(vy - explained, 0.0)
    found[np.tril_indices(len(x), -1)] = np.inf
    return found
