"""The networks whose existence Theorems 1 and 3 prove (Malach & Shalev-Shwartz 2019), built for any
affine IFS.

Theorem 1: n folds (see ``folds``) and one layer that asks whether what is left lies in the base: 2n
+ 1 hidden layers of width at most 5dr, right on all of D_n. Theorem 3: stop at level j, and fold s
levels at once by the r^s composed maps: 2⌊j/s⌋ + 1 hidden layers, one more where s does not divide
j, of width at most 5 d r^s; what it gets wrong are the negatives of levels ≥ j, a share 1 - P(j). A
continuous function cannot jump, so some points must be left out. Where:

*Images with a gap* have the slope outside, from 1 + h to 1 + h + g in a cell's coordinates, with h
and g fixed by the IFS. Positives need no margin, and no weight grows with n. Negatives keep off the
images by δ = h + 4 g / M.

*Images that touch* leave no room outside. The slope lies inside, from 1 - g/2 to 1, with a g of its
own in each fold: positives that keep γ off their innermost cell's border keep at least γ s^(n-k)
off that of level k, s being the least row sum of |A_i|, so g = γ s^(n-k), and weights grow like
s^-n. Negatives keep δ = γ s off their own cell's border.

The rounding of all folds is bounded before a network is built; what float64 cannot carry is
refused."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fracsim.errors import RunError, UsageError
from fracsim.fractals.fractal import MOST_DEPTH, Fractal
from fracsim.fractals.overlap import separation
from fracsim.networks.initial import Shape, parameter_count
from fracsim.networks.rewriting.folds import (
    Maps,
    Slope,
    Source,
    base_layers,
    fold_layers,
    image_layers,
)
from fracsim.networks.rewriting.layers import Layer, network_of
from fracsim.text import brief
from fracsim.values.arguments import FRACTAL, Number, Whole, door

WIDEST_H, WIDEST_G = 1 / 64, 1 / 64
"""h and g where the gap has room for them: wide enough for small weights, narrow enough for a small
margin."""

TOUCHING_MARGIN = 1 / 32
"""γ where images touch, unless the user says otherwise."""

MOST_PARAMETERS = 2**25
"""256 MiB of float64: merging many levels of many maps soon makes more than anyone can use."""

_EPSILON = 2.0**-52


@brief
@dataclass(frozen=True, eq=False)
class Construction:
    """A constructed network and what it is for."""

    fractal: Fractal
    fractal_depth: int
    """n"""
    levels: int
    """j: the network decides membership in K_j; n where nothing is left out"""
    merge: int
    """s: levels in one fold"""
    shape: Shape
    params: np.ndarray
    """(Q,) float64"""
    layers: list[Layer]
    """The same, layer by layer, the readout last"""
    positive_margin: float
    """γ: the network is right on positives that keep it (relative to the innermost cell)"""
    negative_margin: float
    """δ: and on negatives of levels below j that keep it (relative to the images)"""
    gap: float
    """e: the images, each grown by 1 + e about its centre, would touch; 0 where they do"""

    @property
    def layer_sizes(self) -> list[int]:
        """Units of each hidden layer."""
        return list(self.shape.widths)

    @property
    def slope(self) -> str:
        """Where the network passes from 1 to -1, beside the images' borders: ``outside`` or
        ``inside``."""
        return "inside" if self.fractal.touching else "outside"

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.params.size

    @property
    def largest_weight(self) -> float:
        """The greatest absolute value among weights and biases."""
        return float(np.abs(self.params).max())

    @property
    def about(self) -> str:
        """What the network is, for a title."""
        whole = (self.levels, self.merge) == (self.fractal_depth, 1)
        what = "Theorem 1" if whole else f"Theorem 3 for K_{self.levels}"
        folds = "" if self.merge == 1 else f", {self.merge} levels a fold"
        weight = (
            f"{self.largest_weight:,.0f}"
            if self.largest_weight < 1e6
            else f"{self.largest_weight:.1e}"
        )
        return f"{what}{folds}, weights up to {weight}"


@door(
    fractal=FRACTAL,
    fractal_depth=Whole(),
    levels=Whole(),
    merge=Whole(high=MOST_DEPTH),
    positive_margin=Number(),
    negative_margin=Number(),
)
def construct(
    fractal: Fractal,
    fractal_depth: int,
    levels: int | None = None,
    merge: int = 1,
    positive_margin: float | None = None,
    negative_margin: float | None = None,
) -> Construction:
    """The network of Theorem 1; of Theorem 3 where it stops at level ``levels`` < n or folds
    ``merge`` levels at once.

    It is built to be right on points with the given margins (γ, δ of ``Distribution``); without
    them, with those that the construction chooses. Raises UsageError for levels, merge or margins
    that make no sense, RunError where float64 cannot carry the network or it has too many
    parameters."""
    n = fractal_depth
    fractal.check_depth(n, least=1)
    j = n if levels is None else levels
    if not 0 <= j <= n:
        raise UsageError(
            f"levels (--levels) is {j}; accepted is a whole number from 0 to the fractal depth, {n}"
        )
    if merge < 1:
        raise UsageError(f"merge (--merge) is {merge}; accepted is a whole number of at least 1")
    _check_size(fractal, j, merge)
    plan = _make_plan(fractal, n, j, merge, positive_margin, negative_margin)
    _check_rounding(plan)
    layers = _layers(plan)
    shape, params = network_of(layers)
    margins = plan.positive_margin, plan.negative_margin
    return Construction(fractal, n, j, merge, shape, params, layers, *margins, plan.gap)


class _Station(NamedTuple):
    """One decision on the way down: which image of its maps a point lies in."""

    level: int
    """of the cells it finds"""
    maps: Maps
    slope: Slope
    allowed: float
    """error of the coordinates that it bears"""


class _Plan(NamedTuple):
    """A construction before its layers are made."""

    fractal: Fractal
    n: int
    j: int
    merge: int
    stations: list[_Station]
    """⌊j/s⌋ folds, and the last question where s does not divide j"""
    positive_margin: float
    negative_margin: float
    gap: float


def _make_plan(
    fractal: Fractal,
    n: int,
    j: int,
    merge: int,
    positive_margin: float | None,
    negative_margin: float | None,
) -> _Plan:
    """Choose every slope and the margins that they need. Raises UsageError where a given margin is
    none."""
    _check_margin("positive_margin", positive_margin, fractal.touching and j > 0)
    _check_margin("negative_margin", negative_margin, j > 0)
    gap = 0.0 if fractal.touching else separation(*_cells(fractal, 1)) - 1
    h, g = min(WIDEST_H, gap / 4), min(WIDEST_G, gap / 4)
    top = 1.0 if fractal.touching else 1 + h + g
    levels = [*range(merge, j + 1, merge), *([j] if j % merge else [])]
    fold_maps = Maps.of(*_cells(fractal, merge), top) if merge <= j else None
    last_maps = Maps.of(*_cells(fractal, j % merge), top) if j % merge else None
    maps = [
        found
        for level in levels
        if (found := last_maps if level % merge else fold_maps) is not None
    ]
    plan = _Plan(fractal, n, j, merge, [], positive_margin or 0.0, negative_margin or 0.0, gap)
    if not levels:
        return plan
    if fractal.touching:
        return _slopes_inside(plan, levels, maps, positive_margin, negative_margin)
    return _slopes_outside(plan, levels, maps, h, g, negative_margin)


def _check_margin(name: str, margin: float | None, needed: bool) -> None:
    if margin is None or 0 < margin < 1 or (margin == 0 and not needed):
        return
    accepted = (
        "a number above 0 and below 1, since the network is continuous"
        if needed
        else "a number from 0 to 1"
    )
    raise UsageError(f"{name} (--{name.replace('_', '-')}) is {margin:g}; accepted is {accepted}")


def _slopes_outside(
    plan: _Plan, levels: list[int], maps: list[Maps], h: float, g: float, wanted: float | None
) -> _Plan:
    """Images with a gap: one slope for all, narrower than it could be where a smaller δ is
    wanted."""
    steepness = min(m.steepness for m in maps)
    margin = h + 4 * g / steepness
    if wanted is not None:
        shrink = min(1.0, wanted / margin)
        h, g, margin = shrink * h, shrink * g, wanted
    slope = Slope(1 + h, 1 + h + g)
    # D ≥ (3 + h + g)/M takes y to (-2, …) exactly; the margin gives 4/M, less by what the
    # coordinates err
    stations = [
        _Station(n, m, slope, min(h, 0.8 * g / m.steepness))
        for n, m in zip(levels, maps, strict=True)
    ]
    return plan._replace(stations=stations, negative_margin=margin)


def _slopes_inside(
    plan: _Plan, levels: list[int], maps: list[Maps], positive: float | None, negative: float | None
) -> _Plan:
    """Images that touch: each fold's slope as wide as the margins of the innermost level leave it
    at its own."""
    shrink = float(np.abs(plan.fractal.matrices).sum(axis=2).min())
    positive = TOUCHING_MARGIN if positive is None else positive
    negative = positive * shrink if negative is None else negative
    stations = []
    for level, m in zip(levels, maps, strict=True):
        g = min(positive, negative / shrink) * shrink ** (plan.n - level)
        stations.append(_Station(level, m, Slope(1 - g / 2, 1.0), g / 8))
    return plan._replace(stations=stations, positive_margin=positive, negative_margin=negative)


def _cells(fractal: Fractal, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """The cells of K_levels as maps of the cube [-1,1]^d: matrices (m, d, d), centres (m, d)."""
    matrices, offsets = fractal.cells(levels)
    return matrices, offsets if fractal.low else matrices.sum(axis=2) + 2 * offsets - 1


def _check_size(fractal: Fractal, j: int, merge: int) -> None:
    """RunError where the network has more than ``MOST_PARAMETERS``."""
    d, maps, rest = fractal.dimension, fractal.maps ** min(merge, j), fractal.maps ** (j % merge)
    widths = [5 * d * maps, d * maps] * (j // merge)
    widths += [4 * d * rest, rest] if j % merge else [4 * d]
    if parameter_count(Shape(d, widths)) > MOST_PARAMETERS:
        raise RunError(
            f"{fractal.name} with merge (--merge) {merge} has {maps:,} maps to a fold and a "
            f"network {max(widths):,} "
            f"units wide; accepted are networks of at most {MOST_PARAMETERS:,} parameters"
        )


def _check_rounding(plan: _Plan) -> None:
    """RunError where rounding could grow, from fold to fold, beyond what the slopes bear."""
    if _carries(plan):
        return
    n, fractal = plan.n, plan.fractal
    given = {
        "positive_margin": plan.positive_margin or None,
        "negative_margin": plan.negative_margin or None,
    }
    fits = [
        m
        for m in range(1, n)
        if _carries(_make_plan(fractal, m, min(plan.j, m), plan.merge, **given))
    ]
    margins = f"margins {plan.positive_margin:g} and {plan.negative_margin:g}"
    advice = (
        f"the greatest fractal depth with these margins is {fits[-1]}"
        if fits
        else "it needs larger margins"
    )
    raise RunError(
        f"float64 cannot carry this network of {fractal.name} at fractal depth {n} with {margins}: "
        f"its rounding would outgrow them; {advice}"
    )


def _carries(plan: _Plan) -> bool:
    """Whether the error of the coordinates at each station, bounded from the one before, is one
    that it bears."""
    d = plan.fractal.dimension
    error = 4 * (d + 1) * _EPSILON  # of the points themselves, as the sampler rounds them
    for station in plan.stations:
        maps = station.maps
        # |u| is summed from d units of at most 3 and a bias; the inverse errs with the condition of
        # the map
        size = 5 * maps.stretch + float(np.abs(maps.shift).max()) + maps.carry
        condition = float(np.linalg.cond(maps.inverse).max())
        error = maps.stretch * error + (d + 4) * _EPSILON * condition * size
        if not error <= station.allowed:
            return False
    return True


def _layers(plan: _Plan) -> list[Layer]:
    d = plan.fractal.dimension
    source = Source.inputs(d, plan.fractal.low)
    layers: list[Layer] = []
    for station in plan.stations:
        if station.level % plan.merge:
            return layers + image_layers(source, station.maps, station.slope)
        layers += fold_layers(source, station.maps, station.slope)
        source = Source.fold(d, len(station.maps.shift))
    return layers + base_layers(source, d)
