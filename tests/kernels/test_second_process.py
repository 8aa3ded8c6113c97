"""The second training process on a machine compiles nothing: every kernel it calls is found in the
cache."""

import os
import subprocess
import sys

import pytest
from places import TOP

from fracsim.kernels.cache import cache_folder

TRAIN = (
    "train --fractal-depth 2 --depth 2 --width 20 --steps 20 --record-every 10 --train-points "
    "200 --test-points 50"
)

# Runs `fracsim` with the process's arguments and prints what numba compiled, a name for each
# kernel.
COUNTING = """
import atexit
from numba.core import event
recorder = event.RecordingListener()
event.register("numba:compile", recorder)
def compiled():
    return [str(e.data["dispatcher"]) for _, e in recorder.buffer if e.is_start]
atexit.register(lambda: print("COMPILED", compiled()))
from fracsim.cli.app import main
main()
"""


def compiled(*arguments: object) -> str:
    """What a new process compiles for ``fracsim train …``, as it prints it."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            COUNTING,
            *TRAIN.split(),
            "--batch-size",
            "20",
            "--quiet",
            *map(str, arguments),
        ],
        cwd=TOP,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.skipif(cache_folder() is None, reason="this machine has no folder to keep kernels in")
def test_the_second_training_process_compiles_nothing(tmp_path):
    compiled(
        "-o", tmp_path / "first.h5"
    )  # finds most kernels too, where other tests have trained before
    assert compiled("-o", tmp_path / "second.h5", "--seed", 1, "--width", 30) == "COMPILED []"
