"""Where on the fractal boundaries lie, by distance: the density of all boundaries of regions by the
distance to the cells of K_j, of a stored network or through a training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.fractals.fractal import Fractal
from fracsim.machine.cpus import available_threads
from fracsim.networks.snapshots import Snapshot, alone, snapshots_of
from fracsim.studies.regions.declaration import Settings
from fracsim.studies.regions.regions import checked_box, count_on_segments, random_points
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief

Floats = NDArray[np.float64]

LINES = 20_000
"""Short segments, where --lines says nothing."""
EDGES = (-0.5, -0.375, -0.25, -0.125, 0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Ends of the bins of distances, in sides of a cell; inside cells they are negative."""
SHARE = 0.1
"""Length of a segment, in sides of the finest cells."""
LEAST = 30
"""Segments that a bin must have."""
AT_ONCE = 2**20
"""Distances that are computed side by side."""


@brief
@dataclass(frozen=True, eq=False)
class DensitiesCounted(Result):
    """Area of boundaries per unit volume (form "distances")."""

    snapshots: list[Snapshot]
    levels: list[int]
    density: Floats
    """(snapshots, levels, bins)"""
    error: Floats
    """its standard error, of the same shape"""
    anywhere: Floats
    """(snapshots,)"""
    lines: int
    notes: Sequence[str] = ()
    form: str = "distances"

    def arrays(self) -> dict[str, Any]:
        """Densities by snapshot, level and distance."""
        edges = np.array(EDGES)
        return {
            "snapshot": np.array([one.step for one in self.snapshots]),
            "test_accuracy": np.array([one.score for one in self.snapshots]),
            "level": np.array(self.levels),
            "nearness": (edges[:-1] + edges[1:]) / 2,
            "density_by_distance": self.density,
            "density_error": self.error,
            "density": self.anywhere,
        }

    def attributes(self) -> dict[str, Any]:
        """The network and how many segments."""
        return {**self.snapshots[-1].attributes(), "measure": "distances", "lines": self.lines}

    def summary(self) -> dict[str, Any]:
        """A list of snapshots; a bin with too few segments is null."""
        rows = zip(self.snapshots, self.anywhere, self.density, strict=True)
        return {
            "network": self.snapshots[-1].about,
            "lines": self.lines,
            "distance_ends": list(EDGES),
            "snapshots": [
                {
                    "step": one.step,
                    "test_accuracy": None if math.isnan(one.score) else one.score,
                    "density": float(anywhere),
                    "by_level": [
                        {"level": level, "density": [_number(value) for value in bins]}
                        for level, bins in zip(self.levels, table, strict=True)
                    ],
                }
                for one, anywhere, table in rows
            ],
        }

    def words(self) -> list[str]:
        """Of the first and the last snapshot."""
        head = "".join(f"{low:8g}" for low in EDGES[:-1])
        lines = [
            f"{self.snapshots[-1].about}: boundaries per unit volume, by distance to the nearest "
            "border of a cell",
            f"{'step':>10}{'level':>7}{'all':>8}{head}",
        ]
        for row in sorted({0, len(self.snapshots) - 1}):
            for level, bins in zip(self.levels, self.density[row], strict=True):
                cells = "".join(f"{'-' if np.isnan(one) else f'{one:.4g}':>8}" for one in bins)
                step, anywhere = self.snapshots[row].step, self.anywhere[row]
                lines.append(f"{step:10,}{level:7}{anywhere:8.4g}{cells}")
        lines.append("distances, from those of the head on, in sides of a cell; below 0 inside it")
        return lines


