"""Cells of three dimensions, projected: parallel light, parallel rays, near cells over far ones."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from numpy.typing import NDArray

from fracsim.fractals.fractal import Fractal

_VIEW = np.array([0.62, -1.0, 0.55]) / np.linalg.norm([0.62, -1.0, 0.55])
"""From the origin to the eye."""
_RIGHT = np.cross([0.0, 0.0, 1.0], _VIEW) / np.linalg.norm(np.cross([0.0, 0.0, 1.0], _VIEW))
_UP = np.cross(_VIEW, _RIGHT)
_LIGHT = np.array([0.15, -0.55, 0.8]) / np.linalg.norm([0.15, -0.55, 0.8])

_DARK, _BRIGHT = 0.30, 0.82  # greys of faces turned from the light, and to it


def project(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (…, 3) as the eye sees them, (…, 2): to the right, upwards."""
    return np.stack([x @ _RIGHT, x @ _UP], axis=-1)


def nearness(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """How near points (…, 3) are to the eye."""
    return np.asarray(x @ _VIEW)


def faces(fractal: Fractal, level: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The faces of K_level that can be seen of each cell alone, far cells first: projected corners
    (F, 4, 2) and grey values (F,)."""
    matrices, offsets = fractal.cells(level)
    low = fractal.geometry().low
    order = np.argsort(nearness(offsets + matrices @ np.full(3, (low + 1.0) / 2)), kind="stable")
    matrices, offsets = matrices[order], offsets[order]
    normals = np.linalg.inv(matrices).transpose(0, 2, 1)  # columns: normals of the faces x_q = 1
    polygons, greys, cells = [], [], []
    for axis in range(3):
        for side in (low, 1.0):
            normal = normals[:, :, axis] * (1.0 if side == 1.0 else -1.0)
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            seen = np.flatnonzero(normal @ _VIEW > 1e-9)
            corners = np.einsum("cij,pj->cpi", matrices[seen], _square(axis, side, low))
            polygons.append(project(corners + offsets[seen, None, :]))
            greys.append(_DARK + (_BRIGHT - _DARK) * np.maximum(normal[seen] @ _LIGHT, 0.0))
            cells.append(seen)
    by_cell = np.argsort(np.concatenate(cells), kind="stable")
    return np.concatenate(polygons)[by_cell], np.concatenate(greys)[by_cell]


def add_cells(axes: Axes, fractal: Fractal, level: int, **properties: Any) -> PolyCollection:
    """Draw the cells of K_level; the properties go to the collection."""
    polygons, greys = faces(fractal, level)
    colours = np.repeat(greys[:, None], 3, axis=1)
    cells = PolyCollection(list(polygons), facecolors=colours, **properties)
    axes.add_collection(cells, autolim=False)
    return cells


def frame(axes: Axes, low: float) -> None:
    """The edges of the base cube, with a little air and equal scales; no axes."""
    corners = np.array(np.meshgrid(*[[low, 1.0]] * 3, indexing="ij")).reshape(3, 8).T
    edges = [
        project(np.stack([a, b]))
        for i, a in enumerate(corners)
        for b in corners[i + 1 :]
        if np.count_nonzero(a != b) == 1
    ]
    axes.add_collection(LineCollection(edges, colors="#9A9A9A", linewidths=0.4, zorder=0.5))
    places = project(corners)
    air = 0.02 * np.ptp(places, axis=0)
    (left, bottom), (right, top) = places.min(axis=0) - air, places.max(axis=0) + air
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.grid(False)
    axes.tick_params(bottom=False, left=False, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _square(axis: int, side: float, low: float) -> NDArray[np.float64]:
    """The corners, in order, of the face of the base cube where coordinate ``axis`` is ``side``."""
    ring = [(low, low), (1.0, low), (1.0, 1.0), (low, 1.0)]
    return np.array([np.insert(np.array(corner), axis, side) for corner in ring])
