"""Lengths of curves in a stored network, or through its training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.kernels.random_networks.activations import RELU
from fracsim.networks.snapshots import Snapshot, alone, snapshots_of
from fracsim.studies.lengths.curves import (
    Curve,
    cell_borders,
    circle,
    diagonal,
    polyline,
    random_plane,
)
from fracsim.studies.lengths.declaration import Settings
from fracsim.studies.lengths.measure import Memory, lengths_of
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief

Floats = NDArray[np.float64]


@brief
@dataclass(frozen=True, eq=False)
class StoredMeasured(Result):
    """Of a stored network, or of all snapshots of a run (form "stored")."""

    snapshots: list[Snapshot]
    along: str
    levels: list[int]
    input_lengths: list[float]
    ratios: Floats
    """(snapshots, levels, T)"""
    scale: float = 1.0
    """By which the borders of cells are blown up."""
    notes: Sequence[str] = ()
    form: str = "stored"

    def arrays(self) -> dict[str, Any]:
        """Ratios by snapshot, level and layer."""
        widths = self.snapshots[0].shape.widths
        return {
            "layer": np.arange(1, len(widths) + 1),
            "units": np.array(widths),
            "snapshot": np.array([one.step for one in self.snapshots]),
            "test_accuracy": np.array([one.score for one in self.snapshots]),
            "level": np.array(self.levels),
            "input_length": np.array(self.input_lengths),
            "ratio_by_level": self.ratios,
        }

    def attributes(self) -> dict[str, Any]:
        """The network and the curve."""
        facts = self.snapshots[-1].attributes()
        return {**facts, "along": self.along, "scale": self.scale, "activation": "relu"}

    def summary(self) -> dict[str, Any]:
        """A list of snapshots, each with a list of levels."""
        return {
            "network": self.snapshots[-1].about,
            "along": self.along,
            "scale": self.scale,
            "snapshots": [
                {
                    "step": one.step,
                    "test_accuracy": None if math.isnan(one.score) else one.score,
                    "levels": [
                        {
                            "level": level,
                            "input_length": length,
                            "ratio": list(map(float, ratios)),
                            "growth": _mean_growth(ratios),
                        }
                        for level, length, ratios in zip(
                            self.levels, self.input_lengths, rows, strict=True
                        )
                    ],
                }
                for one, rows in zip(self.snapshots, self.ratios, strict=True)
            ],
        }

    def words(self) -> list[str]:
        """Ratios of the first and the last snapshot, and their mean growth."""
        last = self.snapshots[-1]
        what = "borders of cells" if self.along == "cells" else f"a {self.along}"
        what += f" × {self.scale:g}" if self.scale != 1 else ""
        lines = [f"{last.about}: {what}, length over the input's"]
        head = "".join(f"{f'layer {n + 1}':>10}" for n in range(last.shape.depth))
        lines.append(f"{'step':>10}{'level':>7}{head}{'growth':>10}")
        for row in sorted({0, len(self.snapshots) - 1}):
            for level, ratios in zip(self.levels, self.ratios[row], strict=True):
                cells = "".join(f"{value:10.4g}" for value in ratios)
                growth = _mean_growth(ratios)
                said = f"{'-':>10}" if growth is None else f"{growth:10.4g}"
                lines.append(f"{self.snapshots[row].step:10,}{level:7}{cells}{said}")
        lines.append("growth: per layer, from layer 1 to the last")
        return lines


def of_stored(settings: Settings, progress: OnProgress = silent) -> StoredMeasured:
    """Lengths in a stored network, or in all snapshots of a run."""
    assert settings.file is not None
    snapshots = snapshots_of(settings.file, settings.run, settings.snapshot)
    last = snapshots[-1]
    if not last.shape.depth:
        raise UsageError("the network has no hidden layers, so a curve keeps its length")
    levels, curves = _stored_curves(settings, last)
    exact = settings.along != "circle" if settings.exact is None else settings.exact
    ratios = np.empty((len(snapshots), len(curves), last.shape.depth))
    memory = Memory()
    for row, one in enumerate(snapshots):
        progress(row, len(snapshots), one.about)
        for column, curve in enumerate(curves):
            found = lengths_of(one.shape, one.params, RELU, curve, exact, settings.points, memory)
            ratios[row, column] = found.x / curve.length
    lengths = [curve.length for curve in curves]
    notes = alone(settings.file, settings.snapshot, [one.step for one in snapshots])
    scale = 1.0 if settings.scale is None else settings.scale
    return StoredMeasured(snapshots, settings.along, levels, lengths, ratios, scale, notes)


def _stored_curves(settings: Settings, last: Snapshot) -> tuple[list[int], list[Curve]]:
    inputs = last.shape.inputs
    if settings.along == "cells":
        if last.fractal is None:
            raise UsageError(
                "--along cells: the network was trained on no fractal; accepted: circle, segment, "
                "polyline"
            )
        levels = list(range(last.fractal_depth + 1))
        scale = 1.0 if settings.scale is None else settings.scale
        return levels, [cell_borders(last.fractal, level, scale) for level in levels]
    if settings.along == "circle":
        plane, radius = random_plane(inputs, settings.seed), settings.radius or 0.7
        return [0], [circle(plane, radius, settings.points)]
    return [0], [line_of(settings, inputs, last.low)]


def _mean_growth(ratios: Floats) -> float | None:
    """Per layer, from layer 1 to the last."""
    if len(ratios) < 2 or not ratios[0] > 0:
        return None
    return float((ratios[-1] / ratios[0]) ** (1 / (len(ratios) - 1)))


def line_of(settings: Settings, inputs: int, low: float) -> Curve:
    """The segment or polyline."""
    if settings.path is None:
        return diagonal(inputs, low)
    return polyline(settings.path, inputs, low, f"a {settings.along}")
