"""Launchers: from arrays on the card to the kernels of ``train.py`` and ``evaluate.py``, with the
memory they need.

Each thread of the host has its stream and its scratch memory, so that threads may launch side by
side."""

from typing import Any

import numpy as np

from fracsim.kernels.cuda import evaluate as asking
from fracsim.kernels.cuda.layout import Plan, make_plan
from fracsim.kernels.cuda.product import REGISTERS
from fracsim.kernels.cuda.scratch import Scratch
from fracsim.kernels.cuda.stream import supply_for, train_on_stream
from fracsim.kernels.cuda.target import (
    launch,
    multiprocessors,
    shared_per_block,
    shared_per_multiprocessor,
    to_card,
    to_host,
)
from fracsim.kernels.cuda.team import Constants, Memory, Queue
from fracsim.kernels.cuda.train import Job, Points, Sums, add_losses, train_on_dataset
from fracsim.kernels.network import Shape, layer_sizes
from fracsim.kernels.optimisers import NEGLIGIBLE
from fracsim.kernels.train import Dataset, Rule, State, Stream, fill_factors

MOST_STEPS = 2**16
"""Steps of a launch, at most: their losses and factors are kept on the card until its end."""

_RESERVED = 1024  # bytes of shared memory that the card keeps for itself, per block
_NOTES = 512  # bytes of it that the kernels' own notes take, and a little more
_REGISTERS = 65536  # of a multiprocessor
_BLOCKS_PER_MULTIPROCESSOR = 2
"""Teams that share the points of a forward pass."""


