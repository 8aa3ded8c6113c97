"""The tests of CUDA kernels once more, on what the compiler for the card makes of them (see
ptx_card.py)."""

import os
import re
import subprocess
import sys

import ptx
import pytest
from places import HELPERS, TOP

pytestmark = pytest.mark.compiled

FILES = (
    "tests/cuda/test_level.py",
    "tests/cuda/test_sample.py",
    "tests/cuda/test_stream.py",
    "tests/cuda/test_training.py",
    "tests/cuda/test_network.py",
    "tests/cuda/test_agreement.py",
)


def _on_the_machine(*arguments, **variables):
    """Run pytest with the machine as card; says how many launches there were."""
    if ptx.cuda_home() is None:
        pytest.skip("no CUDA compiler: set CUDA_HOME, or pip install nvidia-cuda-nvcc-cu12")
    path = os.pathsep.join([*HELPERS, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path} | variables
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "ptx_card",
        "-p",
        "no:cacheprovider",
        *arguments,
    ]
    done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return int(re.search(r"ptx_card: (\d+) launches", done.stdout)[1])


def test_levels_and_samples_of_compiled_kernels():
    """In a shuffled order of threads, with products and sums fused. One rounding too few shows on
    the pentaflake."""
    files = FILES[:2]
    assert (
        _on_the_machine(*files, "-k", "pentaflake", PTX_CARD_ORDER="random", PTX_CARD_FUSE="1") >= 3
    )


@pytest.mark.slow
def test_training_of_compiled_kernels():
    """On fresh samples, in launches of any length; the threads in a shuffled order."""
    assert (
        _on_the_machine("tests/cuda/test_stream.py", "-k", "test_steps", PTX_CARD_ORDER="random")
        >= 3
    )


def test_block_groups_of_compiled_kernels():
    """Equal bits by groups of one, two and four blocks, with memory in all places, and no race."""
    test = "test_bits_depend_neither_on_block_groups_nor_on_where_memory_is[20-3-30]"
    name = f"tests/cuda/test_training.py::{test}"
    assert _on_the_machine(name, PTX_CARD_ORDER="random") == 15  # five trainings of three launches


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_all_of_the_compiled_kernels(name):
    """Everything that the simulator tests."""
    assert _on_the_machine(name, "-m", "slow or not slow") >= 10
