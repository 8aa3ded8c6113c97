"""One pass of a batch through a network, forward and backward, by a team of blocks; and the step of
the optimiser.

Letters: B rows of a batch, T hidden layers of width k. Activations lie as (B, k + 1) with a last
column of ones, and the parameters of a layer, weights then biases, as one matrix (n_in + 1, n_out):
a bias is the weight of the ones, and needs no formula of its own. Inputs count as the activations
of layer 0.

Rows whose loss has no slope add nothing to any gradient: backward works on a list of the others.
"""

import math

import numpy as np

from fracsim.kernels.cuda.apart import call_apart, pointer
from fracsim.kernels.cuda.layout import PARTIALS, PARTS
from fracsim.kernels.cuda.product import ADD, MASK, PLAIN, RELU, factor, multiply, result
from fracsim.kernels.cuda.target import WARP, cuda, device
from fracsim.kernels.cuda.team import (
    ACTIVE,
    CORRECT,
    DEPTH,
    FINITE,
    ROWS,
    RUN,
    activations,
    assemble,
    dhidden_start,
    layer_start,
    meet,
    recall,
)
from fracsim.kernels.losses import loss_and_slope
from fracsim.kernels.optimisers import ADAM, SGD, adam_step, momentum_step

TOGETHER = 4
"""Parameters that a thread reads before it changes them, so that it seldom waits for memory."""


@device
def fill_ones(notes, memory):
    """The columns of ones: of the inputs by every block, of the activations by the first. Meet
    after it."""
    plan = recall(notes)
    team = assemble(notes, memory)
    b = cuda.threadIdx.x
    while b < plan.batch:
        team.own[np.uint64(b * (plan.inputs + 1) + plan.inputs)] = 1
        if team.rank == 0:
            for layer in range(1, plan.depth + 1):
                array, start, stride = activations(plan, team, layer)
                array[np.uint64(start + b * stride + plan.width)] = 1
        b += cuda.blockDim.x


@device
def score(notes, plan, team):
    """Scores of the rows in ``own``, by every block for itself."""
    rows = notes[ROWS]
    array, start, stride = activations(plan, team, plan.depth)
    weights = layer_start(plan, plan.depth)
    thread, parts = cuda.threadIdx.x, plan.parts
    b = thread >> 3
    while b < rows:
        total = team.zero
        i = thread & 7
        while i < stride:
            total += array[np.uint64(start + b * stride + i)] * team.params[np.uint64(weights + i)]
            i += PARTS
        team.own[np.uint64(parts + (thread & 7) * plan.batch + b)] = total
        b += cuda.blockDim.x >> 3
    cuda.syncthreads()
    b = thread
    while b < rows:
        total = team.own[np.uint64(parts + b)]
        for part in range(1, PARTS):
            total += team.own[np.uint64(parts + part * plan.batch + b)]
        team.own[np.uint64(parts + b)] = total
        b += cuda.blockDim.x
    cuda.syncthreads()


