"""The problem ``fractal``: is a point in the fractal, refined n times? The paper's distributions,
their keys, and nothing that ``fracsim.fractals`` does not know."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from fracsim.errors import UsageError
from fracsim.problems.problem import Points, Problem, Resolution, own_keys
from fracsim.values.settings import label, setting

if TYPE_CHECKING:
    from fracsim.fractals.distribution import Distribution
    from fracsim.fractals.fractal import Fractal
    from fracsim.kernels.backend import Backend
    from fracsim.kernels.points.geometry import Geometry, Law
    from fracsim.kernels.training.train import Population, Stream


@dataclass(frozen=True)
class FractalKeys:
    """The keys of a fractal distribution.

    ``fractal_definition`` is no setting: it holds the fractal's maps (JSON of ``Fractal.to_dict``)
    once an experiment is resolved, so that a file can be rerun after the fractal's own file has
    gone."""

    fractal: str = setting("cantor", "name of a fractal, or path of its TOML file", str)
    fractal_depth: int = setting(5, "depth n of the fractal", int, low=1, high=1000)
    curve: str = setting(
        "1", "approximation curve: 1 to 6, polynomial:P, finest:M, or the values P(0), …, P(n)", str
    )
    gap: str | None = setting(
        None, "where negatives lie", str, choices=("complement", "centre"), optional="the fractal's"
    )
    positive_margin: float = setting(
        0.0, "margin γ of the positives, relative to the innermost cell", float, low=0, high=0.999
    )
    negative_margin: float = setting(
        0.0, "margin δ of the negatives, relative to the images", float, low=0, high=0.999
    )
    fractal_definition: str | None = None

    def load_fractal(self) -> Fractal:
        """The fractal of this run, from ``fractal_definition`` where it is known, else by name or
        path."""
        from fracsim.fractals.fractal import load_fractal

        return (
            load_fractal(self.fractal)
            if self.fractal_definition is None
            else _defined(self.fractal_definition)
        )

    def resolution(self, side: float | None = None) -> Resolution:
        """What a precision resolves; ``side``: of the cube that the base becomes, where it does not
        stay as it is."""
        fractal = self.load_fractal()
        greatest = {name: fractal.greatest_depth_in(name, side) for name in ("float32", "float64")}
        return Resolution(fractal.name, self.fractal_depth, greatest)

    def distribution(self) -> Distribution:
        """The distribution of this run; raises UsageError where its parts do not fit together."""
        from fracsim.fractals.curve import parse_curve
        from fracsim.fractals.distribution import Distribution

        return Distribution(
            self.load_fractal(),
            self.fractal_depth,
            parse_curve(self.curve),
            gap=self.gap,
            positive_margin=self.positive_margin,
            negative_margin=self.negative_margin,
        )


@functools.lru_cache(maxsize=64)
def _defined(definition: str) -> Fractal:
    from fracsim.fractals.fractal import Fractal

    return Fractal.from_dict(json.loads(definition))


@dataclass(frozen=True)
class FractalProblem(Problem):
    """Positives in K_n, negatives in the gaps by an approximation curve; the group is the level."""

    keyed: FractalKeys
    precision: str
    old_points: bool = False

    name: ClassVar[str] = "fractal"
    declared: ClassVar[type] = FractalKeys
    kinds_of_data: ClassVar[tuple[str, ...]] = ("dataset", "stream", "population")
    described: ClassVar[tuple[str, ...]] = ("fractal", "fractal_depth", "curve")

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> FractalProblem:
        """See ``Problem``."""
        keys = {key: settings[key] for key in (*own_keys(cls), "fractal_definition")}
        return cls(FractalKeys(**keys), settings["precision"], settings.get("old_points", False))

    @classmethod
    def complete(cls, settings: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
        """The fractal's own gap."""
        return {"gap": settings["gap"] or _defined(settings["fractal_definition"]).gap}

    @classmethod
    def describe(cls, settings: Mapping[str, Any]) -> str:
        """Fractal, its depth and, where it is among the settings, its curve."""
        fractal = str(settings.get("fractal", "?")).replace("$", r"\$")
        text = f"{fractal}, $n = {settings.get('fractal_depth', '?')}$"
        if "curve" not in settings:
            return text
        curve = str(settings["curve"])
        return f"{text}, curve " + (f"#{curve}" if curve.isdigit() else curve)

    @property
    def inputs(self) -> int:
        """d"""
        return self.keyed.load_fractal().dimension

    @property
    def target(self) -> str:
        """Inside or outside."""
        return "class"

    @property
    def groups(self) -> int:
        """n + 1 levels."""
        return self.keyed.fractal_depth + 1

    def check(self, run: Mapping[str, Any]) -> None:
        """The parts of the distribution must fit together; the exact loss is for a line and the
        hinge."""
        fractal = self.keyed.distribution().fractal
        if run["data"] == "population" and fractal.dimension != 1:
            raise UsageError(
                f"{label('data')} is population and {fractal.name} has dimension "
                f"{fractal.dimension}; "
                "the exact loss over the whole distribution is for d = 1, as on cantor1d"
            )

    def resolution(self) -> Resolution:
        """Of the cells of K_n."""
        return self.keyed.resolution()

    def points(
        self, seed: int, purpose: int, first: int, count: int, backend: Backend | None = None
    ) -> Points:
        """Label and level are those of the point as rounded to the run's precision, unless it is of
        an older version."""
        from fracsim.kernels.points.sample import sample

        geometry, law = self._drawn_from()
        draw = sample if backend is None else backend.sample
        x, y, level = draw(geometry, law, seed, purpose, first, count)
        return Points(x.astype(self.precision), y.astype(self.precision), level)

    def source(self, data: str) -> Stream | Population:
        """Fresh samples inside the kernel, or the exact loss over the distribution."""
        from fracsim.kernels.points.line import make_line
        from fracsim.kernels.training.train import Population, Stream

        geometry, law = self._drawn_from()
        return Stream(geometry, law) if data == "stream" else Population(make_line(geometry, law))

    def _drawn_from(self) -> tuple[Geometry, Law]:
        distribution = self.keyed.distribution()
        law = distribution.law("float64" if self.old_points else self.precision)
        return distribution.fractal.geometry(), law
