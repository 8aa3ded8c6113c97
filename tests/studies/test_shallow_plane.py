"""Twins of networks of two inputs: three hidden layers, a convex piece for each indicator."""

import json
import math

import numpy as np
import pytest
from command_line import fracsim

from fracsim.errors import RunError
from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.network.shape import Shape, parameter_count
from fracsim.networks.rewriting.layers import Layer, evaluate, network_of, units_of
from fracsim.networks.stored import load_network
from fracsim.studies.bounds.bounds import width_without_error
from fracsim.studies.construct.construct import construct
from fracsim.studies.regions.regions import partition
from fracsim.studies.shallow import plane
from fracsim.studies.shallow.plane import plane_twin_of

WINDOW = (-1.0, 1.0, -1.0, 1.0)


def random_network(depth, width, seed=0):
    shape = Shape(2, depth, width)
    params = np.random.default_rng(seed).normal(size=parameter_count(shape))
    return shape, params * math.sqrt(2 / width)


def distance_to_edges(cut, x):
    """Least distance of each of x (N, 2) from an edge of a region."""
    found = np.full(len(x), np.inf)
    for region in range(cut.activation_regions):
        corners = cut.polygon(region)
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            along = np.clip((x - a) @ (b - a) / max((b - a) @ (b - a), 1e-300), 0, 1)
            found = np.minimum(found, np.linalg.norm(x - a - along[:, None] * (b - a), axis=1))
    return found


@pytest.mark.compiled
@pytest.mark.parametrize(("depth", "width"), [(1, 8), (2, 6), (3, 5)])
def test_a_random_network_and_its_twin(depth, width):
    shape, params = random_network(depth, width)
    twin = plane_twin_of(shape, params, WINDOW, 50_000, 1000.0)
    cut = partition(shape, params, WINDOW)
    assert twin.regions == cut.activation_regions >= twin.pieces >= cut.linear_pieces
    h, r = len(twin.planes), twin.pieces
    assert units_of(twin.layers) == [2 * h + 2, r + 2, 2 * r]
    if depth == 1:  # every line has two sides
        assert h % 2 == 0
        assert h <= 2 * width
    np.testing.assert_allclose(np.linalg.norm(twin.planes[:, :2], axis=1), 1, rtol=1e-12)
    assert twin.error_exact <= 1e-13 * max(1, twin.largest)
    assert twin.error <= twin.rounding <= 1e-6
    assert twin.wrong_signs == 0
    assert twin.near <= 10
    x = np.random.default_rng(3).uniform(-1, 1, (20_000, 2))
    off = distance_to_edges(cut, x) > 1e-6
    assert off.mean() > 0.99
    difference = np.abs(evaluate(twin.layers, x) - evaluate(twin.deep, x))[off]
    assert difference.max() <= twin.rounding


@pytest.mark.compiled
def test_the_network_of_theorem_1_whose_pieces_are_steep():
    built = construct(load_fractal("cantor"), 1)
    twin = plane_twin_of(built.shape, built.params, WINDOW, 20_000, 1000.0)
    assert twin.pieces < twin.regions  # flat pieces of several regions
    assert (twin.wrong_signs, twin.error <= twin.rounding) == (0, True)
    assert twin.error_exact < 1e-10


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("n", "regions", "pieces", "half_planes"), [(1, 127, 103, 136), (2, 1747, 1527, 1836)]
)
def test_sizes_by_the_depth_of_the_fractal(n, regions, pieces, half_planes):
    built = construct(load_fractal("cantor"), n)
    twin = plane_twin_of(built.shape, built.params, WINDOW, 200, 1000.0)
    assert (twin.regions, twin.pieces, len(twin.planes)) == (regions, pieces, half_planes)
    assert units_of(twin.layers) == [2 * half_planes + 2, pieces + 2, 2 * pieces]
    assert sum(units_of(twin.layers)) > 8**n * sum(built.layer_sizes)
    assert math.isnan(width_without_error(2, 4, n, 3))  # Theorem 2 says nothing before n = 5
    assert width_without_error(2, 4, 5, 3) == pytest.approx(2.3359, rel=1e-4)


@pytest.mark.compiled
def test_units_that_change_nothing_cut_nothing():
    """The second unit's outgoing weight is 0: its line is no edge of a piece."""
    layers = [
        Layer(np.array([[1.0, 0.3], [0.2, 1.0]]), np.array([0.1, 0.0])),
        Layer(np.array([[1.0], [0.0]]), np.array([0.5])),
    ]
    twin = plane_twin_of(*network_of(layers), WINDOW, 1000, 1000.0)
    assert (twin.regions, twin.pieces, len(twin.planes)) == (4, 2, 2)
    assert twin.error_exact < 1e-14


