"""Moments of activations and gradients: exact formulas, the χ² chain, whole networks."""

import itertools
import json
import math

import numpy as np
import pytest
import scipy.stats
from command_line import fracsim

from fracsim.kernels.random_networks.chain import (
    AT_ONCE,
    FEW,
    chi_square_chain,
    few_degrees,
    many_degrees,
    one_draw,
    take_logs,
    take_words,
)
from fracsim.networks.initial import (
    Shape,
    initial_parameters,
    split_layers,
    truncated_variance,
    weight_law,
)
from fracsim.networks.random import RandomNetwork
from fracsim.studies import STUDIES, open_study
from fracsim.studies.moments import exact

TABLE = [  # FACTS: widths, P_T, E of the variance over layers
    ((10,) * 5, 7.59375, 1.2),
    ((50,) * 10, 2.593742, 0.271572),
    ((10, 20, 40), 2.109375, 0.135417),
    ((100,) * 20, 2.653298, 0.277239),
    ((30,) * 3, 1.587963, 0.093621),
]


def chain(widths, draws=100_000, kappa=1.0, bias_variance=0.0, seed=0):
    out = np.empty((len(widths), draws))
    chi_square_chain(np.uint64(seed), 0, np.array(widths), kappa, bias_variance, 1.0, out)
    return out


@pytest.mark.parametrize(("widths", "second", "variance"), TABLE)
def test_exact_moments_of_the_table(widths, second, variance):
    ones = [1.0] * len(widths)
    assert exact.means(ones, 0.0) == ones
    assert exact.second_moments(widths, ones, 0.0)[-1] == pytest.approx(second, abs=1e-6)
    assert exact.layer_variance(widths, ones, 0.0) == pytest.approx(variance, abs=1e-6)


def test_the_variance_over_layers_is_that_of_the_martingale_formula():
    widths = (7, 3, 12, 5)
    growth = np.cumprod([1 + 5 / n for n in widths])
    layers = len(widths)
    weights = [2 * (layers - layer) + 1 for layer in range(1, layers + 1)]
    wanted = growth.sum() / layers - (weights * growth).sum() / layers**2
    assert exact.layer_variance(widths, [1.0] * 4, 0.0) == pytest.approx(wanted, rel=1e-12)


def enumerated(widths, kappa, bias_variance):
    """E M_T and E M_T² over all counts of active units, from moments of χ² alone."""
    mean = second = 0.0
    for counts in itertools.product(*(range(n + 1) for n in widths)):
        share = math.prod(math.comb(n, k) / 2**n for n, k in zip(widths, counts, strict=True))
        m, m2 = 1.0, 1.0
        for n, k in zip(widths, counts, strict=True):
            v, v2 = (
                2 * kappa * m + bias_variance,
                4 * kappa**2 * m2 + 4 * kappa * bias_variance * m + bias_variance**2,
            )
            m, m2 = v * k / n, v2 * k * (k + 2) / n**2
        mean, second = mean + share * m, second + share * m2
    return mean, second


@pytest.mark.parametrize(
    ("widths", "kappa", "bias_variance"), [((2, 3), 1.0, 0.0), ((3, 1, 4), 0.387, 0.09)]
)
def test_recursions_against_enumeration(widths, kappa, bias_variance):
    kappas = [kappa] * len(widths)
    mean, second = enumerated(widths, kappa, bias_variance)
    assert exact.means(kappas, bias_variance)[-1] == pytest.approx(mean, rel=1e-12)
    assert exact.second_moments(widths, kappas, bias_variance)[-1] == pytest.approx(
        second, rel=1e-12
    )


def test_a_law_with_biases():
    kappas, widths = [0.38685] * 8, [20] * 8
    assert exact.means(kappas, 0.09)[-1] == pytest.approx(0.073856, abs=1e-6)
    assert exact.second_moments(widths, kappas, 0.09)[-1] == pytest.approx(0.0071452, abs=1e-7)
    out = chain(widths, kappa=0.38685, bias_variance=0.09)
    assert out[-1].mean() == pytest.approx(0.073856, rel=0.01)


@pytest.mark.parametrize("n", [1, 2, 5, 13, 24, 32, 33, 40, 128, 200, 300])
def test_one_layer_of_the_chain_is_a_mixture_of_chi_squares(n):
    draws = np.sort(chain([n], 20_000)[0]) * n / 2
    k = np.arange(n + 1)
    shares = scipy.stats.binom.pmf(k, n, 0.5)
    law = shares[0] + shares[1:] @ scipy.stats.chi2.cdf(draws, k[1:, None])
    place = (np.arange(len(draws)) + 0.5) / len(draws)
    alive = draws > 0
    assert np.abs(law - place)[alive].max() < 1.95 / math.sqrt(len(draws))  # p = 0.001
    assert (draws == 0).mean() == pytest.approx(2.0**-n, abs=0.01)


