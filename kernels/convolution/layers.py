"""Forward and backward through one network on images, a chunk of a batch at a time.

Everything a run touches lies in one flat work array ``w``, with tables of places in ``at``;
``plan.py`` says where. Convolutions, whole layers and readouts are the same two sums of
``tiles.py``."""

import numpy as np

from fracsim.kernels.convolution.plan import (
    BACK,
    BACK_OUT,
    BACK_PIXELS,
    BACK_TARGET,
    BACK_WINDOW,
    BACK_X,
    BACK_Z,
    COUNT_TABLE,
    DZ,
    DZ_DOWN,
    DZ_PLACES,
    DZ_RIGHT,
    FLAT_START,
    GRADIENT,
    HAND_DOWN,
    HANDED,
    MASK_X,
    N_IN,
    N_OUT,
    NOTHING,
    ONES,
    PACKED,
    PARAMS,
    PIXELS,
    POOL_DZ,
    POOL_PIXELS,
    POOL_X,
    POOL_Z,
    ROWS,
    SPAN,
    SPREAD,
    SUMS,
    TERMS,
    TOTAL,
    TURNED,
    WINDOW,
    X_PLACES,
    Z_DOWN,
    Z_PLACES,
    ZERO,
    ZERO_TABLE,
    X,
    Z,
)
from fracsim.kernels.convolution.tiles import largest, patch, to_largest, weight
from fracsim.kernels.jit import formula, inlined, kernel
from fracsim.kernels.network.tiles import MASK, PLAIN, RELU
from fracsim.kernels.vectors import VECTOR_BYTES

MANY_REGISTERS = VECTOR_BYTES == 64
OUT, PIXELS_OF_TILE = (8, 3) if MANY_REGISTERS else (4, 3)
"""Outputs and pixels of a patch: what the registers hold."""

SOME_OUT = 4 if MANY_REGISTERS else 2
"""Outputs of a patch where fewer are left."""

TERMS_OF_TILE, SLOPES = (5, 4) if MANY_REGISTERS else (5, 2)
"""Terms and outputs of a tile of the weight gradient."""


