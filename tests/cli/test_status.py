"""``fracsim status`` and ``fracsim export``: what they say of finished, running, foreign and broken
files."""

import csv
import io
import json

import h5py
import numpy as np
import pytest
from command_line import fracsim
from figure_files import experiment_of, write_file

from fracsim.data.reader import open_trajectory
from fracsim.data.samples import write_samples
from fracsim.products import columns


@pytest.fixture
def experiment():
    """Two networks of different depth, 3 records each."""
    return experiment_of(
        {"network_depth": [1, 2]},
        width=4,
        fractal="cantor1d",
        fractal_depth=3,
        steps=30,
        record_every=10,
    )


@pytest.fixture
def finished(tmp_path, experiment):
    return write_file(tmp_path / "finished.h5", experiment)


@pytest.fixture
def running(tmp_path, experiment):
    return write_file(tmp_path / "running.h5", experiment, records=2, finish=None)


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.h5"
    x = np.array([[0.1, 1 / 3], [-1e-20, 0.5], [1.0, -0.25]])
    write_samples(
        path,
        x,
        np.array([1, -1, 1]),
        np.array([5, 0, 5]),
        {"fractal": "cantor", "fractal_depth": 5, "curve": "1", "seed": 3},
    )
    return path


def broken_files(folder, whole):
    """(name, words its error has) of files that are none of ours."""
    (folder / "empty.h5").write_bytes(b"")
    (folder / "cut.h5").write_bytes(whole.read_bytes()[:-700])
    (folder / "text.h5").write_text("not HDF5 at all\n" * 100)
    with h5py.File(folder / "foreign.h5", "w") as file:
        file["temperature"] = np.arange(5.0)
    (folder / "folder.h5").mkdir()
    return ["empty.h5", "cut.h5", "text.h5", "foreign.h5", "folder.h5", "missing.h5"]


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_status_of_a_finished_sweep(finished):
    result = fracsim("status", finished)
    assert (result.code, result.err) == (0, "")
    assert "made up, complete; 2 runs of 30 steps and 4 records: 2 complete" in result.out


def test_status_of_a_running_sweep_says_how_far_it_is(running):
    result = fracsim("status", running, "--runs")
    assert (result.code, result.err) == (0, "")
    assert "dead, 6 of 8 records" in result.out  # nobody holds its lock
    assert "3/4 records" in result.out
    assert "network_depth 2" in result.out


def test_status_as_json(finished, running, points):
    done, live, drawn = json.loads(fracsim("status", finished, running, points, "--json").out)[
        "files"
    ]
    assert (done["kind"], done["status"], done["run_status"]) == (
        "trajectory",
        "complete",
        {"complete": 2},
    )
    assert [run["records_done"] for run in live["runs"]] == [3, 3]
    assert [run["network_depth"] for run in live["runs"]] == [1, 2]
    assert (
        done["runs"][0]["best_test_accuracy"]
        == open_trajectory(finished).variable("test_accuracy")[0, 1:].max()
    )
    assert (drawn["kind"], drawn["points"], drawn["fractal"]) == ("samples", 3, "cantor")


def test_status_of_points(points):
    assert (
        f"{points}: 3 points of cantor (fractal depth 5, curve 1, seed 3)"
        in fracsim("status", points).out
    )


def test_status_goes_on_after_a_broken_file(tmp_path, finished, capsys):
    names = broken_files(tmp_path, finished)
    result = fracsim("status", *(tmp_path / name for name in names), finished)
    assert result.code == 1
    assert "made up, complete" in result.out
    lines = result.err.splitlines()
    assert len(lines) == len(names)
    for line, name in zip(lines, names, strict=True):
        assert line.startswith("Error: ")
        assert name in line
    as_json = fracsim("status", tmp_path / "empty.h5", finished, "--json")
    assert as_json.code == 1
    assert ["error" in facts for facts in json.loads(as_json.out)["files"]] == [True, False]


