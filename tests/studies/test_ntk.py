"""Tangent kernels of finite networks against derivatives by differences, and their exact laws."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import fracsim

from fracsim.cli.plot import command
from fracsim.kernels.network.shape import Shape, parameter_count, split_layers
from fracsim.studies import STUDIES, open_study
from fracsim.studies.ntk import after, finite


def output(x, weights, readout):
    here = x
    for w in weights:
        here = np.maximum(here @ w.T * np.sqrt(2 / w.shape[1]), 0)
    return here @ readout / np.sqrt(len(readout))


def test_the_kernel_is_that_of_derivatives_by_differences():
    weights, readout = finite.random_network(3, 7, 3, 3, 5)
    x, step = finite.inputs_on_sphere(0, 4, 3), 1e-6
    rows = []
    for array in [*weights, readout]:
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + step
            above = output(x, weights, readout)
            array[place] = kept - step
            rows.append((above - output(x, weights, readout)) / (2 * step))
            array[place] = kept
    jacobian = np.array(rows)
    found = finite.tangent_kernel(x, weights, readout)
    np.testing.assert_allclose(found, jacobian.T @ jacobian, rtol=1e-7, atol=1e-8)


def test_limits_of_the_variance():
    limits = [finite.variance_limit(depth) for depth in (1, 2, 3, 4, 6)]
    assert limits == pytest.approx([3, 6.444444, 10, 13.6, 20.857143])


@pytest.mark.compiled
@pytest.mark.parametrize(("depth", "draws"), [(1, 4000), (2, 3000), (4, 3000)])
def test_mean_and_variance(depth, draws):
    """The variance of T > 1 is a limit: it is extrapolated in 1/n from two widths."""
    widths = (16, 32, 64)
    found = STUDIES["ntk"].run(network_depth=depth, width=widths, draws=draws).arrays()
    assert (found["mean_exact"] == depth + 1).all()
    assert (np.abs(found["mean"] - depth - 1) < 3.5 * found["standard_error"]).all()
    spread, error = found["variance_times_width"], found["variance_error"]
    limit = finite.variance_limit(depth)
    if depth == 1:
        assert (np.abs(spread - 3) < 4 * error).all()
    far = 2 * spread[2] - spread[1]
    assert abs(far - limit) < 4 * np.hypot(2 * error[2], error[1])


@pytest.mark.compiled
def test_the_mean_kernel_of_wide_networks_is_the_exact_one():
    result = STUDIES["ntk"].run(inputs=3, network_depth=2, width=128, draws=500, points=5)
    found = result.arrays()
    assert np.diag(found["wide_kernel"]) == pytest.approx(3.0)
    assert np.abs(found["mean_kernel"][0] - found["wide_kernel"]).max() < 0.15


@pytest.mark.compiled
def test_threads_change_nothing():
    one, two = (STUDIES["ntk"].run(width=8, draws=130, threads=n).arrays() for n in (1, 2))
    np.testing.assert_array_equal(one["diagonal"], two["diagonal"])
    np.testing.assert_array_equal(one["mean_kernel"], two["mean_kernel"])


@pytest.mark.compiled
def test_the_command_its_file_and_its_figure(tmp_path):
    path = tmp_path / "n.h5"
    options = ["--inputs", 2, "--depth", 2, "--width", "8,16", "--draws", 300, "--seed", 0]
    done = fracsim("ntk", *options, "--json", "-o", path)
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)["results"]
    assert [row["width"] for row in rows] == [8, 16]
    assert rows[0]["limit"] == pytest.approx(6.444444)
    for size in ([], ["--size", "3.4x4.8"]):
        out = str(tmp_path / "n.png")
        drawn = CliRunner().invoke(command, ["ntk", str(path), "-o", out, *size])
        assert drawn.exit_code == 0, drawn.output


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--depth", 0], 2, "network_depth (--depth) is 0; accepted is a whole number from 1"),
        (["--draws", 1], 2, "draws (--draws) is 1; accepted"),
        (["--width", "0"], 2, "width (--width) is '0'; accepted"),
        (["--width", 10000, "--depth", 100, "--threads", 64], 1, "GiB are free"),
        (
            ["--snapshot", "all"],
            2,
            "snapshot (--snapshot) is of a trained network; it needs a FILE",
        ),
        (["run.h5", "--depth", 2], 2, "network_depth (--depth) is of random networks; it needs no"),
        (
            ["run.h5", "--points", 1],
            2,
            "--points is 1; accepted of a trained network are 2 or more",
        ),
        (["none.h5"], 1, "none.h5"),
    ],
)
def test_wrong_input_is_told_in_one_sentence(options, code, said):
    done = fracsim("ntk", *options)
    assert done.code == code
    assert said in done.sentence


# --- trained networks -----------------------------------------------------------------------------


def test_the_kernel_of_parameters_is_that_of_derivatives_by_differences():
    rng, shape, step = np.random.default_rng(0), Shape(2, (5, 4)), 1e-6
    params, x = rng.normal(size=parameter_count(shape)), rng.normal(size=(6, 2))

    def output(flat):
        here = x
        *hidden, (readout, bias) = split_layers(shape, flat)
        for weights, biases in hidden:
            here = np.maximum(here @ weights + biases, 0)
        return (here @ readout + bias)[:, 0]

    jacobian = np.array(
        [
            (output(params + one) - output(params - one)) / (2 * step)
            for one in np.eye(len(params)) * step
        ]
    )
    found = after.tangent_kernel_of(shape, params, x)
    np.testing.assert_allclose(found, jacobian.T @ jacobian, rtol=1e-7, atol=1e-7)


def test_alignment():
    """1 of y y', also scaled and shifted by a constant; of random kernels as by its definition."""
    y, equal = np.array([1.0, 1, -1, -1, -1]), np.full(5, 0.2)
    assert after.alignment(3 * np.outer(y, y) + 7, y, equal) == pytest.approx(1)
    assert after.alignment(np.ones((5, 5)), y, equal) != after.alignment(np.eye(5), y, equal)
    z = np.random.default_rng(1).normal(size=(5, 3))
    kernel, centre = z @ z.T, np.eye(5) - 0.2
    k, yc = centre @ kernel @ centre, centre @ np.outer(y, y) @ centre
    wanted = (k * yc).sum() / np.linalg.norm(k) / np.linalg.norm(yc)
    assert after.alignment(kernel, y, equal) == pytest.approx(wanted)
    twice = after.alignment(
        np.repeat(np.repeat(kernel, [1, 1, 2, 1, 1], 0), [1, 1, 2, 1, 1], 1),
        np.repeat(y, [1, 1, 2, 1, 1]),
        np.full(6, 1 / 6),
    )
    weights = np.array([1, 1, 2, 1, 1]) / 6  # a point that counts twice
    assert after.alignment(kernel, y, weights) == pytest.approx(twice)
    assert np.isnan(after.alignment(kernel, y, np.zeros(5)))


