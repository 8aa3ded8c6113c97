"""``fracsim doctor`` and ``fracsim warmup``: what they say of the machine, and that a wrong kernel
is noticed."""

import json
import os
import subprocess
import sys

import pytest
from command_line import fracsim

from fracsim.selftest import agreement, checks


@pytest.fixture
def no_agreement(monkeypatch):
    """Leave out the comparison with the simulator: tests/cuda/test_agreement.py has it."""
    monkeypatch.setattr(agreement, "card_agreements", lambda: iter([]))


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
    monkeypatch.setattr(checks, "checks", lambda: iter([checks.Check("sum", 0.1, 0.01)]))
    result = fracsim("doctor")
    assert result.code == 1
    assert "WRONG" in result.out
    assert "report" in result.sentence
    assert not checks.Check("sum", float("nan"), 0.01).passed


def test_backends_that_differ_are_an_error(monkeypatch):
    monkeypatch.setattr(checks, "checks", lambda: iter([]))
    differs = agreement.Agreement("cuda", "gradient", 0.1, 1e-5)
    monkeypatch.setattr(agreement, "card_agreements", lambda: iter([differs]))
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
    images = ["--problem", "images", "--images", "digits", "--loss", "cross-entropy"]
    for i, extra in enumerate(
        (
            [],
            ["--data", "stream"],
            ["--precision", "float64", "--fractal", "cantor1d"],
            ["--optimizer", "sgd", "--loss", "squared", "--depth", "0"],
            [*images, "--network", "cnn", "--depth", "3"],
            [*images, "--optimizer", "sgd", "--precision", "float64"],
        )
    ):
        run("train", *short, *extra, "-o", str(tmp_path / f"{i}.h5"))
    run("sample", "sierpinski", "--count", "10", "-o", str(tmp_path / "points.h5"))
    assert kernels() == before
