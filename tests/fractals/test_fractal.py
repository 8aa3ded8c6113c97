"""Fractals: the shipped ones, users' files, and every check on load."""

import json
import re

import numpy as np
import pytest
from ifs import rotation, twisted, zoo
from scipy.optimize import linprog

from fracsim.data.presets import preset_names, preset_text
from fracsim.errors import UsageError
from fracsim.fractals.fractal import Fractal, fractal_names, load_fractal
from fracsim.fractals.overlap import OVERLAP, penetration, penetrations

# name: r, d, base, gap, touching, free share of a cell, |det| of a map
SHIPPED = {
    "cantor1d": (2, 1, "[0,1]", "complement", False, 1 / 3),
    "cantor": (4, 2, "[-1,1]", "centre", False, 5 / 9),
    "cantor:3": (8, 3, "[-1,1]", "centre", False, 19 / 27),
    "sierpinski": (3, 2, "[-1,1]", "complement", True, 1 / 4),
    "vicsek": (5, 2, "[-1,1]", "complement", True, 4 / 9),
    "pentaflake": (5, 2, "[-1,1]", "complement", True, 4 / 9),
    "corners": (4, 2, "[-1,1]", "complement", False, 3 / 4),
}


def one_map(matrix, offset, **more):
    return Fractal("test", np.array([matrix], dtype=float), np.array([offset], dtype=float), **more)


