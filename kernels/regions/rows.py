"""Many rows through one hidden layer at once, for the counting of regions: the tile kernels in
float64.

A row has a number for each of k units (slopes, or offsets, on an interval) and a factor of the
bias; it becomes Σ_i row_i W_i + factor · b. The terms are added in the order of i, wherever the row
stands; a unit that is not active contributes an exact 0.

One work array holds the working copy of the network (see ``network.py``), a line of zeros, and a
block of rows before and after."""

import numpy as np

from fracsim.kernels.jit import kernel
from fracsim.kernels.network.layers import NO_MASK, product
from fracsim.kernels.network.shape import (
    CACHE_LINE,
    N_IN,
    N_OUT,
    SLACK_ROWS,
    START,
    STRIDE,
    Shape,
    greatest,
    layer_weights,
    make_plan,
    pack,
    round_up,
)
from fracsim.kernels.network.tiles import PLAIN
from fracsim.kernels.norms import LEAST, MOST, norm_of
from fracsim.kernels.vectors import VECTOR_BYTES

LANES = VECTOR_BYTES // 8

BLOCK = 120
"""Rows in one go."""

BEFORE, AFTER, END = range(3)
"""Places in the work array: rows before a layer, of n_in + 1 numbers each (zeros lie in front);
rows after it, as long as the layer's padded rows; all of it."""


def rows_plan(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Plan (T+1, 6) of a network in float64, and rows (3,) int64: places in its work array."""
    plan, _ = make_plan(shape, BLOCK, LANES)
    used = plan[-1, START] + round_up(plan[-1, N_IN], LANES) + LANES  # the readout lies last
    before = round_up(int(used), CACHE_LINE) + CACHE_LINE
    length = (BLOCK + SLACK_ROWS) * (round_up(shape.width, LANES) + 1)
    after = before + round_up(length, CACHE_LINE)
    return plan, np.array([before, after, after + length], np.int64)


@kernel
def pack_rows(plan, rows, params):
    """The work array of a network (Q,), on a cache line: a vector that straddles two costs two
    loads."""
    block = np.zeros(rows[END] + LANES)
    skip = (-(block.ctypes.data // 8)) % LANES
    w = block[skip : skip + rows[END]]
    pack(plan, params, w, 0)
    return w


@kernel
def through_layer(plan, rows, w, layer, count):
    """Send the first ``count`` ≤ BLOCK rows that stand before layer ``layer`` through it."""
    stride, terms, before = plan[layer, STRIDE], plan[layer, N_IN] + 1, rows[BEFORE]
    weights, zeros = plan[layer, START], before - CACHE_LINE
    a, b, first = (before, terms, 1), (weights, stride), (zeros, 0)
    product(w, count, stride // LANES, terms, a, b, first, NO_MASK, (rows[AFTER], stride), PLAIN)


@kernel
def weight_norms(plan, params):
    """norms (T, widest k) of the weights that lead into each unit; 0 beyond a layer's units."""
    layers = plan.shape[0] - 1
    norms = np.zeros((layers, greatest(plan, layers, N_OUT)))
    for layer in range(layers):
        weights, _ = layer_weights(plan, params, layer)
        for i in range(weights.shape[0]):
            for o in range(weights.shape[1]):
                norms[layer, o] += weights[i, o] * weights[i, o]
    norms = np.sqrt(norms)
    for layer in range(layers):
        weights, _ = layer_weights(plan, params, layer)
        for o in range(weights.shape[1]):
            if not LEAST <= norms[layer, o] <= MOST:
                norms[layer, o] = norm_of(weights[:, o])
    return norms
