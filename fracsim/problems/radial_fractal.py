"""The problem ``radial-fractal``: shells of a fractal. The distance from the origin is a point of a
fractal distribution on the line, the direction is uniform, and the label is that of the distance.

The radius is hard for one hidden layer (Safran, Eldan and Shamir 2019), the fractal for a shallow
network (Malach and Shalev-Shwartz 2019): P(j), of the distance, carries over to the shells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from fracsim.errors import UsageError
from fracsim.problems.fractal import FractalProblem
from fracsim.problems.problem import Points, Problem, Resolution, own_keys
from fracsim.values.settings import label

if TYPE_CHECKING:
    import numpy as np

_AGAIN = 2**48
"""Between the numbers of a point's attempts: no stream is that long."""


@dataclass(frozen=True)
class RadialFractalKeys:
    """It has no keys of its own: those of the fractal, and the dimension of radial functions."""


@dataclass(frozen=True)
class RadialFractalProblem(Problem):
    """Labels ±1 of ‖x‖, whose base is stretched onto [0, 1]; the group is the level."""

    line: FractalProblem
    dimension: int
    precision: str
    old_points: bool = False

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
        old = settings.get("old_points", False)
        return cls(line, settings["dimension"], settings["precision"], old)

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

    def resolution(self) -> Resolution:
        """Of the shells: the base becomes the radii from 0 to 1."""
        return self.line.keyed.resolution(side=1.0)

    def points(
        self, seed: int, purpose: int, first: int, count: int, backend: Any = None
    ) -> Points:
        """Label and level are those of the distance of the rounded point, unless it is of an older
        version. Where that has another level the point is drawn again, its level kept."""
        import numpy as np

        from fracsim.kernels.points.radial import fill_directions

        places, y, level = self.line.points(seed, purpose, first, count, backend)
        low = self.line.keyed.load_fractal().low
        radius, x = (places[:, 0] - low) / (1 - low), np.empty((count, self.dimension))
        fill_directions(np.uint64(seed), purpose, np.uint64(first), radius, x)
        x = x.astype(self.precision)
        attempt, moved = 0, self._moved(x, level)
        while moved.size:
            attempt += 1
            for i in moved:
                index = first + int(i) + attempt * _AGAIN
                x[i] = self._again(seed, purpose, index, int(level[i]))
            moved = moved[self._moved(x[moved], level[moved])]
        return Points(x, y.astype(self.precision), level)

    def _moved(self, x: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Which of the points x (N, d) have a distance of another level."""
        import numpy as np

        from fracsim.kernels.points.radial import fill_norms

        if self.old_points:
            return np.zeros(0, np.int64)
        fractal, radius = self.line.keyed.load_fractal(), np.empty(len(x))
        fill_norms(x, radius)
        places = fractal.low + (1 - fractal.low) * radius[:, None]
        return np.flatnonzero(fractal.level(places, self.line.keyed.fractal_depth) != level)

    def _again(self, seed: int, purpose: int, index: int, level: int) -> np.ndarray:
        """Point ``index`` of the stream as if it had been given this level, (d,)."""
        import numpy as np

        from fracsim.kernels.points.radial import fill_directions
        from fracsim.kernels.points.sample import given_level, sample

        distribution = self.line.keyed.distribution()
        geometry, law = distribution.fractal.geometry(), distribution.law()
        places, _, _ = sample(geometry, given_level(law, level), seed, purpose, index, 1)
        x = np.empty((1, self.dimension))
        radius = (places[:, 0] - geometry.low) / (1 - geometry.low)
        fill_directions(np.uint64(seed), purpose, np.uint64(index), radius, x)
        point: np.ndarray = x[0].astype(self.precision)
        return point
