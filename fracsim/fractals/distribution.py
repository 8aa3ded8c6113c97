"""Fractal distributions D_n: half positives in K_n, half negatives spread over the gaps by an
approximation curve."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fracsim.errors import UsageError
from fracsim.fractals.curve import Curve
from fracsim.fractals.fractal import Fractal, check_gap_name
from fracsim.kernels.points.geometry import GAPS, Law
from fracsim.kernels.points.sample import make_law, sample
from fracsim.kernels.random.philox import SAMPLE
from fracsim.machine.memory import check_fits
from fracsim.text import brief
from fracsim.values.arguments import CURVE, FRACTAL, SEED, Number, Text, Whole, check_fields, door

LEAST_SHARE = 1e-3
"""Negatives are drawn by rejection: a smaller accepted share is refused."""

GREATEST_MARGIN = 0.999


@brief
class Sample(NamedTuple):
    """Labelled points of a fractal distribution."""

    x: np.ndarray
    """(N, d) float64, or float32 where that was asked for"""
    y: np.ndarray
    """(N,) int8, +1 or -1"""
    level: np.ndarray
    """(N,) int16: level(x), 0..n; n exactly for the positives"""


@brief
@dataclass(frozen=True, eq=False)
class Distribution:
    """The distribution of one fractal, depth and curve; UsageError where it cannot be drawn
    from."""

    fractal: Fractal
    fractal_depth: int
    """n"""
    curve: Curve
    gap: str | None = None
    """``complement``, ``centre``, or None for the fractal's own."""
    positive_margin: float = 0.0
    """γ: positives lie in the innermost cell shrunk by 1 - γ."""
    negative_margin: float = 0.0
    """δ: negatives lie outside the images enlarged by 1 + δ and off their own cell's border by
    δ."""

    def __post_init__(self) -> None:
        check_fields(
            self,
            fractal=FRACTAL,
            fractal_depth=Whole(1),
            curve=CURVE,
            gap=Text(),
            positive_margin=Number(),
            negative_margin=Number(),
        )
        self.fractal.check_depth(self.fractal_depth, least=1)
        if self.gap is None:
            object.__setattr__(self, "gap", self.fractal.gap)
        check_gap_name(str(self.gap), "distribution")
        self.curve.values(self.fractal_depth)
        for name in ("positive_margin", "negative_margin"):
            margin = getattr(self, name)
            if not 0 <= margin <= GREATEST_MARGIN:
                raise UsageError(
                    f"{name} must be a number from 0 to {GREATEST_MARGIN}, not {margin!r}"
                )
        self._check_room()

    def law(self, precision: str = "float64") -> Law:
        """The arrays and numbers that kernels take, for points of float64 or of float32. Raises
        UsageError where the cells are too fine for them."""
        self.fractal.check_depth(self.fractal_depth, 1, precision)
        gap = GAPS.index(str(self.gap))
        curve = self.curve.values(self.fractal_depth)
        margins = self.positive_margin, self.negative_margin
        return make_law(self.fractal.geometry(), curve, gap, *margins, precision == "float32")

    @door(
        count=Whole(0),
        seed=SEED,
        purpose=Whole(0, 2**32 - 1),
        first=Whole(0),
        precision=Text(("float32", "float64")),
    )
    def sample(
        self,
        count: int,
        seed: int = 0,
        purpose: int = SAMPLE,
        first: int = 0,
        precision: str = "float64",
    ) -> Sample:
        """Samples ``first`` … ``first + count - 1`` of the stream (seed, purpose), each independent
        of the others; ``precision``: float64 or float32. Level and label are those of the
        coordinates in that precision. Raises UsageError."""
        if first + count > 2**64:
            raise UsageError(
                f"count and first are {count} and {first}; accepted is a sum of at most 2^64"
            )
        check_fits(count * (8.0 * self.fractal.dimension + 3), f"count is {count}:")
        law = self.law(precision)
        x, y, level = sample(self.fractal.geometry(), law, seed, purpose, first, count)
        return Sample(x.astype(precision, copy=False), y, level)

    def _check_room(self) -> None:
        if self.gap == "centre":
            self.fractal.check_centre()
        elif self.fractal.gap_share < LEAST_SHARE:
            raise UsageError(
                f"fractal {self.fractal.name}: the images leave only "
                f"{max(self.fractal.gap_share, 0):.2g} of a cell "
                f"free for negatives; at least {LEAST_SHARE:g} is needed"
            )
        if self.negative_margin > 0 and self._free_share() < LEAST_SHARE:
            raise UsageError(
                f"negative_margin {self.negative_margin:g} leaves the negatives of "
                f"{self.fractal.name} no room "
                f"(less than {LEAST_SHARE:g} of the gap is left)"
            )

    def _free_share(self) -> float:
        """Share of proposed negatives that the margin δ leaves: an estimate from points that are
        always the same."""
        g = self.fractal.geometry()
        centre, half = 0.5 * (g.low + 1), 0.5 * (1 - g.low)
        reach = min(1 / 3 if self.gap == "centre" else 1.0, 1 - self.negative_margin)
        points = centre + half * reach * np.random.default_rng(0).uniform(
            -1, 1, (2**14, self.fractal.dimension)
        )
        free = np.ones(len(points), dtype=bool)
        for matrix, offset in zip(g.inverse_matrices, g.inverse_offsets, strict=True):
            free &= np.abs(points @ matrix.T + offset - centre).max(axis=1) > half * (
                1 + self.negative_margin
            )
        return float(free.mean())
