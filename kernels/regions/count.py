"""Launchers for the regions of a ReLU network: arrays in, arrays out. See ``regions_plane.py`` and
``regions_line.py``.

All take flat parameters (Q,) float64 and the network's shape.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.kernels.jit import kernel
from fracsim.kernels.network.shape import Shape, flat_layout, split_layers
from fracsim.kernels.norms import norms
from fracsim.kernels.random.philox import PLACES, random_words, uniform
from fracsim.kernels.regions.affine import affine_functions, merge_pieces, polygons
from fracsim.kernels.regions.box import cut_box, join_regions, put_box
from fracsim.kernels.regions.line import cut_segment, number_pieces
from fracsim.kernels.regions.plane import (
    CORNERS,
    EDGES,
    FACES,
    NEARNESS,
    PARENT,
    active_units,
    cut_by_units,
    enter_layer,
    put_rectangle,
)
from fracsim.kernels.regions.rows import pack_rows, rows_plan, weight_norms

Array = NDArray[Any]


class TooManyRegions(Exception):
    """There are more regions than were allowed."""


class Cells(NamedTuple):
    """A window of the plane, cut into F regions with V corners."""

    places: Array
    """(V, 2) coordinates of the corners"""
    first_corner: Array
    """(F + 1,) where the corners of each region begin in ``corners``"""
    corners: Array
    """numbers of the corners, region after region, anticlockwise"""
    functions: Array
    """(F, 3) gradient and offset of f"""
    areas: Array
    """(F,)"""
    pieces: Array
    """(F,) number of the linear piece, 0, 1, …"""


class Parts(NamedTuple):
    """A box, cut into F regions."""

    functions: Array
    """(F, d + 1) gradient and offset of f"""
    volumes: Array
    """(F,)"""
    patterns: Array
    """(F, W) the units that are active, as bits, layer after layer"""
    pieces: Array
    """(F,) number of the linear piece, 0, 1, …"""


class Intervals(NamedTuple):
    """A segment, cut into n intervals of t in [0, 1]."""

    ends: Array
    """(n + 1,)"""
    crossed: Array
    """(n + 1, 2) layer and unit that change sign there; -1, -1 at 0 and 1"""
    functions: Array
    """(n, 2) slope and offset of f in t"""
    pieces: Array
    """(n,) number of the linear piece, 0, 1, …"""


def cut_window(
    shape: Shape, params: Array, window: tuple[float, float, float, float], most: int
) -> Cells:
    """The regions of a network on the plane in the window (low1, high1, low2, high2).

    Raises TooManyRegions where there are more than ``most``.
    """
    mesh = _Mesh(shape.width, window)
    parents, active = [], []
    for layer, (weights, biases) in enumerate(split_layers(shape, params)[:-1]):
        mesh.cut(weights, biases, layer == 0, most)
        faces = mesh.size[FACES]
        parents.append(mesh.faces[:faces, PARENT].copy())
        active.append(np.zeros((faces, shape.width), np.bool_))
        active_units(mesh.halves, mesh.faces, mesh.z, mesh.size, biases.size, active[-1])
    functions, scales = _functions(shape, params, parents, active)
    pieces = np.empty(len(functions), np.int64)
    merge_pieces(mesh.halves, mesh.size, functions, scales, pieces)
    first, areas = np.empty(len(functions) + 1, np.int64), np.empty(len(functions))
    corners = np.empty(2 * mesh.size[EDGES], np.int32)
    count = polygons(mesh.halves, mesh.faces, mesh.places, mesh.size, first, corners, areas)
    return Cells(
        mesh.places[: mesh.size[CORNERS]], first, corners[:count], functions, areas, pieces
    )


class _Mesh:
    """The arrays of ``regions_plane.py``, which grow as the window is cut."""

    def __init__(self, width: int, window: tuple[float, float, float, float]) -> None:
        rows = 1024
        self.halves, self.faces = np.zeros((8 * rows, 4), np.int32), np.zeros((rows, 3), np.int32)
        self.places, self.z, self.lengths = (
            np.zeros((rows, 2)),
            np.zeros((rows, width)),
            np.zeros(rows),
        )
        self.size, self.norms = np.zeros(3, np.int64), np.zeros(width)
        low1, high1, low2, high2 = (float(side) for side in window)
        self.nearness = NEARNESS * math.hypot(high1 - low1, high2 - low2)
        put_rectangle(low1, high1, low2, high2, self.halves, self.faces, self.places, self.size)

    def cut(self, weights: Array, biases: Array, first: bool, most: int) -> None:
        """Cut by all units of the next layer."""
        enter_layer(
            weights,
            biases,
            first,
            self.places,
            self.z,
            self.lengths,
            self.norms,
            self.faces,
            self.size,
        )
        unit = 0
        while True:
            column, touched = np.empty(len(self.z)), np.empty(4 * len(self.faces), np.int32)
            unit = cut_by_units(
                unit,
                biases,
                self.nearness,
                self.halves,
                self.faces,
                self.places,
                self.z,
                self.lengths,
                self.norms,
                column,
                touched,
                self.size,
            )
            if self.size[FACES] > most:
                raise TooManyRegions
            if unit == biases.size:
                return
            for name in ("halves", "faces", "places", "z", "lengths"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros_like(old)]))


def _functions(
    shape: Shape, params: Array, parents: list[Array], active: list[Array]
) -> tuple[Array, Array]:
    """f on each region (F, 3), and the scale of each gradient (F,)."""
    if not shape.depth:
        return params[None, :].copy(), np.zeros(1)
    faces = len(parents[-1])
    ancestors = np.empty((shape.depth, faces), np.int64)
    ancestors[-1] = np.arange(faces)
    for layer in range(shape.depth - 1, 0, -1):
        ancestors[layer - 1] = parents[layer][ancestors[layer]]
    order = np.lexsort(ancestors[-2::-1]) if shape.depth > 1 else ancestors[0]
    above = np.cumsum([0, *map(len, active[:-1])])
    functions, scales = np.empty((faces, 3)), np.empty(faces)
    affine_functions(
        params,
        flat_layout(shape),
        ancestors + above[:, None],
        np.concatenate(active),
        order,
        functions,
        scales,
    )
    return functions, scales


AT_ONCE = 4096
"""Regions of a box that one call of the kernel finds."""


def cut_sides(shape: Shape, params: Array, sides: Array, most: int) -> Parts:
    """The regions of a network with d = 2 or 3 inputs in the box of ``sides`` (d, 2).

    Raises TooManyRegions where there are more than ``most``.
    """
    d, units = shape.inputs, sum(shape.widths)
    low, high = np.ascontiguousarray(sides.T)
    if not shape.depth:
        whole = np.zeros((1, 1), np.uint64)
        return Parts(
            params[None, :].copy(), np.array([np.prod(high - low)]), whole, np.zeros(1, np.int64)
        )
    words, corners = -(-(units + 2 * d) // 64), 2 * (units + 2 * d)
    at, size = np.zeros((units + 2, 3), np.int64), np.ones(1, np.int64)
    places = np.empty((units + 2, corners, d))
    walls = np.zeros((units + 2, corners, words), np.uint64)
    patterns = np.zeros((units + 2, words), np.uint64)
    put_box(low, high, units, at, places, walls, patterns)
    columns = np.concatenate([norms(w, axis=0) for w, _ in split_layers(shape, params)[:-1]])
    nearness = NEARNESS * float(np.linalg.norm(high - low))
    layout, blocks, total = flat_layout(shape), [], 0
    while size[0]:
        functions, measures = np.empty((AT_ONCE, d + 1)), np.empty((AT_ONCE, 2))
        found = np.empty((AT_ONCE, 2, words), np.uint64)
        stack = size, at, places, walls, patterns
        count = cut_box(params, layout, columns, nearness, *stack, functions, found, measures)
        blocks.append((functions[:count], found[:count], measures[:count]))
        total += count
        if total > most:
            raise TooManyRegions
    functions, found, measures = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    active = np.ascontiguousarray(found[:, 0])
    pieces = np.empty(total, np.int64)
    join_regions(_neighbours(active, found[:, 1], units), functions, measures[:, 0].copy(), pieces)
    return Parts(functions, measures[:, 1].copy(), active, pieces)


def _neighbours(patterns: Array, walls: Array, units: int) -> Array:
    """(M, 2) regions that touch along a wall: they differ in that unit alone."""
    keys = patterns.view(f"S{8 * patterns.shape[1]}").ravel()
    order = np.argsort(keys)
    pairs = []
    for unit in range(units):
        word, bit = unit // 64, np.uint64(1) << np.uint64(unit % 64)
        there = np.flatnonzero(walls[:, word] & patterns[:, word] & bit)
        others = patterns[there]
        others[:, word] ^= bit
        wanted = others.view(keys.dtype).ravel()
        place = order[np.searchsorted(keys, wanted, sorter=order) % len(keys)]
        same = keys[place] == wanted
        pairs.append(np.stack([there[same], place[same]], axis=1))
    return np.concatenate(pairs)


def cut_line(shape: Shape, params: Array, start: Array, end: Array, most: int) -> Intervals:
    """The regions of a network along the segment between two points (d,).

    Raises TooManyRegions where there are more than ``most``.
    """
    if not shape.depth:
        whole = np.array([[(end - start) @ params[:-1], start @ params[:-1] + params[-1]]])
        return Intervals(
            np.array([0.0, 1.0]), np.full((2, 2), -1, np.int32), whole, np.zeros(1, np.int64)
        )
    plan, rows = rows_plan(shape)
    norms, work = weight_norms(plan, params), pack_rows(plan, rows, params)
    found = cut_segment(params, plan, rows, norms, work, start, end, most)
    ends, crossed, functions, scales = found
    if not len(functions):
        raise TooManyRegions
    pieces = np.empty(len(functions), np.int64)
    number_pieces(functions, scales, pieces)
    return Intervals(ends, crossed, functions, pieces)


def on_plane(shape: Shape, params: Array, origin: Array, directions: Array) -> tuple[Shape, Array]:
    """The network on the plane origin + s u + t v, as one of two inputs s, t; ``directions`` (2, d)
    are u and v."""
    weights, biases = split_layers(shape, params)[0]
    rest = params[weights.size + biases.size :]
    return shape._replace(inputs=2), np.concatenate(
        [(directions @ weights).ravel(), biases + origin @ weights, rest]
    )


@kernel
def random_places(seed, first, low, high, out):
    """out (N, d) = points ``first``, …, ``first + N - 1`` of the seed, uniform in the box of low
    (d,) and high (d,)."""
    d = low.size
    for p in range(out.shape[0]):
        for i in range(d):
            word, _, _, _ = random_words(np.uint64((first + p) * d + i), PLACES, 0, seed)
            out[p, i] = low[i] + (high[i] - low[i]) * uniform(word)
