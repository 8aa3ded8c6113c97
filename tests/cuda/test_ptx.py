"""What the compiler makes of the kernels that train and ask networks: PTX for each architecture,
and its registers."""

import numpy as np
import ptx
import pytest

from fracsim.kernels.cuda.product import REGISTERS
from fracsim.kernels.network.shape import Shape, parameter_count
from fracsim.kernels.training.train import Dataset, Rule, State

NETWORKS = ("train_on_dataset", "ask")
"""The kernels in which all the work is."""


def kernels():
    """For ``ptx.compile_ptx``: every kernel of launch.py, with the arguments that it is launched
    with."""
    from fracsim.kernels.cuda import target

    jobs = {}
    here = {
        "launch": lambda kernel, blocks, threads, size, stream, *arguments: jobs.update(
            {f"{kernel.py_func.__name__}, {real.__name__}": (kernel, arguments)}
        ),
        "to_card": lambda array, stream: np.array(array),
        "to_host": lambda array, stream: np.array(array),
        "new_on_card": lambda shape, dtype, stream: np.zeros(shape, dtype),
        "copy_to_card": lambda array, there, stream: np.copyto(there, array),
        "multiprocessors": lambda: 132,
        "shared_per_block": lambda: 227 * 1024,
        "shared_per_multiprocessor": lambda: 228 * 1024,
    }
    for name, function in here.items():
        setattr(target, name, function)  # this process compiles, and does nothing else
    from fracsim.kernels.cuda import launch
    from fracsim.kernels.cuda.workspace import Workspace

    workspace = Workspace(None)
    shape, sets = Shape(2, (100, 20, 100)), np.zeros(3, np.int64)
    for real in (np.float32, np.float64):
        params = np.zeros((3, parameter_count(shape)), real)
        x, y = np.zeros((1, 500, 2), real), np.ones((1, 500), real)
        rule, state = Rule(0, 2, 0, 100), State.start(params)
        plan = launch.plan_for(shape, 100, real(0).itemsize, 3)
        seeds = np.arange(3, dtype=np.uint64)
        launch.train(
            shape, plan, rule, np.ones(3), seeds, state, Dataset(x, y), sets, 0, 5, workspace
        )
        answer = launch.scores(shape, params, x, y, sets, workspace)
        launch.summary(0, answer, y, np.zeros((1, 500), np.int16), 5, sets, workspace)
        dparams, _ = launch.gradient(shape, 0, params, x, y, sets, workspace)
        launch.layer_norms(shape, dparams, workspace)
    return jobs


@pytest.fixture(params=ptx.EACH)
def texts(request):
    """{kernel: PTX} for one architecture."""
    found = ptx.compile_ptx("test_ptx:kernels", (request.param,))
    return {name: text for (name, _), text in found.items()}


def test_every_kernel_compiles(texts):
    names = {*NETWORKS, "prepare", "add_losses", "tally_levels", "sum_squares"}
    assert set(texts) == {f"{name}, {real}" for name in names for real in ("float32", "float64")}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_float32_are_computed_in_float32_alone(texts, name):
    assert not ptx.instructions(texts[f"{name}, float32"], r"\.f64\b")
    assert ptx.instructions(texts[f"{name}, float64"], r"\.f64\b"), "the test does not see float64"


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_lie_in_registers(texts, name):
    """Nothing goes to the memory of a thread for want of registers, in the kernel nor in what it
    calls."""
    used = ptx.registers(texts[f"{name}, float32"], REGISTERS)
    assert (used["spill_stores"], used["spill_loads"]) == (0, 0)
    assert 0 < used["registers"] <= REGISTERS <= 255
