"""A network on given points, on the CPU: scores, loss and accuracy (by level), gradient of the mean
loss.

Points pass through in blocks of BLOCK rows; the result does not depend on anything but the points
and the parameters."""

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.network.layers import data_gradient, forward, layer_gradient, part_count
from fracsim.kernels.network.losses import batch_loss, loss_and_slope
from fracsim.kernels.network.shape import (
    DHIDDEN,
    GRADIENT,
    HIDDEN,
    HIDDEN_SIZE,
    INPUTS,
    LABELS,
    N_OUT,
    PARAMS,
    SCORES,
    SLOPE,
    STRIDE,
    M,
    Shape,
    layer_sizes,
    make_work,
    pack,
    unpack,
)
from fracsim.kernels.norms import norms
from fracsim.kernels.vectors import VECTOR_BYTES

BLOCK = 200
"""Rows of a block: enough to keep the tiles busy, few enough to stay in the cache."""


@formula
def load_points(w, inputs, x, first, rows):
    """Copy x[first : first + rows] (N, d) to ``inputs``."""
    d = x.shape[1]
    for b in range(rows):
        for i in range(d):
            w[inputs + b * d + i] = x[first + b, i]


@kernel
def scores_of(plan, places, params, x, scores):
    """scores (N,) = f(x) of the points x (N, d) under flat parameters (Q,); overwrites."""
    lanes = VECTOR_BYTES // params.itemsize
    w = make_work(places, params)
    pack(plan, params, w, places[PARAMS])
    for first in range(0, x.shape[0], BLOCK):
        rows = min(BLOCK, x.shape[0] - first)
        load_points(w, places[INPUTS], x, first, rows)
        forward(plan, places, w, rows)
        for b in range(rows):
            scores[first + b] = w[places[SCORES] + b * lanes]


@kernel
def summarise(loss, scores, y, level, loss_by_level, correct_by_level, count_by_level):
    """Add each point's loss, correctness and presence to its level's sums (n + 1,). A score of 0
    counts as wrong."""
    for b in range(scores.size):
        value, _ = loss_and_slope(loss, scores[b], y[b])
        loss_by_level[level[b]] += value
        correct_by_level[level[b]] += scores[b] * y[b] > 0
        count_by_level[level[b]] += 1


@formula
def raise_peaks(plan, places, w, rows, peaks):
    """Raise ``peaks`` (units,), layer by layer, to the activations of the first ``rows`` points."""
    first, hidden = 0, places[HIDDEN]
    for layer in range(plan.shape[0] - 1):
        n_out, stride = plan[layer, N_OUT], plan[layer, STRIDE]
        top = peaks[first : first + n_out]
        for b in range(rows):
            row = w[hidden + b * stride : hidden + b * stride + n_out]
            for o in range(n_out):  # of slices, so that LLVM vectorises it
                top[o] = row[o] if row[o] > top[o] else top[o]
        first += n_out
        hidden += places[HIDDEN_SIZE]


@kernel
def loss_gradient(plan, places, loss, params, x, y, dparams, peaks):
    """Mean loss over the points x (N, d), y (N,); ``dparams`` (Q,) = its gradient; overwrites.
    ``peaks`` (units,) are raised to the greatest activation of each hidden unit; of length 0, they
    are left out.

    The sum over the blocks is gathered where training keeps the first moments.
    """
    w = make_work(places, params)
    pack(plan, params, w, places[PARAMS])
    total = 0.0
    for first in range(0, x.shape[0], BLOCK):
        rows = min(BLOCK, x.shape[0] - first)
        load_points(w, places[INPUTS], x, first, rows)
        for b in range(rows):
            w[places[LABELS] + b] = y[first + b]
        forward(plan, places, w, rows)
        if peaks.size > 0:
            raise_peaks(plan, places, w, rows, peaks)
        loss_sum, _ = batch_loss(
            loss, rows, x.shape[0], w, places[SCORES], places[LABELS], places[SLOPE]
        )
        total += loss_sum
        dout, dinput = places[SLOPE], places[DHIDDEN]
        other = dinput + places[HIDDEN_SIZE]
        for layer in range(plan.shape[0] - 1, -1, -1):
            if layer > 0:
                data_gradient(plan, places, w, layer, rows, dout, dinput)
            for part in range(part_count(plan, layer)):
                start, size = layer_gradient(plan, places, w, layer, part, rows, dout)
                for q in range(size):
                    w[places[M] + start + q] += w[places[GRADIENT] + q]
            dout, dinput, other = dinput, other, dinput
    unpack(plan, w, places[M], dparams)
    return total / x.shape[0]


def layer_norms(shape: Shape, flat: np.ndarray) -> np.ndarray:
    """L2 norm (T+1,) of each layer's part (weights and biases, the readout last) of a flat vector
    (Q,)."""
    ends = np.cumsum([(n_in + 1) * n_out for n_in, n_out in layer_sizes(shape)])
    return np.array([norms(part) for part in np.split(flat, ends[:-1])])
