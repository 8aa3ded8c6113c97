"""Checkpoint files: whole or not there, at every moment of their replacement, and never trusted."""

import contextlib
import os
import struct

import numpy as np
import pytest

from fracsim.data import atomic
from fracsim.data.checkpoint import (
    MAGIC,
    checkpoint_path,
    previous_path,
    read_checkpoint,
    remove_checkpoints,
    write_checkpoint,
)
from fracsim.data.errors import FileError


def write(product, version):
    arrays = {
        "0/params": np.full((1, 1000), version, "f4"),
        "0/loss_sum": np.array([version / 3]),
        "0/counted": np.array([version]),
        "1/empty": np.empty((0, 3)),
    }
    write_checkpoint(product, {"version": version, "shard": "0/2"}, arrays)


def version_of(path):
    checkpoint = read_checkpoint(path)
    version = checkpoint.facts["version"]
    assert checkpoint.arrays["0/params"].dtype == np.float32
    assert (checkpoint.arrays["0/params"] == version).all()
    assert checkpoint.arrays["0/loss_sum"].tolist() == [version / 3]
    assert checkpoint.arrays["0/counted"].tolist() == [version]
    assert checkpoint.arrays["1/empty"].shape == (0, 3)
    return version


def test_the_newest_and_the_one_before_are_kept(tmp_path):
    product = tmp_path / "a.h5"
    for version in (1, 2, 3):
        write(product, version)
    assert version_of(checkpoint_path(product)) == 3
    assert version_of(previous_path(product)) == 2
    remove_checkpoints(product)
    assert list(tmp_path.iterdir()) == []


class Killed(BaseException):
    """Stands for the process's end: nothing runs after it."""


def calls_of(action, names, monkeypatch, fail_at=None, error=None):
    """Run action with every call of the os functions ``names`` counted; at number ``fail_at`` raise
    ``error``."""
    count = 0
    for name in names:
        real = getattr(os, name)

        def counted(*arguments, real=real, **keywords):
            nonlocal count
            count += 1
            if count == fail_at:
                raise error
            if fail_at is not None and count > fail_at and isinstance(error, Killed):
                raise error  # a dead process calls nothing more
            return real(*arguments, **keywords)

        monkeypatch.setattr(atomic.os, name, counted)
    try:
        action()
    finally:
        monkeypatch.undo()
    return count


PHASES = ("open", "pwrite", "fsync", "replace", "unlink")


@pytest.mark.parametrize("before", [1, 2])
def test_killed_at_every_phase_there_is_a_valid_checkpoint(tmp_path, monkeypatch, before):
    def prepared(name):
        product = tmp_path / name / "a.h5"
        product.parent.mkdir()
        for version in range(1, before + 1):
            write(product, version)
        return product

    total = calls_of(lambda: write(prepared("counted"), 9), PHASES, monkeypatch)
    seen = set()
    for fail_at in range(1, total + 1):
        product = prepared(f"{fail_at}")
        with contextlib.suppress(Killed):
            calls_of(
                lambda product=product: write(product, 9), PHASES, monkeypatch, fail_at, Killed()
            )
        newest = (
            checkpoint_path(product)
            if checkpoint_path(product).exists()
            else previous_path(product)
        )
        seen.add(version_of(newest))
        if previous_path(product).exists():
            version_of(previous_path(product))
        write(product, 10)  # what was left behind is in nobody's way
        assert version_of(checkpoint_path(product)) == 10
    assert seen == {before, 9}


@pytest.mark.parametrize("number", [28, 5, 24])  # ENOSPC, EIO, EMFILE
def test_a_failing_disk_keeps_the_old_ones(tmp_path, monkeypatch, number):
    product = tmp_path / "a.h5"
    write(product, 1)
    write(product, 2)
    total = calls_of(lambda: write(product, 2), ("open", "pwrite", "fsync"), monkeypatch)
    for fail_at in range(
        1, total - 1
    ):  # the last two sync the folder, which some file systems refuse
        error = OSError(number, os.strerror(number))
        with pytest.raises(FileError, match=r"cannot write .*the checkpoint before it is kept"):
            calls_of(
                lambda: write(product, 9), ("open", "pwrite", "fsync"), monkeypatch, fail_at, error
            )
        assert version_of(checkpoint_path(product)) == 2
    assert sorted(os.listdir(tmp_path)) == ["a.h5.checkpoint", "a.h5.checkpoint.previous"]


def test_every_torn_or_flipped_checkpoint_is_refused(tmp_path):
    write(tmp_path / "a.h5", 1)
    path = checkpoint_path(tmp_path / "a.h5")
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match=r"damaged|not a checkpoint|another version"):
            read_checkpoint(path)
    for position in range(0, len(content), 41):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        with pytest.raises(FileError):
            read_checkpoint(path)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{}",
        b'{"facts": {}, "arrays": [["x", "<f8", [1152921504606846976]]]}',
        b'{"facts": {}, "arrays": [["x", "<f8", [-1]]]}',
        b'{"facts": {}, "arrays": [["x", "|O", [1]]]}',
        b'{"facts": 3, "arrays": []}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_well_sealed_lie_is_refused(tmp_path, header):
    import hashlib

    content = MAGIC + struct.pack("<Q", len(header)) + header
    (tmp_path / "a.checkpoint").write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(FileError, match="not a valid one"):
        read_checkpoint(tmp_path / "a.checkpoint")


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("none", "pipe", "."):
        with pytest.raises(FileError, match="checkpoint"):
            read_checkpoint(tmp_path / name)
