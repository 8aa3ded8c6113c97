"""The curves whose lengths are measured: lists of vertices, in pieces that are not joined."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.fractals.fractal import Fractal
from fracsim.kernels.random_networks.forward import path_length
from fracsim.kernels.random_networks.networks import draw_direction

Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """Vertices; i and i + 1 are joined where they belong to one piece."""

    points: Floats
    """(N, d)"""
    piece: NDArray[np.int64]
    """(N,)"""

    @property
    def length(self) -> float:
        """Of all pieces."""
        return float(path_length(self.points, self.piece))


def circle(directions: Floats, radius: float, points: int) -> Curve:
    """A closed polygon on the circle of a radius in the plane of two orthonormal directions
    (2, d)."""
    angles = np.linspace(0, 2 * math.pi, points)
    wheel = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    wheel[-1] = wheel[0]
    return Curve(radius * (wheel @ directions), np.zeros(points, np.int64))


def random_plane(dimension: int, seed: int) -> Floats:
    """Two orthonormal directions (2, d) of a uniformly random plane; those of the axes for d = 2.
    Raises UsageError for d = 1."""
    if dimension < 2:
        raise UsageError(f"a circle needs at least 2 inputs, and the network has {dimension}")
    if dimension == 2:
        return np.eye(2)
    first, second = np.empty((2, dimension))
    draw_direction(np.uint64(seed), first)
    draw_direction(np.uint64(2**63 + seed), second)
    first /= np.linalg.norm(first)
    second -= (second @ first) * first
    return np.stack([first, second / np.linalg.norm(second)])


def polyline(path: Sequence[float], dimension: int, low: float, named: str) -> Curve:
    """The polyline with these coordinates. Raises UsageError: not d for each vertex, fewer than
    two vertices, or one outside the base [low, 1]^d."""
    if len(path) % dimension or len(path) < 2 * dimension:
        raise UsageError(
            f"--path has {len(path)} numbers; {named} of a network with {dimension} input(s) needs "
            f"{dimension} for each of at least 2 vertices"
        )
    if named == "a segment" and len(path) != 2 * dimension:
        raise UsageError(f"--path: a segment has 2 vertices, and here are {len(path) // dimension}")
    points = np.array(path, np.float64).reshape(-1, dimension)
    outside = (points < low) | (points > 1)
    if outside.any():
        row = int(np.flatnonzero(outside.any(1))[0])
        place = ",".join(f"{value:g}" for value in points[row])
        raise UsageError(
            f"--path: vertex {row + 1}, ({place}), lies outside the base [{low:g}, 1]^{dimension}"
        )
    if (points == points[0]).all():
        raise UsageError("--path: all vertices are one point, a curve of length 0")
    return Curve(points, np.zeros(len(points), np.int64))


def diagonal(dimension: int, low: float) -> Curve:
    """From one corner of the base to the opposite one, off centre so that it misses the origin."""
    start, end = np.full(dimension, low), np.full(dimension, 1.0)
    if dimension > 1:
        start[0] = low + 0.25 * (1 - low)
    return Curve(np.stack([start, end]), np.zeros(2, np.int64))


def cell_borders(fractal: Fractal, level: int, scale: float = 1.0) -> Curve:
    """The borders of all cells of K_level, cell after cell: closed polygons for d = 2, the cells
    themselves for d = 1; each blown up about its cell's centre by ``scale``. Raises UsageError for
    larger d."""
    if fractal.dimension > 2:
        raise UsageError(
            f"--along cells: the borders of cells are curves for d ≤ 2, and {fractal.name} has "
            f"d = {fractal.dimension}"
        )
    low = fractal.low
    if fractal.dimension == 1:
        corners = np.array([[low], [1.0]])
    else:
        corners = np.array([[low, low], [1, low], [1, 1], [low, 1], [low, low]], np.float64)
    if scale != 1.0:
        corners = (low + 1) / 2 + scale * (corners - (low + 1) / 2)
    matrices, offsets = fractal.cells(level)
    points = np.einsum("cpq,vq->cvp", matrices, corners) + offsets[:, None]
    piece = np.repeat(np.arange(len(offsets)), len(corners))
    return Curve(np.ascontiguousarray(points.reshape(-1, fractal.dimension)), piece)
