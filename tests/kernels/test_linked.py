"""Kernels that other kernels call are compiled into their callers, once, and kept only where Python
calls them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fracsim.kernels.jit import formula, kernel

TOP = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.compiled


@formula
def scaled(x, factor):
    return x * factor


@formula
def summed(x, factors):
    total = 0.0
    for factor in factors:
        total += scaled(x, factor)
    return total


@kernel
def fill(x, out):
    for i in range(out.size):
        out[i] = scaled(x, 2) + scaled(x, 3) + scaled(x, i) + summed(x, (1, i)) + summed(x, (i, i))


def test_constants_of_callers_make_no_more_of_a_function():
    out = np.zeros(3)
    fill(10.0, out)
    np.testing.assert_array_equal(out, [60, 100, 140])
    assert len(scaled.part().overloads) == 1
    assert len(summed.part().overloads) == 1
    assert not scaled.overloads, "compiled on its own, too"


def test_python_calls_what_compiled_code_calls_too():
    fill(1.0, np.zeros(1))
    assert scaled(4, 5) == 20
    assert scaled(0.5, 3) == 1.5
    out = np.zeros(1)
    fill(np.float32(1), out)  # now with the whole of another type there
    assert out[0] == 6


def test_a_part_that_python_called_first_is_not_compiled_again():
    @formula
    def doubled(x):
        return 2 * x

    @kernel
    def quadrupled(x):
        return doubled(doubled(x))

    assert doubled(3) == 6
    globals()["doubled"] = doubled
    assert quadrupled(3) == 12
    assert not doubled.part().overloads


MODULE = """
import numpy as np
from fracsim.kernels.jit import formula, kernel

@formula
def halved(x):
    return x / 2

@formula
def quartered(x):
    return halved(halved(x))

@kernel
def eighth(x):
    return quartered(halved(x))
"""


def test_what_is_kept_is_what_python_calls(tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    kept, counted = tmp_path / "kept", []
    for call in ("eighth(8.0)", "eighth(8.0)", "quartered(4.0)"):
        done = subprocess.run(
            [sys.executable, "-c", f"import mine; print(mine.{call})"],
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join([str(tmp_path), str(TOP)]),
                "NUMBA_CACHE_DIR": str(kept),
            },
            capture_output=True,
            text=True,
        )
        assert (done.stdout, done.stderr) == ("1.0\n", "")
        counted.append(sorted(file.name.split("-")[0] for file in kept.rglob("*.nbc")))
    assert counted == [["mine.eighth"], ["mine.eighth"], ["mine.eighth", "mine.quartered"]]
