"""Fixtures that many tests share. Kernels compile once for each float type: share the backend.

Where no NVIDIA card works, CUDA kernels are tested in numba's simulator. It is switched on here,
before anything imports ``numba.cuda``, and inherited by the processes that tests start; no command
takes it unasked."""

import ctypes
import functools
import os

import numba
import numpy as np
import pytest
from hypothesis import settings

# No test fails for being slow: machines differ, and are shared.
settings.register_profile("fracsim", deadline=None)
settings.load_profile("fracsim")


def card_works() -> bool:
    """Whether the driver of NVIDIA finds a card."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return (
        driver.cuInit(0) == 0
        and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
        and count.value > 0
    )


if not card_works():
    os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")
    # pytest has imported numba already, for a filter of warnings; numba would read the variable at
    # its first compilation, forgetting the cache folder that fracsim has set by then
    numba.config.reload_config()


def pytest_configure(config):
    """Plain Python warns of an overflow where a compiled kernel has infinity, as ``kernels``
    expect. A worker that crashed ends the suite with its name: pytest-xdist, asked to replace it,
    waits for ever with ``--dist loadfile``."""
    if getattr(config.option, "maxworkerrestart", "0") is None:
        config.option.maxworkerrestart = "0"
    if numba.config.DISABLE_JIT:
        config.addinivalue_line("filterwarnings", "ignore::RuntimeWarning")


def pytest_collection_modifyitems(items):
    """Leave out what would take plain Python minutes or days."""
    if numba.config.DISABLE_JIT:
        for item in items:
            if item.get_closest_marker("compiled"):
                item.add_marker(
                    pytest.mark.skip(
                        reason="plain Python takes minutes for it, or it needs the compiler"
                    )
                )


@pytest.fixture(scope="session")
def backend():
    """The CPU backend as users get it."""
    from fracsim.kernels.backend import get_backend

    return get_backend("cpu")


@pytest.fixture
def generator():
    """NumPy's random generator, always with the same seed."""
    return np.random.default_rng(20190303)


@pytest.fixture
def short_slices(monkeypatch):
    """Slices of a single kernel call of four steps, so that stops fall anywhere; our own files need
    no sandbox."""
    import fracsim.sweeps.scheduler
    import fracsim.training.trainer

    monkeypatch.setattr("fracsim.data.sandbox.inspect", lambda fd, name: None)
    monkeypatch.setattr(fracsim.training.trainer, "_first_chunk", lambda trainer: 4)
    scheduler = fracsim.sweeps.scheduler
    monkeypatch.setattr(scheduler, "Task", functools.partial(scheduler.Task, seconds=0.0))
