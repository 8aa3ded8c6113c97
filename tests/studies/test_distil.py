"""Students beside their controls: the choice of rates, verdicts by seed, ceilings in d = 1."""

import itertools
import json

import numpy as np
import pytest
from command_line import fracsim, run_group

from fracsim.cli.plot import command as plot
from fracsim.experiments.experiment import load_experiment
from fracsim.kernels.random.philox import TEST
from fracsim.products.runs import load_runs
from fracsim.studies.distil.ceiling import least_squares, line_costs
from fracsim.studies.distil.compute import students_of, verdicts
from fracsim.sweeps.sweep import run_sweep, train
from fracsim.training.run import make_run, problem_of

rng = np.random.default_rng(2)


def test_least_squares_by_broken_lines_against_all_cuts():
    x, y = np.sort(rng.normal(size=9)), rng.normal(size=9)
    costs = line_costs(x, y)
    for i, j in itertools.combinations(range(9), 2):
        part = slice(i, j + 1)
        line = np.polyfit(x[part], y[part], 1)
        wanted = ((np.polyval(line, x[part]) - y[part]) ** 2).sum()
        assert costs[i, j] == pytest.approx(wanted, abs=1e-9)
    for pieces in (1, 2, 3):
        cuts = itertools.combinations(range(1, 9), pieces - 1)
        wanted = min(
            sum(costs[a, b - 1] for a, b in itertools.pairwise([0, *cut, 9])) for cut in cuts
        )
        assert least_squares(x, y, pieces) == pytest.approx(wanted, abs=1e-9)
    assert least_squares(x, y, 9) == pytest.approx(0, abs=1e-12)


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """In d = 1, small: a teacher, then students of it and both controls, two seeds, two rates."""
    folder = tmp_path_factory.mktemp("distil")
    train(
        folder / "teacher.h5", fractal="cantor1d", fractal_depth=2, network_depth=2, width=20,
        steps=400, record_every=400, learning_rate=0.01, train_points=5000, test_points=500,
    )  # fmt: skip
    overrides = {
        "teacher": str(folder / "teacher.h5"), "fractal": "cantor1d", "fractal_depth": 2,
        "steps": 400, "record_every": 200, "train_points": 5000, "test_points": 1000,
        "network_depth": 1, "width": 6, "seed": [0, 1], "learning_rate": [0.01, 0.03],
    }  # fmt: skip
    experiment = load_experiment("distil-cantor3", quick=True, overrides=overrides)
    path = folder / "students.h5"
    run_sweep(experiment, path, threads=1)
    return path


def test_the_three_methods_side_by_side(students):
    found = students_of(load_runs([students]), points=1000)
    assert [one.method for one in found] == ["labels, hinge", "labels, squared", "teacher"]
    for one in found:
        assert one.best.seeds == 2
        assert one.rate in (0.01, 0.03)
        assert one.best.least <= one.best.mean <= one.best.greatest
        assert one.best.greatest <= one.ceiling + 0.05  # of 1,000 test points
        assert 0.5 < one.ceiling <= 1
    assert found[2].r2 <= found[2].r2_ceiling <= 1  # of all test points, seed by seed
    assert np.isnan([found[0].r2, found[1].agreement]).all()
    sentences = verdicts(found)
    assert len(sentences) == 2
    assert "better in" in sentences[0]


def most_right(y, changes):
    """The most labels ±1 of y (N,), in the order of the line, that a sign with at most so many
    changes gets right."""
    right = np.zeros((changes + 1, 2), int)  # after so many changes, with the sign -1 or +1
    for label in y:
        right[1:] = np.maximum(right[1:], right[:-1, ::-1])
        right[:, int(label > 0)] += 1
    return right.max()


def test_nobody_beats_the_ceiling_of_its_own_test_points(students):
    """Seven lines change sign at most seven times; without room for luck."""
    assert most_right([1, 1, -1, 1, -1, -1], 1) == 5
    assert most_right([1, -1, 1, -1], 3) == 4
    runs = load_runs([students])
    for entry in runs.entries:
        seed = int(entry.settings["seed"])
        run = make_run({"fractal": "cantor1d", "fractal_depth": 2, "seed": seed})
        x, y, _ = problem_of(run).points(seed, TEST, 0, 1000)
        assert entry.best() <= most_right(y[np.argsort(x[:, 0])], 7) / 1000
    assert len(runs.entries) == 12


def test_the_command_its_file_and_its_figure(students, tmp_path):
    told = fracsim("distil", students, "-o", tmp_path / "summary.h5", "--json")
    assert told.code == 0, told.err
    report = json.loads(told.out)
    assert len(report["students"]) == 3
    assert len(report["verdicts"]) == 2
    for number, files in enumerate([[students], [tmp_path / "summary.h5"]]):
        figure = tmp_path / f"{number}.png"
        assert run_group(plot, "fracsim-plot", "distil", *files, "-o", figure).code == 0
        assert figure.stat().st_size > 5000


def test_students_of_a_file_without_a_teacher(students):
    told = fracsim("distil", students.parent / "teacher.h5")
    assert told.code == 2
    assert "no run has a teacher" in told.sentence


def test_the_experiment_needs_its_teacher(tmp_path):
    told = fracsim("sweep", "distil-cantor3", "--quick", "-o", tmp_path / "d.h5")
    assert told.code == 2
    assert "needs a teacher (--teacher)" in told.sentence
