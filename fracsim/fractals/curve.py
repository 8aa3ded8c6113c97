"""Approximation curves P(0..n): how much of the distribution each level of detail settles.

P(j) = 1 - Pr[x ∈ K_j and y = -1] rises from P(0) = 1/2 to P(n) = 1. A *coarse* curve rises at the
first levels, a *fine* one stays near 1/2 until the last. The authors give each level j = 1..n (1
the coarsest) a weight v_j, Σ v = 1; walking down, level j turns a point into a negative with
probability 1 - 2^(-v_j). In closed form

    P(j) = 3/2 - 2^(-S_j),   S_j = v_1 + … + v_j.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fracsim.errors import UsageError, nearest
from fracsim.text import shortened
from fracsim.values.arguments import List, Number, Text, Values, Whole, check_fields, door
from fracsim.values.given import described, real_number

PAPER_CURVES = {
    "1": "polynomial:0",
    "2": "finest:3",
    "3": "finest:2",
    "4": "polynomial:5",
    "5": "polynomial:9",
    "6": "finest:1",
}
"""The six curves of the paper: v_j ∝ j^p, or equal weights on the m finest levels."""

CURVE_FAMILIES = {
    "polynomial:P": "weights n^P, …, 2^P, 1^P, the finest level first",
    "finest:M": "equal weights on the M finest levels",
    "0.5,…,1": "the values P(0), P(1), …, P(n) themselves",
}
"""Further families, and what their parameter means."""

ACCEPTED = "a curve is one of 1 to 6, polynomial:P, finest:M, or the list P(0), …, P(n)"
MOST_DEPTH = 1000
_ENDS = 1e-9  # how far P(0) and P(n) of a list may lie from 1/2 and 1 (they are then set exactly)


@dataclass(frozen=True)
class Curve:
    """One approximation curve; ``name`` is what a user types to get it, and what files store."""

    name: str
    family: str = field(compare=False)
    """``polynomial``, ``finest`` or ``list``."""
    parameter: float = field(default=0.0, compare=False)
    """The power p, or the number m of finest levels."""
    points: tuple[float, ...] = field(default=(), compare=False)
    """P(0..n) of an explicit list."""

    def __post_init__(self) -> None:
        check_fields(
            self,
            name=Text(),
            family=Text(("polynomial", "finest", "list")),
            parameter=Number(0, 1e9),
            points=List(Number(0, 1), least=0),
        )
        object.__setattr__(self, "points", tuple(self.points))

    @door(n=Whole(high=MOST_DEPTH))
    def values(self, n: int) -> np.ndarray:
        """P(0..n), shape (n + 1,). UsageError where the curve does not exist at fractal depth n."""
        if n < 1:
            raise UsageError(f"a curve needs a fractal depth of at least 1, not {n}")
        if self.family == "list":
            if len(self.points) != n + 1:
                raise UsageError(
                    f"the curve's list has {len(self.points)} values, "
                    f"but fractal depth {n} needs the {n + 1} values P(0), …, P({n})"
                )
            return np.array(self.points)
        total = np.concatenate(([0.0], np.cumsum(self._weights(n))))
        total[-1] = 1.0
        return 1.5 - 2.0**-total

    def _weights(self, n: int) -> np.ndarray:
        """v_1..v_n, coarsest level first, Σ v = 1."""
        j = np.arange(1, n + 1)
        if self.family == "polynomial":
            v = (j / n) ** self.parameter
        else:
            if self.parameter > n:
                raise UsageError(
                    f"curve {self.name} weights the {self.parameter:g} finest levels, but the "
                    f"fractal depth is only {n}"
                )
            v = (j > n - self.parameter).astype(float)
        return np.asarray(v / v.sum())


@door(given=Values())
def parse_curve(given: str | float | Sequence[float] | Curve) -> Curve:
    """The curve meant by ``"4"``, ``4``, ``"polynomial:2.5"``, ``"finest:2"``, ``"0.5,0.7,1"`` or
    ``[0.5, 0.7, 1]``.

    UsageError where it is none of these.
    """
    if isinstance(given, Curve):
        return given
    if isinstance(given, bool) or not isinstance(given, str | int | float | Sequence | np.ndarray):
        raise UsageError(f"curve {described(given)} is not understood: {ACCEPTED}")
    if not isinstance(given, str | int | float):
        return _from_list(given)
    name = str(given).strip()
    if "," in name:
        return _from_list(name.split(","))
    family, colon, parameter = PAPER_CURVES.get(name, name).partition(":")
    if family == "polynomial" and colon:
        return Curve(name, family, _power(parameter))
    if family == "finest" and colon:
        return Curve(name, family, _count(parameter))
    raise UsageError(
        f"unknown curve '{shortened(name)}'{nearest(family, ('polynomial', 'finest'))} ({ACCEPTED})"
    )


def _power(text: str) -> float:
    try:
        power = float(text)
    except ValueError:
        power = math.nan
    if not 0 <= power <= 100:
        raise UsageError(f"curve polynomial:P needs a power P from 0 to 100, not '{text}'")
    return power


def _count(text: str) -> float:
    if not (text.isdecimal() and len(text) < 10 and int(text) >= 1):
        raise UsageError(
            f"curve finest:M needs a whole number M of levels, at least 1, not '{text}'"
        )
    return float(text)


def _from_list(given: Sequence[object]) -> Curve:
    if len(given) > MOST_DEPTH + 1:
        raise UsageError(
            f"the curve's list P(0), …, P(n) has {len(given):,} values; accepted are at most "
            f"{MOST_DEPTH + 1:,}"
        )
    try:
        points = [float(one) if isinstance(one, str) else real_number(one) for one in given]
    except (TypeError, ValueError, ArithmeticError):
        raise UsageError(
            f"the curve's list P(0), …, P(n) holds something that is not a number: "
            f"{shortened(given)}"
        ) from None
    text = shortened(",".join(f"{value:g}" for value in points), 300)
    if len(points) < 2:
        raise UsageError(f"the curve's list P(0), …, P(n) needs at least two values, not '{text}'")
    if not (abs(points[0] - 0.5) <= _ENDS and abs(points[-1] - 1) <= _ENDS):
        raise UsageError(
            f"a curve starts at P(0) = 0.5 and ends at P(n) = 1, but the list is {text}"
        )
    points[0], points[-1] = 0.5, 1.0
    if not all(before <= after for before, after in itertools.pairwise(points)):
        raise UsageError(f"a curve never falls, but the list is {text}")
    return Curve(",".join(repr(value) for value in points), "list", points=tuple(points))
