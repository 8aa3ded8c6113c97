"""What becomes of a circle in random networks, to look at: its autocorrelation in every layer, and
its image in the planes of its principal components (Poole et al. 2016, figure 3)."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.kernels.network.shape import Shape
from fracsim.kernels.random_networks.forward import activate, layer_forward
from fracsim.kernels.regions.rows import pack_rows, rows_plan
from fracsim.networks.random import RandomNetwork
from fracsim.studies.meanfield.maps import correlation_map

Floats = NDArray[np.float64]

POINTS = 1024
"""Points of the circle; their angles are multiples of 2π/POINTS."""
NETWORKS = 32
"""Means are over at most so many networks."""
COMPONENTS = 3
_GRID = 49
"""Angles at which the correlation map is computed; between them it is nearly linear."""


class Picture(NamedTuple):
    """Of one network."""

    autocorrelation: Floats
    """(T, POINTS/2 + 1) of preactivations, by the difference of angles from 0 to π"""
    places: Floats
    """(T, POINTS, COMPONENTS) of preactivations, along the principal components"""
    shares: Floats
    """(T, COMPONENTS) of the variance"""


def angles() -> Floats:
    """(POINTS/2 + 1,) differences of angles."""
    return np.linspace(0.0, math.pi, POINTS // 2 + 1)


def take_picture(shape: Shape, params: Floats, code: int, points: Floats, whole: bool) -> Picture:
    """Of one network and POINTS points (POINTS, d) of the circle that goes into it; ``whole``: with
    principal components, else they are left empty."""
    plan, rows = rows_plan(shape)
    work = pack_rows(plan, rows, np.ascontiguousarray(params, np.float64))
    h, count = np.ascontiguousarray(points, np.float64), shape.depth if whole else 0
    found = np.empty((shape.depth, POINTS // 2 + 1))
    places, shares = np.zeros((count, POINTS, COMPONENTS)), np.zeros((count, COMPONENTS))
    for layer, width in enumerate(shape.widths):
        z = np.empty((POINTS, width))
        layer_forward(plan, rows, work, layer, h, z)
        found[layer] = autocorrelation(z)
        if whole:
            places[layer], shares[layer] = principal(z)
        h = np.empty_like(z)
        activate(code, z, h)
    return Picture(found, places, shares)


def autocorrelation(z: Floats) -> Floats:
    """Mean over θ of z(θ) · z(θ + Δ), over that of |z|², of a closed curve (M, N), for Δ from 0 to
    half the way: (M/2 + 1,). NaN of a curve at 0."""
    power = (np.abs(np.fft.rfft(z, axis=0)) ** 2).sum(1)
    found = np.fft.irfft(power, n=len(z))
    if not found[0] > 0:
        return np.full(len(z) // 2 + 1, math.nan)
    return np.asarray(found[: len(z) // 2 + 1] / found[0])


def principal(z: Floats) -> tuple[Floats, Floats]:
    """Places (M, COMPONENTS) of a cloud (M, N) along its principal components, each with its
    greatest deviation positive, and the shares (COMPONENTS,) of the variance; 0 beyond N."""
    centred = z - z.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    count = min(COMPONENTS, z.shape[1])
    order = np.argsort(values)[::-1][:count]
    places, shares = np.zeros((len(z), COMPONENTS)), np.zeros(COMPONENTS)
    places[:, :count] = centred @ vectors[:, order]
    places *= np.where(places.max(0) < -places.min(0), -1.0, 1.0)
    total = float(np.maximum(values, 0).sum())
    if total > 0:
        shares[:count] = np.maximum(values[order], 0) / total
    return places, shares


def autocorrelation_theory(network: RandomNetwork, activation: str, q: float) -> Floats:
    """The limit of wide layers, (T, POINTS/2 + 1): the correlation map at q*, over and over, of the
    circle that is the preactivation z_0."""
    weight_std, bias_std = math.sqrt(2 * network.kappas[0]), math.sqrt(network.bias_variance)
    grid = np.linspace(0.0, math.pi, _GRID)
    mapped = [
        correlation_map(activation, weight_std, bias_std, q, max(math.cos(angle), -1 + 1e-9))
        for angle in grid
    ]
    # as an angle, the correlation of a layer is nearly linear in that of the layer before
    after = np.arccos(np.clip(mapped, -1.0, 1.0))
    angle, found = angles(), []
    for _ in network.shape.widths:
        angle = np.interp(angle, grid, after)
        found.append(np.cos(angle))
    return np.array(found)
