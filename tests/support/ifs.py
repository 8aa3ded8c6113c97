"""Fractals that the shipped ones do not cover: rotations, shears, reflections, touching dead ends,
many maps."""

import numpy as np

from fracsim.fractals.fractal import Fractal, load_fractal


def rotation(degrees):
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def twisted(base="[-1,1]"):
    """Three maps of the plane: a rotation, a sheared one and a reflection, with wide gaps."""
    matrices = np.array(
        [0.3 * rotation(30), [[0.3, 0.15], [0.0, 0.25]], 0.35 * rotation(70) @ np.diag([1, -1])]
    )
    offsets = np.array([[-0.55, -0.5], [0.5, -0.6], [0.0, 0.5]])
    if base == "[0,1]":  # the same picture: x → (x + 1)/2
        offsets = 0.5 * (offsets + 1) - 0.5 * matrices.sum(axis=2)
    return Fractal("twisted", matrices, offsets, base)


def dead_end(order=(0, 1)):
    """Two intervals that share the point 0, from where only one of them leads on."""
    matrices, offsets = np.array([[[0.25]], [[0.5]]]), np.array([[-0.25], [0.5]])
    return Fractal("dead end", matrices[list(order)], offsets[list(order)])


def many():
    """25 maps, more than the lanes take."""
    maps = [{"scale": 0.125, "offset": [c]} for c in (-0.875, -0.5, 0.0, 0.375, 0.75)]
    return Fractal.from_dict({"name": "many", "product": 2, "map": maps})


def zoo():
    """Every kind of fractal once, by name."""
    names = (
        "cantor1d",
        "cantor",
        "cantor:3",
        "cantor:4",
        "sierpinski",
        "vicsek",
        "pentaflake",
        "corners",
    )
    fractals = {name: load_fractal(name) for name in names}
    return fractals | {
        "twisted": twisted(),
        "twisted01": twisted("[0,1]"),
        "dead end": dead_end(),
        "many": many(),
    }


def probes(fractal, n, rng):
    """Points of all kinds: anywhere (also outside), in cells of all levels, and on the corners and
    faces of cells."""
    d, low = fractal.dimension, fractal.low
    points = [rng.uniform(low - 0.1, 1.1, (60, d))]
    for j in range(1, n + 1):
        matrices, offsets = fractal.cells(j)
        cells = rng.integers(len(offsets), size=40)
        u = rng.uniform(low, 1, (40, d))
        u[10:20] = np.where(rng.random((10, d)) < 0.5, low, 1.0)  # corners
        u[20:30, 0] = np.where(rng.random(10) < 0.5, low, 1.0)  # faces
        points.append(np.einsum("npq,nq->np", matrices[cells], u) + offsets[cells])
    return np.concatenate(points)
