"""Products of n numbers: counts against the table, bounds kept, what cancels is told."""

import json

import numpy as np
import pytest
from command_line import fracsim, run_group

from fracsim.cli.plot import command as plot
from fracsim.errors import RunError, UsageError
from fracsim.networks.stored import load_network
from fracsim.studies import STUDIES, open_study
from fracsim.studies.multiply import counts, gates

STUDY = STUDIES["multiply"]


@pytest.mark.parametrize(
    ("factors", "wanted"),
    [
        (8, [256, 32, 28]),
        (16, [65536, 80, 64, 60]),
        (32, [4294967296, 384, 144, 128, 124]),
        (64, [2**64, 2304, 336, 272, 256, 252]),
        (20, [1048576, 112, 92]),
        (7, [128]),
    ],
)
def test_equal_splits(factors, wanted):
    assert list(counts.equal_splits(factors).values()) == wanted


def test_unequal_trees_are_no_worse_and_carries_cost_two():
    assert [counts.unequal_trees(20)[k] for k in (3, 4)] == [76, 76]
    for n in range(2, 65):
        equal, unequal = counts.equal_splits(n), counts.unequal_trees(n)
        assert all(unequal[k] <= equal[k] for k in equal)
    assert [counts.binary_tree(n) for n in (2, 8, 64)] == [4, 28, 252]
    assert counts.binary_tree(3) == 4 + 2 + 4


@pytest.mark.parametrize(
    ("scale", "wanted"), [(1, 0.132438), (0.1, 1.66224e-3), (0.01, 1.66662e-5)]
)
def test_a_softplus_gate_errs_most_at_the_corners(scale, wanted):
    gate, side = gates.GATES["softplus"], np.linspace(-1, 1, 81)
    u, v = np.meshgrid(side, side)
    error = np.abs(gate.product(u, v, scale) - u * v)
    assert error.max() == pytest.approx(wanted, rel=1e-5)
    assert error.max() == error[-1, -1]
    assert error.max() <= gate.error(scale)


@pytest.mark.parametrize("activation", sorted(gates.GATES))
@pytest.mark.parametrize("factors", [2, 7, 8, 16])
@pytest.mark.parametrize("scale", [0.3, 0.01])
def test_trees_of_smooth_gates_keep_their_bound(activation, factors, scale):
    made = STUDY.run(factors=factors, construction=activation, scale=scale, count=500)
    assert made.tried.sup <= made.built.bound + made.built.rounding
    assert made.tried.rms <= made.tried.sup
    assert len(made.built.widths) == gates.tree_depth(factors)
    if factors in (2, 4, 8, 16):
        assert sum(made.built.widths) == 4 * (factors - 1)


def test_derivatives_of_the_gates():
    for name, gate in gates.GATES.items():
        h = 1e-3
        f = [gate.activation(np.array(gate.at + i * h)) for i in range(-2, 3)]
        assert (f[3] - f[1]) / (2 * h) == pytest.approx(gate.slope, rel=1e-5)
        assert (f[3] - 2 * f[2] + f[1]) / h**2 == pytest.approx(gate.curvature, rel=1e-5)
        assert (f[4] - 2 * f[3] + 2 * f[1] - f[0]) / (2 * h**3) == pytest.approx(0, abs=1e-4)
        z, h = np.linspace(-6, 6, 4001), 0.02
        fourth = sum(
            c * gate.activation(z + i * h)
            for c, i in zip([1, -4, 6, -4, 1], range(-2, 3), strict=True)
        )
        assert np.abs(fourth / h**4).max() == pytest.approx(gate.fourth, rel=3e-3), name


def test_one_layer_of_exponentials_cancels():
    found = {}
    for scale in (0.1, 0.03, 0.01):
        found[scale] = STUDY.run(factors=8, construction="exponential", scale=scale, count=200)
    assert found[0.1].tried.sup == pytest.approx(1.34e-2, rel=0.01)
    assert found[0.03].tried.sup == pytest.approx(1.20e-3, rel=0.01)
    assert found[0.01].tried.sup > 0.01
    assert "cancel" in found[0.01].notes[0]
    with pytest.raises(UsageError, match=r"scale \(--scale\) is 0.001.*nothing is left"):
        STUDY.run(factors=8, construction="exponential", scale=0.001)
    with pytest.raises(UsageError, match=r"scale \(--scale\) is 1e-09.*nothing is left"):
        STUDY.run(factors=8, construction="softplus", scale=1e-9)


@pytest.mark.parametrize("pieces", [4, 8, 16, 32])
def test_two_splines_multiply_two_numbers(pieces):
    made = STUDY.run(factors=2, construction="spline", pieces=pieces, count=2000)
    assert made.built.widths == [4 * pieces]
    assert made.built.bound == 1 / (4 * pieces**2)
    half = 1 - 0.5 / pieces
    worst = made.built.function(np.array([[half, half]]))[0] - half**2
    assert worst == pytest.approx(1 / (4 * pieces**2), abs=1e-14)
    assert made.tried.sup <= made.built.bound + 1e-14


@pytest.mark.parametrize("factors", [3, 4, 5])
def test_more_numbers_by_polarised_splines(factors):
    made = STUDY.run(factors=factors, construction="spline", pieces=32, count=2000)
    assert made.built.widths == [2**factors * 32]
    assert 0 < made.tried.sup <= made.built.bound


def test_the_network_that_is_kept_is_the_one_that_was_tried(tmp_path):
    path = str(tmp_path / "net.h5")
    told = fracsim(
        "multiply", "--factors", "16", "--construction", "relu", "--order", "8", "--count", "3000",
        "-o", path, "--json",
    )  # fmt: skip
    found = json.loads(told.out)
    assert (found["hidden_layers"], found["units"]) == (36, 750)
    assert found["bound"] == 15 * 4.0**-9
    assert 0 < found["rms_error"] < found["sup_error"] <= found["bound"]
    network = load_network(path)
    assert network.shape.widths == tuple(found["layer_sizes"])
    assert network.fractal is None
    assert open_study(path).attributes["sup_error"] == found["sup_error"]


def test_counts_as_json():
    found = json.loads(fracsim("multiply", "--factors", "64", "--json").out)
    assert found["neurons_by_layers"]["2"] == 2304
    assert (found["shallow"], found["tree"]) == (2**64, 252)


def test_a_file_of_counts_holds_no_network(tmp_path):
    path = str(tmp_path / "counts.h5")
    assert fracsim("multiply", "--factors", "6", "-o", path).code == 0
    told = fracsim("train", "--init-from", path, "-o", str(tmp_path / "t.h5"))
    assert told.code == 1
    assert "holds what was counted, no network" in told.err
    figure = tmp_path / "m.png"

    assert run_group(plot, "fracsim-plot", "multiply", path, "-o", figure).code == 0
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"factors": 0}, UsageError, r"factors \(--factors\) is 0"),
        ({"factors": 40, "construction": "exponential"}, RunError, r"2\^40 units"),
        ({"factors": 40, "construction": "spline"}, RunError, r"2\^40 · 16 units"),
        ({"factors": 256, "construction": "relu", "order": 25}, RunError, "parameters"),
        ({"factors": 4, "order": 3}, UsageError, r"order \(--order\) is for construction"),
        ({"construction": "relu", "scale": 0.1}, UsageError, "softplus or tanh"),
    ],
)
def test_what_is_refused(values, error, words):
    with pytest.raises(error, match=words):
        STUDY.run(**values)
