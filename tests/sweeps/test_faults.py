"""A disk that fails at the N-th write of a sweep: one sentence, no crash, and the sweep goes on
once it works again."""

import errno
import os
import signal

import numpy as np
import pytest
from small_experiments import same_numbers, small

from fracsim.data import atomic
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory
from fracsim.sweeps.sweep import run_sweep

CALLS = ("pwrite", "fdatasync", "open", "ftruncate")
SENTENCES = {
    errno.ENOSPC: "the disk is full",
    errno.EIO: "input/output error",
    errno.EMFILE: "too many open files",
}


def experiment():
    return small("final", {"seed": (0, 1)}, steps=20, record_every=5)


class FailingDisk:
    """Counts the calls that touch the disk, and lets one fail, and with ``lasting`` all that
    follow."""

    def __init__(self, monkeypatch, number, fail_at=None, lasting=False):
        self.count, self.fail_at, self.lasting, self.number = 0, fail_at, lasting, number
        for name in CALLS:
            monkeypatch.setattr(atomic.os, name, self.wrapped(getattr(os, name)))

    def wrapped(self, real):
        def call(*arguments, **keywords):
            self.count += 1
            if self.count == self.fail_at or (
                self.lasting and self.fail_at and self.count > self.fail_at
            ):
                raise OSError(self.number, os.strerror(self.number))
            return real(*arguments, **keywords)

        return call


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    path = tmp_path_factory.mktemp("straight") / "a.h5"
    run_sweep(experiment(), path, threads=1)
    return open_trajectory(path)


@pytest.fixture(autouse=True)
def many_checkpoints(monkeypatch):
    """A commit and a checkpoint at every turn, so that faults meet all of them; our own files need
    no sandbox."""
    monkeypatch.setattr("fracsim.sweeps.loop._COMMIT_EVERY", 0.0)
    monkeypatch.setattr("fracsim.data.sandbox.inspect", lambda fd, name: None)


def calls_of_a_sweep(monkeypatch, path):
    with monkeypatch.context() as patch:
        disk = FailingDisk(patch, errno.ENOSPC)
        run_sweep(experiment(), path, threads=1, checkpoint_every=0.0)
    return disk.count


def sentence_of_a_sweep(monkeypatch, path, number, fail_at, lasting):
    """What a sweep says that meets the fault; "" where it ends in spite of it."""
    with monkeypatch.context() as patch:
        FailingDisk(patch, number, fail_at, lasting)
        try:
            run_sweep(experiment(), path, threads=1, checkpoint_every=0.0)
        except FileError as error:
            return str(error)
    return ""


def each_write_fails(tmp_path, monkeypatch, straight, number, lasting, every):
    total = calls_of_a_sweep(monkeypatch, tmp_path / "count.h5")
    assert total > 30
    failed, tried = 0, range(1, total + 1, every)
    for fail_at in tried:
        path = tmp_path / f"{fail_at}.h5"
        said = sentence_of_a_sweep(monkeypatch, path, number, fail_at, lasting)
        assert said == "" or SENTENCES[number] in said
        failed += said != ""
        if path.exists():
            stored = open_trajectory(path)  # whatever is there can be read
            for run, done in enumerate(stored.records_done):
                for name in ("test_loss", "train_loss"):
                    expected = straight.variable(name)[run, :done]
                    np.testing.assert_array_equal(stored.variable(name)[run, :done], expected)
        run_sweep(experiment(), path, threads=1)
        same_numbers(straight, open_trajectory(path))
        assert open_trajectory(path).weights(1)[1].tolist() == straight.weights(1)[1].tolist()
    assert failed > len(tried) // 3
    assert not [name for name in os.listdir(tmp_path) if not name.endswith(".h5")]


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, pytest.param(errno.EIO, marks=pytest.mark.slow), errno.EMFILE]
)
def test_writes_of_a_sweep_may_fail(tmp_path, monkeypatch, straight, number):
    each_write_fails(
        tmp_path, monkeypatch, straight, number, lasting=number != errno.EMFILE, every=37
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", list(SENTENCES))
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_each_write_of_a_sweep_may_fail(tmp_path, monkeypatch, straight, number, lasting):
    each_write_fails(tmp_path, monkeypatch, straight, number, lasting, every=1)


def test_a_checkpoint_that_cannot_be_made_is_told_and_the_training_goes_on(tmp_path, monkeypatch):
    import fracsim.data.checkpoint

    def full(*arguments):
        raise FileError(
            "cannot write 'a.h5.checkpoint': the disk is full; the checkpoint before it is kept"
        )

    monkeypatch.setattr(fracsim.data.checkpoint, "write_checkpoint", full)
    said = []
    summary = run_sweep(experiment(), tmp_path / "a.h5", checkpoint_every=0.0, announce=said.append)
    assert summary.status == "complete"
    assert any("no checkpoint was made: cannot write" in text for text in said)

    def stop(progress):
        if not said_stop:
            said_stop.append(True)
            signal.raise_signal(signal.SIGTERM)

    said_stop = []
    with pytest.raises(
        FileError, match="the checkpoint before it is kept"
    ):  # a stop without one is an error
        run_sweep(small(steps=10**9, record_every=10**8), tmp_path / "b.h5", progress=stop)
    assert open_trajectory(tmp_path / "b.h5").status == "interrupted"
