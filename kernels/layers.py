"""Forward and backward through one network, on the CPU, built from register tiles.

Letters: B rows of a batch, n_in and n_out of a layer, T hidden layers. Everything a run touches lies in one flat work array;
``network.py`` says where. (One array, because numba passes an array as seven values: with ten of them a call cost more than
a small layer.)
"""

import functools
from types import SimpleNamespace

from fracsim.kernels.jit import kernel
from fracsim.kernels.network import (
    BACK_START,
    BACK_STRIDE,
    GRADIENT,
    HIDDEN,
    HIDDEN_SIZE,
    INPUTS,
    N_IN,
    N_OUT,
    ONE,
    PARAMS,
    SCORES,
    START,
    STRIDE,
    TRANSPOSED,
    ZEROS,
)
from fracsim.kernels.tiles import MASK, PLAIN, PRODUCT, RELU, ROW_SUM, tile, transpose_block

TILE_ROWS = {2: (8, 6, 4, 2), 4: (8, 6, 4, 2), 8: (8, 6, 4, 2), 16: (10, 10, 5, 5)}
"""Rows of a tile of 1, 2, 3, 4 vectors, by lanes: what the registers hold (16 of up to 8 lanes, 32 of 16 lanes)."""

WIDEST_TILE = {2: 3, 4: 3, 8: 3, 16: 4}
"""Most vectors in a tile's row."""


@functools.cache
def make_product(lanes):
    """Kernel C[m, :] = first + Σ_s A(m, s) row_s over any number of rows and vectors, cut into tiles; see ``tiles.py``.

    All operands lie in one array ``w``; a0, rows0, first0, mask0, c0 say where. ``first_step`` is 1, or 0 where the sums start
    from a vector of zeros.
    """
    rows1, rows2, rows3, rows4 = TILE_ROWS[lanes]
    widest = WIDEST_TILE[lanes]

    @kernel
    def product(w, n_rows, n_vectors, count, a0, a_row, a_step, rows0, rows_step, first0, first_step, mask0, mask_row,
                c0, c_row, mode):  # fmt: skip
        v = 0
        while v < n_vectors:
            tiles_left = (n_vectors - v + widest - 1) // widest
            width = (n_vectors - v + tiles_left - 1) // tiles_left  # near-equal widths: 7 vectors are 4 + 3
            r, f, k, c = rows0 + v * lanes, first0 + v * lanes * first_step, mask0 + v * lanes, c0 + v * lanes
            if width == 1:
                for m in range(0, n_rows, rows1):
                    tile(w, a0 + m * a_row, a_row, a_step, w, r, 0, rows_step, count, w, f, w, k + m * mask_row, mask_row,
                         w, c + m * c_row, c_row, mode, PRODUCT, rows1, 1, lanes)  # fmt: skip
            elif width == 2:
                for m in range(0, n_rows, rows2):
                    tile(w, a0 + m * a_row, a_row, a_step, w, r, 0, rows_step, count, w, f, w, k + m * mask_row, mask_row,
                         w, c + m * c_row, c_row, mode, PRODUCT, rows2, 2, lanes)  # fmt: skip
            elif width == 3:
                for m in range(0, n_rows, rows3):
                    tile(w, a0 + m * a_row, a_row, a_step, w, r, 0, rows_step, count, w, f, w, k + m * mask_row, mask_row,
                         w, c + m * c_row, c_row, mode, PRODUCT, rows3, 3, lanes)  # fmt: skip
            else:
                for m in range(0, n_rows, rows4):
                    tile(w, a0 + m * a_row, a_row, a_step, w, r, 0, rows_step, count, w, f, w, k + m * mask_row, mask_row,
                         w, c + m * c_row, c_row, mode, PRODUCT, rows4, 4, lanes)  # fmt: skip
            v += width

    return product


@functools.cache
def make_sum_rows(lanes):
    """Kernel total[o] = Σ_b factor[b · factor_step] · rows[b, o], o over whole vectors; overwrites."""

    @kernel
    def sum_rows(w, n_vectors, batch, factor0, factor_step, rows0, stride, total0):
        whole = batch - batch % 4
        for v in range(n_vectors):
            tile(w, factor0, factor_step, 4 * factor_step, w, rows0 + v * lanes, stride, 4 * stride, whole // 4, w, 0,
                 w, 0, 0, w, total0 + v * lanes, 0, PLAIN, ROW_SUM, 4, 1, lanes)  # fmt: skip
        for b in range(whole, batch):
            for o in range(n_vectors * lanes):
                w[total0 + o] += w[factor0 + b * factor_step] * w[rows0 + b * stride + o]

    return sum_rows