def of_distances(settings: Settings, progress: OnProgress = silent) -> DensitiesCounted:
    """Count. Raises UsageError (no fractal, or one of d > 2), FileError."""
    assert settings.file is not None
    snapshots = snapshots_of(settings.file, settings.run, settings.snapshot)
    last = snapshots[-1]
    if last.fractal is None:
        raise UsageError(
            "--along distance: the network was trained on no fractal; accepted is a window"
        )
    check_dimension(last.fractal)
    threads = settings.threads or available_threads()[0]
    window = settings.window or (last.low, 1.0) * last.shape.inputs
    checked_box(window, last.shape.inputs)
    lines, levels = settings.lines or LINES, list(range(1, last.fractal_depth + 1)) or [0]
    length = SHARE * cell_side(last.fractal, levels[-1])
    centres, starts, stops = short_segments(window, length, lines, settings.seed)
    bins = [_bins(last.fractal, level, centres) for level in levels]
    factor = crofton(last.shape.inputs) / length
    shape = len(snapshots), len(levels), len(EDGES) - 1
    density, error, anywhere = np.empty(shape), np.empty(shape), np.empty(len(snapshots))
    for row, one in enumerate(snapshots):
        progress(row, len(snapshots), one.about)
        counts = count_on_segments(one.shape, one.params, starts, stops, threads)
        met = np.asarray(counts[:, 0] - 1, np.float64)
        anywhere[row] = factor * met.mean()
        for column, place in enumerate(bins):
            density[row, column], error[row, column] = factor * np.array(_means(met, place))
    notes = alone(settings.file, settings.snapshot, [one.step for one in snapshots])
    found = density, error, anywhere
    return DensitiesCounted(snapshots, levels, *found, lines, notes=notes)


def crofton(d: int) -> float:
    """√π Γ((d+1)/2) / Γ(d/2): area of surfaces per unit volume, over the points in which isotropic
    lines meet them per unit length (1, π/2, 2 for d = 1, 2, 3)."""
    return math.sqrt(math.pi) * math.gamma((d + 1) / 2) / math.gamma(d / 2)


def short_segments(
    window: Sequence[float], length: float, count: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Centres, uniform in the window, and both ends (count, d) of isotropic segments of a length,
    d ≤ 2."""
    d = len(window) // 2
    centres = random_points(count, window, seed)
    turn = 2 * math.pi * random_points(count, (0.0, 1.0), seed, first=d * count)
    along = np.ones((count, 1)) if d == 1 else np.hstack([np.cos(turn), np.sin(turn)])
    return centres, centres - length / 2 * along, centres + length / 2 * along


def cell_side(fractal: Fractal, level: int) -> float:
    """Mean side of the cells of K_level: of cells that are no squares, of the square of equal
    area."""
    matrices, _ = fractal.cells(level)
    volumes = np.abs(np.linalg.det(matrices))
    return float((volumes ** (1 / fractal.dimension)).mean()) * (1.0 - fractal.low)


def check_dimension(fractal: Fractal) -> None:
    """UsageError for d > 2."""
    if fractal.dimension > 2:
        raise UsageError(
            f"--along distance: distances to cells are known for d ≤ 2, and {fractal.name} has "
            f"d = {fractal.dimension}"
        )


def border_distances(fractal: Fractal, level: int, points: Floats) -> Floats:
    """Distance (N,) from each of the points (N, d) to the nearest border of a cell of K_level,
    negative inside K_level. Raises UsageError for d > 2."""
    check_dimension(fractal)
    d, low = fractal.dimension, fractal.low
    base = [[low], [1]] if d == 1 else [[low, low], [1, low], [1, 1], [low, 1]]
    matrices, offsets = fractal.cells(level)
    corners = np.einsum("cpq,vq->cvp", matrices, np.array(base, np.float64)) + offsets[:, None]
    ends = np.roll(corners, -1, axis=1) if d == 2 else corners
    a, side = corners.reshape(-1, d), (ends - corners).reshape(-1, d)
    square = np.maximum((side**2).sum(1), 1e-300)
    found = np.empty(len(points))
    step = max(1, AT_ONCE // len(a))
    for first in range(0, len(points), step):
        x = points[first : first + step, None] - a
        share = np.clip((x * side).sum(2) / square, 0.0, 1.0)
        gap = x - share[:, :, None] * side
        found[first : first + step] = np.sqrt((gap**2).sum(2).min(1))
    return np.where(fractal.level(points, level) >= level, -found, found)


def _bins(fractal: Fractal, level: int, points: Floats) -> NDArray[np.intp]:
    """The bin of EDGES (N,) of each point; -1 and len(EDGES) - 1 outside all."""
    distance = border_distances(fractal, level, points) / cell_side(fractal, level)
    return np.searchsorted(EDGES, distance, side="right") - 1


def _means(values: Floats, place: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Means of the values (N,) in each bin, and their standard errors; NaN of too few."""
    means, errors = np.full((2, len(EDGES) - 1), math.nan)
    for bin_ in range(len(means)):
        own = values[place == bin_]
        if len(own) >= LEAST:
            means[bin_], errors[bin_] = own.mean(), own.std(ddof=1) / math.sqrt(len(own))
    return means, errors


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
