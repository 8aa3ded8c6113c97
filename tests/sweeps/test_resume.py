"""Stopping and going on: the file is the one an uninterrupted sweep makes, bit for bit in all but
wall_time."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from places import TOP
from small_experiments import NUMBERS, same_numbers, small
from stops import StopAt, varied

from fracsim.data.checkpoint import checkpoint_path, previous_path
from fracsim.data.lock import lock_path
from fracsim.data.reader import open_trajectory
from fracsim.errors import RunError
from fracsim.sweeps.sweep import run_sweep


def same_weights(one, other):
    for run in range(len(one.records_done)):
        assert one.weight_steps(run).tolist() == other.weight_steps(run).tolist()
        for snapshot in range(len(one.weight_steps(run))):
            np.testing.assert_array_equal(
                one.weights(run, snapshot)[1], other.weights(run, snapshot)[1]
            )


@pytest.mark.parametrize("weights", ["none", "final", "records"])
def test_stop_and_go_on_again_and_again(tmp_path, weights, short_slices):
    experiment = varied(weights)
    run_sweep(experiment, tmp_path / "straight.h5", threads=1)
    path = tmp_path / "a.h5"
    stops = 0
    for share, threads, number in [
        (0.2, 1, signal.SIGTERM),
        (0.5, 2, signal.SIGINT),
        (0.8, 1, signal.SIGUSR1),
    ]:
        summary = run_sweep(experiment, path, threads=threads, progress=StopAt(share, number))
        assert summary.status == "interrupted"
        assert summary.reason == number.name
        assert open_trajectory(path).status == "interrupted"
        stops += 1
    assert run_sweep(experiment, path, threads=2).status == "complete"
    straight, product = open_trajectory(tmp_path / "straight.h5"), open_trajectory(path)
    same_numbers(straight, product)
    assert straight.run_status == product.run_status
    assert product.attributes["continued"] == stops
    assert product.attributes["bit_identical"] == "yes"
    if weights != "none":
        same_weights(straight, product)
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "straight.h5"]


def test_a_run_is_stopped_between_two_records_and_its_means_go_on(tmp_path, short_slices):
    experiment = small(steps=60, record_every=30)
    run_sweep(experiment, tmp_path / "straight.h5")
    run_sweep(experiment, tmp_path / "a.h5", progress=StopAt(0.6))
    assert open_trajectory(tmp_path / "a.h5").records_done.tolist() == [2]
    said: list[str] = []
    run_sweep(experiment, tmp_path / "a.h5", announce=said.append)
    assert "0 of 1 runs have ended, 1 go on from a checkpoint" in said[0]
    same_numbers(open_trajectory(tmp_path / "straight.h5"), open_trajectory(tmp_path / "a.h5"))


def test_wall_time_goes_on_too(tmp_path, short_slices):
    experiment = small(steps=60, record_every=10)
    run_sweep(experiment, tmp_path / "a.h5", progress=StopAt(0.5))
    run_sweep(experiment, tmp_path / "a.h5")
    wall = open_trajectory(tmp_path / "a.h5").variable("wall_time")[0]
    assert np.all(np.diff(wall) > 0)


def test_a_diverged_run_stays_as_it_is(tmp_path):
    experiment = small(
        "records",
        {"learning_rate": (1000.0, 0.01)},
        loss="squared",
        optimizer="sgd",
        network_depth=2,
    )
    run_sweep(experiment, tmp_path / "straight.h5", threads=1)
    run_sweep(experiment, tmp_path / "a.h5", threads=1, progress=StopAt(0.5))
    run_sweep(experiment, tmp_path / "a.h5", threads=1)
    straight, product = (
        open_trajectory(tmp_path / "straight.h5"),
        open_trajectory(tmp_path / "a.h5"),
    )
    assert product.run_status == straight.run_status == ("diverged", "complete")
    same_numbers(straight, product)


def test_the_newest_checkpoint_is_used_and_the_one_before_where_it_is_broken(
    tmp_path, short_slices
):
    experiment, path = varied(), tmp_path / "a.h5"
    run_sweep(experiment, tmp_path / "straight.h5")
    run_sweep(experiment, path, threads=1, progress=StopAt(0.5), checkpoint_every=0.0)
    assert checkpoint_path(path).exists()
    assert previous_path(path).exists()
    content = bytearray(checkpoint_path(path).read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint_path(path).write_bytes(content)
    said: list[str] = []
    run_sweep(experiment, path, threads=1, announce=said.append)
    assert "checksum does not match" in said[0]
    assert "going on from the checkpoint before it" in said[1]
    same_numbers(open_trajectory(tmp_path / "straight.h5"), open_trajectory(path))


@pytest.mark.parametrize("how", ["gone", "broken", "foreign"])
def test_without_a_checkpoint_ended_runs_are_kept(tmp_path, short_slices, how):
    experiment, path = varied("final"), tmp_path / "a.h5"
    run_sweep(experiment, tmp_path / "straight.h5")
    run_sweep(experiment, path, threads=1, progress=StopAt(0.5), checkpoint_every=0.0)
    ended = open_trajectory(path).run_status.count("complete")
    assert ended > 0
    for file in (checkpoint_path(path), previous_path(path)):
        if how == "gone":
            file.unlink()
        elif how == "broken":
            file.write_bytes(file.read_bytes()[:-1])
        else:
            file.write_bytes(b"not mine")
    said: list[str] = []
    summary = run_sweep(experiment, path, threads=2, announce=said.append)
    assert sum(steps == 0 for steps in summary.steps) == ended
    assert how == "gone" or any(
        "no valid checkpoint: runs that have not ended start again" in text for text in said
    )
    straight, product = open_trajectory(tmp_path / "straight.h5"), open_trajectory(path)
    same_numbers(straight, product)
    same_weights(straight, product)


def test_another_machine_goes_on_and_says_so(tmp_path, short_slices, monkeypatch):
    experiment, path = varied(), tmp_path / "a.h5"
    run_sweep(experiment, path, threads=1, progress=StopAt(0.5))
    monkeypatch.setattr("numba.__version__", "0.99")
    said: list[str] = []
    run_sweep(experiment, path, threads=1, announce=said.append)
    assert any("not bit-identical to a run without a stop: numba version" in text for text in said)
    assert "numba version" in open_trajectory(path).attributes["bit_identical"]


def test_a_changed_command_is_refused_and_nothing_is_lost(tmp_path, short_slices):
    path = tmp_path / "a.h5"
    run_sweep(varied(), path, threads=1, progress=StopAt(0.5))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(RunError, match=r"learning_rate is 0\.005 there and 0\.1 here"):
        run_sweep(varied(learning_rate=0.1), path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    with pytest.raises(RunError, match=r"holds the whole sweep, and shard 0/2 is asked for"):
        run_sweep(varied(), path, shard="0/2")


def test_sigusr2_keeps_a_checkpoint_and_goes_on(tmp_path, short_slices):
    path, seen = tmp_path / "a.h5", []

    def look(progress):
        ask(progress)
        seen.append(checkpoint_path(path).exists())

    ask = StopAt(0.3, signal.SIGUSR2)
    assert run_sweep(varied(), path, threads=1, progress=look).status == "complete"
    assert any(seen)
    assert not seen[0]
    assert not checkpoint_path(path).exists()


@pytest.mark.compiled
def test_the_time_limit_stops_within_a_record(tmp_path):
    run_sweep(small(), tmp_path / "first.h5")  # so that the limit is not spent on compiling
    experiment = small(steps=10**9, record_every=10**8)  # of many minutes
    summary = run_sweep(experiment, tmp_path / "a.h5", max_seconds=3.0)
    assert (summary.status, summary.reason) == ("interrupted", "the time limit")
    assert 0 < summary.steps[0] < 10**8


def test_overwrite_starts_afresh_and_a_checkpoint_alone_is_of_no_use(tmp_path, short_slices):
    experiment, path = varied(), tmp_path / "a.h5"
    run_sweep(experiment, path, threads=1, progress=StopAt(0.5))
    kept = checkpoint_path(path).read_bytes()
    assert sum(run_sweep(experiment, path, overwrite=True).steps) == 60 * len(experiment.runs)
    path.unlink()
    checkpoint_path(path).write_bytes(kept)
    said: list[str] = []
    assert run_sweep(experiment, path, announce=said.append).status == "complete"
    assert "there is a checkpoint but no" in said[0]


COMMAND = [
    "sweep",
    "cantor5-depth-width",
    "--quick",
    "--set",
    "width=[4,9]",
    "--set",
    "network_depth=[1,2]",
    "--set",
    "steps=STEPS",
    "--set",
    "record_every=RECORD",
    "--set",
    "test_points=500",
    "--weights",
    "final",
    "--checkpoint-every",
    "0.1",
    "--quiet",
]


def start(path, steps, threads):
    words = [
        word.replace("STEPS", str(steps)).replace("RECORD", str(steps // 20)) for word in COMMAND
    ]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "fracsim.cli.app",
            *words,
            "-o",
            str(path),
            "--threads",
            str(threads),
        ],
        cwd=TOP,
    )


def killed_at_random(tmp_path, kills, steps, seed):
    """Start the same command again and again, each time killed at a random moment, then let it
    end."""
    straight, path = tmp_path / "straight.h5", tmp_path / "a.h5"
    started = time.monotonic()
    assert start(straight, steps, 1).wait() == 0
    length = time.monotonic() - started
    moments = random.Random(seed)
    done = 0
    for attempt in range(20 * kills):
        process = start(path, steps, 1 + attempt % 2)
        try:
            code = process.wait(moments.uniform(0.3, 1.2) * length)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done += 1
        else:
            assert code == 0
            path.unlink()
        if done == kills:
            break
    assert done == kills
    assert start(path, steps, 2).wait() == 0
    one, other = open_trajectory(straight), open_trajectory(path)
    same_numbers(one, other)
    same_weights(one, other)
    assert not checkpoint_path(path).exists()
    assert not lock_path(path).exists()


@pytest.mark.compiled
def test_kill_at_three_random_moments(tmp_path):
    killed_at_random(tmp_path, 3, 20_000, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kill_at_fifty_random_moments(tmp_path):
    killed_at_random(tmp_path, 50, 100_000, seed=2)


def test_every_number_is_compared():
    assert "wall_time" not in NUMBERS
    assert len(NUMBERS) == 7
