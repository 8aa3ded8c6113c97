"""Launches as on a card, with numba's own driver code, on a driver that pretends
(``fake_libcuda.c``): no simulator."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ptx
import pytest
from places import TOP

TRIED = """
import warnings
warnings.simplefilter("error")
import numpy as np
from launched import Arrays, halve
from fracsim.kernels.errors import BackendError, OutOfDeviceMemory
from fracsim.kernels.cuda import target, working
from fracsim.kernels.cuda.target import launch, new_on_card, new_stream, to_card, to_host, wait

print(working.missing(), target.device_name(), target.compute_capability(),
      target.multiprocessors(), target.shared_per_block(), target.shared_per_multiprocessor(),
      target.free_memory())
stream = new_stream()
arrays = Arrays(to_card(np.zeros(8, np.float32), stream), new_on_card((3, 2), np.float64, stream))
for shared_bytes in (100, 60000, 60000, 200000, 50000):
    launch(halve, 3, 64, shared_bytes, stream, arrays, np.int32(5), np.float32(2), np.bool_(True))
print(to_host(arrays.x, stream)[0])
for fails in (
    lambda: launch(halve, 3, 64, 300000, stream, arrays, np.int32(5), np.float32(2),
                   np.bool_(True)),
    lambda: new_on_card((2**20, 2**12), np.float32, stream),
):
    try:
        fails()
    except BackendError as error:
        print(type(error).__name__, error)
"""

LAUNCHED = """
from typing import Any, NamedTuple
from fracsim.kernels.cuda.target import cuda, kernel


class Arrays(NamedTuple):
    x: Any
    y: Any


@kernel
def halve(arrays, n, factor, wanted):
    part = cuda.shared.array(0, arrays.x.dtype)
    i = cuda.grid(1)
    part[i] = arrays.x[i] * factor
    if wanted and i < n:
        arrays.x[i] = part[i]
        arrays.y[i, 0] = 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the driver, the kernel and a cache."""
    if shutil.which("cc") is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler")
    folder = tmp_path_factory.mktemp("driver")
    source = Path(__file__).with_name("fake_libcuda.c")
    subprocess.run(
        ["cc", "-w", "-shared", "-fPIC", "-o", folder / "libcuda.so.1", source, "-ldl"], check=True
    )
    (folder / "launched.py").write_text(LAUNCHED)
    toolkit = "from fracsim.kernels.cuda import target; print(target.toolkit_version())"
    found = run(folder, toolkit)
    if found.returncode:
        pytest.skip(f"needs a CUDA toolkit: {found.stderr.splitlines()[-1]}")
    return folder


def run(folder, script, **environment):
    """Run a script outside of the simulator, with the driver that pretends."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in ptx.OF_THE_SIMULATOR
    }
    paths = [str(folder), str(TOP), os.environ.get("PYTHONPATH", "")]
    ours = {
        "NUMBA_CUDA_DRIVER": str(
            folder / "libcuda.so.1"
        ),  # where numba looks; numba-cuda looks in the path below
        "LD_LIBRARY_PATH": f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}",
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "FAKE_LOG": str(folder / "log"),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**inherited, **ours, **environment},
        capture_output=True,
        text=True,
    )


def test_a_kernel_is_launched_with_the_shared_memory_that_it_asks_for(folder):
    log, logs = folder / "log", []
    for _ in range(2):
        log.unlink(missing_ok=True)
        done = run(folder, TRIED)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            f"None pretended card (9, 0) 132 232448 233472 {2**30}",
            "5.0",
            "BackendError a kernel needs 300000 bytes of shared memory in a block, this card has "
            "232448 "
            "(CUDA_ERROR_INVALID_VALUE)",
            "OutOfDeviceMemory the card's memory is too small: 16 GiB more are needed, 1 GiB of 1 "
            "GiB are free",
        ]
        logs.append(log.read_text().splitlines())
    calls = [line for line in logs[0] if line.startswith(("allow", "launch"))]
    assert calls == [
        "launch 1 0",  # the trial
        "launch 3 100",
        "allow 8 60000",
        "launch 3 60000",
        "launch 3 60000",
        "allow 8 200000",
        "launch 3 200000",
        "launch 3 50000",
        "allow 8 300000",
    ]
    assert "link 0 0" not in logs[1]  # the second process has its kernels from the cache


def test_a_card_that_fails_is_one_sentence(folder):
    script = "from fracsim.cli.app import main; main()"
    sweep = [
        "sweep",
        "cantor5-depth-width",
        "--quick",
        "--backend",
        "cuda",
        "-o",
        str(folder / "x.h5"),
    ]
    done = run(folder, f"import sys; sys.argv[1:] = {sweep!r}\n{script}", FAKE_SYNC="700")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "the card failed while it computed; what was recorded is kept" in done.stderr
    assert not (folder / "x.h5").exists()
