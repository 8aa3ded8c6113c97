"""Kernel ridge regression and gradient flow against plain solutions, and known accuracies."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import fracsim

from fracsim import open_study
from fracsim.cli.plot import command
from fracsim.problems.image_files import read_images
from fracsim.studies.kernel_learning.compute import lifted
from fracsim.studies.kernel_learning.machine import Machine, matrix, nearest


def of(x, y):
    return matrix("ntk", 3, 1.0, x, y, 1)


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    x = lifted(rng.uniform(-1, 1, (40, 2)))
    return x, np.sign(x[:, 0] * x[:, 1]), lifted(rng.uniform(-1, 1, (30, 2)))


def expression(x, y, layers):
    """The NTK as NumPy writes it."""
    lengths = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
    k = np.clip(x @ y.T / lengths, -1, 1)
    tangent = k
    for _ in range(layers - 1):
        left = np.pi - np.arccos(np.clip(k, -1, 1))
        k, gate = (k * left + np.sqrt(1 - np.clip(k, -1, 1) ** 2)) / np.pi, left / np.pi
        tangent = tangent * gate + k
    return lengths * tangent


@pytest.mark.compiled
def test_matrices_against_a_numpy_expression(points):
    x, _, test = points
    for threads in (1, 2):
        found = matrix("ntk", 4, 1.0, test, x, threads)
        np.testing.assert_allclose(found, expression(test, x, 4), rtol=1e-7)
    found = matrix("laplace", 0, 2.0, test, x, 1)
    wanted = np.exp(-2 * np.linalg.norm(test[:, None] - x, axis=2))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.compiled
def test_ridge_and_flow_against_plain_solutions(points):
    x, y, test = points
    machine, ridges, k = Machine(of, x, y), np.array([1e-4, 1e-1]), of(x, x)
    for column, ridge in enumerate(ridges):
        wanted = of(test, x) @ np.linalg.solve(k + 40 * ridge * np.eye(40), y)
        np.testing.assert_allclose(machine.ridge(test, ridges)[:, column], wanted, atol=1e-8)
    alpha = np.zeros(40)
    for _ in range(5000):  # Euler's steps of the flow, t = 5
        alpha += 1e-3 / 40 * (y - k @ alpha)
    found = machine.flow(test, np.array([5.0]))[:, 0]
    np.testing.assert_allclose(found, of(test, x) @ alpha, atol=5e-3)


def test_the_nearest_neighbour(points):
    x, y, test = points
    wanted = y[np.linalg.norm(test[:, None] - x, axis=2).argmin(1)]
    np.testing.assert_array_equal(nearest(x, y, test), wanted)


@pytest.mark.compiled
def test_accuracies_of_every_depth_and_the_files_figure(tmp_path):
    """n = 3, curve 1, m = 500: 0.958 to 0.966 with λ of the test points, every depth the same."""
    path = tmp_path / "k.h5"
    options = ["--fractal-depth", 3, "--kernel", "ntk,rf,laplace", "--layers", "2,6"]
    options += ["--train-points", "500", "--test-points", 3000]
    done = fracsim("kernel-learning", "cantor", *options, "--json", "-o", path)
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)["results"]
    assert len(rows) == 5
    for row in rows:
        assert row["accuracy"] == pytest.approx(0.96, abs=0.025)
        assert len(row["accuracy_by_level"]) == 4
    by_depth = [row["accuracy"] for row in rows if row["kernel"] == "ntk"]
    assert abs(by_depth[0] - by_depth[1]) < 0.01
    for size in ([], ["--size", "3.4x3.4"]):
        out = str(tmp_path / "k.png")
        drawn = CliRunner().invoke(command, ["kernel-learning", str(path), "-o", out, *size])
        assert drawn.exit_code == 0, drawn.output


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--layers", 0], 2, "layers (--layers) is '0'; accepted are"),
        (["--kernel", "svm"], 2, "accepted is one or several of ntk, rf, laplace"),
        (["--ridge", ""], 2, "ridge (--ridge) is ''; accepted are"),
        (["--scale", 3], 2, "--scale is of kernel laplace"),
        (["--train-points", 100000], 1, "100,000 points need 372.5 GiB"),
    ],
)
def test_wrong_input_is_told_in_one_sentence(options, code, said):
    done = fracsim("kernel-learning", "cantor", *options)
    assert done.code == code
    assert said in done.sentence


@pytest.mark.compiled
def test_images_are_learnt_in_their_classes(tmp_path):
    path = tmp_path / "k.h5"
    small = ("--layers", 2, "--train-points", 200, "--threads", 1, "-o", path)
    result = fracsim("kernel-learning", "--problem", "images", "--images", "digits", *small)
    assert result.code == 0, result.err
    found = open_study(path)
    assert found.attributes["test_points"] == 360
    by_class = found.arrays["accuracy_by_level"][0, 0]
    assert by_class.shape == (10,)
    assert found.arrays["accuracy"][0, 0] > 0.85
    shares = np.bincount(read_images("digits").test_labels) / 360
    assert by_class @ shares == pytest.approx(found.arrays["accuracy"][0, 0])


@pytest.mark.compiled
def test_several_outputs_against_a_plain_solution(points):
    x, y, test = points
    both, ridges, k = np.column_stack([y, 1 - y]), np.array([1e-3, 1e-1]), of(x, x)
    for found, ridge in zip(Machine(of, x, both).several(test, ridges), ridges, strict=True):
        wanted = of(test, x) @ np.linalg.solve(k + 40 * ridge * np.eye(40), both)
        np.testing.assert_allclose(found, wanted, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "FRACTAL is missing: name of a fractal"),
        (("cantor", "--images", "digits"), "--images is of --problem images"),
        (("cantor", "--problem", "images", "--images", "digits"), "has no FRACTAL"),
        (("--problem", "images"), "--images is missing: images of --problem images"),
        (("--problem", "images", "--images", "digits", "--flow"), "has none"),
        (
            ("--problem", "images", "--images", "digits", "--train-points", 2000),
            "--train-points is 2000; accepted are at most the 1437 train images of digits",
        ),
    ],
)
def test_settings_of_images_that_do_not_fit_are_one_sentence(options, sentence):
    result = fracsim("kernel-learning", *options)
    assert result.code == 2
    assert sentence in result.sentence
