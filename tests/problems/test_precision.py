"""Label, level and point agree in the precision of a run: data sets, streams and test points, on
every preset; depths that a precision does not resolve are refused."""

import dataclasses

import numpy as np
import pytest

from fracsim.errors import UsageError
from fracsim.experiments.experiment import make_run
from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.points.sample import given_level, sample
from fracsim.kernels.random.philox import STREAM, TEST, TRAIN
from fracsim.training.run import problem_of

PRESETS = ("cantor", "cantor1d", "corners", "pentaflake", "sierpinski", "vicsek")
CURVES = ("1", "2", "3", "4", "5", "6")
GREATEST = {"cantor": 10, "cantor1d": 10, "corners": 8, "pentaflake": 10, "sierpinski": 17}


def points_of(run, purpose, count, first=0):
    """x, y and level as they get to the network: in the run's precision."""
    problem = problem_of(run)
    if purpose != STREAM:
        return problem.points(run.seed, purpose, first, count)
    x, y, level = sample(*problem.source("stream"), run.seed, STREAM, first, count)
    return x.astype(run.precision), y, level


def misfits(run, x, y, level):
    """How many points have a level or a label that is not that of their coordinates."""
    n = run.fractal_depth
    found = load_fractal(run.fractal).level(x.astype(np.float64), n)
    return int(((found != level) | ((y > 0) != (found == n))).sum())


def run_of(fractal, n, curve="1", **settings):
    return make_run({"fractal": fractal, "fractal_depth": n, "curve": curve, **settings})


def greatest(fractal):
    return load_fractal(fractal).greatest_depth_in("float32")


@pytest.mark.parametrize("purpose", [TRAIN, TEST, STREAM])
@pytest.mark.parametrize("fractal", PRESETS)
def test_every_point_of_float32_has_the_level_of_its_own_coordinates(fractal, purpose):
    for n in (5, greatest(fractal)):
        run = run_of(fractal, n)
        x, y, level = points_of(run, purpose, 100_000)
        assert misfits(run, x, y, level) == 0
        assert set(level) == set(range(n + 1))


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("fractal", PRESETS)
def test_no_point_of_a_million_has_another_level(fractal, curve):
    least = {"2": 3, "3": 2}.get(curve, 1)
    for n in range(least, greatest(fractal) + 1):
        run = run_of(fractal, n, curve)
        for purpose in (TRAIN, TEST, STREAM):
            assert misfits(run, *points_of(run, purpose, 1_000_000)) == 0


@pytest.mark.parametrize("margins", [(0.0, 0.0), (0.3, 0.0), (0.2, 0.1)])
@pytest.mark.parametrize("gap", ["centre", "complement"])
def test_only_points_that_move_are_drawn_again(gap, margins):
    """All others are those of float64, rounded: a file of an older version has the same bits but
    for these."""
    about = dict(zip(("positive_margin", "negative_margin"), margins, strict=True))
    run = run_of("cantor", 8, gap=gap, **about)
    x, _, level = points_of(run, TRAIN, 200_000)
    older = dataclasses.replace(run, old_points=True)
    x_before, y_before, level_before = points_of(older, TRAIN, 200_000)
    np.testing.assert_array_equal(level, level_before)
    changed = (x != x_before).any(axis=1)
    actual = load_fractal("cantor").level(x_before.astype(float), 8)
    np.testing.assert_array_equal(changed, actual != level_before)
    assert misfits(older, x_before, y_before, level_before) == changed.sum()
    assert (changed.sum() > 0) == (margins[0] == 0)


def test_the_quick_look_at_words_misses_no_point_that_moves():
    """Where the gap is the centre and cells are wide only points near a border are checked."""
    distribution = run_of("cantor", 7).distribution()
    law = distribution.law("float32")
    assert law.certain
    assert 0 < law.close < 0.01
    geometry, count = distribution.fractal.geometry(), 3_000_000
    quick = sample(geometry, law, 5, TRAIN, 0, count)
    every = sample(geometry, law._replace(certain=False), 5, TRAIN, 0, count)
    for one, other in zip(quick, every, strict=True):
        np.testing.assert_array_equal(one, other)
    plain = sample(geometry, law._replace(rounded=False), 5, TRAIN, 0, count)
    assert (plain[0].astype(np.float32) != quick[0]).any()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("dimension", [1, 2, 3, 50])
def test_shells_have_the_level_of_their_own_distance(dimension, precision):
    n = 10 if precision == "float32" else 26
    settings = {"problem": "radial-fractal", "dimension": dimension, "precision": precision}
    run = run_of("cantor1d", n, **settings)
    x, y, level = problem_of(run).points(0, TRAIN, 5, 20_000)
    radius = np.sqrt((x.astype(np.float64) ** 2).sum(axis=1))
    found = load_fractal("cantor1d").level(radius[:, None], n)
    # NumPy may sum squares in another order, which matters at the edge of float64 alone
    assert (found != level).sum() <= (0 if precision == "float32" else 20)
    np.testing.assert_array_equal(y > 0, level == n)
    older = problem_of(dataclasses.replace(run, old_points=True)).points(0, TRAIN, 5, 20_000)
    np.testing.assert_array_equal(level, older.group)
    changed = (x != older.x).any(axis=1).sum()
    assert 0 < changed < 200 or precision == "float64"
    one = problem_of(run).points(0, TRAIN, 1000, 9)  # a function of the counter, drawn again or not
    np.testing.assert_array_equal(one.x, x[995:1004])


def test_shells_of_a_base_with_two_sides():
    fractal = {
        "name": "sides",
        "base": "[-1,1]",
        "map": [{"matrix": [[s]], "offset": [b]} for s, b in ((1 / 3, -2 / 3), (1 / 3, 2 / 3))],
    }
    from fracsim.experiments.experiment import make_experiment
    from fracsim.experiments.grid import Grid

    grid = Grid()
    for key, value in {
        "problem": "radial-fractal",
        "fractal": "sides",
        "fractal_depth": 10,
        "dimension": 3,
    }.items():
        grid.fix(key, value)
    (run,) = make_experiment(grid, fractals={"sides": fractal}).runs
    x, _, level = problem_of(run).points(0, TEST, 0, 50_000)
    places = 2 * np.sqrt((x.astype(np.float64) ** 2).sum(axis=1)) - 1
    np.testing.assert_array_equal(run.load_fractal().level(places[:, None], 10), level)


@pytest.mark.parametrize("level", [0, 2, 5])
def test_a_given_level_is_drawn(level):
    distribution = run_of("vicsek", 5).distribution()
    law = given_level(distribution.law(), level)
    x, _, drawn = sample(distribution.fractal.geometry(), law, 3, TRAIN, 0, 100)
    assert set(drawn) == {level}
    np.testing.assert_array_equal(distribution.fractal.level(x, 5), drawn)


def test_the_greatest_depth_of_each_precision():
    for name, n in GREATEST.items():
        fractal = load_fractal(name)
        assert fractal.greatest_depth_in("float32") == n
        assert fractal.greatest_depth_in("float64") == fractal.greatest_depth > n
    with pytest.raises(UsageError, match="precision is 'float16'"):
        load_fractal("cantor").greatest_depth_in("float16")


def test_samples_of_float32():
    distribution = run_of("sierpinski", 5).distribution()
    found = distribution.sample(1000, precision="float32")
    assert found.x.dtype == np.float32
    deep = run_of("cantor1d", 14).distribution()
    assert deep.sample(10).x.dtype == np.float64
    with pytest.raises(UsageError, match="the greatest depth is 10; use precision float64"):
        deep.sample(10, precision="float32")
