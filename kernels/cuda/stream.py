"""Training on fresh samples: as ``train.train_on_dataset``, but every step's batch is drawn, on the
card.

A thread draws a sample at a time. Every block of a group draws the whole batch for itself, as it
would gather it: the samples are pure functions of (seed, STREAM, index), so all blocks have the
same, and those of the CPU."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fracsim.kernels.cuda.arrays import numbers, view
from fracsim.kernels.cuda.block_group import BLOCK, arrays_of, group_barrier, plan_of, start_block
from fracsim.kernels.cuda.layout import Plan
from fracsim.kernels.cuda.level import Work
from fracsim.kernels.cuda.noinline import call_noinline, pointer
from fracsim.kernels.cuda.product import REGISTERS
from fracsim.kernels.cuda.sample import draw
from fracsim.kernels.cuda.target import cuda, device, kernel
from fracsim.kernels.cuda.train import begin, finish, take_step
from fracsim.kernels.cuda.workspace import Workspace
from fracsim.kernels.points.geometry import Geometry, Law
from fracsim.kernels.random.philox import STREAM
from fracsim.kernels.training.train import Stream

_SEARCH_BYTES = (
    2**28
)  # memory for the searches of all threads; beyond it fewer threads of a block draw


class Supply(NamedTuple):
    """What the samples of all runs are drawn from, its arrays flat and on the card, or pointers to
    them; made by ``supply_for``."""

    geometry: Geometry
    law: Law
    others: Any
    """For ``level.Work``, of all threads that draw"""
    marks: Any
    maps: int
    """r"""
    drawers: int
    """Threads of a block that draw"""


class Batch(NamedTuple):
    """Where a batch goes, ``inputs`` (B, d + 1) and ``labels`` (B,) being pointers, and which
    samples it has: those of ``seed`` from ``first`` on, both uint64."""

    inputs: Any
    labels: Any
    size: int
    seed: Any
    first: Any


def supply_for(
    source: Stream, plan: Plan, blocks: int, workspace: Workspace
) -> tuple[Supply, tuple[float, ...]]:
    """A stream on the card, for a launch of so many blocks, and a point: d coordinates."""
    maps, d = source.geometry.offsets.shape
    n = source.law.fractal_depth
    affordable = _SEARCH_BYTES // (blocks * 8 * n * (d + 2))
    drawers = max(1, min(plan.batch, plan.threads, affordable))
    geometry, law = (flattened(arrays, workspace.copy) for arrays in source)
    others = workspace.empty("others", blocks * drawers * n * d, np.float64)
    marks = workspace.empty("marks", blocks * drawers * n * 2, np.int64)
    return Supply(geometry, law, others, marks, maps, drawers), (0.0,) * d


def flattened(arrays: Any, put: Callable[[str, np.ndarray], Any]) -> Any:
    """A NamedTuple with its arrays as rows, each put somewhere under its name."""
    fields = zip(arrays._fields, arrays, strict=True)
    return type(arrays)(
        *[
            put(name, field.ravel()) if isinstance(field, np.ndarray) else field
            for name, field in fields
        ]
    )


@device
def draw_rows(supply, batch, origin):
    """Draw a batch, by the first threads of a block; the arrays of ``supply`` are pointers.

    ``origin``: a tuple of d numbers.
    """
    thread = cuda.threadIdx.x
    if thread >= supply.drawers:
        return
    r, d, n = supply.maps, len(origin), supply.law.fractal_depth
    geometry, law = supply.geometry, supply.law
    geometry = Geometry(
        view(geometry.matrices, (r, d, d)),
        view(geometry.offsets, (r, d)),
        view(geometry.inverse_matrices, (r, d, d)),
        view(geometry.inverse_offsets, (r, d)),
        geometry.low,
        geometry.touching,
    )
    law = Law(
        view(law.curve, (n + 1,)),
        n,
        law.gap,
        law.positive_margin,
        law.negative_margin,
        law.choices,
        law.blocks,
        law.certain,
        law.rounded,
        law.close,
    )
    mine = (cuda.blockIdx.x * supply.drawers + thread) * n
    others, marks = (
        view(pointer(supply.others, mine * d), (n, d)),
        view(pointer(supply.marks, mine * 2), (n, 2)),
    )
    point, work = (
        numbers(origin),
        Work(numbers(origin), numbers(origin), numbers(origin), others, marks),
    )
    b = thread
    while b < batch.size:
        level = draw(geometry, law, batch.seed, STREAM, batch.first + np.uint64(b), point, work)
        batch.labels[b] = 1 if level == n else -1
        for i in range(d):
            batch.inputs[b * (d + 1) + i] = point[i]  # rounds to the float type of the parameters
        b += supply.drawers


@device
def draw_batch(block, job, supply, origin, step):
    """Draw the batch of ``step`` = 1, 2, … into ``own``."""
    plan, arrays = plan_of(block), arrays_of(block, job.memory)
    geometry, law = supply.geometry, supply.law
    geometry = Geometry(
        pointer(geometry.matrices, 0),
        pointer(geometry.offsets, 0),
        pointer(geometry.inverse_matrices, 0),
        pointer(geometry.inverse_offsets, 0),
        geometry.low,
        geometry.touching,
    )
    law = Law(
        pointer(law.curve, 0),
        law.fractal_depth,
        law.gap,
        law.positive_margin,
        law.negative_margin,
        law.choices,
        law.blocks,
        law.certain,
        law.rounded,
        law.close,
    )
    pointers = Supply(
        geometry,
        law,
        pointer(supply.others, 0),
        pointer(supply.marks, 0),
        supply.maps,
        supply.drawers,
    )
    inputs, labels = pointer(arrays.own, 0), pointer(arrays.own, plan.labels)
    first = np.uint64((step - 1) * plan.batch)
    batch = Batch(inputs, labels, plan.batch, job.seed[block.run], first)
    call_noinline(draw_rows, (pointers, batch, origin))
    cuda.syncthreads()


@kernel(registers=REGISTERS)
def train_on_stream(job, constants, source, start, stop):
    """Steps start+1 … stop of every run that has not diverged; a launch of runs × blocks of a
    group. ``source`` is what ``supply_for`` makes."""
    block = cuda.shared.array(1, BLOCK)[0]
    start_block(block, job.grid)
    if job.diverged[block.run] >= 0:
        return
    begin(block, job)
    group_barrier(block, job.grid)
    while block.step < stop - start and block.finite:
        draw_batch(block, job, source[0], source[1], start + block.step + 1)
        take_step(block, job, constants)
    finish(block, job, start)
