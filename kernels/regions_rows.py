"""Many rows through one hidden layer at once, for the counting of regions: the tile kernels in
float64.

A row has a number for each of k units (slopes, or offsets, on an interval) and a factor of the
bias; it becomes Σ_i row_i W_i + factor · b. The terms are added in the order of i, wherever the row
stands; a unit that is not active contributes an exact 0.

One work array holds the weights of all layers but the first (padded to whole vectors, the biases as
last row), four vectors of zeros, and a block of rows before and after."""

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.layers import product
from fracsim.kernels.network import CACHE_LINE, SLACK_ROWS
from fracsim.kernels.tiles import PLAIN
from fracsim.kernels.vectors import VECTOR_BYTES

LANES = VECTOR_BYTES // 8

BLOCK = 120
"""Rows in one go."""


@formula
def layer_start(inputs, width, layer):
    """Place in the flat parameters (Q,) where a layer begins; the readout is layer T."""
    return 0 if layer == 0 else (inputs + 1) * width + (layer - 1) * (width + 1) * width


@kernel
def layer_weights(params, inputs, width, layer):
    """Weights (n_in, k) and biases (k,) of a hidden layer: views of the flat parameters."""
    n_in = inputs if layer == 0 else width
    start = layer_start(inputs, width, layer)
    middle = start + n_in * width
    return params[start:middle].reshape((n_in, width)), params[middle : middle + width]


@formula
def stride_of(width):
    """Length of a padded row."""
    return (width + LANES - 1) // LANES * LANES


@formula
def rows_before(width, layers):
    """Where in the work array the rows before a layer stand, each of width + 1 numbers; zeros lie
    in front."""
    return (layers - 1) * (width + 1) * stride_of(width) + CACHE_LINE


@formula
def rows_after(width, layers):
    """Where in the work array the rows after a layer stand, each of ``stride_of(width)``
    numbers."""
    size = (BLOCK + SLACK_ROWS) * (width + 1)
    return rows_before(width, layers) + (size + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE


@kernel
def pack_network(params, inputs, width, layers):
    """The work array of a network (Q,) of T = ``layers`` hidden layers."""
    stride = stride_of(width)
    total = rows_after(width, layers) + (BLOCK + SLACK_ROWS) * stride
    block = np.zeros(total + LANES)
    skip = (
        -(block.ctypes.data // 8)
    ) % LANES  # vectors that straddle two cache lines cost two loads
    w = block[skip : skip + total]
    for layer in range(1, layers):
        weights, biases = layer_weights(params, inputs, width, layer)
        start = (layer - 1) * (width + 1) * stride
        for i in range(width + 1):
            w[start + i * stride : start + i * stride + width] = weights[i] if i < width else biases
    return w


@kernel
def through_layer(w, width, layers, layer, count):
    """Send the first ``count`` ≤ BLOCK rows that stand before layer ``layer`` ≥ 1 through it."""
    stride = stride_of(width)
    start = (layer - 1) * (width + 1) * stride
    before = rows_before(width, layers)
    product(
        w,
        count,
        stride // LANES,
        width + 1,
        before,
        width + 1,
        1,
        start,
        stride,
        before - CACHE_LINE,
        0,
        0,
        0,
        rows_after(width, layers),
        stride,
        PLAIN,
    )


@kernel
def weight_norms(params, inputs, width, layers):
    """norms (T, k) of the weights that lead into each unit."""
    norms = np.zeros((layers, width))
    for layer in range(layers):
        weights, _ = layer_weights(params, inputs, width, layer)
        for i in range(weights.shape[0]):
            for o in range(width):
                norms[layer, o] += weights[i, o] * weights[i, o]
    return np.sqrt(norms)
