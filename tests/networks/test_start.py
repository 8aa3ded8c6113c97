"""Training from a stored network: what it starts with, what pins it, what is refused."""

import json
import shutil

import numpy as np
import pytest
from command_line import fracsim
from small_experiments import SMALL, same_numbers, small

from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory
from fracsim.errors import UsageError
from fracsim.experiments.experiment import Experiment, make_experiment
from fracsim.experiments.grid import Grid
from fracsim.networks.stored import load_network
from fracsim.products.product import first_difference
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.points import make_data
from fracsim.training.trainer import Trainer

FREE = {key: value for key, value in SMALL.items() if key not in ("network_depth", "width")}


@pytest.fixture
def net(tmp_path):
    """A constructed network of the Cantor set, n = 2: depth 5, width 40."""
    path = tmp_path / "net.h5"
    assert (
        fracsim("construct", "cantor", "--fractal-depth", 2, "--count", 100, "-o", path, "-q").code
        == 0
    )
    return path


WIDTHS = "40-8-40-8-8"
"""Of the network of ``net``."""


def from_net(net, **settings):
    return make_experiment(Grid(fixed={**FREE, "init_from": str(net), **settings}), weights="final")


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_training_starts_at_the_network_and_keeps_what_it_can_do(net, tmp_path, backend, precision):
    settings = {
        "precision": precision,
        "negative_margin": 0.02,
        "optimizer": "sgd",
        "test_points": 2000,
    }
    experiment = from_net(net, **settings)
    (run,) = experiment.runs
    assert (run.network_depth, run.width) == (5, WIDTHS), "taken from the file"
    trainer = Trainer((run,), backend, make_data(run, backend))
    np.testing.assert_array_equal(
        trainer.state.params[0], load_network(net).params.astype(precision)
    )
    run_sweep(experiment, tmp_path / "run.h5")
    accuracy = open_trajectory(tmp_path / "run.h5").variable("test_accuracy")
    assert (accuracy == 1).all(), "the hinge loss is 0 from the start, so nothing moves"


def test_training_goes_on_where_another_ended(tmp_path):
    run_sweep(small(weights="final"), tmp_path / "first.h5")
    start = load_network(tmp_path / "first.h5")
    experiment = from_net(tmp_path / "first.h5", learning_rate=1e-20)
    run_sweep(experiment, tmp_path / "second.h5")
    _, params = open_trajectory(tmp_path / "second.h5").weights(0)
    np.testing.assert_array_equal(params, start.params)


def test_the_hash_knows_the_parameters_and_not_the_path(net, tmp_path):
    here = from_net(net)
    shutil.copy(net, tmp_path / "copy.h5")
    copy = from_net(tmp_path / "copy.h5")
    assert copy.hash() == here.hash() != small(network_depth=5, width=40, weights="final").hash()
    assert (
        fracsim(
            "construct",
            "cantor",
            "--fractal-depth",
            2,
            "--negative-margin",
            0.01,
            "--count",
            100,
            "--overwrite",
            "-o",
            net,
            "-q",
        ).code
        == 0
    )
    other = from_net(net)
    assert other.hash() != here.hash()
    assert first_difference(here, other).startswith("init_from is ")
    assert (
        first_difference(here, from_net(tmp_path / "copy.h5", seed=4))
        == "seed is 0 there and 4 here"
    )


def test_a_product_is_rerun_from_itself_while_the_network_is_there(net, tmp_path):
    run_sweep(from_net(net), tmp_path / "run.h5")
    stored = open_trajectory(tmp_path / "run.h5")
    assert stored.runs["init_from"][0].startswith(f"{net}#")
    assert fracsim("sweep", "--from", tmp_path / "run.h5", "-o", tmp_path / "again.h5").code == 0
    same_numbers(stored, open_trajectory(tmp_path / "again.h5"))
    fracsim(
        "construct", "cantor", "--fractal-depth", 3, "--count", 100, "--overwrite", "-o", net, "-q"
    )
    result = fracsim("sweep", "--from", tmp_path / "run.h5", "-o", tmp_path / "third.h5")
    assert (result.code, result.out) == (1, "")
    assert "no longer holds the network" in result.sentence
    net.unlink()
    assert (
        "there is no file"
        in fracsim("sweep", "--from", tmp_path / "run.h5", "-o", tmp_path / "third.h5").sentence
    )
    assert not (tmp_path / "third.h5").exists()
    assert Experiment.from_json(json.dumps(stored.experiment)).runs, (
        "the product itself stays readable"
    )
    assert fracsim("status", tmp_path / "run.h5").code == 0


def test_several_starts_make_an_axis(net, tmp_path):
    run_sweep(small(weights="final", network_depth=5, width=WIDTHS), tmp_path / "drawn.h5")
    starts = (str(net), str(tmp_path / "drawn.h5"))
    experiment = small(crossed={"init_from": starts}, network_depth=5, width=WIDTHS)
    assert experiment.varied == ("init_from",)
    assert run_sweep(experiment, tmp_path / "two.h5").run_status == ["complete", "complete"]


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        (
            {"width": 30},
            UsageError,
            f"depth 5, width {WIDTHS} and 2 input.s.; this run has depth 5, width 30 and 2 input",
        ),
        ({"network_depth": 4}, UsageError, "this run has depth 4"),
        ({"width": "40-8"}, UsageError, "this run has depth 2, width 40-8 and 2 input"),
        ({"fractal": "cantor1d"}, UsageError, f"this run has depth 5, width {WIDTHS} and 1 input"),
        ({"bias": 0.5}, UsageError, r"init_from \(--init-from\) brings its own biases"),
    ],
)
def test_what_does_not_fit_is_refused(net, settings, error, sentence):
    with pytest.raises(error, match=sentence):
        from_net(net, **settings)


def test_files_without_a_network_are_refused(tmp_path):
    fracsim("sample", "cantor", "--count", 10, "-o", tmp_path / "points.h5", "-q")
    run_sweep(small(), tmp_path / "bare.h5")
    for name, sentence in (
        ("none.h5", "there is no file"),
        ("points.h5", "no trained networks"),
        ("bare.h5", "holds no weights"),
    ):
        with pytest.raises(FileError, match=sentence):
            from_net(tmp_path / name)
        result = fracsim("train", "--init-from", tmp_path / name, "-o", tmp_path / "run.h5")
        assert result.code == 1
        assert "init_from (--init-from)" in result.sentence