@device
def settle(notes, plan, team, constants):
    """From the scores, the sum of losses (left as the first of the partial sums), the correct
    predictions, and the list of active rows and their slopes. Every block does it for itself."""
    own, thread, rows = team.own, cuda.threadIdx.x, notes[ROWS]
    b = thread
    while b < rows:
        f, label = own[np.uint64(plan.parts + b)], own[np.uint64(plan.labels + b)]
        loss, slope = loss_and_slope(constants.loss, f, label)
        own[np.uint64(plan.losses + b)] = loss
        own[np.uint64(plan.slopes + b)] = slope / constants.count
        own[np.uint64(plan.right + b)] = 1 if f * label > 0 else 0
        b += cuda.blockDim.x
    cuda.syncthreads()
    each = (rows + PARTIALS - 1) // PARTIALS
    first, last = thread * each, (thread + 1) * each
    if last > rows:
        last = rows
    if thread < PARTIALS:
        loss, right, active = team.zero, 0, 0
        for b in range(first, last):
            loss += own[np.uint64(plan.losses + b)]
            right += int(own[np.uint64(plan.right + b)])
            if own[np.uint64(plan.slopes + b)] != 0:
                active += 1
        own[np.uint64(plan.partials + thread)] = loss
        own[np.uint64(plan.partials + PARTIALS + thread)] = right
        own[np.uint64(plan.partials + 2 * PARTIALS + thread)] = active
    cuda.syncthreads()
    total, correct, listed, before = team.zero, 0, 0, 0
    for part in range(PARTIALS):
        total += own[np.uint64(plan.partials + part)]
        correct += int(own[np.uint64(plan.partials + PARTIALS + part)])
        if part == thread:
            before = listed
        listed += int(own[np.uint64(plan.partials + 2 * PARTIALS + part)])
    if thread < PARTIALS:
        for b in range(first, last):
            slope = own[np.uint64(plan.slopes + b)]
            if slope != 0:
                own[np.uint64(plan.active_slopes + before)] = slope
                own[np.uint64(plan.active_rows + before)] = b
                before += 1
    cuda.syncthreads()
    if thread == 0:
        own[np.uint64(plan.partials)] = total
        notes[ACTIVE], notes[FINITE] = listed, math.isfinite(total)
        notes[CORRECT] += correct
    cuda.syncthreads()


@device
def spread(plan, team, active):
    """d loss / d pre-activations of the last hidden layer for the active rows. Meet after it."""
    if plan.depth == 0:
        return
    array, start, stride = activations(plan, team, plan.depth)
    target = dhidden_start(plan, plan.depth - 1)
    weights = layer_start(plan, plan.depth)
    warps, lane = cuda.blockDim.x // WARP, cuda.threadIdx.x % WARP
    c = team.rank * warps + cuda.threadIdx.x // WARP
    while c < active:
        row = int(team.own[np.uint64(plan.active_rows + c)])
        slope = team.own[np.uint64(plan.active_slopes + c)]
        for i in range(lane, plan.width, WARP):
            back = team.params[np.uint64(weights + i)] * slope
            if not array[np.uint64(start + row * stride + i)] > 0:
                back = slope - slope
            team.work[np.uint64(target + c * plan.width + i)] = back
        c += plan.blocks * warps


@device
def readout_gradient(plan, team, active, mode):
    """Gradient of the readout's weights and bias."""
    array, start, stride = activations(plan, team, plan.depth)
    target = layer_start(plan, plan.depth)
    first = team.rank * cuda.blockDim.x + cuda.threadIdx.x
    i = first
    while i < stride:
        total = team.zero
        for c in range(active):
            row = int(team.own[np.uint64(plan.active_rows + c)])
            slope = team.own[np.uint64(plan.active_slopes + c)]
            total += array[np.uint64(start + row * stride + i)] * slope
        if mode == ADD:
            team.gradient[np.uint64(target + i)] += total
        else:
            team.gradient[np.uint64(target + i)] = total
        i += plan.blocks * cuda.blockDim.x


@device
def product(notes, memory, number, mode):
    """Product ``number`` of a pass through the network; see ``pass_through``."""
    plan, team = recall(notes), assemble(notes, memory)
    k, active, rows_of = plan.width, np.int32(notes[ACTIVE]), pointer(team.own, plan.active_rows)
    layer = number if number < plan.depth else plan.depth - 1 - ((number - plan.depth - 1) >> 1)
    array, start, stride = activations(plan, team, layer)
    under, above = pointer(array, start), pointer(team.work, dhidden_start(plan, layer))
    weights, terms, listed = pointer(team.params, layer_start(plan, layer)), active, False
    if number < plan.depth:  # forward
        _, target, _ = activations(plan, team, layer + 1)
        a, b, terms = (
            factor(under, notes[ROWS], stride, 1),
            factor(weights, k, 1, k),
            np.int32(stride),
        )
        c = result(RELU, pointer(team.work, target), k + 1, under, 0)
    elif (number - plan.depth) & 1:  # back to the layer below
        a, b, terms = factor(above, active, k, 1), factor(weights, k, k, 1), np.int32(k)
        c = result(MASK, pointer(team.work, dhidden_start(plan, layer - 1)), k, under, stride)
    else:  # gradient
        a, b, listed = factor(under, stride, 1, stride), factor(above, k, 1, k), True
        c = result(mode, pointer(team.gradient, layer_start(plan, layer)), k, under, 0)
    call_apart(
        multiply, (plan.block, plan.blocks, team.rank, team.own, a, b, terms, rows_of, listed, c)
    )


