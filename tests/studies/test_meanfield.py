"""Length and correlation maps against the published tables, independent quadrature and formulas."""

import json
import math

import numpy as np
import pytest
import scipy.integrate
from click.testing import CliRunner
from command_line import fracsim

from fracsim.cli.plot import command
from fracsim.kernels.random_networks.activations import ACTIVATIONS, activations, slopes
from fracsim.studies.meanfield import maps

TABLE = {  # σ_b = 0.3: σ_w -> q*, χ₁, c*
    ("tanh", 1.3): (0.607047, 0.939807, 1.0),
    ("tanh", 2.5): (4.079124, 1.585225, 0.1221),
    ("tanh", 4.0): (12.604149, 2.367261, 0.0297),
    ("erf", 1.3): (0.805318, 1.047310, 0.8292),
    ("erf", 2.5): (4.555462, 1.815067, 0.0932),
    ("erf", 4.0): (13.344108, 2.762643, 0.0255),
    ("hardtanh", 1.3): (0.941909, 1.178211, 0.6395),
    ("hardtanh", 2.5): (4.862723, 2.186240, 0.0789),
    ("hardtanh", 4.0): (13.816816, 3.393459, 0.0232),
}
CRITICAL = {"tanh": 1.39558, "erf": 1.23367, "hardtanh": 1.11614, "relu": math.sqrt(2)}


def f(name, z):
    out = np.empty(1)
    activations(ACTIVATIONS.index(name), np.array([z]), out)
    return out[0]


def slope_of(name, z):
    out = np.empty(1)
    slopes(ACTIVATIONS.index(name), np.array([z]), out)
    return out[0]


@pytest.mark.parametrize(("name", "weight_std"), TABLE)
def test_fixed_points_of_the_table(name, weight_std):
    q, chi, c = TABLE[name, weight_std]
    found = maps.mean_field(name, weight_std, 0.3)
    assert found.q_star == pytest.approx(q, abs=1e-5)
    assert found.chi == pytest.approx(chi, abs=1e-5)
    assert found.c_star == pytest.approx(c, abs=2e-4)
    assert found.regime == ("order" if chi < 1 else "chaos")


@pytest.mark.parametrize("name", CRITICAL)
def test_critical_weights(name):
    critical = maps.critical_weight_std(name, 0.3)
    assert critical == pytest.approx(CRITICAL[name], abs=1e-4)
    if name != "relu":
        assert maps.mean_field(name, critical, 0.3).chi == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("q", [0.3, 5.0])
def test_expectations_against_scipy(name, q):
    def normal(integrand):
        kinks = [-1 / math.sqrt(q), 0, 1 / math.sqrt(q)]
        return scipy.integrate.quad(
            lambda z: integrand(z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
            -10,
            10,
            points=kinks,
            epsabs=1e-11,
            limit=200,
        )[0]

    root = math.sqrt(q)
    assert maps.mean_square(name, q) == pytest.approx(
        normal(lambda z: f(name, root * z) ** 2), abs=1e-8
    )
    assert maps.mean_square_slope(name, q) == pytest.approx(
        normal(lambda z: slope_of(name, root * z) ** 2), abs=1e-8
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_correlation_map_against_a_double_sum(name):
    q, c = 2.0, 0.4
    z = np.linspace(-8, 8, 801)
    weights = np.exp(-(z**2) / 2)
    weights /= weights.sum()
    u, w = np.meshgrid(z, z, indexing="ij")
    second = c * u + math.sqrt(1 - c * c) * w
    code, values = ACTIVATIONS.index(name), []
    for part in (u, second):
        out = np.empty(part.size)
        activations(code, math.sqrt(q) * part.ravel(), out)
        values.append(out.reshape(part.shape))
    wanted = weights @ (values[0] * values[1]) @ weights
    assert maps.mean_product(name, q, c) == pytest.approx(wanted, abs=1e-5)
    assert maps.correlation_map(name, 1.5, 0.3, q, 1.0) == 1.0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_derivatives(name):
    for z in (-1.7, -0.4, 0.3, 2.2):
        wanted = (f(name, z + 1e-6) - f(name, z - 1e-6)) / 2e-6
        assert slope_of(name, z) == pytest.approx(wanted, abs=1e-8)


def test_relu_and_networks_without_biases():
    assert maps.mean_field("relu", 1.0, 0.3) == (pytest.approx(0.18), 0.5, 1.0, "order")
    assert maps.mean_field("relu", math.sqrt(2), 0.0)[::3] == (None, "critical")
    assert maps.mean_field("relu", 2.0, 0.3)[::3] == (None, "unbounded")
    assert maps.mean_field("tanh", 0.9, 0.0).q_star == 0.0
    assert maps.mean_field("tanh", 1.5, 0.0).c_star == 0.0
    assert maps.critical_weight_std("tanh", 0.0) == pytest.approx(1.0)
    assert maps.critical_weight_std("erf", 0.0) == pytest.approx(math.sqrt(math.pi) / 2)


def test_the_command_its_file_and_its_figure(tmp_path):
    path = tmp_path / "m.h5"
    options = [
        "meanfield",
        "--activation",
        "tanh",
        "--weight-std",
        "4",
        "--bias-std",
        "0.3",
        "--json",
        "-o",
    ]
    result = fracsim(*options, path)
    assert (result.code, result.err) == (0, "")
    value = json.loads(result.out)
    assert value["q_star"] == pytest.approx(12.604149, abs=1e-5)
    assert value["chi"] == pytest.approx(2.367261, abs=1e-5)
    assert value["c_star"] == pytest.approx(0.0297, abs=1e-3)
    assert value["critical_weight_std"] == pytest.approx(1.39558, abs=1e-4)
    assert value["regime"] == "chaos"
    for size in ([], ["--size", "3.4x6"]):
        drawn = CliRunner().invoke(
            command, ["meanfield", str(path), "-o", str(tmp_path / "m.png"), *size]
        )
        assert drawn.exit_code == 0, drawn.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--activation", "gelu"], "activation (--activation) is 'gelu'; accepted is one of relu"),
        (["--weight-std", 0], "weight_std (--weight-std) is 0; accepted is a number above 0"),
        (["--weight-std", -4], "weight_std (--weight-std) is -4; accepted is a number above 0"),
        (["--bias-std", -1], "bias_std (--bias-std) is -1; accepted is a number"),
    ],
)
def test_wrong_input_is_told_in_one_sentence(options, said):
    result = fracsim("meanfield", *options)
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1
