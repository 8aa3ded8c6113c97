"""Training on a stream, on the card: the CPU's samples, and what networks learn from them.

The simulator takes seconds for a step, so most of this runs on the machine for PTX
(tests/cuda/test_compiled.py) or a card."""

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np
import ptx
import pytest
from problems import random_parameters

from fracsim.experiments.experiment import Run
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.cuda import launch as launchers
from fracsim.kernels.cuda import layout, stream
from fracsim.kernels.cuda.backend import CudaBackend
from fracsim.kernels.cuda.block_group import (
    BLOCK,
    Grid,
    Memory,
    arrays_of,
    plan_of,
    start_block,
)
from fracsim.kernels.cuda.layout import make_plan
from fracsim.kernels.cuda.product import REGISTERS
from fracsim.kernels.cuda.target import SIMULATED, cuda, kernel, launch, new_stream, to_host
from fracsim.kernels.cuda.train import Job
from fracsim.kernels.cuda.workspace import Workspace
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.random.philox import STREAM
from fracsim.kernels.training.optimisers import OPTIMIZERS
from fracsim.kernels.training.train import Rule, State, Stream
from fracsim.training.points import place_data
from fracsim.training.trainer import train_slice

SEEDS = np.array([2**40 + 9, 3, 2**64 - 1], np.uint64)

LAWS = {
    "line": ("cantor1d", 6, "complement", 0.0, 0.1),
    "plane": ("vicsek", 3, "complement", 0.2, 0.1),  # images touch
    "refusals": ("sierpinski", 5, "complement", 0.0, 0.2),
    "space": ("cantor:3", 2, "centre", 0.0, 0.0),  # nothing is checked
}

not_simulated = pytest.mark.skipif(
    SIMULATED, reason="takes minutes in the simulator, or more than one block at a time"
)


def distribution_of(name):
    fractal, n, gap, *margins = LAWS[name.removesuffix(" in float32")]
    return Distribution(load_fractal(fractal), n, parse_curve("polynomial:1"), gap, *margins)


def source_of(name):
    precision = "float32" if name.endswith(" in float32") else "float64"
    return Stream(distribution_of(name).fractal.geometry(), distribution_of(name).law(precision))


# --- the samples ----------------------------------------------------------------------------------


class Batches(NamedTuple):
    """Of each block: x (blocks, B, d), y (blocks, B)."""

    x: Any
    y: Any


@kernel
def _copy_batch(job, source, step, out):
    """The batch that each block draws."""
    block = cuda.shared.array(1, BLOCK)[0]
    start_block(block, job.grid)
    stream.draw_batch(block, job, source[0], source[1], step)
    plan, arrays, ticket, b = (
        plan_of(block),
        arrays_of(block, job.memory),
        block.ticket,
        cuda.threadIdx.x,
    )
    if b < plan.batch:
        for i in range(plan.inputs):
            out.x[ticket, b, i] = arrays.own[np.uint64(b * (plan.inputs + 1) + i)]
        out.y[ticket, b] = arrays.own[np.uint64(plan.labels + b)]


def job_for(shape, plan, dtype, runs, workspace):
    """What a kernel that only draws needs of a job."""
    grid, nothing = (
        launchers.grid_for(shape, plan, runs, workspace),
        workspace.copy("nothing", np.zeros(1, dtype)),
    )
    memory = Memory(nothing, nothing, nothing, nothing, np.dtype(dtype).type(0))
    return Job(
        grid,
        memory,
        (nothing, nothing),
        *[nothing] * 3,
        workspace.copy("seeds", SEEDS[:runs]),
        *[nothing] * 3,
    )


