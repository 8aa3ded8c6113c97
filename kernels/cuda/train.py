"""Training many networks of one shape side by side: a bounded chunk of steps in one launch, a block
group per run.

A group takes its steps without the host: batch, forward, loss, backward, update, as on the CPU. The
kernels compute in the float type of the parameters alone. What needs float64 or has nothing to do
with a step is done outside: the optimiser's factors come from the host, and the sums of losses are
formed by a kernel of their own."""

from typing import Any, NamedTuple

import numpy as np

from fracsim.kernels.cuda.block_group import (
    BLOCK,
    Grid,
    Memory,
    arrays_of,
    group_barrier,
    plan_of,
    start_block,
)
from fracsim.kernels.cuda.noinline import call_noinline, pointer
from fracsim.kernels.cuda.product import PLAIN, REGISTERS
from fracsim.kernels.cuda.step import fill_ones, pass_through, update
from fracsim.kernels.cuda.target import cuda, device, kernel
from fracsim.kernels.random.feistel import epoch_key, shuffled


class Job(NamedTuple):
    """R runs of a launch of so many steps; ``memory`` holds their parameters."""

    grid: Grid
    memory: Memory
    moments: tuple[Any, Any]
    """m and v of ``State``, each (R · Q,)"""
    correct: Any
    """(R,) int64, as in ``State``"""
    diverged: Any
    """(R,) int64, as in ``State``"""
    rate: Any
    """(R,) learning rates, in the float type of the parameters"""
    seed: Any
    """(R,) uint64"""
    chosen: Any
    """(R,) int64, set of a run"""
    losses: Any
    """(steps, R): sums over the batches of this launch"""
    factors: Any
    """(2, steps): ``step_factors`` for a rate of 1"""


class Points(NamedTuple):
    """Training sets, flat."""

    x: Any
    """(sets · N · d,)"""
    y: Any
    """(sets · N,)"""
    number: int
    """N"""


@device
def gather(block, memory, x, y, count, chosen, seed, step):
    """Copy the batch of ``step`` = 1, 2, … of a data set, x and y being pointers, into ``own``, in
    its epoch's order.

    A batch that would cross the end of an epoch is dropped, as in ``kernels.train.gather``.
    """
    plan = plan_of(block)
    arrays = arrays_of(block, memory)
    per_epoch = count // plan.batch
    epoch = (step - 1) // per_epoch
    first = ((step - 1) - epoch * per_epoch) * plan.batch
    key = epoch_key(seed, epoch)
    d = plan.inputs
    b = cuda.threadIdx.x
    while b < plan.batch:
        index = chosen * count + np.int64(shuffled(first + b, count, key))
        arrays.own[np.uint64(plan.labels + b)] = y[np.uint64(index)]
        for i in range(d):
            arrays.own[np.uint64(b * (d + 1) + i)] = x[np.uint64(index * d + i)]
        b += cuda.blockDim.x
    cuda.syncthreads()


@device
def begin(block, job):
    """Parameters into shared memory, where they are resident, and the columns of ones. A group
    barrier must follow."""
    plan = plan_of(block)
    if plan.resident:
        arrays, start = arrays_of(block, job.memory), block.run * plan.parameters
        e = cuda.threadIdx.x
        while e < plan.parameters:
            arrays.params[np.uint64(e)] = job.memory.params[np.uint64(start + e)]
            e += cuda.blockDim.x
    fill_ones(block, job.memory)


@device
def finish(block, job, start):
    """What the run has come to, from step ``start`` on, into its state; parameters, too, where they
    are resident."""
    plan = plan_of(block)
    run = block.run
    if cuda.threadIdx.x == 0 and block.rank == 0:
        job.correct[run] += block.correct
        job.diverged[run] = -1 if block.finite else start + block.step
    if plan.resident:
        arrays, first = arrays_of(block, job.memory), run * plan.parameters
        e = cuda.threadIdx.x
        while e < plan.parameters:
            job.memory.params[np.uint64(first + e)] = arrays.params[np.uint64(e)]
            e += cuda.blockDim.x


@device
def take_step(block, job, constants):
    """The next step of the block group, on the batch in ``own``: descent, and its loss."""
    pass_through(block, job.grid, job.memory, constants, True, PLAIN)
    descend(block, job, constants)
    cuda.syncthreads()
    count_step(block, job)
    group_barrier(block, job.grid)


@device
def count_step(block, job):
    """Count a step, and store its sum of losses, between two group barriers."""
    plan = plan_of(block)
    if cuda.threadIdx.x == 0:
        if block.rank == 0:
            losses = arrays_of(block, job.memory).own
            job.losses[block.step, block.run] = losses[np.uint64(plan.partials)]
        block.step += 1


@device
def descend(block, job, constants):
    """The optimiser's step, unless the loss was not finite, between two group
    barriers."""
    if block.finite:
        at, m, v = block.step, pointer(job.moments[0], 0), pointer(job.moments[1], 0)
        rate, scale = job.rate[block.run] * job.factors[0, at], job.factors[1, at]
        call_noinline(update, (block, job.memory, constants, rate, scale, m, v))


@kernel(registers=REGISTERS)
def train_on_dataset(job, constants, points, start, stop):
    """Steps start+1 … stop of every run that has not diverged; a launch of runs × blocks of a
    group."""
    block = cuda.shared.array(1, BLOCK)[0]
    start_block(block, job.grid)
    if job.diverged[block.run] >= 0:
        return
    begin(block, job)
    group_barrier(block, job.grid)
    while block.step < stop - start and block.finite:
        run, x, y, step = (
            block.run,
            pointer(points.x, 0),
            pointer(points.y, 0),
            start + block.step + 1,
        )
        call_noinline(
            gather,
            (
                block,
                job.memory,
                x,
                y,
                points.number,
                job.chosen[run],
                job.seed[run],
                step,
            ),
        )
        take_step(block, job, constants)
    finish(block, job, start)


class Before(NamedTuple):
    """What a launch needs of its runs' state before it begins."""

    learning_rate: Any
    """(R,) float64"""
    diverged: Any
    """(R,) int64"""
    rate: Any
    """(R,) the learning rates in the float type of the parameters; written"""
    before: Any
    """(R,) a copy of ``diverged``; written"""


@kernel
def prepare(state):
    """Round the learning rates for the kernels that train, which compute in no other type, and keep
    which runs had diverged: both without the host."""
    run = cuda.grid(1)
    if run < state.rate.size:
        state.rate[run] = state.learning_rate[run]
        state.before[run] = state.diverged[run]


class Sums(NamedTuple):
    """The losses of a launch, and where they are added."""

    losses: Any
    """(steps, R)"""
    loss_sum: Any
    """(R,) float64"""
    counted: Any
    """(R,) int64"""
    diverged: Any
    """(R,) int64"""
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
