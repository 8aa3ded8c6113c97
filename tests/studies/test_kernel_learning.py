"""Kernel ridge regression and gradient flow against plain solutions, and known accuracies."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import fracsim
from figure_files import experiment_of, write_file

from fracsim import load_runs, open_study
from fracsim.cli.plot import command
from fracsim.errors import UsageError
from fracsim.kernels.wide.dual import KINDS, wide_kernel
from fracsim.kernels.wide.matrix import angles_left
from fracsim.problems.image_files import read_images
from fracsim.studies.kernel_learning.figure import draw
from fracsim.studies.kernel_learning.machine import Machine, matrix, nearest
from fracsim.studies.kernel_learning.points import lifted


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
def test_the_angle_against_numpy():
    """acos(-u) to a few rounding errors of itself, also near both ends."""
    ends = 10.0 ** -np.linspace(0, 16, 2000)
    u = np.concatenate([np.linspace(-1, 1, 4001), 1 - ends, ends - 1, [-0.5, 0.5, -1, 1]])
    found = np.empty_like(u)
    angles_left(u, found)
    wanted = np.arccos(-u.astype(np.longdouble)).astype(np.float64)
    np.testing.assert_allclose(found, wanted, rtol=4e-16, atol=0)


@pytest.mark.compiled
@pytest.mark.parametrize("d", [2, 3, 8, 11])
@pytest.mark.parametrize("name", ["ntk", "rf", "laplace"])
def test_matrices_against_the_formula_of_a_number(name, d):
    """More rows and columns than a block has; a point twice, one at 0, an opposite one."""
    rng = np.random.default_rng(d)
    x = rng.normal(size=(300, d))
    x[7], x[40], x[299] = 0, x[41], -x[3]
    found = matrix(name, 5, 0.7, x, x, 2)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(found, matrix(name, 5, 0.7, x, x.copy(), 1))
    squared = [sum(float(t) * float(t) for t in row) for row in x]
    kind = KINDS.index(name)
    for i in (0, 3, 7, 40, 255, 256, 299):
        for j in set(range(0, 300, 7)) - {i}:  # near u = 1 the formula itself errs by 1e-8
            p = sum(float(s) * float(t) for s, t in zip(x[i], x[j], strict=True))
            wanted = wide_kernel(kind, 5, 0.0, 0.7, squared[i], squared[j], p)
            assert found[i, j] == pytest.approx(wanted, rel=2e-13, abs=1e-14)
    if name != "laplace":  # exact where two points are one
        factor = 5 if name == "ntk" else 1
        np.testing.assert_allclose(np.diag(found), factor * np.array(squared), rtol=1e-15)
        assert found[40, 41] == found[40, 40]


@pytest.mark.compiled
def test_ridge_and_flow_against_plain_solutions(points):
    x, y, test = points
    machine, ridges, k = Machine(of, x, y[:, None]), np.array([1e-4, 1e-1]), of(x, x)
    for column, ridge in enumerate(ridges):
        wanted = of(test, x) @ np.linalg.solve(k + 40 * ridge * np.eye(40), y)
        np.testing.assert_allclose(machine.ridge(test, ridges)[:, column, 0], wanted, atol=1e-8)
    alpha = np.zeros(40)
    for _ in range(5000):  # Euler's steps of the flow, t = 5
        alpha += 1e-3 / 40 * (y - k @ alpha)
    found = machine.flow(test, np.array([5.0]))[:, 0, 0]
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
        (["--train-points", 100000], 1, "100,000 points, tested on 20,000, need 374.0 GiB and"),
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
    found = Machine(of, x, both).ridge(test, ridges)
    for column, ridge in enumerate(ridges):
        wanted = of(test, x) @ np.linalg.solve(k + 40 * ridge * np.eye(40), both)
        np.testing.assert_allclose(found[:, column], wanted, atol=1e-8)


_DIGITS = ("--problem", "images", "--images", "digits")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "FRACTAL is missing: name of a fractal"),
        (("cantor", "--images", "digits"), "--images is of --problem images"),
        (("cantor", "--problem", "images", "--images", "digits"), "has no FRACTAL"),
        (("--problem", "images"), "--images is missing: images of --problem images"),
        (("--problem", "table"), "--table is missing: points of --problem table"),
        (("cantor", "--table", "t.npz"), "--table is of --problem table; --problem is fractal"),
        (("--problem", "table", "--table", "none.npz"), "'none.npz' cannot be used: there is no"),
        (("--problem", "images", "--images", "none"), "'none' cannot be used: there is no such"),
        (
            (*_DIGITS, "--train-points", 1400, "--validation-points", 100),
            "--train-points and --validation-points together are 1500; accepted are at most",
        ),
        (
            ("--problem", "images", "--images", "digits", "--train-points", 2000),
            "--train-points is 2000; accepted are at most the 1437 train images of digits",
        ),
    ],
)
def test_settings_of_problems_that_do_not_fit_are_one_sentence(options, sentence):
    result = fracsim("kernel-learning", *options)
    assert result.code == 2
    assert sentence in result.sentence


FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.skipif(not FASHION.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_depth_changes_the_third_digit_on_fashion_mnist():
    """The authors' protocol (docs/studies/kernel-learning.md) at 500 points."""
    options = ["--problem", "images", "--images", FASHION, "--kernel", "rf,ntk", "--layers", "3,5"]
    options += ["--train-points", 500, "--validation-points", 2000, "--ridge", "0.1,0.01"]
    done = fracsim("kernel-learning", *options, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["test_points"] == 10_000
    accuracies = [row["accuracy"] for row in said["results"]]
    assert accuracies == pytest.approx([0.7945] * 4, abs=0.01)
    assert said["nearest_neighbour"][0]["accuracy"] == pytest.approx(0.713, abs=0.005)


# --- tables ---------------------------------------------------------------------------------------


def table_of(path, count, **arrays):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (count, 2))
    y = (x[:, 0] > 0).astype(int) + 2 * (x[:, 1] > 0)
    np.savez(path, **{"x": x, "y": y, "group": (x[:, 0] > 0.5).astype(int), **arrays})


