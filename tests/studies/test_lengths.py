"""Lengths of curves: exact means of ReLU, mean-field growth, kinks, stored networks."""

import itertools
import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import fracsim

from fracsim.cli.plot import command
from fracsim.kernels.network.shape import Shape, split_layers
from fracsim.kernels.random_networks.activations import ACTIVATIONS, HARDTANH, RELU
from fracsim.kernels.random_networks.forward import every_layer
from fracsim.networks.random import RandomNetwork
from fracsim.studies import STUDIES, open_study
from fracsim.studies.lengths.curves import Curve, circle
from fracsim.studies.lengths.measure import Memory, exact_lengths, measured_by_chords, refined
from fracsim.studies.lengths.theory import relu_growth

ONE = STUDIES["lengths"]


def by_hand(shape, params, code, x):
    """Activations of every layer by NumPy."""
    functions = (lambda z: np.maximum(z, 0), np.tanh, None, lambda z: np.clip(z, -1, 1))
    found = []
    for weights, biases in split_layers(shape, params)[:-1]:
        x = functions[code](x @ weights + biases)
        found.append(x)
    return found


def network(shape, weight_std=None, bias_std=0.5, seed=0):
    return RandomNetwork(shape, "he", weight_std, 0.0, bias_std).parameters(seed)


@pytest.mark.parametrize("code", [0, 1, 3])
def test_every_layer_is_that_of_numpy(code):
    shape = Shape(3, (17, 4, 33))
    params, x = network(shape), np.random.default_rng(0).normal(size=(250, 3))
    for ours, theirs in zip(
        every_layer(shape, params, code, x), by_hand(shape, params, code, x), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-13)


@pytest.mark.parametrize(("n", "growth"), [(5, 0.86978059), (10, 0.93563722), (500, 0.99874928)])
def test_relu_growth_at_every_width(n, growth):
    assert relu_growth(n, n, 1.0) == pytest.approx(growth, abs=5e-9)


def test_relu_growth_from_two_inputs():
    sizes = [2, 30, 30, 30, 30, 30]
    found = np.cumprod([relu_growth(a, b, 1.0) for a, b in itertools.pairwise(sizes)])
    np.testing.assert_allclose(found, [3.7915, 3.7117, 3.6337, 3.5572, 3.4824], atol=5e-5)


@pytest.mark.parametrize("code", [RELU, HARDTANH])
def test_kinks_make_lengths_exact(code):
    shape = Shape(2, (9, 12, 7))
    params = network(shape, 2.0)
    corners = Curve(np.array([[-1.0, -0.5], [0.3, 0.9], [1.0, -1.0]]), np.zeros(3, np.int64))
    found = exact_lengths(shape, params, code, corners)
    fine = refined(corners, corners.length / 200_000)
    layers = by_hand(shape, params, code, fine.points)
    wanted = [np.linalg.norm(np.diff(h, axis=0), axis=1).sum() for h in layers]
    np.testing.assert_allclose(found.x, wanted, rtol=3e-5)
    assert (found.x >= np.array(wanted) * (1 - 1e-12)).all()  # chords never exceed


@pytest.mark.parametrize("code", [RELU, HARDTANH])
def test_collinear_vertices_change_no_length(code):
    shape = Shape(3, (11, 8))
    params = network(shape, 2.5)
    ends = Curve(np.array([[-1.0, 0.2, 0.1], [0.9, -0.7, 0.5]]), np.zeros(2, np.int64))
    share = np.sort(np.random.default_rng(1).uniform(size=30))[:, None]
    between = ends.points[0] + share * (ends.points[1] - ends.points[0])
    cut = Curve(np.concatenate([ends.points[:1], between, ends.points[1:]]), np.zeros(32, np.int64))
    a, b = (exact_lengths(shape, params, code, curve) for curve in (ends, cut))
    np.testing.assert_allclose(a.x, b.x, rtol=1e-12)
    np.testing.assert_allclose(a.z, b.z, rtol=1e-12)


