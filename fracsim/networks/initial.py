"""ReLU networks: their shape, their initialisation, their function.

A network has T hidden ReLU layers of widths k_1, …, k_T and a linear readout f; a classifier
predicts sign f(x).
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from fracsim.errors import UsageError, nearest
from fracsim.kernels.network.shape import Shape as _Shape
from fracsim.kernels.network.shape import fans_out, layer_sizes, parameter_count
from fracsim.kernels.network.shape import split_layers as layers_of
from fracsim.kernels.random.initial import fill_normal, fill_uniform
from fracsim.machine.memory import check_fits
from fracsim.values.arguments import SEED, Array, Network, Number, Text, Whole, door
from fracsim.values.given import refused

__all__ = [
    "INITIALISATIONS",
    "Shape",
    "initial_parameters",
    "layer_sizes",
    "parameter_count",
    "split_layers",
]

INITIALISATIONS = ("paper", "he", "he-uniform", "glorot", "uniform")
"""Names of the initialisations.

paper: normal truncated at 2σ, σ = 1/√fan_in, biases 0.1 (the authors' experiment);
he: N(0, 2/fan_in), biases 0 (He et al. 2015, DOI 10.1109/ICCV.2015.123);
he-uniform: U(±√(6/fan_in)), of the same variance, biases 0;
glorot: U(±√(6/(fan_in + fan_out))), biases 0 (Glorot and Bengio 2010);
uniform: U(±1/(2 fan_in)), biases a given constant (Theorem 5 of Malach and Shalev-Shwartz 2019).
"""

MOST_LAYERS, MOST_UNITS = 10**6, 10**9
"""Of a shape."""

_FLOATS = (np.float32, np.float64, float, "float32", "float64")

TRUNCATION = 2.0
"""Deviations at which the weights of ``paper`` are cut off."""

_DEFAULT_BIAS = {"paper": 0.1, "he": 0.0, "he-uniform": 0.0, "glorot": 0.0}


class Shape(_Shape):
    """The shape of a network: ``Shape(inputs, depth=T, width=k)``, or ``Shape(inputs, widths)``
    where layers differ. Raises UsageError."""

    __slots__ = ()

    def __new__(cls, *args: Any, **keywords: Any) -> "Shape":
        """Checked sizes."""
        for name, value in (*zip(("inputs", "widths"), args, strict=False), *keywords.items()):
            if name in ("depth", "widths") and not isinstance(value, Iterable):
                Whole(0, MOST_LAYERS).read("depth", value, {})
            elif name in ("inputs", "width", "outputs"):
                Whole(1, MOST_UNITS).read(name, value, {})
        try:
            made: Any = super().__new__(cls, *args, **keywords)
            return made  # type: ignore[no-any-return]
        except (TypeError, ValueError) as error:
            raise UsageError(f"{error}; accepted is Shape(inputs, depth=…, width=…)") from None


@door(shape=Network(plain=False), params=Array("Q", "", finite=False))
def split_layers(shape: _Shape, params: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """[(weights (n_in, n_out), biases (n_out,)), …] of flat parameters (Q,), the readout last;
    views, no copies, of an array of float32 or float64. Raises UsageError."""
    return layers_of(shape, params)


LARGEST = 1e30
"""Of what initial parameters are made of: they and their squares are numbers, in float32 they
are."""


@door(
    shape=Network(plain=False),
    scheme=Text(),
    seed=SEED,
    bias=Number(-LARGEST, LARGEST),
    bias_std=Number(-LARGEST, LARGEST),
    weight_std=Number(-LARGEST, LARGEST),
)
def initial_parameters(
    shape: _Shape,
    scheme: str = "paper",
    seed: int = 0,
    bias: float | None = None,
    dtype: type = np.float32,
    bias_std: float | None = None,
    weight_std: float | None = None,
) -> np.ndarray:
    """Flat initial parameters (Q,); a pure function of its arguments. ``bias`` replaces the
    scheme's own constant.

    With ``bias_std`` every bias is drawn from N(bias, bias_std²), bias 0 where it is not given; the
    weights stay the same. With ``weight_std`` σ_w they are scaled to the variance σ_w²/fan_in.
    Raises UsageError for an unknown scheme, a bias_std that is not a number ≥ 0, a weight_std that
    is none > 0, and ``uniform`` without a bias."""
    if not isinstance(dtype, (type, str, np.dtype)) or dtype not in _FLOATS:
        raise refused("dtype", dtype, "float32 or float64")
    bias = initial_bias(scheme, bias, bias_std)
    check_fits(16.0 * parameter_count(shape), f"a network of {shape}:")
    values = np.empty(parameter_count(shape))
    key, first = np.uint64(seed), 0
    for (n_in, n_out), reached, (weights, biases) in zip(
        layer_sizes(shape), fans_out(shape), layers_of(shape, values), strict=True
    ):
        flat = weights.reshape(-1)
        law = weight_law(scheme, n_in, reached, weight_std)
        if law.normal:
            fill_normal(key, first, law.scale, law.bound, flat)
        else:
            fill_uniform(key, first, -law.scale, law.scale, flat)
        first += flat.size
        if bias_std is None:
            biases[:] = bias
        # a bias, too, is drawn at its own place in the flat parameters: no number serves twice
        else:
            fill_normal(key, first, bias_std, math.inf, biases)
            biases += bias
        first += n_out
    return values.astype(dtype)


class WeightLaw(NamedTuple):
    """The law of one layer's initial weights: N(0, scale²) truncated at ± bound · scale, or
    U(±scale)."""

    normal: bool
    scale: float
    bound: float
    variance: float
    """What the weights have, times fan_in."""


def weight_law(scheme: str, n_in: int, n_out: int, weight_std: float | None = None) -> WeightLaw:
    """The law of weights (n_in, n_out) in a scheme, scaled to the variance weight_std²/n_in where
    that is given. Raises UsageError for an unknown scheme, or a weight_std that is none > 0."""
    _check_scheme(scheme)
    if weight_std is not None and not 0 < weight_std < math.inf:
        raise UsageError(
            f"weight_std = {weight_std}: accepted is a number above 0, the standard deviation of "
            f"the weights times √fan_in"
        )
    bound = TRUNCATION if scheme == "paper" else math.inf
    if scheme == "paper":
        scale, variance = 1 / math.sqrt(n_in), truncated_variance(bound)
    elif scheme == "he":
        scale, variance = math.sqrt(2 / n_in), 2.0
    else:
        scale = {
            "he-uniform": math.sqrt(6 / n_in),
            "glorot": math.sqrt(6 / (n_in + n_out)),
            "uniform": 1 / (2 * n_in),
        }[scheme]
        variance = scale**2 / 3 * n_in
    if weight_std is not None:
        scale, variance = scale * weight_std / math.sqrt(variance), weight_std**2
    return WeightLaw(scheme in ("paper", "he"), scale, bound, variance)


def truncated_variance(bound: float) -> float:
    """Variance of a standard normal truncated at ± bound: 1 - 2 b ϕ(b) / (2 Φ(b) - 1)."""
    density = math.exp(-(bound**2) / 2) / math.sqrt(2 * math.pi)
    return 1 - 2 * bound * density / math.erf(bound / math.sqrt(2))


def initial_bias(scheme: str, bias: float | None, bias_std: float | None) -> float:
    """The constant initial bias, or the mean of the drawn ones. Raises UsageError."""
    _check_scheme(scheme)
    if bias_std is not None and not 0 <= bias_std < math.inf:
        raise UsageError(
            f"bias_std = {bias_std}: accepted is a number from 0, the standard deviation of the "
            f"biases"
        )
    if bias is None and bias_std is not None:
        bias = 0.0
    if bias is None:
        if scheme == "uniform":
            raise UsageError(
                "initialisation 'uniform' (Theorem 5) needs a bias, for example --bias 0.5"
            )
        return _DEFAULT_BIAS[scheme]
    return bias


def _check_scheme(scheme: str) -> None:
    if scheme not in INITIALISATIONS:
        accepted = ", ".join(INITIALISATIONS)
        raise UsageError(
            f"unknown initialisation {scheme!r}{nearest(scheme, INITIALISATIONS)}; accepted: "
            f"{accepted}"
        )