@pytest.mark.compiled
def test_a_piece_that_is_not_convex_stays_in_its_regions():
    """[min(x, y)]_+ = [x - [x - y]_+]_+ for x > 0: 0 on an L."""
    layers = [
        Layer(np.array([[1.0, 1.0], [0.0, -1.0]]), np.zeros(2)),
        Layer(np.array([[1.0], [-1.0]]), np.zeros(1)),
        Layer(np.ones((1, 1)), np.zeros(1)),
    ]
    twin = plane_twin_of(*network_of(layers), WINDOW, 5000, 1000.0)
    assert twin.pieces > 2
    assert twin.error_exact < 1e-14
    assert (twin.wrong_signs, twin.error <= twin.rounding) == (0, True)


@pytest.mark.compiled
def test_an_affine_function_is_one_piece_without_half_planes():
    layers = [Layer(np.array([[2.0], [-1.0]]), np.array([0.25]))]
    twin = plane_twin_of(*network_of(layers), WINDOW, 1000, 1000.0)
    assert (twin.pieces, len(twin.planes)) == (1, 0)
    assert twin.error <= twin.rounding < 1e-10


@pytest.mark.compiled
def test_a_twin_that_memory_would_not_hold_is_refused_with_its_size(monkeypatch):
    monkeypatch.setattr(plane, "MOST_PARAMETERS", 20)
    with pytest.raises(RunError, match=r"hidden layers of \d+, \d+ and \d+ units, [\d,]+ param"):
        plane_twin_of(*random_network(2, 6), WINDOW, 100, 1000.0)


@pytest.mark.compiled
def test_the_command_and_its_network(tmp_path):
    net, twin = tmp_path / "net.h5", tmp_path / "twin.h5"
    words = ["train", "--fractal", "cantor", "--fractal-depth", 1, "--depth", 2, "--width", 5]
    words += ["--steps", 200, "--record-every", 200, "--test-points", 100]
    assert fracsim(*words, "-o", net, "-q").code == 0
    told = json.loads(fracsim("shallow", net, "--points", 5000, "-o", twin, "--json").out)
    assert (told["layers"], told["wrong_signs"], told["points"]) == (3, 0, 5000)
    assert told["units"] == sum(told["widths"])
    assert told["widths"] == [
        2 * told["half_planes"] + 2,
        told["pieces"] + 2,
        2 * told["pieces"],
    ]
    assert told["least_width"] is None  # 0.93, below d: Theorem 2 says nothing
    kept, deep = load_network(str(twin)), load_network(str(net))
    assert kept.shape == Shape(2, told["widths"])
    assert (kept.fractal.name, kept.fractal_depth) == ("cantor", 1)
    out = fracsim("shallow", net, "--points", 100).out
    assert "3 hidden layers, the same function" in out
    assert "half-planes: layers of" in out
    assert deep.shape == Shape(2, (5, 5))


@pytest.mark.compiled
def test_wrong_input_is_one_sentence(tmp_path):
    net, cube = tmp_path / "net.h5", tmp_path / "cube.h5"
    words = ["--fractal-depth", 1, "--depth", 1, "--width", 4, "--steps", 10]
    words += ["--record-every", 10, "--test-points", 100, "-q"]
    assert fracsim("train", "--fractal", "cantor", *words, "-o", net).code == 0
    assert fracsim("train", "--fractal", "cantor:3", *words, "-o", cube).code == 0
    for given, says in (
        ([cube], "holds a network of 3 inputs; accepted is one of 1 or 2"),
        ([net, "--window", "0,1"], "window (--window) is '0,1'; accepted is LOW1,HIGH1,LOW2,HIGH2"),
        ([net, "--window", "1,0,0,1"], "LOW < HIGH, for 2 inputs"),
        ([net, "--steepness", 0], "steepness (--steepness) is 0"),
    ):
        done = fracsim("shallow", *given, "--json")
        assert done.code == 2
        assert says in done.sentence


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("subject", ["random", "trained 1", "trained 2", "constructed"])
def test_a_million_points(subject, tmp_path):
    if subject == "random":
        shape, params = random_network(2, 8)
    elif subject == "constructed":
        built = construct(load_fractal("cantor"), 1)
        shape, params = built.shape, built.params
    else:
        net = tmp_path / "net.h5"
        words = ["train", "--fractal", "cantor", "--fractal-depth", subject[-1], "--depth", 2]
        words += ["--width", 12, "--steps", 10_000, "--record-every", 10_000, "--lr", 0.005]
        assert fracsim(*words, "-o", net, "-q").code == 0
        held = load_network(str(net))
        shape, params = held.shape, held.params.astype(float)
    twin = plane_twin_of(shape, params, WINDOW, 10**6, 1000.0)
    assert (twin.wrong_signs, twin.error <= twin.rounding) == (0, True)
    assert twin.near <= 50
