"""``fracsim bounds``: its numbers, its file, its sentences."""

import json
import re

import numpy as np
import pytest
import xarray
from command_line import fracsim

from fracsim.studies import open_study


def test_the_command_of_the_readme():
    result = fracsim("bounds", "cantor", "--fractal-depth", 5, "--curve", 1, "--json")
    assert result.code == 0
    assert result.err == ""
    said = json.loads(result.out)
    assert (said["fractal"], said["dimension"], said["maps"], said["fractal_depth"]) == (
        "cantor",
        2,
        4,
        5,
    )
    assert said["network_depth"] == list(range(1, 12))
    assert said["width"] == [10, 20, 50, 100, 200, 400]
    assert said["least_width"][:3] == pytest.approx([23.5, 4.16, 2.34], rel=3e-3)
    assert said["least_width"][3:] == [None] * 8  # below d = 2
    assert any("says nothing of T ≥ 4" in note for note in said["notes"])
    assert said["upper_error"][0] == [None, None, 0.5, 0.5, 0.5, 0.5]
    assert said["upper_error"][10][2] == 0
    assert said["lower_error"] is None
    assert said["least_error"] is None
    assert "0-1 error" in said["error"]
    assert any("Theorem 4" in note for note in said["notes"])


def test_a_study_holds_what_was_said(tmp_path):
    path = tmp_path / "b.h5"
    arguments = [
        "bounds",
        "cantor1d",
        "--fractal-depth",
        8,
        "--curve",
        "finest:3",
        "--depth",
        "1:3",
    ]
    arguments += ["--width", "4,10:20:5"]
    result = fracsim(*arguments, "--sign-changes", "1,10,100,1000", "-o", path, "--json")
    said = json.loads(result.out)
    study = open_study(path, "bounds")
    for name, values in study.arrays.items():
        if name != "level":
            np.testing.assert_array_equal(np.array(said[name], values.dtype), values)
    assert study.arrays["width"].tolist() == [4, 10, 15, 20]
    assert study.arrays["least_error"].shape == (3, 4)
    assert study.arrays["sign_changes"].tolist() == [1, 10, 100, 1000]
    assert study.arrays["changes_least_error"][3] == 0
    assert study.attributes["curve"] == "finest:3"
    with xarray.open_dataset(path) as data:
        assert data.lower_error.dims == ("network_depth", "width")
        assert data.lower_error.sel(network_depth=1, width=4) == said["lower_error"][0][0] == 0.375
    assert fracsim(*arguments, "-o", path).code == 1  # nothing is lost by accident
    assert fracsim(*arguments, "-o", path, "--overwrite", "-q").out == ""


def test_tables_for_people():
    out = fracsim(
        "bounds",
        "cantor1d",
        "--fractal-depth",
        10,
        "--curve",
        6,
        "--depth",
        "1,2",
        "--width",
        "10,256",
    ).out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "k 376.71 11.77" in lines
    assert "1 0.4844 -" in lines  # Theorem 4
    assert "1 0.4946 0.3745" in lines  # the exact least error
    assert "2 0.4990 0.4980" in lines  # by sign changes
    out = fracsim("bounds", "vicsek").out
    assert (
        "Theorem 2: the least width k that a network of T hidden layers without error needs\n  "
        "says nothing" in out
    )
    assert "note: the images of vicsek touch" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["cantro"], 2, "did you mean 'cantor'"),
        (["cantor", "--depth", "0"], 2, "--depth.*accepted are whole numbers from 1"),
        (["cantor", "--depth", "5:1"], 2, "--depth"),
        (["cantor", "--depth", "1:2:0"], 2, "--depth"),
        (["cantor", "--depth", "1:1e9"], 2, "--depth"),
        (["cantor", "--depth", "1:999999999"], 2, "--depth.*at most 1000"),
        (["cantor", "--depth", "20000"], 2, "--depth.*20000.*from 1 to 10,000"),
        (["cantor", "--width", "-5"], 2, "--width"),
        (["cantor", "--width", "wide"], 2, "--width.*'wide'.*as in 1,2,5"),
        (["cantor", "--fractal-depth", "0"], 2, "--fractal-depth"),
        (["cantor", "--fractal-depth", "five"], 2, "--fractal-depth.*'five'"),
        (["cantor", "--curve", "9"], 2, "unknown curve '9'"),
        (["cantor", "--gap", "middle"], 2, "--gap.*'middle'.*complement, centre"),
        (
            ["pentaflake", "--gap", "centre", "--sign-changes", "3"],
            2,
            "d = 1; pentaflake has d = 2",
        ),
        (["cantor1d", "--sign-changes", "0"], 2, "--sign-changes"),
        (["cantor1d", "--sign-changes", "3", "--fractal-depth", "25"], 2, "depth up to 22"),
        (["cantor", "--quiet"], 2, "--output"),
        (["cantor", "-o", "nowhere/b.h5"], 1, "nowhere"),
    ],
)
def test_bad_input(tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    result = fracsim("bounds", *arguments)
    assert result.code == code
    assert re.search(said, result.sentence)
    assert "unexpected" not in result.sentence
    assert not list(tmp_path.iterdir())
