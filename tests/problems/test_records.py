"""Real labels from the training to the figure: records against NumPy, the same bits however a sweep
is cut, and every command that reads the file."""

import json
import signal

import h5py
import numpy as np
import pytest
import reference
import xarray
from command_line import fracsim, run_group
from learnt import radial, table, write_table
from matplotlib.text import Text
from reference_problems import qualities
from small_experiments import same_numbers
from stops import StopAt

from fracsim.data.check import read_whole
from fracsim.data.reader import open_trajectory
from fracsim.data.schema import REAL_RECORDS, records_of
from fracsim.figures.depth_width import draw
from fracsim.kernels.random.philox import TEST
from fracsim.networks.stored import load_network
from fracsim.products.runs import load_runs
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.quality import of_real_labels
from fracsim.training.run import problem_of, shape_of


@pytest.fixture(params=["radial", "table"])
def experiment(request, tmp_path):
    """Four runs with real labels; those of the table have groups."""
    crossed = {"network_depth": (1, 2), "seed": (0, 7)}
    if request.param == "radial":
        return radial("records", crossed)
    return table(write_table(tmp_path / "t.npz", real=True, groups=3), "records", crossed)


# --- records --------------------------------------------------------------------------------------


def test_records_are_those_of_numpy(experiment, tmp_path):
    run_sweep(experiment, tmp_path / "a.h5")
    product = open_trajectory(tmp_path / "a.h5")
    levels = experiment.levels
    assert product.records == tuple(v.name for v in records_of(("real",), levels))
    assert "test_accuracy" not in product.records
    for row, run in enumerate(experiment.runs):
        problem = problem_of(run)
        x, y, group = problem.points(run.seed, TEST, 0, run.test_points)
        for s in range(4):
            _, params = product.weights(row, s)
            scores = reference.forward(shape_of(run), params, x).astype(np.float64)
            wanted = qualities(scores, y.astype(np.float64), group, problem.groups)
            names = ("test_loss", "test_r2", "test_rmse")
            for name, value in zip(names, wanted, strict=False):
                assert product.variable(name)[row, s] == pytest.approx(value, rel=1e-5), name
            if levels > 1:
                found = product.variable("test_rmse_by_level")[row, s]
                np.testing.assert_allclose(found, wanted[3], rtol=1e-5)
    assert np.isfinite(product.variable("train_loss")[:, 1:]).all()
    assert np.isfinite(product.variable("gradient_norm")[0, :, :2]).all()


def test_r2_of_labels_that_are_all_equal_is_none():
    found = of_real_labels(np.array([1.0, 2.0]), np.ones(2), np.zeros(2, np.int16), 1)
    assert np.isnan(found["test_r2"])
    assert (found["test_loss"], found["test_rmse"]) == (0.25, 0.5**0.5)
    perfect = of_real_labels(np.arange(3.0), np.arange(3.0), np.array([0, 2, 2]), 3)
    assert perfect["test_r2"] == 1
    np.testing.assert_array_equal(perfect["test_rmse_by_level"], [0, np.nan, 0])


def test_a_training_that_overflows_is_told(tmp_path):
    """The last record may be infinite, as with classes, and the file is valid."""
    rate = {"learning_rate": 1000.0, "optimizer": "sgd", "steps": 20, "record_every": 1}
    run_sweep(radial(network_depth=3, **rate), tmp_path / "a.h5")
    product = open_trajectory(tmp_path / "a.h5")
    assert product.run_status == ("diverged",)
    assert fracsim("check", tmp_path / "a.h5").code == 0
    assert fracsim("status", tmp_path / "a.h5", "--runs").code == 0


# --- the same bits --------------------------------------------------------------------------------


def test_stop_and_go_on(experiment, tmp_path, short_slices):
    run_sweep(experiment, tmp_path / "straight.h5", threads=1)
    for share, threads in ((0.3, 1), (0.7, 2)):
        summary = run_sweep(
            experiment, tmp_path / "a.h5", threads=threads, progress=StopAt(share, signal.SIGTERM)
        )
        assert summary.status == "interrupted"
        read_whole(tmp_path / "a.h5")
    assert run_sweep(experiment, tmp_path / "a.h5").status == "complete"
    straight, product = (open_trajectory(tmp_path / f"{name}.h5") for name in ("straight", "a"))
    same_numbers(straight, product)
    for run in range(4):
        np.testing.assert_array_equal(straight.weights(run)[1], product.weights(run)[1])


