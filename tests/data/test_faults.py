"""Disks that are full or broken and processes without file handles: a sentence, and the last good
state stays."""

import errno
import os

import numpy as np
import pytest
import trajectory_files as files

from fracsim.data import untrusted
from fracsim.data.atomic import AtomicFile
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory
from fracsim.data.writer import TrajectoryWriter, WeightsGroup

WRITES = ("pwrite", "ftruncate", "fsync", "fdatasync", "replace")
HANDLES = ("open", "dup")
SENTENCES = {
    errno.ENOSPC: "the disk is full",
    errno.EIO: "the disk reports an input/output error",
    errno.EMFILE: "this process has too many open files",
}


class FailingSystem:
    """Fails at the N-th of some calls of the operating system, for that one time or from then
    on."""

    def __init__(self, monkeypatch, names, code):
        self.calls, self.fails_at, self.once, self.code = 0, None, False, code
        for name in (*WRITES, *HANDLES):
            function = getattr(os, name)
            if name in (
                "fsync",
                "fdatasync",
            ):  # hundreds of files: waiting for the real disk proves nothing here
                function = lambda fd: None  # noqa: E731
            monkeypatch.setattr(os, name, self._guarded(function) if name in names else function)

    def _guarded(self, function):
        def call(*arguments):
            self.calls += 1
            late = self.calls - (self.fails_at or self.calls + 1)
            if late == 0 or (late > 0 and not self.once):
                raise OSError(self.code, os.strerror(self.code))
            return function(*arguments)

        return call


def record(s):
    return {
        **files.record(0, s),
        "test_accuracy_by_level": np.zeros(1),
        "gradient_norm": np.ones(1),
    }


def write(path, committed):
    """A short life of a file: two records, a snapshot, an end; `committed` is told of each
    commit."""
    weights = {"T0_k1_d1": WeightsGroup([0], [20], 2)}
    plan = {
        "runs": {"seed": [0]},
        "steps": [10, 20],
        "levels": 2,
        "layers": 1,
        "attributes": {},
        "weights": weights,
    }
    with TrajectoryWriter.create(path, **plan) as writer:
        committed.append(0)
        for s in range(2):
            writer.write_record(0, s, record(s))
            writer.commit()
            committed.append(s + 1)
        writer.write_weights(0, 0, np.ones(2))
        writer.set_run_status(0, "complete")
        writer.finish("complete")


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("code", "once", "stride"),
    [
        pytest.param(errno.ENOSPC, False, 1, id="full"),
        pytest.param(errno.ENOSPC, True, 1, id="full-for-a-moment", marks=SLOW),
        pytest.param(errno.EIO, True, 5, id="broken-now-and-then"),
        pytest.param(errno.EIO, True, 1, id="broken-anywhere", marks=SLOW),
        pytest.param(errno.EIO, False, 1, id="broken", marks=SLOW),
        pytest.param(errno.EMFILE, True, 1, id="one-handle-too-many"),
        pytest.param(errno.EMFILE, False, 1, id="no-handles"),
    ],
)
def test_a_fault_at_every_call(tmp_path, monkeypatch, code, once, stride):
    """Whatever call fails: one sentence, no file half-written, none left behind, every commit
    readable afterwards."""
    monkeypatch.setattr(untrusted.sandbox, "inspect", lambda fd, name: None)
    path = tmp_path / "run.h5"
    with monkeypatch.context() as patch:
        system = FailingSystem(patch, HANDLES if code == errno.EMFILE else WRITES, code)
        system.once = once
        write(path, [])
        whole, sentences = system.calls, []
        for fails_at in range(1, whole + 1, stride):
            path.write_bytes(b"what was there before")
            committed: list[int] = []
            system.calls, system.fails_at = 0, fails_at
            try:
                write(path, committed)
            except FileError as error:
                sentences.append(str(error))
            system.fails_at = None
            assert os.listdir(tmp_path) == ["run.h5"]
            if not committed:
                assert path.read_bytes() == b"what was there before"
                continue
            trajectory = open_trajectory(path)
            assert committed[-1] <= trajectory.records_done[0]
            for s in range(trajectory.records_done[0]):
                assert trajectory.variable("test_loss")[0, s] == record(s)["test_loss"]
    # What synchronises a folder may fail: some file systems cannot, and the file itself is safe.
    assert len(sentences) >= whole // stride - 4
    assert all(
        sentence.startswith(f"cannot write '{path}': {SENTENCES[code]}") for sentence in sentences
    )


def test_libhdf5_reads_zeros_where_a_failed_write_left_nothing(tmp_path, monkeypatch):
    """h5py takes the buffer as filled. Whatever its memory held before, libhdf5 followed as
    references of text, and the process crashed."""
    read, ends = AtomicFile.readinto, []

    def into_used_memory(file, buffer):
        buffer[:] = b"\xa5" * len(buffer)
        count = read(file, buffer)
        ends.append(bytes(buffer[count:]))
        return count

    path = tmp_path / "run.h5"
    with monkeypatch.context() as patch:
        patch.setattr(AtomicFile, "readinto", into_used_memory)
        system = FailingSystem(patch, WRITES, errno.ENOSPC)
        for fails_at in range(1, 40, 3):
            system.calls, system.fails_at = 0, fails_at
            with pytest.raises(FileError, match="the disk is full"):
                files.create(path)
    assert any(ends)
    assert not any(b"\xa5" in end for end in ends)


def test_what_fails_in_the_end_leaves_all_records(tmp_path, monkeypatch):
    path, committed = tmp_path / "run.h5", []
    with monkeypatch.context() as patch:
        system = FailingSystem(patch, ["replace"], errno.ENOSPC)
        system.fails_at = 2
        with pytest.raises(
            FileError, match="the disk is full; the records are safe in the unfinished file"
        ):
            write(path, committed)
    assert committed == [0, 1, 2]
    trajectory = open_trajectory(path)
    assert (trajectory.status, trajectory.note) == ("running", "running, 2 of 2 records")
    assert trajectory.weights(0)[1].tolist() == [1, 1]


def test_a_commit_can_be_tried_again(tmp_path, monkeypatch):
    system = FailingSystem(monkeypatch, WRITES, errno.ENOSPC)
    with files.create(tmp_path / "run.h5") as writer:
        files.fill(writer, 1)
        for run in range(3):
            writer.write_record(run, 1, files.record(run, 1))
        system.fails_at = system.calls + 4
        with pytest.raises(FileError, match="disk is full; its committed records are safe"):
            writer.commit()
        files.assert_records(open_trajectory(tmp_path / "run.h5"), [1, 1, 1])
        system.fails_at = None
        writer.commit()
    files.assert_records(open_trajectory(tmp_path / "run.h5"), [2, 2, 2])