@functools.cache
def make_layers(lanes):
    """The passes for vectors of ``lanes`` elements: ``forward``, ``data_gradient``, ``layer_gradient``, ``transpose``.

    ``plan``, ``places`` and the work array ``w`` are those of ``network.py``; each pass overwrites what it makes.
    """
    product, sum_rows = make_product(lanes), make_sum_rows(lanes)

    @kernel
    def forward(plan, places, w, batch):
        """HIDDEN and SCORES of the first ``batch`` rows of INPUTS."""
        depth = plan.shape[0] - 1
        source, source_row, target = places[INPUTS], plan[0, N_IN], places[HIDDEN]
        for layer in range(depth):
            n_in, stride, weights = plan[layer, N_IN], plan[layer, STRIDE], places[PARAMS] + plan[layer, START]
            product(w, batch, stride // lanes, n_in, source, source_row, 1, weights, stride,
                    weights + n_in * stride, 1, 0, 0, target, stride, RELU)  # fmt: skip
            source, source_row, target = target, stride, target + places[HIDDEN_SIZE]
        column = places[TRANSPOSED] + plan[depth, BACK_START]
        bias = places[PARAMS] + plan[depth, START] + plan[depth, BACK_STRIDE]
        product(w, batch, 1, plan[depth, N_IN], source, source_row, 1, column, lanes, bias, 1, 0, 0,
                places[SCORES], lanes, PLAIN)  # fmt: skip

    @kernel
    def data_gradient(plan, places, w, layer, batch, dout, dinput):
        """At ``dinput`` d loss / d pre-activations of the layer below, from that of this layer's at ``dout``."""
        stride, below = plan[layer, STRIDE], plan[layer, BACK_STRIDE]
        weights = places[TRANSPOSED] + plan[layer, BACK_START]
        if layer == plan.shape[0] - 1:  # the readout's weights are a row already
            weights = places[PARAMS] + plan[layer, START]
        hidden = places[HIDDEN] + (layer - 1) * places[HIDDEN_SIZE]
        product(w, batch, below // lanes, plan[layer, N_OUT], dout, stride, 1, weights, below, places[ZEROS], 0,
                hidden, below, dinput, below, MASK)  # fmt: skip

    @kernel
    def layer_gradient(plan, places, w, layer, batch, dout):
        """GRADIENT of a layer, laid out as its working copy, from d loss / d its outputs at ``dout``."""
        n_in, stride, below = plan[layer, N_IN], plan[layer, STRIDE], plan[layer, BACK_STRIDE]
        gradient, source, source_row = places[GRADIENT], places[INPUTS], n_in
        if layer > 0:
            source, source_row = places[HIDDEN] + (layer - 1) * places[HIDDEN_SIZE], below
        if layer == plan.shape[0] - 1:
            sum_rows(w, below // lanes, batch, dout, stride, source, source_row, gradient)
            sum_rows(w, 1, batch, places[ONE], 0, dout, stride, gradient + below)
        else:
            product(w, n_in, stride // lanes, batch, source, 1, source_row, dout, stride, places[ZEROS], 0,
                    0, 0, gradient, stride, PLAIN)  # fmt: skip
            sum_rows(w, stride // lanes, batch, places[ONE], 0, dout, stride, gradient + n_in * stride)

    @kernel
    def transpose(plan, places, w, layer):
        """TRANSPOSED of a layer from its weights; the first layer's are never used, unless it is the readout."""
        start, back = places[PARAMS] + plan[layer, START], places[TRANSPOSED] + plan[layer, BACK_START]
        stride, below = plan[layer, STRIDE], plan[layer, BACK_STRIDE]
        if layer == plan.shape[0] - 1:
            for i in range(plan[layer, N_IN]):
                w[back + i * lanes] = w[start + i]
        elif layer > 0:
            for i in range(0, below, lanes):
                for o in range(0, stride, lanes):
                    transpose_block(w, start + i * stride + o, stride, w, back + o * below + i, below, lanes)

    return SimpleNamespace(
        forward=forward, data_gradient=data_gradient, layer_gradient=layer_gradient, transpose=transpose
    )
