"""Training many networks of one shape side by side: a bounded chunk of steps in one launch, a team
of blocks per run.

A team takes its steps without the host: batch, forward, loss, backward, update, as on the CPU. The
kernels compute in the float type of the parameters alone. What needs float64 or has nothing to do
with a step is done outside: the optimiser's factors come from the host, and the sums of losses are
formed by a kernel of their own."""

from typing import Any, NamedTuple

import numpy as np
from numba import int64

from fracsim.kernels.cuda.apart import call_apart, pointer
from fracsim.kernels.cuda.product import PLAIN, REGISTERS
from fracsim.kernels.cuda.step import fill_ones, pass_through, update
from fracsim.kernels.cuda.target import cuda, device, kernel
from fracsim.kernels.cuda.team import (
    CORRECT,
    FINITE,
    NOTES,
    RANK,
    RUN,
    STEP,
    Memory,
    Queue,
    assemble,
    meet,
    recall,
    take_notes,
)
from fracsim.kernels.feistel import epoch_key, shuffled


class Job(NamedTuple):
    """R runs of a launch: queue and memory, which holds their parameters; the rest of their state,
    flat, as in ``State``, ``moments`` being m and v; rate (R,), seed (R,) uint64, chosen (R,) set
    of a run; losses (steps, R): sums over the batches of this launch; factors (2, steps):
    ``step_factors`` for a rate of 1."""

    queue: Queue
    memory: Memory
    moments: tuple[Any, Any]
    correct: Any
    diverged: Any
    rate: Any
    seed: Any
    chosen: Any
    losses: Any
    factors: Any


class Points(NamedTuple):
    """Training sets: x (sets · N · d,) and y (sets · N,), flat, with N = ``number``."""

    x: Any
    y: Any
    number: int


@device
def gather(notes, memory, x, y, count, chosen, seed, step):
    """Copy the batch of ``step`` = 1, 2, … of a data set, x and y being pointers, into ``own``, in
    its epoch's order.

    A batch that would cross the end of an epoch is dropped, as in ``kernels.train.gather``.
    """
    plan = recall(notes)
    team = assemble(notes, memory)
    per_epoch = count // plan.batch
    epoch = (step - 1) // per_epoch
    first = ((step - 1) - epoch * per_epoch) * plan.batch
    key = epoch_key(seed, epoch)
    d = plan.inputs
    b = cuda.threadIdx.x
    while b < plan.batch:
        index = chosen * count + np.int64(shuffled(first + b, count, key))
        team.own[np.uint64(plan.labels + b)] = y[np.uint64(index)]
        for i in range(d):
            team.own[np.uint64(b * (d + 1) + i)] = x[np.uint64(index * d + i)]
        b += cuda.blockDim.x
    cuda.syncthreads()


@device
def begin(notes, job):
    """Parameters into shared memory, where they are resident, and the columns of ones. Meet after
    it."""
    plan = recall(notes)
    if plan.resident:
        team, start = assemble(notes, job.memory), notes[RUN] * plan.parameters
        e = cuda.threadIdx.x
        while e < plan.parameters:
            team.params[np.uint64(e)] = job.memory.params[np.uint64(start + e)]
            e += cuda.blockDim.x
    fill_ones(notes, job.memory)


@device
def finish(notes, job, start):
    """What the run has come to, from step ``start`` on, into its state; parameters, too, where they
    are resident."""
    plan = recall(notes)
    run = notes[RUN]
    if cuda.threadIdx.x == 0 and notes[RANK] == 0:
        job.correct[run] += notes[CORRECT]
        job.diverged[run] = -1 if notes[FINITE] else start + notes[STEP]
    if plan.resident:
        team, first = assemble(notes, job.memory), run * plan.parameters
        e = cuda.threadIdx.x
        while e < plan.parameters:
            job.memory.params[np.uint64(first + e)] = team.params[np.uint64(e)]
            e += cuda.blockDim.x


@device
def take_step(notes, job, constants):
    """The next step of the team, on the batch in ``own``: descent, and its loss."""
    pass_through(notes, job.queue, job.memory, constants, True, PLAIN)
    descend(notes, job, constants)
    cuda.syncthreads()
    count_step(notes, job)
    meet(notes, job.queue)


@device
def count_step(notes, job):
    """Count a step, and store its sum of losses. Meet before and after it."""
    plan = recall(notes)
    if cuda.threadIdx.x == 0:
        if notes[RANK] == 0:
            losses = assemble(notes, job.memory).own
            job.losses[notes[STEP], notes[RUN]] = losses[np.uint64(plan.partials)]
        notes[STEP] += 1


@device
def descend(notes, job, constants):
    """The optimiser's step, unless the loss was not finite. Meet before and after it."""
    if notes[FINITE]:
        at, m, v = notes[STEP], pointer(job.moments[0], 0), pointer(job.moments[1], 0)
        rate, scale = job.rate[notes[RUN]] * job.factors[0, at], job.factors[1, at]
        call_apart(update, (pointer(notes, 0), job.memory, constants, rate, scale, m, v))


@kernel(registers=REGISTERS)
def train_on_dataset(job, constants, points, start, stop):
    """Steps start+1 … stop of every run that has not diverged; a launch of runs × blocks of a
    team."""
    notes = cuda.shared.array(NOTES, int64)
    take_notes(notes, job.queue)
    if job.diverged[notes[RUN]] >= 0:
        return
    begin(notes, job)
    meet(notes, job.queue)
    while notes[STEP] < stop - start and notes[FINITE]:
        run, x, y, step = (
            notes[RUN],
            pointer(points.x, 0),
            pointer(points.y, 0),
            start + notes[STEP] + 1,
        )
        call_apart(
            gather,
            (
                pointer(notes, 0),
                job.memory,
                x,
                y,
                points.number,
                job.chosen[run],
                job.seed[run],
                step,
            ),
        )
        take_step(notes, job, constants)
    finish(notes, job, start)


class Sums(NamedTuple):
    """losses (steps, R) of a launch; where they are added: loss_sum (R,) float64, counted (R,)
    int64; diverged (R,)."""

    losses: Any
    loss_sum: Any
    counted: Any
    diverged: Any
    before: Any
    """(R,) ``diverged`` before the launch"""


@kernel
def add_losses(sums, batch, start, stop):
    """Add the losses of a launch, one after the other, so that it does not matter how steps are cut
    into launches."""
    run = cuda.grid(1)
    if run >= sums.loss_sum.size or sums.before[run] >= 0:
        return
    last = sums.diverged[run] if sums.diverged[run] >= 0 else stop
    total = sums.loss_sum[run]
    for at in range(last - start):
        total += sums.losses[at, run]
    sums.loss_sum[run] = total
    sums.counted[run] += (last - start) * batch