def test_draws_made_side_by_side_are_those_made_one_by_one():
    """Each accepted first attempt is what the plain loop draws; the others are few."""
    index, seed, block = np.uint64(7), np.uint64(3), 5
    words, drawn = np.empty((4, AT_ONCE), np.uint32), np.empty(AT_ONCE)
    degrees, accepted = np.arange(AT_ONCE) % 100, np.empty(AT_ONCE, np.bool_)
    take_words(seed, index, block + 1, AT_ONCE, words)
    many_degrees(words, degrees, AT_ONCE, drawn, accepted)
    assert 0.9 < accepted.mean() < 0.99
    assert not accepted[degrees < 2].any()
    alone = [one_draw(seed, index + np.uint64(i), block, degrees[i]) for i in range(AT_ONCE)]
    np.testing.assert_allclose(drawn[accepted], np.array(alone)[accepted], rtol=1e-13)


def test_the_chain_is_the_law_of_whole_networks():
    one = STUDIES["moments"]
    real = one.run(width="6-9-4", inputs=3, draws=6000, networks=True, seed=1)
    shape = real.network.shape
    assert not real.chain
    lengths = []
    for seed in range(400):  # a slow twin of the kernel, by NumPy
        h = None
        params = initial_parameters(shape, "he", seed, None, np.float64)
        x = np.full(3, 1.0)
        h = x
        for weights, biases in split_layers(shape, params)[:-1]:
            h = np.maximum(h @ weights + biases, 0)
        lengths.append(h @ h / len(h))
    ones = one.run(width="6-9-4", inputs=3, draws=400, networks=True, direction="ones")
    np.testing.assert_allclose(ones.by_layer["mean"][-1], np.mean(lengths), rtol=1e-12)
    from fracsim.kernels.random_networks.networks import sample_networks

    whole, none = np.empty((3, 6000)), np.empty((6000, 0))
    sample_networks(np.uint64(1), 0, *real.network.kernel_law(), False, whole, none)
    chains = chain((6, 9, 4), 6000, seed=2)
    for layer in range(3):
        assert scipy.stats.ks_2samp(whole[layer], chains[layer]).pvalue > 0.001


def test_threads_and_blocks_change_nothing():
    whole = chain((8, 40), 1000)
    out = np.empty((2, 500))
    chi_square_chain(np.uint64(0), 500, np.array((8, 40)), 1.0, 0.0, 1.0, out)
    np.testing.assert_array_equal(out, whole[:, 500:])
    runs = [STUDIES["moments"].run(width="5-5", draws=9000, threads=n) for n in (1, 2)]
    np.testing.assert_array_equal(runs[0].by_layer["second"], runs[1].by_layer["second"])


@pytest.mark.parametrize(
    ("inputs", "widths", "fourth", "product", "variance"),
    [(4, (10, 10, 10), 2.53125, 0.84375, 1.265625), (3, (8, 16), 2.84375, 0.947917, 1.263889)],
)
def test_moments_of_gradients(inputs, widths, fourth, product, variance):
    found = exact.gradient_moments(inputs, widths, [1.0] * (len(widths) + 1))
    assert found["second_exact"] == pytest.approx(2 / inputs, rel=1e-12)
    assert found["fourth_exact"] == pytest.approx(fourth, rel=1e-12)
    assert found["product_exact"] == pytest.approx(product, abs=1e-6)
    assert found["variance_exact"] == pytest.approx(variance, abs=1e-6)


def test_gradients_of_whole_networks_are_those_of_differences():
    from fracsim.kernels.random_networks.networks import sample_networks

    network = RandomNetwork(Shape(3, (5, 4)), "he", None, 0.0, 0.2)
    lengths, gradients = np.empty((2, 4)), np.empty((4, 3))
    sample_networks(np.uint64(7), 0, *network.kernel_law(), True, lengths, gradients)
    for index in range(4):
        layers = split_layers(network.shape, network.parameters(7 + index))

        def f(x, layers=layers):
            for weights, biases in layers[:-1]:
                x = np.maximum(x @ weights + biases, 0)
            return float((x @ layers[-1][0] + layers[-1][1])[0])

        at, step = np.ones(3), 1e-6
        wanted = [(f(at + step * e) - f(at - step * e)) / (2 * step) for e in np.eye(3)]
        np.testing.assert_allclose(gradients[index], wanted, atol=1e-8)


def test_truncation_and_the_variances_of_schemes():
    assert truncated_variance(2.0) == pytest.approx(scipy.stats.truncnorm.var(-2, 2), rel=1e-12)
    assert weight_law("paper", 100, 50).variance / 2 == pytest.approx(0.3868707, abs=1e-7)
    for scheme in ("he", "he-uniform"):
        assert weight_law(scheme, 30, 5).variance == pytest.approx(2, rel=1e-12)
    for scheme in ("paper", "he", "he-uniform", "glorot", "uniform"):
        law = weight_law(scheme, 30, 5, 1.5)
        assert law.variance == 1.5**2
        params = initial_parameters(Shape(400, (60,)), scheme, 0, 0.0, np.float64, None, 1.5)
        weights = split_layers(Shape(400, (60,)), params)[0][0]
        assert 400 * weights.var() == pytest.approx(1.5**2, rel=0.03)


