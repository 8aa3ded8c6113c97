"""``fracsim doctor`` and ``fracsim warmup``: what they say of the machine, and that a wrong kernel
is noticed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from command_line import fracsim

from fracsim.cli import doctor
from fracsim.kernels.network import Shape, parameter_count


@pytest.fixture
def no_agreement(monkeypatch):
    """Leave out the comparison with the simulator: tests/cuda/test_agreement.py has it."""
    monkeypatch.setattr(doctor, "agreement", lambda: iter([]))


FACTS = (
    "fracsim",
    "Python",
    "numba",
    "numpy",
    "h5py",
    "HDF5",
    "CPU",
    "backend",
    "threads",
    "kernel cache",
    "CUDA",
)


def test_doctor_says_the_machine_and_passes_its_checks(no_agreement):
    result = fracsim("doctor")
    assert (result.code, result.err) == (0, "")
    for fact in FACTS:
        assert f"\n{fact} " in f"\n{result.out}"
    assert "WRONG" not in result.out
    assert result.out.count(" ok") >= 6


def test_doctor_as_json(no_agreement):
    facts = json.loads(fracsim("doctor", "--json").out)
    assert set(FACTS) < set(facts)
    assert {check["passed"] for check in facts["checks"]} == {True}
    assert any("float32" in check["name"] for check in facts["checks"])


def test_a_wrong_kernel_is_an_error(monkeypatch, no_agreement):
    monkeypatch.setattr(doctor, "checks", lambda: iter([doctor.Check("sum", 0.1, 0.01)]))
    result = fracsim("doctor")
    assert result.code == 1
    assert "WRONG" in result.out
    assert "report" in result.sentence
    assert not doctor.Check("sum", float("nan"), 0.01).passed


def test_the_plain_network_agrees_with_finite_differences():
    shape = Shape(2, 2, 5)
    rng = np.random.default_rng(3)
    params = rng.normal(size=parameter_count(shape))
    x, y = rng.uniform(-1, 1, (9, 2)), np.sign(rng.normal(size=9))

    def loss(p):
        return np.mean(np.log1p(np.exp(-y * doctor.plain_network(shape, p, x, y)[0])))

    h = 1e-6
    central = [(loss(params + h * e) - loss(params - h * e)) / (2 * h) for e in np.eye(len(params))]
    assert doctor.plain_network(shape, params, x, y)[1] == pytest.approx(central, abs=1e-8)


def test_a_broken_numba_cuda_does_not_stop_the_doctor(monkeypatch):
    def broken():
        raise RuntimeError("driver\nmismatch")

    monkeypatch.setattr("fracsim.kernels.cuda.target.implementation", broken)
    assert doctor.cuda()["numba.cuda"] == "not usable: RuntimeError: driver mismatch"


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
    assert doctor.cuda() == {
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
    assert doctor.cuda()["CUDA"] == "no NVIDIA driver was found; install one"
    assert list(doctor.agreement()) == []


def test_backends_that_differ_are_an_error(monkeypatch):
    from fracsim.selftest.agreement import Agreement

    monkeypatch.setattr(doctor, "checks", lambda: iter([]))
    monkeypatch.setattr(
        doctor, "agreement", lambda: iter([Agreement("cuda", "gradient", 0.1, 1e-5)])
    )
    result = fracsim("doctor")
    assert result.code == 1
    assert "cuda  gradient" in result.out
    assert "WRONG" in result.out
    facts = json.loads(fracsim("doctor", "--json").out)
    assert facts["agreement"] == [
        {"backend": "cuda", "verb": "gradient", "deviation": 0.1, "accepted": 1e-5, "passed": False}
    ]


@pytest.mark.slow
def test_after_warmup_nothing_is_compiled(tmp_path):
    """Everything a later command needs is in the cache: no kernel file appears or changes."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "fracsim.cli.app", *arguments],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done

    def kernels():
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.nb?")}

    done = run("warmup", "--json")
    assert json.loads(done.stdout)["folder"] == str(tmp_path / "cache")
    before = kernels()
    assert before
    short = [
        "--steps",
        "20",
        "--record-every",
        "10",
        "--train-points",
        "200",
        "--test-points",
        "50",
        "--width",
        "30",
    ]
    for i, extra in enumerate(
        (
            [],
            ["--data", "stream"],
            ["--precision", "float64", "--fractal", "cantor1d"],
            ["--optimizer", "sgd", "--loss", "squared", "--depth", "0"],
        )
    ):
        run("train", *short, *extra, "-o", str(tmp_path / f"{i}.h5"))
    run("sample", "sierpinski", "--count", "10", "-o", str(tmp_path / "points.h5"))
    assert kernels() == before
