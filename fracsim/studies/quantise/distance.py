"""Splines of a 1-Lipschitz function with few bits: the regimes of Ou, Schenkel & Bölcskei.

The function is the distance of x in [0, 1] from the Cantor set of middle thirds."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.networks.rewriting.layers import Layers, evaluate_in_parts
from fracsim.networks.rewriting.splines import spline
from fracsim.studies.quantise.declaration import Settings
from fracsim.studies.quantise.grid import least_bits, rounded
from fracsim.studies.study import OnProgress, Result
from fracsim.text import brief, table

PIECES = (16, 64, 256)
_LEVELS = 33
"""3^-33 is less than the spacing of float64 below 1."""
_POINTS = 2**14
NEAR = 1.25
"""Times the error without rounding: what is left at the knee and beyond."""


def cantor_distance(x: np.ndarray) -> np.ndarray:
    """Distance of x (N,) in [0, 1] from the Cantor set: folded by x ↦ 3 min(x, 1 - x) until it is
    in the gap (1/3, 2/3) of some level."""
    distance, scale, y = np.zeros_like(x), 1.0, np.array(x, float)
    done = np.zeros(len(x), bool)
    for _ in range(_LEVELS):
        y = np.minimum(y, 1 - y)
        gap = ~done & (y > 1 / 3)
        distance[gap] = (y[gap] - 1 / 3) * scale
        done |= gap
        y, scale = np.where(done, 0.0, 3 * y), scale / 3
    return distance


@brief
@dataclass(frozen=True, eq=False)
class Distances(Result):
    """Largest errors (pieces, bits), and the bits after the point."""

    pieces: tuple[int, ...]
    bits: tuple[int, ...]
    fraction: np.ndarray
    errors: np.ndarray
    floors: np.ndarray
    """without rounding"""
    knees: np.ndarray
    """bits from which on the error is that without rounding, but for a quarter; NaN: more than were
    tried"""
    form: str = "distance"

    def arrays(self) -> dict[str, np.ndarray]:
        """See ``VARIABLES``."""
        return {
            "bits": np.array(self.bits),
            "fraction_bits": self.fraction,
            "pieces": np.array(self.pieces),
            "sup_error": self.errors,
            "floor": self.floors,
            "knee_bits": self.knees,
        }

    def summary(self) -> dict[str, Any]:
        """A row for each number of pieces."""
        return {
            "target": "distance from the Cantor set",
            "bits": list(self.bits),
            "fraction_bits": self.fraction.tolist(),
            "results": [
                {
                    "pieces": n,
                    "sup_error": self.errors[row].tolist(),
                    "floor": float(self.floors[row]),
                    "knee_bits": None if np.isnan(self.knees[row]) else int(self.knees[row]),
                    "knee_fraction_bits": self._fraction_at(self.knees[row]),
                }
                for row, n in enumerate(self.pieces)
            ],
        }

    def words(self) -> list[str]:
        """A row for each number of bits."""
        rows: list[tuple[object, ...]] = [("bits", "f", *(f"N = {n:,}" for n in self.pieces))]
        for i, (b, f) in enumerate(zip(self.bits, self.fraction, strict=True)):
            rows.append((b, f, *(f"{error:.3g}" for error in self.errors[:, i])))
        rows.append(("exact", "", *(f"{floor:.3g}" for floor in self.floors)))
        rows.append(("knee", "", *(None if np.isnan(b) else int(b) for b in self.knees)))
        return ["distance from the Cantor set: largest error of splines of N pieces", *table(rows)]

    def _fraction_at(self, bits: float) -> int | None:
        return None if np.isnan(bits) else int(self.fraction[self.bits.index(int(bits))])


def of_distance(settings: Settings, progress: OnProgress) -> Distances:
    """Round the interpolant of each number of pieces, all its layers to one grid."""
    pieces, bits = settings.pieces or PIECES, settings.bits
    fraction = np.zeros(len(bits), np.int64)
    errors, floors = np.empty((len(pieces), len(bits))), np.empty(len(pieces))
    for row, n in enumerate(pieces):
        progress(row, len(pieces), f"{n} pieces")
        knots = np.linspace(0, 1, n + 1)
        layers = spline(knots, cantor_distance(knots))
        x = np.union1d(np.linspace(0, 1, _POINTS + 1), knots)
        wanted = cantor_distance(x)
        floors[row] = _sup(layers, x, wanted)
        for column, b in enumerate(bits):
            few, grids = rounded(layers, b, shared=True)
            errors[row, column] = _sup(few, x, wanted)
            fraction[column] = grids[0].fraction
    progress(len(pieces), len(pieces))
    knees = np.array(
        [least_bits(row <= NEAR * f, bits) for row, f in zip(errors, floors, strict=True)]
    )
    return Distances(tuple(pieces), tuple(bits), fraction, errors, floors, knees)


def _sup(layers: Layers, x: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(evaluate_in_parts(layers, x[:, None])[:, 0] - wanted).max())