@pytest.mark.parametrize("code", [RELU, HARDTANH])
def test_memory_used_again_changes_no_bit(code):
    """A large network, a small one, and a larger one again, in the memory of those before."""
    corners = Curve(np.array([[-1.0, -0.5], [0.3, 0.9], [1.0, -1.0]]), np.array([0, 0, 1]))
    memory = Memory()
    for widths in ((30, 5), (4,), (40, 8, 50)):
        shape = Shape(2, widths)
        params = network(shape, 2.0)
        again = exact_lengths(shape, params, code, corners, memory)
        for found, wanted in zip(again, exact_lengths(shape, params, code, corners), strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_pieces_are_not_joined():
    shape = Shape(2, (6,))
    params = network(shape)
    a, b = np.array([[0.0, 0.0], [0.5, 0.1]]), np.array([[-0.5, 0.9], [0.2, 0.7]])
    both = Curve(np.concatenate([a, b]), np.array([0, 0, 1, 1]))
    each = [exact_lengths(shape, params, RELU, Curve(p, np.zeros(2, np.int64))).x for p in (a, b)]
    np.testing.assert_allclose(exact_lengths(shape, params, RELU, both).x, sum(each), rtol=1e-14)
    fine = measured_by_chords(shape, params, RELU, refined(both, 1e-4))
    np.testing.assert_allclose(fine.x, sum(each), rtol=1e-5)


def test_chords_say_what_they_lack():
    shape = Shape(2, (20, 20))
    params = network(shape, 2.0)
    coarse, fine = (
        measured_by_chords(shape, params, ACTIVATIONS.index("tanh"), circle(np.eye(2), 1.0, n))
        for n in (201, 20_001)
    )
    lacks = 1 - coarse.x / fine.x
    np.testing.assert_allclose(coarse.lacking, lacks, rtol=0.05)
    assert (fine.lacking < 1e-6).all()


def test_chords_say_what_they_lack_at_kinks():
    shape = Shape(2, (20, 20))
    params, curve = network(shape, 2.0), circle(np.eye(2), 1.0, 4001)
    chords = measured_by_chords(shape, params, HARDTANH, curve)
    exact = exact_lengths(shape, params, HARDTANH, curve)
    np.testing.assert_allclose(chords.lacking, 1 - chords.x / exact.x, rtol=0.3)
    np.testing.assert_allclose(chords.z[0], exact.z[0], rtol=1e-12)


def test_a_circle_and_a_zigzag_give_the_same_relu_ratio():
    common = {"random": True, "inputs": 2, "width": "30-30-30", "draws": 200, "bias_std": 0.5}
    zigzag = (-0.9, -0.9, -0.5, 0.9, -0.1, -0.9, 0.3, 0.9, 0.7, -0.9)
    for values in (
        {"along": "circle", "points": 601},
        {"along": "polyline", "path": zigzag},
    ):
        found = ONE.run(**common, **values).by_layer
        off = (found["ratio"] - found["ratio_theory"]) / found["standard_error"]
        assert (np.abs(off) < 3).all(), values
        np.testing.assert_allclose(found["ratio_theory"], [3.7915, 3.7117, 3.6337], atol=5e-5)


@pytest.mark.parametrize("activation", ["tanh", "erf", "hardtanh"])
def test_growth_in_chaos_is_that_of_mean_field(activation):
    found = ONE.run(
        random=True,
        activation=activation,
        weight_std=4.0,
        bias_std=0.3,
        width=200,
        network_depth=4,
        draws=4,
        points=4001,
    ).by_layer
    wanted = {"tanh": 1.5386, "erf": 1.6621, "hardtanh": 1.8421}[activation]
    np.testing.assert_allclose(found["z_growth_theory"], wanted, atol=1e-4)
    np.testing.assert_allclose(found["growth_theory"], wanted, atol=1e-4)
    assert found["z_growth"].mean() == pytest.approx(wanted, rel=0.02)
    assert found["growth"].mean() == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize(("activation", "sigma"), [("tanh", 100.0), ("hardtanh", 100.0)])
def test_one_bounded_layer_makes_at_most_four_per_unit(activation, sigma):
    # W ~ N(0, σ²) without 1/n: σ_w = σ √2 of two inputs
    found = ONE.run(
        random=True,
        activation=activation,
        inputs=2,
        width=10,
        network_depth=1,
        weight_std=sigma * math.sqrt(2),
        draws=40,
    )
    each = found.lengths[:, 0] / 10
    assert (each <= 4 + 1e-9).all()
    assert each.mean() == pytest.approx({"tanh": 3.89, "hardtanh": 3.95}[activation], abs=0.06)


def test_threads_change_nothing():
    common = {"random": True, "width": "9-9", "draws": 5, "points": 301}
    runs = [ONE.run(**common, threads=n).lengths for n in (1, 2)]
    np.testing.assert_array_equal(*runs)


def test_the_relu_command_of_the_issue_its_file_and_its_figure(tmp_path):
    path = tmp_path / "l.h5"
    options = "lengths --random --activation relu --init he --inputs 2 --width 30-30-30-30-30 "
    options += "--along circle --draws 60 --points 1001 --seed 0 --json -o"
    result = fracsim(*options.split(), path)
    assert (result.code, result.err) == (0, "")
    value = json.loads(result.out)
    assert [layer["layer"] for layer in value["layers"]] == [1, 2, 3, 4, 5]
    first, *_, last = value["layers"]
    assert first["z_growth"] is first["z_growth_theory"] is None
    assert last["ratio_theory"] == pytest.approx(3.4824, abs=5e-5)
    assert last["ratio"] == pytest.approx(3.4824, abs=4 * last["standard_error"])
    assert value["radius"] == 1
    study = open_study(path, "lengths")
    assert study.arrays["length"].shape == (60, 5)
    again = fracsim("lengths", "--from", path, "--json")
    assert json.loads(again.out)["layers"] == value["layers"]
    for size in ([], ["--size", "3.4x3.4"]):
        drawn = CliRunner().invoke(
            command, ["lengths", str(path), "-o", str(tmp_path / "l.png"), *size]
        )
        assert drawn.exit_code == 0, drawn.output


def test_without_a_fixed_point_the_circle_is_the_input():
    found = ONE.run(random=True, width="8-8", draws=2, points=101)
    assert not found.curve["from_preactivation"]
    assert found.curve["radius"] == pytest.approx(math.sqrt(8))
    found = ONE.run(random=True, width="8-8", draws=2, points=101, weight_std=1.0, bias_std=0.3)
    assert found.curve["from_preactivation"]
    assert found.curve["radius"] == pytest.approx(math.sqrt(8 * 0.18))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--random", "--activation", "gelu"], "unknown activation 'gelu'"),
        (["--random", "--weight-std", 0], "weight_std (--weight-std) is 0; accepted"),
        (["--random", "--weight-std", -1], "weight_std (--weight-std) is -1; accepted"),
        (["run.h5", "--along", "cells", "--scale", 0], "scale (--scale) is 0; accepted"),
        (["--random", "--width", 0], "width (--width) is 0; accepted"),
        ([], "give either a FILE with a network or --random"),
        (["--random", "--along", "cells"], "a random network has no fractal; it needs a FILE"),
        (["--random", "--along", "polyline"], "--along polyline needs --path"),
        (
            ["--random", "--inputs", "2", "--along", "polyline", "--path", "0,0,2,0.5"],
            "--path: vertex 2, (2,0.5), lies outside the base [-1, 1]^2",
        ),
        (
            ["--random", "--inputs", "2", "--along", "polyline", "--path", "0,0,1"],
            "--path has 3 numbers; a polyline of a network with 2 input(s) needs 2",
        ),
        (["--random", "--inputs", 1], "a circle needs at least 2 inputs"),
        (["--random", "--activation", "tanh", "--exact"], "--exact: tanh is smooth"),
        (["nothing.h5", "--draws", 3], "--draws describes random networks; it needs --random"),
    ],
)
def test_wrong_input_is_told_in_one_sentence(options, said):
    result = fracsim("lengths", *options)
    assert result.code == 2, result.err
    assert said in result.err
    assert result.err.count("\n") == 1
