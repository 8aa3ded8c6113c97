"""Mean-field theory of wide random networks: how squared lengths and correlations go from layer to
layer.

W ~ N(0, σ_w²/n_in), b ~ N(0, σ_b²), every layer wide. q: mean square of a preactivation. Source: B.
Poole, S. Lahiri, M. Raghu, J. Sohl-Dickstein, S. Ganguli, *Exponential expressivity in deep neural
networks through transient chaos*, NeurIPS 2016.

Expectations are closed forms (ReLU, erf, hard-tanh), or sums by the trapezoid, which for tanh is
exact to rounding once its steps resolve the slope; Gauss-Hermite with 201 nodes errs in the third
digit."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError, nearest
from fracsim.kernels.random_networks.activations import ACTIVATIONS

Floats = NDArray[np.float64]

_REACH, _NODES = 12.0, 4001
_STEPS = 200
"""Halvings of a bracket: to the last bit."""

ORDER, CRITICAL, CHAOS, UNBOUNDED = "order", "critical", "chaos", "unbounded"


class MeanField(NamedTuple):
    """What lengths and correlations tend to."""

    q_star: float | None
    """Fixed point of the length map; None where there is none, or every length is one."""
    chi: float | None
    """χ₁ = σ_w² E f'(√q* z)²"""
    c_star: float | None
    """Correlation that neighbours tend to; 1 where χ₁ ≤ 1."""
    regime: str
    """order, critical, chaos, or unbounded: lengths grow without end."""


def check_activation(name: str) -> None:
    """UsageError for an unknown activation."""
    if name not in ACTIVATIONS:
        raise UsageError(
            f"unknown activation {name!r}{nearest(name, ACTIVATIONS)}; accepted: "
            f"{', '.join(ACTIVATIONS)}"
        )


def mean_square(activation: str, q: float) -> float:
    """E f(√q z)²."""
    if q <= 0:
        return 0.0
    if activation == "relu":
        return q / 2
    if activation == "erf":
        return 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
    if activation == "hardtanh":
        a = 1 / math.sqrt(q)
        density = math.exp(-(a**2) / 2) / math.sqrt(2 * math.pi)
        return q * (math.erf(a / math.sqrt(2)) - 2 * a * density) + math.erfc(a / math.sqrt(2))
    z, weights = _nodes(q)
    return float(weights @ np.tanh(math.sqrt(q) * z) ** 2)


def mean_square_slope(activation: str, q: float) -> float:
    """E f'(√q z)²."""
    if activation == "relu":
        return 0.5
    if activation == "erf":
        return 4 / math.pi / math.sqrt(1 + 4 * q)
    if q <= 0:
        return 1.0
    if activation == "hardtanh":
        return math.erf(1 / math.sqrt(2 * q))
    z, weights = _nodes(q)
    return float(weights @ (1 - np.tanh(math.sqrt(q) * z) ** 2) ** 2)


def mean_product(activation: str, q: float, c: float) -> float:
    """E f(√q u) f(√q v) of normal u, v with correlation c."""
    if c >= 1:
        return mean_square(activation, q)
    if activation == "relu":
        angle = math.acos(max(c, -1.0))
        return q / (2 * math.pi) * (math.sqrt(1 - c * c) + c * (math.pi - angle))
    if activation == "erf":
        return 2 / math.pi * math.asin(2 * q * c / (1 + 2 * q))
    z, weights = _nodes(q)
    root, spread = math.sqrt(q), math.sqrt(q * (1 - c * c))
    if activation == "hardtanh":
        return float(weights @ (np.clip(root * z, -1, 1) * _mean_clip(root * c * z, spread)))
    inner = _inner_tanh(root * c * z, spread)
    return float(weights @ (np.tanh(root * z) * inner))


def _mean_clip(mean: Floats, spread: float) -> Floats:
    """E of mean + spread · w, clipped to [-1, 1]."""
    low, high = (-1 - mean) / spread, (1 - mean) / spread
    below, up_to = _distribution(low), _distribution(high)
    inside = mean * (up_to - below) + spread * (_density(low) - _density(high))
    return inside - below + (1 - up_to)


def _inner_tanh(mean: Floats, spread: float) -> Floats:
    """E tanh(mean + spread · w), row by row in blocks."""
    w, weights = _nodes(spread**2, 401)
    blocks = [mean[i : i + 500] for i in range(0, len(mean), 500)]
    return np.concatenate([np.tanh(part[:, None] + spread * w) @ weights for part in blocks])


