"""Launchers: from arrays on the card to the kernels of ``train.py`` and ``evaluate.py``, with the
memory they need.

Each thread of the host has its stream and its workspace, so that threads may launch side by
side."""

from typing import Any

import numpy as np

from fracsim.kernels.cuda import evaluate as asking
from fracsim.kernels.cuda.block_group import Constants, Grid, Memory
from fracsim.kernels.cuda.layout import Plan, layer_table, make_plan
from fracsim.kernels.cuda.product import REGISTERS
from fracsim.kernels.cuda.stream import supply_for, train_on_stream
from fracsim.kernels.cuda.target import (
    WARP,
    launch,
    multiprocessors,
    shared_per_block,
    shared_per_multiprocessor,
    to_card,
    to_host,
)
from fracsim.kernels.cuda.train import (
    Before,
    Job,
    Points,
    Sums,
    add_losses,
    prepare,
    train_on_dataset,
)
from fracsim.kernels.cuda.workspace import Workspace
from fracsim.kernels.network.evaluate import layer_norms as norms_on_host
from fracsim.kernels.network.shape import FLAT_START, Shape, flat_layout
from fracsim.kernels.norms import LEAST, MOST
from fracsim.kernels.training.optimisers import TINY, needs_scaling
from fracsim.kernels.training.train import Dataset, Rule, State, Stream, fill_factors

MOST_STEPS = 2**16
"""Steps of a launch, at most: their losses and factors are kept on the card until its end."""

_RESERVED = 1024  # bytes of shared memory that the card keeps for itself, per block
_STATIC = 512  # bytes of it that kernels declare for themselves, and a little more
_REGISTERS = 65536  # of a multiprocessor
_BLOCKS_PER_MULTIPROCESSOR = 2
"""Block groups that share the points of a forward pass."""


