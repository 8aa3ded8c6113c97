"""Dead networks are told: since when, and how many of the seeds of a mean live."""

import json

import numpy as np
import pytest
from command_line import fracsim
from made_up_runs import made_up_trajectory
from small_experiments import small

from fracsim.products.dead import dead_words
from fracsim.products.entries import entries_of
from fracsim.products.results import results_of, runs_of, sweep_table
from fracsim.products.runs import load_runs
from fracsim.sweeps.sweep import run_sweep


def inactive(*rows):
    """Shares of two hidden layers by run and record; the readout has none."""
    values = np.array(rows, float)[..., None]
    return np.concatenate([values * 0.5, values, np.full_like(values, np.nan)], axis=2)


def test_dead_is_a_wholly_inactive_layer_from_a_record_to_the_last():
    trajectory = made_up_trajectory(
        {
            "test_accuracy": [[0.5] * 4] * 4,
            "inactive_units": inactive([0, 1, 1, 1], [1, 1, 1, 0], [1, 0, 1, 1], [0, 0.9, 1, 0.99]),
        },
        steps=[0, 10, 20, 30],
        seed=[0, 1, 2, 3],
    )
    assert trajectory.dead_since().tolist() == [10, -1, 20, -1]
    entries = entries_of(trajectory)
    assert [entry.dead_since for entry in entries] == [10, None, 20, None]
    assert dead_words(entries) == (
        "2 of 4 runs are dead (run 0 since step 10, run 2 since step 20): "
        "a hidden layer is active at no test point"
    )
    assert dead_words(entries[1:2]) == ""


def test_only_records_that_are_there_count():
    trajectory = made_up_trajectory(
        {
            "test_accuracy": [[0.5, 0.5, np.nan], [np.nan] * 3],
            "inactive_units": inactive([1, 1, np.nan], [np.nan] * 3),
        }
    )
    assert trajectory.dead_since().tolist() == [100, -1]


def test_of_version_1_gradients_tell():
    """No gradient in any hidden layer, and a loss; a network without a loss has learnt all."""
    norms = np.ones((4, 3, 3))
    norms[0, 1:, :2] = norms[1, 1:] = norms[2, 1:, 0] = 0
    norms[3, :, 1:] = np.nan  # one of no hidden layer, whose readout has none either
    norms[3, :, 0] = 0
    loss = np.ones((4, 3))
    loss[1, 1:] = 0
    trajectory = made_up_trajectory(
        {"test_accuracy": np.full((4, 3), 0.5), "gradient_norm": norms, "test_loss": loss},
        network_depth=[2, 2, 2, 0],
    )
    assert trajectory.dead_since().tolist() == [200, -1, -1, -1]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Three seeds of which all die of their biases, three that live."""
    path = tmp_path_factory.mktemp("dead") / "a.h5"
    run_sweep(small(crossed={"bias": (-1000.0, 0.1), "seed": (0, 1, 2)}), path)
    return path


def test_the_table_and_the_results_say_so(swept):
    runs = runs_of(swept)
    table = sweep_table(runs, ("bias", "seed"))
    assert "3 of 6 runs are dead (run 0 since step 0, run 1 since step 0, run 2" in table
    assert "in the table: bias -1000.0: 3 of 3 dead" in table
    assert [found["dead_since"] for found in results_of(runs, ("bias",))] == [0] * 3 + [None] * 3


def test_points_and_figures_say_so(swept):
    runs = load_runs(swept)
    assert [point.dead for point in runs.points(["bias"])] == [3, 0]
    assert runs.selected().endswith("mean of 3 seeds; 3 of 6 runs live")
    (caveat,) = runs.caveats
    assert caveat == dead_words(runs)
    assert runs.where({"bias": 0.1}).caveats == []
    assert runs.where({"bias": -1000}).caveats[0].startswith("3 of 3 runs are dead")
    assert [len(part.caveats) for part in runs.group(["bias"]).values()] == [1, 0]


def test_status_and_train_say_so(swept, tmp_path):
    result = fracsim("status", swept, "--runs")
    assert "dead networks: 3 of 6 runs (run 0 since step 0, run 1 since step 0, run 2" in result.out
    assert result.out.count("  dead since step 0") == 3
    facts = json.loads(fracsim("status", swept, "--json").out)["files"][0]
    assert [run["dead_since"] for run in facts["runs"]] == [0] * 3 + [None] * 3
    train = (
        "train", "--fractal-depth", 2, "--depth", 1, "--width", 5, "--steps", 20, "--record-every",
        10, "--train-points", 50, "--test-points", 50, "--batch-size", 10, "--bias", -1000, "-o",
        tmp_path / "b.h5",
    )  # fmt: skip
    assert json.loads(fracsim(*train, "--json").out)["dead_since"] == 0
    assert "; dead since step 0: a hidden layer is active at no test point" in fracsim(*train).out
