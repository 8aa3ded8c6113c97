"""Tangent kernels of finite networks against derivatives by differences, and their exact laws."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import fracsim

from fracsim.cli.plot import command
from fracsim.studies import STUDIES
from fracsim.studies.ntk import finite


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
    ],
)
def test_wrong_input_is_told_in_one_sentence(options, code, said):
    done = fracsim("ntk", *options)
    assert done.code == code
    assert said in done.sentence
