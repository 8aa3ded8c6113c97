"""The problem ``radial``: a function of the distance from the origin, in the unit ball. The
direction of a point is uniform, and so is its radius on [0, 1]: in the uniform ball nearly all
radii are close to 1, where every profile looks constant.

Safran, Eldan and Shamir 2019: two hidden layers approximate such functions with few units, one
hidden layer does not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from fracsim.errors import UsageError, nearest
from fracsim.problems.problem import Points, Problem
from fracsim.values.settings import label, setting

if TYPE_CHECKING:
    from fracsim.kernels.backend import Backend

_NAMES = ("hat", "osc", "cone")  # as kernels.radial.PROFILES, which a test compares
_OMEGA = re.compile(r"(?P<factor>[0-9]*\.?[0-9]+(?:e[0-9]{1,2})?)?(?P<pi>pi|π)?")
MOST_OMEGA = 1e6
"""A faster oscillation is beyond what points of float32 resolve."""


@dataclass(frozen=True)
class RadialKeys:
    """The keys of a radial function."""

    profile: str = setting(
        "hat",
        "function of the radius: hat, cone, or osc:ω with a number ω as in osc:6pi",
        str,
    )
    dimension: int = setting(8, "dimension d of the points", int, low=1, high=10_000)


def parse_profile(text: str) -> tuple[str, float]:
    """(name, ω) of a profile; ω is 0 where it has none. Raises UsageError."""
    name, colon, rest = text.strip().lower().partition(":")
    if name not in _NAMES:
        raise UsageError(
            f"{label('profile')} is '{text:.60}'; accepted is hat, cone or osc:ω, as in osc:6pi"
            f"{nearest(name, _NAMES)}"
        )
    if name != "osc":
        if colon:
            raise UsageError(
                f"{label('profile')} is '{text:.60}'; accepted is {name} without a number"
            )
        return name, 0.0
    found = _OMEGA.fullmatch(rest)
    if not found or not rest:
        raise UsageError(
            f"{label('profile')} is '{text:.60}'; accepted is osc: and a number above 0, as in "
            f"osc:6pi or osc:20"
        )
    omega = float(found["factor"] or 1) * (math.pi if found["pi"] else 1.0)
    if not 0 < omega <= MOST_OMEGA:
        raise UsageError(
            f"{label('profile')} is '{text:.60}'; accepted is an ω above 0 and at most "
            f"{MOST_OMEGA:,.0f}"
        )
    return name, omega


@dataclass(frozen=True)
class RadialProblem(Problem):
    """Real labels φ(‖x‖); no groups."""

    profile: str
    omega: float
    dimension: int
    precision: str

    name: ClassVar[str] = "radial"
    declared: ClassVar[type] = RadialKeys
    described: ClassVar[tuple[str, ...]] = ("profile", "dimension")

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> RadialProblem:
        """See ``Problem``."""
        name, omega = parse_profile(settings["profile"])
        return cls(name, omega, settings["dimension"], settings["precision"])

    @classmethod
    def describe(cls, settings: Mapping[str, Any]) -> str:
        """Profile and dimension, those that are among the settings."""
        text = f"radial {settings['profile']}" if "profile" in settings else "radial"
        return f"{text}, $d = {settings['dimension']}$" if "dimension" in settings else text

    @property
    def inputs(self) -> int:
        """d"""
        return self.dimension

    @property
    def target(self) -> str:
        """A function."""
        return "real"

    @property
    def groups(self) -> int:
        """None: one for all points."""
        return 1

    def points(
        self, seed: int, purpose: int, first: int, count: int, backend: Backend | None = None
    ) -> Points:
        """The label is that of the point as rounded to the run's precision."""
        import numpy as np

        from fracsim.kernels.points.radial import PROFILES, fill_ball, fill_profile

        x, y = np.empty((count, self.dimension)), np.empty(count)
        fill_ball(np.uint64(seed), purpose, np.uint64(first), x)
        rounded = x.astype(self.precision)
        fill_profile(PROFILES.index(self.profile), self.omega, rounded, y)
        return Points(rounded, y.astype(self.precision), np.zeros(count, np.int16))
