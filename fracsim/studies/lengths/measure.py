"""The lengths of a curve's images, layer by layer."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.kernels.network.shape import Shape
from fracsim.kernels.norms import norms
from fracsim.kernels.random_networks.activations import KINKS
from fracsim.kernels.random_networks.forward import (
    activate,
    chord_lengths,
    count_kinks,
    insert_kinks,
    layer_forward,
    path_length,
)
from fracsim.kernels.regions.rows import pack_rows, rows_plan
from fracsim.studies.lengths.curves import Curve

Floats = NDArray[np.float64]


class Lengths(NamedTuple):
    """Of one network."""

    z: Floats
    """(T,) of preactivations"""
    x: Floats
    """(T,) of activations"""
    lacking: Floats
    """(T,) what chords of activations are estimated to lack, relative; 0 where exact"""


class Memory:
    """Two matrices that grow and are used again, by one network after the other: memory given back
    and asked for anew comes in fresh pages, which took a quarter of all time."""

    def __init__(self) -> None:
        self._kept = [np.empty(0), np.empty(0)]

    def matrix(self, which: int, rows: int, columns: int) -> Floats:
        """(rows, columns), of any content; the one before in the same place is overwritten."""
        if self._kept[which].size < rows * columns:
            self._kept[which] = np.empty(5 * rows * columns // 4)
        return self._kept[which][: rows * columns].reshape(rows, columns)


def exact_lengths(
    shape: Shape, params: Floats, code: int, curve: Curve, memory: Memory | None = None
) -> Lengths:
    """Every kink becomes a vertex, so that all is exact: for relu and hardtanh, of a polyline."""
    memory = memory or Memory()
    plan, rows = rows_plan(shape)
    work = pack_rows(plan, rows, np.ascontiguousarray(params, np.float64))
    h, piece = np.ascontiguousarray(curve.points, np.float64), curve.piece
    z_lengths, x_lengths = np.empty((2, shape.depth))
    for layer, width in enumerate(shape.widths):
        z = memory.matrix(0, len(h), width)
        layer_forward(plan, rows, work, layer, h, z)
        z_lengths[layer] = path_length(z, piece)
        counts = np.empty(len(z), np.int64)
        count_kinks(z, piece, KINKS[code], counts)
        h = memory.matrix(1, len(z) + int(counts.sum()), width)
        owner = np.empty(len(h), piece.dtype)
        insert_kinks(z, piece, KINKS[code], counts, h, owner)
        piece = owner
        activate(code, h, h)
        x_lengths[layer] = path_length(h, piece)
    return Lengths(z_lengths, x_lengths, np.zeros(shape.depth))


def measured_by_chords(shape: Shape, params: Floats, code: int, curve: Curve) -> Lengths:
    """Sums of chords between images of vertices. With half as many chords a smooth curve lacks four
    times as much, one with kinks between its vertices twice as much: a third of the difference, or
    all of it, is the estimate of what these lack."""
    plan, rows = rows_plan(shape)
    work = pack_rows(plan, rows, np.ascontiguousarray(params, np.float64))
    lengths = np.zeros((shape.depth, 3))
    ends = np.flatnonzero(np.diff(curve.piece)) + 1
    for part in np.split(np.ascontiguousarray(curve.points, np.float64), ends):
        chord_lengths(plan, rows, work, code, part, lengths)
    z, fine, coarse = lengths.T
    share = 1.0 if len(KINKS[code]) else 1 / 3
    lacking = share * np.maximum(fine - coarse, 0) / np.maximum(fine, 1e-300)
    return Lengths(z, fine, lacking)


def refined(curve: Curve, most: float) -> Curve:
    """The same curve with vertices at most ``most`` apart, an even number of chords on each edge:
    for chords."""
    points, piece = [curve.points[:1]], [curve.piece[:1]]
    steps = norms(np.diff(curve.points, axis=0), axis=1)
    for i, step in enumerate(steps):
        a, b = curve.points[i], curve.points[i + 1]
        if curve.piece[i] == curve.piece[i + 1]:
            count = 2 * max(1, int(np.ceil(step / most / 2)))
            share = np.arange(1, count + 1)[:, None] / count
            points.append(a + share * (b - a))
        else:
            points.append(b[None])
        piece.append(np.full(len(points[-1]), curve.piece[i + 1]))
    return Curve(np.concatenate(points), np.concatenate(piece))


def lengths_of(
    shape: Shape,
    params: Floats,
    code: int,
    curve: Curve,
    exact: bool,
    points: int,
    memory: Memory | None = None,
) -> Lengths:
    """Of a curve in one network: exactly, or by chords between at least ``points`` vertices."""
    if exact:
        return exact_lengths(shape, params, code, curve, memory)
    if len(curve.points) < points:
        curve = refined(curve, curve.length / points)
    return measured_by_chords(shape, params, code, curve)
