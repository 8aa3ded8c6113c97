"""Fixtures that many tests share. Kernels compile once for each float type: share the backend."""

import functools

import numpy as np
import pytest


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
    """Slices of a single kernel call of four steps, so that stops fall anywhere; our own files need no quarantine."""
    import fracsim.sweeping
    import fracsim.training

    monkeypatch.setattr("fracsim.data.quarantine.inspect", lambda fd, name: None)
    monkeypatch.setattr(fracsim.training, "_first_chunk", lambda trainer: 4)
    monkeypatch.setattr(fracsim.sweeping, "Task", functools.partial(fracsim.sweeping.Task, seconds=0.0))
