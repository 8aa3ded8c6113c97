"""What ``fracsim multiply`` does: count, build, and try what was built."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.errors import RunError, UsageError
from fracsim.kernels.random.initial import fill_uniform
from fracsim.networks.rewriting.layers import (
    Layers,
    affine,
    composed,
    evaluate,
    network_of,
    shared,
    units_of,
)
from fracsim.networks.rewriting.sawtooth import product_tree, products
from fracsim.networks.rewriting.splines import two_sided
from fracsim.networks.stored import described
from fracsim.studies.multiply import counts, gates
from fracsim.studies.multiply.declaration import Settings
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief, counted, table
from fracsim.values.settings import label

MOST_UNITS = 2**20
"""Units of a hidden layer that are built, and terms of a sum that are added."""
MOST_PARAMETERS = 2**25
"""256 MiB of float64."""
_CHUNK = 2**11
_MOST_CORNERS = 2**12
_ORDERS = range(1, 13)


@dataclass(frozen=True)
class Built:
    """A construction, before it is tried."""

    function: Callable[[np.ndarray], np.ndarray]
    """x (N, n) -> (N,)"""
    widths: list[int]
    bound: float
    """of the error on [-1, 1]^n, rounding left out"""
    rounding: float
    """about how far rounding takes it from its exact value"""
    layers: Layers | None = None


@dataclass(frozen=True)
class Tried:
    """Errors on random points, and on corners."""

    sup: float
    """over all of them"""
    rms: float
    """over the random points"""


@brief
@dataclass(frozen=True, eq=False)
class Multiplied(Result):
    """Counts, and how the construction did."""

    settings: Settings
    built: Built | None
    tried: Tried | None
    notes: tuple[str, ...] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """See ``VARIABLES``."""
        equal = counts.equal_splits(self.settings.factors)
        unequal = counts.unequal_trees(self.settings.factors)
        ks = sorted(equal | unequal)
        units, deep, shallow = errors_by_units()
        found: dict[str, Any] = {
            "hidden_layers": np.array(ks),
            "neurons": np.array([float(equal.get(k, math.nan)) for k in ks]),
            "unequal_neurons": np.array([float(unequal.get(k, math.nan)) for k in ks]),
            "units": units,
            "deep_error": deep,
            "shallow_error": shallow,
        }
        if self.built is not None and self.built.layers is not None:
            found["params"] = network_of(self.built.layers)[1]
        return found

    def attributes(self) -> dict[str, str | int | float]:
        """What the file says beside them."""
        known: dict[str, str | int | float] = {"factors": self.settings.factors}
        if self.built is None or self.tried is None:
            return known
        known |= {
            "construction": str(self.settings.construction),
            "units": sum(self.built.widths),
            "bound": self.built.bound,
            "sup_error": self.tried.sup,
            "rms_error": self.tried.rms,
        }
        if self.built.layers is not None:
            known |= described(network_of(self.built.layers)[0], self._title())
        return known

    def summary(self) -> dict[str, Any]:
        """Neurons by hidden layers; of a construction its size and errors."""
        n, built, tried = self.settings.factors, self.built, self.tried
        found: dict[str, Any] = {
            "factors": n,
            "neurons_by_layers": counts.equal_splits(n),
            "unequal_neurons_by_layers": counts.unequal_trees(n),
            "shallow": 2**n,
            "tree": counts.binary_tree(n),
        }
        if built is not None and tried is not None:
            found |= {
                "construction": self.settings.construction,
                "hidden_layers": len(built.widths),
                "layer_sizes": built.widths,
                "units": sum(built.widths),
                "bound": built.bound,
                "rounding": built.rounding,
                "sup_error": tried.sup,
                "rms_error": tried.rms,
            }
        return found

    def words(self) -> list[str]:
        """The counts as a table, then the construction."""
        n, built, tried = self.settings.factors, self.built, self.tried
        equal, unequal = counts.equal_splits(n), counts.unequal_trees(n)
        rows: list[tuple[object, ...]] = [("hidden layers", "equal groups", "any groups")]
        for k in sorted(equal | unequal):
            rows.append((k, _short(equal.get(k)), _short(unequal.get(k))))
        lines = [f"neurons that multiply {n} numbers", *table(rows)]
        lines += [f"one hidden layer {_short(2**n)}, binary tree {counts.binary_tree(n):,}"]
        if built is not None and tried is not None:
            lines += [
                "",
                f"{self._title()}: {counted(len(built.widths), 'hidden layer')}, "
                f"{counted(sum(built.widths), 'unit')}",
                f"error at most {tried.sup:.3g} (rms {tried.rms:.3g}) where it was tried; "
                f"the bound is {built.bound:.3g}",
            ]
        return lines

    def _title(self) -> str:
        return f"product of {self.settings.factors} numbers, {self.settings.construction}"


def compute(settings: Settings, progress: OnProgress = silent) -> Multiplied:
    """Build what the settings say and try it. Raises UsageError (what cancels), RunError (what is
    too large)."""
    if settings.construction is None:
        return Multiplied(settings, None, None)
    built = _build(settings)
    tried = _try(built, settings, progress)
    notes = []
    if built.rounding > built.bound:
        notes.append(
            f"at scale {_scale(settings):g} rounding, about {built.rounding:.1g}, outweighs the "
            f"approximation, {built.bound:.1g}: nearly equal numbers cancel"
        )
    if built.layers is None:
        notes.append("its units are no ReLUs, so that a file keeps no network of it")
    return Multiplied(settings, built, tried, tuple(notes))


def _build(settings: Settings) -> Built:
    n, construction = settings.factors, settings.construction
    if construction == "relu":
        order = settings.order or 8
        _check_room([6 * n] * (gates.tree_depth(n) * (order + 1)), n)
        layers = product_tree(n, order)
        return _written(layers, (n - 1) * 4.0 ** (-order - 1), n * 2.0**-50)
    if construction == "spline":
        return _spline(n, settings.pieces or 16)
    scale = _scale(settings)
    if construction == "exponential":
        if 2**n > MOST_UNITS:
            raise _too_large(f"one hidden layer for {n} numbers has 2^{n} units")
        built = Built(
            lambda x: gates.shallow(x, scale),
            [2**n],
            gates.shallow_bound(n, scale),
            gates.shallow_rounding(n, scale),
        )
    else:
        gate = gates.GATES[str(construction)]
        built = Built(
            lambda x: gates.tree(gate, x, scale),
            _tree_widths(n),
            gates.tree_bound(gate, n, scale),
            gates.tree_rounding(gate, n, scale),
        )
    if not built.rounding < 1:
        raise UsageError(
            f"{label('scale')} is {scale:g}, at which {construction} units for {n} numbers cancel "
            f"and nothing is left in float64; accepted is a larger one, up to 1"
        )
    return built


def _written(layers: Layers, bound: float, rounding: float) -> Built:
    return Built(lambda x: evaluate(layers, x)[:, 0], units_of(layers), bound, rounding, layers)


def _spline(n: int, pieces: int) -> Built:
    """One hidden layer of ReLUs, by polarisation: Π x_i = n^n / (2^{n-1} n!) Σ_e (Π e_i) (e·x /
    n)^n over the signs e with e_1 = 1, each power an interpolant on 2 · pieces pieces.

    The interpolant of t^n errs by at most n (n - 1) / (8 p²); for even n always upwards, so that
    half of the terms err by nothing at worst."""
    if n > 40 or 2**n * pieces > MOST_UNITS:
        raise _too_large(f"one hidden layer of splines for {n} numbers has 2^{n} · {pieces} units")
    _check_room([2**n * pieces], n)
    number = np.arange(2 ** (n - 1))
    signs = np.vstack([1.0 - 2.0 * ((2 * number >> i) & 1) for i in range(n)])  # (n, 2^{n-1})
    factor = float(n) ** n / (len(number) * math.factorial(n))
    power = two_sided(lambda t: t**n, pieces)
    layers = composed(
        shared(*[composed(affine(column[:, None] / n), power) for column in signs.T]),
        affine(factor * signs.prod(axis=0)[:, None]),
    )
    one = n * (n - 1) / (8 * pieces**2)
    bound = factor * len(number) * one * (0.5 if n % 2 == 0 else 1.0)
    return _written(layers, bound, 2.0**-50 * factor * len(number) * pieces)


def _scale(settings: Settings) -> float:
    return 0.01 if settings.scale is None else settings.scale


def _tree_widths(n: int) -> list[int]:
    """Units of each hidden layer of a tree of smooth gates."""
    widths = []
    while n > 1:
        pairs, odd = divmod(n, 2)
        widths.append(4 * pairs + 2 * odd)
        n = pairs + odd
    return widths


def _check_room(widths: list[int], inputs: int) -> None:
    sizes = [inputs, *widths, 1]
    parameters = sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))
    if parameters > MOST_PARAMETERS:
        raise _too_large(f"this network has up to {parameters:,} parameters")


def _too_large(what: str) -> RunError:
    return RunError(
        f"{what}; accepted are at most {MOST_UNITS:,} units and {MOST_PARAMETERS:,} parameters"
    )


def _try(built: Built, settings: Settings, progress: OnProgress) -> Tried:
    """Random points of [-1, 1]^n, then corners: all of them, or as many drawn."""
    n, worst, squares = settings.factors, 0.0, 0.0
    corners = min(2**n, _MOST_CORNERS)
    for first in range(0, settings.count, _CHUNK):
        x = _uniform(settings.seed, first * n, min(_CHUNK, settings.count - first), n)
        error = built.function(x) - x.prod(axis=1)
        worst, squares = max(worst, float(np.abs(error).max())), squares + float(error @ error)
        progress(first + len(x), settings.count + corners)
    if 2**n <= _MOST_CORNERS:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        signs = np.sign(_uniform(settings.seed, settings.count * n, corners, n))
    for first in range(0, corners, _CHUNK):
        x = signs[first : first + _CHUNK]
        worst = max(worst, float(np.abs(built.function(x) - x.prod(axis=1)).max()))
    progress(settings.count + corners, settings.count + corners)
    return Tried(worst, math.sqrt(squares / settings.count))


def _uniform(seed: int, first: int, count: int, n: int) -> np.ndarray:
    flat = np.empty(count * n)
    fill_uniform(np.uint64(seed), first, -1.0, 1.0, flat)
    return flat.reshape(count, n)


def errors_by_units() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ReLU units of one product of two numbers, and its error as measured where it is largest: by
    composed sawteeth (hidden layers grow), and by splines in one hidden layer."""
    deep = {}
    for order in _ORDERS:
        layers = products(1, order)
        half = 2.0 ** (-order - 1)
        worst = np.array([[1 - half, 1 - half], [1 - half, half - 1]])
        deep[sum(units_of(layers))] = float(
            np.abs(evaluate(layers, worst)[:, 0] - worst.prod(axis=1)).max()
        )
    shallow = {}
    for pieces in (1, 2, 4, 8, 16, 32, 64):
        built = _spline(2, pieces)
        half = 0.5 / pieces
        worst = np.array([[1 - half, 1 - half], [1 - half, half - 1]])
        shallow[4 * pieces] = float(np.abs(built.function(worst) - worst.prod(axis=1)).max())
    units = sorted({*deep, *shallow})
    return (
        np.array(units),
        np.array([deep.get(k, math.nan) for k in units]),
        np.array([shallow.get(k, math.nan) for k in units]),
    )


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: a tree of sawteeth keeps its bound."""
    made = compute(Settings(8, "relu", 6, count=1000))
    if made.tried is not None and made.built is not None:
        yield "product of 8 numbers by sawteeth, error", made.tried.sup, made.built.bound


def _short(number: int | None) -> str:
    if number is None:
        return "-"
    return f"{number:,}" if number < 10**12 else f"2^{math.log2(number):.4g}"
