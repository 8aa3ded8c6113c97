"""Fixtures that many tests share. Kernels compile once for each float type: share the backend."""

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
