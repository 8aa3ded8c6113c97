"""Trajectories whose writer is cut off at any moment or whose disk fails: no committed record is lost."""

import errno
import os
import subprocess
import sys

import numpy as np
import pytest
import trajectory_files as files

from fracsim.data import careful, safe
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory

# --- crashes -------------------------------------------------------------------------------------------------------


def test_every_prefix_of_the_writes_is_a_valid_file(tmp_path, monkeypatch):
    """The file as it is after each write, and with each write torn in half: all committed records, nothing else."""
    monkeypatch.setattr(safe.quarantine, "inspect", lambda fd, name: None)  # hundreds of files of our own making
    path, replay = tmp_path / "run.h5", tmp_path / "replay.h5"
    log: list[tuple[bytes, int]] = []
    committed = [(0, 0)]  # length of the log at each commit, records of each run by then
    with files.create(path) as writer:
        image = bytearray(path.read_bytes())
        write = careful.write_at
        logged = lambda fd, data, offset: (log.append((bytes(data), offset)), write(fd, data, offset))  # noqa: E731
        monkeypatch.setattr("fracsim.data.writer.write_at", logged)
        monkeypatch.setattr("fracsim.data.careful.write_at", logged)
        for s in range(4):
            for run in range(3):
                writer.write_record(run, s, files.record(run, s))
                if s % 2:
                    writer.write_weights(run, s // 2, files.params(run, s // 2))
            writer.commit()
            committed.append((len(log), s + 1))
        writer.finish("interrupted")
    assert len(log) > 100
    for count, (data, offset) in enumerate(log):
        for torn in (len(data) // 2, len(data)):
            image[offset : offset + torn] = data[:torn]
            replay.write_bytes(image)
            trajectory = open_trajectory(replay)
            safe_records = max(s for length, s in committed if length <= count + (torn == len(data)))
            assert trajectory.records_done.min() >= safe_records
            files.assert_records(trajectory, trajectory.records_done)
            for run in range(3):
                for snapshot in range(len(trajectory.weight_steps(run))):
                    np.testing.assert_array_equal(trajectory.weights(run, snapshot)[1], files.params(run, snapshot))
    assert image == path.read_bytes()  # the log is the whole story


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


# --- failing disks -------------------------------------------------------------------------------------------------


class FailingDisk:
    """Fails at the N-th write and at all later ones."""

    def __init__(self, monkeypatch, code):
        self.writes, self.fails_at, self.code = 0, None, code
        self._pwrite = os.pwrite
        for name in ("fsync", "fdatasync"):  # hundreds of files: waiting for the real disk proves nothing here
            monkeypatch.setattr(os, name, lambda fd: None)
        monkeypatch.setattr(careful.os, "pwrite", self)

    def __call__(self, fd, data, offset):
        self.writes += 1
        if self.fails_at is not None and self.writes >= self.fails_at:
            raise OSError(self.code, os.strerror(self.code))
        return self._pwrite(fd, data, offset)


@pytest.mark.parametrize(
    ("code", "sentence", "stride"),
    [
        pytest.param(errno.ENOSPC, "the disk is full", 7, id="full"),
        pytest.param(errno.EIO, "input/output error", 13, id="broken"),
        pytest.param(errno.ENOSPC, "the disk is full", 1, id="full-at-every-write", marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_fails_at_any_write(tmp_path, monkeypatch, code, sentence, stride):
    monkeypatch.setattr(safe.quarantine, "inspect", lambda fd, name: None)
    path = tmp_path / "run.h5"
    disk = FailingDisk(monkeypatch, code)
    files.finished(path)
    whole, last = disk.writes, None
    for fails_at in range(whole, 0, -stride):
        path.write_bytes(b"what was there before")
        disk.writes, disk.fails_at = 0, fails_at
        with pytest.raises(FileError, match=f"cannot write '.*run.h5': .*{sentence}"):
            files.finished(path)
        disk.fails_at = None
        assert os.listdir(tmp_path) == ["run.h5"]
        if path.read_bytes() == b"what was there before":
            continue  # the new file never came to be
        trajectory = open_trajectory(path)
        assert trajectory.status == "running"
        files.assert_records(trajectory, trajectory.records_done)
        if last is None:  # the very last write belongs to the finished file: all records are in the running one
            last = trajectory.records_done.tolist()
    assert last == [4, 4, 4]


def test_a_commit_can_be_tried_again(tmp_path, monkeypatch):
    disk = FailingDisk(monkeypatch, errno.ENOSPC)
    with files.create(tmp_path / "run.h5") as writer:
        files.fill(writer, 1)
        for run in range(3):
            writer.write_record(run, 1, files.record(run, 1))
        disk.fails_at = disk.writes + 4
        with pytest.raises(FileError, match="disk is full; its committed records are safe"):
            writer.commit()
        files.assert_records(open_trajectory(tmp_path / "run.h5"), [1, 1, 1])
        disk.fails_at = None
        writer.commit()
    files.assert_records(open_trajectory(tmp_path / "run.h5"), [2, 2, 2])
