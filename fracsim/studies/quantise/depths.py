"""Bits that networks for cantor1d need by the depth n of the fractal: Theorem 1's deep ones, and
shallow ones with a trapezoid over each cell of K_n.

Whether one network keeps its decisions at b bits is chance: errors of knots and slopes add up along
the line, and accuracy is not even monotone in b. So copies are tried, too: the same function and
the same points moved by s in [0, 1/2), which meets the grid in other places each time."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import Fractal, load_fractal
from fracsim.networks.rewriting.layers import (
    Layers,
    affine,
    composed,
    evaluate_in_parts,
    units_of,
)
from fracsim.networks.rewriting.splines import kinks
from fracsim.studies.construct.construct import construct
from fracsim.studies.quantise.declaration import Settings
from fracsim.studies.quantise.grid import least_bits, rounded
from fracsim.studies.study import OnProgress, Result
from fracsim.text import brief, table

COPIES, POINTS = 20, 2000
KEPT = 0.95
"""Accuracy that a network must keep from its least bits on."""
MARGIN = 1 / 6
"""δ of the negatives, a twelfth of the gap between two cells: ramps of the trapezoids fill it."""
_FARTHEST = 0.5
"""Copies move by less: knots of [0, 1] stay below 2."""


@brief
@dataclass(frozen=True, eq=False)
class Depths(Result):
    """Least bits of each network, NaN where none of those tried are enough."""

    depths: tuple[int, ...]
    bits: tuple[int, ...]
    units: np.ndarray
    """deep and shallow (2, n)"""
    own: np.ndarray
    """of the networks as they are, deep and shallow (2, n)"""
    copies: np.ndarray
    """of moved copies, deep and shallow (2, n, copies)"""
    notes: tuple[str, ...] = ()
    form: str = "depths"

    def arrays(self) -> dict[str, np.ndarray]:
        """See ``VARIABLES``."""
        found = {"bits": np.array(self.bits), "fractal_depth": np.array(self.depths)}
        for i, name in enumerate(("deep", "shallow")):
            found[f"{name}_units"] = self.units[i]
            found[f"{name}_bits"] = self.own[i]
            found[f"{name}_copy_bits"] = self.copies[i]
        return found

    def attributes(self) -> dict[str, str | int | float]:
        """The fractal, and what counts as kept."""
        return {"fractal": "cantor1d", "accuracy_kept": KEPT, "negative_margin": MARGIN}

    def summary(self) -> dict[str, Any]:
        """An object for each depth; ``bits_per_level``: a line through the means of the copies."""
        return {
            **self.attributes(),
            "results": [
                {
                    "fractal_depth": n,
                    **{
                        name: {
                            "units": int(self.units[i, at]),
                            "bits": _number(self.own[i, at]),
                            "copies": _spread(self.copies[i, at]),
                        }
                        for i, name in enumerate(("deep", "shallow"))
                    },
                }
                for at, n in enumerate(self.depths)
            ],
            "bits_per_level": {
                "deep": _slope(self.depths, self.own[0]),
                "deep_copies": _slope(self.depths, self.copies[0].mean(axis=1)),
                "shallow_copies": _slope(self.depths, self.copies[1].mean(axis=1)),
            },
        }

    def words(self) -> list[str]:
        """A row for each depth."""
        rows: list[tuple[object, ...]] = [
            ("n", "deep units", "bits", "copies", "shallow units", "bits", "copies")
        ]
        for at, n in enumerate(self.depths):
            row: list[object] = [n]
            for i in range(2):
                copies = _spread(self.copies[i, at])
                row += [f"{self.units[i, at]:,}", _number(self.own[i, at])]
                row.append(copies and f"{copies['mean']:.1f} ({copies['low']}-{copies['high']})")
            rows.append(tuple(row))
        kept = f"least bits from which on {KEPT:.0%} of the points are right"
        return [f"cantor1d: {kept}; of copies the mean (least-most)", *table(rows)]


def of_depths(settings: Settings, progress: OnProgress) -> Depths:
    """Round the networks of each depth, and moved copies of them."""
    assert settings.fractal_depth is not None
    depths, fractal = settings.fractal_depth, load_fractal("cantor1d")
    count = settings.copies or COPIES
    units = np.zeros((2, len(depths)), np.int64)
    own, copies = np.empty((2, len(depths))), np.empty((2, len(depths), count))
    for at, n in enumerate(depths):
        progress(at, len(depths), f"n = {n}")
        networks = construct(fractal, n).layers, trapezoids(fractal, n, MARGIN)
        distribution = Distribution(fractal, n, parse_curve("1"), None, 0.0, MARGIN)
        points = distribution.sample(settings.count or POINTS, settings.seed)
        moves = np.random.default_rng((settings.seed, n)).uniform(0, _FARTHEST, count)
        for i, layers in enumerate(networks):
            units[i, at] = sum(units_of(layers))
            found = _least_bits(layers, points.x, points.y, [0.0, *moves], settings)
            own[i, at], copies[i, at] = found[0], found[1:]
    progress(len(depths), len(depths))
    needed = np.concatenate([own[:, :, None], copies], axis=2)
    lost = [n for at, n in enumerate(depths) if np.isnan(needed[:, at]).any()]
    return Depths(tuple(depths), settings.bits, units, own, copies, _notes(lost, settings.bits))


def trapezoids(fractal: Fractal, n: int, margin: float) -> Layers:
    """1 on each cell of K_n, d = 1, -1 farther than ``margin`` half-sizes from all of them, and
    straight lines between: four units for each cell."""
    matrices, offsets = fractal.cells(n)
    ends = np.sort([offsets[:, 0], offsets[:, 0] + matrices[:, 0, 0]], axis=0)  # base [0, 1]
    low, high = ends[:, np.argsort(ends[0])]
    ramp = margin * (high - low) / 2
    at = np.stack([low - ramp, low, high, high + ramp], axis=1)
    slope = 2 / ramp[:, None] * np.array([1.0, -1.0, -1.0, 1.0])
    return kinks(at.ravel(), slope.ravel(), -1.0)


def moved(layers: Layers, by: float) -> Layers:
    """x ↦ f(x - by)"""
    return composed(affine(np.eye(1), np.array([-by])), layers)


def _least_bits(
    layers: Layers, x: np.ndarray, y: np.ndarray, moves: list[float], settings: Settings
) -> np.ndarray:
    """Of each copy, the least bits from which on the accuracy stays at least KEPT; else NaN."""
    found = np.empty(len(moves))
    for i, by in enumerate(moves):
        copy, kept = moved(layers, by), np.empty(len(settings.bits), bool)
        for k, b in enumerate(settings.bits):
            few, _ = rounded(copy, b, shared=settings.grid == "network")
            kept[k] = (evaluate_in_parts(few, x + by)[:, 0] * y > 0).mean() >= KEPT
        found[i] = least_bits(kept, settings.bits)
    return found


def _notes(lost: list[int], bits: tuple[int, ...]) -> tuple[str, ...]:
    if not lost:
        return ()
    where = ", ".join(map(str, lost))
    return (f"at n = {where} some copies need more than {max(bits)} bits: they are left out",)


def _number(value: float) -> int | None:
    return None if math.isnan(value) else int(value)


def _spread(values: np.ndarray) -> dict[str, Any] | None:
    """Mean and ends of copies; None where one needs more bits than were tried."""
    if np.isnan(values).any():
        return None
    return {"mean": float(values.mean()), "low": int(values.min()), "high": int(values.max())}


def _slope(depths: tuple[int, ...], values: np.ndarray) -> float | None:
    """Of the straight line nearest to the finite values."""
    n, there = np.array(depths, float), np.isfinite(values)
    if len(np.unique(n[there])) < 2:
        return None
    n, values = n[there] - n[there].mean(), values[there] - values[there].mean()
    return float(n @ values / (n @ n))


def wrong_points(n: int = 2) -> int:
    """For the doctor: points that the trapezoids of cantor1d decide wrongly; none, if all is
    well."""
    fractal = load_fractal("cantor1d")
    layers = trapezoids(fractal, n, MARGIN)
    sample = Distribution(fractal, n, parse_curve("1"), None, 0.0, MARGIN).sample(200, 0)
    return int((evaluate_in_parts(layers, sample.x)[:, 0] * sample.y <= 0).sum())
