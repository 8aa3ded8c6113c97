"""Networks whose layers differ in width, ``width = "100-20-100"``, from the option to the
figure."""

import json
import shutil

import h5py
import numpy as np
import pytest
from command_line import fracsim, run_group
from small_experiments import SMALL, same_numbers
from stops import StopAt
from trajectory_files import changed

import fracsim as library
from fracsim.cli import plot
from fracsim.data.reader import open_trajectory
from fracsim.errors import UsageError
from fracsim.experiments.experiment import Experiment, make_experiment
from fracsim.experiments.grid import Grid
from fracsim.experiments.shard import make_part
from fracsim.figures.collect import name_values
from fracsim.kernels.network.shape import Shape
from fracsim.networks.stored import load_network
from fracsim.products.check import check_file
from fracsim.products.runs import load_runs
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.run import make_run, parameters_of, shape_of

FREE = {key: value for key, value in SMALL.items() if key not in ("network_depth", "width")}
WIDTHS = (5, "7-3", "4-9-2", "6-6")
SHAPES = [Shape(2, 5, 5), Shape(2, (7, 3)), Shape(2, (4, 9, 2)), Shape(2, 2, 6)]


def uneven(weights="final", widths=WIDTHS, **fixed):
    """Each width with two seeds; the depth is left to the widths."""
    axes = {"width": widths, "seed": (0, 7)}
    grid = Grid(fixed={**FREE, "steps": 60, "record_every": 12, **fixed}, crossed=axes)
    return make_experiment(grid, name="uneven", weights=weights)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("uneven") / "whole.h5"
    assert run_sweep(uneven("records"), path).status == "complete"
    return path


def same_files(one, other):
    one, other = open_trajectory(one), open_trajectory(other)
    same_numbers(one, other)
    for run in range(len(one.numbers)):
        for snapshot in range(len(one.weight_steps(run))):
            mine, theirs = one.weights(run, snapshot), other.weights(run, snapshot)
            assert mine[0] == theirs[0]
            np.testing.assert_array_equal(mine[1], theirs[1])


def test_a_width_for_each_layer_says_the_depth():
    runs = uneven().runs[::2]
    assert [shape_of(run) for run in runs] == SHAPES
    assert [(run.network_depth, run.width) for run in runs] == [
        *((5, 5), (2, "7-3"), (3, "4-9-2"), (2, 6))
    ]
    assert parameters_of(runs[2]) == 3 * 4 + 5 * 9 + 10 * 2 + 3
    again = Experiment.from_json(uneven().to_json())
    assert (again.runs, again.hash()) == (uneven().runs, uneven().hash())


def test_equal_widths_are_one_network_however_they_are_written():
    def hash_of(**settings):
        return make_experiment(Grid(fixed={**FREE, **settings})).hash()

    plain = hash_of(network_depth=3, width=20)
    assert plain == hash_of(width="20-20-20") == hash_of(width=" 20-2e1-20", network_depth=3)
    assert plain != hash_of(width="20-20-21")
    assert hash_of(width=20) == hash_of(width="20", network_depth=5)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"width": "7-3", "network_depth": 3}, "of 2 hidden layers, and .*--depth.* is 3; accep"),
        ({"width": "7-0"}, r"width \(--width\) is '7-0'; accepted is .* as in 100-20-100"),
        ({"width": "7-"}, "'7-'; accepted is a whole number from 1 to 100,000, or one for each"),
        ({"width": "-7-3"}, "'-7-3'"),
        ({"width": "7-3.5"}, "'7-3.5'"),
        ({"width": "7-100001"}, "'7-100001'"),
        ({"width": "1-" * 1000 + "1"}, "accepted is a whole number"),
        ({"width": [7, 3]}, r"is \[7, 3\]; accepted"),
        ({"width": True}, "is True; accepted"),
    ],
)
def test_what_are_no_widths_is_refused(settings, sentence):
    with pytest.raises(UsageError, match=sentence):
        make_run(settings)


def test_toml_takes_some_widths_for_days(tmp_path):
    path = tmp_path / "days.toml"
    path.write_text('[grid]\nwidth = [3, 1000-10-20, "20-5"]\n')
    shown = fracsim("show", "experiment", path, "--json")
    assert json.loads(shown.out)["grid"]["width"] == [3, "1000-10-20", "20-5"]


def test_columns_groups_and_settings_of_a_file(whole):
    with h5py.File(whole) as file:
        assert file["width"][::2].tolist() == [5, 7, 9, 6]
        assert file["width"].dtype == "i8"
        widths = [text.decode() for text in file["widths"][::2]]
        assert widths == ["5-5-5-5-5", "7-3", "4-9-2", "6-6"]
        assert file["network_depth"][::2].tolist() == [5, 2, 3, 2]
        groups = ["T2_k6_d2", "T2_k7-3_d2", "T3_k4-9-2_d2", "T5_k5_d2"]
        assert sorted(file["weights"]) == groups
        facts = dict(file["weights/T3_k4-9-2_d2"].attrs)
        assert (facts["width"], facts["widths"]) == (9, "4-9-2")
        assert facts["layer_sizes"] == "2 -> 4 -> 9 -> 2 -> 1"
        assert "widths" not in file["weights/T2_k6_d2"].attrs
    report = check_file(whole)
    assert (report.valid, report.complete, report.problems) == (True, True, ())
    assert [load_network(whole, run).shape for run in range(0, 8, 2)] == SHAPES