def test_constant_biases_in_the_limit_of_wide_layers():
    kappa = weight_law("paper", 100, 100).variance / 2
    found = exact.constant_bias_limit([kappa] * 10, 0.1)
    assert [round(found[i], 4) for i in (0, 1, 2, 4, 9)] == [0.4622, 0.2318, 0.1288, 0.0565, 0.0307]
    grows = exact.constant_bias_limit([1.0] * 10, 0.1)
    assert [round(grows[i], 3) for i in (0, 1, 2, 4, 9)] == [1.118, 1.242, 1.373, 1.654, 2.470]


def test_the_commands_of_the_issue(tmp_path):
    result = fracsim(
        *["moments", "--width", "10-10-10-10-10", "--init", "he", "--draws", "1e5", "--json", "-o"],
        tmp_path / "m.h5",
    )
    assert (result.code, result.err) == (0, "")
    value = json.loads(result.out)
    last = value["layers"][-1]
    assert {"layer", "mean", "mean_exact", "second", "second_exact", "median"} <= set(last)
    assert (last["mean_exact"], last["second_exact"]) == (1, pytest.approx(7.59375))
    assert last["mean"] == pytest.approx(1, abs=3 * math.sqrt(6.59 / 1e5))
    assert last["median"] == pytest.approx(0.262, abs=0.005)
    assert value["layer_variance"]["exact"] == pytest.approx(1.2)
    study = open_study(tmp_path / "m.h5", "moments")
    assert study.form == "layers"
    assert study.arrays["second_exact"][-1] == pytest.approx(7.59375)
    again = fracsim("moments", "--from", tmp_path / "m.h5", "--json")
    assert json.loads(again.out)["layers"] == value["layers"]
    result = fracsim(
        *[
            "moments",
            "--width",
            "10-10-10",
            "--inputs",
            "4",
            "--init",
            "he",
            "--gradient",
            "--draws",
            "2e4",
            "--json",
        ]
    )
    gradient = json.loads(result.out)["gradient"]
    assert gradient["fourth_exact"] == pytest.approx(2.53125)
    assert gradient["product_exact"] == pytest.approx(0.84375)
    assert gradient["variance_exact"] == pytest.approx(1.265625)
    assert gradient["fourth"] == pytest.approx(2.53, abs=4 * gradient["standard_error"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--width", "10-0-10"], "width (--width) is 10-0-10; accepted is"),
        (["--width", 0], "width (--width) is 0; accepted is"),
        (["--weight-std", 0], "weight_std (--weight-std) is 0; accepted is a number above 0"),
        (["--weight-std", -1], "weight_std (--weight-std) is -1; accepted is a number above 0"),
        (["--init", "hee"], "unknown initialisation 'hee'; did you mean 'he'?"),
        (["--init", "uniform"], "needs a bias"),
        (["--width", "5-5", "--depth", 3], "network_depth (--depth) is 3; accepted is 2, or none"),
        (["nothing.h5"], "nothing.h5"),
        (["--snapshot", "all"], "it needs a FILE"),
        (["nothing.h5", "--width", 5], "it needs no FILE"),
    ],
)
def test_wrong_input_is_told_in_one_sentence(options, said):
    result = fracsim("moments", *options)
    assert result.code in (1, 2)
    assert said in result.err
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err


def test_logarithms_by_vectors_are_those_of_numpy():
    values = np.ones(AT_ONCE)
    values[:-6] = np.random.default_rng(0).random(AT_ONCE - 6)
    values[-6:] = 1.0, 0.5, 2.0**-198, 1 - 2.0**-33, 2**-0.5, 2.0**-0.5 * (1 + 2.0**-50)
    found = values.copy()
    take_logs(found, AT_ONCE)
    np.testing.assert_allclose(found, np.log(values), rtol=4e-16, atol=0)


def test_a_few_degrees_are_products_of_uniforms_and_a_normal():
    """χ²_K by NumPy from the same words, for every K up to FEW."""
    words = np.random.default_rng(1).integers(0, 2**32, (8, AT_ONCE), np.uint32)
    degrees = np.arange(AT_ONCE) % (FEW + 1)
    drawn = np.empty(AT_ONCE)
    few_degrees(words, degrees, FEW, AT_ONCE, drawn)
    u = (words + 0.5) / 2.0**32
    for i, k in enumerate(degrees):
        half = k // 2
        wanted = -2 * np.log(u[1 : half + 1, i]).sum()
        if k % 2:
            block = 0 if half < 2 else 1 if half < 4 else 2
            place = {0: half + 1, 1: 4, 2: half + 1}[block]
            turn = 2 * np.pi * u[place + 1, i]
            wanted -= 2 * np.log(u[place, i]) * np.cos(turn) ** 2
        assert drawn[i] == pytest.approx(wanted, rel=1e-9, abs=1e-14)
