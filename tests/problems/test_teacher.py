"""Imitation: targets are the teacher's outputs, students are measured against it and the labels,
and a teacher is known by what it holds."""

import json

import numpy as np
import pytest
from command_line import fracsim

from fracsim.data.reader import open_trajectory
from fracsim.errors import RunError, UsageError
from fracsim.experiments.experiment import make_experiment
from fracsim.experiments.grid import Grid
from fracsim.kernels.backend import get_backend
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.networks.initial import split_layers
from fracsim.networks.stored import load_network
from fracsim.problems.teacher import REFERENCE, files_of
from fracsim.sweeps.sweep import train
from fracsim.training.run import problem_of

SMALL = {"fractal": "cantor1d", "fractal_depth": 2, "steps": 200, "record_every": 100}
POINTS = {"train_points": 2000, "test_points": 1000}


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teachers")
    for seed in (3, 4):
        train(
            folder / f"{seed}.h5", **SMALL, **POINTS, network_depth=2, width=10, seed=seed,
            learning_rate=0.01,
        )  # fmt: skip
    return folder


def run_of(**keys):
    grid = Grid()
    keys = {
        "problem": "teacher",
        "loss": "squared",
        "fractal": "cantor1d",
        "fractal_depth": 2,
    } | keys
    for key, value in keys.items():
        grid.fix(key, value)
    return make_experiment(grid).runs[0]


def test_targets_are_standardised_outputs(teachers):
    path = str(teachers / "3.h5")
    run = run_of(teacher=path, precision="float64")
    problem, network = problem_of(run), load_network(path)
    found = problem.points(5, TRAIN, 0, REFERENCE)
    x = found.x.astype(np.float32)
    scores = get_backend("cpu").forward(
        network.shape, network.params[None], x[None], np.zeros(1, np.int64)
    )[0]
    mean, deviation = problem.standard(5)
    np.testing.assert_allclose(found.y * deviation + mean, scores, atol=1e-6)
    assert found.y.mean() == pytest.approx(0, abs=1e-9)
    assert found.y.std() == pytest.approx(1)
    part = problem.points(5, TRAIN, 100, 20)
    np.testing.assert_array_equal(part.y, found.y[100:120])
    truth, border = problem.truth(5, TEST, 0, 50)
    assert border == pytest.approx(-mean / deviation)
    assert set(truth) == {-1.0, 1.0}


def test_a_student_that_is_the_teacher_has_loss_and_gradient_0(teachers):
    path = str(teachers / "3.h5")
    problem, network = problem_of(run_of(teacher=path, precision="float64")), load_network(path)
    mean, deviation = problem.standard(0)
    params = network.params.astype(np.float64)
    weights, biases = list(split_layers(network.shape, params))[-1]
    weights /= deviation
    biases[:] = (biases - mean) / deviation
    found = problem.points(0, TEST, 0, 500)
    dparams, loss = get_backend("cpu").gradient(
        network.shape, LOSSES.index("squared"), params[None], found.x[None], found.y[None],
        np.zeros(1, np.int64),
    )  # fmt: skip
    assert loss[0] < 1e-12  # the teacher is asked in its own float32
    assert np.abs(dparams).max() < 1e-6


def test_transfer_sets(teachers):
    path = str(teachers / "3.h5")
    fractal = problem_of(make_experiment(_grid(fractal="cantor1d", fractal_depth=2)).runs[0])
    own = problem_of(run_of(teacher=path, transfer="training")).points(9, TRAIN, 0, 50).x
    np.testing.assert_array_equal(own, fractal.points(3, TRAIN, 0, 50).x)
    fresh = problem_of(run_of(teacher=path)).points(3, TRAIN, 0, 50).x
    assert not np.isin(fresh, own).any()
    uniform = problem_of(run_of(teacher=path, transfer="uniform")).points(3, TRAIN, 0, 4000).x
    low = fractal.keyed.load_fractal().low
    assert uniform.min() >= low
    assert abs(uniform.mean() - (1 + low) / 2) < 0.05
    tests = problem_of(run_of(teacher=path, transfer="uniform")).points(3, TEST, 0, 50).x
    np.testing.assert_array_equal(tests, fractal.points(3, TEST, 0, 50).x)


