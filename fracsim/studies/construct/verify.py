"""Does a constructed network decide what it should? Counted on random points, level by level."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fracsim.errors import UsageError
from fracsim.fractals.distribution import Distribution
from fracsim.kernels.backend import get_backend
from fracsim.kernels.random.philox import SAMPLE
from fracsim.studies.construct.construct import Construction
from fracsim.text import brief
from fracsim.values.arguments import DISTRIBUTION, SEED, Called, Text, Whole, door, instance

CHUNK = 2**16
"""Points at once; the result does not depend on it."""


@brief
@dataclass(frozen=True, eq=False)
class Verification:
    """Points and errors of a network by level, index = level(x): negatives at j < n, positives at
    n."""

    samples: np.ndarray
    """(n + 1,) int64"""
    errors: np.ndarray
    """(n + 1,) int64; a score of 0 counts as an error"""
    hinge_loss: float
    """mean over all points"""

    @property
    def error(self) -> float:
        """Share of all points on which the network errs."""
        return float(self.errors.sum() / self.samples.sum())


@door(
    construction=instance("a Construction", "studies.construct.construct:Construction"),
    distribution=DISTRIBUTION,
    count=Whole(1, 10**12),
    seed=SEED,
    on_progress=Called(),
    precision=Text(("float32", "float64")),
)
def verify(
    construction: Construction,
    distribution: Distribution,
    count: int,
    seed: int = 0,
    on_progress: Callable[[int], None] | None = None,
    precision: str = "float64",
) -> Verification:
    """Try the network on ``count`` samples of the distribution; ``on_progress`` gets the points
    done. ``precision``: of points, parameters and arithmetic, float64 or float32. Raises UsageError
    where that does not resolve the cells.

    Where the distribution keeps the construction's margins, the errors in float64 must be 0 at
    every level below ``levels`` and at n, and the negatives of all other levels must be lost: a
    share 1 - P(levels)."""
    inputs, d = construction.shape.inputs, distribution.fractal.dimension
    if inputs != d:
        raise UsageError(
            f"distribution is on {distribution.fractal.name}, of dimension {d}; accepted is one of "
            f"dimension {inputs}, as the network has inputs"
        )
    backend, only = get_backend("cpu"), np.zeros(1, np.int64)
    geometry, law = distribution.fractal.geometry(), distribution.law(precision)
    params = construction.params[None].astype(precision)
    samples, errors = np.zeros((2, law.fractal_depth + 1), np.int64)
    loss = 0.0
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        x, y, level = backend.sample(geometry, law, seed, SAMPLE, first, size)
        x = x[None].astype(precision)
        score = y * backend.forward(construction.shape, params, x, only)[0].astype(np.float64)
        samples += np.bincount(level, minlength=len(samples))
        errors += np.bincount(level[score <= 0], minlength=len(samples))
        loss += float(np.maximum(1 - score, 0).sum())
        if on_progress is not None:
            on_progress(first + size)
    return Verification(samples, errors, loss / count)
