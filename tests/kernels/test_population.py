"""The exact population loss and gradient in d = 1, against enumeration, central differences and
sampling."""

import numpy as np
import pytest
import reference_population
from problems import line_of, steep_networks

from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import Fractal, load_fractal
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.points.line import below, make_line
from fracsim.kernels.training.population import population_gradient
from fracsim.networks.initial import initial_parameters

THREE = Fractal(
    "three", np.array([[[0.5]], [[-0.2]], [[0.1]]]), np.array([[-0.5], [0.35], [0.9]])
)  # two of them touch
ALONE = Fractal("alone", np.array([[[-0.4]]]), np.array([[0.1]]))
CASES = {
    "cantor1d": (load_fractal("cantor1d"), "complement", 0.0, 0.0),
    "margins": (load_fractal("cantor1d"), "complement", 0.1, 0.2),
    "centre": (load_fractal("cantor:1"), "centre", 0.1, 0.2),
    "three maps": (THREE, "complement", 0.0, 0.0),
    "three maps, margins": (THREE, "complement", 0.3, 0.3),
    "one map": (ALONE, "complement", 0.0, 0.0),
}
SHAPES = [
    *(Shape(1, 0, 5), Shape(1, 1, 7), Shape(1, 2, 20), Shape(1, 4, 9)),
    *(Shape(1, (6, 14)), Shape(1, (12, 1, 5))),
]


@pytest.fixture
def generator():
    return np.random.default_rng(20261122)


def random_curve(generator, n):
    return np.sort(np.r_[0.5, generator.uniform(0.5, 1, n - 1), 1.0])


@pytest.mark.parametrize("n", [1, 4, 7])
@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_all_intervals(generator, case, n):
    fractal, *how = CASES[case]
    curve = random_curve(generator, n)
    line, found = (
        line_of(fractal, curve, *how),
        reference_population.intervals(fractal, curve, *how),
    )
    assert sum(mass for _, _, mass, _ in found) == pytest.approx(1, abs=1e-12)
    for shape in SHAPES:
        params = steep_networks(generator, shape, 3)
        dparams, loss, accuracy = population_gradient(shape, params, line)
        for run in range(3):
            slow = reference_population.loss_and_gradient(shape, params[run], found, fractal.low)
            np.testing.assert_allclose(loss[run], slow[0], rtol=0, atol=1e-12)
            np.testing.assert_allclose(accuracy[run], slow[1], rtol=0, atol=1e-12)
            np.testing.assert_allclose(dparams[run], slow[2], rtol=0, atol=1e-12)


