"""Files that are empty, cut, damaged, foreign, newer or hostile: one sentence each, never a wrong
number."""

import os
import stat
import struct

import h5py
import numpy as np
import pytest
import trajectory_files as files

from fracsim.data import journal, sandbox, trailer, untrusted
from fracsim.data.atomic import AtomicFile
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory, sniff
from fracsim.data.samples import write_samples


@pytest.fixture
def finished(tmp_path):
    return files.finished(tmp_path / "run.h5")


def refused(path, sentence):
    """Both ways to look at a file refuse it with this one sentence."""
    for look in (sniff, open_trajectory):
        with pytest.raises(FileError, match=sentence) as caught:
            look(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


# --- the outer shell ------------------------------------------------------------------------------


def test_missing_file_and_folder(tmp_path):
    refused(tmp_path / "none.h5", "there is no file")
    refused(tmp_path, "not a regular file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a regular file")  # and does not wait for a writer


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(finished):
    finished.chmod(stat.S_IWUSR)
    refused(finished, "permission denied")


def test_empty_and_foreign_files(tmp_path):
    path = tmp_path / "file.h5"
    for content, sentence in [
        (b"", "is empty"),
        (b"\x89HDF", "is not an HDF5 file"),
        (b"step,loss\n1,0.5\n", "is not an HDF5 file"),
        (b"\x89HDF\r\n\x1a\n" + b"\x63" * 200, "truncated or not a fracsim file"),
    ]:
        path.write_bytes(content)
        refused(path, sentence)
    with h5py.File(path, "w") as root:
        root["x"] = np.arange(3)
    refused(path, "is an HDF5 file, but not one of fracsim's")


def test_truncated_anywhere(finished):
    """A finished file loses its trailer first; every cut is noticed before libhdf5 opens the file
    or by it."""
    content = finished.read_bytes()
    whole = len(content)
    for size in [*range(1, 100, 9), *range(100, whole, whole // 12), *range(whole - 65, whole, 9)]:
        finished.write_bytes(content[:size])
        refused(finished, "truncated|is not an HDF5 file|its checksum is missing")


def test_any_flipped_bit_of_a_finished_file_is_noticed(finished):
    content = finished.read_bytes()
    rng = np.random.default_rng(0)
    for position in [
        *rng.integers(8, len(content) - trailer.SIZE, 40),
        *range(len(content) - 48, len(content), 4),
    ]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        finished.write_bytes(damaged)
        refused(finished, "is damaged|newer fracsim")


def test_appended_bytes_are_noticed(finished):
    with open(finished, "ab") as file:
        file.write(b"more")
    refused(finished, "its checksum is missing")


def test_newer_versions(finished):
    files.changed(finished, lambda root: root.attrs.modify("format_version", 3))
    refused(
        finished,
        r"from a newer fracsim \(format_version 3, this one reads up to 2\): update fracsim",
    )
    fd = os.open(finished, os.O_RDWR)
    os.pwrite(fd, struct.pack("<Q", 2), os.fstat(fd).st_size - trailer.SIZE + 16)
    os.close(fd)
    refused(finished, "trailer version 2")


def test_status_and_trailer_must_agree(finished, tmp_path):
    content = finished.read_bytes()
    finished.write_bytes(content[: -trailer.SIZE])
    refused(finished, "its checksum is missing")
    running = files.unfinished(tmp_path / "running.h5")
    files.seal(running)
    refused(running, "has a checksum, yet is running")


def test_samples_are_not_a_trajectory(tmp_path):
    write_samples(tmp_path / "points.h5", np.zeros((2, 2)), [1, -1], [5, 0], {})
    assert sniff(tmp_path / "points.h5") == "samples"
    with pytest.raises(FileError, match="holds samples, not a trajectory"):
        open_trajectory(tmp_path / "points.h5")


def test_a_finished_file_may_replace_the_one_that_is_read(tmp_path):
    """The reader keeps to the file it has checked, whatever is renamed to its place meanwhile."""
    path = files.unfinished(tmp_path / "run.h5")
    with untrusted.opened(path) as file:
        files.finished(path)
        assert file.root.attrs["status"].decode() == "running"
    assert open_trajectory(path).status == "complete"


# --- sandbox -----------------------------------------------------------------------------------


def test_quarantine_tells_what_the_child_found(tmp_path):
    path = files.unfinished(tmp_path / "run.h5", version=1)  # no journal vouches for it
    with h5py.File(path, "r+") as root:
        del root["test_loss"]
        root["test_loss"] = h5py.SoftLink("/train_loss")
    with pytest.raises(
        FileError,
        match=r"run.h5' is not a valid fracsim file: 'test_loss' is a soft or external link",
    ):
        open_trajectory(path)


BURN = """
import sys, json
sys.path[:] = json.loads(sys.argv[1])
from fracsim.data import reader, sandbox_child
sandbox_child.cpu_seconds = lambda size: 1
def burn(fd, name):
    while True:
        pass
reader.inspect = burn
sandbox_child.main()
"""
KILL = """
import os, signal, time
try:
    signal.signal({0}, signal.SIG_DFL)  # jobs in the background are born without an ear for Ctrl-C
except OSError:
    pass  # 9 has no other way
os.kill(os.getpid(), {0})
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [
        (KILL.format(11), "is damaged: reading it crashes or never ends"),
        (BURN, "is damaged: reading it crashes or never ends"),
        (
            "raise SystemError('no such thing')",
            "could not be inspected: SystemError: no such thing",
        ),
    ],
    ids=["crash", "hang", "fault"],
)
def test_what_happens_to_the_child_does_not_happen_to_us(tmp_path, monkeypatch, deed, sentence):
    monkeypatch.setattr(sandbox, "_CODE", deed)
    refused(files.unfinished(tmp_path / "run.h5", version=1), sentence)


@pytest.mark.parametrize("number", [1, 2, 9, 15, 34])
def test_a_signal_from_outside_says_nothing_of_the_file(tmp_path, monkeypatch, number):
    """Of a memory killer, a scheduler, a terminal."""
    monkeypatch.setattr(sandbox, "_CODE", KILL.format(number))
    with pytest.raises(FileError, match=r"not be inspected: the process .* killed by") as told:
        open_trajectory(files.unfinished(tmp_path / "run.h5", version=1))
    assert "damaged" not in str(told.value)


def test_a_busy_machine_says_nothing_of_the_file(tmp_path, monkeypatch):
    """Processor time judges, never the clock."""
    path = files.unfinished(tmp_path / "run.h5", version=1)
    monkeypatch.setattr(sandbox, "SECONDS", 1)
    monkeypatch.setattr(sandbox, "_CODE", "import time; time.sleep(2.5)" + sandbox._CODE)
    assert open_trajectory(path).status == "running"
    monkeypatch.setattr(sandbox, "PATIENCE", 1)
    with pytest.raises(FileError, match="could not be inspected in 1 s: the machine or its disk"):
        open_trajectory(path)


def test_an_interrupt_of_the_terminal_does_not_reach_the_child(tmp_path, monkeypatch):
    deed = "import os, sys; sys.exit(os.getsid(0) != os.getpid())"
    monkeypatch.setattr(sandbox, "_CODE", deed)
    assert open_trajectory(files.unfinished(tmp_path / "run.h5", version=1)).status == "running"


@pytest.mark.parametrize("commits", [3, 200, 10**6])
def test_commits_in_quick_succession_are_no_damage(tmp_path, monkeypatch, commits):
    """Each look at the two states of a journal finds them changed."""
    path, looks = files.unfinished(tmp_path / "run.h5"), iter(range(2 * commits))
    whole = journal.Journal.states

    def changing(self, fd):
        n = next(looks, None)
        return whole(self, fd) if n is None else [whole(self, fd)[0]._replace(number=n)]

    monkeypatch.setattr(journal.Journal, "states", changing)
    monkeypatch.setattr(journal, "_PAUSE", 0)
    if commits < 1000:
        assert open_trajectory(path).status == "running"
    else:
        with pytest.raises(FileError, match="changes too fast to be read"):
            open_trajectory(path)


def test_flipped_bits_of_an_unfinished_file_never_take_us_along(tmp_path):
    """Without a checksum, as in version 1, a wrong number cannot be noticed; a crash, a hang or a
    traceback must not happen."""
    path = files.unfinished(tmp_path / "run.h5", version=1)
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    refusals = []
    for _ in range(12):
        damaged = bytearray(content)
        for position in rng.integers(0, len(content), 10):
            damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            open_trajectory(path)
        except FileError as error:
            refusals.append(str(error))
    assert refusals
    assert all(str(path) in refusal for refusal in refusals)


def test_careful_file_reads_and_seeks_like_a_file(tmp_path):
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    file = AtomicFile(fd)
    file.write(b"0123456789")
    assert (file.tell(), file.seek(-3, os.SEEK_END), file.read(2), file.seek(1, os.SEEK_CUR)) == (
        10,
        7,
        b"78",
        10,
    )
    assert file.read(4) == b""
    file.truncate(4)
    file.seek(0)
    assert file.read() == b"0123"
    file.check()
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.write(b"x") and file.check()
