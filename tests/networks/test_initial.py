"""Initial parameters: moments, bounds, layout and determinism of each scheme (FACTS 3: the paper's
initialisation)."""

import numpy as np
import pytest
import reference
from scipy import stats

from fracsim.errors import UsageError
from fracsim.kernels.network.shape import Shape, parameter_count
from fracsim.networks.initial import initial_parameters

SHAPE = Shape(2, 3, 300)


def layers_of(scheme, shape=SHAPE, seed=0, **options):
    params = initial_parameters(shape, scheme, seed, **options)
    assert params.shape == (parameter_count(shape),)
    return reference.layers(shape, params)


def check_variance(weights, expected):
    """Sample variance within 5 standard errors (of a normal's: an upper bound for the lighter tails
    here)."""
    assert weights.size > 50_000
    assert abs(weights.var() / expected - 1) < 5 * np.sqrt(2 / weights.size)
    assert abs(weights.mean()) < 5 * np.sqrt(expected / weights.size)


def check_all_layers_look_alike(parts, scale):
    """Weights of each layer, over its scale, come from one distribution; ``scale(n_in, n_out)``."""
    standard = [weights.ravel() / scale(*weights.shape) for weights, _ in parts]
    for one in standard:
        assert stats.ks_2samp(one, standard[1]).pvalue > 1e-4


def test_paper_is_normal_truncated_at_two_sigma():
    parts = layers_of("paper", dtype=np.float64)
    for weights, biases in parts:
        sigma = 1 / np.sqrt(len(weights))
        assert np.abs(weights).max() <= 2 * sigma
        np.testing.assert_array_equal(biases, 0.1)
    weights = parts[1][0]
    check_variance(weights, 0.774 / 300)
    assert stats.kstest(weights.ravel() * np.sqrt(300), stats.truncnorm(-2, 2).cdf).pvalue > 1e-4
    assert np.abs(weights).max() > 1.99 / np.sqrt(300)  # cut at 2 sigma, not below
    check_all_layers_look_alike(parts, lambda n_in, n_out: 1 / np.sqrt(n_in))


def test_he_is_normal_with_twice_the_inverse_fan_in():
    parts = layers_of("he", dtype=np.float64)
    for _, biases in parts:
        np.testing.assert_array_equal(biases, 0.0)
    check_variance(parts[1][0], 2 / 300)
    assert stats.kstest(parts[1][0].ravel() * np.sqrt(150), "norm").pvalue > 1e-4
    check_all_layers_look_alike(parts, lambda n_in, n_out: np.sqrt(2 / n_in))


def test_glorot_is_uniform_by_fan_in_and_fan_out():
    parts = layers_of("glorot", dtype=np.float64)
    for weights, biases in parts:
        bound = np.sqrt(6 / sum(weights.shape))
        assert np.abs(weights).max() <= bound
        np.testing.assert_array_equal(biases, 0.0)
    assert (
        stats.kstest(parts[1][0].ravel() / np.sqrt(6 / 600), stats.uniform(-1, 2).cdf).pvalue > 1e-4
    )
    check_all_layers_look_alike(parts, lambda n_in, n_out: np.sqrt(6 / (n_in + n_out)))


def test_uniform_is_theorem_5():
    parts = layers_of("uniform", bias=0.5, dtype=np.float64)
    for weights, biases in parts:
        assert np.abs(weights).max() <= 1 / (2 * len(weights))
        np.testing.assert_array_equal(biases, 0.5)
    assert stats.kstest(parts[1][0].ravel() * 600, stats.uniform(-1, 2).cdf).pvalue > 1e-4
    check_all_layers_look_alike(parts, lambda n_in, n_out: 1 / (2 * n_in))


@pytest.mark.parametrize("scheme", ["paper", "he", "glorot", "uniform"])
def test_bias_overrides_the_schemes_own(scheme):
    for _, biases in layers_of(scheme, shape=Shape(3, 2, 5), bias=-0.25):
        np.testing.assert_array_equal(biases, np.float32(-0.25))


@pytest.mark.parametrize("scheme", ["paper", "he", "glorot", "uniform"])
def test_normal_biases(scheme):
    parts = layers_of(scheme, shape=Shape(2, 4, 300), bias_std=0.5, dtype=np.float64)
    plain = layers_of(scheme, shape=Shape(2, 4, 300), bias=0.0, dtype=np.float64)
    biases = np.concatenate([biases for _, biases in parts])
    assert stats.kstest(biases / 0.5, "norm").pvalue > 1e-4
    weights = parts[1][0].ravel()[: biases.size]
    assert abs(np.corrcoef(weights, biases)[0, 1]) < 5 / np.sqrt(biases.size)
    for (drawn, _), (kept, _) in zip(parts, plain, strict=True):
        np.testing.assert_array_equal(drawn, kept)


def test_normal_biases_about_a_mean():
    about = layers_of("he", bias=2.0, bias_std=0.5, dtype=np.float64)
    centred = layers_of("he", bias_std=0.5, dtype=np.float64)
    for (_, moved), (_, biases) in zip(about, centred, strict=True):
        np.testing.assert_array_equal(moved, biases + 2.0)


@pytest.mark.parametrize("scheme", ["paper", "he", "glorot", "uniform"])
def test_a_seed_decides_everything(scheme):
    one = initial_parameters(SHAPE, scheme, 1, bias=0.1)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, initial_parameters(SHAPE, scheme, 1, bias=0.1))
    double = initial_parameters(SHAPE, scheme, 1, bias=0.1, dtype=np.float64)
    np.testing.assert_array_equal(one, double.astype(np.float32))
    weights = reference.layers(SHAPE, one)[1][0].ravel()
    for seed in (2, 2**32 + 1, 2**64 - 1):
        other = reference.layers(SHAPE, initial_parameters(SHAPE, scheme, seed, bias=0.1))[1][
            0
        ].ravel()
        assert abs(np.corrcoef(weights, other)[0, 1]) < 5 / np.sqrt(weights.size)
    layer2 = reference.layers(SHAPE, one)[2][0].ravel()
    assert abs(np.corrcoef(weights, layer2)[0, 1]) < 5 / np.sqrt(weights.size)


def test_depth_zero_is_one_linear_layer():
    params = initial_parameters(Shape(3, 0, 50), "paper", 0)
    assert params.shape == (4,)
    assert params[3] == np.float32(0.1)
    assert np.abs(params[:3]).max() <= np.float32(2 / np.sqrt(3))


def test_bad_schemes_are_refused():
    with pytest.raises(UsageError, match="glorot"):
        initial_parameters(SHAPE, "glorott", 0)
    with pytest.raises(UsageError, match="bias"):
        initial_parameters(SHAPE, "uniform", 0)
    for bias_std in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="bias_std"):
            initial_parameters(SHAPE, "he", 0, bias_std=bias_std)
