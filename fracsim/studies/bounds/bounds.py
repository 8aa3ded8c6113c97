"""Theorems 2, 3 and 4 of Malach & Shalev-Shwartz (NeurIPS 2019, arXiv 1903.03488) as numbers, for
ranges of T and k.

T counts hidden layers, k is the width of each. *Error* is the 0-1 error Pr[sign f(x) ≠ y] on D_n:
on the whole distribution, not on a sample. The hinge loss of any f is at least its error, and twice
its error where f is ±1.

- Theorem 2, any d: a network without error, of width k ≥ d, needs k ≥ (d/e) r^(n/(Td)), as it has
  at most (ek/d)^(Td) linear regions. (The count is for k ≥ d: a number below d says nothing.)
- Theorem 3, any d: a network with T = 2⌊j/s⌋ + 2 (one less where s divides j) and k = 5 d r^s
  exists whose error is
  1 - P(j): it knows K_j, found in steps of s levels. So much networks *can* do; training need not
  find it.
- Theorem 4, d = 1: where k < r^s and n > j > sT, every network has an error of at least (1 -
  r^(sT-j)) (1 - P(j)).

Where a theorem says nothing, the numbers are NaN.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fracsim.errors import UsageError
from fracsim.fractals.curve import Curve, parse_curve
from fracsim.fractals.fractal import MOST_DEPTH, Fractal, load_fractal
from fracsim.studies.bounds.least_error import MOST_CELLS, check_negatives, least_errors
from fracsim.text import brief
from fracsim.values.arguments import FRACTAL, Either, List, Place, Text, Whole, door
from fracsim.values.settings import label

WIDTHS = (10, 20, 50, 100, 200, 400)
MOST_LAYERS, MOST_WIDTH, MOST_CHANGES, MOST_VALUES = 10_000, 10**9, 10**9, 1000
ROUND = [digit * 10**power for power in range(8) for digit in (1, 2, 5)]
ROWS = 41
"""Depths of a table that nobody has asked for more precisely."""


@brief
@dataclass(frozen=True, eq=False)
class Bounds:
    """The bounds of one distribution; errors are 0-1 errors, NaN where a theorem says nothing."""

    fractal: Fractal
    fractal_depth: int
    curve: Curve
    gap: str
    network_depth: np.ndarray
    """T (depths,)"""
    width: np.ndarray
    """k (widths,)"""
    least_width: np.ndarray
    """Theorem 2 (depths,): the width that a network without error needs"""
    upper_error: np.ndarray
    """Theorem 3 (depths, widths): a network with this error exists …"""
    upper_level: np.ndarray
    """… it resolves K_j up to this j …"""
    upper_merge: np.ndarray
    """… in steps of s levels"""
    lower_error: np.ndarray
    """Theorem 4 (depths, widths), d = 1: no network has a smaller error; the best bound over j and
    s"""
    lower_level: np.ndarray
    """j of that bound"""
    least_error: np.ndarray
    """(depths, widths), d = 1: the exact least error with (k + 1)^T sign changes; no network has a
    smaller error"""
    sign_changes: np.ndarray
    """m (changes,); empty where d > 1"""
    changes_least_error: np.ndarray
    """(changes,): exact least error of any classifier with at most m sign changes"""
    changes_lower_error: np.ndarray
    """(changes,): Theorem 4 for as many linear pieces, T = 1 and k = m - 1"""
    notes: tuple[str, ...]
    """What must be said beside the numbers: which theorem says nothing here, and why."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Name -> array of a study of kind "bounds"; those of which there is nothing to say are
        left out."""
        n = self.fractal_depth
        values = {"level": np.arange(n + 1), "curve_values": self.curve.values(n)}
        values |= {
            name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return {name: value for name, value in values.items() if not np.isnan(value).all()}

    def attributes(self) -> dict[str, str | int]:
        """What the file says of the distribution."""
        return {
            "fractal": self.fractal.name,
            "fractal_definition": json.dumps(self.fractal.to_dict()),
            "fractal_depth": self.fractal_depth,
            "curve": self.curve.name,
            "gap": self.gap,
            "error": "0-1 error Pr[sign f(x) != y] on the whole distribution; the hinge loss is "
            "never less",
        }


@door(
    fractal=Either((FRACTAL, Place()), "a Fractal, or the name or file of one"),
    fractal_depth=Whole(),
    gap=Text(),
    depths=List(Whole()),
    widths=List(Whole()),
    sign_changes=List(Whole()),
)
def bounds_of(
    fractal: Fractal | str,
    fractal_depth: int,
    curve: Curve | str,
    *,
    gap: str | None = None,
    depths: Sequence[int] | None = None,
    widths: Sequence[int] = WIDTHS,
    sign_changes: Sequence[int] | None = None,
) -> Bounds:
    """The bounds for all depths T and widths k of the networks (default: T = 1, …, 2n + 1, at most
    41).

    In d = 1 also the exact least error by sign changes m (default: enough to draw it). No width of
    cells in float64 is involved: any fractal depth up to 1000 is accepted.

    Raises:
        UsageError: an unknown fractal, curve or gap; depths, widths or sign changes that are no
        whole numbers of at
            least 1; sign changes where d > 1; more cells than the exact least error takes, if it
            was asked for.
    """
    fractal = fractal if isinstance(fractal, Fractal) else load_fractal(fractal)
    curve, gap, (n,) = (
        parse_curve(curve),
        gap or fractal.gap,
        _numbers("fractal_depth", [fractal_depth], MOST_DEPTH),
    )
    check_negatives(fractal, gap)
    p, d, r = curve.values(int(n)), fractal.dimension, fractal.maps
    t = _numbers(
        "network_depth",
        range(1, min(2 * n + 1, ROWS) + 1) if depths is None else depths,
        MOST_LAYERS,
    )
    k = _numbers("width", widths, MOST_WIDTH)
    upper = np.array(
        [[upper_error(p, d, r, int(layers), int(units)) for units in k] for layers in t]
    )
    lower = np.array(
        [[lower_error(p, d, r, int(layers), int(units)) for units in k] for layers in t]
    )
    m, exact = _exact(fractal, int(n), curve, gap, sign_changes)
    least = np.array([least_width(fractal, p, int(layers)) for layers in t])
    pieces = (k + 1.0) ** np.minimum(t[:, None], 64)  # more are beyond any table of m
    return Bounds(
        fractal,
        int(n),
        curve,
        gap,
        t,
        k,
        least_width=least,
        upper_error=upper[..., 0],
        upper_level=upper[..., 1],
        upper_merge=upper[..., 2],
        lower_error=lower[..., 0],
        lower_level=lower[..., 1],
        least_error=_at(exact, pieces),
        sign_changes=m,
        changes_least_error=_at(exact, m),
        changes_lower_error=np.array(
            [lower_error(p, d, r, 1, int(changes) - 1)[0] for changes in m]
        ),
        notes=(*_notes(fractal, p, gap), *_too_deep(t, least)),
    )


def least_width(fractal: Fractal, curve_values: np.ndarray, depth: int) -> float:
    """(d/e) r^(n/(Td)), below which no network of T = ``depth`` hidden layers is without error
    (Theorem 2).

    NaN where the theorem says nothing: images that touch are no fractal of the paper's, a curve
    with P(n-1) = 1 has no negatives near the cells of K_n, and its count of regions is for networks
    of width k ≥ d, so that it says nothing where its width is below d. Infinite beyond float64."""
    n = len(curve_values) - 1
    if fractal.touching or curve_values[n - 1] == 1:
        return math.nan
    return width_without_error(fractal.dimension, fractal.maps, n, depth)


def width_without_error(d: int, maps: int, n: int, depth: int) -> float:
    """(d/e) r^(n/(Td)), or NaN where that is below d ≥ 2. T = ``depth`` ≥ 1."""
    exponent = n / (depth * d) * math.log(maps)
    width = d / math.e * math.exp(exponent) if exponent < 709 else math.inf
    return width if width >= d or d == 1 else math.nan


def upper_error(
    curve_values: np.ndarray, d: int, r: int, depth: int, width: int
) -> tuple[float, float, float]:
    """(error 1 - P(j), j, s): the best network of Theorem 3 with at most T = ``depth`` layers of
    ``width`` units.

    Of several, the one with the least s. NaN where the network is too narrow for one level, k <
    5dr."""
    n, best = len(curve_values) - 1, (math.nan, math.nan, math.nan)
    steps = (depth - 1) // 2
    for s in range(1, n + 2):
        if 5 * d * r**s > width:
            break
        # T = 2a + 1 layers reach level as exactly; one more, of s - 1 further levels at most,
        # begins with T = 2a + 2
        j = min(n, steps * s if depth % 2 else steps * s + s - 1)
        if not j <= best[1]:
            best = (1 - float(curve_values[j]), float(j), float(s))
    return best


def lower_error(
    curve_values: np.ndarray, d: int, r: int, depth: int, width: int
) -> tuple[float, float]:
    """(error, j): the greatest bound of Theorem 4, over j and s, for T = ``depth`` layers of
    ``width`` units.

    Its count needs no gaps between images: at most (k + 1)^T ≤ r^(sT) cells of K_j hold a sign
    change, and in each other one the network errs on all positives or all negatives. NaN where d >
    1, or n - 1 ≤ sT for the least s."""
    n = len(curve_values) - 1
    if d != 1 or r == 1:
        return math.nan, math.nan
    s = 1
    while r**s <= width:
        s += 1
    j = np.arange(s * depth + 1, n)
    if j.size == 0:
        return math.nan, math.nan
    errors = (1 - float(r) ** (s * depth - j)) * (1 - curve_values[j])
    best = int(np.argmax(errors))
    return float(errors[best]), float(j[best])


def _exact(
    fractal: Fractal, n: int, curve: Curve, gap: str, asked: Sequence[int] | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """m (changes,) to tell of, and the exact least errors for all m, or None where they are not to
    be had."""
    nothing = np.zeros(0, np.int64), None
    if asked is not None and fractal.dimension > 1:
        raise UsageError(
            f"sign changes are counted on the line, d = 1; {fractal.name} has d = "
            f"{fractal.dimension}"
        )
    if asked is None and (fractal.dimension > 1 or fractal.maps**n > MOST_CELLS):
        return nothing
    exact = least_errors(fractal, n, curve, gap)
    if asked is not None:
        return _numbers("sign_changes", asked, MOST_CHANGES), exact
    # every m at first, then 24 to each doubling, round numbers and the last: enough for a smooth
    # line
    most = max(1, len(exact) - 1)
    spread = np.geomspace(1, most, 24 * max(1, int(np.log2(most)))).astype(np.int64)
    return np.unique([*spread, *(m for m in ROUND if m <= most), most]), exact


def _at(exact: np.ndarray | None, changes: np.ndarray) -> np.ndarray:
    """The exact least error at most that many sign changes; with more than are needed it is 0."""
    if exact is None:
        return np.full(np.shape(changes), math.nan)
    return np.asarray(exact[np.minimum(changes, len(exact) - 1).astype(np.int64)])


def _numbers(name: str, given: Sequence[int], most: int) -> np.ndarray:
    """The values, ascending and each once. UsageError unless they are whole numbers from 1 to
    ``most``."""
    for value in given:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | np.integer)
            or not 1 <= value <= most
        ):
            raise UsageError(
                f"{label(name)} is {value!r}; accepted are whole numbers from 1 to {most:,}"
            )
    if not 1 <= len(given) <= MOST_VALUES:
        raise UsageError(f"{label(name)} has {len(given)} values; accepted are 1 to {MOST_VALUES}")
    return np.unique(np.array(given, np.int64))


def _too_deep(depths: np.ndarray, least: np.ndarray) -> list[str]:
    """A sentence where Theorem 2 speaks of some depths only: its width is below d from there on."""
    silent = np.isnan(least)
    if silent.all() or not silent.any():
        return []
    return [
        f"Theorem 2 says nothing of T ≥ {depths[silent][0]}: it counts the regions of widths "
        f"k ≥ d, and there it would be about narrower networks only"
    ]


def _notes(fractal: Fractal, p: np.ndarray, gap: str) -> list[str]:
    """What must be said beside the numbers."""
    n, d, notes = len(p) - 1, fractal.dimension, []
    if fractal.touching:
        notes.append(
            f"the images of {fractal.name} touch, which the paper's fractals do not: Theorem 2 "
            f"says nothing, "
            "and the error of Theorem 3 is a limit, for margins that go to 0"
        )
    elif p[n - 1] == 1:
        notes.append(
            "P(n-1) = 1: no negatives lie near the cells of K_n, and Theorem 2 says nothing"
        )
    elif (np.diff(p) == 0).any() or (gap == "centre" and (d, fractal.maps) != (1, 2)):
        why = "this curve" if (np.diff(p) == 0).any() else "gap 'centre'"
        notes.append(
            "Theorem 2 is as the paper states it; its proof counts on negatives between any two "
            "cells of K_n, "
            f"but {why} leaves some pairs without"
        )
    if d > 1:
        notes.append("Theorem 4 and the exact least error are for d = 1 only")
    elif fractal.maps**n > MOST_CELLS:
        notes.append(
            f"the exact least error is left out: it takes at most {MOST_CELLS:,} cells, and "
            f"{fractal.name} "
            f"has {fractal.maps}^{n} at depth {n}"
        )
    return notes
