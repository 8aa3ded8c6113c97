"""Durations, and the end of a Slurm job from the environment or from a stand-in for squeue."""

import os
import time

import pytest

from fracsim.errors import UsageError
from fracsim.machine import walltime
from fracsim.machine.walltime import end_of_job, parse_duration, time_limit


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """squeue(script): in job 77, a squeue that runs this shell script is the only one there is."""

    def make(script):
        (tmp_path / "squeue").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "squeue").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setenv("SLURM_JOB_ID", "77")

    return make


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1", 1),
        ("0.5", 0.5),
        ("600", 600),
        ("1:30", 90),
        ("90:00", 5400),
        ("0:00:01", 1),
        ("1:02:03", 3723),
        ("48:00:00", 172_800),
        ("1-00", 86_400),
        ("1-12:30", 131_400),
        ("2-03:04:05", 183_845),
        (" 10:00\n", 600),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text, "--x") == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0:00",
        "-5",
        "+5",
        "1:60",
        "1:2",
        "1:60:00",
        "1-24:00:00",
        "1:2:3:4",
        "1h",
        "1e6",
        "nan",
        "inf",
        "١٠",
        "auto",
        "1" * 5000,
    ],
)
def test_what_is_no_duration_is_refused_in_a_sentence(text):
    with pytest.raises(UsageError) as caught:
        parse_duration(text, "--checkpoint-every")
    assert str(caught.value).startswith("--checkpoint-every is '")
    assert "H:MM:SS" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_end_comes_from_the_environment_first(squeue, monkeypatch):
    squeue("echo 5:00")
    monkeypatch.setenv("SLURM_JOB_END_TIME", "1900000000")
    assert end_of_job() == (1900000000, "SLURM_JOB_END_TIME")


@pytest.mark.parametrize(
    ("answer", "left"),
    [("59", 59), ("5:00", 300), ("1:00:00", 3600), ("1-00:00:00", 86_400), ("0:00", 0)],
)
@pytest.mark.parametrize("environment", [None, "", "soon", "0", "nan", "inf"])
def test_the_end_comes_from_squeue_else(squeue, monkeypatch, answer, left, environment):
    monkeypatch.setattr(walltime.time, "time", lambda: 1e9)
    squeue(f'[ "$*" = "-h -j 77 -o %L" ] && echo {answer}')
    if environment is not None:
        monkeypatch.setenv("SLURM_JOB_END_TIME", environment)
    moment, source = end_of_job()
    assert source == "squeue"
    assert moment == pytest.approx(1e9 + left, abs=5)


@pytest.mark.parametrize(
    "script",
    [
        "echo UNLIMITED",
        "echo INVALID",
        "echo NOT_SET",
        "true",
        "echo 5:00; exit 1",
        "printf '\\377\\n'",
    ],
)
def test_no_end_is_known(squeue, script):
    squeue(script)
    assert end_of_job() is None
    said = []
    assert time_limit("auto", said.append) is None
    assert "names no end" in said[0]


def test_a_squeue_that_hangs_holds_nothing_up(squeue, monkeypatch):
    squeue("exec sleep 100000")  # waiting for it would end by pytest's own time limit
    monkeypatch.setattr(walltime, "_SQUEUE_SECONDS", 0.2)
    assert end_of_job() is None


def test_without_squeue_no_end_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert end_of_job() is None


def test_auto_outside_a_job_has_no_limit_and_says_so(squeue, monkeypatch):
    squeue("echo 5:00")
    monkeypatch.delenv("SLURM_JOB_ID")
    said = []
    assert time_limit("auto", said.append) is None
    assert "no Slurm job" in said[0]


@pytest.mark.parametrize(("left", "limit"), [(3600, 3540), (600, 540), (60, 54), (0, 0), (-100, 0)])
def test_auto_keeps_a_margin(monkeypatch, left, limit):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(time.time() + left))
    said = []
    assert time_limit("auto", said.append) == pytest.approx(limit, abs=5)
    assert "SLURM_JOB_END_TIME" in said[0]


def test_a_given_time_counts_from_the_call():
    said = []
    assert time_limit("1:30", said.append) == 90
    assert said == []
    with pytest.raises(UsageError, match=r"--max-time is 'soon'.*or auto"):
        time_limit("soon", said.append)
