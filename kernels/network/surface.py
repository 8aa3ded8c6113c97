"""The loss of a network over a subspace of its parameters, on the CPU.

At every place of the subspace the parameters are made, laid out for the tiles, and the points pass
through block by block: one work array, and no parameters but one network's, whatever the grid."""

import numpy as np

from fracsim.kernels.jit import kernel
from fracsim.kernels.network.evaluate import BLOCK, load_points
from fracsim.kernels.network.layers import forward
from fracsim.kernels.network.losses import loss_and_slope
from fracsim.kernels.network.shape import INPUTS, PARAMS, SCORES, make_work, pack
from fracsim.kernels.vectors import VECTOR_BYTES


@kernel
def loss_surface(plan, places, loss, centre, directions, at, x, y, group, losses, correct):
    """losses (G, J) = sums of the losses, correct (G, J) = right signs, by group of the points, at
    parameters centre + at · directions; overwrites.

    centre (Q,), directions (D, Q), at (G, D), losses: float64; correct: int64; x (N, d), y (N,) in
    the float type of the arithmetic; group (N,) from 0 to J - 1. ``plan`` is for blocks of BLOCK. A
    score of 0 counts as wrong, a score that is no number makes the sum none."""
    lanes = VECTOR_BYTES // x.itemsize
    w = make_work(places, x)
    params = np.empty(centre.size, x.dtype)
    for g in range(at.shape[0]):
        for q in range(centre.size):
            value = centre[q]
            for i in range(at.shape[1]):
                value += at[g, i] * directions[i, q]
            params[q] = value
        pack(plan, params, w, places[PARAMS])
        for j in range(losses.shape[1]):
            losses[g, j], correct[g, j] = 0.0, 0
        for first in range(0, x.shape[0], BLOCK):
            rows = min(BLOCK, x.shape[0] - first)
            load_points(w, places[INPUTS], x, first, rows)
            forward(plan, places, w, rows)
            for b in range(rows):
                score, label = w[places[SCORES] + b * lanes], y[first + b]
                value, _ = loss_and_slope(loss, score, label)
                losses[g, group[first + b]] += value
                correct[g, group[first + b]] += score * label > 0
