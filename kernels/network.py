"""The network: its parameters as one flat buffer, and the padded working copy that the tile kernels
use.

A ReLU network of depth T and width k on d inputs has T hidden layers and one linear output. Flat
layout (Q,): per layer the weights (n_in, n_out) row-major, then the biases (n_out); the readout
last.

The working copy pads every row to whole vectors (``lanes`` elements), with the bias row after the
weight rows. The readout, a single column, is kept as one row of its k weights, then the bias.
Padding is zero and stays zero: its activations are 0, hence its gradients are 0, hence no optimiser
moves it."""

import itertools
from typing import NamedTuple

import numpy as np

from fracsim.kernels.jit import kernel

CACHE_LINE = 64
"""Bytes; also the unit, in elements, in which parts of a work array are placed."""


class Shape(NamedTuple):
    """Shape of a network: ``inputs`` d ≥ 1, ``depth`` T ≥ 0 hidden layers, each of ``width`` k ≥
    1."""

    inputs: int
    depth: int
    width: int


def layer_sizes(shape: Shape) -> list[tuple[int, int]]:
    """(n_in, n_out) of the T hidden layers and the readout, in this order."""
    sizes = [shape.inputs, *[shape.width] * shape.depth, 1]
    return list(itertools.pairwise(sizes))


def parameter_count(shape: Shape) -> int:
    """Q, the number of weights and biases."""
    return sum((n_in + 1) * n_out for n_in, n_out in layer_sizes(shape))


N_IN, N_OUT, STRIDE, START, FLAT_START, BACK_STRIDE = range(6)
"""Columns of a plan, one row per layer: sizes; of the working copy the row stride and first
element; first element in the flat buffer; row stride of the transposed weights."""

(
    PARAMS,
    M,
    V,
    TURNED,
    INPUTS,
    LABELS,
    HIDDEN,
    HIDDEN_SIZE,
    SCORES,
    SLOPE,
    DHIDDEN,
    GRADIENT,
    ONE,
    ZEROS,
    TOTAL,
) = range(15)
"""Places in the work array of one run: where each part starts.

PARAMS, M, V: working copies of parameters and moments. TURNED: one layer's weights, transposed.
INPUTS (B, d), LABELS ±1 (B,). HIDDEN (T, B, stride): activations; HIDDEN_SIZE: elements of one
layer's. SCORES and SLOPE (B, lanes): f and d loss / d f in column 0. DHIDDEN: two of (B, stride)
that take turns. GRADIENT: of one layer. ONE: a single 1. ZEROS: a tile's row of zeros. TOTAL:
elements of all. """

SLACK_ROWS = 16
"""Rows behind every part's end: tiles work on whole groups of rows, and the surplus must have a
place."""


def round_up(number: int, unit: int) -> int:
    """The least multiple of ``unit`` that is ≥ ``number``."""
    return -(-number // unit) * unit


def make_plan(shape: Shape, batch: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Plan (T+1, 6) and places (15,), both int64, of a network for batches of ``batch`` rows and
    vectors of ``lanes``."""
    plan = np.zeros((shape.depth + 1, 6), np.int64)
    start = flat = 0
    for layer, (n_in, n_out) in enumerate(layer_sizes(shape)):
        stride, back_stride = round_up(n_out, lanes), round_up(n_in, lanes)
        plan[layer] = n_in, n_out, stride, start, flat, back_stride
        start += back_stride + lanes if layer == shape.depth else (n_in + 1) * stride
        flat += (n_in + 1) * n_out
    rows, widest = batch + SLACK_ROWS, round_up(max(shape.width, shape.inputs), lanes)
    slack = SLACK_ROWS * widest
    sizes = {
        PARAMS: start + slack,
        M: start,
        V: start,
        TURNED: widest * widest,
        INPUTS: rows * (shape.inputs + SLACK_ROWS),
        LABELS: batch,
        HIDDEN: shape.depth * rows * widest,
        SCORES: rows * lanes,
        SLOPE: rows * lanes,
        DHIDDEN: 2 * rows * widest,
        GRADIENT: (max(shape.inputs, shape.width) + 1 + SLACK_ROWS) * widest,
        ONE: 1,
        ZEROS: 4 * lanes,
    }
    places = np.zeros(15, np.int64)
    end = 0
    for part, size in sizes.items():
        places[part] = end
        end += round_up(size, CACHE_LINE)
    places[HIDDEN_SIZE], places[TOTAL] = rows * widest, end
    return plan, places


@kernel
def pack(plan, flat, work, place):
    """Copy flat parameters (Q,) into the zeroed working copy at ``place``."""
    last = plan.shape[0] - 1
    for layer in range(last):
        n_out = plan[layer, N_OUT]
        for i in range(plan[layer, N_IN] + 1):
            source, target = (
                plan[layer, FLAT_START] + i * n_out,
                place + plan[layer, START] + i * plan[layer, STRIDE],
            )
            work[target : target + n_out] = flat[source : source + n_out]
    k, source, target = plan[last, N_IN], plan[last, FLAT_START], place + plan[last, START]
    work[target : target + k] = flat[source : source + k]
    work[target + plan[last, BACK_STRIDE]] = flat[source + k]


@kernel
def unpack(plan, work, place, flat):
    """Copy the working copy at ``place`` back into flat parameters (Q,)."""
    last = plan.shape[0] - 1
    for layer in range(last):
        n_out = plan[layer, N_OUT]
        for i in range(plan[layer, N_IN] + 1):
            target, source = (
                plan[layer, FLAT_START] + i * n_out,
                place + plan[layer, START] + i * plan[layer, STRIDE],
            )
            flat[target : target + n_out] = work[source : source + n_out]
    k, target, source = plan[last, N_IN], plan[last, FLAT_START], place + plan[last, START]
    flat[target : target + k] = work[source : source + k]
    flat[target + k] = work[source + plan[last, BACK_STRIDE]]


@kernel
def make_work(places, like):
    """Zeroed work array in the float type of the array ``like``; starts on a cache line.

    A vector that straddles two lines costs two loads; numba's own arrays start on any multiple of
    32 bytes."""
    surplus = CACHE_LINE // like.itemsize
    block = np.zeros(places[TOTAL] + surplus, like.dtype)
    skip = (-(block.ctypes.data // like.itemsize)) % surplus
    work = block[skip : skip + places[TOTAL]]
    work[places[ONE]] = 1
    return work