def test_shards_make_the_file_of_the_whole(experiment, tmp_path):
    run_sweep(experiment, tmp_path / "whole.h5")
    for i in range(3):
        run_sweep(experiment, tmp_path / f"s{i}.h5", shard=f"{i}/3")
    shards = [tmp_path / f"s{i}.h5" for i in range(3)]
    assert fracsim("merge", *shards, "-o", tmp_path / "merged.h5").code == 0
    same_numbers(open_trajectory(tmp_path / "whole.h5"), open_trajectory(tmp_path / "merged.h5"))
    assert fracsim("check", tmp_path / "merged.h5", *shards).code == 0


def test_processes_make_the_same_bits(experiment, tmp_path):
    run_sweep(experiment, tmp_path / "a.h5")
    run_sweep(experiment, tmp_path / "b.h5", executor="processes", threads=2)
    same_numbers(open_trajectory(tmp_path / "a.h5"), open_trajectory(tmp_path / "b.h5"))


@pytest.mark.parametrize(
    "experiment", ["radial", pytest.param("table", marks=pytest.mark.slow)], indirect=True
)
def test_a_card_measures_the_same(experiment, tmp_path):
    """In a simulator, side by side: R² and errors to the last digits of float32."""
    few = {"train_points": 40, "test_points": 12, "batch_size": 8, "network_depth": 1}
    short = experiment.changed({"steps": 2, "record_every": 1, **few}, "none")
    run_sweep(short, tmp_path / "a.h5")
    run_sweep(short, tmp_path / "b.h5", backend="cuda")
    one, other = open_trajectory(tmp_path / "a.h5"), open_trajectory(tmp_path / "b.h5")
    for name in set(one.records) - {"wall_time"}:
        np.testing.assert_allclose(one.variable(name), other.variable(name), rtol=2e-4)


# --- the commands ---------------------------------------------------------------------------------


def test_json_tells_r2_in_place_of_accuracy(tmp_path):
    train = (
        "train", "--problem", "radial", "--profile", "cone", "--dimension", 3, "--loss", "squared",
        "--depth", 1, "--width", 5, "--steps", 40, "--record-every", 20, "--train-points", 200,
        "--test-points", 50, "-o", tmp_path / "a.h5",
    )  # fmt: skip
    value = json.loads(fracsim(*train, "--json").out)
    assert value["best_test_r2"] == max(
        open_trajectory(tmp_path / "a.h5").variable("test_r2")[0][1:]
    )
    assert "best_test_accuracy" not in value
    assert {"train_loss", "test_loss", "test_r2", "test_rmse"} < value["final"].keys()
    assert "best test R² " in fracsim(*train).out


def test_every_reader_reads_it(experiment, tmp_path):
    path = tmp_path / "a.h5"
    result = fracsim("sweep", write_toml(experiment, tmp_path), "-o", path)
    assert result.code == 0, result.err
    assert "best test R², mean over 2 seeds" in result.out
    assert "best test R²" in fracsim("status", path, "--runs").out
    assert "best_test_r2" in fracsim("status", path, "--json").out
    assert fracsim("check", path).code == 0
    columns = fracsim("export", path).out.splitlines()[0].split(",")
    assert {"problem", "test_r2", "test_rmse", "train_loss"} < {*columns}
    assert "test_accuracy" not in columns
    with xarray.open_dataset(path) as data:
        for variable in REAL_RECORDS[:2]:
            assert data[variable.name].dims == variable.dims
            assert data[variable.name].attrs["long_name"] == variable.long_name
        assert data.problem.values.tolist() == [experiment.runs[0].problem] * 4
    again = fracsim("sweep", "--from", path, "-o", tmp_path / "b.h5", "-q")
    assert again.code == 0
    same_numbers(open_trajectory(path), open_trajectory(tmp_path / "b.h5"))
    assert fracsim("sweep", "--from", path, "--dry-run").code == 0


def write_toml(experiment, folder):
    """The experiment as a user writes it."""
    run = experiment.runs[0]
    keys = ["problem", "steps", "record_every", "batch_size", "width", "loss", "weights"]
    values = {**run.settings(), "weights": "final"}
    if run.problem == "radial":
        keys += ["dimension", "train_points", "test_points"]
    else:
        keys.append("table")
        values["table"] = run.table.partition("#")[0]
    lines = [f"{key} = {json.dumps(values[key])}" for key in keys]
    path = folder / "mine.toml"
    path.write_text("\n".join([*lines, "[grid]", "network_depth = [1, 2]", "seed = [0, 7]"]))
    return path