def test_files_of_equal_widths_have_no_column_more(tmp_path):
    run_sweep(uneven(widths=(5, "6-6")), tmp_path / "equal.h5")
    with h5py.File(tmp_path / "equal.h5") as file:
        assert "widths" not in file
        assert file["width"][::2].tolist() == [5, 6]


def test_stopping_changes_no_bit(whole, tmp_path, short_slices):
    path = tmp_path / "a.h5"
    for share in (0.2, 0.6):
        assert run_sweep(uneven("records"), path, progress=StopAt(share)).status == "interrupted"
    assert run_sweep(uneven("records"), path, threads=2).status == "complete"
    same_files(whole, path)


def test_shards_make_the_whole(whole, tmp_path):
    paths = [tmp_path / f"s{i}.h5" for i in range(3)]
    for i, path in enumerate(paths):
        run_sweep(uneven("records"), path, shard=f"{i}/3")
        with h5py.File(path) as file:
            assert "widths" in file, "columns are those of the whole experiment"
    library.merge(paths, tmp_path / "merged.h5")
    same_files(whole, tmp_path / "merged.h5")
    assert check_file(tmp_path / "merged.h5").valid
    assert len(make_part(uneven(), "0/3").runs) < 8


def test_processes_give_the_same_numbers(whole, tmp_path):
    run_sweep(uneven("records"), tmp_path / "p.h5", executor="processes", threads=2)
    same_files(whole, tmp_path / "p.h5")


@pytest.mark.parametrize("data", ["stream", "population"])
def test_other_data(tmp_path, data):
    settings = {"data": data, "precision": "float64"}
    settings |= {"fractal": "cantor1d"} if data == "population" else {}
    summary = run_sweep(uneven(**settings), tmp_path / "run.h5")
    assert summary.run_status == ["complete"] * 8


def test_training_goes_on_from_layers_that_differ(whole):
    grid = Grid(fixed={**FREE, "init_from": str(whole), "learning_rate": 1e-20})
    best = load_network(whole)
    (run,) = make_experiment(grid).runs
    assert shape_of(run) == best.shape


def test_a_damaged_column_is_noticed(whole, tmp_path):
    path = tmp_path / "changed.h5"
    shutil.copy(whole, path)
    changed(path, lambda root: root["widths"].__setitem__(2, "7-4"))
    assert any("widths of run 2 is '7-4'" in text for text in check_file(path).problems)


def test_commands_name_the_layers(whole, tmp_path):
    options = [f"--{key.replace('_', '-')}={value}" for key, value in FREE.items()]
    sweep = fracsim("train", *options, "--width", "12-4", "-o", tmp_path / "t.h5", "--json")
    assert json.loads(sweep.out)["status"] == "complete"
    plan = fracsim("train", *options, "--width", "12-4", "--dry-run", "--json")
    (shape,) = json.loads(plan.out)["shapes"]
    assert (shape["network_depth"], shape["width"], shape["parameters"]) == (2, "12-4", 93)
    unfit = fracsim("train", "--width", "12-4", "--depth", 3, "-o", tmp_path / "u.h5")
    assert (unfit.code, unfit.out) == (2, "")
    assert "width (--width) is 12-4, of 2 hidden layers, and network_depth" in unfit.sentence
    found = fracsim("sweep", "--from", whole, "-o", whole)
    assert "is already complete" in found.err
    rows = [line.split() for line in found.out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["width", "5", "7-3", "4-9-2", "6"]
    exported = fracsim("export", whole, "--variables", "width,widths").out.splitlines()
    assert {row.rpartition(",")[0] for row in exported} >= {"run,width,widths", "2,7,7-3"}
    assert fracsim("status", whole).code == 0


def test_figures_do_not_mix_networks(whole, tmp_path):
    runs = load_runs([whole])
    keys = ("network_depth", "width", "widths")
    assert name_values(keys, (3, 9, "4-9-2")) == "depth 3, width 4-9-2"
    assert name_values(keys, (2, 6, "equal")) == "depth 2, width 6"
    assert len(runs.where({"widths": "equal"}).entries) == 4
    (one, _) = runs.where({"widths": "4-9-2"}).entries
    assert (one.settings["width"], one.settings["network_depth"]) == (9, 3)
    for figure in ("depth-width", "training"):
        path = tmp_path / f"{figure}.png"
        result = run_group(plot.command, "fracsim-plot", figure, whole, "-o", path)
        assert result.code == 0, result.err
        assert path.stat().st_size > 10_000