def test_levels_are_singled_out_by_weights():
    y, level = np.array([1.0, 1, -1, -1, -1]), np.array([2, 2, 0, 0, 1])
    for j, wanted in enumerate(
        ([0.25, 0.25, 0.25, 0.25, 0], [0.25, 0.25, 0, 0, 0.5], [0.25, 0.25, 1 / 6, 1 / 6, 1 / 6])
    ):
        np.testing.assert_allclose(after.level_weights(y, level == j), wanted)
    assert (after.level_weights(y, level == 3) == 0).all()


@pytest.mark.compiled
def test_the_kernel_of_a_training_becomes_that_of_its_labels(tmp_path):
    """Coarse levels before fine ones; the file, JSON and both figures."""
    run, path = tmp_path / "run.h5", tmp_path / "after.h5"
    options = ["--fractal-depth", 2, "--depth", 2, "--width", 30, "--steps", 1500]
    options += ["--record-every", 500, "--learning-rate", 0.005, "--train-points", 3000]
    assert fracsim("train", *options, "--weights", "records", "-q", "-o", run).code == 0
    done = fracsim("ntk", run, "--snapshot", "all", "-o", path, "--json")
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    rows = said["results"]
    assert [row["step"] for row in rows] == [0, 500, 1000, 1500]
    assert rows[0]["moved"] == pytest.approx(0, abs=1e-12)
    assert rows[-1]["moved"] > 0.2
    assert rows[-1]["alignment"] > 2 * rows[0]["alignment"]
    coarse, fine, _ = rows[-1]["alignment_by_level"]
    assert coarse > fine
    stored = open_study(path)
    assert stored.form == "trained"
    assert stored.arrays["level_points"].sum() == said["points"] == 500
    last = json.loads(fracsim("ntk", run, "--json").out)["results"]
    assert len(last) == 1
    assert last[0]["step"] == 1500
    assert last[0]["alignment"] == pytest.approx(rows[-1]["alignment"])
    for size in ([], ["--size", "column"]):
        out = str(tmp_path / "n.png")
        drawn = CliRunner().invoke(command, ["ntk", str(path), "-o", out, *size])
        assert drawn.exit_code == 0, drawn.output


@pytest.mark.compiled
def test_a_written_network_has_no_points(tmp_path):
    path = tmp_path / "c.h5"
    made = fracsim("construct", "cantor1d", "--fractal-depth", 2, "--count", 100, "-o", path)
    assert made.code == 0
    done = fracsim("ntk", path)
    assert done.code == 1
    assert "holds a written network, which learns from no points" in done.sentence
