"""Shallow twins of networks of one input: the same function, a unit for each piece."""

import json
import math

import numpy as np
import pytest
from command_line import fracsim, run_group

from fracsim.cli.plot import command as plot
from fracsim.kernels.network.shape import Shape, parameter_count
from fracsim.networks.rewriting.layers import Layer, network_of
from fracsim.networks.stored import load_network
from fracsim.studies import STUDIES
from fracsim.studies.shallow.twin import twin_of

STUDY = STUDIES["shallow"]


@pytest.mark.compiled
@pytest.mark.parametrize(("depth", "width"), [(1, 5), (3, 8), (5, 10)])
def test_a_random_network_and_its_twin(depth, width):
    shape = Shape(1, depth, width)
    params = np.random.default_rng(depth).normal(size=parameter_count(shape)) / math.sqrt(width)
    twin = twin_of(shape, params, -1.0, 1.0, 100_001)
    assert twin.pieces > 2
    assert twin.error <= 1e-12 * max(1, twin.largest)
    assert [len(layer.biases) for layer in twin.layers] == [twin.pieces, 1]
    again = twin_of(*network_of(twin.layers), -1.0, 1.0, 100)
    assert again.pieces == twin.pieces  # no unit is one too many
    np.testing.assert_allclose(again.breakpoints, twin.breakpoints, atol=1e-12)


@pytest.mark.compiled
def test_an_affine_function_is_one_unit():
    shape, params = network_of([Layer(np.array([[3.0]]), np.array([-1.0]))])
    twin = twin_of(shape, params, -1.0, 1.0, 1001)
    assert (twin.pieces, twin.error <= 1e-15) == (1, True)


@pytest.mark.compiled
def test_sizes_of_constructed_networks_grow_exponentially():
    found = STUDY.run(fractal_depth=(1, 2, 3, 4), points=1000)
    arrays = found.arrays()
    assert np.all(arrays["largest_error"] <= 8 * arrays["rounding"])
    assert np.all(arrays["largest_error"][:2] < 1e-10)
    assert found.notes
    assert np.all(arrays["units"] >= arrays["least_width"])
    assert np.all(np.diff(np.log2(arrays["units"])) > 0.8)
    assert len(set(np.diff(arrays["deep_units"]))) == 1
    np.testing.assert_allclose(arrays["least_width"], 2.0 ** np.arange(1, 5) / math.e)


@pytest.mark.compiled
def test_the_twin_is_an_ordinary_network(tmp_path):
    net, twin, figure = (tmp_path / name for name in ("net.h5", "twin.h5", "twin.png"))
    words = ["construct", "cantor1d", "--fractal-depth", 2, "--count", 1000]
    assert fracsim(*words, "-o", net, "-q").code == 0
    told = json.loads(fracsim("shallow", net, "-o", twin, "--json").out)
    assert (told["layers"], told["units"]) == (1, told["pieces"])
    assert told["largest_error"] <= 8 * told["rounding"] < 1e-8
    assert told["notes"] == []
    network = load_network(str(twin))
    assert network.shape == Shape(1, 1, told["units"])
    assert network.fractal.name == "cantor1d"
    refused = run_group(plot, "fracsim-plot", "shallow", twin, "-o", figure)
    assert "holds the twin of one network" in refused.sentence


@pytest.mark.compiled
def test_the_figure(tmp_path):
    path, figure = tmp_path / "s.h5", tmp_path / "s.png"
    assert fracsim("shallow", "--fractal-depth", "1:3", "-o", path, "-q").code == 0
    assert run_group(plot, "fracsim-plot", "shallow", path, "-o", figure).code == 0
    assert figure.stat().st_size > 10_000


@pytest.mark.compiled
def test_wrong_input_is_one_sentence(tmp_path):
    net = tmp_path / "net.h5"
    fracsim("construct", "cantor", "--fractal-depth", 1, "--count", 1000, "-o", net, "-q")
    for words, says in (
        ([net, "--fractal-depth", 2], "exclude each other"),
        (["--window", "0,1"], "window (--window) is for a network; accepted is one with FILE"),
        (["missing.h5"], "missing.h5"),
    ):
        done = fracsim("shallow", *words, "--json")
        assert done.code in (1, 2)
        assert says in done.sentence
