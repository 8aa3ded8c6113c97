"""The problem ``radial-fractal``: shells of a fractal. The distance from the origin is a point of a
fractal distribution on the line, the direction is uniform, and the label is that of the distance.

The radius is hard for one hidden layer (Safran, Eldan and Shamir 2019), the fractal for a shallow
network (Malach and Shalev-Shwartz 2019): P(j), of the distance, carries over to the shells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fracsim.errors import UsageError
from fracsim.problems.fractal import FractalProblem
from fracsim.problems.problem import Points, Problem, own_keys
from fracsim.settings import label


@dataclass(frozen=True)
class RadialFractalKeys:
    """It has no keys of its own: those of the fractal, and the dimension of radial functions."""


@dataclass(frozen=True)
class RadialFractalProblem(Problem):
    """Labels ±1 of ‖x‖, whose base is stretched onto [0, 1]; the group is the level."""

    line: FractalProblem
    dimension: int
    precision: str

    name: ClassVar[str] = "radial-fractal"
    declared: ClassVar[type] = RadialFractalKeys
    described: ClassVar[tuple[str, ...]] = FractalProblem.described
    defaults: ClassVar[Mapping[str, Any]] = {"fractal": "cantor1d"}

    @classmethod
    def keys(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Those of a fractal distribution, and the dimension."""
        return (*own_keys(FractalProblem), "dimension")

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> RadialFractalProblem:
        """See ``Problem``."""
        line = FractalProblem.make({**settings, "precision": "float64"})
        return cls(line, settings["dimension"], settings["precision"])

    complete = FractalProblem.complete

    @classmethod
    def describe(cls, settings: Mapping[str, Any]) -> str:
        """The fractal, and the dimension where it is among the settings."""
        text = f"shells of {FractalProblem.describe(settings)}"
        return f"{text}, $d = {settings['dimension']}$" if "dimension" in settings else text

    @property
    def inputs(self) -> int:
        """d"""
        return self.dimension

    @property
    def target(self) -> str:
        """Inside or outside."""
        return "class"

    @property
    def groups(self) -> int:
        """n + 1 levels."""
        return self.line.groups

    def check(self, run: Mapping[str, Any]) -> None:
        """The fractal must lie on the line."""
        fractal = self.line.keyed.load_fractal()
        if fractal.dimension != 1:
            raise UsageError(
                f"{label('fractal')} is {fractal.name}, of dimension {fractal.dimension}; accepted "
                f"with {label('problem')} {self.name} are fractals on the line, as cantor1d"
            )
        self.line.check({**run, "data": "dataset"})

    def points(
        self, seed: int, purpose: int, first: int, count: int, backend: Any = None
    ) -> Points:
        """The label is that of the distance before it is rounded."""
        import numpy as np

        from fracsim.kernels.points.radial import fill_directions

        places, y, level = self.line.points(seed, purpose, first, count, backend)
        low = self.line.keyed.load_fractal().low
        radius, x = (places[:, 0] - low) / (1 - low), np.empty((count, self.dimension))
        fill_directions(np.uint64(seed), purpose, np.uint64(first), radius, x)
        return Points(x.astype(self.precision), y.astype(self.precision), level)
