"""Norms, deviations and what is made of them do not depend on the scale of the numbers."""

import numpy as np
import pytest

from fracsim.kernels.backend import get_backend
from fracsim.kernels.network.evaluate import layer_norms
from fracsim.kernels.network.shape import Shape, parameter_count
from fracsim.kernels.norms import deviation, norm_of, norms, scales
from fracsim.studies.landscape.directions import (
    check_directions,
    principal_components,
    random_direction,
)
from fracsim.studies.regions.regions import (
    boundary_distances,
    count_on_segment,
    count_on_segments,
    partition,
)
from fracsim.training.quality import of_real_labels

SCALES = [2.0**-600, 1e-170, 1e-40, 1e40, 1e170, 2.0**600]
SHAPE = Shape(2, (12,))


def network(scale=1.0):
    params = np.random.default_rng(3).normal(size=parameter_count(SHAPE))
    return params * scale


@pytest.mark.parametrize("scale", SCALES)
def test_norms_and_deviations(scale):
    values = np.random.default_rng(0).normal(size=(6, 50))
    np.testing.assert_allclose(norms(values * scale), np.linalg.norm(values) * scale, rtol=1e-14)
    for axis in (0, 1, -1):
        expected = np.linalg.norm(values, axis=axis) * scale
        np.testing.assert_allclose(norms(values * scale, axis=axis), expected, rtol=1e-14)
        expected = values.std(axis=axis, ddof=1) * scale
        np.testing.assert_allclose(deviation(values * scale, axis, ddof=1), expected, rtol=1e-13)
    np.testing.assert_allclose(deviation(values * scale), values.std() * scale, rtol=1e-13)
    np.testing.assert_allclose(norm_of(values[0] * scale), norms(values[0]) * scale, rtol=1e-14)


def test_ordinary_numbers_keep_their_bits():
    values = np.random.default_rng(1).normal(size=(40, 7)) * 10.0 ** np.arange(-60, 60, 18)
    assert norms(values) == np.linalg.norm(values)
    np.testing.assert_array_equal(norms(values, axis=1), np.linalg.norm(values, axis=1))
    np.testing.assert_array_equal(deviation(values, axis=0), values.std(axis=0))
    assert scales(3.0) == 1


def test_zeros_and_what_is_not_finite():
    assert norms(np.zeros(3)) == deviation(np.zeros(3)) == norm_of(np.zeros(3)) == 0
    np.testing.assert_array_equal(norms(np.zeros((2, 0)), axis=1), [0, 0])
    assert norms([1.0, np.inf]) == norm_of(np.array([1.0, -np.inf])) == np.inf
    assert np.isnan(norms([1.0, np.nan]))
    assert np.isnan(norm_of(np.array([np.nan, 1.0])))
    rows = norms([[3e-200, 4e-200], [3.0, 4.0], [0.0, 0.0], [3e200, 4e200]], axis=1)
    np.testing.assert_allclose(rows, [5e-200, 5, 0, 5e200], rtol=1e-15)
    assert norms([5e-324]) == 5e-324


@pytest.mark.parametrize("scale", SCALES)
def test_distances_to_boundaries(scale):
    points = np.random.default_rng(5).uniform(-1, 1, (20, 2))
    expected = boundary_distances(SHAPE, network(), points)
    assert expected.max() < 2
    found = boundary_distances(SHAPE, network(scale), points)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_counts_of_regions(scale):
    params = np.concatenate([network(scale)[:36], network()[36:]])
    plain = np.concatenate([network()[:36], network()[36:]])
    window = (-1.0, 1.0, -1.0, 1.0)
    expected = partition(SHAPE, plain, window).activation_regions
    assert partition(SHAPE, params, window).activation_regions == expected > 20
    line = count_on_segment(SHAPE, params, (-1.0, -0.5), (1.0, 0.7))
    assert (
        line.activation_regions
        == count_on_segment(SHAPE, plain, (-1.0, -0.5), (1.0, 0.7)).activation_regions
    )
    ends = np.random.default_rng(2).uniform(-1, 1, (2, 30, 2))
    np.testing.assert_array_equal(
        count_on_segments(SHAPE, params, *ends)[:, 0], count_on_segments(SHAPE, plain, *ends)[:, 0]
    )


@pytest.mark.parametrize("scale", SCALES)
def test_lengths_of_segments(scale):
    line = count_on_segment(SHAPE, network(), (0.0, 0.0), (3 * scale, 4 * scale))
    np.testing.assert_allclose(line.length, 5 * scale, rtol=1e-14)


@pytest.mark.parametrize("scale", SCALES)
def test_norms_of_layers(backend, scale):
    shape = Shape(2, (3, 4))
    flat = np.random.default_rng(0).normal(size=(2, parameter_count(shape)))
    expected = np.array([layer_norms(shape, row) for row in flat]) * scale
    np.testing.assert_allclose(backend.layer_norms(shape, flat * scale), expected, rtol=1e-13)


@pytest.mark.parametrize("scale", SCALES)
def test_quality_of_real_labels(scale):
    rng = np.random.default_rng(0)
    labels, group = rng.normal(size=400), rng.integers(0, 3, 400)
    scores = labels + 0.3 * rng.normal(size=400)
    expected = of_real_labels(scores, labels, group, 3)
    found = of_real_labels(scores * scale, labels * scale, group, 3)
    np.testing.assert_allclose(found["test_r2"], expected["test_r2"], rtol=1e-12)
    for name in ("test_rmse", "test_rmse_by_level"):
        np.testing.assert_allclose(found[name], np.array(expected[name]) * scale, rtol=1e-12)
    squares = (scores - labels) ** 2
    assert expected["test_r2"] == 1 - squares.mean() / labels.var()
    assert expected["test_rmse"] == float(squares.mean()) ** 0.5


@pytest.mark.parametrize("scale", [1e-170, 1e170])
@pytest.mark.parametrize("normalise", ["filter", "layer", "forward"])
def test_directions_in_a_landscape(scale, normalise):
    plain = random_direction(SHAPE, network(), normalise, 0, 0)
    found = random_direction(SHAPE, network(scale), normalise, 0, 0)
    np.testing.assert_allclose(found, plain * scale, rtol=1e-12)
    check_directions(np.stack([found, found[::-1]]))


@pytest.mark.parametrize("scale", [1e-170, 1.0, 1e170])
def test_shares_of_principal_components(scale):
    rows = np.random.default_rng(0).normal(size=(5, 9))
    _, shares = principal_components(rows * scale)
    np.testing.assert_allclose(shares, principal_components(rows)[1], rtol=1e-10, atol=1e-15)
    assert shares.sum() == pytest.approx(1)


def test_norms_of_layers_on_a_card():
    shape = Shape(2, (3, 4))
    flat = np.random.default_rng(0).normal(size=(2, parameter_count(shape)))
    expected = np.array([layer_norms(shape, row) for row in flat])
    for scale in (1.0, 1e-170):
        found = get_backend("cuda").layer_norms(shape, flat * scale)
        np.testing.assert_allclose(found, expected * scale, rtol=1e-13)
