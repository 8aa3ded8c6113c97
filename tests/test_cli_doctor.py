"""``fracsim doctor`` and ``fracsim warmup``: what they say of the machine, and that a wrong kernel is noticed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from command_line import fracsim

from fracsim.cli import doctor
from fracsim.kernels.network import Shape, parameter_count

FACTS = ("fracsim", "Python", "numba", "numpy", "h5py", "HDF5", "CPU", "backend", "threads", "kernel cache", "CUDA")


def test_doctor_says_the_machine_and_passes_its_checks():
    result = fracsim("doctor")
    assert (result.code, result.err) == (0, "")
    for fact in FACTS:
        assert f"\n{fact} " in f"\n{result.out}"
    assert "WRONG" not in result.out
    assert result.out.count(" ok") >= 6


def test_doctor_as_json():
    facts = json.loads(fracsim("doctor", "--json").out)
    assert set(FACTS) < set(facts)
    assert {check["passed"] for check in facts["checks"]} == {True}
    assert any("float32" in check["name"] for check in facts["checks"])


def test_a_wrong_kernel_is_an_error(monkeypatch):
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


def test_a_broken_cuda_driver_does_not_stop_the_doctor(monkeypatch):
    from numba import cuda

    def broken():
        raise RuntimeError("driver\nmismatch")

    monkeypatch.setattr(cuda, "is_available", broken)
    assert doctor.cuda() == "not usable: RuntimeError: driver mismatch"


@pytest.mark.slow
def test_after_warmup_nothing_is_compiled(tmp_path):
    """Everything a later command needs is in the cache: no kernel file appears or changes."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "fracsim.cli.simulate", *arguments], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done

    def kernels():
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.nb?")}

    done = run("warmup", "--json")
    assert json.loads(done.stdout)["folder"] == str(tmp_path / "cache")
    before = kernels()
    assert before
    short = ["--steps", "20", "--record-every", "10", "--train-points", "200", "--test-points", "50", "--width", "30"]
    for i, extra in enumerate(([], ["--data", "stream"], ["--precision", "float64", "--fractal", "cantor1d"],
                               ["--optimizer", "sgd", "--loss", "squared", "--depth", "0"])):  # fmt: skip
        run("train", *short, *extra, "-o", str(tmp_path / f"{i}.h5"))
    run("sample", "sierpinski", "--count", "10", "-o", str(tmp_path / "points.h5"))
    assert kernels() == before
