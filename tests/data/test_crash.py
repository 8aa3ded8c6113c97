"""Trajectories whose writer is cut off at any moment: no committed record is lost, and nothing else
is seen."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
import trajectory_files as files
from many_files import Reader
from write_log import WriteLog

from fracsim.data import untrusted
from fracsim.data.check import read_whole
from fracsim.data.reader import open_trajectory
from fracsim.products.check import check_file


@pytest.fixture
def in_process(monkeypatch):
    """Hundreds of files of our own making need no child process."""
    monkeypatch.setattr(untrusted.sandbox, "inspect", lambda fd, name: None)


def logged_run(path, monkeypatch, end):
    """The log of a whole life of a file, and (calls, records of each run) at each commit."""
    with monkeypatch.context() as patch:
        log = WriteLog(patch)
        committed = [(0, 0)]
        with files.create(path) as writer:
            for s in range(4):
                for run in range(3):
                    writer.set_run_status(run, "complete" if s == 3 else "running")
                    writer.write_record(run, s, files.record(run, s))
                    if s % 2:
                        writer.write_weights(run, s // 2, files.params(run, s // 2))
                writer.commit()
                committed.append((len(log.calls), s + 1))
            writer.finish(end)
    return log, committed


def assert_right(path, least):
    """Every record and snapshot that counts is right, and `least` records of each run count."""
    contents = read_whole(path)
    trajectory = contents.value
    assert contents.problems == []
    assert trajectory.records_done.min() >= least
    files.assert_records(trajectory, trajectory.records_done)
    with h5py.File(
        path, "r"
    ) as root:  # Trajectory.weights opens the file for each network, which would take minutes
        for stored in trajectory.stored_weights:
            params = root[f"weights/{stored.name}/params"][...]
            for row, (run, done) in enumerate(zip(stored.runs, stored.done, strict=True)):
                for snapshot in range(done):
                    np.testing.assert_array_equal(
                        params[row, snapshot], files.params(run, snapshot)
                    )
    return trajectory


@pytest.mark.parametrize("end", ["interrupted", "complete"])
def test_every_prefix_of_the_writes_is_a_valid_file(tmp_path, monkeypatch, in_process, end):
    """From create to finish, after each call and with each write torn in half: all committed
    records, nothing else."""
    path, replay = tmp_path / "run.h5", tmp_path / "replay.h5"
    log, committed = logged_run(path, monkeypatch, end)
    points, before, trajectory = 0, None, None
    for finished, contents in log.states():
        points += 1
        content = contents.get("run.h5")
        if content is None:  # nothing there yet: the file appears whole
            assert finished < committed[1][0]
        elif content != before:
            replay.write_bytes(content)
            least = max(s for calls, s in committed if calls <= finished)
            trajectory = assert_right(replay, least)
            if points % 10 == 0:
                assert check_file(replay).kind == "trajectory"
            before = content
    assert points > 500
    assert (trajectory.status, trajectory.records_done.tolist()) == (end, [4, 4, 4])
    assert before == path.read_bytes()  # the log is the whole story


@pytest.mark.slow
def test_every_prefix_of_the_hidden_files_is_refused_or_right(tmp_path, monkeypatch):
    """Nobody opens `.run.h5.part`, which libhdf5 itself builds; whoever does meets a sentence."""
    log, _ = logged_run(tmp_path / "run.h5", monkeypatch, "complete")
    replay, before = tmp_path / "replay.h5", None
    with Reader() as reader:
        for _, contents in log.states():
            content = contents.get(".run.h5.part", before)
            if content != before:
                replay.write_bytes(content)
                seen = reader.look(replay)
                assert seen.end in ("read", "refused"), (seen.end, seen.said)
                before = content


def test_a_killed_writer_leaves_its_commits(tmp_path):
    code = f"""
import os, sys
sys.path[:] = {sys.path!r}
from pathlib import Path
import trajectory_files as files
writer = files.create(Path({str(tmp_path / "run.h5")!r}))
files.fill(writer, 3)
writer.write_record(0, 3, files.record(0, 3))
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    files.assert_records(open_trajectory(tmp_path / "run.h5"), [3, 3, 3])
