"""On an NVIDIA card, at real sizes: the same levels, labels and points as the CPU, and training
within a tolerance.

    python -m pytest -m gpu

It skips itself, with the reason, where no card works.
"""

import itertools

import numpy as np
import pytest
from stops import StopAt, varied

import fracsim
from fracsim.kernels.backend import get_backend
from fracsim.kernels.cuda.working import missing, simulator_is_on
from fracsim.kernels.errors import OutOfDeviceMemory
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.random.philox import SAMPLE, TRAIN
from fracsim.kernels.training.optimisers import OPTIMIZERS
from fracsim.kernels.training.train import Dataset, Rule, State, Stream
from fracsim.networks.initial import initial_parameters
from fracsim.selftest.agreement import ONE_ULP, USUAL, agreements
from fracsim.training.run import Run

pytestmark = pytest.mark.gpu

FRACTALS = ("cantor", "cantor:3", "sierpinski", "vicsek", "pentaflake", "corners")


@pytest.fixture(scope="module")
def card():
    """The CUDA backend on a card."""
    if simulator_is_on():
        pytest.skip("no NVIDIA card works here: CUDA kernels run in numba's simulator")
    lack = missing()
    if lack is not None:
        pytest.skip("; ".join(filter(None, lack)))
    return get_backend("cuda")


def drawn(run, backend, count, purpose=SAMPLE):
    distribution = run.distribution()
    return backend.sample(
        distribution.fractal.geometry(), distribution.law(), run.seed, purpose, 0, count
    )


@pytest.mark.parametrize("fractal", FRACTALS)
@pytest.mark.parametrize("margins", [(0.0, 0.0), (0.1, 0.05)])
def test_a_million_points_are_the_same(card, backend, fractal, margins):
    run = Run(
        fractal=fractal,
        fractal_depth=4,
        curve="1",
        positive_margin=margins[0],
        negative_margin=margins[1],
    )
    x, y, level = drawn(run, backend, 10**6)
    found = drawn(run, card, 10**6)
    assert np.abs(found[0] - x).max() <= ONE_ULP
    np.testing.assert_array_equal(found[1], y)
    np.testing.assert_array_equal(found[2], level)
    geometry = run.distribution().fractal.geometry()
    np.testing.assert_array_equal(card.level(geometry, 4, x), backend.level(geometry, 4, x))


@pytest.mark.parametrize("width", [10, 50, 100, 200, 400])
def test_all_verbs_agree(card, backend, width):
    """Widths of one and of several blocks per run, and of more shared memory than a kernel has
    unasked."""
    rows = list(agreements(card, backend, USUAL._replace(width=width)))
    assert [row for row in rows if not row.passed] == []


def source_of(kind, backend):
    run = Run(fractal="cantor", fractal_depth=5)
    if kind == "stream":
        return Stream(run.distribution().fractal.geometry(), run.distribution().law())
    x, y, _ = drawn(run, backend, 50_000, TRAIN)
    return Dataset(x.astype(np.float32)[None], y.astype(np.float32)[None])


def trained(backend, shape, rule, seeds, source, steps):
    """Parameters (R, Q) of runs that begin with the weights of their seed."""
    params = np.array([initial_parameters(shape, "paper", seed) for seed in seeds])
    state, which = backend.place(State.start(params)), np.zeros(len(seeds), np.int64)
    placed = backend.place(source) if isinstance(source, Dataset) else source
    rates = np.full(len(seeds), 1e-3)
    for start in range(0, steps, 25):
        backend.train(
            shape,
            rule,
            rates,
            np.array(seeds, np.uint64),
            state,
            placed,
            which,
            start,
            min(start + 25, steps),
        )
    return backend.fetch(state).params


@pytest.mark.parametrize(
    ("loss", "optimizer", "kind"),
    list(itertools.product(LOSSES, OPTIMIZERS, ("dataset", "stream"))),
)
def test_fifty_steps_stay_together(card, backend, loss, optimizer, kind):
    shape, rule = Shape(2, 5, 50), Rule(LOSSES.index(loss), OPTIMIZERS.index(optimizer), 0, 100)
    source = source_of(kind, backend)
    found, wanted = (trained(each, shape, rule, [0, 1, 2], source, 50) for each in (card, backend))
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("width", [20, 100, 400])
def test_a_run_has_the_same_bits_in_any_ensemble(card, backend, width):
    shape, rule = Shape(2, 5, width), Rule(LOSSES.index("hinge"), OPTIMIZERS.index("adam"), 0, 100)
    source = source_of("dataset", backend)
    alone = trained(card, shape, rule, [3], source, 50)
    for runs in (5, 200):
        seeds = list(range(runs))
        np.testing.assert_array_equal(trained(card, shape, rule, seeds, source, 50)[3], alone[0])


def test_too_large_an_array_is_refused_with_the_sizes(card):
    from fracsim.kernels.cuda import target

    stream = target.new_stream()
    _, total = target.memory()
    with pytest.raises(OutOfDeviceMemory, match=r"GiB more are needed, .* GiB of .* GiB are free"):
        target.new_on_card((2 * total,), np.uint8, stream)
    assert target.to_host(target.to_card(np.arange(3), stream), stream).tolist() == [
        0,
        1,
        2,
    ]  # it works on


@pytest.mark.parametrize("first", ["cpu", "cuda"])
@pytest.mark.usefixtures("short_slices")
def test_what_one_backend_began_the_other_ends(card, tmp_path, first):
    experiment, path, said = varied(), tmp_path / "x.h5", []
    begun = fracsim.run_sweep(experiment, path, backend=first, threads=1, progress=StopAt(0.5))
    assert begun.status == "interrupted"
    second = {"cpu": "cuda", "cuda": "cpu"}[first]
    ended = fracsim.run_sweep(experiment, path, backend=second, threads=1, announce=said.append)
    assert ended.status == "complete"
    assert any("not bit-identical" in sentence for sentence in said)
    straight = tmp_path / "straight.h5"
    fracsim.run_sweep(experiment, straight, backend="cpu")
    found, wanted = (
        fracsim.open_trajectory(each).variable("test_loss") for each in (path, straight)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
