"""One pass of a batch through a network, forward and backward, by a block group; and the step of
the optimiser.

Letters: B rows of a batch, T hidden layers, n_in and n_out of a layer. What goes into a layer lies
as (B, n_in + 1) with a last column of ones, and the parameters of a layer, weights then biases, as
one matrix (n_in + 1, n_out): a bias is the weight of the ones, and needs no formula of its own.
Inputs count as the activations of layer 0.

Rows whose loss has no slope add nothing to any gradient: backward works on a list of the others.
"""

import math

import numpy as np

from fracsim.kernels.cuda.block_group import (
    activations,
    arrays_of,
    dhidden_start,
    group_barrier,
    layer_of,
    plan_of,
)
from fracsim.kernels.cuda.layout import PARTIALS, PARTS
from fracsim.kernels.cuda.noinline import call_noinline, pointer
from fracsim.kernels.cuda.product import ADD, MASK, PLAIN, RELU, factor, multiply, result
from fracsim.kernels.cuda.target import WARP, cuda, device
from fracsim.kernels.network.losses import loss_and_slope
from fracsim.kernels.training.optimisers import (
    ADAM,
    SGD,
    adam_step,
    momentum_step,
    scaled_adam_step,
)

TOGETHER = 4
"""Parameters that a thread reads before it changes them, so that it seldom waits for memory."""


@device
def fill_ones(block, memory):
    """The columns of ones: of the inputs by every block, of the activations by the first. A
    group barrier must follow."""
    plan = plan_of(block)
    arrays = arrays_of(block, memory)
    b = cuda.threadIdx.x
    while b < plan.batch:
        arrays.own[np.uint64(b * (plan.inputs + 1) + plan.inputs)] = 1
        if arrays.rank == 0:
            for layer in range(1, plan.depth + 1):
                array, start, stride = activations(plan, arrays, layer)
                array[np.uint64(start + b * stride + stride - 1)] = 1
        b += cuda.blockDim.x


@device
def score(block, plan, arrays):
    """Scores of the rows in ``own``, by every block for itself."""
    rows = block.rows
    array, start, stride = activations(plan, arrays, plan.depth)
    weights = layer_of(plan, plan.depth).weights
    thread, parts = cuda.threadIdx.x, plan.parts
    b = thread >> 3
    while b < rows:
        total = arrays.zero
        i = thread & 7
        while i < stride:
            total += (
                array[np.uint64(start + b * stride + i)] * arrays.params[np.uint64(weights + i)]
            )
            i += PARTS
        arrays.own[np.uint64(parts + (thread & 7) * plan.batch + b)] = total
        b += cuda.blockDim.x >> 3
    cuda.syncthreads()
    b = thread
    while b < rows:
        total = arrays.own[np.uint64(parts + b)]
        for part in range(1, PARTS):
            total += arrays.own[np.uint64(parts + part * plan.batch + b)]
        arrays.own[np.uint64(parts + b)] = total
        b += cuda.blockDim.x
    cuda.syncthreads()


@device
def reduce_losses(block, plan, arrays, constants):
    """From the scores, the sum of losses (left as the first of the partial sums), the correct
    predictions, and the list of active rows and their slopes. Every block does it for itself."""
    own, thread, rows = arrays.own, cuda.threadIdx.x, block.rows
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
        loss, right, active = arrays.zero, 0, 0
        for b in range(first, last):
            loss += own[np.uint64(plan.losses + b)]
            right += int(own[np.uint64(plan.right + b)])
            if own[np.uint64(plan.slopes + b)] != 0:
                active += 1
        own[np.uint64(plan.partials + thread)] = loss
        own[np.uint64(plan.partials + PARTIALS + thread)] = right
        own[np.uint64(plan.partials + 2 * PARTIALS + thread)] = active
    cuda.syncthreads()
    total, correct, listed, before = arrays.zero, 0, 0, 0
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
        block.active, block.finite = listed, math.isfinite(total)
        block.correct += correct
    cuda.syncthreads()


@device
def backpropagate_scores(plan, arrays, active):
    """d loss / d pre-activations of the last hidden layer for the active rows. A group
    barrier must follow."""
    if plan.depth == 0:
        return
    array, start, stride = activations(plan, arrays, plan.depth)
    target = dhidden_start(plan, plan.depth - 1)
    readout = layer_of(plan, plan.depth)
    k, weights = readout.inputs, readout.weights
    warps, lane = cuda.blockDim.x // WARP, cuda.threadIdx.x % WARP
    c = arrays.rank * warps + cuda.threadIdx.x // WARP
    while c < active:
        row = int(arrays.own[np.uint64(plan.active_rows + c)])
        slope = arrays.own[np.uint64(plan.active_slopes + c)]
        for i in range(lane, k, WARP):
            back = arrays.params[np.uint64(weights + i)] * slope
            if not array[np.uint64(start + row * stride + i)] > 0:
                back = slope - slope
            arrays.workspace[np.uint64(target + c * k + i)] = back
        c += plan.blocks * warps


@device
def readout_gradient(plan, arrays, active, mode):
    """Gradient of the readout's weights and bias."""
    array, start, stride = activations(plan, arrays, plan.depth)
    target = layer_of(plan, plan.depth).weights
    first = arrays.rank * cuda.blockDim.x + cuda.threadIdx.x
    i = first
    while i < stride:
        total = arrays.zero
        for c in range(active):
            row = int(arrays.own[np.uint64(plan.active_rows + c)])
            slope = arrays.own[np.uint64(plan.active_slopes + c)]
            total += array[np.uint64(start + row * stride + i)] * slope
        if mode == ADD:
            arrays.gradient[np.uint64(target + i)] += total
        else:
            arrays.gradient[np.uint64(target + i)] = total
        i += plan.blocks * cuda.blockDim.x


