"""What `fracsim-plot` says to bad input: one clear sentence and the right exit code."""

import re
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from figure_files import experiment_of, write_file
from places import TOP

from fracsim.cli.plot import command
from fracsim.data.samples import write_samples

SMALL = {"steps": 2000, "record_every": 1000, "width": 10, "network_depth": 2}


def plot(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def sentence(result: Result) -> str:
    """The error, which is one line and no traceback."""
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    assert "unexpected" not in lines[0]
    return lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    product = write_file(folder / "run.h5", experiment_of({}, **SMALL))
    (folder / "empty.h5").write_bytes(b"")
    (folder / "foreign.h5").write_text("not ours, " * 1000)
    (folder / "truncated.h5").write_bytes(product.read_bytes()[:-2000])
    write_samples(
        folder / "points.h5", np.zeros((3, 2)), np.ones(3, np.int8), np.zeros(3, np.int16), {}
    )
    write_file(folder / "started.h5", experiment_of({}, **SMALL), records=0, finish=None)
    write_file(folder / "curves.h5", experiment_of({"curve": ["1", "2"]}, **SMALL))
    write_file(
        folder / "widths.h5", experiment_of({"width": [10, 20]}, **{**SMALL, "network_depth": 1})
    )
    write_file(folder / "cube.h5", experiment_of({}, "final", fractal="cantor:3", **SMALL))
    many = {"loss": ["hinge", "logistic", "squared"], "batch_size": [10, 20, 50]}
    write_file(folder / "many.h5", experiment_of(many, **SMALL))
    return folder


@pytest.mark.parametrize("figure", ["training", "depth-width", "curve-accuracy", "decision"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.h5", "missing.h5"),
        ("empty.h5", "empty"),
        ("foreign.h5", "foreign.h5"),
        ("truncated.h5", "truncated.h5"),
        ("points.h5", "sampled points.*fracsim-plot fractal"),
        ("started.h5", "no run has a record yet|holds no weights"),
    ],
)
def test_file_that_cannot_be_drawn(folder, figure, name, says, tmp_path):
    result = plot(figure, folder / name, "-o", tmp_path / "a.png")
    assert result.exit_code == 1
    assert re.search(says, sentence(result))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["decision", "run.h5"], 1, "no weights.*--weights final"),
        (["decision", "run.h5", "--run", "7"], 2, "--run 7.*accepted: 0"),
        (["decision", "cube.h5"], 2, "3 dimensions"),
        (["depth-width", "curves.h5"], 1, "use curve-accuracy"),
        (["curve-accuracy", "widths.h5"], 1, "use depth-width"),
        (["depth-width", "many.h5"], 2, "at most 6.*--where"),
        (["levels", "run.h5", "--share", "0"], 2, "--share is 0; accepted is a number above 0"),
        (["levels", "run.h5", "--share", "1.5"], 2, "--share is 1.5"),
        (["levels", "run.h5", "--share", "nan"], 2, "--share is nan"),
        (["training", "run.h5", "--where", "widht=3"], 2, "did you mean 'width'"),
        (["training", "run.h5", "--where", "width=3"], 2, "width=3.*the files hold width = 10"),
        (["training", "run.h5", "--where", "width"], 2, "KEY=VALUE"),
        (["training"], 2, "FILE"),
        (["trainign", "run.h5"], 2, "did you mean 'training'"),
        (["training", "run.h5", "--stlye", "x"], 2, "did you mean '--style'"),
        (["training", "run.h5", "--style", "grayscal"], 2, "did you mean 'grayscale'"),
        (["training", "run.h5", "--size", "7"], 2, "WIDTHxHEIGHT"),
        (["training", "run.h5", "--size", "nanx5"], 2, "WIDTHxHEIGHT"),
        (["training", "run.h5", "--size", "0x5"], 2, "WIDTHxHEIGHT"),
        (["training", "run.h5", "--size", "90x90", "--dpi", "2400"], 2, "at most 20000"),
        (["training", "run.h5", "--dpi", "0"], 2, "--dpi"),
        (["training", "run.h5", "--title", "$x^$"], 2, "--title"),
        (["fractal", "cantro"], 2, "did you mean 'cantor'"),
        (["fractal", "cantor:4"], 2, "4 dimensions; only fractals in at most 3"),
        (["fractal", "cantor", "--fractal-depth", "9"], 2, "accepted: at most 7"),
        (["fractal", "cantor", "--fractal-depth", "0"], 2, "fractal.depth"),
        (["fractal", "cantor", "--curve", "polynomail:2"], 2, "did you mean 'polynomial'"),
        (["fractal", "cantor", "--count", "0"], 2, "--count"),
        (["fractal", "cantor", "--count", "1e9"], 2, "at most 1000000"),
        (["fractal", "cantor", "--seed", "-1"], 2, "seed"),
        (["curves", "7"], 2, "curve '7'"),
        (["curves", "0.5,0.9,1", "--fractal-depth", "5"], 2, "6 values"),
        (["curves", *["1"] * 13], 2, "between 1 and 12"),
    ],
)
def test_bad_input(folder, monkeypatch, arguments, code, says):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    result = plot(*arguments, "-o", "a.png")
    assert result.exit_code == code, result.stderr
    assert re.search(says, sentence(result)), result.stderr
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("output", "code", "says"),
    [
        ("a.jpg", 2, r"'\.jpg'.*accepted: \.png, \.pdf, \.svg"),
        ("a", 2, "without suffix"),
        ("run.h5", 2, r"'\.h5'"),
        ("nowhere/a.png", 1, "nowhere"),
        ("folder.png", 1, "folder.png"),
    ],
)
def test_bad_output(folder, tmp_path, output, code, says):
    (tmp_path / "folder.png").mkdir()
    result = plot("training", folder / "run.h5", "-o", tmp_path / output)
    assert result.exit_code == code
    assert re.search(says, sentence(result))


def test_help_is_light():
    heavy = "numpy numba h5py matplotlib.pyplot"
    code = (
        "import sys\nfrom fracsim.cli.plot import main\nsys.argv = ['fracsim-plot', "
        "*sys.argv[1:]]\n"
        f"try:\n    main()\nfinally:\n    print([m for m in '{heavy}'.split() if m in "
        f"sys.modules], file=sys.stderr)"
    )
    root = TOP
    for arguments in ([], ["--help"], ["training", "--help"], ["fractal", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=root
        )
        assert done.returncode == 0
        assert done.stderr.strip() == "[]"
        assert "Usage: fracsim-plot" in done.stdout


def test_every_command_has_help_with_an_example():
    for name, sub in command.commands.items():
        text = plot(name, "--help").output
        assert "Example" in text, name
        assert f"fracsim-plot {name}" in text
        assert all(option.help for option in sub.params if isinstance(option, click.Option)), name
