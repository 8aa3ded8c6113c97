"""Networks that are written down: layers joined, splines, sawteeth, trees, against arithmetic."""

import numpy as np
import pytest

from fracsim.kernels.backend import get_backend
from fracsim.networks.rewriting.layers import (
    affine,
    beside,
    composed,
    evaluate,
    identity,
    network_of,
    shared,
    units_of,
)
from fracsim.networks.rewriting.sawtooth import product_tree, products, squares
from fracsim.networks.rewriting.splines import absolute, spline, two_sided

rng = np.random.default_rng(5)


@pytest.mark.parametrize("m", [1, 2, 4, 6, 8])
def test_a_composed_square_errs_by_its_bound_to_the_last_digit(m):
    t = np.arange(2 ** (m + 1) + 1) / 2 ** (m + 1)
    found = evaluate(squares(1, m), t[:, None])[:, 0]
    grid = np.linspace(0, 1, 2**m + 1)
    np.testing.assert_array_equal(found, np.interp(t, grid, grid**2))
    np.testing.assert_array_equal(found[::2], t[::2] ** 2)
    assert (found - t**2).max() == 4.0 ** (-m - 1)


@pytest.mark.parametrize("m", [1, 2, 4, 6])
def test_a_polarised_product_errs_as_little_as_a_square(m):
    side = np.linspace(-1, 1, 2 ** (m + 2) + 1)
    pairs = np.stack([values.ravel() for values in np.meshgrid(side, side)], axis=1)
    network = products(1, m)
    found = evaluate(network, pairs)[:, 0]
    assert np.abs(found - pairs.prod(axis=1)).max() == 4.0 ** (-m - 1)
    assert units_of(network) == [4, 4, *[6] * (m - 1)]
    assert np.abs(found).max() <= 1


@pytest.mark.parametrize("n", [2, 3, 5, 7, 16])
def test_a_tree_keeps_its_bound_and_is_an_ordinary_network(n):
    layers = product_tree(n, 8)
    assert len(layers) - 1 == 9 * int(np.ceil(np.log2(n)))
    x = rng.uniform(-1, 1, (4000, n))
    x[:200] = np.sign(x[:200]) * rng.uniform(0.98, 1, (200, n))
    found = evaluate(layers, x)[:, 0]
    assert np.abs(found - x.prod(axis=1)).max() <= (n - 1) * 4.0**-9
    shape, params = network_of(layers)
    assert list(shape.widths) == units_of(layers)
    scores = get_backend("cpu").forward(shape, params[None], x[None], np.zeros(1, np.int64))[0]
    np.testing.assert_allclose(scores, found, atol=1e-14)


@pytest.mark.parametrize("pieces", [1, 3, 17])
def test_a_spline_is_the_interpolant(pieces):
    knots = np.sort(rng.uniform(-2, 2, pieces + 1))
    values, t = rng.normal(size=pieces + 1), np.linspace(-3, knots[-1], 400)
    layers = spline(knots, values)
    assert units_of(layers) == [pieces]
    wanted = np.interp(t, knots, values)
    np.testing.assert_allclose(evaluate(layers, t[:, None])[:, 0], wanted, atol=1e-9)


@pytest.mark.parametrize("p", [4, 8, 16, 32])
def test_a_two_sided_spline_of_the_square(p):
    t = np.arange(-2 * p, 2 * p + 1) / (2 * p)
    found = evaluate(two_sided(lambda t: t**2, p), t[:, None])[:, 0]
    assert np.abs(found - t**2).max() == 1 / (4 * p * p)
    np.testing.assert_array_equal(found, found[::-1])


def test_joined_networks_are_joined_functions():
    x = rng.normal(size=(50, 3))
    double = composed(affine(2 * np.eye(3)), absolute(3))
    np.testing.assert_allclose(evaluate(double, x), 2 * np.abs(x))
    both = shared(double, identity([9.0] * 3, 1))
    np.testing.assert_allclose(evaluate(both, x), np.hstack([2 * np.abs(x), x]), atol=1e-14)
    apart = beside(absolute(1), absolute(2))
    np.testing.assert_allclose(evaluate(apart, x), np.abs(x))
    assert units_of(apart) == [6]
    assert units_of(composed(apart, absolute(3))) == [6, 6]
