"""The tile kernels with 4, 8 and 16 float32 lanes: the width is fixed when kernels are imported, so
each has its process."""

import os
import subprocess
import sys

import pytest
from places import TOP

from fracsim.kernels.vectors import VARIABLE, VECTOR_BYTES


@pytest.mark.compiled
@pytest.mark.parametrize("width", [pytest.param(16, marks=pytest.mark.slow), 32, 64])
@pytest.mark.parametrize(
    "tests", ["every_width and float32", pytest.param("every_width", marks=pytest.mark.slow)]
)
def test_other_widths_pass_the_same_tests(width, tests):
    if width == VECTOR_BYTES:
        pytest.skip(f"{width} bytes is this machine's own width: the tests ran with it already")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", tests]
    files = [
        str(TOP / "tests/kernels/test_gradient.py"),
        str(TOP / "tests/kernels/test_train.py"),
    ]
    result = subprocess.run(
        [*command, *files],
        env={**os.environ, VARIABLE: str(width)},
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    assert "passed" in result.stdout
    assert "failed" not in result.stdout


def test_an_impossible_width_is_refused():
    result = subprocess.run(
        [sys.executable, "-m", "fracsim.cli.app", "show", "fractal", "cantor"],
        env={**os.environ, VARIABLE: "24"},
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr == f"Error: {VARIABLE} is '24'; accepted is 16, 32 or 64.\n"
