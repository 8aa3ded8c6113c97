"""Where on the fractal boundaries lie: breakpoints per unit length on segments from the centres of
its cells across their borders, level by level, beside segments anywhere in the window; of a stored
network, or through a training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.fractals.fractal import Fractal
from fracsim.kernels.norms import norms
from fracsim.machine.cpus import available_threads
from fracsim.networks.snapshots import Snapshot, alone, snapshots_of
from fracsim.studies.regions.declaration import Settings
from fracsim.studies.regions.regions import checked_box, count_on_segments, random_points
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief

Floats = NDArray[np.float64]
LINES = 1000
"""Segments of each level, where --lines says nothing."""


@brief
@dataclass(frozen=True, eq=False)
class LevelsCounted(Result):
    """Breakpoints per unit length (form "levels")."""

    snapshots: list[Snapshot]
    by_level: Floats
    """(snapshots, n + 1)"""
    anywhere: Floats
    """(snapshots,)"""
    lines: int
    notes: Sequence[str] = ()
    form: str = "levels"

    def arrays(self) -> dict[str, Any]:
        """Rates by snapshot and level."""
        return {
            "snapshot": np.array([one.step for one in self.snapshots]),
            "test_accuracy": np.array([one.score for one in self.snapshots]),
            "level": np.arange(self.by_level.shape[1]),
            "rate_by_level": self.by_level,
            "rate": self.anywhere,
        }

    def attributes(self) -> dict[str, Any]:
        """The network and how many segments."""
        return {**self.snapshots[-1].attributes(), "measure": "levels", "lines": self.lines}

    def summary(self) -> dict[str, Any]:
        """A list of snapshots."""
        rows = zip(self.snapshots, self.anywhere, self.by_level, strict=True)
        return {
            "network": self.snapshots[-1].about,
            "lines": self.lines,
            "snapshots": [
                {
                    "step": one.step,
                    "test_accuracy": None if math.isnan(one.score) else one.score,
                    "breakpoints_per_length": float(anywhere),
                    "by_level": levels.tolist(),
                }
                for one, anywhere, levels in rows
            ],
        }

    def words(self) -> list[str]:
        """A row for each snapshot."""
        head = "".join(f"{f'level {j}':>10}" for j in range(self.by_level.shape[1]))
        lines = [
            f"{self.snapshots[-1].about}: breakpoints per unit length, from centres of cells "
            "across their borders",
            f"{'step':>12}{'anywhere':>10}{head}",
        ]
        for one, anywhere, levels in zip(self.snapshots, self.anywhere, self.by_level, strict=True):
            cells = "".join(f"{value:10.4g}" for value in levels)
            lines.append(f"{one.step:12,}{anywhere:10.4g}{cells}")
        return lines


def of_levels(settings: Settings, progress: OnProgress = silent) -> LevelsCounted:
    """Count. Raises UsageError (no fractal), FileError."""
    assert settings.file is not None
    snapshots = snapshots_of(settings.file, settings.run, settings.snapshot)
    last = snapshots[-1]
    if last.fractal is None:
        raise UsageError(
            "--along cells: the network was trained on no fractal; accepted is a window"
        )
    threads = settings.threads or available_threads()[0]
    window = settings.window or (last.low, 1.0) * last.shape.inputs
    checked_box(window, last.shape.inputs)
    lines, levels = settings.lines or LINES, range(last.fractal_depth + 1)
    ends = random_points(2 * lines, window, settings.seed)
    places = [(ends[0::2], ends[1::2])]
    places += [across_borders(last.fractal, level, lines, settings.seed) for level in levels]
    rates = np.empty((len(snapshots), len(places)))
    for row, one in enumerate(snapshots):
        progress(row, len(snapshots), one.about)
        for column, (starts, stops) in enumerate(places):
            counts = count_on_segments(one.shape, one.params, starts, stops, threads)
            length = float(norms(stops - starts, axis=1).sum())
            rates[row, column] = (counts[:, 0] - 1).sum() / length
    notes = alone(settings.file, settings.snapshot, [one.step for one in snapshots])
    return LevelsCounted(snapshots, rates[:, 1:], rates[:, 0], lines, notes=notes)


def across_borders(fractal: Fractal, level: int, count: int, seed: int) -> tuple[Floats, Floats]:
    """Segments (count, d) from centres of random cells of K_level to as far beyond a random point
    of the border as that is from the centre."""
    matrices, offsets = fractal.cells(level)
    d, low = fractal.dimension, fractal.low
    unit = (0.0, 1.0)
    draws = random_points(count, unit * (d + 2), seed, first=level * count)
    cell = np.minimum((draws[:, 0] * len(offsets)).astype(np.int64), len(offsets) - 1)
    side = np.minimum((draws[:, 1] * 2 * d).astype(np.int64), 2 * d - 1)
    border = low + (1 - low) * draws[:, 2:]
    border[np.arange(count), side // 2] = np.where(side % 2 == 0, low, 1.0)
    centre = np.full(d, (low + 1) / 2)
    starts = matrices[cell] @ centre + offsets[cell]
    through = np.einsum("cpq,cq->cp", matrices[cell], border) + offsets[cell]
    return starts, 2 * through - starts