@kernel
def make_work(places, like):
    """Zeroed work array in the float type of the array ``like``; starts on a cache line."""
    surplus = 64 // like.itemsize
    block = np.zeros(places[TOTAL] + surplus, like.dtype)
    skip = (-(block.ctypes.data // like.itemsize)) % surplus
    work = block[skip : skip + places[TOTAL]]
    for lane in range(VECTOR_BYTES // like.itemsize):
        work[places[ONES] + lane] = 1
    return work


@inlined
def patches(w, at, weights, stride, terms, count, x, xs, out, outs, mask, masks, bias, step, mode,
            pixels, lanes, n_out):  # fmt: skip
    """``patch`` of ``n_out`` outputs at all pixels."""
    p = 0
    while p + PIXELS_OF_TILE <= pixels:
        patch(w, at, weights, stride, terms, count, x, xs + p, out, outs + p, mask, masks + p, bias,
              step, mode, n_out, PIXELS_OF_TILE)  # fmt: skip
        p += PIXELS_OF_TILE
    while p < pixels:
        patch(w, at, weights, stride, terms, count, x, xs + p, out, outs + p, mask, masks + p, bias,
              step, mode, n_out, 1)  # fmt: skip
        p += 1


@formula
def outputs_of_tile(left):
    """Outputs of the next tiles where so many are left."""
    if left >= OUT:
        return OUT
    return SOME_OUT if left >= SOME_OUT else 1


@kernel
def convolve(w, at, weights, n_out, terms, count, x, xs, out, outs, mask, masks, bias, step, mode,
             pixels):  # fmt: skip
    """out[p, m] = bias[m] + Σ_s weight[s, m] x[p + offset(s)] for m of ``n_out``, p of ``pixels``;
    arguments as those of ``plain_patch``. The weights are packed: first all rows of the first
    tile's outputs, then those of the next."""
    lanes = VECTOR_BYTES // w.itemsize
    m = 0
    while m < n_out:
        a, b, c, d = weights + m * count, bias + m * step, out + m * lanes, mask + m * lanes
        size = outputs_of_tile(n_out - m)
        if size == OUT:
            patches(w, at, a, size, terms, count, x, xs, c, outs, d, masks, b, step, mode, pixels,
                    lanes, OUT)  # fmt: skip
        elif size == SOME_OUT:
            patches(w, at, a, size, terms, count, x, xs, c, outs, d, masks, b, step, mode, pixels,
                    lanes, SOME_OUT)  # fmt: skip
        else:
            patches(w, at, a, size, terms, count, x, xs, c, outs, d, masks, b, step, mode, pixels,
                    lanes, 1)  # fmt: skip
        m += size


@kernel
def pack_weights(plan, places, w, turned):
    """PACKED of all layers, for ``convolve`` forward, and where ``turned`` TURNED, for backward.

    There a term is (window, output), the last window first, and a channel below an output."""
    for layer in range(plan.shape[0]):
        n_in, n_out, start = plan[layer, N_IN], plan[layer, N_OUT], plan[layer, FLAT_START]
        source, target = places[PARAMS] + start, places[PACKED] + start
        m = 0
        while m < n_out:
            size = outputs_of_tile(n_out - m)
            for s in range(n_in):
                for i in range(size):
                    w[target + i] = w[source + s * n_out + m + i]
                target += size
            m += size
        if not turned or layer == 0:
            continue
        target, channels, m = places[TURNED] + start, plan[layer, BACK_OUT], 0
        while m < channels:
            size = outputs_of_tile(channels - m)
            for k in range(n_in // channels - 1, -1, -1):
                row = source + (k * channels + m) * n_out
                for o in range(n_out):
                    for i in range(size):
                        w[target + i] = w[row + i * n_out + o]
                    target += size
            m += size


@kernel
def forward(plan, places, at, w, blocks):
    """Activations and SCORES of the first ``blocks`` blocks of X of the first layer, by the weights
    that are PACKED."""
    last = plan.shape[0] - 1
    for layer in range(last + 1):
        row = plan[layer]
        weights = places[PACKED] + row[FLAT_START]
        bias = places[PARAMS] + row[FLAT_START] + row[N_IN] * row[N_OUT]
        mode = RELU if layer < last else PLAIN
        pixels = blocks * row[PIXELS]
        convolve(w, at, weights, row[N_OUT], row[WINDOW], row[N_IN], row[X], row[X_PLACES], row[Z],
                 row[Z_PLACES], 0, places[ZERO_TABLE], bias, 1, mode, pixels)  # fmt: skip
        if row[POOL_PIXELS] > 0:
            pool(at, w, row, plan[layer + 1, X], blocks)


@kernel
def pool(at, w, row, target, blocks):
    """The maxima over squares of 2 x 2 pixels of Z of the layer with this row of the plan, to
    ``target``: X of the next."""
    lanes = VECTOR_BYTES // w.itemsize
    size = row[N_OUT] * lanes
    for p in range(blocks * row[POOL_PIXELS]):
        z, x = row[Z] + at[row[POOL_Z] + p], target + at[row[POOL_X] + p]
        for q in range(0, size, lanes):
            largest(w, at, z + q, size, row[Z_DOWN], x + q)


@kernel
def data_gradient(plan, places, at, w, layer, blocks):
    """DZ of the layer below ``layer``, which is not the first, by the weights that are TURNED."""
    row = plan[layer]
    turned, channels = places[TURNED] + row[FLAT_START], row[BACK_OUT]
    convolve(w, at, turned, channels, row[BACK_WINDOW], row[BACK], row[DZ], row[BACK_X],
             row[BACK_TARGET], row[BACK_Z], row[X], row[MASK_X], places[ZERO], 0, MASK,
             blocks * row[BACK_PIXELS])  # fmt: skip
    if row[HAND_DOWN] == SPREAD:
        spread(at, w, row, plan[layer - 1], blocks)
    elif row[HAND_DOWN] != NOTHING:
        unpool(at, w, row, plan[layer - 1], blocks)


@kernel
def spread(at, w, row, below, blocks):
    """DZ of the layer below from the slopes of its outputs, pixel by pixel."""
    size = below[N_OUT] * (VECTOR_BYTES // w.itemsize)
    for p in range(blocks * below[PIXELS]):
        source, target = (
            row[BACK_TARGET] + at[row[HANDED] + p],
            below[DZ] + at[below[DZ_PLACES] + p],
        )
        for q in range(size):
            w[target + q] = w[source + q]


@kernel
def unpool(at, w, row, below, blocks):
    """DZ of the layer below from the slopes of the maxima: each goes to the first of the 2 x 2
    pixels, row by row, that has the maximum."""
    size = below[N_OUT] * (VECTOR_BYTES // w.itemsize)
    lanes = VECTOR_BYTES // w.itemsize
    for p in range(blocks * below[POOL_PIXELS]):
        z, x = below[Z] + at[below[POOL_Z] + p], row[X] + at[below[POOL_X] + p]
        dz, dx = below[DZ] + at[below[POOL_DZ] + p], row[BACK_TARGET] + at[row[HANDED] + p]
        for q in range(0, size, lanes):
            to_largest(w, at, z + q, size, below[Z_DOWN], x + q, dx + q, dz + q, below[DZ_RIGHT],
                       below[DZ_DOWN])  # fmt: skip


@formula
def outputs_of_strip(left):
    """Outputs of the next strip of SUMS where so many are left."""
    if left >= SLOPES:
        return SLOPES
    return 2 if left >= 2 else 1


@inlined
def strip(w, at, row, first, last, counts, pixels, sums, o, lanes, n_out):
    """``weight`` of the terms ``first`` … ``last`` - 1 of a layer with ``n_out`` outputs from ``o``
    on."""
    slopes, s = row[DZ] + o * lanes, first
    while s + TERMS_OF_TILE <= last:
        weight(w, at, row[X], row[TERMS] + s, row[X_PLACES], slopes, row[DZ_PLACES], pixels,
               sums, counts + s, n_out, TERMS_OF_TILE, n_out)  # fmt: skip
        s += TERMS_OF_TILE
    while s < last:
        weight(w, at, row[X], row[TERMS] + s, row[X_PLACES], slopes, row[DZ_PLACES], pixels,
               sums, counts + s, n_out, 1, n_out)  # fmt: skip
        s += 1


@kernel
def layer_gradient(plan, places, at, w, layer, blocks):
    """Add the gradient of a layer's weights, from its DZ, to SUMS, and that of its biases to
    GRADIENT."""
    lanes, row = VECTOR_BYTES // w.itemsize, plan[layer]
    pixels, zeros, counts = blocks * row[PIXELS], places[ZERO_TABLE], places[COUNT_TABLE]
    biases = places[GRADIENT] + row[FLAT_START] + row[N_IN] * row[N_OUT]
    for first in range(0, row[N_IN], row[SPAN]):
        last, o = min(first + row[SPAN], row[N_IN]), 0
        while o < row[N_OUT]:
            size = outputs_of_strip(row[N_OUT] - o)
            sums = places[SUMS] + row[FLAT_START] + o * row[N_IN]
            if size == SLOPES:
                strip(w, at, row, first, last, counts, pixels, sums, o, lanes, SLOPES)
            elif size == 2:
                strip(w, at, row, first, last, counts, pixels, sums, o, lanes, 2)
            else:
                strip(w, at, row, first, last, counts, pixels, sums, o, lanes, 1)
            o += size
    for o in range(row[N_OUT]):  # the weight of an input that is 1
        weight(w, at, places[ONES], zeros, zeros, row[DZ] + o * lanes, row[DZ_PLACES], pixels,
               biases + o, zeros, 0, 1, 1)  # fmt: skip


@kernel
def clear_gradient(places, w, count):
    """Set GRADIENT and SUMS, ``count`` numbers each, to 0."""
    for q in range(count):
        w[places[GRADIENT] + q] = w[places[SUMS] + q] = 0


@kernel
def unpack_gradient(plan, places, at, w):
    """GRADIENT of all weights, in the order of the parameters, from SUMS."""
    for layer in range(plan.shape[0]):
        row = plan[layer]
        gradient, source = places[GRADIENT] + row[FLAT_START], places[SUMS] + row[FLAT_START]
        o = 0
        while o < row[N_OUT]:
            size = outputs_of_strip(row[N_OUT] - o)
            for s in range(row[N_IN]):
                target = gradient + at[row[ROWS] + s] * row[N_OUT] + o
                for n in range(size):
                    w[target + n] = w[source + n]
                source += size
            o += size


@kernel
def backward(plan, places, at, w, blocks):
    """Add the gradient of all layers to SUMS and GRADIENT, from the slopes of the scores: DZ of the
    readout."""
    for layer in range(plan.shape[0] - 1, -1, -1):
        layer_gradient(plan, places, at, w, layer, blocks)
        if layer > 0:
            data_gradient(plan, places, at, w, layer, blocks)
