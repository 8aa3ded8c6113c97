"""The whole experiment conjecture1d as it is kept: nothing in it is impossible, and the page tells
it."""

import math

import pytest
from places import TOP
from scripts_of_docs import script_of_docs

from fracsim.experiments.experiment import load_experiment
from fracsim.fractals.fractal import load_fractal
from fracsim.studies.bounds.least_error import least_errors
from fracsim.studies.conjecture.compute import _impossible


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOP / "docs")
        yield script_of_docs("conjecture.py")


@pytest.fixture(scope="module")
def scatter(script):
    return script.kept()


def test_the_page_is_what_its_script_writes(script):
    text = script.PAGE.read_text(encoding="utf-8")
    assert text == script.whole_page(text)


def test_every_distribution_of_the_experiment_is_there(scatter):
    runs = load_experiment("conjecture1d").runs
    wanted = {(run.fractal_depth, str(run.curve), depth) for run in runs for depth in (3, 5)}
    points = scatter.points
    assert {(p.fractal_depth, p.curve, p.network_depth) for p in points} == wanted
    assert len(points) == len(wanted) == 42
    assert {(p.rates, p.seeds, p.steps, p.width) for p in points} == {(3, 3, 200_000, "50")}


def test_no_network_errs_less_than_is_possible(scatter):
    """Every error against the exact least one of networks of that size, computed anew."""
    exact = {}
    for one in scatter.points:
        key = one.fractal_depth, one.curve
        if key not in exact:
            exact[key] = least_errors(load_fractal("cantor1d"), *key)
        least = exact[key]
        for m, error in zip(scatter.changes, one.shallow_error, strict=True):
            assert error == pytest.approx(least[min(m, len(least) - 1)], abs=1e-9)
        for depth, error in ((1, one.shallow_trained), (one.network_depth, one.deep_error)):
            lowest = least[min(51**depth, len(least) - 1)]
            assert error >= lowest - 4 * math.sqrt(0.25 / one.test_points)
            assert lowest == pytest.approx(
                one.shallow_own_least if depth == 1 else one.own_least, abs=1e-9
            )
        assert one.deep_error <= one.deep_mean <= one.deep_worst
    assert _impossible(scatter.points) == []


def test_what_the_page_says_of_the_corner(scatter):
    arrays = scatter.arrays()
    assert arrays["sign_changes"].tolist() == [51, 11, 3]
    assert arrays["kendall_tau"].round(2).tolist() == [0.63, 0.94, 0.91]
    assert arrays["corner_points"].tolist() == [0, 5, 11]
    assert arrays["corner_gain"][1] < 0 < arrays["corner_gain"][2] < 0.19