@pytest.mark.parametrize("few_drawers", [False, True])
@pytest.mark.parametrize("name", [*LAWS, "line in float32", "space in float32"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches(monkeypatch, name, dtype, few_drawers):
    """The CPU's samples, rounded to the parameters' type; each block of a group has all of them."""
    distribution, runs, blocks, batch, step = distribution_of(name), 2, 2, 5, 2**33
    d, workspace = distribution.fractal.dimension, Workspace(new_stream())
    if few_drawers:  # two of each block
        monkeypatch.setattr(
            stream, "_SEARCH_BYTES", 2 * runs * blocks * 8 * distribution.fractal_depth * (d + 2)
        )
    network = Shape(d, 1, 2)
    plan = make_plan(network, batch, np.dtype(dtype).itemsize, 2**16, blocks=blocks)
    source = stream.supply_for(source_of(name), plan, runs * blocks, workspace)
    assert source[0].drawers == (2 if few_drawers else batch)
    shape = (runs * blocks, batch)
    out = Batches(workspace.empty("x", (*shape, d), dtype), workspace.empty("y", shape, dtype))
    size = plan.shared_bytes
    job = job_for(network, plan, dtype, runs, workspace)
    launch(_copy_batch, runs * blocks, plan.threads, size, workspace.stream, job, source, step, out)
    x, y = to_host(out.x, workspace.stream), to_host(out.y, workspace.stream)
    for ticket in range(runs * blocks):
        seed = int(SEEDS[ticket // blocks])
        precision = "float32" if name.endswith("float32") else "float64"
        expected = distribution.sample(batch, seed, STREAM, (step - 1) * batch, precision)
        np.testing.assert_array_equal(x[ticket], expected.x.astype(dtype))
        np.testing.assert_array_equal(y[ticket], expected.y)


# --- training -------------------------------------------------------------------------------------


def trained(
    backend, name, dtype=np.float32, runs=slice(0, 2), cuts=(0, 24), optimizer="adam", batch=6
):
    """State of a few runs after the steps, each with parameters and a seed of its own."""
    shape = Shape(distribution_of(name).fractal.dimension, 2, 3)
    params = random_parameters(np.random.default_rng(5), shape, len(SEEDS), dtype)[runs]
    rule = Rule(LOSSES.index("hinge"), OPTIMIZERS.index(optimizer), 0, batch)
    state, seeds = State.start(params), SEEDS[runs]
    rates, chosen = np.full(len(seeds), 0.01), np.zeros(len(seeds), np.int64)
    for start, stop in itertools.pairwise(cuts):
        backend.train(shape, rule, rates, seeds, state, source_of(name), chosen, start, stop)
    return state


def check(backend, name, **how):
    """As on the CPU; the state."""
    ours, theirs = trained(CudaBackend(), name, **how), trained(backend, name, **how)
    np.testing.assert_allclose(ours.params, theirs.params, rtol=0, atol=1e-4)
    np.testing.assert_allclose(ours.loss_sum, theirs.loss_sum, rtol=1e-4)
    np.testing.assert_array_equal(ours.correct, theirs.correct)
    np.testing.assert_array_equal(ours.counted, theirs.counted)
    assert (ours.diverged < 0).all()
    return ours


@pytest.mark.slow
def test_a_step_as_on_the_cpu(backend):
    check(backend, "plane", runs=slice(0, 1), cuts=(0, 1), batch=2)


@not_simulated
def test_steps_as_on_the_cpu(backend):
    """However they are cut into launches, and whatever runs beside."""
    together = check(backend, "plane")
    alone = trained(CudaBackend(), "plane", runs=slice(1, 2), cuts=(0, 0, 1, 17, 24))
    for ours, theirs in zip(alone, together, strict=True):
        np.testing.assert_array_equal(ours, theirs[1:])


@pytest.mark.slow
@not_simulated
@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_steps_as_on_the_cpu(backend, name, dtype):
    check(backend, name, dtype=dtype, runs=slice(0, 3), cuts=(0, 20, 60), optimizer="momentum")


@pytest.mark.slow
@not_simulated
def test_block_groups_of_two_blocks(monkeypatch, backend):
    """They learn what one block learns, bit for bit."""
    alone = trained(CudaBackend(), "plane")
    monkeypatch.setattr(layout, "_ONE_BLOCK", 0)
    for ours, theirs in zip(check(backend, "plane"), alone, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@not_simulated
def test_records_as_on_the_cpu(backend):
    """What a sweep stores, through the same trainer."""
    run = Run(
        fractal="vicsek",
        fractal_depth=3,
        network_depth=2,
        width=4,
        data="stream",
        batch_size=8,
        steps=24,
        record_every=12,
        test_points=40,
        learning_rate=0.01,
        seed=7,
    )
    ours, theirs = (
        train_slice(run, each, place_data((run,), each)).records
        for each in (CudaBackend(), backend)
    )
    assert [record.step for record in ours] == [0, 12, 24]
    for found, wanted in zip(ours, theirs, strict=True):
        assert found.quality.keys() == wanted.quality.keys()
        for variable, value in found.quality.items():
            np.testing.assert_allclose(value, wanted.quality[variable], atol=1e-4)
        np.testing.assert_allclose(found.gradient_norm, wanted.gradient_norm, atol=1e-4)
        np.testing.assert_array_equal(found.inactive_units, wanted.inactive_units)


# --- the compiled code ----------------------------------------------------------------------------


def _kernel(dtype):
    """For ``ptx.compile_ptx``: the kernel in a float type."""
    shape, rule = Shape(2, 5, 50), Rule(0, 2, 0, 100)
    plan = make_plan(shape, rule.batch, np.dtype(dtype).itemsize, 2**17)
    row, rows, counts = np.zeros(1, dtype), np.zeros((1, 1), dtype), np.zeros(1, np.int64)
    small = np.zeros(1, np.int32)
    memory = Memory(row, row, row, row, dtype(0))
    grid, seeds = Grid(plan, counts, small, small), np.zeros(1, np.uint64)
    job = Job(grid, memory, (row, row), counts, counts, row, seeds, counts, rows, rows)
    flat = (stream.flattened(arrays, lambda name, row: row) for arrays in source_of("plane"))
    supply = stream.Supply(*flat, np.zeros(1), counts, 4, 100), (0.0,) * shape.inputs
    constants = launchers.constants_of(rule, rule.batch, dtype)
    return {"train_on_stream": (stream.train_on_stream, (job, constants, supply, 1, 2))}


in_float32 = functools.partial(_kernel, np.float32)
in_float64 = functools.partial(_kernel, np.float64)


@pytest.mark.parametrize("architecture", ptx.EACH)
def test_no_spills(architecture):
    (text,) = ptx.compile_ptx("test_stream:in_float32", (architecture,)).values()
    used = ptx.registers(text, REGISTERS)
    assert (used["spill_stores"], used["spill_loads"]) == (0, 0)


@pytest.mark.slow
def test_float64_compiles():
    """It spills: the products want more registers than there are."""
    for text in ptx.compile_ptx("test_stream:in_float64").values():
        assert ptx.registers(text, REGISTERS)["registers"] == REGISTERS
