"""Networks for functions of the distance, and the one-layer formulas beside them.

*depth3*: ‖x‖² as a sum of interpolants of squares on m pieces, off by [0, d / m²], then the
interpolant of s ↦ φ(√s) on p pieces: dm + p units.

*ridge*: E_w g(⟨w, x⟩) over unit directions w is a radial function. In d = 3 it is φ(‖x‖) for g(t) =
(t φ(t))', in any dimension ‖x‖ = c_d E |⟨w, x⟩|, and t^{2k} becomes t^{2k} / c_{d,k}, c_{d,k} =
Π_{i < k} (d + 2i) / (2i + 1), so fast growing that one layer pays for it.

*learnt*: random units with outer weights by ridge regression."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fracsim.errors import RunError, UsageError
from fracsim.kernels.points.radial import CONE, HAT, PROFILES, fill_directions, fill_profile
from fracsim.kernels.random.initial import fill_uniform
from fracsim.kernels.random.philox import SAMPLE
from fracsim.networks.rewriting.layers import Layer, Layers, affine, beside, composed
from fracsim.networks.rewriting.splines import spline, two_sided
from fracsim.values.settings import label

RIDGE_PENALTY = 1e-7
SAMPLES_PER_UNIT = 10
LEAST_SAMPLES = 8_000
MOST_UNITS = 20_000
"""Learnt units: their normal equations take the square of it in memory."""
MOST_PARAMETERS = 2**25


class Profile(NamedTuple):
    """φ: its code, as kernels take it, and its ω (0 where it has none)."""

    code: int
    omega: float

    @classmethod
    def of(cls, text: str) -> "Profile":
        """From text as ``osc:6pi``. Raises UsageError."""
        from fracsim.problems.radial import parse_profile

        name, omega = parse_profile(text)
        return cls(PROFILES.index(name), omega)

    def __call__(self, radius: np.ndarray) -> np.ndarray:
        """φ of radii, of any shape."""
        values = np.empty(radius.size)
        fill_profile(self.code, self.omega, np.ascontiguousarray(radius.reshape(-1, 1)), values)
        return values.reshape(radius.shape)

    def ridge(self, t: np.ndarray) -> np.ndarray:
        """g(t) = φ(|t|) + |t| φ'(|t|), whose average over directions in d = 3 is φ(‖x‖)."""
        r = np.abs(t)
        if self.code == HAT:
            slope = np.select([r <= 0.25, r <= 0.5, r <= 0.75], [0.0, 1.0, -1.0], 0.0)
        elif self.code == CONE:
            slope = np.where(r < 1, -1.0, 0.0)
        else:
            slope = r * np.cos(self.omega * r * r)
        found: np.ndarray = self(r) + r * slope
        return found


def depth3(profile: Profile, d: int, pieces: int, knots: int) -> Layers:
    """Two hidden layers, of d · pieces and ``knots`` units; ``pieces`` is even. Knots lie denser at
    0 where φ(√s) is steep there."""
    parameters = (d + 1) * d * pieces + (d * pieces + 1) * knots + knots + 1
    if parameters > MOST_PARAMETERS:
        raise RunError(
            f"a network of {d * pieces:,} and {knots:,} units has {parameters:,} parameters; "
            f"accepted are at most {MOST_PARAMETERS:,}"
        )
    square = two_sided(lambda t: t * t, pieces // 2)
    squares = composed(beside(*[square] * d), affine(np.ones((d, 1))))
    places = np.arange(knots + 1) / knots
    places = places**2 if profile.code == CONE else places
    return composed(squares, spline(places, profile(np.sqrt(places))))


def directions(d: int, count: int, seed: int) -> np.ndarray:
    """Unit vectors (count, d): in d = 3 the Fibonacci sphere, else random ones."""
    if d != 3:
        w = np.empty((count, d))
        fill_directions(np.uint64(seed), SAMPLE, np.uint64(2**40), np.ones(count), w)
        return w
    i = np.arange(count)
    height = 1 - (2 * i + 1) / count
    angle = math.pi * (3 - math.sqrt(5)) * i
    around = np.sqrt(1 - height**2)
    return np.stack([around * np.cos(angle), around * np.sin(angle), height], axis=1)


def norm_constant(d: int) -> float:
    """c_d = √π Γ((d + 1) / 2) / Γ(d / 2): ‖x‖ = c_d E |⟨w, x⟩|."""
    return math.sqrt(math.pi) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))


