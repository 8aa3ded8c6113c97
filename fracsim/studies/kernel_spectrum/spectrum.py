"""Eigenvalues of dot-product kernels on the sphere S^{d-1}, and how they decay.

μ_k = ∫ K(cos t) P_k(cos t) sin^{d-2} t dt / ∫ sin^{d-2} t dt, one for each degree k of spherical
harmonics; K(1) = Σ_k N_k μ_k with N_k harmonics of a degree.

Limits: where K has a term c_1 (1 - u)^ν at u = 1 and c_{-1} (1 + u)^ν at u = -1, the others being
smooth, μ_k -> (c_1 ± c_{-1}) C(d, ν) k^{-d-2ν+1} for even and odd k. Source: A. Bietti, F. Bach,
*Deep equals shallow for ReLU networks in kernel regimes*, ICLR 2021."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.kernels.wide.dual import KINDS, kernel_of_angle, moments_of_degrees

Floats = NDArray[np.float64]

ACCEPTED = 0.01
"""Relative error above which an eigenvalue is not told."""

_FINEST = 34  # panels halve so often towards both ends
_ROOT = math.sqrt(2) / math.pi
_CUBE = 2 * math.sqrt(2) / (3 * math.pi)


@dataclass(frozen=True)
class SphereKernel:
    """A kernel on S^{d-1}. ``layers`` count the output; ``bias`` b as in
    ``fracsim.kernels.wide.dual``."""

    kind: str
    layers: int
    dimension: int
    bias: float = 0.0
    scale: float = 1.0

    @property
    def beta(self) -> float:
        """b²/2"""
        return self.bias**2 / 2

    def values(self, angle: Floats) -> Floats:
        """K at angles (N,)."""
        out = np.empty_like(angle)
        kind = KINDS.index(self.kind)
        kernel_of_angle(kind, self.layers, self.beta, self.scale, angle, out)
        return out


class Limit(NamedTuple):
    """μ_k ~ constant · k^exponent, (even, odd); NaN where μ_k = 0 or decays faster than any."""

    exponent: tuple[float, float]
    constant: tuple[float, float]


def eigenvalues(kernel: SphereKernel, degrees: int) -> tuple[Floats, Floats]:
    """μ_k of k = 0..degrees and estimates of their errors (degrees + 1,); exact zeros have error
    0."""
    fine, size = _by_quadrature(kernel, degrees, 64, 0.5)
    coarse, _ = _by_quadrature(kernel, degrees, 56, 0.45)
    error = 2 * np.abs(fine - coarse) + 2e-16 * size
    zero = zeros(kernel, degrees)
    return np.where(zero, 0.0, fine), np.where(zero, 0.0, error)


def zeros(kernel: SphereKernel, degrees: int) -> NDArray[np.bool_]:
    """Where μ_k = 0 exactly (degrees + 1,): of one hidden layer without biases, a parity; of none,
    all but k = 1."""
    k = np.arange(degrees + 1)
    if kernel.kind == "laplace":
        return np.zeros(degrees + 1, bool)
    if kernel.layers == 1:
        return np.asarray(~((k == 1) | ((k == 0) & (kernel.bias > 0))))
    if kernel.layers == 2 and kernel.bias == 0:
        even, odd = (k % 2 == 0) & (k >= 2), (k % 2 == 1) & (k >= 3)
        return np.asarray(even if kernel.kind == "step" else odd)
    return np.zeros(degrees + 1, bool)


def _by_quadrature(
    kernel: SphereKernel, degrees: int, nodes: int, ratio: float
) -> tuple[Floats, Floats]:
    """Gauss-Legendre on panels in t that shrink by ``ratio`` towards 0 and π, where K has roots.
    Nodes lie mirrored, so that even and odd parts of K do not mix."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    shrunk = int(_FINEST * math.log(2) / -math.log(ratio))
    inner = [math.pi / 2 * ratio**i for i in range(1, shrunk)]
    outer = [math.pi / 2 * (ratio + (1 - ratio) * i / 4) for i in range(1, 5)]
    edges = np.array([0.0, *inner[::-1], *outer])
    half = np.diff(edges) / 2
    t = (edges[:-1, None] + half[:, None] * (1 + x)).ravel()
    weights = (half[:, None] * w).ravel() * np.sin(t) ** (kernel.dimension - 2)
    weights /= 2 * weights.sum()
    here, mirrored = kernel.values(t), kernel.values(math.pi - t)
    u, found = np.cos(t), np.empty((2, 2, degrees + 1))
    for sign in (0, 1):
        values = here - mirrored if sign else here + mirrored
        moments_of_degrees(kernel.dimension, u, values, weights, *found[sign])
    parity = np.arange(degrees + 1) % 2
    columns = np.arange(degrees + 1)
    _, size = found.sum(0)
    return found[parity, 0, columns], size