@device
def read_out(notes, memory, constants, back, mode):
    """Scores and, if ``back``, all about the loss and the readout. Meet after it.

    With PLAIN gradients nothing follows a loss that is not finite.
    """
    plan = recall(notes)
    team = assemble(notes, memory)
    score(notes, plan, team)
    if back:
        settle(notes, plan, team, constants)
        if mode != PLAIN or notes[FINITE]:
            spread(plan, team, notes[ACTIVE])
            readout_gradient(plan, team, notes[ACTIVE], mode)


@device
def pass_through(notes, queue, memory, constants, back, mode):
    """Activations and scores of the rows in ``own`` and, if ``back``, gradients of all parameters.

    The products 0 … T-1 are the hidden layers; in place T the readout follows, and all about the
    loss. Then come the layers backwards, each with the product that goes back to the layer below
    and that of its gradient. The team meets between products that need each other."""
    number = np.int32(0)
    while number < (3 if back else 1) * notes[DEPTH] + 1:
        depth = notes[DEPTH]
        if number == depth:
            call_apart(read_out, (pointer(notes, 0), memory, constants, back, mode))
        elif (mode != PLAIN or notes[FINITE]) and number != 3 * depth - 1:
            product(notes, memory, number, mode)
        if number <= notes[DEPTH] or (number - notes[DEPTH]) & 1 == 0:
            meet(notes, queue)
        number = np.int32(number + 1)


@device
def update(notes, memory, constants, rate, scale, m, v):
    """One step of the optimiser for all parameters; m and v (R · Q,) are pointers. Meet after
    it."""
    plan = recall(notes)
    team = assemble(notes, memory)
    m, v = pointer(m, notes[RUN] * plan.parameters), pointer(v, notes[RUN] * plan.parameters)
    stride = plan.blocks * cuda.blockDim.x
    kind = team.shared.dtype
    p, g = cuda.local.array(TOGETHER, kind), cuda.local.array(TOGETHER, kind)
    first, second = cuda.local.array(TOGETHER, kind), cuda.local.array(TOGETHER, kind)
    start = team.rank * cuda.blockDim.x + cuda.threadIdx.x
    while start < plan.parameters:
        for u in range(TOGETHER):
            e = start + u * stride
            if e < plan.parameters:
                p[u] = team.params[np.uint64(e)]
                g[u] = team.gradient[np.uint64(e)]
                if constants.optimizer != SGD:
                    first[u] = m[np.uint64(e)]
                if constants.optimizer == ADAM:
                    second[u] = v[np.uint64(e)]
        for u in range(TOGETHER):
            e = start + u * stride
            if e < plan.parameters:
                if constants.optimizer == ADAM:
                    p[u], first[u], second[u] = adam_step(
                        p[u],
                        first[u],
                        second[u],
                        g[u],
                        rate,
                        constants.beta1,
                        constants.other1,
                        constants.beta2,
                        constants.other2,
                        scale,
                        constants.epsilon,
                        constants.negligible,
                    )
                    v[np.uint64(e)] = second[u]
                elif constants.optimizer == SGD:
                    p[u] -= rate * g[u]
                else:
                    p[u], first[u] = momentum_step(
                        p[u], first[u], g[u], rate, constants.momentum, constants.negligible
                    )
                if constants.optimizer != SGD:
                    m[np.uint64(e)] = first[u]
                team.params[np.uint64(e)] = p[u]
        start += TOGETHER * stride
