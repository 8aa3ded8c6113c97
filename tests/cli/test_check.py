"""``fracsim check``: exit codes, what it says of good files, one sentence for each fault of the
others."""

import json

import pytest
from command_line import fracsim
from figure_files import experiment_of, write_file


@pytest.fixture
def finished(tmp_path):
    return write_file(
        tmp_path / "finished.h5",
        experiment_of({"seed": [0, 1, 2]}, width=4, steps=30, record_every=10),
    )


@pytest.fixture
def stopped(tmp_path):
    grid = experiment_of({"seed": [0, 1, 2]}, "records", width=4, steps=3000, record_every=1000)
    return write_file(tmp_path / "stopped.h5", grid, records=2, finish="interrupted")


@pytest.fixture
def broken(tmp_path, finished):
    path = tmp_path / "broken.h5"
    path.write_bytes(finished.read_bytes()[:-100])
    return path


def test_a_finished_file(finished):
    result = fracsim("check", finished)
    assert result == (
        0,
        f"{finished}: valid and complete; experiment 'made up', 3 runs of 4 records\n"
        "  3 runs (0 to 2): complete, 4 of 4 records, up to step 30\n",
        "",
    )


def test_an_unfinished_file_ends_with_75(stopped):
    code, out, err = fracsim("check", stopped)
    assert (code, err) == (75, "")
    assert "valid, not finished (interrupted, 9 of 12 records)" in out
    assert (
        "3 runs (0 to 2): running, 3 of 4 records, up to step 2,000, 3 snapshots of the weights"
        in out
    )


def test_the_worst_file_decides_and_all_are_told(finished, stopped, broken, tmp_path):
    assert fracsim("check", finished, stopped).code == 75
    code, out, err = fracsim("check", broken, stopped, tmp_path / "none.h5", finished)
    assert code == 1
    heads = [line.split(":")[0] for line in out.splitlines() if not line.startswith(" ")]
    assert heads == [str(stopped), str(finished)]
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"Error: '{broken}' is ")
    assert lines[1] == f"Error: there is no file '{tmp_path / 'none.h5'}'."


def test_json(finished, stopped, broken):
    code, out, err = fracsim("check", finished, stopped, broken, "--json")
    assert code == 1
    assert str(broken) in err
    good, half, bad = json.loads(out)
    assert (good["valid"], good["complete"], good["kind"], good["problems"]) == (
        True,
        True,
        "trajectory",
        [],
    )
    assert (half["valid"], half["complete"], half["status"]) == (True, False, "interrupted")
    assert half["runs"][2] == {
        "run": 2,
        "status": "running",
        "records_done": 3,
        "last_step": 2000,
        "snapshots_done": 3,
    }
    assert (bad["valid"], bad["complete"], len(bad["problems"])) == (False, False, 1)


def test_points(tmp_path):
    assert fracsim("sample", "cantor", "--count", 10, "-o", tmp_path / "points.h5", "-q").code == 0
    assert fracsim("check", tmp_path / "points.h5").out.endswith(
        "valid and complete; 10 points in dimension 2\n"
    )


def test_files_that_are_none_of_ours(tmp_path):
    (tmp_path / "text.h5").write_text("not HDF5")
    (tmp_path / "folder.h5").mkdir()
    for name, words in {
        "text.h5": "is not an HDF5 file",
        "folder.h5": "is not a regular file",
    }.items():
        result = fracsim("check", tmp_path / name)
        assert (result.code, result.out) == (1, "")
        assert words in result.sentence
    assert fracsim("check").code == 2
