"""Forward and backward through one network, on the CPU, built from register tiles.

Letters: B rows of a batch, n_in and n_out of a layer, T hidden layers. Everything a run touches
lies in one flat work array; ``network.py`` says where. (One array, because numba passes an array as
seven values: with ten of them a call cost more than a small layer.)"""

from fracsim.kernels.jit import formula, inlined, kernel
from fracsim.kernels.network.shape import (
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
    SLOPE,
    START,
    STRIDE,
    TURNED,
    ZEROS,
)
from fracsim.kernels.network.tiles import (
    MASK,
    PLAIN,
    PRODUCT,
    RELU,
    ROW_SUM,
    move_vector,
    tile,
    transpose_block,
)
from fracsim.kernels.vectors import VECTOR_BYTES

REGISTERS = 32 if VECTOR_BYTES == 64 else 16
ROWS_OF_1, ROWS_OF_2, ROWS_OF_3, ROWS_OF_4 = (10, 10, 5, 5) if REGISTERS == 32 else (8, 6, 4, 2)
"""Rows of a tile of 1, 2, 3, 4 vectors: what the registers hold."""

WIDEST_TILE = 4 if REGISTERS == 32 else 3
"""Most vectors in a tile's row."""

LONGEST_SUM = 128
"""Terms of a sum in one go: so many rows of a tile's width (32 KiB) stay in the first cache while
they serve all rows of C."""

PART_ROWS = 100
"""Rows of a layer's weights whose gradient is made, and used up, at a time: in a large layer it
would leave the cache."""

NO_MASK = (0, 0)
"""For a product that needs none."""

WORTH_MOVING = 0.75
"""Share of rows with a slope up to which the others are dropped before backward."""


@formula
def part_count(plan, layer):
    """How many parts ``layer_gradient`` has for a layer."""
    if layer == plan.shape[0] - 1:
        return 1
    return (plan[layer, N_IN] + PART_ROWS - 1) // PART_ROWS


@inlined
def tile_column(w, n_rows, a, rows, count, resume, first, mask, c, mode, tall, wide):
    """One column of tiles, each of ``tall`` rows and ``wide`` vectors, from the first row of C to
    its last. Operands as ``product`` takes them; ``first`` is a place alone."""
    for m in range(0, n_rows, tall):
        tile(
            w,
            a[0] + m * a[1],
            a[1],
            a[2],
            w,
            rows[0],
            0,
            rows[1],
            count,
            resume,
            w,
            first,
            w,
            mask[0] + m * mask[1],
            mask[1],
            w,
            c[0] + m * c[1],
            c[1],
            mode,
            PRODUCT,
            tall,
            wide,
        )