def _nodes(q: float, least: int = _NODES) -> tuple[Floats, Floats]:
    """Nodes and weights of a normal expectation. tanh(√q z) has poles at π/(2√q) from the line, and
    the trapezoid's error is exp(-2π · that / step)."""
    steep = math.ceil(2 * _REACH * 4 * math.sqrt(q))
    z = np.linspace(-_REACH, _REACH, max(least, 2 * (steep // 2) + 1))
    weights = _density(z)
    return z, weights / weights.sum()


def _density(z: Floats) -> Floats:
    return np.asarray(np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))


_erf = np.frompyfunc(math.erf, 1, 1)


def _distribution(z: Floats) -> Floats:
    return np.asarray(1 + np.asarray(_erf(z / math.sqrt(2)), np.float64)) / 2


def length_map(activation: str, weight_std: float, bias_std: float, q: float) -> float:
    """q of a layer from that of the layer before."""
    return weight_std**2 * mean_square(activation, q) + bias_std**2


def slope(activation: str, weight_std: float, q: float) -> float:
    """σ_w² E f'(√q z)²: what a layer multiplies squared lengths of small differences by; at q* it
    is χ₁."""
    return weight_std**2 * mean_square_slope(activation, q)


def correlation_map(
    activation: str, weight_std: float, bias_std: float, q: float, c: float
) -> float:
    """Correlation of two preactivations of mean square q, from that of the layer before."""
    after = length_map(activation, weight_std, bias_std, q)
    if c >= 1 or after <= 0:
        return 1.0
    return (weight_std**2 * mean_product(activation, q, c) + bias_std**2) / after


def fixed_length(activation: str, weight_std: float, bias_std: float) -> float | None:
    """q*; None where lengths grow without end, or every length stays as it is (ReLU)."""
    if activation == "relu":
        kept = 1 - weight_std**2 / 2
        if kept < 1e-15:
            return None
        return bias_std**2 / kept
    if bias_std == 0 and slope(activation, weight_std, 0.0) <= 1:
        return 0.0

    def rises(q: float) -> bool:
        return length_map(activation, weight_std, bias_std, q) > q

    high = weight_std**2 + bias_std**2
    low = 1e-12 * high if bias_std == 0 else bias_std**2
    return _halve(rises, low, high) if rises(low) else low


def fixed_correlation(activation: str, weight_std: float, bias_std: float, q: float) -> float:
    """c*, the stable fixed point of the correlation map: 1 in order."""
    if activation == "relu" or slope(activation, weight_std, q) <= 1:
        return 1.0

    def rises(c: float) -> bool:
        return correlation_map(activation, weight_std, bias_std, q, c) > c

    if correlation_map(activation, weight_std, bias_std, q, 0.0) < 1e-14:
        return 0.0
    return _halve(rises, 0.0, 1 - 1e-9, 40)


def mean_field(activation: str, weight_std: float, bias_std: float) -> MeanField:
    """The fixed points of both maps. Raises UsageError."""
    check_activation(activation)
    q = fixed_length(activation, weight_std, bias_std)
    if q is None:
        chi = slope(activation, weight_std, 1.0)
        grows = chi > 1 + 1e-12 or bias_std > 0
        return MeanField(None, chi, 1.0, UNBOUNDED if grows else CRITICAL)
    chi = slope(activation, weight_std, q)
    regime = CRITICAL if abs(chi - 1) < 1e-9 else CHAOS if chi > 1 else ORDER
    return MeanField(q, chi, fixed_correlation(activation, weight_std, bias_std, q), regime)


def critical_weight_std(activation: str, bias_std: float) -> float:
    """σ_w at which χ₁ = 1."""
    check_activation(activation)
    if activation == "relu":
        return math.sqrt(2)

    if bias_std == 0:  # lengths shrink to 0 up to the very point where slopes at 0 make up for it
        return 1 / math.sqrt(mean_square_slope(activation, 0.0))

    def spare(q: float) -> bool:
        """Whether q is the fixed point of critical weights and less than these biases."""
        weights = 1 / mean_square_slope(activation, q)
        return q - weights * mean_square(activation, q) < bias_std**2

    low, high = 0.0, bias_std**2
    while spare(high):
        low, high = high, 2 * high
    return 1 / math.sqrt(mean_square_slope(activation, _halve(spare, low, high)))


def _halve(left: Callable[[float], bool], low: float, high: float, steps: int = _STEPS) -> float:
    """Where ``left`` turns from true at low to false at high."""
    for _ in range(steps):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if left(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
