"""The problem ``product``: the product of n numbers, each uniform on [-a, a], over its standard
deviation.

Rolnick & Tegmark 2018: one hidden layer needs exponentially many units, n - 1 small ones after one
another do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fracsim.errors import UsageError
from fracsim.problems.problem import Points, Problem
from fracsim.values.settings import label, setting


@dataclass(frozen=True)
class ProductKeys:
    """The keys of a product."""

    factors: int = setting(4, "numbers n that are multiplied", int, low=1, high=10_000)
    range: float = setting(
        1.5,
        "each number is uniform from minus this to this",
        float,
        above=0,
        high=1e6,
        option="--factor-range",
    )


@dataclass(frozen=True)
class ProductProblem(Problem):
    """Real labels Π x_i / (a² / 3)^{n / 2}, of mean 0 and variance 1; no groups."""

    factors: int
    range: float
    precision: str

    name: ClassVar[str] = "product"
    declared: ClassVar[type] = ProductKeys
    described: ClassVar[tuple[str, ...]] = ("factors",)

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> ProductProblem:
        """See ``Problem``."""
        return cls(settings["factors"], settings["range"], settings["precision"])

    @classmethod
    def describe(cls, settings: Mapping[str, Any]) -> str:
        """How many numbers, where that is among the settings."""
        return f"product of {settings['factors']}" if "factors" in settings else "product"

    @property
    def inputs(self) -> int:
        """n"""
        return self.factors

    @property
    def target(self) -> str:
        """A function."""
        return "real"

    @property
    def groups(self) -> int:
        """None: one for all points."""
        return 1

    def check(self, run: Mapping[str, Any]) -> None:
        """The largest label must be a number of the run's precision: it is 3^{n / 2}."""
        most = 80 if self.precision == "float32" else 640
        if self.factors > 2 * most:
            raise UsageError(
                f"{label('factors')} is {self.factors}; accepted with {label('precision')} "
                f"{self.precision} are at most {2 * most}, whose product fits into it"
            )

    def points(
        self, seed: int, purpose: int, first: int, count: int, backend: Any = None
    ) -> Points:
        """The label is that of the point as rounded to the run's precision."""
        import numpy as np

        from fracsim.kernels.points.product import fill_cube

        x = np.empty((count, self.factors))
        fill_cube(np.uint64(seed), purpose, np.uint64(first), self.range, x)
        rounded = x.astype(self.precision)
        y = np.prod(rounded * (3**0.5 / self.range), axis=1, dtype=np.float64)
        return Points(rounded, y.astype(self.precision), np.zeros(count, np.int16))
