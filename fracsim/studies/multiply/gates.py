"""Products by smooth units, in float64: four units for two numbers, 2^n for n at once.

With s_2 = σ''(b) / 2 ≠ 0,  u v = [σ(b + λ(u + v)) + σ(b - λ(u + v)) - σ(b + λ(u - v)) - σ(b - λ(u
- v))] / (8 s_2 λ²) + O(λ²): the even part of σ is a parabola near b. A small λ is accurate until
the difference of nearly equal numbers cancels (Rolnick & Tegmark 2018; Lin, Tegmark & Rolnick
2017)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2

import numpy as np

_ROUNDING = 2.0**-53
_ROOT = 0.6584789484624083  # artanh(1/√3), where tanh has its largest second derivative


@dataclass(frozen=True)
class Gate:
    """An activation σ at the place b where it multiplies; all bounds are for numbers of [-1, 1]."""

    activation: Callable[[np.ndarray], np.ndarray]
    at: float
    """b"""
    slope: float
    """σ'(b)"""
    curvature: float
    """σ''(b)"""
    fourth: float
    """The largest |σ''''|"""
    fifth: float
    """The largest |σ^(5)| where a carry errs by it, 0 where it is exact; σ'''(b) = 0."""
    size: float
    """About the largest |σ| that is subtracted."""

    def product(self, u: np.ndarray, v: np.ndarray, scale: float) -> np.ndarray:
        """u v by four units."""
        sums, differences = self._even(scale * (u + v)), self._even(scale * (u - v))
        found: np.ndarray = (sums - differences) / (4 * self.curvature * scale**2)
        return found

    def carry(self, u: np.ndarray, scale: float) -> np.ndarray:
        """u by two units."""
        z = scale * u
        odd = self.activation(self.at + z) - self.activation(self.at - z)
        found: np.ndarray = odd / (2 * self.slope * scale)
        return found

    def error(self, scale: float) -> float:
        """Bound of a product's own error: the two fourth powers of |u ± v| are 16 together at
        most."""
        return self.fourth * scale**2 / (3 * abs(self.curvature))

    def carry_error(self, scale: float) -> float:
        """Bound of a carry's own error."""
        return self.fifth * scale**4 / (120 * self.slope)

    def rounding(self, scale: float) -> float:
        """About how far rounding takes a product, or a carry, from its exact value."""
        return _ROUNDING * self.size / (abs(self.curvature) * scale**2)

    def _even(self, z: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.activation(self.at + z) + self.activation(self.at - z)
        return found


def _softplus(z: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.logaddexp(0.0, z)
    return found


GATES = {
    # softplus(z) - softplus(-z) = z: a carry is exact
    "softplus": Gate(_softplus, 0.0, 0.5, 0.25, 0.125, 0.0, 0.7),
    "tanh": Gate(np.tanh, _ROOT, 2 / 3, -4 / (3 * 3**0.5), 4.0859, 16.0, 0.6),
}
"""Name of the activation -> its gate. tanh has σ''(0) = 0, hence its b."""


def tree(gate: Gate, x: np.ndarray, scale: float) -> np.ndarray:
    """The product of x (N, n) by a tree of gates, (N,): ⌈log₂ n⌉ hidden layers."""
    while x.shape[1] > 1:
        pairs = x.shape[1] // 2
        found = gate.product(x[:, 0 : 2 * pairs : 2], x[:, 1 : 2 * pairs : 2], scale)
        if x.shape[1] % 2:
            found = np.hstack([found, gate.carry(x[:, -1:], scale)])
        x = found
    return x[:, 0]


def tree_bound(gate: Gate, factors: int, scale: float) -> float:
    """Bound of the tree's error on [-1, 1]^n, rounding left out. What errs by e is within 1 + e;
    a product of two such numbers errs by e + f + e f, and its gate adds its own on the larger
    range."""
    errors = [0.0] * factors
    while len(errors) > 1:
        following = []
        for e, f in zip(errors[0::2], errors[1::2], strict=False):
            reach = 1 + max(e, f)
            following.append(e + f + e * f + gate.error(scale) * reach**4)
        if len(errors) % 2:
            following.append(errors[-1] + gate.carry_error(scale) * (1 + errors[-1]) ** 5)
        errors = following
    return errors[0]


def tree_rounding(gate: Gate, factors: int, scale: float) -> float:
    """About how far rounding takes the tree from its exact value."""
    return (factors - 1) * gate.rounding(scale)


def tree_depth(factors: int) -> int:
    """⌈log₂ n⌉."""
    return ceil(log2(factors))


def shallow(x: np.ndarray, scale: float) -> np.ndarray:
    """The product of x (N, n) by one hidden layer of 2^n exponential units, one for each e in {-1,
    1}^n: Σ_e (Π e_i) exp(λ e·x) / (2^n λ^n), which is Π sinh(λ x_i) / λ. (N,)"""
    n = x.shape[1]
    total = np.zeros(len(x))
    for number in range(2**n):
        signs = 1.0 - 2.0 * ((number >> np.arange(n)) & 1)
        total += signs.prod() * np.exp(scale * (x @ signs))
    found: np.ndarray = total / (2.0 * scale) ** n
    return found


def shallow_bound(factors: int, scale: float) -> float:
    """Bound of its error on [-1, 1]^n, rounding left out; attained at a corner."""
    return float((np.sinh(scale) / scale) ** factors - 1)


def shallow_rounding(factors: int, scale: float) -> float:
    """About how far rounding takes it: 2^n errors of random sign, over 2^n λ^n. Infinite where
    that is more than float64 holds."""
    power = -53 - factors / 2 - factors * log2(scale)
    return 2.0**power if power < 1000 else float("inf")