def plan_for(shape: Shape, batch: int, itemsize: int, runs: int, **options: Any) -> Plan:
    """The plan of a launch of so many runs: blocks that run side by side share a multiprocessor's
    memory."""
    plan = make_plan(shape, batch, itemsize, 0, **options)
    fit = max(1, _REGISTERS // (REGISTERS * plan.threads))
    at_once = min(-(-runs * plan.groups * plan.blocks // multiprocessors()), fit)
    most = min(shared_per_block(), shared_per_multiprocessor() // at_once - _RESERVED) - _STATIC
    return make_plan(shape, batch, itemsize, most, **options)


def grid_for(shape: Shape, plan: Plan, runs: int, workspace: Workspace) -> Grid:
    """The grid of one launch: its counters are used up by it."""
    return Grid(
        plan,
        workspace.copy("layers", layer_table(shape, plan.batch).ravel()),
        workspace.copy("arrivals", np.zeros(runs * plan.groups, np.int32)),
        workspace.copy("tickets", np.zeros(1, np.int32)),
    )


def memory_for(plan: Plan, params: Any, gradient: Any, workspace: Workspace) -> Memory:
    """Memory of the block groups that work on R networks, params (R, Q) on the card."""
    groups, dtype = params.shape[0] * plan.groups, np.dtype(params.dtype)
    return Memory(
        flat(params),
        flat(gradient),
        workspace.empty("workspace", 1 if plan.resident else groups * plan.workspace_size, dtype),
        workspace.empty(
            "own", 1 if plan.own_shared else groups * plan.blocks * plan.own_size, dtype
        ),
        dtype.type(0),
    )


def bytes_for(plan: Plan, itemsize: int) -> int:
    """Bytes of the card for the state, the workspace and the gradient of one run."""
    work = 0 if plan.resident else plan.workspace_size
    own = 0 if plan.own_shared else plan.blocks * plan.own_size
    return itemsize * (4 * plan.parameters + work + own)


def constants_of(rule: Rule, count: int, real: Any) -> Constants:
    """The rule's numbers in the float type ``real``; ``count``: samples whose mean is the loss."""
    tiny = TINY[0] if real is np.float32 else TINY[1]
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
        real(tiny),
        int(real is np.float32 and needs_scaling(rule.epsilon, rule.beta2, tiny)),
    )


def flat(array: Any) -> Any:
    """The same memory as one row."""
    return array.reshape(int(np.prod(array.shape)))


def train(
    shape: Shape,
    plan: Plan,
    rule: Rule,
    learning_rate: Any,
    seed: Any,
    state: State,
    source: Dataset | Stream,
    set_of_run: Any,
    start: int,
    stop: int,
    workspace: Workspace,
) -> None:
    """Steps start+1 … stop of R runs; all arrays but a Stream's lie on the card. See
    ``CpuBackend.train``.

    No steps at all compile the kernels.
    """
    real, runs = np.dtype(state.params.dtype).type, set_of_run.shape[0]
    constants = constants_of(rule, rule.batch, real)
    memory = memory_for(plan, state.params, workspace.empty("no gradient", 1, real), workspace)
    kernel, data = _fed_by(source, plan, runs, workspace)
    losses = workspace.empty("losses", (max(1, min(MOST_STEPS, stop - start)), runs), real)
    rate, before = workspace.empty("rate", runs, real), workspace.empty("before", runs, np.int64)
    for first in range(start, max(stop, start + 1), MOST_STEPS):
        last = min(first + MOST_STEPS, stop)
        factors = np.empty((2, max(1, last - first)))
        fill_factors(rule, first, factors)
        job = Job(
            grid_for(shape, plan, runs, workspace),
            memory,
            (flat(state.m), flat(state.v)),
            state.correct,
            state.diverged,
            rate,
            seed,
            set_of_run,
            losses,
            workspace.copy("factors", factors.astype(real)),
        )
        begun = Before(learning_rate, state.diverged, rate, before)
        launch(prepare, -(-runs // WARP), WARP, 0, workspace.stream, begun)
        threads, size = plan.threads, plan.shared_bytes
        launch(
            kernel,
            runs * plan.blocks,
            threads,
            size,
            workspace.stream,
            job,
            constants,
            data,
            first,
            last,
        )
        sums = Sums(losses, state.loss_sum, state.counted, state.diverged, before)
        launch(
            add_losses, -(-runs // WARP), WARP, 0, workspace.stream, sums, rule.batch, first, last
        )


def _fed_by(
    source: Dataset | Stream, plan: Plan, runs: int, workspace: Workspace
) -> tuple[Any, Any]:
    """The kernel that trains on this source, and what it takes its batches from."""
    if isinstance(source, Stream):
        return train_on_stream, supply_for(source, plan, runs * plan.blocks, workspace)
    return train_on_dataset, Points(flat(source.x), flat(source.y), source.x.shape[1])


def scores(shape: Shape, params: Any, x: Any, y: Any, chosen: Any, workspace: Workspace) -> Any:
    """Scores (R, N), on the card."""
    real, runs, count = np.dtype(params.dtype).type, chosen.shape[0], x.shape[1]
    batches = -(-count // asking.BATCH_ROWS)
    groups = max(1, min(batches, -(-_BLOCKS_PER_MULTIPROCESSOR * multiprocessors() // runs)))
    plan = plan_for(shape, asking.BATCH_ROWS, real(0).itemsize, runs, blocks=1, groups=groups)
    answer = workspace.empty("scores", (runs, count), real)
    question = asking.Question(
        grid_for(shape, plan, runs, workspace),
        memory_for(plan, params, workspace.empty("no gradient", 1, real), workspace),
        chosen,
        flat(x),
        flat(y),
        count,
        batches,
        answer,
        workspace.empty("no losses", (1, 1), real),
        workspace.empty("no peaks", (1, 1), real),
    )
    ask(
        plan,
        question,
        constants_of(Rule(0, 0, 0, asking.BATCH_ROWS), count, real),
        False,
        workspace,
    )
    return answer


def gradient(
    shape: Shape,
    loss: int,
    params: Any,
    x: Any,
    y: Any,
    chosen: Any,
    workspace: Workspace,
    peaks: np.ndarray | None = None,
) -> tuple[Any, np.ndarray]:
    """dparams (R, Q), on the card, and the mean loss (R,). ``peaks`` (R, units), on the host, are
    raised to the greatest activations."""
    real, runs, count = np.dtype(params.dtype).type, chosen.shape[0], x.shape[1]
    batches = -(-count // asking.BATCH_ROWS)
    plan = plan_for(shape, asking.BATCH_ROWS, real(0).itemsize, runs, groups=1)
    dparams = to_card(np.zeros(params.shape, real), workspace.stream)
    losses = workspace.empty("losses", (batches, runs), real)
    if peaks is None:
        peaks = np.zeros((runs, sum(shape.widths)), real)
    raised = to_card(peaks if peaks.size else np.zeros((1, 1), real), workspace.stream)
    question = asking.Question(
        grid_for(shape, plan, runs, workspace),
        memory_for(plan, params, dparams, workspace),
        chosen,
        flat(x),
        flat(y),
        count,
        batches,
        workspace.empty("no scores", (1, 1), real),
        losses,
        raised,
    )
    ask(
        plan,
        question,
        constants_of(Rule(loss, 0, 0, asking.BATCH_ROWS), count, real),
        True,
        workspace,
    )
    if peaks.size:
        peaks[...] = to_host(raised, workspace.stream)
    return dparams, to_host(losses, workspace.stream).astype(np.float64).sum(axis=0) / count


def ask(
    plan: Plan, question: asking.Question, constants: Constants, back: bool, workspace: Workspace
) -> None:
    """Launch ``evaluate.ask``."""
    blocks = question.grid.arrivals.size * plan.blocks
    launch(
        asking.ask,
        blocks,
        plan.threads,
        plan.shared_bytes,
        workspace.stream,
        question,
        constants,
        back,
    )


def summary(
    loss: int, answer: Any, y: Any, level: Any, n: int, chosen: Any, workspace: Workspace
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
        workspace.empty("loss by level", place, np.float64),
        workspace.empty("right by level", place, np.int64),
        workspace.empty("points by level", place, np.int64),
    )
    launch(
        asking.tally_levels, runs * (n + 1), asking.THREADS, 0, workspace.stream, tally, loss, n + 1
    )
    loss_sum, right, points = (
        to_host(array, workspace.stream) for array in (tally.loss, tally.right, tally.points)
    )
    return loss_sum, right, points


def layer_norms(shape: Shape, dparams: Any, workspace: Workspace) -> np.ndarray:
    """L2 norms (R, T+1) of each layer's part of dparams (R, Q), on the card."""
    starts, layers = np.append(flat_layout(shape)[:, FLAT_START], dparams.shape[1]), shape.depth + 1
    norms = workspace.empty("norms", (dparams.shape[0], layers), np.float64)
    parts = asking.Parts(dparams, workspace.copy("starts", starts), norms)
    launch(
        asking.sum_squares,
        dparams.shape[0] * layers,
        asking.THREADS,
        0,
        workspace.stream,
        parts,
        layers,
    )
    found = np.sqrt(to_host(norms, workspace.stream))
    if dparams.dtype == np.float32 or ((found >= LEAST) & (found <= MOST)).all():
        return found  # float64 holds all squares of float32
    return np.array([norms_on_host(shape, flat) for flat in to_host(dparams, workspace.stream)])
