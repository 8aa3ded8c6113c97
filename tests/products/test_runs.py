"""Runs, and the one rule by which tables and figures make points of them."""

import numpy as np
import pytest
from figure_files import experiment_of, write_file
from made_up_runs import made_up_runs, made_up_trajectory

import fracsim
from fracsim.errors import UsageError
from fracsim.products.entries import entries_of
from fracsim.products.runs import Runs
from fracsim.products.selection import Selection

RATES = {"learning_rate": [0.1, 0.1, 0.2, 0.2] * 2, "seed": [0, 1] * 4, "width": [5] * 4 + [9] * 4}


def scores(trajectory) -> Runs:
    return Runs(entries_of(trajectory))


def test_the_rate_with_the_best_mean_over_seeds_is_taken():
    runs = made_up_runs([0.5, 0.7, 0.9, 0.1, None, 0.25, None, None], **RATES)
    five, nine = runs.points(["width"])
    assert (five.at, five.chosen, five.values) == ((5,), (0.1,), (0.5, 0.7))
    assert (five.mean, five.least, five.greatest) == (pytest.approx(0.6), 0.5, 0.7)
    assert five.deviation == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert (nine.chosen, nine.values, nine.missing, nine.seeds) == ((0.1,), (0.25,), 1, 1)
    assert runs.selected() == (
        "best over the recorded steps; best of 2 learning rates by the mean over seeds; "
        "mean of 2 seeds"
    )


def test_a_point_without_a_value_is_nan():
    (point,) = made_up_runs([None, None], seed=[0, 1]).points()
    assert (point.seeds, point.missing) == (0, 2)
    assert np.isnan([point.mean, point.least, point.greatest, point.deviation]).all()


def test_which_record_stands_for_a_run():
    runs = made_up_runs([[0.5, 0.9, 0.7], [0.8, 0.6, None]], seed=[0, 1])
    assert runs.values("test_accuracy").tolist() == [0.9, 0.8]
    assert runs.values("test_accuracy", "last").tolist() == [0.7, 0.6]
    assert runs.values("test_accuracy", "step:200").tolist() == [0.9, 0.6]
    assert np.isnan(runs.values("test_accuracy", "step:3e2")[1])
    assert runs.points(select="last")[0].values == (0.7, 0.6)
    assert runs.selected(select="last").startswith("at the last record (steps 200 to 300)")
    assert runs.selected(select="step:2_00").startswith("at step 200")
    assert runs.selected("train_loss").startswith("at the record with the best test accuracy")


@pytest.mark.parametrize("record", ["", "lats", "step", "step:", "step:-1", "step:1.5", "step:x"])
def test_an_unknown_record_is_refused(record):
    with pytest.raises(UsageError, match="accepted: best, last, or step:N"):
        Selection(record)


def test_the_rate_is_chosen_at_the_record_that_is_shown():
    runs = made_up_runs([[0.9, 0.5], [0.6, 0.7]], learning_rate=[1, 2])
    assert runs.points()[0].chosen == (1,)
    assert runs.points(select="last")[0].chosen == (2,)


def test_of_another_variable_the_value_at_the_best_accuracy_is_taken():
    variables = {"test_accuracy": [[0.5, 0.9, 0.7]], "test_loss": [[0.9, 0.4, 0.1]]}
    runs = scores(made_up_trajectory(variables, seed=[3]))
    assert runs.values("test_loss").tolist() == [0.4]
    assert runs.points(value="test_loss")[0].values == (0.4,)
    assert runs.points(value="seed")[0].values == (3,)


def test_step_0_is_never_the_best():
    file = made_up_trajectory({"test_accuracy": [[0.9, 0.5], [0.8, np.nan]]}, [0, 100], seed=[0, 1])
    assert file.best().tolist() == [0.5, pytest.approx(np.nan, nan_ok=True)]
    assert file.best_records().tolist() == [1, -1]
    assert scores(file).values("test_accuracy", "step:0").tolist() == [0.9, 0.8]