def test_export_has_a_row_per_run_and_step(finished):
    result = fracsim("export", finished)
    assert (result.code, result.err) == (0, "")
    table = rows(result.out)
    trajectory = open_trajectory(finished)
    assert [(row["run"], row["step"]) for row in table] == [
        (r, s) for r in "01" for s in ("0", "10", "20", "30")
    ]
    assert [row["network_depth"] for row in table] == ["1"] * 4 + ["2"] * 4
    for i, row in enumerate(table):
        assert float(row["test_accuracy"]) == trajectory.variable("test_accuracy")[i // 4, i % 4]
        assert (
            float(row["test_accuracy_by_level_3"])
            == trajectory.variable("test_accuracy_by_level")[i // 4, i % 4, 3]
        )
    assert table[0]["gradient_norm_3"] == ""  # a network of depth 1 has layers 1 and 2
    assert table[4]["gradient_norm_3"] != ""
    assert table[0]["train_loss"] == ""  # nothing was trained on before step 0


def test_export_leaves_out_records_that_are_not_there(running):
    steps = [row["step"] for row in rows(fracsim("export", running).out)]
    assert steps == ["0", "10", "20"] * 2


def test_export_of_chosen_variables(finished):
    text = fracsim("export", finished, "--variables", "network_depth,test_accuracy").out
    assert text.splitlines()[0] == "run,network_depth,step,test_accuracy"
    long = rows(
        fracsim(
            "export", finished, "--variables", "test_accuracy_by_level,train_loss", "--long"
        ).out
    )
    assert set(long[0]) == {"run", "step", "variable", "index", "value"}
    assert {(row["variable"], row["index"]) for row in long} == {
        *(("test_accuracy_by_level", str(j)) for j in range(4)),
        ("train_loss", ""),
    }
    assert len(long) == 8 * 4 + 6


def test_export_of_points(points, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK", 2)
    assert fracsim("export", points).out == (
        "point,x_0,x_1,y,level\n0,0.1,0.3333333333333333,1,5\n1,-1e-20,0.5,-1,0\n2,1.0,-0.25,1,5\n"
    )
    assert fracsim("export", points, "--variables", "level").out == "point,level\n0,5\n1,0\n2,5\n"


def test_export_to_a_file(finished, tmp_path):
    path = tmp_path / "run.csv"
    result = fracsim("export", finished, "-o", path)
    assert result.code == 0
    assert f"{path}: 8 rows" in result.err
    assert path.read_text() == fracsim("export", finished).out
    again = fracsim("export", finished, "-o", path)
    assert again.code == 1
    assert "--overwrite" in again.sentence
    itself = fracsim("export", finished, "-o", finished, "--overwrite")
    assert itself.code == 2
    assert "is a file to read" in itself.sentence
    assert fracsim("export", finished, "-o", path, "--overwrite", "-q") == (0, "", "")


def test_export_never_leaves_half_a_file(finished, tmp_path, monkeypatch):
    path = tmp_path / "run.csv"
    path.write_text("precious")

    def stop(column):
        raise KeyboardInterrupt

    monkeypatch.setattr(columns, "_texts", stop)
    assert fracsim("export", finished, "-o", path, "--overwrite").code == 130
    assert path.read_text() == "precious"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["finished.h5", "run.csv"]


def test_export_names_the_nearest_variable(finished, points):
    result = fracsim("export", finished, "--variables", "test_acuracy")
    assert result.code == 2
    assert "'test_acuracy'; did you mean 'test_accuracy'?" in result.sentence
    assert "it has x, y, level" in fracsim("export", points, "--variables", "zzz").sentence


def test_export_refuses_files_that_are_not_ours(tmp_path, finished):
    for name in broken_files(tmp_path, finished):
        result = fracsim("export", tmp_path / name, "-o", tmp_path / "out.csv")
        assert result.code == 1, name
        assert name in result.sentence
        assert not (tmp_path / "out.csv").exists()


def test_export_to_places_where_no_file_can_be_made(points, tmp_path):
    for path in (tmp_path / "no" / "out.csv", tmp_path):
        result = fracsim("export", points, "-o", path)
        assert result.code == 1
        assert str(path.parent if path != tmp_path else path) in result.sentence