@device
def product(block, memory, number, mode):
    """Product ``number`` of a pass through the network; see ``pass_through``."""
    plan, arrays = plan_of(block), arrays_of(block, memory)
    active, rows_of = np.int32(block.active), pointer(arrays.own, plan.active_rows)
    layer = number if number < plan.depth else plan.depth - 1 - ((number - plan.depth - 1) >> 1)
    it = layer_of(plan, layer)
    k, place = it.outputs, it.weights
    array, start, stride = activations(plan, arrays, layer)
    under, above = pointer(array, start), pointer(arrays.workspace, dhidden_start(plan, layer))
    weights, terms, listed = pointer(arrays.params, place), active, False
    if number < plan.depth:  # forward
        _, target, _ = activations(plan, arrays, layer + 1)
        a, b, terms = (
            factor(under, block.rows, stride, 1),
            factor(weights, k, 1, k),
            np.int32(stride),
        )
        c = result(RELU, pointer(arrays.workspace, target), k + 1, under, 0)
    elif (number - plan.depth) & 1:  # back to the layer below
        n_in, below = it.inputs, pointer(arrays.workspace, dhidden_start(plan, layer - 1))
        a, b, terms = factor(above, active, k, 1), factor(weights, n_in, k, 1), np.int32(k)
        c = result(MASK, below, n_in, under, stride)
    else:  # gradient
        a, b, listed = factor(under, stride, 1, stride), factor(above, k, 1, k), True
        c = result(mode, pointer(arrays.gradient, place), k, under, 0)
    call_noinline(
        multiply,
        (plan.tiling, plan.blocks, arrays.rank, arrays.own, a, b, terms, rows_of, listed, c),
    )


@device
def read_out(block, memory, constants, back, mode):
    """Scores and, if ``back``, all about the loss and the readout. A group barrier must
    follow.

    With PLAIN gradients nothing follows a loss that is not finite.
    """
    plan = plan_of(block)
    arrays = arrays_of(block, memory)
    score(block, plan, arrays)
    if back:
        reduce_losses(block, plan, arrays, constants)
        if mode != PLAIN or block.finite:
            backpropagate_scores(plan, arrays, block.active)
            readout_gradient(plan, arrays, block.active, mode)


@device
def pass_through(block, grid, memory, constants, back, mode):
    """Activations and scores of the rows in ``own`` and, if ``back``, gradients of all parameters.

    The products 0 … T-1 are the hidden layers; in place T the readout follows, and all about the
    loss. Then come the layers backwards, each with the product that goes back to the layer below
    and that of its gradient. A group barrier stands between products that need
    each other."""
    number = np.int32(0)
    while number < (3 if back else 1) * block.depth + 1:
        depth = block.depth
        if number == depth:
            call_noinline(read_out, (block, memory, constants, back, mode))
        elif (mode != PLAIN or block.finite) and number != 3 * depth - 1:
            product(block, memory, number, mode)
        if number <= block.depth or (number - block.depth) & 1 == 0:
            group_barrier(block, grid)
        number = np.int32(number + 1)


@device
def update(block, memory, constants, rate, scale, m, v):
    """One step of the optimiser for all parameters; m and v (R · Q,) are pointers. A group
    barrier must follow."""
    plan = plan_of(block)
    arrays = arrays_of(block, memory)
    m, v = pointer(m, block.run * plan.parameters), pointer(v, block.run * plan.parameters)
    stride = plan.blocks * cuda.blockDim.x
    kind = arrays.shared.dtype
    p, g = cuda.local.array(TOGETHER, kind), cuda.local.array(TOGETHER, kind)
    first, second = cuda.local.array(TOGETHER, kind), cuda.local.array(TOGETHER, kind)
    start = arrays.rank * cuda.blockDim.x + cuda.threadIdx.x
    while start < plan.parameters:
        for u in range(TOGETHER):
            e = start + u * stride
            if e < plan.parameters:
                p[u] = arrays.params[np.uint64(e)]
                g[u] = arrays.gradient[np.uint64(e)]
                if constants.optimizer != SGD:
                    first[u] = m[np.uint64(e)]
                if constants.optimizer == ADAM:
                    second[u] = v[np.uint64(e)]
        for u in range(TOGETHER):
            e = start + u * stride
            if e < plan.parameters:
                if constants.optimizer == ADAM and constants.scaled:
                    p[u], first[u], second[u] = scaled_adam_step(
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
                    )
                    v[np.uint64(e)] = second[u]
                elif constants.optimizer == ADAM:
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
                        constants.tiny,
                        constants.tiny,
                    )
                    v[np.uint64(e)] = second[u]
                elif constants.optimizer == SGD:
                    p[u] -= rate * g[u]
                else:
                    p[u], first[u] = momentum_step(
                        p[u], first[u], g[u], rate, constants.momentum, constants.tiny
                    )
                if constants.optimizer != SGD:
                    m[np.uint64(e)] = first[u]
                arrays.params[np.uint64(e)] = p[u]
        start += TOGETHER * stride