def plan_for(shape: Shape, batch: int, itemsize: int, runs: int, **options: Any) -> Plan:
    """The plan of a launch of so many runs: blocks that run side by side share a multiprocessor's
    memory."""
    plan = make_plan(shape, batch, itemsize, 0, **options)
    fit = max(1, _REGISTERS // (REGISTERS * plan.threads))
    at_once = min(-(-runs * plan.teams * plan.blocks // multiprocessors()), fit)
    most = min(shared_per_block(), shared_per_multiprocessor() // at_once - _RESERVED) - _NOTES
    return make_plan(shape, batch, itemsize, most, **options)


def queue_for(plan: Plan, runs: int, scratch: Scratch) -> Queue:
    """A fresh queue; for one launch only."""
    return Queue(
        scratch.copy("plan", plan.numbers),
        scratch.copy("meetings", np.zeros(runs * plan.teams, np.int32)),
        scratch.copy("tickets", np.zeros(1, np.int32)),
    )


def memory_for(plan: Plan, params: Any, gradient: Any, scratch: Scratch) -> Memory:
    """Memory of the teams that work on R networks, params (R, Q) on the card."""
    teams, dtype = params.shape[0] * plan.teams, np.dtype(params.dtype)
    return Memory(
        flat(params),
        flat(gradient),
        scratch.empty("work", 1 if plan.resident else teams * plan.work_size, dtype),
        scratch.empty("own", 1 if plan.own_shared else teams * plan.blocks * plan.own_size, dtype),
        dtype.type(0),
    )


def bytes_for(plan: Plan, itemsize: int) -> int:
    """Bytes of the card for the state, the work memory and the gradient of one run."""
    work = 0 if plan.resident else plan.work_size
    own = 0 if plan.own_shared else plan.blocks * plan.own_size
    return itemsize * (4 * plan.parameters + work + own)


def constants_of(rule: Rule, count: int, real: Any) -> Constants:
    """The rule's numbers in the float type ``real``; ``count``: samples whose mean is the loss."""
    return Constants(
        rule.loss,
        rule.optimizer,
        real(count),
        real(rule.momentum),
        real(rule.beta1),
        real(1.0 - rule.beta1),
        real(rule.beta2),
        real(1.0 - rule.beta2),
        real(rule.epsilon),
        real(NEGLIGIBLE),
    )


def flat(array: Any) -> Any:
    """The same memory as one row."""
    return array.reshape(int(np.prod(array.shape)))


def train(
    plan: Plan,
    rule: Rule,
    learning_rate: Any,
    seed: Any,
    state: State,
    source: Dataset | Stream,
    set_of_run: Any,
    start: int,
    stop: int,
    scratch: Scratch,
) -> None:
    """Steps start+1 … stop of R runs; all arrays but a Stream's lie on the card. See
    ``CpuBackend.train``.

    No steps at all compile the kernels.
    """
    real, runs = np.dtype(state.params.dtype).type, set_of_run.shape[0]
    constants = constants_of(rule, rule.batch, real)
    rates = to_host(learning_rate, scratch.stream).astype(
        real
    )  # the kernels compute in no other type
    memory = memory_for(plan, state.params, scratch.empty("no gradient", 1, real), scratch)
    kernel, data = _fed_by(source, plan, runs, scratch)
    losses = scratch.empty("losses", (max(1, min(MOST_STEPS, stop - start)), runs), real)
    for first in range(start, max(stop, start + 1), MOST_STEPS):
        last = min(first + MOST_STEPS, stop)
        factors = np.empty((2, max(1, last - first)))
        fill_factors(rule, first, factors)
        job = Job(
            queue_for(plan, runs, scratch),
            memory,
            (flat(state.m), flat(state.v)),
            state.correct,
            state.diverged,
            scratch.copy("rates", rates),
            seed,
            set_of_run,
            losses,
            scratch.copy("factors", factors.astype(real)),
        )
        before = scratch.copy("before", to_host(state.diverged, scratch.stream))
        threads, size = plan.threads, plan.shared_size * np.dtype(real).itemsize
        launch(
            kernel,
            runs * plan.blocks,
            threads,
            size,
            scratch.stream,
            job,
            constants,
            data,
            first,
            last,
        )
        sums = Sums(losses, state.loss_sum, state.counted, state.diverged, before)
        launch(add_losses, -(-runs // 32), 32, 0, scratch.stream, sums, rule.batch, first, last)


def _fed_by(source: Dataset | Stream, plan: Plan, runs: int, scratch: Scratch) -> tuple[Any, Any]:
    """The kernel that trains on this source, and what it takes its batches from."""
    if isinstance(source, Stream):
        return train_on_stream, supply_for(source, plan, runs * plan.blocks, scratch)
    return train_on_dataset, Points(flat(source.x), flat(source.y), source.x.shape[1])


def scores(shape: Shape, params: Any, x: Any, y: Any, chosen: Any, scratch: Scratch) -> Any:
    """Scores (R, N), on the card."""
    real, runs, count = np.dtype(params.dtype).type, chosen.shape[0], x.shape[1]
    batches = -(-count // asking.BATCH_ROWS)
    teams = max(1, min(batches, -(-_BLOCKS_PER_MULTIPROCESSOR * multiprocessors() // runs)))
    plan = plan_for(shape, asking.BATCH_ROWS, real(0).itemsize, runs, blocks=1, teams=teams)
    answer = scratch.empty("scores", (runs, count), real)
    question = asking.Question(
        queue_for(plan, runs, scratch),
        memory_for(plan, params, scratch.empty("no gradient", 1, real), scratch),
        chosen,
        flat(x),
        flat(y),
        count,
        batches,
        answer,
        scratch.empty("no losses", (1, 1), real),
    )
    ask(plan, question, constants_of(Rule(0, 0, 0, asking.BATCH_ROWS), count, real), False, scratch)
    return answer


def gradient(
    shape: Shape, loss: int, params: Any, x: Any, y: Any, chosen: Any, scratch: Scratch
) -> tuple[Any, np.ndarray]:
    """dparams (R, Q), on the card, and the mean loss (R,)."""
    real, runs, count = np.dtype(params.dtype).type, chosen.shape[0], x.shape[1]
    batches = -(-count // asking.BATCH_ROWS)
    plan = plan_for(shape, asking.BATCH_ROWS, real(0).itemsize, runs, teams=1)
    dparams = to_card(np.zeros(params.shape, real), scratch.stream)
    losses = scratch.empty("losses", (batches, runs), real)
    question = asking.Question(
        queue_for(plan, runs, scratch),
        memory_for(plan, params, dparams, scratch),
        chosen,
        flat(x),
        flat(y),
        count,
        batches,
        scratch.empty("no scores", (1, 1), real),
        losses,
    )
    ask(
        plan,
        question,
        constants_of(Rule(loss, 0, 0, asking.BATCH_ROWS), count, real),
        True,
        scratch,
    )
    return dparams, to_host(losses, scratch.stream).astype(np.float64).sum(axis=0) / count


def ask(
    plan: Plan, question: asking.Question, constants: Constants, back: bool, scratch: Scratch
) -> None:
    """Launch ``evaluate.ask``."""
    blocks = question.queue.meetings.size * plan.blocks
    size = plan.shared_size * constants.count.itemsize
    launch(asking.ask, blocks, plan.threads, size, scratch.stream, question, constants, back)


def summary(
    loss: int, answer: Any, y: Any, level: Any, n: int, chosen: Any, scratch: Scratch
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per run and level (R, n + 1): sum of losses, correct predictions, points, from scores (R, N)
    on the card."""
    runs = chosen.shape[0]
    place = (runs, n + 1)
    tally = asking.Tally(
        answer,
        chosen,
        y,
        level,
        scratch.empty("loss by level", place, np.float64),
        scratch.empty("right by level", place, np.int64),
        scratch.empty("points by level", place, np.int64),
    )
    launch(
        asking.tally_levels, runs * (n + 1), asking.THREADS, 0, scratch.stream, tally, loss, n + 1
    )
    loss_sum, right, points = (
        to_host(array, scratch.stream) for array in (tally.loss, tally.right, tally.points)
    )
    return loss_sum, right, points


def layer_norms(shape: Shape, dparams: Any, scratch: Scratch) -> np.ndarray:
    """L2 norms (R, T+1) of each layer's part of dparams (R, Q), on the card."""
    sizes = [(n_in + 1) * n_out for n_in, n_out in layer_sizes(shape)]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    norms = scratch.empty("norms", (dparams.shape[0], len(sizes)), np.float64)
    parts = asking.Parts(dparams, scratch.copy("starts", starts), norms)
    launch(
        asking.sum_squares,
        dparams.shape[0] * len(sizes),
        asking.THREADS,
        0,
        scratch.stream,
        parts,
        len(sizes),
    )
    return np.sqrt(to_host(norms, scratch.stream))