def harmonics(dimension: int, degree: int) -> int:
    """N_k, the number of spherical harmonics of a degree on S^{d-1}."""
    if degree == 0:
        return 1
    d, k = dimension, degree
    return math.comb(k + d - 1, k) - (math.comb(k + d - 3, k - 2) if k > 1 else 0)


def trace(kernel: SphereKernel) -> float:
    """K(1) = Σ_k N_k μ_k."""
    return float(kernel.values(np.zeros(1))[0])


def limit(kernel: SphereKernel) -> Limit:
    """The exact law of decay."""
    nothing = (math.nan, math.nan)
    if kernel.layers == 1 and kernel.kind != "laplace":
        return Limit(nothing, nothing)
    power, near, far = _singular(kernel)
    d = kernel.dimension
    scale = 2 ** (power + d - 2) * math.gamma(power + (d - 1) / 2) / math.sqrt(math.pi)
    scale *= math.gamma(d / 2) / math.gamma(-power)
    exponent, constants = -d - 2 * power + 1, ((near + far) * scale, (near - far) * scale)
    alive = [abs(value) > 1e-12 * abs(near * scale) for value in constants]
    return Limit(
        (exponent if alive[0] else math.nan, exponent if alive[1] else math.nan),
        (constants[0] if alive[0] else math.nan, constants[1] if alive[1] else math.nan),
    )


def _singular(kernel: SphereKernel) -> tuple[float, float, float]:
    """ν, c_1 and c_{-1}; c_{-1} is 0 where the term at u = -1 is of a higher power, or smooth as
    with biases."""
    hidden, beta = kernel.layers - 1, kernel.beta
    if kernel.kind == "laplace":
        return 0.5, -math.sqrt(2) * kernel.scale, 0.0
    if kernel.kind == "step":
        inside = 1 / (1 + beta)  # 1 - u of the layer ≈ inside · (1 - u)^(2 power)
        for _ in range(hidden - 1):
            inside = _ROOT * math.sqrt(inside) / (1 + beta)
        far = _ROOT if hidden == 1 and not beta else 0.0
        return 2.0**-hidden, -_ROOT * math.sqrt(inside), far
    lengths = [1 + beta * layer for layer in range(1, hidden + 1)]
    far = 0.0 if beta else _product(hidden)
    if kernel.kind == "rf":
        return 1.5, _CUBE * sum(length**-0.5 for length in lengths), _CUBE * far
    tangent, near = 1 + beta, 0.0
    for length in lengths:
        near -= _ROOT * tangent / math.sqrt(length)
        tangent += length + beta
    return 0.5, near, -_ROOT * far


def _product(hidden: int) -> float:
    """Π κ0(K_i) over hidden layers but the first, K_1 = 0, K_{i+1} = κ1(K_i)."""
    found, u = 1.0, 0.0
    for _ in range(hidden - 1):
        left = math.pi - math.acos(u)
        found *= left / math.pi
        u = (u * left + math.sqrt(1 - u * u)) / math.pi
    return found


def fitted(kernel: SphereKernel, values: Floats) -> Limit:
    """Exponents of even and odd k by least squares of log μ_k against log(k + (d-2)/2) over the
    upper half of the degrees, and the constants of the exact exponent, extrapolated; NaN where
    there are fewer than three eigenvalues. Of several layers of steps parities differ by a slowly
    falling term, so that geometric means of neighbours are fitted."""
    exact = limit(kernel).exponent
    exponents, constants = [], []
    k = np.arange(len(values))
    x = k + (kernel.dimension - 2) / 2
    steep, terms = 2.0, 1
    if kernel.kind == "step" and kernel.layers > 2:
        values, steep, terms = _neighbours(values), 2.0 ** (3 - kernel.layers), 2
    for parity in (0, 1):
        part = (k % 2 == parity) & (k >= max((len(values) - 1) / 2, 1)) & np.isfinite(values)
        part &= values > 0
        if part.sum() < 3 or math.isnan(exact[parity]):
            exponents.append(math.nan)
            constants.append(math.nan)
            continue
        y = values[part]
        exponents.append(float(np.polyfit(np.log(x[part]), np.log(y), 1)[0]))
        scaled = y * x[part] ** -exact[parity]
        constants.append(float(np.polyfit(x[part] ** -steep, scaled, terms)[-1]))
    return Limit((exponents[0], exponents[1]), (constants[0], constants[1]))


def _neighbours(values: Floats) -> Floats:
    """√(μ_k √(μ_{k-1} μ_{k+1})), NaN at both ends."""
    found = np.full_like(values, np.nan)
    found[1:-1] = np.sqrt(values[1:-1]) * (values[:-2] * values[2:]) ** 0.25
    return found
