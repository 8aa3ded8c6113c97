"""Grids: what axes hold, how they cross and zip, and what is refused."""

import pytest

from fracsim.errors import UsageError
from fracsim.experiments.grid import MOST_RUNS, Grid, axis_values
from fracsim.toml import parse_toml
from fracsim.training.run import SETTINGS, coerce, make_run
from fracsim.values.grammar import whole


@pytest.mark.parametrize(
    ("key", "axis", "values"),
    [
        ("width", [10, 20], (10, 20)),
        ("network_depth", {"start": 1, "stop": 5}, (1, 2, 3, 4, 5)),
        ("width", {"start": 10, "stop": 40, "step": 20}, (10, 30)),
        ("learning_rate", {"start": 0.1, "stop": 0.3, "step": 0.1}, (0.1, 0.2, 0.3)),
        ("learning_rate", {"start": 0.001, "stop": 0.1, "num": 3, "log": True}, (0.001, 0.01, 0.1)),
        ("learning_rate", {"start": 0.25, "stop": 0.75, "num": 3}, (0.25, 0.5, 0.75)),
        ("width", {"start": 10, "stop": 1000, "num": 3, "log": True}, (10, 100, 1000)),
        ("curve", [1, "finest:2", [0.5, 0.75, 1]], ("1", "finest:2", "0.5,0.75,1.0")),
        ("seed", [0.0, 1e3], (0, 1000)),
    ],
)
def test_axes(key, axis, values):
    assert axis_values(key, axis) == values
    assert [type(value) for value in axis_values(key, axis)] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("key", "axis", "says"),
    [
        ("width", [], "empty"),
        ("width", 50, "a list or a range"),
        ("width", "50", "a list or a range"),
        ("width", [10, 20, 10], "10 twice"),
        ("width", [10, 1.5], "1.5"),
        ("width", [10, True], "True"),
        ("width", {"start": 1, "end": 5}, "unknown key 'end'"),
        ("width", {"start": 1}, "'stop'"),
        ("width", {"start": 5, "stop": 1}, "must rise"),
        ("width", {"start": 1, "stop": 5, "step": 0}, "must rise"),
        ("width", {"start": 1, "stop": 5, "step": float("nan")}, "'step'"),
        ("width", {"start": 1, "stop": 5, "step": 1, "num": 2}, "both 'num' and 'step'"),
        ("width", {"start": 1, "stop": 5, "log": True}, "'log' without 'num'"),
        ("width", {"start": 0, "stop": 5, "num": 3, "log": True}, "above 0"),
        ("width", {"start": 1, "stop": 5, "num": 1}, "from 2"),
        ("width", {"start": 1, "stop": 5, "num": 2.5}, "'num' .* is 2.5"),
        ("width", {"start": 1, "stop": 5, "num": 1e300}, "'num' .* is 1e.300"),
        (
            "width",
            {"start": 1, "stop": 5, "num": 3, "log": 3},
            "'log' .* is 3; accepted is true or false",
        ),
        ("width", {"start": 1, "stop": 5, "step": 1e-320}, "about inf values"),
        ("width", {"start": 1, "stop": 1e300}, "about 1e.300 values"),
        ("width", {"start": 10**400, "stop": 5}, "'start' .* is 1000"),
        ("width", {"start": 1}, "has no 'stop'"),
        ("seed", {"start": 0, "stop": 1e9}, "at most"),
        ("curve", {"start": 1, "stop": 6}, "accepted is a list"),
    ],
)
def test_bad_axes_are_refused_with_the_key_named(key, axis, says):
    with pytest.raises(UsageError, match=says) as caught:
        axis_values(key, axis)
    assert key in str(caught.value)


def test_crossed_and_zipped_axes_make_every_combination_once():
    grid = Grid()
    grid.fix("steps", 1000)
    grid.zip({"fractal": ["cantor", "vicsek"], "gap": ["centre", "complement"]})
    grid.cross("width", [10, 20])
    grid.cross("seed", [0, 1, 2])
    variants = list(grid.variants())
    assert len(variants) == grid.size == 12
    assert grid.varied == ("fractal", "gap", "width", "seed")
    assert {(v["fractal"], v["gap"]) for v in variants} == {
        ("cantor", "centre"),
        ("vicsek", "complement"),
    }
    assert len({tuple(v.values()) for v in variants}) == 12
    assert [v["seed"] for v in variants[:3]] == [0, 1, 2], "the last axis varies fastest"
    assert all(v["steps"] == 1000 for v in variants)


def test_a_zip_may_repeat_a_value_but_not_differ_in_length():
    grid = Grid()
    grid.zip({"width": [10, 10], "network_depth": [1, 2]})
    assert grid.size == 2
    with pytest.raises(UsageError, match="width has 2, seed has 1"):
        grid.zip({"width": [10, 20], "seed": [1]})


