"""The layers of the constructed networks: one fold maps a cell of the fractal onto the whole base,
exactly.

All lengths are those of the cube [-1,1]^d; a base [0,1]^d is mapped onto it by the first layer.
With maps G_i(v) = A_i v + c_i (the IFS, or its compositions where levels are merged) a fold is two
hidden layers:

    A   5 d m units     of every u_i = G_i^-1(v) = A_i^-1 (v - c_i), coordinate by coordinate, four
    ramps that make up
                        D(u) = 0 for |u| ≤ inner, 1 for |u| ≥ outer (one minus a trapezoid), and the
                        carry [u + C]_+
    B   d m units       B_iq = [u_iq + 2 - M Σ_q' D(u_iq')]_+

and then y = Σ_i B_i - 2 is G_i^-1(v) inside image i, and (-2, …, -2), outside the base, away from
all images. The ramps face outwards: inside an image all of them are 0, so a fold rounds no more
there than the affine map itself."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fracsim.networks.rewriting.layers import Layer

_SIGNS = np.array([1.0, -1.0, 1.0, -1.0])
"""D = (r_1 - r_2 + r_3 - r_4) / (outer - inner), r = [-u - inner]_+, [-u - outer]_+, [u - inner]_+,
[u - outer]_+."""


class Slope(NamedTuple):
    """Where D rises from 0 to 1, in coordinates |u| of a cell."""

    inner: float
    outer: float


@dataclass(frozen=True)
class Maps:
    """m maps of the cube [-1,1]^d by their inverses, with the constants C and M of a fold by
    them."""

    inverse: np.ndarray
    """A^-1 (m, d, d)"""
    shift: np.ndarray
    """-A^-1 c (m, d)"""
    carry: float
    """C: no |u| reaches it"""
    steepness: float
    """M = 2 (C + 1), so that D ≥ 1/2 closes every unit of layer B"""

    @classmethod
    def of(cls, matrices: np.ndarray, centres: np.ndarray, top: float) -> "Maps":
        """Maps A (m, d, d), c (m, d) of points in [-2, top]^d, which holds the base and all that a
        fold makes."""
        inverse = np.linalg.inv(matrices)
        shift = -np.einsum("ipq,iq->ip", inverse, centres)
        middle, half = 0.5 * (top - 2), 0.5 * (top + 2)
        farthest = np.abs(shift + middle * inverse.sum(axis=2)) + half * np.abs(inverse).sum(axis=2)
        carry = float(farthest.max()) + 1
        return cls(inverse, shift, carry, 2 * (carry + 1))

    @property
    def stretch(self) -> float:
        """Greatest factor by which an inverse map lengthens an error, in the maximum norm."""
        return float(np.abs(self.inverse).sum(axis=2).max())


class Source(NamedTuple):
    """The point v as an affine function of the units before: v = units · weights + shift."""

    weights: np.ndarray
    """(n_in, d)"""
    shift: float

    @classmethod
    def inputs(cls, d: int, low: float) -> "Source":
        """v of the network's inputs x in [low, 1]^d."""
        scale = 2 / (1 - low)
        return cls(scale * np.eye(d), 1 - scale)

    @classmethod
    def fold(cls, d: int, maps: int) -> "Source":
        """v = y = Σ_i B_i - 2 of a fold by ``maps`` maps."""
        return cls(np.tile(np.eye(d), (maps, 1)), -2.0)

    def coordinates(self, maps: Maps) -> tuple[np.ndarray, np.ndarray]:
        """u_iq as affine functions of the units: weights (n_in, m d) and shifts (m d,)."""
        m, d = maps.shift.shape
        weights = np.einsum("np,iqp->niq", self.weights, maps.inverse).reshape(-1, m * d)
        return weights, (maps.shift + self.shift * maps.inverse.sum(axis=2)).ravel()


def fold_layers(source: Source, maps: Maps, slope: Slope) -> list[Layer]:
    """Layers A and B of a fold."""
    m, d = maps.shift.shape
    weights, shift = source.coordinates(maps)
    ramps = _ramps(weights, shift, slope)
    first = Layer(
        np.hstack((ramps.weights, weights)), np.concatenate((ramps.biases, shift + maps.carry))
    )
    # C is taken back here, after the ReLU: the carry is never cut off
    closing = _sum_of_ramps(m, d, slope, -maps.steepness, np.ones((d, d)))
    second = Layer(np.vstack((closing, np.eye(m * d))), np.full(m * d, 2 - maps.carry))
    return [first, second]


def base_layers(source: Source, d: int) -> list[Layer]:
    """Is v in the base? One hidden layer of 4d ramps and the readout f = 1 - 2 Σ D: 1 there, at
    most -1 at (-2, …)."""
    slope = Slope(
        1.25, 1.75
    )  # between the base and (-2, …); powers of 2, so that f is exactly 1 or 1 - 2d
    ramps = _ramps(source.weights, np.full(d, source.shift), slope)
    return [ramps, Layer(_sum_of_ramps(1, d, slope, -2.0, np.ones((d, 1))), np.ones(1))]


def image_layers(source: Source, maps: Maps, slope: Slope) -> list[Layer]:
    """Is v in an image? 4dm ramps, m units [1 - (M/3) Σ_q D]_+ and the readout f = 2 Σ - 1."""
    m, d = maps.shift.shape
    ramps = _ramps(*source.coordinates(maps), slope)
    weights = _sum_of_ramps(m, d, slope, -maps.steepness / 3, np.ones((d, 1)))
    return [ramps, Layer(weights, np.ones(m)), Layer(np.full((m, 1), 2.0), -np.ones(1))]


def _ramps(weights: np.ndarray, shift: np.ndarray, slope: Slope) -> Layer:
    """The four ramps of each of the coordinates u, ramp by ramp: (n_in, 4 m d)."""
    ends = np.repeat([slope.inner, slope.outer, slope.inner, slope.outer], len(shift))
    turned = np.concatenate((-shift, -shift, shift, shift))
    return Layer(np.hstack((-weights, -weights, weights, weights)), turned - ends)


def _sum_of_ramps(m: int, d: int, slope: Slope, factor: float, block: np.ndarray) -> np.ndarray:
    """Weights (4 m d, m n) that add ``factor`` Σ_q D(u_iq) block[q, :] (d, n) to the n units of
    each i."""
    share = np.kron(np.eye(m), block) * (factor / (slope.outer - slope.inner))
    return np.vstack([sign * share for sign in _SIGNS])
