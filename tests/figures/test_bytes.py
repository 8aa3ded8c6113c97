"""The same input gives the same bytes: every figure drawn in two processes that hash differently, a
second apart."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from figure_files import experiment_of, made_up_study, write_file
from places import TOP

from fracsim.cli.app import command as simulate

SMALL = {"steps": 3000, "record_every": 500}

FIGURES = {
    "fractal": ["fractal", "vicsek", "--fractal-depth", "3", "--count", "300"],
    "fractal1d": ["fractal", "cantor1d", "--count", "300"],
    "curves": ["curves"],
    "training": ["training", "grid.h5"],
    "depth-width": ["depth-width", "grid.h5"],
    "curve-accuracy": ["curve-accuracy", "curves.h5"],
    "levels": ["levels", "grid.h5"],
    "xy": ["xy", "grid.h5"],
    "decision": ["decision", "one.h5"],
    "bounds": ["bounds", "bounds.h5", "grid.h5"],
    "bounds1d": ["bounds", "bounds1d.h5"],
    "decision-constructed": ["decision", "net.h5"],
    "gradient": ["gradient", "gradient.h5"],
    "regions": ["regions", "plane.h5"],
    "regions-segment": ["regions", "segment.h5"],
    "regions-lines": ["regions", "lines.h5"],
    "regions-training": ["regions", "training.h5"],
}

REGIONS = {
    "plane": "one.h5",
    "segment": "one.h5 --segment -1,-1,1,1",
    "lines": "one.h5 --lines 50",
    "training": "records.h5 --snapshot all",
}
"""File -> options of the `fracsim regions` that makes it."""

QUICK = [
    *((name, "svg") for name in FIGURES),
    *((name, suffix) for name in ("training", "regions") for suffix in ("png", "pdf")),
]
"""What is drawn by default: to draw every figure in every format takes a minute."""

REST = [
    (name, suffix)
    for name in FIGURES
    for suffix in ("png", "svg", "pdf")
    if (name, suffix) not in QUICK
]

DRAW_ALL = """
import sys
from fracsim.cli.plot import command
for figure in sys.argv[2:]:
    file, *arguments = figure.split()
    command([*arguments, "-q", "-o", f"{sys.argv[1]}/{file}"], standalone_mode=False)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """The folder of the files that are drawn."""
    folder = tmp_path_factory.mktemp("files")
    grid = {"network_depth": [1, 3], "width": [10, 20], "seed": [0, 1]}
    write_file(folder / "grid.h5", experiment_of(grid, **SMALL))
    write_file(folder / "curves.h5", experiment_of({"curve": ["1", "4", "6"]}, **SMALL))
    write_file(folder / "one.h5", experiment_of({}, "final", width=10, fractal_depth=3, **SMALL))
    for fractal, name in (("cantor", "bounds.h5"), ("cantor1d", "bounds1d.h5")):
        simulate(["bounds", fractal, "-q", "-o", str(folder / name)], standalone_mode=False)
    simulate(
        [
            "construct",
            "sierpinski",
            "--fractal-depth",
            "1",
            "--count",
            "100",
            "-q",
            "-o",
            str(folder / "net.h5"),
        ],
        standalone_mode=False,
    )
    made_up_study(folder / "gradient.h5")
    write_file(
        folder / "records.h5", experiment_of({}, "records", width=10, fractal_depth=3, **SMALL)
    )
    for name, words in REGIONS.items():
        source, *options = words.split()
        arguments = [
            "regions",
            str(folder / source),
            *options,
            "-q",
            "-o",
            str(folder / f"{name}.h5"),
        ]
        simulate(arguments, standalone_mode=False)
    return folder


def drawn(files: Path, tmp_path_factory, figures: list[tuple[str, str]]) -> list[Path]:
    """Two folders with these figures in these formats."""
    lines = [" ".join([f"{name}.{suffix}", *FIGURES[name]]) for name, suffix in figures]
    processes, outputs = [], []
    for seed in ("1", "2"):
        output = tmp_path_factory.mktemp("figures")
        environment = {**os.environ, "PYTHONHASHSEED": seed, "MPLBACKEND": "no such backend"}
        environment["PYTHONPATH"] = os.pathsep.join([str(TOP), environment.get("PYTHONPATH", "")])
        command = [sys.executable, "-c", DRAW_ALL, str(output), *lines]
        processes.append(subprocess.Popen(command, cwd=files, env=environment))
        outputs.append(output)
        time.sleep(1.1)  # a date in a file has a resolution of a second
    assert [process.wait() for process in processes] == [0, 0]
    return outputs


@pytest.fixture(scope="module")
def twice(files, tmp_path_factory) -> list[Path]:
    return drawn(files, tmp_path_factory, QUICK)


@pytest.fixture(scope="module")
def others(files, tmp_path_factory) -> list[Path]:
    return drawn(files, tmp_path_factory, REST)


def same(folders: list[Path], name: str, suffix: str) -> None:
    first, second = ((folder / f"{name}.{suffix}").read_bytes() for folder in folders)
    assert first == second
    assert len(first) > 2000


@pytest.mark.compiled
@pytest.mark.parametrize(("name", "suffix"), QUICK)
def test_same_bytes(twice, name, suffix):
    same(twice, name, suffix)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize(("name", "suffix"), REST)
def test_same_bytes_in_other_formats(others, name, suffix):
    same(others, name, suffix)
