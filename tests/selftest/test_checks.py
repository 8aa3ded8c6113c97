"""The plain formula that the doctor measures kernels by, and what it says of CUDA."""

import numpy as np
import pytest

from fracsim.kernels.network.shape import Shape, parameter_count
from fracsim.selftest.agreement import card_agreements
from fracsim.selftest.checks import plain_network
from fracsim.selftest.facts import cuda_facts


def test_the_plain_network_agrees_with_finite_differences():
    shape = Shape(2, 2, 5)
    rng = np.random.default_rng(3)
    params = rng.normal(size=parameter_count(shape))
    x, y = rng.uniform(-1, 1, (9, 2)), np.sign(rng.normal(size=9))

    def loss(p):
        return np.mean(np.log1p(np.exp(-y * plain_network(shape, p, x, y)[0])))

    h = 1e-6
    central = [(loss(params + h * e) - loss(params - h * e)) / (2 * h) for e in np.eye(len(params))]
    assert plain_network(shape, params, x, y)[1] == pytest.approx(central, abs=1e-8)


def test_a_broken_numba_cuda_does_not_stop_the_doctor(monkeypatch):
    def broken():
        raise RuntimeError("driver\nmismatch")

    monkeypatch.setattr("fracsim.kernels.cuda.target.implementation", broken)
    assert cuda_facts()["numba.cuda"] == "not usable: RuntimeError: driver mismatch"


def test_a_card_is_shown_with_its_driver_and_toolkit(monkeypatch):
    from fake_driver import FakeDriver

    from fracsim.kernels.cuda import driver, target, working

    monkeypatch.setattr(working, "missing", lambda: None)
    monkeypatch.setattr(working, "simulator_is_on", lambda: False)
    monkeypatch.setattr(driver, "library", lambda: FakeDriver(version=12080))
    for name, answer in (
        ("implementation", "numba-cuda 0.30.4"),
        ("toolkit_version", (12, 9)),
        ("memory", (2**30, 2**33)),
        ("device_name", "NVIDIA H200"),
        ("compute_capability", (9, 0)),
        ("multiprocessors", 132),
    ):
        monkeypatch.setattr(target, name, lambda answer=answer: answer)
    assert cuda_facts() == {
        "CUDA": "--backend cuda works",
        "CUDA driver": "supports CUDA 12.8",
        "numba.cuda": "numba-cuda 0.30.4",
        "CUDA toolkit": "12.9",
        "CUDA card": "NVIDIA H200, compute capability 9.0, 132 multiprocessors, 1.1 GB of 8.6 GB "
        "free",
    }


def test_without_a_card_one_line_says_why_and_nothing_is_compared(monkeypatch):
    from fracsim.kernels.cuda import working
    from fracsim.kernels.cuda.driver import Lack

    monkeypatch.setattr(
        working, "missing", lambda: Lack("no NVIDIA driver was found", "install one")
    )
    monkeypatch.setattr(working, "simulator_is_on", lambda: False)
    assert cuda_facts()["CUDA"] == "no NVIDIA driver was found; install one"
    assert list(card_agreements()) == []
