"""Radial functions on the unit ball: random points whose radius is uniform, and their labels.

Point i of a stream is a pure function of (seed, purpose, i): the radius is a uniform of its Philox
block 0, the direction a vector of normals (Box and Muller, two of each two words) from block 1 on.
In the uniform ball the radius would concentrate at 1, and every profile would look constant."""

import math

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.random.philox import RADIAL, random_words, uniform

PROFILES = ("hat", "osc", "cone")
"""Names; the position is the code a kernel takes.

hat     max(0, 1/4 - |r - 1/2|)
osc     sin(ω r²) / (2 ω), which is 1-Lipschitz
cone    max(0, 1 - r)
Safran, Eldan and Shamir 2019."""

HAT, OSC, CONE = range(3)


@formula
def profile_value(profile, omega, r):
    """φ(r) of a radius in float64."""
    if profile == HAT:
        return max(0.0, 0.25 - abs(r - 0.5))
    if profile == OSC:
        return math.sin(omega * r * r) / (2.0 * omega)
    return max(0.0, 1.0 - r)


@formula
def normal_pair(word, other):
    """Two independent normals of two random words."""
    length = math.sqrt(-2.0 * math.log(uniform(word)))
    angle = 2.0 * math.pi * uniform(other)
    return length * math.cos(angle), length * math.sin(angle)


@kernel
def fill_direction(seed, stream, index, radius, x):
    """x (d,) = radius times the direction of point ``index``; overwrites."""
    d = x.size
    squares = 0.0
    for q in range(0, d, 4):
        w0, w1, w2, w3 = random_words(index, stream, 1 + q // 4, seed)
        z0, z1 = normal_pair(w0, w1)
        z2, z3 = normal_pair(w2, w3)
        x[q] = z0
        if q + 1 < d:
            x[q + 1] = z1
        if q + 2 < d:
            x[q + 2] = z2
        if q + 3 < d:
            x[q + 3] = z3
        for p in range(q, min(q + 4, d)):
            squares += x[p] * x[p]
    scale = radius / math.sqrt(squares)
    for q in range(d):
        x[q] *= scale


@kernel
def fill_ball(seed, purpose, first, x):
    """x (N, d) float64 = points first … first + N - 1 of the stream; overwrites."""
    stream = np.uint64(purpose + RADIAL)
    for i in range(x.shape[0]):
        word, _, _, _ = random_words(first + np.uint64(i), stream, 0, seed)
        fill_direction(seed, stream, first + np.uint64(i), uniform(word), x[i])


@kernel
def fill_directions(seed, purpose, first, radius, x):
    """x (N, d) float64 = the same directions, each point at its own radius (N,); overwrites."""
    stream = np.uint64(purpose + RADIAL)
    for i in range(x.shape[0]):
        fill_direction(seed, stream, first + np.uint64(i), radius[i], x[i])


@formula
def norm(x):
    """‖x‖ in float64 of a point x (d,) of any float type."""
    squares = 0.0
    for q in range(x.size):
        value = np.float64(x[q])
        squares += value * value
    return math.sqrt(squares)


@kernel
def fill_norms(x, norms):
    """norms (N,) float64 = ‖x‖ of points x (N, d) of any float type; overwrites."""
    for i in range(x.shape[0]):
        norms[i] = norm(x[i])


@kernel
def fill_profile(profile, omega, x, y):
    """y (N,) float64 = φ(‖x‖) of points x (N, d) of any float type, the norm taken in float64;
    overwrites."""
    for i in range(x.shape[0]):
        y[i] = profile_value(profile, omega, norm(x[i]))
