"""Networks of few bits: dyadic weights stay, bytes by Horner's rule, the knee of a 1-Lipschitz
function."""

import itertools
import json
import math

import numpy as np
import pytest
from command_line import fracsim, run_group

from fracsim.cli.plot import command as plot
from fracsim.fractals.fractal import load_fractal
from fracsim.networks.rewriting.layers import Layer, evaluate, units_of
from fracsim.networks.stored import load_network
from fracsim.studies import STUDIES
from fracsim.studies.quantise.compute import byte_is_exact
from fracsim.studies.quantise.depths import MARGIN, moved, trapezoids
from fracsim.studies.quantise.distance import cantor_distance
from fracsim.studies.quantise.grid import grid_of, least_bits, rounded
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


def test_errors_fall_with_the_bits_to_a_knee_and_no_further():
    found = STUDY.run(pieces=(16, 64, 256), bits=tuple(range(5, 17)))
    np.testing.assert_allclose(found.floors, [0.02778, 0.00772, 0.00194], rtol=5e-3)
    at = dict(zip(found.fraction.tolist(), found.errors.T, strict=True))
    assert [round(float(at[f][0]), 3) for f in (2, 4, 6)] == [0.25, 0.066, 0.027]
    for row, f in enumerate((6, 8, 12)):
        assert at[f][row] < 1.1 * found.floors[row]
    knees = [row["knee_fraction_bits"] for row in found.summary()["results"]]
    assert knees == [5, 8, 10]
    for row, knee in enumerate(knees):
        assert at[knee - 1][row] > 1.5 * found.floors[row]
        beyond = np.array([at[f][row] for f in range(knee, 14)])
        assert np.all(beyond < 1.25 * found.floors[row])
        fall = np.log2(at[2][row] / at[knee][row]) / (knee - 2)
        assert 0.5 < fall < 1.5  # about a half per bit, before the knee


def test_a_knee_beyond_the_bits_is_none():
    found = STUDY.run(pieces=(256,), bits=(6, 5, 7))
    assert np.isnan(found.knees).tolist() == [True]
    assert found.summary()["results"][0]["knee_bits"] is None
    assert "knee" in found.words()[-1]


@pytest.mark.parametrize(
    ("enough", "least"),
    [([1, 1, 1], 4), ([0, 1, 1], 5), ([1, 0, 1], 7), ([0, 0, 0], None), ([1, 1, 0], None)],
)
def test_least_bits_are_those_from_which_on_all_are_enough(enough, least):
    order = [2, 0, 1]
    bits = [[4, 5, 7][i] for i in order]
    found = least_bits(np.array(enough, bool)[order], bits)
    assert math.isnan(found) if least is None else found == least


@pytest.mark.parametrize("n", [1, 2, 5])
def test_trapezoids_are_1_on_the_cells_and_below_0_off_them(n):
    fractal = load_fractal("cantor1d")
    layers = trapezoids(fractal, n, MARGIN)
    assert units_of(layers) == [4 * 2**n]
    matrices, offsets = fractal.cells(n)
    ends = np.sort([offsets[:, 0], offsets[:, 0] + matrices[:, 0, 0]], axis=0)
    ramp = MARGIN * np.ptp(ends, axis=0) / 2
    for x, value in ((ends, 1), (ends.mean(axis=0), 1), (ends[0] - ramp, -1), (ends[1] + ramp, -1)):
        np.testing.assert_allclose(evaluate(layers, np.reshape(x, (-1, 1))), value, atol=1e-9)
    by = 0.3
    x = np.linspace(-0.1, 1.1, 57)[:, None]
    np.testing.assert_allclose(
        evaluate(moved(layers, by), x + by), evaluate(layers, x), atol=1e-9 * 3**n
    )


@pytest.fixture(scope="module")
def by_depth():
    return STUDY.run(fractal_depth=(1, 2, 3, 4, 5, 6), copies=6, count=400)


@pytest.mark.compiled
def test_deep_networks_need_the_same_bits_at_every_depth_and_shallow_ones_more_and_more(by_depth):
    deep, shallow = by_depth.own
    assert set(deep) == {12}  # weights to 1280 with a sign: no bits after the point
    assert by_depth.units.tolist() == [[4 + 12 * n for n in range(1, 7)], [8, 16, 32, 64, 128, 256]]
    assert shallow[0] < deep[0] < shallow[-1]
    per_level = by_depth.summary()["bits_per_level"]
    assert per_level["deep"] == 0
    assert math.log2(3) <= per_level["shallow_copies"] <= math.log2(3) + 0.5 + 0.2
    assert 0 < per_level["deep_copies"] < per_level["shallow_copies"]
    means = by_depth.copies.mean(axis=2)
    assert np.all(means[0] >= deep)
    assert np.all(np.diff(means[1]) > 0)
    assert by_depth.notes == ()


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("n", [2, 3])
def test_trained_networks_of_few_bits(n, tmp_path):
    """Deep and shallow ones: 10 bits are as good as all, and 3 are not, where there is something to
    lose; a deep one needs no fewer than a shallow one."""
    lost = {}
    for depth in (1, 5):
        net = tmp_path / f"t{depth}.h5"
        words = ["train", "--fractal-depth", n, "--depth", depth, "--width", 50, "--lr", 0.001]
        words += ["--steps", 15_000, "--record-every", 15_000, "--test-points", 1000]
        assert fracsim(*words, "-o", net, "-q").code == 0
        told = json.loads(fracsim("quantise", net, "--bits", "3,5,10", "--json").out)
        lost[depth] = [told["accuracy"] - row["accuracy"] for row in told["results"]]
        assert abs(lost[depth][-1]) < 0.01
    assert lost[5][0] > 0.2
    assert lost[5][1] > lost[1][1] - 0.02


@pytest.mark.compiled
def test_networks_that_need_more_bits_are_left_out_and_told(tmp_path):
    path = tmp_path / "d.h5"
    words = ["--fractal-depth", "1,3", "--copies", 2, "--count", 200, "--bits", "2:11"]
    told = json.loads(fracsim("quantise", *words, "-o", path, "--json").out)
    assert [row["deep"]["bits"] for row in told["results"]] == [None, None]
    assert told["results"][0]["shallow"]["copies"]["mean"] < 11
    assert told["notes"] == ["at n = 1, 3 some copies need more than 11 bits: they are left out"]
    out = fracsim("quantise", *words, "--grid", "network").out
    assert "least bits from which on 95% of the points are right" in out
    figure = tmp_path / "d.png"
    assert run_group(plot, "fracsim-plot", "quantise", path, "-o", figure).code == 0
    again = json.loads(fracsim("quantise", "--from", path, "--copies", 3, "--json").out)
    assert len(again["results"]) == 2


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
        (
            ["--fractal-depth", 0],
            "fractal_depth (--fractal-depth) is '0'; accepted are whole numbers",
        ),
        (["--fractal-depth", 2, "--pieces", 4], "(--fractal-depth) exclude each other; accepted"),
        (["--copies", 2], "copies (--copies) is for networks by depth; accepted is it with"),
        (["missing.h5", "--fractal-depth", 2], "FILE and fractal_depth (--fractal-depth) exclude"),
    ],
)
def test_wrong_input_is_one_sentence(words, says):
    done = fracsim("quantise", *words, "--json")
    assert done.code in (1, 2)
    assert says in done.sentence
