"""Functions of the distance: two hidden layers, ridge averages, learnt units, against formulas."""

import json
import math

import numpy as np
import pytest
from command_line import fracsim, run_group

from fracsim.cli.plot import command as plot
from fracsim.errors import RunError, UsageError
from fracsim.networks.rewriting.layers import evaluate
from fracsim.networks.stored import load_network
from fracsim.studies import STUDIES
from fracsim.studies.radial import builders
from fracsim.studies.radial.builders import Profile

STUDY = STUDIES["radial"]


def error_of(**values):
    return STUDY.run(**values).found[0]


@pytest.mark.parametrize(
    ("profile", "d", "m", "p", "units", "relative"),
    [
        ("hat", 2, 16, 32, 64, 5.1e-2),
        ("hat", 2, 128, 256, 512, 8.1e-4),
        ("hat", 8, 16, 32, 160, 0.20),
        ("hat", 8, 128, 256, 1280, 3.2e-3),
        ("hat", 32, 128, 256, 4352, 1.3e-2),
        ("osc:6pi", 8, 128, 256, 1280, 6.8e-3),
    ],
)
def test_two_hidden_layers(profile, d, m, p, units, relative):
    found = error_of(profile=profile, dimension=d, pieces=m, knots=p, count=20_000)
    assert (found.units, found.widths) == (units, [d * m, p])
    assert found.relative == pytest.approx(relative, rel=0.05)


def test_the_squares_are_too_large_by_at_most_d_over_m_squared():
    d, m = 5, 8
    x, radius = builders.points(d, 0, 0, 2000)
    network = builders.depth3(Profile.of("hat"), d, m, 1)
    squares = np.maximum(x @ network[0].weights + network[0].biases, 0) @ network[1].weights
    excess = squares[:, 0] - radius**2
    assert excess.min() >= -1e-12
    assert excess.max() <= d / m**2 + 1e-12


def test_ridge_averages_on_the_fibonacci_sphere():
    found = error_of(profile="osc:6pi", dimension=3, construction="ridge", directions=1600)
    assert found.rms < 5e-5
    assert found.sup < 3e-4
    assert found.relative == pytest.approx(1.0e-3, rel=0.05)
    spline = error_of(
        profile="osc:6pi", dimension=3, construction="ridge", directions=1600, knots=64, count=500
    )
    assert spline.sup < 2e-3
    assert spline.units == 2 * 1600 * 64


@pytest.mark.parametrize("profile", ["hat", "cone", "osc:20"])
def test_the_ridge_function_in_d_3_is_the_derivative(profile):
    phi, h = Profile.of(profile), 1e-6
    t = np.setdiff1d(np.linspace(0.01, 0.99, 97), [0.25, 0.5, 0.75])
    slope = ((t + h) * phi(t + h) - (t - h) * phi(t - h)) / (2 * h)
    np.testing.assert_allclose(phi.ridge(t), slope, atol=1e-6)


@pytest.mark.parametrize("d", [2, 3, 4, 8, 16])
def test_constants_of_averages_over_directions(d):
    w = builders.directions(d, 200_000, 1)
    np.testing.assert_allclose(np.linalg.norm(w, axis=1), 1)
    error = math.sqrt(builders.norm_constant(d) ** 2 / d - 1)
    assert builders.norm_constant(d) * np.abs(w[:, 0]).mean() == pytest.approx(
        1, abs=4 * error / math.sqrt(len(w))
    )
    wanted = {2: 0.4834, 3: 0.5774, 4: 0.6228, 8: 0.6898, 16: 0.7228}[d]
    assert error == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("d", [2, 8])
def test_the_norm_is_easy_for_one_layer_in_every_dimension(d):
    m = 4000
    found = error_of(profile="cone", dimension=d, construction="ridge", directions=m, count=2000)
    c = builders.norm_constant(d)
    deviation = math.sqrt((c * c / d - 1) / m)
    assert found.rms < 3 * deviation


@pytest.mark.parametrize(("d", "relative"), [(2, 0.236), (4, 0.63), (8, 0.84)])
def test_learnt_outer_weights_fail_as_the_dimension_grows(d, relative):
    found = error_of(dimension=d, construction="learnt", directions=125, count=5000)
    assert found.relative == pytest.approx(relative, rel=0.1)


def test_units_needed_by_bisection():
    made = STUDY.run(profile="hat", dimension=(2, 4), error=0.2, count=2000)
    for one in made.found:
        assert one.relative <= 0.2
        smaller = [two for two in made.tried if two.dimension == one.dimension]
        assert all(two.relative > 0.2 for two in smaller if two.units < one.units)
    assert made.found[1].units > made.found[0].units


def test_the_network_and_the_figure(tmp_path):
    path, figure = tmp_path / "net.h5", tmp_path / "r.png"
    told = fracsim(
        "radial", "hat", "--dimension", 4, "--pieces", 16, "--knots", 32, "--count", 500,
        "-o", path, "--json",
    )  # fmt: skip
    found = json.loads(told.out)
    assert found["units"] == 4 * 16 + 32
    network = load_network(path)
    x, radius = builders.points(4, 0, 0, 500)
    layers = builders.depth3(Profile.of("hat"), 4, 16, 32)
    assert network.shape.widths == (64, 32)
    errors = evaluate(layers, x)[:, 0] - Profile.of("hat")(radius)
    assert np.abs(errors).max() == pytest.approx(found["sup_error"])
    assert run_group(plot, "fracsim-plot", "radial", path, "-o", figure).code == 0


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"profile": "hut"}, UsageError, "did you mean 'hat'"),
        ({"construction": "ridge", "dimension": 8}, UsageError, "exact for d = 3"),
        ({"construction": "learnt", "pieces": 4}, UsageError, r"pieces \(--pieces\) is for"),
        ({"error": 0.1, "pieces": 4}, UsageError, "finds the sizes"),
        ({"dimension": 1000, "pieces": 1000}, RunError, "parameters"),
        ({"construction": "learnt", "directions": 100_000}, RunError, "normal equations"),
        (
            {"construction": "ridge", "dimension": 3, "directions": 10**6, "knots": 1000},
            RunError,
            "one hidden layer",
        ),
    ],
)
def test_what_is_refused(values, error, words):
    with pytest.raises(error, match=words):
        STUDY.run(**values)
