"""Networks on given points, on the card: scores, loss and accuracy by level, gradient of the mean
loss, norms.

Points pass in batches of BATCH_ROWS rows. For a gradient one block group takes all batches of
a run, in their order, so that its sum is always the same; for scores many groups share them."""

from typing import Any, NamedTuple

import numpy as np
from numba import float64, int64

from fracsim.kernels.cuda.block_group import (
    BLOCK,
    Grid,
    Memory,
    activations,
    arrays_of,
    group_barrier,
    plan_of,
    start_block,
)
from fracsim.kernels.cuda.product import ADD, REGISTERS
from fracsim.kernels.cuda.step import fill_ones, pass_through
from fracsim.kernels.cuda.target import cuda, device, kernel
from fracsim.kernels.network.losses import loss_and_slope

BATCH_ROWS = 100
"""Rows of a batch."""

THREADS = 128
"""Threads of a block that sums over points or parameters."""


class Question(NamedTuple):
    """R networks, by their memory, the points they are asked about, and the answers."""

    grid: Grid
    memory: Memory
    chosen: Any
    """(R,) int64, set of a run"""
    x: Any
    """(sets · N · d,)"""
    y: Any
    """(sets · N,)"""
    number: int
    """N"""
    batches: int
    """Batches in which N points pass"""
    scores: Any
    """(R, N), where they are asked for"""
    losses: Any
    """(batches, R), where gradients are: the sum of each batch"""
    peaks: Any
    """(R, units), where gradients are: the greatest activation of each hidden unit so far"""


@device
def load_rows(block, memory, question, first):
    """Copy the next points, from ``first`` on, into ``own``."""
    plan = plan_of(block)
    arrays, d = arrays_of(block, memory), plan.inputs
    chosen = question.chosen[block.run]
    rows = question.number - first
    if rows > plan.batch:
        rows = plan.batch
    if cuda.threadIdx.x == 0:
        block.rows = rows
    b = cuda.threadIdx.x
    while b < rows:
        index = chosen * question.number + first + b
        arrays.own[np.uint64(plan.labels + b)] = question.y[np.uint64(index)]
        for i in range(d):
            arrays.own[np.uint64(b * (d + 1) + i)] = question.x[np.uint64(index * d + i)]
        b += cuda.blockDim.x
    cuda.syncthreads()


@device
def keep_scores(block, memory, question, first):
    """Copy the scores of points ``first`` … out of ``own``."""
    plan = plan_of(block)
    arrays, run = arrays_of(block, memory), block.run
    b = cuda.threadIdx.x
    while b < block.rows:
        question.scores[run, first + b] = arrays.own[np.uint64(plan.parts + b)]
        b += cuda.blockDim.x


@device
def keep_loss(block, memory, question, batch):
    """Store the sum of losses of a batch."""
    plan = plan_of(block)
    run = block.run
    if cuda.threadIdx.x == 0 and block.rank == 0:
        question.losses[batch, run] = arrays_of(block, memory).own[np.uint64(plan.partials)]


@device
def raise_peaks(block, memory, question):
    """Raise the peaks of all hidden units to the activations of this batch; the threads of all
    blocks of the group share the units. A group barrier must follow."""
    plan = plan_of(block)
    arrays, run = arrays_of(block, memory), block.run
    first = arrays.rank * cuda.blockDim.x + cuda.threadIdx.x
    before = 0
    for layer in range(1, plan.depth + 1):
        array, start, stride = activations(plan, arrays, layer)
        o = first
        while o < stride - 1:  # the last column is of ones
            peak = question.peaks[run, before + o]
            for b in range(block.rows):
                value = array[np.uint64(start + b * stride + o)]
                if value > peak:
                    peak = value
            question.peaks[run, before + o] = peak
            o += plan.blocks * cuda.blockDim.x
        before += stride - 1


@device
def next_batch(block):
    """Number of the batch that is this block group's next, of those of its run; the groups take
    them in turn."""
    return block.group - block.run * block.groups + block.step * block.groups


@kernel(registers=REGISTERS)
def ask(question, constants, back):
    """Scores of every run, the batches shared by its block groups; or, if ``back``, the gradient of
    its mean loss, added to ``memory.gradient``, by one group."""
    memory = question.memory
    block = cuda.shared.array(1, BLOCK)[0]
    start_block(block, question.grid)
    fill_ones(block, memory)
    group_barrier(block, question.grid)
    while next_batch(block) < question.batches:
        load_rows(block, memory, question, next_batch(block) * block.batch)
        pass_through(block, question.grid, memory, constants, back, ADD)
        if back:
            keep_loss(block, memory, question, next_batch(block))
            raise_peaks(block, memory, question)
            group_barrier(block, question.grid)
        else:
            keep_scores(block, memory, question, next_batch(block) * block.batch)
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            block.step += 1
        cuda.syncthreads()


class Tally(NamedTuple):
    """Scores, what they are compared with, and the sums by level."""

    scores: Any
    """(R, N)"""
    chosen: Any
    """(R,) int64, set of a run"""
    y: Any
    """(sets, N)"""
    level: Any
    """(sets, N) int16"""
    loss: Any
    """(R, n + 1) float64: sums of losses"""
    right: Any
    """(R, n + 1) int64: correct predictions"""
    points: Any
    """(R, n + 1) int64"""


@kernel
def tally_levels(tally, code, levels):
    """Sums over the points of each level; one block for each run and level. A score of 0 counts as
    wrong."""
    loss, right, points = (
        cuda.shared.array(THREADS, float64),
        cuda.shared.array(THREADS, int64),
        cuda.shared.array(THREADS, int64),
    )
    run = cuda.blockIdx.x // levels
    wanted, thread, chosen = cuda.blockIdx.x - run * levels, cuda.threadIdx.x, tally.chosen[run]
    loss[thread], right[thread], points[thread] = 0, 0, 0
    for b in range(thread, tally.scores.shape[1], THREADS):
        if tally.level[chosen, b] == wanted:
            score, label = tally.scores[run, b], tally.y[chosen, b]
            value, _ = loss_and_slope(code, score, label)
            loss[thread] += value
            points[thread] += 1
            if score * label > 0:
                right[thread] += 1
    half = THREADS // 2
    while half > 0:
        cuda.syncthreads()
        if thread < half:
            loss[thread] += loss[thread + half]
            right[thread] += right[thread + half]
            points[thread] += points[thread + half]
        half //= 2
    if thread == 0:
        tally.loss[run, wanted] = loss[0]
        tally.right[run, wanted] = right[0]
        tally.points[run, wanted] = points[0]


class Parts(NamedTuple):
    """Gradients, and the norms of their layers."""

    dparams: Any
    """(R, Q)"""
    starts: Any
    """(layers + 1,) int64: the first element of each layer, and Q"""
    norms: Any
    """(R, layers) float64: squares of the norms"""


@kernel
def sum_squares(parts, layers):
    """Squares of the norms of each layer's part; one block for each run and layer."""
    partial = cuda.shared.array(THREADS, float64)
    run = cuda.blockIdx.x // layers
    layer, thread = cuda.blockIdx.x - run * layers, cuda.threadIdx.x
    partial[thread] = 0
    for e in range(parts.starts[layer] + thread, parts.starts[layer + 1], THREADS):
        value = float(parts.dparams[run, e])
        partial[thread] += value * value
    half = THREADS // 2
    while half > 0:
        cuda.syncthreads()
        if thread < half:
            partial[thread] += partial[thread + half]
        half //= 2
    if thread == 0:
        parts.norms[run, layer] = partial[0]