def squares(*placed, half=0.25):
    """Maps to squares of half side ``half``: (x, y) or (x, y, degrees)."""
    matrices = [half * rotation(place[2] if len(place) > 2 else 0) for place in placed]
    return Fractal(
        "squares", np.array(matrices), np.array([place[:2] for place in placed], dtype=float)
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped(name):
    f = load_fractal(name)
    r, d, base, gap, touching, share = SHIPPED[name]
    assert (f.name, f.maps, f.dimension, f.base, f.gap, f.touching) == (
        name,
        r,
        d,
        base,
        gap,
        touching,
    )
    assert f.gap_share == pytest.approx(share, abs=1e-12)
    assert f.description


def test_maps_of_the_paper():
    """Offsets of the authors' samplers, and the orientation-reversing map of the paper's section
    4."""
    third = 1 / 3
    cantor1d = load_fractal("cantor1d")
    assert cantor1d.matrices.ravel().tolist() == [-third, third]
    assert cantor1d.offsets.ravel().tolist() == [third, 2 * third]
    sets = {name: set(map(tuple, load_fractal(name).offsets.tolist())) for name in SHIPPED}
    two = 2 * third
    assert sets["cantor"] == {(-two, -two), (-two, two), (two, -two), (two, two)}
    assert sets["vicsek"] == sets["cantor"] | {(0, 0)}
    assert sets["sierpinski"] == {(0, 0.5), (-0.5, -0.5), (0.5, -0.5)}
    assert sets["pentaflake"] == {(-two, 0), (two, 0), (0, two), (-third, -two), (third, -two)}
    assert sets["corners"] == {(-0.75, -0.75), (-0.75, 0.75), (0.75, -0.75), (0.75, 0.75)}
    scales = {
        "cantor": third,
        "vicsek": third,
        "pentaflake": third,
        "sierpinski": 0.5,
        "corners": 0.25,
    }
    for name, scale in scales.items():
        assert (load_fractal(name).matrices == scale * np.eye(2)).all()


def test_names_and_presets():
    assert fractal_names() == sorted(name for name in SHIPPED if ":" not in name)
    assert preset_names("fractals") == fractal_names()
    for wrong in [("fractals", "../experiments"), ("fractals", "nothing"), ("colours", "cantor")]:
        with pytest.raises(KeyError):
            preset_text(*wrong)


def test_cells_tile_the_fractal():
    f = twisted()
    matrices, offsets = f.cells(3)
    assert matrices.shape == (27, 2, 2)
    x = np.einsum("cpq,q->cp", f.matrices, f.offsets[1]) + f.offsets  # F_i(F_1(0))
    assert f.cells(2)[1][1::3] == pytest.approx(x, abs=1e-15)
    assert (f.level(offsets, 3) == 3).all()  # a cell's centre lies in it
    assert np.abs(np.linalg.det(matrices)).sum() == pytest.approx((1 - f.gap_share) ** 3)
    with pytest.raises(UsageError, match="at most 16777216"):
        load_fractal("cantor").cells(20)


USER = """
description = "two maps"
base = "[0, 1]"
[[map]]
matrix = [["1/4", 0.0], [0.125, "-1/4"]]
offset = [0, "1/2"]
[[map]]
scale = "1/3"
offset = ["2/3", 0.5]
"""


def test_user_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(USER)
    f = load_fractal(path)
    assert (f.name, f.description, f.base, f.gap) == ("mine", "two maps", "[0,1]", "complement")
    assert f.matrices.tolist() == [[[0.25, 0], [0.125, -0.25]], [[1 / 3, 0], [0, 1 / 3]]]
    assert f.offsets.tolist() == [[0, 0.5], [2 / 3, 0.5]]
    assert load_fractal(str(path)).to_dict() == f.to_dict()
    with pytest.raises(UsageError, match="cannot be made 3-dimensional"):
        load_fractal(f"{path}:3")


@pytest.mark.parametrize("name", zoo())
def test_round_trip_through_json(name):
    f = zoo()[name]
    again = Fractal.from_dict(json.loads(json.dumps(f.to_dict())))
    assert again.to_dict() == f.to_dict()
    for ours, theirs in zip(f.geometry(), again.geometry(), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("vicsec", "unknown fractal 'vicsec'; did you mean 'vicsek'"),
        ("nowhere/mine.toml", "there is no such file"),
        ("vicsek:3", "cannot be made 3-dimensional"),
        ("cantor:0", "whole number of at least 1"),
        ("cantor:20", "at most 4096"),
        ("cantor:" + "9" * 5000, "unknown fractal"),
        ("nul\0.toml", "name of a file"),
    ],
)
def test_unknown_names(name, sentence):
    with pytest.raises(UsageError, match=sentence):
        load_fractal(name)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("base =", "bse =", "unknown key 'bse'; did you mean 'base'"),
        ("scale =", "scal =", "map 2: unknown key 'scal'; did you mean 'scale'"),
        ("[0, 1]", "[0, 2]", r"base '\[0,2\]' is not one of"),
        ('"1/3"', '"1/0"', "map 2: scale: '1/0' is not a finite number"),
        ('"1/3"', "nan", "map 2: scale: nan is not"),
        ('"1/3"', "true", "map 2: scale: True is not"),
        ('"2/3", 0.5', '"2/3"', "same dimension"),
        ('[0.125, "-1/4"]', "[0.125]", "map 1: matrix must be 2 rows of 2 numbers"),
        ('offset = [0, "1/2"]', "", "map 1: give an offset"),
        ('scale = "1/3"', "", "map 2: give an offset and either a matrix or a scale"),
        ('scale = "1/3"', 'scale = "1/3"\nmatrix = [[1]]', "either a matrix or a scale"),
        ('description = "two maps"', 'gap = "middle"', "gap 'middle' is not one of"),
        ('description = "two maps"', "product = 2", "offsets have one entry"),
        ("[[map]]", "[[maps]]", "unknown key 'maps'; did you mean 'map'"),
        ("offset =", "offset", "fractal file .* is not valid TOML"),
        ("0.125", "[" * 5000, "not valid TOML: .* nested too deeply"),
        ("0.125", "9" * 5000, "not valid TOML: a number in it has too many digits"),
        ('description = "two maps"', "name = 3", "a fractal's name is a text of .* not 3"),
        ('description = "two maps"', 'name = ""', "1 to 100 printable characters, not ''"),
        ('description = "two maps"', 'name = "a\\u0000"', "a fractal's name is a text"),
        ('description = "two maps"', f'name = "{"x" * 101}"', "a fractal's name is a text"),
        ('description = "two maps"', "product = " + "9" * 400, "one coordinate"),
        ('[0, "1/2"]', "0.5", "map 1: offset must be a list of numbers"),
    ],
)
def test_wrong_files(tmp_path, old, new, sentence):
    path = tmp_path / "mine.toml"
    path.write_text(USER.replace(old, new))
    with pytest.raises(UsageError, match=sentence):
        load_fractal(path)