def test_a_teacher_may_be_the_mean_of_several(teachers):
    one, two = str(teachers / "3.h5"), str(teachers / "4.h5")
    outputs = []
    for text in (one, two, f"{one}+{two}"):
        problem = problem_of(run_of(teacher=text, precision="float64"))
        mean, deviation = problem.standard(0)
        outputs.append(problem.points(0, TEST, 0, 50).y * deviation + mean)
    np.testing.assert_allclose(outputs[2], (outputs[0] + outputs[1]) / 2, atol=1e-9)
    assert len(files_of(run_of(teacher=f"{one}+{two}").teacher)) == 2


def test_records_of_a_student_and_a_teacher_that_changes(teachers, tmp_path):
    teacher, path = tmp_path / "a+b.h5", tmp_path / "student.h5"
    teacher.write_bytes((teachers / "3.h5").read_bytes())
    common = [
        "train", "--problem", "teacher", "--teacher", teacher, "--fractal", "cantor1d",
        "--fractal-depth", 2, "--loss", "squared", "--depth", 1, "--width", 20, "--steps", 200,
        "--record-every", 100, "--train-points", 2000, "--test-points", 1000,
    ]  # fmt: skip
    told = fracsim(*common, "-o", path, "--json")
    assert told.code == 0, told.err
    final = json.loads(told.out)["final"]
    assert {"test_r2", "test_agreement", "test_accuracy"} <= final.keys()
    assert len(final["test_agreement_by_level"]) == 3
    assert "train_accuracy" not in final
    found = open_trajectory(path)
    assert found.target(found.rows[0]) == "mimic"
    assert found.score(found.rows[0]) == "test_accuracy"
    assert fracsim("check", path).code == 0
    # by what it holds, not by its name
    again = make_experiment(_grid(**_student(teacher)))
    teacher.write_bytes((teachers / "4.h5").read_bytes())
    other = make_experiment(_grid(**_student(teacher)))
    moved = make_experiment(_grid(**_student(teachers / "3.h5")))
    assert again.hash() == moved.hash() != other.hash()
    refused = fracsim(*common, "-o", path)
    assert refused.code == 1
    assert "holds another experiment: teacher" in refused.sentence


def _student(teacher):
    return {"problem": "teacher", "loss": "squared", "teacher": str(teacher)} | {
        "fractal": "cantor1d", "fractal_depth": 2,
    }  # fmt: skip


def _grid(**keys):
    grid = Grid()
    for key, value in keys.items():
        grid.fix(key, value)
    return grid


def test_what_is_refused(teachers, tmp_path):
    path = str(teachers / "3.h5")
    with pytest.raises(UsageError, match=r"needs a teacher \(--teacher\)"):
        run_of()
    with pytest.raises(UsageError, match=r"teacher \(--teacher\) has 1 input.*have 2"):
        run_of(teacher=path, fractal="cantor")
    grid = _grid(
        problem="teacher", loss="squared", teacher=path, points_of="radial", transfer="uniform",
        dimension=1,
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"transfer \(--transfer\) is uniform"):
        make_experiment(grid)
    train(tmp_path / "none.h5", **SMALL, **POINTS, network_depth=1, width=2, weights="none")
    told = fracsim(
        "train", "--problem", "teacher", "--teacher", tmp_path / "none.h5", "--fractal", "cantor1d",
        "--loss", "squared", "-o", tmp_path / "s.h5",
    )  # fmt: skip
    assert told.code == 1
    assert "holds no weights" in told.sentence
    told = fracsim(
        "train", "--problem", "teacher", "--teacher", path, "--fractal", "cantor1d",
        "--fractal-depth", 2, "--loss", "squared", "-o", path, "--overwrite",
    )  # fmt: skip
    assert told.code == 2
    assert "is the file of teacher (--teacher)" in told.sentence


def test_a_teacher_that_says_nothing(tmp_path):
    train(
        tmp_path / "flat.h5", **{**SMALL, "steps": 1, "record_every": 1}, **POINTS,
        network_depth=1, width=2, initialisation="uniform", bias=-1.0,
    )  # fmt: skip
    problem = problem_of(run_of(teacher=str(tmp_path / "flat.h5")))
    with pytest.raises(RunError, match="nothing to imitate"):
        problem.standard(0)