@pytest.mark.compiled
def test_a_table_of_several_classes_and_its_flow(tmp_path):
    """Quadrants, by 300 points; groups; validation points of their own; times of the groups."""
    table_of(tmp_path / "t.npz", 1000)
    options = ["--problem", "table", "--table", tmp_path / "t.npz", "--layers", 2, "--flow"]
    options += ["--train-points", 300, "--validation-points", 100, "-o", tmp_path / "k.h5"]
    done = fracsim("kernel-learning", *options, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["test_points"] == 600
    assert said["results"][0]["accuracy"] > 0.93
    assert len(said["results"][0]["accuracy_by_level"]) == 2
    times = said["level_times"][0]
    assert len(times) == 2
    assert max(times) < 1e4
    arrays = open_study(tmp_path / "k.h5").arrays
    assert arrays["flow_accuracy"][0, 0, -1] > arrays["flow_accuracy"][0, 0, 0] > 0.25


@pytest.mark.compiled
def test_a_fractal_as_a_table_is_learnt_as_the_fractal(tmp_path):
    path = tmp_path / "s.h5"
    assert fracsim("sample", "cantor", "--fractal-depth", 2, "--count", 3000, "-o", path).code == 0
    options = ["--layers", 3, "--train-points", 300, "--json"]
    table = fracsim("kernel-learning", "--problem", "table", "--table", path, *options)
    fractal = fracsim("kernel-learning", "cantor", "--fractal-depth", 2, *options)
    found, wanted = (json.loads(done.out)["results"][0] for done in (table, fractal))
    assert len(found["accuracy_by_level"]) == 3
    assert found["accuracy"] == pytest.approx(wanted["accuracy"], abs=0.03)


@pytest.mark.parametrize(
    ("arrays", "options", "code", "said"),
    [
        ({"y": np.linspace(0, 1, 50)}, [], 2, "holds numbers of 50 values; accepted are classes"),
        ({"y": np.zeros(50, int)}, [], 2, "y is 0 everywhere: there is nothing to learn"),
        (
            {"x": np.full((50, 2), -1e300)},
            [],
            2,
            "holds numbers up to 1e+300; accepted are numbers",
        ),
        ({}, ["--train-points", 60], 2, "together at most the 50 points of"),
        ({"y": np.arange(50) // 49}, ["--train-points", 10], 1, "10 training points are of one"),
    ],
)
def test_tables_that_cannot_be_learnt_are_one_sentence(tmp_path, arrays, options, code, said):
    table_of(tmp_path / "t.npz", 50, **arrays)
    options = options or ["--train-points", 20]
    options = ["--problem", "table", "--table", tmp_path / "t.npz", "--layers", 2, *options]
    done = fracsim("kernel-learning", *options)
    assert done.code == code
    assert said in done.sentence


# --- trained networks beside them -----------------------------------------------------------------


@pytest.fixture
def kernels_and_runs(tmp_path):
    """Files of curves 1 and 6, and of runs of two depths on curve 1 with as many points."""
    small = ("--fractal-depth", 2, "--layers", 2, "--train-points", "20,40", "--test-points", 50)
    for curve in (1, 6):
        options = ("--curve", curve, "-o", tmp_path / f"{curve}.h5")
        assert fracsim("kernel-learning", "cantor", *small, *options, "-q").code == 0
    grid = {"network_depth": [1, 2], "train_points": [20, 40], "learning_rate": [0.001, 0.01]}
    small = {"fractal_depth": 2, "steps": 30, "record_every": 10, "batch_size": 10}
    write_file(tmp_path / "runs.h5", experiment_of({**grid, "seed": [0, 1]}, **small))
    return [str(tmp_path / name) for name in ("1.h5", "6.h5", "runs.h5")]


@pytest.mark.compiled
def test_trained_networks_are_laid_over_the_file_that_learns_the_same(kernels_and_runs):
    one, six, trained = kernels_and_runs
    runs = load_runs(trained)
    figure = draw([open_study(one), open_study(six)], runs)
    left, right = (
        {line.get_linestyle() for line in axes.lines if line.get_linestyle() != ":"}
        for axes in figure.subfigs[0].axes
    )
    assert len(figure.subfigs[0].axes[0].lines) == 1 + 1 + 2  # kernel, neighbour, two depths
    assert len(figure.subfigs[0].axes[1].lines) == 1 + 1
    assert left > right
    best = runs.where({"network_depth": 2, "train_points": 40}).points()[0].mean
    shown = [line.get_xydata()[-1] for line in figure.subfigs[0].axes[0].lines]
    assert any(np.allclose(end, [40, best]) for end in shown)


@pytest.mark.compiled
def test_trained_networks_that_learn_something_else_are_refused(kernels_and_runs):
    _, six, trained = kernels_and_runs
    with pytest.raises(UsageError, match="no run of the trajectory files learns"):
        draw([open_study(six)], load_runs(trained))
