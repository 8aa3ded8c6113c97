"""Theorem 5 by numbers: gradients by level, bounds, samples against integrals."""

import time

import numpy as np
import pytest
from ifs import dead_end, twisted
from problems import line_of

from fracsim.errors import RunError, UsageError
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.fractal import Fractal, load_fractal
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.training.population import population_gradient
from fracsim.studies.gradient.gradient import (
    DEEPEST,
    RandomNetworks,
    gradient_study,
    least_level,
    theorem_5,
)

CANTOR = load_fractal("cantor1d")
THEOREM = RandomNetworks(Shape(1, 2, 20), "uniform", 0.5)


def test_the_level_of_the_theorem():
    assert least_level(2, 20, 0.05) == 28  # (3/2)^27 = 56815 ≤ 64000 < (3/2)^28
    assert least_level(1, 1, 0.99) == 4
    for delta in (0, 1, -1, float("nan")):
        with pytest.raises(UsageError, match=r"--delta"):
            least_level(2, 20, delta)


def test_the_bounds_are_those_of_the_theorem():
    curves = np.stack([parse_curve(name).values(40) for name in ("6", "1")])
    bound = theorem_5(CANTOR, curves, THEOREM, 0.05)
    p = 1.5 - 2.0 ** (-28 / 40)
    assert (bound.n_prime, bound.note) == (28, "")
    np.testing.assert_allclose(bound.gradient, [0, 5 * (p - 0.5)])
    np.testing.assert_allclose(bound.loss, [0.5, (1.5 - p) * (1 - p)])


@pytest.mark.parametrize(
    ("fractal", "n", "draws", "says", "bounded"),
    [
        (CANTOR, 28, THEOREM, "says nothing at fractal depth 28: its n' is 28", False),
        (CANTOR, 28, RandomNetworks(Shape(1, ()), "uniform", 0.5), "of none it says", False),
        (dead_end(), 40, THEOREM, "for dead end there is no bound", False),
        (
            twisted(),
            40,
            RandomNetworks(Shape(2, 2, 20), "uniform", 0.5),
            "for twisted there is no bound",
            False,
        ),
        (CANTOR, 40, RandomNetworks(Shape(1, 2, 20), "he"), "for comparison only", True),
        (
            CANTOR,
            40,
            RandomNetworks(Shape(1, 2, 20), "uniform", 0.5, 0.1),
            "for comparison only",
            True,
        ),
    ],
)
def test_where_the_theorem_says_nothing_that_is_said(fractal, n, draws, says, bounded):
    bound = theorem_5(fractal, parse_curve("6").values(n)[None], draws, 0.05)
    assert says in bound.note
    assert np.isnan(bound.gradient).all() != bounded
    assert np.isnan(bound.loss).all() != bounded


def test_with_bias_one_half_everything_is_zero_and_every_loss_one():
    study = gradient_study(
        CANTOR, 40, ["1", "4", "6"], RandomNetworks(Shape(1, 2, 20), "uniform", 0.5, count=20)
    )
    assert study.max_abs_gradient.max() < 1e-15
    assert study.correlation_by_level.max() < 1e-15
    np.testing.assert_allclose(study.loss, 1, rtol=0, atol=4e-16)
    assert study.satisfied().all()
    assert [row["share_satisfied"] for row in study.rows()] == [1, 1, 1]


@pytest.mark.compiled
@pytest.mark.parametrize(("bias", "least", "most"), [(0.1, 0.86, 0.95), (0.25, 0.92, 0.98)])
def test_where_no_breakpoint_lies_in_the_finest_level_the_gradient_vanishes(bias, least, most):
    """Curve 6: all negatives of the last level. Some 92 and 96 % of the draws have no breakpoint in
    K_12."""
    study = gradient_study(
        CANTOR, 12, ["6"], RandomNetworks(Shape(1, 2, 20), "uniform", bias, count=1000)
    )
    assert least < (study.max_abs_gradient <= 1e-12).mean() < most


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("depth", "width", "draws", "first"), [(2, 20, 400, 0.14), (4, 50, 100, 0.22)]
)
def test_what_labels_tell_falls_by_a_factor_per_level(depth, width, draws, first):
    """He weights, N(0, 0.5²) biases, all negatives on one level; the hinge's own gradient does not
    fall."""
    study = gradient_study(
        CANTOR, 10, ["1"], RandomNetworks(Shape(1, depth, width), "he", None, 0.5, count=draws)
    )
    medians = np.median(study.correlation_by_level, axis=1)
    assert medians[0] == pytest.approx(first, rel=0.15)
    ratios = medians[1:6] / medians[:5]
    assert ratios.min() > 0.3
    assert ratios.max() < 0.5
    assert medians[7] < 1e-3
    assert np.median(study.by_level, axis=1).min() > 0.1


