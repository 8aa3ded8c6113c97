"""``fracsim slurm-script``: bash runs the script with a stand-in for fracsim;
tests/sweeps/test_slurm.py takes a real Slurm."""

import os
import re
import shutil
import subprocess

import pytest
from command_line import fracsim
from small_experiments import small

from fracsim.cli import sweep
from fracsim.cli.choice import Choice
from fracsim.machine.slurm import ArrayJob
from fracsim.sweeps.sweep import run_sweep

NEEDED = ("--shards", 4, "--time", "1:00:00")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("FRACSIM_", "SLURM_"))]:
        monkeypatch.delenv(name)


def script(*arguments):
    code, out, err = fracsim("slurm-script", *arguments)
    assert code == 0, err
    assert err == ""
    return out


def directives(text):
    return dict(
        line.removeprefix("#SBATCH --").partition("=")[::2]
        for line in text.splitlines()
        if "#SBATCH" in line
    )


@pytest.fixture
def words_of_task(tmp_path):
    """What fracsim is called with, by task 3 of a script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "fracsim").write_text('#!/bin/sh\nprintf "%s\\0" "$PPID" "$$" "$@"\n')
    (folder / "fracsim").chmod(0o755)

    def run(text):
        (tmp_path / "job.sh").write_text(text)
        with subprocess.Popen(
            ["bash", tmp_path / "job.sh"],
            stdout=subprocess.PIPE,
            env={"PATH": f"{folder}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": "3"},
        ) as process:
            said = process.communicate(timeout=60)[0].decode().split("\0")[:-1]
        assert process.returncode == 0
        assert said[:2] == [str(os.getpid()), str(process.pid)], (
            "a shell is between Slurm and fracsim"
        )
        return said[2:]

    return run


def test_a_task_trains_its_shard(words_of_task):
    text = script("cantor5-depth-width", "--quick", *NEEDED)
    assert words_of_task(text) == [
        "sweep",
        "cantor5-depth-width",
        "--quick",
        "--shard",
        "3/4",
        "-o",
        "cantor5-depth-width-quick-3.h5",
        "--max-time",
        "auto",
    ]
    options = sweep.command.make_context("sweep", words_of_task(text)[1:]).params
    assert (options["shard"], options["max_time"]) == ("3/4", "auto")


def test_the_directives():
    text = script(
        "cantor5-curves",
        *NEEDED,
        "--cpus",
        2,
        "--mem",
        "4G",
        "--partition",
        "long",
        "-o",
        "out/mine.h5",
    )
    assert directives(text) == {
        "job-name": "mine",
        "array": "0-3",
        "time": "1:00:00",
        "cpus-per-task": "2",
        "mem": "4G",
        "partition": "long",
        "signal": "B:USR1@120",
        "output": "%x-%A_%a.log",
        "open-mode": "append",
        "requeue": "",
    }
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any("#SBATCH" in line for line in lines[first:]), (
        "sbatch reads no further than the first command"
    )


@pytest.mark.parametrize(
    ("time", "warning"), [("1:00", 6), ("10:00", 60), ("30:00", 120), ("2-00:00:00", 120)]
)
def test_the_warning_leaves_most_of_a_short_task(time, warning):
    found = directives(script("cantor5-curves", "--shards", 1, "--time", time))
    assert found["signal"] == f"B:USR1@{warning}"
    assert found["array"] == "0-0"


@pytest.mark.parametrize(("shards", "cpus"), [(1, 8), (2, 5), (3, 4), (10, 1)])
def test_a_task_gets_a_cpu_for_each_of_its_runs(shards, cpus):
    text = script(
        "cantor5-depth-width",
        "--quick",
        "--set",
        "width=[10, 20]",
        "--shards",
        shards,
        "--time",
        "1:00:00",
    )
    assert "10 runs in" in text
    assert directives(text)["cpus-per-task"] == str(cpus)


def test_words_of_the_user_are_quoted(words_of_task, tmp_path):
    ours = tmp_path / 'my $(touch broken)\'s\t100% "grid".toml'
    ours.write_text("steps = 20\nrecord_every = 10\n[grid]\nwidth = [3, 4, 5, 6]\n")
    output = 'out put/%a $HOME `id` "it\'s"'
    values = ["curve='4'", "width=[10, 20, 30, 40]"]
    text = script(
        ours, *NEEDED, "-o", output, "--set", values[0], "--set", values[1], "--seed", "7"
    )
    assert words_of_task(text) == [
        "sweep",
        str(ours),
        "--set",
        values[0],
        "--set",
        values[1],
        "--seed",
        "7",
        "--shard",
        "3/4",
        "-o",
        f"{output}-3.h5",
        "--max-time",
        "auto",
    ]
    assert re.fullmatch(r"[A-Za-z0-9._-]+", directives(text)["job-name"])
    assert not (tmp_path / "broken").exists()


def test_settings_of_the_environment_are_written_into_the_script(words_of_task, monkeypatch):
    monkeypatch.setenv("FRACSIM_STEPS", " 2_000 ")
    monkeypatch.setenv("FRACSIM_WIDTH", "[3, 4]")
    monkeypatch.setenv("FRACSIM_SEED", "5")
    monkeypatch.setenv("FRACSIM_WEIGHTS", "final")
    text = script("cantor5-curves", "--set", "width=[10,20]", "--set", "record_every=1000", *NEEDED)
    assert words_of_task(text)[:12] == [
        "sweep",
        "cantor5-curves",
        "--set",
        "steps=2_000",
        "--set",
        "width=[10,20]",
        "--set",
        "record_every=1000",
        "--seed",
        "5",
        "--weights",
        "final",
    ]


def test_a_stored_experiment_can_be_meant(words_of_task, tmp_path):
    stored = tmp_path / "stored.h5"
    run_sweep(small(crossed={"seed": (0, 1, 2, 3)}), stored, threads=1)
    text = script("--from", stored, "--set", "width=7", *NEEDED)
    assert words_of_task(text)[:5] == ["sweep", "--from", str(stored), "--set", "width=7"]
    assert words_of_task(text)[-3] == "small-3.h5"


def test_the_words_mean_the_experiment_that_was_checked(monkeypatch):
    monkeypatch.setenv("FRACSIM_WIDTH", "[3, 4]")
    choice = Choice("cantor5-curves", None, True, ("steps=5000", "record_every=1000"), None, None)
    words = choice.words()
    monkeypatch.delenv("FRACSIM_WIDTH")
    assignments = tuple(words[i + 1] for i, word in enumerate(words) if word == "--set")
    again = Choice("cantor5-curves", None, True, assignments, None, None)
    monkeypatch.setenv("FRACSIM_WIDTH", "[3, 4]")
    assert choice.resolve().hash() == again.resolve().hash()
    assert {run.width for run in again.resolve().runs} == {3, 4}


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing(tmp_path):
    (tmp_path / "job.sh").write_text(script("cantor5-curves", *NEEDED, "-o", "my x"))
    done = subprocess.run(
        ["shellcheck", tmp_path / "job.sh"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cantor5-curvs", *NEEDED], "did you mean 'cantor5-curves'"),
        ([*NEEDED], "give either an EXPERIMENT"),
        (["cantor5-curves", "--time", "1:00:00"], "Missing option '--shards'"),
        (["cantor5-curves", "--shards", 4], "Missing option '--time'"),
        (["cantor5-curves", "--shards", 0, "--time", "1:00:00"], "'0' is not a whole number"),
        (["cantor5-curves", "--shards", 1000, "--time", "1:00:00"], "at most the number of runs"),
        (
            ["cantor5-curves", "--shards", 2, "--time", "60"],
            "--time is '60'; accepted is MM:SS, H:MM:SS",
        ),
        (["cantor5-curves", "--shards", 2, "--time", "one-day"], "--time is 'one-day'"),
        (["cantor5-curves", "--shards", 2, "--time", "0:30"], "a minute or more"),
        (["cantor5-curves", *NEEDED, "--mem", "4 GB"], "--mem is '4 GB'"),
        (["cantor5-curves", *NEEDED, "--account", "x\nrm"], "--account is 'x rm'"),
        (["cantor5-curves", *NEEDED, "-o", "a\nb"], "--output is 'a\\nb'"),
        (["cantor5-curves", *NEEDED, "-o", "results/"], "--output is 'results/'"),
        (["cantor5-curves", *NEEDED, "--set", "widht=3"], "did you mean 'width'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, says):
    result = fracsim("slurm-script", *arguments)
    assert result.code == 2
    assert result.out == ""
    assert says in result.sentence


def test_the_library_refuses_too():
    with pytest.raises(ValueError, match="--shards is 3"):
        ArrayJob("x", ("x",), runs=2, shards=3, output="x", time="1:00:00", cpus=1)
