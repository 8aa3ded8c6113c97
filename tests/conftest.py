"""Fixtures that many tests share. Kernels compile once for each type and number of lanes: share the backends."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def backend():
    """The CPU backend as users get it."""
    from fracsim.kernels.backend import get_backend

    return get_backend("cpu")


@pytest.fixture(scope="session", params=[4, 8, 16], ids=lambda lanes: f"lanes{lanes}")
def lanes_backend(request):
    """The CPU backend with tiles of 4, 8 and 16 float32 lanes, whatever this machine's own width is."""
    from fracsim.kernels.backend import get_backend

    return get_backend("cpu", lanes=request.param)


@pytest.fixture
def generator():
    """NumPy's random generator, always with the same seed."""
    return np.random.default_rng(20190303)