def test_of_real_labels_the_least_relative_error_is_the_best():
    variables = {"test_r2": [[0.19, 0.64], [0.0, 0.0], [0.51, 0.51]], "test_rmse": [[1, 1]] * 3}
    settings = {"learning_rate": [1, 1, 2], "seed": [0, 1, 0]}
    runs = scores(made_up_trajectory(variables, **settings))
    (point,) = runs.points()
    assert (point.chosen, point.values) == ((2,), (pytest.approx(0.7),))  # mean of .6 and 1 is .8
    assert runs.points(value="test_r2")[0].values == (0.51,)
    assert runs.values("relative_error").tolist() == pytest.approx([0.6, 1.0, 0.7])
    assert "relative_error" in runs.variables


def test_values_by_level_or_layer():
    by_level = [[[0.1, 0.2, np.nan]], [[0.4, 0.5, 0.6]]]
    variables = {"test_accuracy": [[0.5], [0.6]], "test_accuracy_by_level": by_level}
    runs = scores(made_up_trajectory(variables, network_depth=[1, 2]))
    name = "test_accuracy_by_level"
    assert runs.values(name).shape == (2, 3)
    assert runs.values(f"{name}[-1]").tolist() == [0.2, 0.6]
    assert runs.values(f"{name}[2]")[1] == 0.6
    assert np.isnan(runs.values(f"{name}[2]")[0])
    assert [point.mean for point in runs.points(["network_depth"], f"{name}[0]")] == [0.1, 0.4]
    with pytest.raises(UsageError, match="3 values for each run"):
        runs.points(["network_depth"], name)
    with pytest.raises(UsageError, match="accepted is test_accuracy"):
        runs.values("test_accuracy[0]")


def test_what_differs_besides_is_not_averaged_away():
    runs = made_up_runs([0.5, 0.6], curve=["1", "2"], width=[5, 5])
    with pytest.raises(UsageError, match=r"differ in curve would be one point.*curve = 1, 2"):
        runs.points(["width"])
    assert len(runs.points(["curve"])) == 2
    together = made_up_runs([0.5, 0.6], fractal=["a", "b"], gap=["centre", "complement"])
    assert [point.at for point in together.points(["fractal"])] == [("a",), ("b",)]


def test_unknown_names_are_refused_with_the_nearest():
    runs = made_up_runs([0.5], width=[5])
    for wrong in (
        lambda: runs.values("widht"),
        lambda: runs.points(["widht"]),
        lambda: runs.group(["widht"]),
    ):
        with pytest.raises(UsageError, match="did you mean 'width'"):
            wrong()
    with pytest.raises(UsageError, match="did you mean 'test_accuracy'"):
        runs.points(value="test_acuracy")


def test_where_takes_alternatives_and_ranges():
    widths = [5, 10, 20, 40]
    runs = made_up_runs([0.1, 0.2, 0.3, 0.4], width=widths, curve=["1", "2", "finest:2", "4"])

    def left(**conditions):
        return runs.where(conditions).values("width").tolist()

    assert left(width=10) == [10]
    assert left(width=["5", 40]) == [5, 40]
    assert left(width=np.array([5, 20])) == [5, 20]
    assert left(width="10:20") == [10, 20]
    assert left(curve=("finest:2", 4), width=range(10, 21)) == [20]
    with pytest.raises(UsageError, match=r"--where width=7,10:19: no run.*hold width = 20, 40"):
        runs.where({"width": "20:40"}).where({"width": "7,10:19"})


def test_runs_of_files(tmp_path):
    path = write_file(tmp_path / "a.h5", experiment_of({"seed": [0, 1]}, steps=40, record_every=20))
    runs = fracsim.load_runs(path)
    assert repr(runs) == "<Runs: 2 of 1 files, varied: seed>"
    assert len(repr(list(runs))) < 300
    assert [len(part) for part in runs.group(["seed"]).values()] == [1, 1]


def test_layers_of_different_widths_are_a_width():
    widths = {"width": [10, 10, 10], "widths": ["10-10", "10-4", "10-4"]}
    runs = made_up_runs([0.5, 0.6, 0.8], **widths, seed=[0, 0, 1])
    assert [point.at for point in runs.points(["width"])] == [("10-4",), (10,)]
    assert runs.points(["width"])[0].values == (0.6, 0.8)
    assert set(runs.where({"width": "10-4"}).values("width")) == {"10-4"}
