"""What an older version has begun goes on with its own points, and files tell which those are."""

import dataclasses

import h5py
import numpy as np
import pytest
from command_line import fracsim

from fracsim.data.reader import open_trajectory
from fracsim.errors import UsageError
from fracsim.experiments.experiment import make_experiment
from fracsim.experiments.grid import Grid
from fracsim.products.check import check_file
from fracsim.products.merge import merge
from fracsim.sweeps import sweep as sweeps
from fracsim.sweeps.sweep import run_sweep

SETTINGS = {
    "fractal": "cantor1d",
    "fractal_depth": 14,
    "network_depth": 1,
    "width": 4,
    "steps": 400,
    "record_every": 100,
    "train_points": 500,
    "test_points": 400,
    "batch_size": 10,
}


def experiment_of(**settings):
    grid = Grid()
    for key, value in (SETTINGS | settings).items():
        if isinstance(value, list):
            grid.cross(key, value)
        else:
            grid.fix(key, value)
    return make_experiment(grid)


@pytest.fixture
def as_older(monkeypatch):
    """Train as an older version: points that do not fit are not refused, and files say nothing."""

    def train(experiment, path, **how):
        with monkeypatch.context() as patched:
            patched.setattr(sweeps, "check_resolution", lambda runs: None)
            return run_sweep(dataclasses.replace(experiment, old_points=True), path, **how)

    return train


def records(path):
    with h5py.File(path) as file:
        return {
            name: file[name][...]
            for name in ("test_accuracy_by_level", "test_loss", "train_loss", "gradient_norm")
        }


def test_a_run_begun_by_an_older_version_goes_on_with_its_points(tmp_path, as_older):
    experiment = experiment_of(steps=400_000, record_every=20_000)
    whole, part = tmp_path / "whole.h5", tmp_path / "part.h5"
    as_older(experiment, whole)
    as_older(experiment, part, max_seconds=0.2)
    assert open_trajectory(part).status == "interrupted"
    said = []
    summary = run_sweep(experiment, part, announce=said.append)
    assert summary.status == "complete"
    assert "warning: all runs: the file was begun by an older version" in said[0]
    for name, values in records(whole).items():
        np.testing.assert_array_equal(records(part)[name], values)
    assert "points_version" not in open_trajectory(part).attributes


def test_files_tell_which_points_they_have(tmp_path, as_older):
    old, new = tmp_path / "old.h5", tmp_path / "new.h5"
    as_older(experiment_of(), old)
    run_sweep(experiment_of(fractal_depth=10), new)
    assert open_trajectory(new).attributes["points_version"] == 2
    report = check_file(old)
    assert report.complete
    assert "all runs: the file was begun by an older version" in report.remarks[0]
    assert check_file(new).remarks == ()
    words = fracsim("status", str(old), str(new)).out
    assert words.count("was begun by an older version") == 1
    shallow = tmp_path / "shallow.h5"
    as_older(experiment_of(fractal_depth=[5, 14]), shallow)
    assert "runs 1: the file was begun" in check_file(shallow).remarks[0]


def test_a_new_run_of_points_that_do_not_fit_is_refused(tmp_path):
    with pytest.raises(UsageError) as refused:
        run_sweep(experiment_of(), tmp_path / "new.h5")
    assert str(refused.value) == (
        "fractal_depth (--fractal-depth) is 14, and points in float32 do not resolve the cells of "
        "cantor1d there; accepted is at most 10, or --precision float64, which takes up to 26"
    )
    assert not (tmp_path / "new.h5").exists()
    assert run_sweep(experiment_of(precision="float64"), tmp_path / "new.h5").status == "complete"


def test_what_begins_anew_is_held_to_the_new_rule(tmp_path, as_older):
    as_older(experiment_of(), tmp_path / "old.h5")
    with pytest.raises(UsageError, match="do not resolve"):
        run_sweep(experiment_of(), tmp_path / "old.h5", overwrite=True)


