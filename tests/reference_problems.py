"""Slow twins of the problems that are no fractals: points and labels one by one, in plain
Python."""

import math

import numpy as np
import reference

RADIAL, SPLIT = 256, 8
PROFILES = {
    "hat": lambda r, omega: max(0.0, 0.25 - abs(r - 0.5)),
    "osc": lambda r, omega: math.sin(omega * r**2) / (2 * omega),
    "cone": lambda r, omega: max(0.0, 1 - r),
}


def words(seed, purpose, index, block):
    """The four random words of a block."""
    counter = (index % 2**32, index >> 32, purpose, block)
    return reference.philox(counter, (seed % 2**32, seed >> 32))


def ball_point(d, seed, purpose, index):
    """x (d,): a uniform radius from block 0, normals by Box and Muller from block 1 on."""
    unit = [(word + 0.5) / 2**32 for word in words(seed, purpose + RADIAL, index, 0)[:1]]
    normals = []
    for block in range(1, 1 + math.ceil(d / 4)):
        u = [(word + 0.5) / 2**32 for word in words(seed, purpose + RADIAL, index, block)]
        for a, b in ((u[0], u[1]), (u[2], u[3])):
            length = math.sqrt(-2 * math.log(a))
            normals += [length * math.cos(2 * math.pi * b), length * math.sin(2 * math.pi * b)]
    direction = np.array(normals[:d])
    return unit[0] * direction / np.linalg.norm(direction)


def radial_label(profile, omega, x):
    """φ(‖x‖) of a point as it is stored."""
    return PROFILES[profile](float(np.linalg.norm(np.asarray(x, np.float64))), omega)


def qualities(scores, y, group, groups):
    """(test loss, R², root mean square error, the same by group) of float64 scores."""
    errors = scores - y
    by_group = [
        math.sqrt((errors[group == g] ** 2).mean()) if (group == g).any() else math.nan
        for g in range(groups)
    ]
    mean = (errors**2).mean()
    return mean / 2, 1 - mean / ((y - y.mean()) ** 2).mean(), math.sqrt(mean), by_group
