"""What a training says at its end, for every problem, loss and kind of network."""

import json

import pytest
from command_line import fracsim

from fracsim.problems.registry import PROBLEMS

SHORT = [
    "--steps",
    "4",
    "--record-every",
    "2",
    "--train-points",
    "20",
    "--test-points",
    "20",
    "--batch-size",
    "5",
    "-q",
]
SMALL = [*["--depth", "1", "--width", "4"], *SHORT]
FRACTAL = ["--fractal", "cantor1d", "--fractal-depth", "2"]

TRAININGS = {
    "fractal": FRACTAL,
    "fractal, squared": [*FRACTAL, "--loss", "squared"],
    "radial": ["--problem", "radial", "--loss", "squared"],
    "radial-fractal": ["--problem", "radial-fractal", *FRACTAL],
    "product": ["--problem", "product", "--loss", "squared"],
    "teacher": ["--problem", "teacher", "--teacher", "net.h5", "--loss", "squared", *FRACTAL],
    "images": ["--problem", "images", "--images", "digits", "--loss", "cross-entropy"],
    "table": ["--problem", "table", "--table", "table.npz"],
    "table, real": ["--problem", "table", "--table", "real.npz", "--loss", "squared"],
}
"""Options by what is learnt; the first word is the problem."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import numpy as np

    folder = tmp_path_factory.mktemp("results")
    built = fracsim("construct", "cantor1d", "--fractal-depth", 2, "-o", folder / "net.h5", "-q")
    assert built.code == 0, built.err
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2))
    np.savez(folder / "table.npz", x=x, y=np.where(x[:, 0] > 0, 1, -1))
    np.savez(folder / "real.npz", x=x, y=x[:, 0] ** 2)
    return folder


def test_every_problem_is_there():
    assert {name.partition(",")[0] for name in TRAININGS} == set(PROBLEMS)


@pytest.mark.parametrize("name", TRAININGS)
def test_the_line_and_the_object_of_a_training(folder, monkeypatch, tmp_path, name):
    monkeypatch.chdir(folder)
    options = [*TRAININGS[name], *SMALL[:-1], "-o", tmp_path / "run.h5"]
    said = fracsim("train", *options)
    assert (said.code, said.out.count("\n")) == (0, 1), said
    assert " best test " in said.out
    assert "nan" not in said.out
    facts = json.loads(fracsim("train", *options, "--json").out)
    assert facts["final"]["step"] == 4
    status = fracsim("status", tmp_path / "run.h5", "--runs")
    assert (status.code, status.err) == (0, "")


def test_the_table_of_a_sweep_of_students(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    assert fracsim("train", *TRAININGS["teacher"], *SMALL, "-o", tmp_path / "run.h5").code == 0
    sweep = ["--from", tmp_path / "run.h5", "--set", "width=3,4", "-o", tmp_path / "s.h5"]
    said = fracsim("sweep", *sweep)
    assert said.code == 0, said
    assert said.out.startswith("best test accuracy")
