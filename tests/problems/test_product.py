"""Products and radial fractals: points of the counter, their labels, what is refused."""

import numpy as np
import pytest
from scipy import stats

from fracsim.data.reader import open_trajectory
from fracsim.errors import UsageError
from fracsim.experiments.experiment import load_experiment, make_experiment
from fracsim.experiments.grid import Grid
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.run import make_run, problem_of


def made(**keys):
    grid = Grid()
    for key, value in keys.items():
        grid.fix(key, value)
    return make_experiment(grid).runs[0]


def test_products_are_standardised_and_depend_on_the_number_alone():
    problem = problem_of(made(problem="product", factors=5, loss="squared", precision="float64"))
    x, y, group = problem.points(3, TRAIN, 0, 40_000)
    np.testing.assert_allclose(y, x.prod(axis=1) / 0.75**2.5, rtol=1e-12)
    assert (problem.inputs, problem.target, problem.groups, group.any()) == (5, "real", 1, False)
    assert np.abs(x).max() < 1.5
    assert abs(y.mean()) < 0.02
    assert y.std() == pytest.approx(1, abs=0.03)
    assert stats.kstest((x / 3 + 0.5).ravel()[:20_000], "uniform").pvalue > 1e-3
    np.testing.assert_array_equal(problem.points(3, TRAIN, 100, 7).x, x[100:107])
    assert not np.isin(problem.points(3, TEST, 0, 100).x, x).any()


def test_what_of_products_is_refused():
    with pytest.raises(UsageError, match="hinge and the labels of problem"):
        made(problem="product")
    with pytest.raises(UsageError, match=r"factors \(--factors\) is 0"):
        made(problem="product", loss="squared", factors=0)
    with pytest.raises(UsageError, match=r"factors \(--factors\) is 200; accepted with precision"):
        made(problem="product", loss="squared", factors=200)
    with pytest.raises(UsageError, match="is a key of problem product"):
        make_run({"factors": 3})


def test_shells_are_a_fractal_of_the_radius():
    run = made(problem="radial-fractal", fractal_depth=3, dimension=5, curve="2")
    assert run.fractal == "cantor1d"
    problem = problem_of(run)
    found = problem.points(7, TRAIN, 0, 30_000)
    low = run.load_fractal().low
    line = run.distribution()
    radius = np.linalg.norm(found.x.astype(float), axis=1)
    place = (low + (1 - low) * radius)[:, None]
    assert (line.fractal.level(place, 3) == found.group).mean() > 0.999
    values = line.curve.values(3)
    shares = np.bincount(found.group, minlength=4) / len(found.group)
    np.testing.assert_allclose(shares, [*np.diff(values), 0.5], atol=0.01)  # P(j) carries over
    np.testing.assert_array_equal(found.y > 0, found.group == 3)
    assert np.abs(found.x.mean(axis=0)).max() < 0.02
    assert (problem.inputs, problem.target, problem.groups) == (5, "class", 4)


def test_a_fractal_in_the_plane_has_no_shells():
    with pytest.raises(UsageError, match="fractals on the line, as cantor1d"):
        made(problem="radial-fractal", fractal="vicsek")


@pytest.mark.slow
def test_products_of_four_are_learnt_and_of_eight_are_not(tmp_path):
    """120 units in 1 to 4 layers, at the best of four rates: what docs/studies/multiply.md says."""
    experiment = load_experiment("product-depth", quick=True)
    run_sweep(experiment, tmp_path / "p.h5")
    r2 = np.nanmax(open_trajectory(tmp_path / "p.h5").variable("test_r2"), axis=1)
    best = {}
    for run, value in zip(experiment.runs, r2, strict=True):
        key = run.factors, run.network_depth, run.learning_rate
        best.setdefault(key, []).append(np.sqrt(1 - value))
    for depth, wanted in enumerate([0.099, 0.039, 0.041, 0.035], start=1):
        assert wanted / 2 < np.mean(best[4, depth, 0.003]) < 2 * wanted
    for depth in range(1, 5):
        assert min(np.mean(best[8, depth, rate]) for rate in (0.001, 0.003, 0.01, 0.03)) > 0.5