def test_the_last_word_on_a_key_counts():
    grid = Grid()
    grid.cross("network_depth", [1, 2])
    grid.cross("width", [10, 20])
    grid.zip({"learning_rate": [0.1, 0.2], "loss": ["hinge", "squared"]})
    grid.override("network_depth", [3, 4])
    assert grid.varied == ("learning_rate", "loss", "network_depth", "width"), (
        "an axis keeps its place"
    )
    grid.override("width", 50)
    grid.override("loss", "logistic")
    assert grid.varied == ("learning_rate", "network_depth")
    assert grid.fixed == {"width": 50, "loss": "logistic"}
    grid.override("curve", [0.5, 0.75, 1])
    assert grid.fixed["curve"] == "0.5,0.75,1.0", "P(0..n) is one curve"
    grid.override("curve", [1, 2])
    assert grid.crossed["curve"] == ("1", "2")
    grid.override("learning_rate", {"start": 0.1, "stop": 0.2, "num": 2})
    assert grid.zipped == []
    assert grid.size == 2 * 2 * 2


def test_too_many_runs_are_refused_before_they_are_made():
    grid = Grid()
    for key in ("seed", "width", "train_points"):
        grid.cross(key, {"start": 100, "stop": 1099})
    with pytest.raises(UsageError, match=f"1000000000 runs.*at most {MOST_RUNS}"):
        next(grid.variants())


@pytest.mark.parametrize(
    ("key", "says"), [("widht", "'width'"), ("depth", "'network_depth'"), ("xyz", "unknown key")]
)
def test_unknown_keys_name_the_nearest(key, says):
    grid = Grid()
    for change in (grid.fix, grid.cross, grid.override):
        with pytest.raises(UsageError, match=says):
            change(key, [1])
    with pytest.raises(UsageError, match=says):
        grid.zip({key: [1]})


@pytest.mark.parametrize(
    ("key", "given", "value"),
    [
        ("steps", "1e5", 100_000),
        ("steps", "100_000", 100_000),
        ("steps", 1e6, 1_000_000),
        ("learning_rate", "0.5", 0.5),
        ("learning_rate", 1, 1.0),
        ("curve", 4, "4"),
        ("curve", (0.5, 1), "0.5,1.0"),
        ("gap", None, None),
        ("loss", " hinge ", "hinge"),
    ],
)
def test_values_take_the_type_of_their_key(key, given, value):
    assert coerce(key, given) == value
    assert type(coerce(key, given)) is type(value)


@pytest.mark.parametrize("key", SETTINGS)
@pytest.mark.parametrize(
    "value",
    [True, [], {}, None, [[1]], "", float("inf"), float("nan"), -1, 1e300, 10**400],
    ids=lambda value: repr(value)[:20],
)
def test_no_key_takes_nonsense(key, value):
    setting = SETTINGS[key]
    if value is None and setting.optional:
        assert getattr(make_run({key: value}), key) is None
        return
    if (key == "bias" and value == -1) or (key == "curve" and type(value) is int):
        return  # -1 is a bias; which curves there are is known to fracsim.fractals.curve
    with pytest.raises(UsageError, match=key):
        make_run({key: value})


BIG = 1_234_567_890_123


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (
            {"start": BIG, "stop": BIG + 1999, "step": 1000},
            (BIG, BIG + 1000),
        ),
        ({"start": 10**18 - 3, "stop": 10**18}, tuple(range(10**18 - 3, 10**18 + 1))),
        ({"start": 10**18 - 7, "stop": 10**18 - 1, "num": 3}, tuple(range(10**18 - 7, 10**18, 3))),
        ({"start": 7, "stop": 10**18 - 1, "num": 2, "log": True}, (7, 10**18 - 1)),
        ({"start": 1e3, "stop": 3e3, "step": 1e3}, (1000, 2000, 3000)),
        (["123456789012345.678e3", 10**18 - 1], (123456789012345678, 10**18 - 1)),
    ],
)
def test_whole_numbers_never_pass_through_float(axis, expected):
    assert axis_values("seed", axis) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("123456789012345678", 123456789012345678),
        ("1.23456789012345678e17", 123456789012345678),
        ("123456789012345.678e3", 123456789012345678),
        ("1e18", 10**18),
        (" 1e6 ", 10**6),
        ("1_000", 1000),
        ("-0.0", 0),
        ("123456789012345678.0", 123456789012345678),
    ],
)
def test_texts_of_whole_numbers_are_read_to_the_last_digit(text, number):
    assert whole(text) == number
    assert parse_toml(f"seed = {text.strip()}", "it")["seed"] == number
    assert isinstance(make_run({"seed": text}).seed, int)
    assert make_run({"seed": text}).seed == number


@pytest.mark.parametrize("text", ["1.5", "1e-3", "1e999999999", "inf", "nan", "1e5000", "0x10", ""])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises((ValueError, OverflowError)):
        whole(text)
    with pytest.raises(UsageError, match="seed"):
        make_run({"seed": text})
