"""The loss at every place of a grid, by a pool of threads, and what is kept of it on the way."""

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from fracsim.data.errors import FileError
from fracsim.data.studies import read_study, write_study
from fracsim.errors import UsageError
from fracsim.studies.landscape.declaration import STUDY
from fracsim.studies.landscape.measure import Found, Measure
from fracsim.studies.study import OnProgress
from fracsim.values.settings import label

SLICE = 8
"""Places that a thread computes at once. Results do not depend on it."""
_EVERY = 20.0
"""Seconds between two writings of the checkpoint."""


def loss_on_grid(
    measure: Measure,
    centre: np.ndarray,
    directions: np.ndarray,
    at: np.ndarray,
    threads: int,
    progress: OnProgress,
    checkpoint: str | None = None,
) -> Found:
    """``measure`` at all places at (G, D), the same for any number of threads.

    With a ``checkpoint``, places that this file has are taken from it, and it is brought up to date
    every 20 seconds, and where the work ends early. Raises UsageError, FileError."""
    kept = Kept(checkpoint, _digest(measure, centre, directions, at), len(at), measure.share.size)
    todo = np.flatnonzero(np.isnan(kept.loss[:, 0]))
    slices = [todo[i : i + SLICE] for i in range(0, len(todo), SLICE)]

    def compute(places: np.ndarray) -> Found:
        return measure(centre, directions, at[places])

    done = len(at) - len(todo)
    progress(done, len(at))
    pool = ThreadPoolExecutor(threads)
    try:
        for places, found in zip(slices, pool.map(compute, slices), strict=True):
            # no number, where the arithmetic overflows: higher than all others
            kept.loss[places] = np.where(np.isnan(found[0]), np.inf, found[0])
            kept.right[places] = found[1]
            done += len(places)
            progress(done, len(at))
            kept.write(_EVERY)
    finally:
        pool.shutdown(cancel_futures=True)
        kept.write()
    return kept.loss, kept.right


class Kept:
    """Loss and right signs (G, J) of the places done, NaN elsewhere, and the file they are in."""

    def __init__(self, path: str | None, key: str, places: int, groups: int) -> None:
        self.path, self.key = path, key
        self.loss, self.right = np.full((places, groups), np.nan), np.zeros((places, groups))
        self.written, self.saved = time.monotonic(), places + 1
        if path is not None and os.path.exists(path):
            self._read(path)

    def write(self, every: float = 0.0) -> None:
        """Bring the file up to date, unless that was done less than ``every`` seconds ago."""
        left = int(np.isnan(self.loss[:, 0]).sum())
        if self.path is None or left == self.saved or time.monotonic() - self.written < every:
            return
        arrays = {"done_loss": self.loss, "done_right": self.right}
        write_study(self.path, STUDY.format, arrays, {"key": self.key}, "partial")
        self.written, self.saved = time.monotonic(), left

    def _read(self, path: str) -> None:
        held = read_study(path, STUDY.format)
        if held.form != "partial":
            raise UsageError(
                f"{label('checkpoint')} '{path}' holds a finished landscape; accepted is a name of "
                "a new file, or one of finished places"
            )
        if held.attributes.get("key") != self.key:
            raise UsageError(
                f"{label('checkpoint')} '{path}' is of another landscape (network, points or "
                "places differ); accepted is a name of a new file"
            )
        loss, right = held.arrays["done_loss"], held.arrays["done_right"]
        if loss.shape != self.loss.shape or right.shape != self.loss.shape:
            raise FileError(f"'{path}' is not a valid fracsim file: its places are not the grid's")
        self.loss, self.right = loss, right
        self.saved = int(np.isnan(loss[:, 0]).sum())


def _digest(measure: Measure, *arrays: np.ndarray) -> str:
    """Equal for the same landscape: network, directions, places, and what the loss is of."""
    digest = hashlib.sha256(measure.about.encode())
    parts: list[np.ndarray] = [*arrays, measure.share]
    parts += [getattr(measure, name) for name in ("x", "y") if hasattr(measure, name)]
    for line in getattr(measure, "lines", []):
        parts += [] if line is None else [np.asarray(part) for part in line]
    for part in parts:
        digest.update(str(part.shape).encode() + np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
