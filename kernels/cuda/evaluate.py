"""Networks on given points, on the card: scores, loss and accuracy by level, gradient of the mean
loss, norms.

Points pass in batches of BATCH_ROWS rows. For a gradient one team takes all batches of a run, in
their order, so that its sum is always the same; for scores many teams share them."""

from typing import Any, NamedTuple

import numpy as np
from numba import float64, int64

from fracsim.kernels.cuda.product import ADD, REGISTERS
from fracsim.kernels.cuda.step import fill_ones, pass_through
from fracsim.kernels.cuda.target import cuda, device, kernel
from fracsim.kernels.cuda.team import (
    BATCH,
    NOTES,
    RANK,
    ROWS,
    RUN,
    STEP,
    TEAM,
    TEAMS,
    Memory,
    Queue,
    assemble,
    meet,
    recall,
    take_notes,
)
from fracsim.kernels.losses import loss_and_slope

BATCH_ROWS = 100
"""Rows of a batch."""

THREADS = 128
"""Threads of a block that sums over points or parameters."""


class Question(NamedTuple):
    """R networks, by their memory, and the points they are asked about: chosen (R,) set of a run; x
    (sets · N · d,) and y (sets · N,), N = ``number`` in so many ``batches``. The answers: scores
    (R, N) or losses (batches, R), sums of each batch."""

    queue: Queue
    memory: Memory
    chosen: Any
    x: Any
    y: Any
    number: int
    batches: int
    scores: Any
    losses: Any


@device
def load_rows(notes, memory, question, first):
    """Copy the next points, from ``first`` on, into ``own``."""
    plan = recall(notes)
    team, d = assemble(notes, memory), plan.inputs
    chosen = question.chosen[notes[RUN]]
    rows = question.number - first
    if rows > plan.batch:
        rows = plan.batch
    if cuda.threadIdx.x == 0:
        notes[ROWS] = rows
    b = cuda.threadIdx.x
    while b < rows:
        index = chosen * question.number + first + b
        team.own[np.uint64(plan.labels + b)] = question.y[np.uint64(index)]
        for i in range(d):
            team.own[np.uint64(b * (d + 1) + i)] = question.x[np.uint64(index * d + i)]
        b += cuda.blockDim.x
    cuda.syncthreads()


@device
def keep_scores(notes, memory, question, first):
    """Copy the scores of points ``first`` … out of ``own``."""
    plan = recall(notes)
    team, run = assemble(notes, memory), notes[RUN]
    b = cuda.threadIdx.x
    while b < notes[ROWS]:
        question.scores[run, first + b] = team.own[np.uint64(plan.parts + b)]
        b += cuda.blockDim.x


@device
def keep_loss(notes, memory, question, batch):
    """Store the sum of losses of a batch."""
    plan = recall(notes)
    run = notes[RUN]
    if cuda.threadIdx.x == 0 and notes[RANK] == 0:
        question.losses[batch, run] = assemble(notes, memory).own[np.uint64(plan.partials)]


@device
def next_batch(notes):
    """Number of the batch that is this team's next, of those of its run; the teams take them in
    turn."""
    return notes[TEAM] - notes[RUN] * notes[TEAMS] + notes[STEP] * notes[TEAMS]


@kernel(registers=REGISTERS)
def ask(question, constants, back):
    """Scores of every run, the batches shared by its teams; or, if ``back``, the gradient of its
    mean loss, added to ``memory.gradient``, by one team."""
    memory = question.memory
    notes = cuda.shared.array(NOTES, int64)
    take_notes(notes, question.queue)
    fill_ones(notes, memory)
    meet(notes, question.queue)
    while next_batch(notes) < question.batches:
        load_rows(notes, memory, question, next_batch(notes) * notes[BATCH])
        pass_through(notes, question.queue, memory, constants, back, ADD)
        if back:
            keep_loss(notes, memory, question, next_batch(notes))
        else:
            keep_scores(notes, memory, question, next_batch(notes) * notes[BATCH])
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            notes[STEP] += 1
        cuda.syncthreads()


class Tally(NamedTuple):
    """Scores (R, N) and what they are compared with, y and level (sets, N), chosen (R,); per run
    and level, (R, n + 1): loss, float64, right and points, int64."""

    scores: Any
    chosen: Any
    y: Any
    level: Any
    loss: Any
    right: Any
    points: Any


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
    """dparams (R, Q), the first element of each layer and Q (layers + 1,), norms (R, layers)
    float64."""

    dparams: Any
    starts: Any
    norms: Any


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
