"""``data = "population"``: gradient descent on the exact loss, against the slow twin; it learns
what is coarse."""

import itertools

import numpy as np
import pytest
import reference
import reference_population
from command_line import fracsim
from problems import line_of, steep_networks

from fracsim.errors import UsageError
from fracsim.experiments.experiment import make_experiment
from fracsim.experiments.grid import Grid
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.backend import get_backend
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.training.optimisers import OPTIMIZERS, SCHEDULES
from fracsim.kernels.training.train import WHOLE, Population, Rule, State
from fracsim.training.points import make_data
from fracsim.training.run import make_run
from fracsim.training.trainer import train_slice

SHAPE, STEPS = Shape(1, 2, 6), 40
CLOSE = {np.float64: {"rtol": 1e-8, "atol": 1e-9}, np.float32: {"rtol": 1e-3, "atol": 1e-4}}


def rule_of(optimizer, schedule="constant"):
    codes = LOSSES.index("hinge"), OPTIMIZERS.index(optimizer), SCHEDULES.index(schedule)
    return Rule(*codes, batch=1, epsilon=1e-4, period=STEPS)


def trained(rule, params, chunks, curve="1"):
    state = State.start(params)
    source = Population(line_of(load_fractal("cantor1d"), parse_curve(curve).values(3)))
    rates, seeds, sets = (
        np.full(len(params), 0.02),
        np.zeros(len(params), np.uint64),
        np.zeros(len(params), np.int64),
    )
    for start, stop in itertools.pairwise(chunks):
        get_backend("cpu").train(SHAPE, rule, rates, seeds, state, source, sets, start, stop)
    return state


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_step_is_that_of_the_slow_twin(optimizer, dtype):
    rule = rule_of(optimizer, "cosine")
    params = steep_networks(np.random.default_rng(5), SHAPE, 1).astype(dtype)
    found = reference_population.intervals(load_fractal("cantor1d"), parse_curve("1").values(3))
    p, m, v = params[0].copy(), np.zeros_like(params[0]), np.zeros_like(params[0])
    losses, right = 0.0, 0.0
    for t in range(1, STEPS + 1):
        loss, accuracy, gradient = reference_population.loss_and_gradient(
            SHAPE, p.astype(np.float64), found, 0.0
        )
        losses, right = losses + loss, right + accuracy
        rate = reference.learning_rate(rule, 0.02, t)
        p, m, v = reference.optimiser_step(rule, p, m, v, gradient.astype(dtype), t, rate)
    state = trained(rule, params, [0, STEPS])
    np.testing.assert_allclose(state.params[0], p, **CLOSE[dtype])
    assert state.params.dtype == dtype
    assert state.counted[0] == STEPS * WHOLE
    np.testing.assert_allclose(state.loss_sum[0] / WHOLE, losses, **CLOSE[dtype])
    np.testing.assert_allclose(state.correct[0] / WHOLE, right, rtol=1e-3)
    assert np.abs(state.params - params).max() > 0.05


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bits_depend_neither_on_chunks_nor_on_other_runs(dtype):
    params = steep_networks(np.random.default_rng(6), SHAPE, 3).astype(dtype)
    whole = trained(rule_of("adam"), params, [0, STEPS])
    parts = trained(rule_of("adam"), params, [0, 1, 2, 17, STEPS])
    alone = trained(rule_of("adam"), params[1:2], [0, STEPS])
    for name, values in whole._asdict().items():
        if name != "loss_sum":
            np.testing.assert_array_equal(values, getattr(parts, name))
        np.testing.assert_array_equal(values[1], getattr(alone, name)[0])
    np.testing.assert_array_equal(whole.loss_sum, parts.loss_sum)


def test_a_loss_that_is_not_finite_stops_the_run():
    params = steep_networks(np.random.default_rng(7), SHAPE, 1)
    params[0, -1] = np.nan
    state = trained(rule_of("sgd"), params, [0, STEPS])
    assert state.diverged[0] == 1
    np.testing.assert_array_equal(state.params, params)


def outcome(curve, **settings):
    """(last record, greatest test accuracy) of a short training on cantor1d."""
    run = make_run(
        {
            "fractal": "cantor1d",
            "data": "population",
            "fractal_depth": 8,
            "curve": curve,
            "network_depth": 2,
            "width": 20,
            "learning_rate": 0.01,
            "steps": 3000,
            "record_every": 500,
            **settings,
        }
    )
    backend = get_backend("cpu")
    records = train_slice(run, backend, make_data(run, backend)).records
    return records[-1], max(record.quality["test_accuracy"] for record in records)


def test_a_run_cut_into_slices_makes_the_same_records(monkeypatch):
    run = make_run(
        {
            "fractal": "cantor1d",
            "data": "population",
            "fractal_depth": 4,
            "network_depth": 2,
            "width": 9,
            "steps": 60,
            "record_every": 20,
            "schedule": "cosine",
        }
    )
    backend = get_backend("cpu")
    data = make_data(run, backend)
    straight = train_slice(run, backend, data)
    monkeypatch.setattr("fracsim.training.trainer._first_chunk", lambda trainer: 7)
    parts = [train_slice(run, backend, data, seconds=0.0)]
    while parts[-1].status == "running":
        parts.append(train_slice(run, backend, data, parts[-1].state, seconds=0.0))
    assert len(parts) > 5
    assert parts[-1].status == straight.status == "complete"
    np.testing.assert_array_equal(parts[-1].state.state.params, straight.state.state.params)
    records = [record for part in parts for record in part.records]
    for record, whole in zip(records, straight.records, strict=True):
        for name, value in whole.quality.items():
            np.testing.assert_array_equal(record.quality[name], value, err_msg=name)


@pytest.mark.compiled
def test_coarse_curves_are_learnt_and_fine_ones_stall():
    coarse, best_coarse = outcome("0.5,1,1,1,1,1,1,1,1")
    fine, best_fine = outcome("6")
    assert best_coarse > 0.99
    assert coarse.quality["train_loss"] < 0.02
    assert abs(coarse.quality["train_accuracy"] - coarse.quality["test_accuracy"]) < 0.02
    assert fine.quality["train_loss"] > 0.99
    assert best_fine < 0.55


def test_the_command_trains_and_repeats_itself(tmp_path):
    options = [
        "train",
        "--fractal",
        "cantor1d",
        "--fractal-depth",
        3,
        "--data",
        "population",
        "--depth",
        1,
    ]
    options += ["--width", 5, "--steps", 40, "--record-every", 20, "--test-points", 100, "--quiet"]
    for name in ("a.h5", "b.h5"):
        assert fracsim(*options, "-o", tmp_path / name).code == 0
    from fracsim.data.reader import open_trajectory

    first, second = (open_trajectory(tmp_path / name) for name in ("a.h5", "b.h5"))
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "gradient_norm"):
        np.testing.assert_array_equal(first.variable(name), second.variable(name))
    assert first.runs["data"][0] == "population"
    assert (first.variable("train_loss")[:, 1:] < 1.2).all()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"loss": "logistic"},
            r"data \(--data\) is population and loss \(--loss\) is logistic; .* is the hinge loss",
        ),
        (
            {"fractal": "cantor"},
            r"data \(--data\) is population and cantor has dimension 2; .* is for d = 1",
        ),
        (
            {"data": "populaton"},
            r"data \(--data\) is 'populaton'; accepted is one of dataset, stream, population",
        ),
    ],
)
def test_what_has_no_exact_loss_is_refused(settings, sentence):
    with pytest.raises(UsageError, match=sentence):
        make_experiment(Grid(fixed={"fractal": "cantor1d", "data": "population", **settings}))