def test_a_network_is_started_from_and_looked_into(experiment, tmp_path):
    path = tmp_path / "a.h5"
    run_sweep(experiment, path)
    network = load_network(path)
    best = open_trajectory(path).variable("test_r2")[:, -1]
    assert network.about == f"test R² {best.max():.4f} at step 40"
    assert network.run == int(np.argmax(best))
    assert network.fractal is None
    started = experiment.changed({"init_from": f"{path}", "network_depth": network.shape.depth})
    run_sweep(started, tmp_path / "b.h5")
    assert fracsim("regions", path, "--segment=0,0,0,1,1,1", "--json").code == 0
    from fracsim.cli.plot import command

    refused = run_group(command, "fracsim-plot", "decision", path, "-o", tmp_path / "d.png")
    assert refused.code == 2
    assert "has not learnt a fractal" in refused.sentence


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda root: root["test_r2"].write_direct(np.full((4, 5), 1.5)),
            "accepted is a number of",
        ),
        (lambda root: root["test_rmse"].write_direct(np.full((4, 5), -1.0)), "at least 0"),
        (lambda root: root.pop("test_r2"), "'test_r2' is missing"),
        (lambda root: root.pop("test_rmse"), "'test_rmse' is missing"),
        (lambda root: root.create_dataset("test_accuracy", data=np.zeros((4, 5))), "is missing"),
    ],
)
def test_what_contradicts_itself_is_found(experiment, tmp_path, change, match):
    from trajectory_files import changed

    path = tmp_path / "a.h5"
    run_sweep(experiment, path)
    changed(path, change)
    result = fracsim("check", path)
    assert result.code == 1
    assert match in result.out + result.err


# --- figures --------------------------------------------------------------------------------------


def test_figures_show_relative_errors(experiment, tmp_path):
    from fracsim.cli.plot import command

    path = tmp_path / "a.h5"
    run_sweep(experiment, path)
    for figure in ("depth-width", "training"):
        result = run_group(command, "fracsim-plot", figure, path, "-o", tmp_path / f"{figure}.png")
        assert result.code == 0, result.err
    axes = draw(load_runs([path])).axes[0]
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "relative error (rms / sd)"
    r2 = np.nanmax(open_trajectory(path).variable("test_r2"), axis=1)
    drawn = sorted(float(line.get_ydata()[0]) for line in axes.lines)
    errors = np.sqrt(np.maximum(1 - r2, 0)).reshape(2, 2).mean(axis=1)
    np.testing.assert_allclose(drawn, sorted(errors), rtol=1e-12)
    refused = run_group(command, "fracsim-plot", "curve-accuracy", path, "-o", tmp_path / "c.png")
    assert refused.code == 1
    assert "not all runs learn a fractal by a curve" in refused.sentence


def test_equal_size_is_drawn_along_the_depth(tmp_path):
    grid = radial().grid
    grid.zip({"network_depth": [1, 2], "width": [6, 3]})
    from fracsim.experiments.experiment import make_experiment

    run_sweep(make_experiment(grid), tmp_path / "a.h5")
    figure = draw(load_runs([tmp_path / "a.h5"]))
    axes = figure.axes[0]
    assert axes.get_xlabel() == "hidden layers $T$, each of width $k$"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1\n$k=6$", "2\n$k=3$"]
    assert any("equal size" in one.get_text() for one in figure.findobj(Text))


def test_both_kinds_of_labels_are_not_drawn_in_one_figure(tmp_path):
    run_sweep(radial(), tmp_path / "a.h5")
    run_sweep(table(write_table(tmp_path / "t.npz")), tmp_path / "b.h5")
    from fracsim.cli.plot import command

    files = (tmp_path / "a.h5", tmp_path / "b.h5")
    result = run_group(command, "fracsim-plot", "training", *files, "-o", tmp_path / "c.png")
    assert result.code == 2
    assert "choose some with --where (problem = radial, table)" in result.sentence
    chosen = ("--where", "problem=table")
    good = run_group(command, "fracsim-plot", "training", *files, *chosen, "-o", tmp_path / "c.png")
    assert good.code == 0
    with h5py.File(tmp_path / "b.h5") as root:
        assert "test_r2" not in root
