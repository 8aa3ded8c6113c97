"""Many labelled points at once: drawn by a pool of threads, with what a sample file says of
them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from fracsim.data.provenance import provenance
from fracsim.errors import RunError
from fracsim.fractals.distribution import Distribution, Sample
from fracsim.machine.memory import free_memory
from fracsim.text import size

BLOCK = 1 << 18
"""Points a thread draws at once. Results do not depend on it: a point is a function of the seed and
its index."""


def draw(
    distribution: Distribution,
    count: int,
    seed: int,
    threads: int,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Sample:
    """The first ``count`` points of the stream of ``seed``, the same for any number of threads.

    ``on_progress`` gets the number of points drawn so far, from the calling thread."""
    sample = Sample(
        np.empty((count, distribution.fractal.dimension)),
        np.empty(count, np.int8),
        np.empty(count, np.int16),
    )

    def block(first: int) -> int:
        part = slice(first, min(first + BLOCK, count))
        drawn = distribution.sample(part.stop - first, seed, first=first)
        for whole, values in zip(sample, drawn, strict=True):
            whole[part] = values
        return part.stop - first

    pool, done = ThreadPoolExecutor(threads), 0
    try:
        for drawn in pool.map(block, range(0, count, BLOCK)):
            done += drawn
            on_progress(done)
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for blocks that have not begun
    return sample


def check_room(folder: Path, count: int, dimension: int) -> None:
    """Raise RunError where ``count`` points of ``dimension`` coordinates fit neither the disk nor
    the memory."""
    needed = count * (8 * dimension + 3)
    for free, where in (
        (shutil.disk_usage(folder).free, f"{folder} has"),
        (free_memory(), "the memory has"),
    ):
        if free is not None and needed > free:
            raise RunError(
                f"--count {count} needs {size(needed)} for the points, but {where} only "
                f"{size(free)} free"
            )


def attributes(distribution: Distribution, seed: int, command: str) -> dict[str, Any]:
    """What a sample file says of its origin: enough to draw the same points again.

    ``command``: the command line that drew them."""
    return {
        "fractal": distribution.fractal.name,
        "fractal_definition": json.dumps(distribution.fractal.to_dict()),
        "fractal_depth": distribution.fractal_depth,
        "curve": distribution.curve.name,
        "gap": distribution.gap,
        "positive_margin": distribution.positive_margin,
        "negative_margin": distribution.negative_margin,
        "seed": seed,
        "purpose": "sample",
        **provenance(command),
    }


def observed_curve(y: np.ndarray, level: np.ndarray, n: int) -> np.ndarray:
    """P(0..n) estimated from labels and levels (N,): the share of points that are no negative in
    K_j."""
    negatives = np.bincount(level[y < 0], minlength=n + 1)
    return 1 - negatives[::-1].cumsum()[::-1] / len(y)