def test_the_gradient_at_depth_ten_is_that_of_all_intervals(generator):
    fractal, shape = load_fractal("cantor1d"), Shape(1, 2, 20)
    curve = random_curve(generator, 10)
    params = steep_networks(generator, shape, 1)
    dparams, loss, _ = population_gradient(shape, params, line_of(fractal, curve))
    found = reference_population.intervals(fractal, curve)
    slow = reference_population.loss_and_gradient(shape, params[0], found, fractal.low)
    np.testing.assert_allclose(loss[0], slow[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(dparams[0], slow[2], rtol=0, atol=1e-12)


@pytest.mark.compiled
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_gradient_is_the_slope_of_the_loss(generator, shape):
    line = line_of(THREE, parse_curve("1").values(5))
    params = steep_networks(generator, shape, 1)[0]
    dparams = population_gradient(shape, params[None], line)[0][0]
    step = 1e-6
    moved = np.concatenate(
        [params + step * np.eye(len(params)), params - step * np.eye(len(params))]
    )
    losses = population_gradient(shape, moved, line)[1]
    slopes = (losses[: len(params)] - losses[len(params) :]) / (2 * step)
    np.testing.assert_allclose(
        dparams, slopes, rtol=0, atol=3e-5
    )  # the loss has kinks in its second derivative
    assert np.abs(dparams).max() > 0.01


@pytest.mark.compiled
def test_sampling_agrees_within_four_standard_errors(generator):
    from fracsim.kernels.backend import get_backend

    shape, batches = Shape(1, 2, 20), 40
    for fractal in (load_fractal("cantor1d"), THREE):
        distribution = Distribution(
            fractal, 5, parse_curve("1"), positive_margin=0.1, negative_margin=0.1
        )
        params = steep_networks(generator, shape, 1)
        exact, loss, accuracy = population_gradient(
            shape, params, make_line(fractal.geometry(), distribution.law())
        )
        sample = distribution.sample(200_000, seed=3)
        x, y = sample.x.reshape(batches, -1, 1), sample.y.astype(float).reshape(batches, -1)
        dparams, losses = get_backend("cpu").gradient(
            shape, 0, np.repeat(params, batches, 0), x, y, np.arange(batches)
        )
        scores = get_backend("cpu").forward(shape, params, sample.x[None], np.zeros(1, np.int64))[0]
        right = (scores * sample.y > 0).reshape(batches, -1).mean(axis=1)
        for seen, wanted in ((dparams, exact[0]), (losses, loss[0]), (right, accuracy[0])):
            error = seen.std(axis=0, ddof=1) / np.sqrt(batches)
            assert np.all(np.abs(seen.mean(axis=0) - wanted) <= 4 * error + 1e-12)


def test_below_counts_all_mass_and_never_falls():
    for fractal, *how in CASES.values():
        line = line_of(fractal, parse_curve("4").values(20), *how)
        values = np.array([below(line, x) for x in np.linspace(fractal.low, 1, 2001)])
        np.testing.assert_allclose(values[0], 0, atol=1e-15)
        np.testing.assert_allclose(values[-1, [0, 2]], 0.5, atol=1e-14)
        assert np.diff(values[:, [0, 2]], axis=0).min() > -1e-15


def test_a_symmetric_distribution_has_its_mean_in_the_middle():
    line = line_of(load_fractal("cantor1d"), parse_curve("2").values(40))
    np.testing.assert_allclose(below(line, 1.0), [0.5, 0.25, 0.5, 0.25], rtol=0, atol=1e-15)
    for x in (1 / 9, 0.25, 1 / 3, 0.4):
        left, right = np.array(below(line, x)), np.array(below(line, 1.0)) - below(line, 1 - x)
        # 1/4 lies in the Cantor set: an ulp of it moves mass by some 1e-11
        np.testing.assert_allclose(left[[0, 2]], right[[0, 2]], rtol=0, atol=1e-10)


@pytest.mark.parametrize("n", [5, 20, 40, 60])
@pytest.mark.parametrize("curve", "123456")
def test_with_bias_one_half_the_gradient_is_zero_and_the_loss_one(n, curve):
    shape = Shape(1, 2, 20)
    params = np.stack(
        [initial_parameters(shape, "uniform", seed, 0.5, np.float64) for seed in range(50)]
    )
    line = line_of(load_fractal("cantor1d"), parse_curve(curve).values(n))
    dparams, loss, _ = population_gradient(shape, params, line)
    assert np.abs(dparams).max() < 1e-15
    np.testing.assert_allclose(loss, 1, rtol=0, atol=4e-16)


def test_without_the_hinge_the_loss_is_linear_in_the_score(generator):
    """A network so small that |f| < 1 has the same gradient with the hinge and without; a large one
    has not."""
    shape, line = Shape(1, 2, 20), line_of(load_fractal("cantor1d"), parse_curve("1").values(6))
    params = steep_networks(generator, shape, 5)
    with_hinge, without = (
        population_gradient(shape, params, line, hinged) for hinged in (True, False)
    )
    assert np.abs(with_hinge[0] - without[0]).max() > 0.1
    params[:, -21:] *= 1e-3
    with_hinge, without = (
        population_gradient(shape, params, line, hinged) for hinged in (True, False)
    )
    for one, other in zip(with_hinge, without, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


def test_a_score_that_is_not_finite_makes_a_loss_that_is_not_finite():
    line = line_of(load_fractal("cantor1d"), parse_curve("1").values(6))
    for value in (np.nan, np.inf, -np.inf):
        for shape in SHAPES:
            params = initial_parameters(shape, "he", 0, 0.1, np.float64)[None].copy()
            params[0, -1] = value
            assert not np.isfinite(population_gradient(shape, params, line)[1]).all()


def test_two_inputs_are_refused():
    line = line_of(load_fractal("cantor1d"), parse_curve("1").values(6))
    with pytest.raises(ValueError, match="one input"):
        population_gradient(Shape(2, 1, 3), np.zeros((1, 13)), line)