@pytest.mark.compiled
def test_a_bound_that_does_not_hold_is_not_called_satisfied():
    """He weights reach |f| > 1: gradients of order 1 on every curve, where the theorem's bound is
    0."""
    study = gradient_study(
        CANTOR, 40, ["6"], RandomNetworks(Shape(1, 2, 20), "he", None, 0.5, count=100)
    )
    assert 0.2 < study.satisfied().mean() < 0.7
    np.testing.assert_array_equal(study.satisfied(), study.max_abs_gradient <= 1e-12)


@pytest.mark.compiled
def test_samples_agree_with_the_integrals():
    draws = RandomNetworks(Shape(1, 2, 20), "he", None, 0.5, seed=8, count=4)
    exact = gradient_study(CANTOR, 4, ["1", "4"], draws)
    sampled = gradient_study(CANTOR, 4, ["1", "4"], draws, samples=60_000)
    assert (exact.samples, sampled.samples) == (0, 60_000)
    assert exact.max_abs_gradient_error.max() == exact.loss_error.max() == 0
    assert np.all(np.abs(exact.loss - sampled.loss) <= 4 * sampled.loss_error)
    assert sampled.loss_error.max() < 0.02
    near = (
        np.abs(exact.max_abs_gradient - sampled.max_abs_gradient)
        <= 5 * sampled.max_abs_gradient_error
    )
    assert near.all()
    first = np.abs(exact.correlation_by_level - sampled.correlation_by_level)[0]
    assert np.all(first <= 5 * sampled.correlation_error[0])
    assert np.all(first < 0.3 * exact.correlation_by_level[0])


def test_in_two_dimensions_samples_are_taken():
    draws = RandomNetworks(Shape(2, 2, 10), "paper", count=2)
    study = gradient_study(load_fractal("cantor"), 3, ["1"], draws, samples=2_000)
    assert study.by_level.shape == study.correlation_by_level.shape == (3, 2)
    assert np.isfinite(study.max_abs_gradient).all()
    assert study.max_abs_gradient_error.min() > 0
    assert (
        study.rows()[0]["share_satisfied"] != study.rows()[0]["share_satisfied"]
    )  # NaN: there is no bound


@pytest.mark.parametrize(
    ("fractal", "n", "draws", "samples", "says"),
    [
        ("cantor1d", 61, {}, None, r"fractal_depth \(--fractal-depth\) is 61; .* from 1 to 60"),
        ("cantor1d", 0, {}, None, "is 0; .* from 1 to 60"),
        ("cantor", 3, {}, None, "cantor has dimension 2, .* --samples 100000"),
        (
            "cantor1d",
            5,
            {"initialisation": "hee"},
            None,
            "unknown initialisation 'hee'; did you mean 'he'?",
        ),
        ("cantor1d", 5, {"initialisation": "uniform", "bias": None}, None, "needs a bias"),
        ("cantor1d", 5, {"count": 0}, None, r"count is 0"),
        ("cantor1d", 5, {"count": -3}, None, r"count is -3"),
        (
            "cantor1d",
            5,
            {},
            50,
            r"samples \(--samples\) is 50; accepted is a whole number of at least 200",
        ),
        ("cantor1d", 40, {}, 1000, "the greatest depth is 26"),
    ],
)
def test_bad_input_is_refused(fractal, n, draws, samples, says):
    fractal = load_fractal(fractal)

    def study():
        networks = RandomNetworks(
            Shape(fractal.dimension, 1, 5), **{"bias": 0.1, "count": 1, **draws}
        )
        gradient_study(fractal, n, ["6"], networks, samples=samples)

    with pytest.raises(UsageError, match=says):
        study()


def test_samples_that_fit_no_memory_are_refused():
    with pytest.raises(RunError, match=r"--samples 1000000000000 needs 2.8e\+05 GB of memory and"):
        gradient_study(CANTOR, 5, ["6", "1"], THEOREM, samples=10**12)


def test_a_fractal_without_room_for_negatives_is_refused():
    halves = Fractal("halves", np.array([[[0.5]], [[0.5]]]), np.array([[-0.5], [0.5]]))
    with pytest.raises(UsageError, match="free for negatives"):
        gradient_study(halves, 5, ["6"], THEOREM)


def test_a_network_of_other_inputs_is_refused():
    with pytest.raises(UsageError, match="the network has 2 inputs, but cantor1d has dimension 1"):
        gradient_study(CANTOR, 5, ["6"], RandomNetworks(Shape(2, 1, 5), "he"))


def test_the_cost_is_linear_in_the_depth_of_the_fractal():
    """Four times the depth takes at most about four times the processor's time, not 2^24 times.

    All units break at 1/4, which lies in the Cantor set: most breakpoints lie in a gap, where the
    descent ends early."""
    shape = Shape(1, 1, 200)
    params = np.concatenate([np.ones(200), np.full(200, -0.25), np.ones(200), [0.0]])[None]

    def seconds(n):
        line = line_of(CANTOR, parse_curve("1").values(n))
        taken = []
        for _ in range(50):
            started = time.process_time()
            population_gradient(shape, params, line)
            taken.append(time.process_time() - started)
        return min(taken)

    seconds(8)
    assert seconds(32) < 10 * seconds(8)
    assert seconds(DEEPEST) < 20 * seconds(8)