def ridge_function(profile: Profile, d: int) -> Callable[[np.ndarray], np.ndarray]:
    """g with E_w g(⟨w, x⟩) = φ(‖x‖). Raises UsageError where no exact one is known here."""
    if d == 3:
        return profile.ridge
    if profile.code == CONE:
        return lambda t: 1 - norm_constant(d) * np.abs(t)
    raise UsageError(
        f"{label('construction')} ridge is exact for d = 3, and for cone in any dimension; "
        f"{label('dimension')} is {d} here"
    )


def ridge_network(g: Callable[[np.ndarray], np.ndarray], w: np.ndarray, pieces: int) -> Layers:
    """One hidden layer of 2 · pieces units for each direction w (m, d): the average of the splines
    of g."""
    m, d = w.shape
    if 2 * m * pieces * (d + 2) > MOST_PARAMETERS:
        raise RunError(
            f"one hidden layer of {2 * m * pieces:,} units is too large; accepted are at most "
            f"{MOST_PARAMETERS // (d + 2):,} in d = {d}"
        )
    hidden, readout = two_sided(g, pieces)
    weights = np.einsum("md,u->dmu", w, hidden.weights[0]).reshape(d, -1)
    return [
        Layer(weights, np.tile(hidden.biases, m)),
        Layer(np.tile(readout.weights, (m, 1)) / m, readout.biases),
    ]


def random_units(d: int, count: int, seed: int) -> Layer:
    """Units [⟨w_i, x⟩ + b_i]_+ with unit directions and biases uniform on (-1, 1)."""
    w, biases = np.empty((count, d)), np.empty(count)
    fill_directions(np.uint64(seed), SAMPLE, np.uint64(2**41), np.ones(count), w)
    fill_uniform(np.uint64(seed), 2**50, -1.0, 1.0, biases)
    return Layer(np.ascontiguousarray(w.T), biases)


def learnt(profile: Profile, d: int, count: int, seed: int) -> Layers:
    """One hidden layer of random units, outer weights by ridge regression on ten samples for each
    unit, and at least ``LEAST_SAMPLES``: with four it overfits."""
    if count > MOST_UNITS:
        raise RunError(
            f"{label('directions')} is {count:,}; accepted with construction learnt are at most "
            f"{MOST_UNITS:,}, whose normal equations fit into memory"
        )
    units, samples = random_units(d, count, seed), max(LEAST_SAMPLES, SAMPLES_PER_UNIT * count)
    gram, moments = np.zeros((count + 1, count + 1)), np.zeros(count + 1)
    step = max(1, 2**22 // (count + 1))
    for first in range(0, samples, step):
        size = min(step, samples - first)
        x, radius = points(d, seed, 2**42 + first, size)
        features = np.hstack([np.maximum(x @ units.weights + units.biases, 0), np.ones((size, 1))])
        gram += features.T @ features
        moments += features.T @ profile(radius)
    gram[np.diag_indices(count)] += RIDGE_PENALTY * samples
    outer = np.linalg.solve(gram, moments)
    return [units, Layer(outer[:count, None], outer[count:])]


def points(d: int, seed: int, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points x (count, d) with radii uniform on (0, 1), and the radii."""
    radius, x = np.empty(count), np.empty((count, d))
    fill_uniform(np.uint64(seed), first, 0.0, 1.0, radius)
    fill_directions(np.uint64(seed), SAMPLE, np.uint64(first), radius, x)
    return x, radius
