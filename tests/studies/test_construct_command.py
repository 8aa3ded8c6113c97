"""``fracsim construct``: the command as typed, its JSON, its file, its errors."""

import json

import numpy as np
import pytest
from command_line import fracsim, run_group

from fracsim.cli import plot
from fracsim.data.errors import FileError
from fracsim.data.studies import write_study
from fracsim.kernels.network.shape import Shape, parameter_count, split_layers
from fracsim.networks.file import NETWORK
from fracsim.networks.stored import load_network
from fracsim.studies import open_study
from fracsim.studies.construct.construct import construct


@pytest.mark.compiled
def test_json_is_what_was_promised(tmp_path):
    path = tmp_path / "net.h5"
    code, out, err = fracsim(
        "construct", "cantor", "--fractal-depth", 3, "-o", path, "--json", "--count", 50_000
    )
    assert (code, err) == (0, "")
    value = json.loads(out)
    assert (value["output"], value["hidden_layers"], value["width"], value["samples"]) == (
        str(path),
        7,
        40,
        50_000,
    )
    assert value["layer_sizes"] == [40, 8, 40, 8, 40, 8, 8]
    assert value["errors_by_level"] == [0, 0, 0, 0]
    assert sum(value["samples_by_level"]) == 50_000
    assert value["parameters"] == 3 * 40 + 3 * 41 * 8 + 2 * 9 * 40 + 9 * 8 + 9
    assert 0 < value["negative_margin"] < 0.05
    assert value["positive_margin"] == value["error"] == value["hinge_loss"] == 0
    assert 1 < value["largest_weight"] < 2000


def test_the_file_holds_the_network(tmp_path, backend):
    path = tmp_path / "net.h5"
    fracsim(
        "construct", "vicsek", "--fractal-depth", 2, "--count", 1000, "--seed", 5, "-o", path, "-q"
    )
    network, built = load_network(path), construct(load_network(path).fractal, 2)
    assert network.shape == built.shape
    np.testing.assert_array_equal(network.params, built.params)
    assert (network.fractal.name, network.fractal_depth) == ("vicsek", 2)
    study = open_study(path, "network")
    assert study.arrays["samples"].sum() == 1000
    assert study.attributes["layer_sizes"] == "2 -> 50 -> 10 -> 50 -> 10 -> 8 -> 1"
    assert (study.attributes["seed"], study.attributes["levels"], study.attributes["slope"]) == (
        5,
        2,
        "inside",
    )


@pytest.mark.compiled
@pytest.mark.parametrize("fractal", ["cantor1d", "sierpinski"])
def test_the_network_can_be_drawn(tmp_path, fractal):
    fracsim(
        "construct", fractal, "--fractal-depth", 2, "--count", 100, "-o", tmp_path / "net.h5", "-q"
    )
    result = run_group(
        plot.command,
        "fracsim-plot",
        "decision",
        tmp_path / "net.h5",
        "-o",
        tmp_path / "net.png",
        "-q",
    )
    assert (result.code, result.err) == (0, "")
    assert (tmp_path / "net.png").stat().st_size > 10_000


def test_the_result_in_words(tmp_path):
    options = ["--fractal-depth", 3, "--levels", 2, "--count", 10_000]
    code, out, _ = fracsim("construct", "sierpinski", *options, "-o", tmp_path / "net.h5")
    assert code == 0
    assert "a network that decides K_2 of sierpinski" in out
    assert "inside the images (its images touch)" in out
    assert "1 - P(2) = 0.129961" in out
    assert out.count("lost: finer than the network looks") == 1


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["cantro"], 2, "did you mean 'cantor'"),
        (["cantor", "--fractal-depth", 0], 2, "fractal_depth (--fractal-depth) is 0"),
        (["cantor", "--fractal-depth", 26], 1, "float64 cannot carry this network"),
        (
            ["cantor", "--levels", 9],
            2,
            "levels (--levels) is 9; accepted is a whole number from 0 to the fractal depth, 5",
        ),
        (["cantor", "--merge", 0], 2, "--merge"),
        (["cantor", "--curve", "8"], 2, "curve"),
        (["cantor", "--negative-margin", 0], 2, "accepted is a number above 0"),
        (["sierpinski", "--negative-margin", 0.999], 2, "no room"),
        (["sierpinski", "--positive-margin", "1e-15"], 1, "larger margins"),
        (["cantor", "--count", 0], 2, "whole number"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, options, code, sentence):
    result = fracsim("construct", *options, "-o", tmp_path / "net.h5")
    assert (result.code, result.out) == (code, "")
    assert sentence in result.sentence
    assert list(tmp_path.iterdir()) == []


def test_an_output_is_not_lost(tmp_path):
    path = tmp_path / "net.h5"
    path.write_text("mine")
    assert "exists already" in fracsim("construct", "cantor", "-o", path).sentence
    assert path.read_text() == "mine"


def as_older_versions(study, shape):
    """Arrays and attributes with every layer filled up to the widest one's width, by zeros."""
    padded = Shape(shape.inputs, shape.depth, shape.width)
    params = np.zeros(parameter_count(padded))
    for (weights, biases), (narrow, few) in zip(
        split_layers(padded, params), split_layers(shape, study.arrays["params"]), strict=True
    ):
        weights[: narrow.shape[0], : narrow.shape[1]], biases[: few.size] = narrow, few
    kept = {key: value for key, value in study.attributes.items() if key != "widths"}
    for key in ("format", "format_version", "status", "study"):
        kept.pop(key, None)
    return {**study.arrays, "params": params}, kept


def test_networks_filled_up_by_older_versions_stay_readable(tmp_path, backend):
    path, old = tmp_path / "net.h5", tmp_path / "old.h5"
    fracsim("construct", "cantor", "--fractal-depth", 2, "--count", 100, "-o", path, "-q")
    new = load_network(path)
    assert (new.shape, new.width) == (Shape(2, (40, 8, 40, 8, 8)), "40-8-40-8-8")
    write_study(old, NETWORK, *as_older_versions(open_study(path, "network"), new.shape))
    padded = load_network(old)
    assert (padded.shape, padded.width) == (Shape(2, 5, 40), 40)
    x, only = np.random.default_rng(0).uniform(-1, 1, (1, 500, 2)), np.zeros(1, np.int64)
    np.testing.assert_array_equal(
        *(backend.forward(net.shape, net.params[None], x, only) for net in (new, padded))
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"widths": "40-8-40-8"},
        {"widths": "40-8-40-8-9"},
        {"widths": "40-8-x"},
        {"widths": "-"},
        {"width": 41},
        {"network_depth": 10**12},
        {"network_depth": -1},
    ],
)
def test_sizes_that_do_not_fit_the_parameters_are_refused(tmp_path, changed):
    path, wrong = tmp_path / "net.h5", tmp_path / "wrong.h5"
    fracsim("construct", "cantor", "--fractal-depth", 2, "--count", 100, "-o", path, "-q")
    study = open_study(path, "network")
    own = ("format", "format_version", "status", "study")
    kept = {key: value for key, value in study.attributes.items() if key not in own}
    write_study(wrong, NETWORK, dict(study.arrays), {**kept, **changed})
    with pytest.raises(FileError, match="is not a valid fracsim file"):
        load_network(wrong)