def test_a_file_without_maps(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "[0,1]"')
    with pytest.raises(UsageError, match=r"at least one \[\[map\]\]"):
        load_fractal(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        load_fractal(path)


@pytest.mark.parametrize(
    ("matrix", "offset", "sentence"),
    [
        ([[0.5, 0], [0, 0]], [0, 0], "map 1: the matrix is singular"),
        ([[0.2, 0.1], [0.4, 0.2]], [0, 0], "singular"),
        (
            [[0.5, 0.9], [0, 0.5]],
            [0, 0],
            r"spectral norm 1\.\d+; a contractive map",
        ),  # eigenvalues 1/2
        ([[1, 0], [0, 1]], [0, 0], "contractive"),
        ([[-1.5]], [0], "contractive"),
        ([[0.5, 0], [0, 0.5]], [0.6, 0], "sticks out of the base"),
        (0.9 * rotation(45), [0, 0], "sticks out of the base"),
        ([[1e308, 1e308], [0, 1]], [1e308, 0], "contractive"),
        ([[np.nan]], [0], "finite"),
        ([[0.5]], [np.inf], "finite"),
        ([[0.5, 0.1]], [0, 0], r"an array \(r, d, d\)"),
    ],
)
def test_maps_that_are_refused(matrix, offset, sentence):
    with pytest.raises(UsageError, match=sentence):
        one_map(matrix, offset)


def test_the_image_may_reach_the_border():
    assert (
        one_map(rotation(45) / np.sqrt(2), [0, 0]).maps == 1
    )  # the corners touch the base's sides
    assert one_map([[-0.5]], [0.5], base="[0,1]").maps == 1
    with pytest.raises(UsageError, match=re.escape("[0,1]^1 sticks out")):
        one_map([[-0.5]], [0.4], base="[0,1]")


SQUARE, DIAMOND = 0.25, 0.25 * np.sqrt(2)
PLACED = [  # (what, overlaps, touches, the second square)
    ("apart", False, False, (0.51, 0)),
    ("side by side", False, True, (0.5, 0.1)),
    ("corner to corner", False, True, (0.5, 0.5)),
    ("boxes meet at a corner, apart by 1e-9", False, False, (0.5 + 1e-9, 0.5)),
    ("sides overlap by 1e-11", True, None, (0.5 - 1e-11, 0.1)),
    ("sides overlap by 1e-13: rounding", False, True, (0.5 - 1e-13, 0.1)),
    ("the same", True, None, (0, 0)),
    ("a turned one: its corner on the side", False, True, (SQUARE + DIAMOND, 0.1, 45)),
    ("its corner 1e-10 inside", True, None, (SQUARE + DIAMOND - 1e-10, 0.1, 45)),
    ("its corner 1e-10 off", False, False, (SQUARE + DIAMOND + 1e-10, 0.1, 45)),
    ("boxes overlap, the turned square does not", False, False, (0.46, 0.46, 45)),
    ("turned square overlaps", True, None, (0.4, 0.4, 45)),
    (
        "turned square's side on the corner",
        False,
        True,
        (0.25 + 0.25 / np.sqrt(2), 0.25 + 0.25 / np.sqrt(2), 45),
    ),
]


@pytest.mark.parametrize(
    ("overlaps", "touches", "second"), [p[1:] for p in PLACED], ids=[p[0] for p in PLACED]
)
def test_overlap_and_touch(overlaps, touches, second):
    if overlaps:
        with pytest.raises(UsageError, match=r"maps 1 and 2 overlap \(by .*they may only touch"):
            squares((0, 0), second)
    else:
        assert squares((0, 0), second).touching is touches


def test_one_image_inside_another_overlaps():
    matrices = np.array([0.5 * np.eye(3), 0.1 * np.eye(3)])
    with pytest.raises(UsageError, match=r"overlap \(by 0.2\)"):
        Fractal("nested", matrices, np.array([[0, 0, 0], [0.1, 0, 0.0]]))


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_penetration_against_a_library(d):
    """The diameter of the largest common ball, 40 random pairs in each dimension, against scipy's
    linear program."""
    rng = np.random.default_rng(d)
    signs = set()
    for _ in range(40):
        half_axes = rng.normal(size=(2, d, d)) * 0.3
        centres = rng.normal(size=(2, d)) * 0.4
        inverse = np.linalg.inv(half_axes).reshape(-1, d)
        rows = np.concatenate((inverse, -inverse))
        length = np.linalg.norm(rows, axis=1)
        bound = np.einsum("kq,kq->k", rows, np.tile(np.repeat(centres, d, axis=0), (2, 1))) + 1
        a, b = np.column_stack((rows / length[:, None], np.ones(len(rows)))), bound / length
        found = linprog([0.0] * d + [-1.0], A_ub=a, b_ub=b, bounds=(None, None))
        assert penetration(half_axes, centres) == pytest.approx(-2 * found.fun, abs=1e-8)
        signs.add(found.fun < 0)
    assert signs == {True, False}


@pytest.mark.parametrize("d", [2, 3, 4])
def test_penetration_is_exact_enough(d):
    """Two turned cubes face to face, moved by known amounts far below 1e-12's neighbourhood."""
    turn = np.linalg.qr(np.random.default_rng(d).normal(size=(d, d)))[0]
    for moved in (1e-9, 1e-11, 3e-12, 0.0, -3e-12, -1e-11, -1e-9):
        centres = np.array([np.zeros(d), (0.5 - moved) * turn[:, 0]])
        assert penetration(np.array([0.25 * turn] * 2), centres) == pytest.approx(
            moved, abs=OVERLAP / 10
        )


def test_many_upright_images_need_no_linear_program():
    f = load_fractal("cantor:8")
    assert (f.maps, f.touching) == (256, False)
    assert penetrations(f.matrices, f.offsets) == []