def test_merged_shards_of_both_kinds_say_so(tmp_path, as_older):
    experiment = experiment_of(fractal_depth=8, seed=[0, 1])
    first, second = tmp_path / "0.h5", tmp_path / "1.h5"
    as_older(experiment, first, shard="0/2")
    run_sweep(experiment, second, shard="1/2")
    merged = merge([first, second], tmp_path / "both.h5")
    assert merged.bit_identical == "no: the files differ in points version"
    assert "points_version" not in open_trajectory(tmp_path / "both.h5").attributes


@pytest.mark.parametrize(
    ("problem", "data"),
    [("radial-fractal", "dataset"), ("fractal", "dataset"), ("fractal", "stream")],
)
def test_commands_refuse_and_tell_depths(tmp_path, problem, data):
    words = ["--problem", problem, "--data", data, "--steps", "10", "--record-every", "10"]
    words += ["--train-points", "100", "--test-points", "10", "--width", "5", "--depth", "1"]
    words += [] if problem == "radial-fractal" else ["--fractal", "cantor1d"]
    deep = [*words, "--fractal-depth", "12", "-o", str(tmp_path / "run.h5")]
    for dry in ([], ["--dry-run"]):
        refused = fracsim("train", *deep, *dry)
        assert refused.code == 2
        assert "at most 10, or --precision float64, which takes up to 26" in refused.err
    told = fracsim("train", *words, "--fractal-depth", "10", "--dry-run")
    assert told.code == 0, told.out
    assert "greatest fractal depth of cantor1d: 10 in float32, 26 in float64" in told.out


def test_show_fractal_tells_both_depths():
    shown = fracsim("show", "fractal", "cantor1d").out
    assert "10 in float32, 26 in float64" in shown


def test_a_network_of_float64_is_told_to_be_rounded(tmp_path):
    network = str(tmp_path / "net.h5")
    built = ["construct", "cantor1d", "--fractal-depth", "2", "--count", "1000", "-o", network]
    assert fracsim(*built).code == 0
    start = experiment_of(fractal_depth=2, init_from=network, network_depth=5, width="10-2-10-2-4")
    said = []
    run_sweep(start, tmp_path / "run.h5", announce=said.append)
    assert "holds parameters of float64, which this training rounds to float32" in said[0]
    said.clear()
    double = start.changed({"precision": "float64"})
    run_sweep(double, tmp_path / "double.h5", announce=said.append)
    assert not any("rounds" in sentence for sentence in said)


def test_construct_tries_its_network_in_float32(tmp_path):
    words = ["construct", "cantor1d", "--count", "2000", "--precision", "float32"]
    deep = [*words, "--fractal-depth", "12", "-o", str(tmp_path / "deep.h5")]
    refused = fracsim(*deep)
    assert refused.code == 2
    assert "the greatest depth is 10; use precision float64" in refused.err
    made = fracsim(*words, "--fractal-depth", "6", "-o", str(tmp_path / "net.h5"))
    assert made.code == 0, made.out
    assert "2,000 points in float32" in made.out


def test_a_file_of_samples_is_told_to_be_rounded(tmp_path):
    said, settings = [], {"width": 3, "network_depth": 1, "steps": 10, "record_every": 10}
    for n, count in ((2, 500), (14, 2000)):
        points = str(tmp_path / f"points-{n}.h5")
        drawn = fracsim("sample", "cantor1d", "--fractal-depth", n, "--count", count, "-o", points)
        assert drawn.code == 0, drawn.err
        grid = Grid({"problem": "table", "table": points, **settings})
        run_sweep(make_experiment(grid), tmp_path / f"{n}.h5", announce=said.append)
    told = [sentence for sentence in said if "rounded to float32" in sentence]
    assert len(told) == 1
    assert "of the 2,000 points of" in told[0]
    grid.fix("precision", "float64")
    said.clear()
    run_sweep(make_experiment(grid), tmp_path / "double.h5", announce=said.append)
    assert not any("rounded" in sentence for sentence in said)
