"""What holds for every problem: its keys and no others', what fractals had before there were
problems, labels and losses, and problems side by side in one file."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from command_line import fracsim
from learnt import SHORT, experiment_of, radial, table, write_table
from places import TOP
from small_experiments import small

from fracsim.data.reader import open_trajectory
from fracsim.errors import RunError, UsageError
from fracsim.experiments.experiment import load_experiment, make_experiment
from fracsim.experiments.grid import Grid
from fracsim.problems.problem import REAL_LOSSES, TARGETS, Problem, own_keys
from fracsim.problems.registry import PROBLEM_KEYS, PROBLEMS
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.run import SETTINGS, Run, make_run, problem_of

# Of the shipped experiments, as they were before there were problems.
HASHES = {
    ("cantor5-depth-width", False): "a6ab0e6dea306b5ec5ee262c32acafd7",
    ("cantor5-depth-width", True): "97b8c764c7c9da88c810c615ffc74f95",
    ("cantor1d-fine", True): "fe6dabca86a256ce1d950fe3223422b2",
    ("pentaflake5-curves", False): "bcfae8a086f9a3cb1727c1d604769ec9",
}


def train(*options, output):
    return fracsim("train", *options, "--steps", 20, "--record-every", 10, "-q", "-o", output)


# --- the registry ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_kind_of_problem_declares_what_it_needs(kind):
    assert issubclass(kind, Problem)
    assert dataclasses.is_dataclass(kind.declared)
    assert issubclass(Run, kind.declared), "Run has its keys"
    assert {*kind.described, *own_keys(kind)} <= SETTINGS.keys()
    assert {*kind.open_keys} <= SETTINGS.keys()
    assert not kind.source_key or kind.source_key in own_keys(kind)
    assert not {*own_keys(kind)} & {
        key for other in PROBLEMS.values() if other is not kind for key in own_keys(other)
    }, "a key is declared once"


def test_the_default_is_the_fractal_and_its_keys_stand_first():
    assert Run().problem == next(iter(PROBLEMS)) == "fractal"
    assert [*SETTINGS][:8] == ["problem", *own_keys(PROBLEMS["fractal"]), "profile"]
    assert TARGETS == ("class", "real")
    assert set(REAL_LOSSES) <= set(SETTINGS["loss"].choices)


def test_declarations_need_nothing_heavy():
    code = (
        "import sys, fracsim.training.run\n"
        "assert not {'numpy', 'numba', 'h5py'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=TOP, check=True)


# --- fractals are what they were ------------------------------------------------------------------


@pytest.mark.parametrize(("name", "quick"), HASHES)
def test_hashes_of_fractal_runs_have_not_changed(name, quick):
    experiment = load_experiment(name, quick)
    assert experiment.hash().startswith(HASHES[name, quick])
    stored = json.loads(experiment.to_json())
    assert not {"problem", "profile", "dimension", "table", "target"} & stored["settings"].keys()
    assert "sources" not in stored
    assert "problem" not in experiment.keys


def test_to_say_that_it_is_a_fractal_changes_nothing(tmp_path):
    grid = Grid()
    for key, value in {"problem": "fractal", **small().fixed}.items():
        grid.fix(key, value)
    said = make_experiment(grid, name="small")
    assert said.to_json() == small().to_json()
    run_sweep(said, tmp_path / "a.h5")
    product = open_trajectory(tmp_path / "a.h5")
    assert "problem" not in product.runs
    assert product.records[:2] == ("train_loss", "train_accuracy")
    assert product.target(0) == "class"


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (("--profile", "hat"), "profile (--profile) is a key of problem radial; problem"),
        (("--dimension", "8"), "dimension (--dimension) is a key of problem radial; "),
        (("--table", "x.npz"), "table (--table) is a key of problem table; "),
        (
            ("--problem", "radial", "--fractal", "cantor"),
            "fractal (--fractal) is a key of problem fractal; problem (--problem) is radial here",
        ),
        (("--problem", "radial", "--curve", "1"), "curve (--curve) is a key of problem fractal"),
        (("--problem", "radial", "--target", "real"), "target (--target) is a key of problem"),
        (
            ("--problem", "radail"),
            "problem (--problem) is 'radail'; accepted is one of fractal, "
            "radial, table",
        ),
        (("--problem", "table"), "problem (--problem) table needs a table (--table): an .npz"),
        (("--problem", "radial", "--dimension", "0"), "dimension (--dimension) is "),
        (("--problem", "radial"), "loss (--loss) is hinge and the labels of problem (--problem) "
         "radial are real numbers; accepted is squared"),
        (("--problem", "radial", "--loss", "logistic"), "loss (--loss) is logistic and the labels"),
        (("--problem", "radial", "--loss", "squared", "--data", "stream"),
         "data (--data) is stream; accepted with problem (--problem) radial is dataset"),
        (("--problem", "radial", "--loss", "squared", "--data", "population"),
         "data (--data) is population; accepted with problem (--problem) radial is dataset"),
    ],
)  # fmt: skip
def test_what_does_not_belong_is_one_sentence(tmp_path, options, match):
    result = train(*options, output=tmp_path / "a.h5")
    assert result.code == 2
    assert match in result.sentence
    assert not (tmp_path / "a.h5").exists()


def test_keys_of_other_problems_are_refused_wherever_they_are_given(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="is a key of problem radial"):
        make_run({"profile": "cone"})
    with pytest.raises(UsageError, match="is a key of problem fractal"):
        make_run({"problem": "radial", "fractal_depth": 5})
    with pytest.raises(UsageError, match="is a key of problem radial"):
        Run(profile="cone").validate()
    with pytest.raises(UsageError, match="is a key of problem fractal"):
        load_experiment("radial-depth", overrides={"fractal": "vicsek"})
    with pytest.raises(UsageError, match="is a key of problem fractal"):
        radial(crossed={"fractal_depth": (1, 2)})
    monkeypatch.setenv("FRACSIM_CURVE", "2")
    result = fracsim("sweep", "radial-depth", "--quick", "-o", tmp_path / "a.h5")
    assert result.code == 2
    assert "curve (--curve) is a key of problem fractal" in result.sentence
    assert "FRACSIM_CURVE" in result.sentence


def test_columns_and_hashes_are_those_of_the_keys_that_mean_something():
    experiment = radial(crossed={"profile": ("hat", "cone"), "dimension": (2, 3)})
    assert "problem" in experiment.keys
    assert not {*own_keys(PROBLEMS["fractal"]), "table", "target"} & {*experiment.keys}
    assert len({problem_of(run) for run in experiment.runs}) == 4
    one, other = radial(), radial(profile="cone")
    assert one.hash() != other.hash()
    assert one.hash() == radial(profile="hat").hash()
    assert PROBLEM_KEYS["dimension"] == "radial"


def test_another_problem_in_place_of_a_stored_one(tmp_path):
    """What the stored experiment has filled in is not what the user has asked for."""
    run_sweep(small(loss="squared"), tmp_path / "a.h5")
    changed = fracsim(
        "sweep", "--from", tmp_path / "a.h5", "--set", "problem=radial", "--set", "dimension=3",
        "-q", "-o", tmp_path / "b.h5",
    )  # fmt: skip
    assert changed.code == 0, changed.err
    assert open_trajectory(tmp_path / "b.h5").runs["problem"].tolist() == ["radial"]


def test_products_of_two_problems_differ_in_a_word(tmp_path):
    run_sweep(radial(), tmp_path / "a.h5")
    with pytest.raises(RunError, match="problem is radial there and fractal here"):
        run_sweep(small(), tmp_path / "a.h5")
    with pytest.raises(RunError, match="profile is hat there and cone here"):
        run_sweep(radial(profile="cone"), tmp_path / "a.h5")


# --- side by side ---------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path):
    """Fractals, a radial function and a table of classes in one file: two kinds of labels."""
    path = write_table(tmp_path / "t.npz", 300, groups=2)
    experiment = experiment_of(
        "fractal",
        "final",
        {"problem": ("fractal", "radial", "table"), "seed": (0, 1)},
        table=str(path),
        dimension=3,
        fractal_depth=2,
        train_points=200,
        test_points=100,
    )
    run_sweep(experiment, tmp_path / "m.h5")
    return experiment, tmp_path / "m.h5"


def test_each_run_takes_the_keys_of_its_problem(mixed):
    experiment, path = mixed
    product = open_trajectory(path)
    assert experiment.targets == TARGETS
    assert product.runs["problem"].tolist() == [*["fractal"] * 2, *["radial"] * 2, *["table"] * 2]
    assert [*map(product.target, range(6))] == [*["class"] * 2, *["real"] * 2, *["class"] * 2]
    assert product.runs["profile"].tolist() == ["", "", "hat", "hat", "", ""]
    np.testing.assert_array_equal(product.runs["dimension"], [np.nan] * 2 + [3] * 2 + [np.nan] * 2)
    assert np.isnan(product.variable("test_accuracy")[2:4]).all()
    assert np.isnan(product.variable("test_r2")[[0, 1, 4, 5]]).all()
    assert np.isfinite(product.variable("test_r2")[2:4]).all()
    alone = experiment_of("radial", dimension=3, train_points=200, test_points=100, seed=1)
    assert alone.runs[0] == dataclasses.replace(experiment.runs[3])


def test_a_file_of_both_kinds_of_labels_is_valid_and_told(mixed):
    _, path = mixed
    assert fracsim("check", path).code == 0
    said = fracsim("status", path, "--runs").out
    assert "best test R²" in said
    assert "best test accuracy" in said
    again = fracsim("sweep", "--from", path, "-o", path, "--json")
    value = json.loads(again.out)
    assert value["best_test_accuracy"] > 0
    assert "best_test_r2" in value
    assert "best_test_r2" in value["runs"][2]
    assert "test_accuracy" not in value["runs"][2]["final"]
    assert "test_r2" not in value["runs"][0]["final"]
    assert "test_rmse" in fracsim("export", path).out.splitlines()[0]


def test_a_key_that_varies_must_mean_something_to_every_run():
    with pytest.raises(UsageError, match=r"profile .* is a key of problem radial; .* is fractal"):
        experiment_of(
            "fractal", crossed={"problem": ("fractal", "radial"), "profile": ("hat", "cone")}
        )
    with pytest.raises(UsageError, match=r"table \(--table\) is a key of problem table; "):
        experiment_of("fractal", crossed={"problem": ("fractal", "radial")}, table="x.npz")
    assert SHORT["loss"] == "squared"


def test_a_table_of_classes_with_the_hinge_beside_real_labels_is_refused(tmp_path):
    path = write_table(tmp_path / "t.npz", real=True)
    with pytest.raises(UsageError, match=r"loss .* is hinge and the labels of .* table are real"):
        table(path, loss="hinge")
    assert table(path).targets == ("real",)
