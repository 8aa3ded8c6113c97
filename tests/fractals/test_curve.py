"""Approximation curves: the paper's six, the families, explicit lists, and what is refused."""

import numpy as np
import pytest

from fracsim.errors import UsageError
from fracsim.fractals.curve import PAPER_CURVES, parse_curve

# the paper's table, n = 5 (rounded to four digits there)
PAPER = {
    "1": [0.5, 0.6294, 0.7421, 0.8402, 0.9257, 1],
    "2": [0.5, 0.5, 0.5, 0.7063, 0.8700, 1],
    "3": [0.5, 0.5, 0.5, 0.5, 0.7929, 1],
    "4": [0.5, 0.5002, 0.5052, 0.5423, 0.6842, 1],
    "5": [0.5, 0.5000, 0.5002, 0.5062, 0.5838, 1],
    "6": [0.5, 0.5, 0.5, 0.5, 0.5, 1],
}


@pytest.mark.parametrize("name", PAPER_CURVES)
def test_paper_table(name):
    assert parse_curve(name).values(5) == pytest.approx(PAPER[name], abs=1e-4)
    assert parse_curve(int(name)) == parse_curve(name)


@pytest.mark.parametrize("name", [*PAPER_CURVES, "polynomial:2.5", "finest:4"])
@pytest.mark.parametrize("n", [4, 5, 12, 40])
def test_the_walk_gives_the_closed_form(name, n):
    """Multiply the walk's survival chances 2^(-v_j), finest weight first as the authors write
    them."""
    family, _, parameter = PAPER_CURVES.get(name, name).partition(":")
    finest_first = np.arange(n, 0, -1.0)
    if family == "polynomial":
        weights = finest_first ** float(parameter)
    else:
        weights = (np.arange(n) < int(parameter)).astype(float)
    survive, expected = 1.0, [0.5]
    for v in (weights / weights.sum())[::-1]:
        survive *= 2.0**-v
        expected.append(0.5 + (1 - survive))
    curve = parse_curve(name).values(n)
    assert curve == pytest.approx(expected, abs=1e-12)
    assert curve[0] == 0.5
    assert curve[-1] == 1.0
    assert (np.diff(curve) >= 0).all()


def test_explicit_lists():
    for given in ("0.5, 0.7, 1", [0.5, 0.7, 1], (0.5, 0.7, 1.0), np.array([0.5, 0.7, 1])):
        curve = parse_curve(given)
        assert curve.values(2).tolist() == [0.5, 0.7, 1.0]
        assert parse_curve(curve.name) == curve
    assert parse_curve([0.5 + 1e-12, 0.7, 1 - 1e-12]).values(2).tolist() == [0.5, 0.7, 1.0]
    with pytest.raises(UsageError, match=r"needs the 6 values"):
        parse_curve([0.5, 0.7, 1]).values(5)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("7", "unknown curve '7'"),
        ("polinomial:2", "did you mean 'polynomial'"),
        ("polynomial:", "power P from 0 to 100"),
        ("polynomial:nan", "power P from 0 to 100"),
        ("polynomial:-1", "power P from 0 to 100"),
        ("finest:0", "at least 1, not '0'"),
        ("finest:1.5", "at least 1, not '1.5'"),
        ([0.4, 0.7, 1], "starts at P"),
        ([0.5, 0.7, 0.9], "ends at P"),
        ([0.5, 0.8, 0.7, 1], "never falls"),
        ([0.5, float("nan"), 1], "never falls"),
        ([0.5], "at least two values"),
        ("0.5,x,1", "not a number"),
        (None, "not understood"),
        (True, "not understood"),
    ],
)
def test_refused(given, sentence):
    with pytest.raises(UsageError, match=sentence):
        parse_curve(given)


def test_depth_must_hold_the_levels_weighted():
    with pytest.raises(UsageError, match="3 finest levels, but the fractal depth is only 2"):
        parse_curve("2").values(2)
    with pytest.raises(UsageError, match="at least 1, not 0"):
        parse_curve("1").values(0)
