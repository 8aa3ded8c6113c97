"""Forward and gradient of the CPU backend against central differences and the reference, in float64
and float32."""

import numpy as np
import pytest
import reference
from problems import away_from_kinks, labels_for, random_parameters

from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape, layer_sizes, parameter_count

CASES = [Shape(d, 0, 5) for d in (1, 2, 3)] + [
    Shape(d, depth, width) for depth in (1, 3) for width in (1, 3, 7, 17, 33) for d in (1, 2, 3)
]
UNEQUAL = [Shape(2, (9, 4, 17)), Shape(3, (1, 20)), Shape(1, (33, 1, 5)), Shape(20, (7, 3))]
CASES += UNEQUAL
"""Narrower and wider than the inputs and than each other, single units among them."""


def gradient_of(backend, shape, loss, params, x, y):
    """(dparams (Q,), loss) of one run on one set."""
    dtype = params.dtype
    dparams, value = backend.gradient(
        shape,
        LOSSES.index(loss),
        params[None],
        x[None].astype(dtype),
        y[None].astype(dtype),
        np.zeros(1, np.int64),
    )
    assert dparams.shape == (1, len(params))
    assert dparams.dtype == dtype
    return dparams[0], value[0]


def test_parameter_count_matches_the_layers_and_the_formula():
    for shape in CASES:
        d, depth, k = shape.inputs, shape.depth, shape.width
        assert parameter_count(shape) == sum(
            (n_in + 1) * n_out for n_in, n_out in layer_sizes(shape)
        )
        if depth > 0 and shape.is_even:  # FACTS 3
            assert parameter_count(shape) == d * k + k + (depth - 1) * (k * k + k) + k + 1
    assert parameter_count(Shape(2, 0, 5)) == 3
    assert layer_sizes(Shape(2, 2, 7)) == [(2, 7), (7, 7), (7, 1)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", CASES, ids=str)
def test_every_parameter_matches_central_differences(backend, generator, shape, loss):
    params = random_parameters(generator, shape)[0]
    x, y = away_from_kinks(generator, shape, params, 9)
    dparams, value = gradient_of(backend, shape, loss, params, x, y)
    slow = reference.central_differences(shape, loss, params, x, y)
    np.testing.assert_allclose(dparams, slow, rtol=1e-6, atol=2e-9)
    np.testing.assert_allclose(
        value, reference.losses(loss, reference.forward(shape, params, x), y).mean(), rtol=1e-12
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("points", [1, 2, 130, 1031])
def test_gradient_matches_backpropagation_for_any_number_of_points(
    backend, generator, points, loss
):
    shape = Shape(2, 3, 33)
    params = random_parameters(generator, shape)[0]
    x, y = generator.uniform(-1, 1, (points, 2)), labels_for(generator, points)
    dparams, value = gradient_of(backend, shape, loss, params, x, y)
    slow, slow_value = reference.gradient(shape, loss, params, x, y)
    np.testing.assert_allclose(dparams, slow, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(value, slow_value, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "shape",
    [
        *(Shape(3, 0, 1), Shape(1, 1, 1), Shape(3, 2, 17), Shape(2, 4, 70)),
        *(*UNEQUAL, Shape(2, (130, 1, 70, 16))),
    ],
    ids=str,
)
def test_every_width_gives_the_reference(backend, generator, shape, dtype):
    params = random_parameters(generator, shape)[0]
    x, y = away_from_kinks(generator, shape, params, 37)
    tolerance = (
        {"rtol": 1e-10, "atol": 1e-13} if dtype == np.float64 else {"rtol": 1e-3, "atol": 1e-5}
    )
    f = backend.forward(
        shape, params[None].astype(dtype), x[None].astype(dtype), np.zeros(1, np.int64)
    )
    np.testing.assert_allclose(f[0], reference.forward(shape, params, x), **tolerance)
    for loss in LOSSES:
        dparams, _ = gradient_of(backend, shape, loss, params.astype(dtype), x, y)
        np.testing.assert_allclose(
            dparams, reference.gradient(shape, loss, params, x, y)[0], **tolerance
        )


def test_an_ensemble_uses_each_runs_own_parameters_and_set(backend, generator):
    shape, sets_of_runs = Shape(2, 2, 11), np.array([1, 0, 1, 2])
    params = random_parameters(generator, shape, runs=4)
    x, y = generator.uniform(-1, 1, (3, 50, 2)), generator.choice([-1.0, 1.0], (3, 50))
    f = backend.forward(shape, params, x, sets_of_runs)
    dparams, value = backend.gradient(shape, LOSSES.index("logistic"), params, x, y, sets_of_runs)
    assert f.shape == (4, 50)
    for run, chosen in enumerate(sets_of_runs):
        slow, slow_value = reference.gradient(shape, "logistic", params[run], x[chosen], y[chosen])
        np.testing.assert_allclose(
            f[run], reference.forward(shape, params[run], x[chosen]), rtol=1e-11, atol=1e-13
        )
        np.testing.assert_allclose(dparams[run], slow, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(value[run], slow_value, rtol=1e-12)
        one = slice(run, run + 1)
        alone = backend.gradient(
            shape, LOSSES.index("logistic"), params[one], x, y, sets_of_runs[one]
        )
        np.testing.assert_array_equal(alone[0][0], dparams[run])


def test_relu_has_derivative_zero_at_its_kink(backend):
    shape = Shape(2, 1, 3)
    params = np.zeros(parameter_count(shape))
    params[-4:-1] = 1.0  # the readout sees the units, which are all at exactly 0
    dparams, value = gradient_of(backend, shape, "squared", params, np.ones((1, 2)), np.ones(1))
    assert value == 0.5
    np.testing.assert_array_equal(dparams, [0] * 12 + [-1])


@pytest.mark.parametrize(("label", "expected"), [(1.0, [0, 0]), (-1.0, [0.25, 1])])
def test_hinge_has_derivative_zero_at_its_kink(backend, label, expected):
    # f = 1: a positive sits exactly on the kink, a negative far inside the hinge
    x, y = np.full((1, 1), 0.25), np.array([label])
    dparams, value = gradient_of(backend, Shape(1, 0, 1), "hinge", np.array([0.0, 1.0]), x, y)
    assert value == 1 - label
    np.testing.assert_array_equal(dparams, expected)


def test_logistic_neither_overflows_nor_loses_small_losses(backend):
    for x, expected in ((800.0, 0.0), (-800.0, 800.0), (40.0, np.exp(-40))):
        params, y = np.array([1.0, 0.0]), np.ones(1)
        dparams, value = gradient_of(
            backend, Shape(1, 0, 1), "logistic", params, np.array([[x]]), y
        )
        assert np.isfinite(dparams).all()
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-300)