@kernel
def product(w, n_rows, n_vectors, total_count, a, rows, first, mask, c, mode):
    """C[m, :] = first + Σ_s A(m, s) row_s over any number of rows and vectors, cut into tiles; see
    ``tiles.py``.

    All operands lie in ``w`` and are given by a place and their steps: ``a`` (place, from row to
    row, from term to term), ``rows`` (place, from term to term), ``first`` (place, 1; or 0 where
    the sums start from one vector of zeros), ``mask`` and ``c`` (place, from row to row)."""
    lanes = VECTOR_BYTES // w.itemsize
    blocks = max(1, (total_count + LONGEST_SUM - 1) // LONGEST_SUM)
    v = 0
    while v < n_vectors:
        tiles_left = (n_vectors - v + WIDEST_TILE - 1) // WIDEST_TILE
        # near-equal widths: 7 vectors are 4 + 3
        width = (n_vectors - v + tiles_left - 1) // tiles_left
        f, k = first[0] + v * lanes * first[1], (mask[0] + v * lanes, mask[1])
        target = (c[0] + v * lanes, c[1])
        for block in range(blocks):
            begin = block * total_count // blocks
            count = (block + 1) * total_count // blocks - begin
            after = mode if block == blocks - 1 else PLAIN
            x = (a[0] + begin * a[2], a[1], a[2])
            r = (rows[0] + v * lanes + begin * rows[1], rows[1])
            if width == 1:
                tile_column(w, n_rows, x, r, count, block, f, k, target, after, ROWS_OF_1, 1)
            elif width == 2:
                tile_column(w, n_rows, x, r, count, block, f, k, target, after, ROWS_OF_2, 2)
            elif width == 3:
                tile_column(w, n_rows, x, r, count, block, f, k, target, after, ROWS_OF_3, 3)
            else:
                tile_column(w, n_rows, x, r, count, block, f, k, target, after, ROWS_OF_4, 4)
        v += width


@kernel
def sum_rows(w, n_vectors, batch, factor0, factor_step, rows0, stride, total0):
    """total[o] = Σ_b factor[b · factor_step] · rows[b, o], o over whole vectors; overwrites."""
    lanes = VECTOR_BYTES // w.itemsize
    whole = batch - batch % 4
    for v in range(n_vectors):
        tile(
            w,
            factor0,
            factor_step,
            4 * factor_step,
            w,
            rows0 + v * lanes,
            stride,
            4 * stride,
            whole // 4,
            0,
            w,
            0,
            w,
            0,
            0,
            w,
            total0 + v * lanes,
            0,
            PLAIN,
            ROW_SUM,
            4,
            1,
        )
    for b in range(whole, batch):
        for o in range(n_vectors * lanes):
            w[total0 + o] += w[factor0 + b * factor_step] * w[rows0 + b * stride + o]


@kernel
def forward(plan, places, w, batch):
    """HIDDEN and SCORES of the first ``batch`` rows of INPUTS. Overwrites TURNED."""
    lanes = VECTOR_BYTES // w.itemsize
    depth = plan.shape[0] - 1
    source, source_row, target = places[INPUTS], plan[0, N_IN], places[HIDDEN]
    for layer in range(depth):
        n_in, stride = plan[layer, N_IN], plan[layer, STRIDE]
        weights = places[PARAMS] + plan[layer, START]
        rows, first = (weights, stride), (weights + n_in * stride, 1)
        a, c = (source, source_row, 1), (target, stride)
        product(w, batch, stride // lanes, n_in, a, rows, first, NO_MASK, c, RELU)
        source, source_row, target = target, stride, target + places[HIDDEN_SIZE]
    n_in, weights = plan[depth, N_IN], places[PARAMS] + plan[depth, START]
    column = places[TURNED]
    for i in range(n_in):  # what other columns hold does not matter: nobody looks at their scores
        w[column + i * lanes] = w[weights + i]
    a, first = (source, source_row, 1), (weights + plan[depth, BACK_STRIDE], 1)
    product(w, batch, 1, n_in, a, (column, lanes), first, NO_MASK, (places[SCORES], lanes), PLAIN)


@kernel
def drop_inactive(plan, places, w, batch, rows):
    """Move the rows whose slope is not 0 to the front, in INPUTS, HIDDEN and SLOPE; returns how
    many rows are left.

    Where the hinge loss of a sample is 0, so is all that the sample adds to a gradient: once a
    network is right about most of its batch, backward costs little. Few such rows are not worth the
    moves. Overwrites rows (B,), int64."""
    lanes = VECTOR_BYTES // w.itemsize
    inputs, hidden, slope, d = places[INPUTS], places[HIDDEN], places[SLOPE], plan[0, N_IN]
    kept = 0
    for b in range(batch):
        rows[kept] = b
        kept += w[slope + b * lanes] != 0
    if kept > WORTH_MOVING * batch:
        return batch
    for i in range(kept):
        w[slope + i * lanes] = w[slope + rows[i] * lanes]
        for q in range(d):
            w[inputs + i * d + q] = w[inputs + rows[i] * d + q]
    for layer in range(plan.shape[0] - 1):
        stride = plan[layer, STRIDE]
        for i in range(kept):
            for v in range(0, stride, lanes):
                move_vector(w, hidden + rows[i] * stride + v, hidden + i * stride + v)
        hidden += places[HIDDEN_SIZE]
    return kept


@kernel
def data_gradient(plan, places, w, layer, batch, dout, dinput):
    """At ``dinput`` d loss / d pre-activations of the layer below, from that of this layer's at
    ``dout``.

    Overwrites TURNED with the weights transposed; they are not kept, because reading them back from
    a distant cache would cost as much as turning them again."""
    lanes = VECTOR_BYTES // w.itemsize
    stride, below = plan[layer, STRIDE], plan[layer, BACK_STRIDE]
    weights, turned = places[PARAMS] + plan[layer, START], places[TURNED]
    if layer == plan.shape[0] - 1:
        turned = weights  # the readout's weights are a row already
    else:
        for i in range(0, below, lanes):
            for o in range(0, stride, lanes):
                transpose_block(
                    w, weights + i * stride + o, stride, w, turned + o * below + i, below
                )
    hidden = places[HIDDEN] + (layer - 1) * places[HIDDEN_SIZE]
    a, first = (dout, stride, 1), (places[ZEROS], 0)
    mask, c = (hidden, below), (dinput, below)
    product(w, batch, below // lanes, plan[layer, N_OUT], a, (turned, below), first, mask, c, MASK)


@kernel
def layer_gradient(plan, places, w, layer, part, batch, dout):
    """GRADIENT of one part of a layer, from d loss / d the layer's outputs at ``dout``: (first
    element, size) in the working copy. There are ``part_count`` parts; the last holds the
    biases."""
    lanes = VECTOR_BYTES // w.itemsize
    n_in, stride, below = plan[layer, N_IN], plan[layer, STRIDE], plan[layer, BACK_STRIDE]
    start, gradient = plan[layer, START], places[GRADIENT]
    source, source_row = places[INPUTS], n_in
    if layer > 0:
        source, source_row = places[HIDDEN] + (layer - 1) * places[HIDDEN_SIZE], below
    if layer == plan.shape[0] - 1:
        sum_rows(w, below // lanes, batch, dout, stride, source, source_row, gradient)
        sum_rows(w, 1, batch, places[ONE], 0, dout, stride, gradient + below)
        return start, below + lanes
    parts = part_count(plan, layer)
    first, last = part * n_in // parts, (part + 1) * n_in // parts
    rows, vectors = last - first, stride // lanes
    a, zeros = (source + first, 1, source_row), (places[ZEROS], 0)
    product(w, rows, vectors, batch, a, (dout, stride), zeros, NO_MASK, (gradient, stride), PLAIN)
    if part == parts - 1:
        biases = gradient + rows * stride
        sum_rows(w, vectors, batch, places[ONE], 0, dout, stride, biases)
        last += 1
    return start + first * stride, (last - first) * stride
