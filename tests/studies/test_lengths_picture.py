"""What is drawn of a circle: autocorrelation and principal components; and borders blown up."""

import math

import numpy as np
import pytest
from command_line import fracsim

from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.random_networks.activations import HARDTANH, RELU
from fracsim.networks.random import RandomNetwork
from fracsim.studies import STUDIES
from fracsim.studies.lengths.curves import cell_borders
from fracsim.studies.lengths.picture import (
    POINTS,
    angles,
    autocorrelation,
    autocorrelation_theory,
    principal,
    take_picture,
)


def circle(count=POINTS):
    turn = 2 * math.pi * np.arange(count) / count
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


def test_autocorrelation_is_a_mean_of_products():
    """Against the sum by hand; of a circle it is the cosine."""
    z = np.random.default_rng(0).normal(size=(16, 3))
    by_sum = [(z * np.roll(z, -shift, axis=0)).sum() / (z * z).sum() for shift in range(9)]
    np.testing.assert_allclose(autocorrelation(z), by_sum, atol=1e-12)
    np.testing.assert_allclose(autocorrelation(circle()), np.cos(angles()), atol=1e-12)
    assert np.isnan(autocorrelation(np.zeros((8, 2)))).all()


def test_principal_components_are_those_of_the_singular_values():
    z = np.random.default_rng(1).normal(size=(50, 5)) @ np.diag([3, 2, 1, 0.1, 0.1]) + 7
    places, shares = principal(z)
    u, s, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(places), np.abs(u[:, :3] * s[:3]), atol=1e-9)
    np.testing.assert_allclose(shares, (s**2 / (s**2).sum())[:3], atol=1e-12)
    assert (places.max(0) >= -places.min(0)).all()
    flat, part = principal(z[:, :1])
    np.testing.assert_allclose(part, [1, 0, 0])
    assert (flat[:, 1:] == 0).all()


@pytest.mark.parametrize("code", [RELU, HARDTANH])
def test_a_picture_is_of_the_preactivations(code):
    shape = Shape(2, (7, 5))
    params = RandomNetwork(shape, "he", None, 0.0, 0.5).parameters(0)
    taken = take_picture(shape, params, code, circle(), True)
    first = circle() @ params[:14].reshape(2, 7) + params[14:21]
    h = np.maximum(first, 0) if code == RELU else np.clip(first, -1, 1)
    weights, biases = params[21:56].reshape(7, 5), params[56:61]
    np.testing.assert_allclose(
        taken.autocorrelation[1], autocorrelation(h @ weights + biases), atol=1e-12
    )
    np.testing.assert_allclose(
        np.abs(taken.places[1]), np.abs(principal(h @ weights + biases)[0]), atol=1e-9
    )
    assert take_picture(shape, params, code, circle(), False).places.shape == (0, POINTS, 3)


def test_the_limit_is_the_correlation_map():
    """erf has it in closed form; three layers of a critical law."""
    law = RandomNetwork(Shape(10, (10,) * 3), "he", 2.0, 0.0, 0.3)
    from fracsim.studies.meanfield.maps import fixed_length

    q = fixed_length("erf", 2.0, 0.3)
    found = autocorrelation_theory(law, "erf", q)
    c = np.cos(angles())
    for row in found:
        c = (4 * 2 / math.pi * np.arcsin(2 * q * c / (1 + 2 * q)) + 0.09) / q
        np.testing.assert_allclose(row, c, atol=2e-3)


def test_of_a_circle_the_file_holds_pictures_and_theory_fits():
    law = {"activation": "hardtanh", "weight_std": 2.5, "bias_std": 0.3, "width": 200}
    how = {"network_depth": 3, "draws": 8, "points": 101, "threads": 2}
    found = STUDIES["lengths"].run(random=True, **law, **how)
    arrays = found.arrays()
    assert arrays["place"].shape == (3, POINTS, 3)
    gap = arrays["autocorrelation"] - arrays["autocorrelation_theory"]
    assert np.abs(gap).max() < 0.12  # networks of 200 units scatter by their root
    segment = STUDIES["lengths"].run(random=True, width="4-4", inputs=2, along="segment", draws=2)
    assert "place" not in segment.arrays()


def test_borders_are_blown_up_about_their_centres():
    cantor = load_fractal("cantor")
    own, large = cell_borders(cantor, 2), cell_borders(cantor, 2, 1.5)
    assert large.length == pytest.approx(1.5 * own.length)
    for cell in range(16):
        a, b = (curve.points[curve.piece == cell][:-1] for curve in (own, large))
        np.testing.assert_allclose(a.mean(0), b.mean(0), atol=1e-12)
        np.testing.assert_allclose(b - b.mean(0), 1.5 * (a - a.mean(0)), atol=1e-12)


def test_scale_is_for_cells_alone():
    said = fracsim("lengths", "--random", "--along", "circle", "--scale", 2)
    assert (said.code, "--scale is that of --along cells" in said.sentence) == (2, True)
