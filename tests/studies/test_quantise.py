"""Networks of few bits: dyadic weights stay, bytes by Horner's rule, the knee of a 1-Lipschitz
function."""

import itertools
import json

import numpy as np
import pytest
from command_line import fracsim, run_group

from fracsim.cli.plot import command as plot
from fracsim.networks.rewriting.layers import Layer, evaluate
from fracsim.networks.stored import load_network
from fracsim.studies import STUDIES
from fracsim.studies.quantise.compute import byte_is_exact
from fracsim.studies.quantise.distance import cantor_distance
from fracsim.studies.quantise.grid import grid_of, rounded
from fracsim.studies.quantise.horner import WEIGHTS, converted, identical, widths

STUDY = STUDIES["quantise"]


@pytest.fixture(scope="module", params=[3, 5])
def cantor(request, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("quantise") / f"net{request.param}.h5")
    words = ["construct", "cantor", "--fractal-depth", request.param, "--count", 1000]
    assert fracsim(*words, "-o", path, "-q").code == 0
    return path


@pytest.mark.parametrize(
    ("largest", "bits", "grid"),
    [(1280, 18, (11, 6)), (1, 8, (1, 6)), (0.9, 4, (1, 2)), (0.875, 4, (0, 3)), (0.1, 8, (-3, 10))],
)
def test_the_finest_grid_that_holds_the_largest_weight(largest, bits, grid):
    assert grid_of(largest, bits) == grid
    integer, fraction = grid
    assert largest <= 2.0**integer - 2.0**-fraction
    assert largest > 2.0 ** (integer - 1) - 2.0 ** -(fraction + 1)


def test_halves_go_to_even():
    layers = [Layer(np.array([[0.5, 1.5, 2.5, -3.0]]), np.array([-0.5, -2.5, 0, 0]))]
    (found,), _ = rounded(layers, 3)
    assert found.weights.tolist() == [[0, 2, 2, -3]]
    assert found.biases.tolist() == [0, -2, 0, 0]


@pytest.mark.compiled
def test_one_grid_keeps_the_constructed_network_from_18_bits(cantor):
    told = json.loads(
        fracsim("quantise", cantor, "--grid", "network", "--bits", "16:19", "--json").out
    )
    assert told["least_exact_bits"] == 18
    below, exact = told["results"][1:3]
    assert (below["fraction_bits"], exact["fraction_bits"]) == (5, 6)
    assert (below["exact"], exact["exact"], exact["accuracy"]) == (False, True, 1)
    assert exact["distinct_weights"] == 9


@pytest.mark.compiled
def test_a_grid_for_each_layer_needs_no_more_bits(cantor):
    told = json.loads(fracsim("quantise", cantor, "--bits", "2:18", "--json").out)
    assert told["least_exact_bits"] <= 18
    assert [row["bits"] for row in told["results"]] == list(range(2, 19))
    assert all(row["accuracy"] == 1 for row in told["results"] if row["exact"])


def test_all_bytes():
    assert all(byte_is_exact(byte) for byte in range(256))


@pytest.mark.parametrize("bits", [2, 5, 9])
@pytest.mark.parametrize("scale", [0.05, 1.0, 40.0])
def test_random_networks_convert_exactly(bits, scale):
    random = np.random.default_rng(bits)
    sizes = [2, 5, 4, 1]
    layers = [
        Layer(scale * random.normal(size=(a, b)), scale * random.normal(size=b))
        for a, b in itertools.pairwise(sizes)
    ]
    few, grids = rounded(layers, bits)
    deep = converted(few, grids)
    assert [len(layer.biases) for layer in deep[:-1]] == widths(few, grids)
    assert {w for layer in deep for w in np.unique(layer.weights)} <= set(WEIGHTS)
    x = random.integers(-500, 500, (20, 2))
    assert identical(few, deep, x, 8)
    np.testing.assert_allclose(
        evaluate(few, x / 256), evaluate(deep, x / 256), rtol=1e-10, atol=1e-10 * scale**3
    )
    deep[-1].biases[0] += 0.5
    assert not identical(few, deep, x, 8)


@pytest.mark.compiled
def test_a_converted_network_is_an_ordinary_one(cantor, tmp_path):
    path = str(tmp_path / "deep.h5")
    told = json.loads(fracsim("quantise", cantor, "--convert", 8, "-o", path, "--json").out)
    assert told["identical"]
    assert set(told["weights"]) <= set(WEIGHTS)
    network = load_network(path)
    assert network.shape.depth == told["hidden_layers"]
    assert network.fractal.name == "cantor"


def test_distance_from_the_cantor_set():
    x = np.array([0, 1 / 3, 0.5, 1, 1 / 6, 1 / 9 + 1 / 27 + 1 / 54, 0.25])
    wanted = [0, 0, 1 / 6, 0, 1 / 18, 1 / 18, 0]
    np.testing.assert_allclose(cantor_distance(x), wanted, atol=1e-15)


def test_three_regimes():
    found = STUDY.run(pieces=(16, 64, 256), bits=tuple(range(5, 17)))
    np.testing.assert_allclose(found.floors, [0.02778, 0.00772, 0.00194], rtol=5e-3)
    at = dict(zip(found.fraction.tolist(), found.errors.T, strict=True))
    assert [round(float(at[f][0]), 3) for f in (2, 4, 6)] == [0.25, 0.066, 0.027]
    for row, knee in enumerate((6, 8, 12)):
        assert at[knee][row] < 1.1 * found.floors[row]
        assert at[knee - 2][row] > 1.5 * found.floors[row] or knee == 12


@pytest.mark.compiled
def test_figures(cantor, tmp_path):
    for number, words in enumerate(([cantor, "--bits", "10:18:2"], ["--pieces", "8,16"])):
        path, figure = tmp_path / f"q{number}.h5", tmp_path / f"q{number}.png"
        assert fracsim("quantise", *words, "-o", path, "-q").code == 0
        assert run_group(plot, "fracsim-plot", "quantise", path, "-o", figure).code == 0
        assert figure.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--bits", "0"], "bits (--bits) is '0'; accepted are whole numbers from 2 to 64"),
        (["--bits", "200"], "bits (--bits) is '200'; accepted are whole numbers from 2 to 64"),
        (["--convert", "8"], "convert (--convert) is for a network; accepted is one with FILE"),
        (["missing.h5"], "missing.h5"),
    ],
)
def test_wrong_input_is_one_sentence(words, says):
    done = fracsim("quantise", *words, "--json")
    assert done.code in (1, 2)
    assert says in done.sentence
