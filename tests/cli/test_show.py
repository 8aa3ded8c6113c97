"""``fracsim show``: fractals, curves and experiments in words and numbers, and what it says to
wrong input."""

import json
import math

import numpy as np
import pytest
from command_line import fracsim

from fracsim.fractals.facts import picture, similarity_dimension
from fracsim.fractals.fractal import fractal_names, load_fractal

OVERLAP = """
[[map]]
scale = 0.5
offset = [0, 0]

[[map]]
scale = 0.5
offset = [0.25, 0]
"""


def toml(folder, text):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_arguments_everything_there_is_is_listed():
    result = fracsim("show")
    assert result.code == 0
    for name in (*fractal_names(), "polynomial:P", "cantor5-depth-width"):
        assert f"  {name} " in result.out
    assert set(json.loads(fracsim("show", "--json").out)) == {"fractals", "curves", "experiments"}


@pytest.mark.parametrize("name", fractal_names())
def test_every_fractal_is_shown(name):
    result = fracsim("show", "fractal", name)
    assert result.code == 0, result.err
    assert "similarity dimension" in result.out
    facts = json.loads(fracsim("show", "fractal", name, "--json", "--fractal-depth", "3").out)
    assert facts["cells"] == [facts["maps"] ** j for j in range(4)]


@pytest.mark.parametrize(
    ("name", "dimension"),
    [
        ("cantor1d", math.log(2, 3)),
        ("cantor", math.log(4, 3)),
        ("sierpinski", math.log(3, 2)),
        ("vicsek", math.log(5, 3)),
        ("corners", 1.0),
    ],
)
def test_similarity_dimensions_are_the_known_ones(name, dimension):
    assert similarity_dimension(load_fractal(name).matrices) == pytest.approx(dimension, abs=1e-12)


def test_similarity_dimension_of_unequal_scales_and_of_shears():
    rotation = 0.5 * np.array([[0.6, -0.8], [0.8, 0.6]])
    d = similarity_dimension(np.array([rotation, 0.25 * np.eye(2)]))
    assert 0.5**d + 0.25**d == pytest.approx(1)
    assert similarity_dimension(np.array([[[0.3, 0.1], [0, 0.3]]])) is None


def test_the_picture_shows_the_set():
    lines = picture(load_fractal("vicsek"), rows=9)
    assert lines == [
        "  K_2",
        "  ##··##······##··##",
        "  ··##··········##··",
        "  ##··##······##··##",
        "  ······##··##······",
        "  ········##········",
        "  ······##··##······",
        "  ##··##······##··##",
        "  ··##··········##··",
        "  ##··##······##··##",
    ]
    assert picture(load_fractal("cantor1d"), rows=9) == [
        "  K_0 ###########################",
        "  K_1 #########         #########",
        "  K_2 ###   ###         ###   ###",
        "  K_3 # #   # #         # #   # #",
    ]


def test_curve_values():
    result = fracsim("show", "curve", "4", "--fractal-depth", "5")
    assert result.code == 0
    for value in ("0.50000", "0.50016", "0.50516", "0.54231", "0.68424", "1.00000", "0.31576"):
        assert value in result.out
    values = json.loads(fracsim("show", "curve", "0.5,0.7,1", "--json").out)
    assert values == {"curve": "0.5,0.7,1", "fractal_depth": 2, "values": [0.5, 0.7, 1.0]}


def test_experiment_in_words():
    result = fracsim("show", "experiment", "cantor5-depth-width")
    assert result.code == 0
    assert "runs of 1,000,000 steps" in result.out
    assert "1, 2, 3, 4, 5" in result.out
    resolved = json.loads(
        fracsim("show", "experiment", "cantor5-depth-width", "--quick", "--json").out
    )
    assert resolved["settings"]["fractal"] == "cantor"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["fractal", "vicsec"], ["'vicsec'", "did you mean 'vicsek'?"]),
        (["fractal", "cantor", "--fractal-depth", "99"], ["99", "float64", "greatest depth"]),
        (
            ["fractal", "cantor", "--fractal-depth", "nan"],
            ["--fractal-depth", "'nan'", "whole number"],
        ),
        (["fractal", "nowhere/x.toml"], ["nowhere/x.toml"]),
        (["curve", "polynomal:2"], ["'polynomal:2'", "did you mean 'polynomial'?"]),
        (["curve", "7"], ["'7'", "1 to 6"]),
        (["curve", "finest:0"], ["finest", "'0'"]),
        (["curve", "finest:9", "--fractal-depth", "5"], ["finest:9", "5"]),
        (["curve", "0.5,0.4,1"], ["never falls", "0.5,0.4,1"]),
        (["curve", "0.5,nan,1"], ["nan"]),
        (["curve", "0.5,1", "--fractal-depth", "3"], ["2 values", "4 values"]),
        (["experiment", "cantor5-curve"], ["'cantor5-curve'", "did you mean 'cantor5-curves'?"]),
    ],
)
def test_wrong_names_and_values_are_said_in_one_sentence(arguments, parts):
    result = fracsim("show", *arguments)
    assert result.code == 2
    assert result.out == ""
    for part in parts:
        assert part in result.sentence


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[[map]]\nmatrix = [[0.5, 0.5], [0.5, 0.5]]\noffset = [0, 0]\n", ["invertible"]),
        ("[[map]]\nmatrix = [[1.5, 0], [0, 0.5]]\noffset = [0, 0]\n", ["contract"]),
        ("[[map]]\nscale = 0.5\noffset = [2, 0]\n", ["base"]),
        (OVERLAP, ["overlap", "1", "2"]),
        ("[[map]]\nscal = 0.5\noffset = [0, 0]\n", ["'scal'", "did you mean 'scale'?"]),
        ("[[map]\n", ["is not valid TOML", "line 1"]),
        ("", ["map"]),
    ],
    ids=["singular", "expanding", "outside", "overlap", "key", "syntax", "empty"],
)
@pytest.mark.parametrize("command", ["show", "sample"])
def test_wrong_maps_are_said_in_one_sentence(tmp_path, text, parts, command):
    path = toml(tmp_path, text)
    tail = ["fractal", path] if command == "show" else [path, "-o", tmp_path / "points.h5"]
    result = fracsim(command, *tail)
    assert result.code == 2
    for part in (*parts, "mine"):
        assert part in result.sentence
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.toml"]
