"""Sample files written and read back."""

import errno
import os

import h5py
import numpy as np
import pytest
import trajectory_files as files

from fracsim.data import atomic, trailer
from fracsim.data.errors import FileError
from fracsim.data.samples import read_samples, write_samples

RNG = np.random.default_rng(5)
X, Y, LEVEL = RNG.random((300_000, 3)), RNG.choice([-1, 1], 300_000), RNG.integers(0, 6, 300_000)


def test_samples_come_back(tmp_path):
    write_samples(tmp_path / "points.h5", X, Y, LEVEL, {"seed": 7, "curve": "4"})
    samples = read_samples(tmp_path / "points.h5")
    for got, wanted, dtype in [
        (samples.x, X, "f8"),
        (samples.y, Y, "i1"),
        (samples.level, LEVEL, "i2"),
    ]:
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == dtype
    assert samples.attributes == {
        "format": "fracsim-samples",
        "format_version": 1,
        "seed": 7,
        "curve": "4",
    }
    assert os.listdir(tmp_path) == ["points.h5"]


def test_no_points(tmp_path):
    write_samples(tmp_path / "points.h5", np.empty((0, 2)), [], [], {})
    assert read_samples(tmp_path / "points.h5").x.shape == (0, 2)


def test_equal_samples_give_equal_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        write_samples(tmp_path / name, X, Y, LEVEL, {"seed": 7})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize(
    ("x", "y", "level", "attributes", "sentence"),
    [
        (np.zeros(3), [1, 1, 1], [0, 0, 0], {}, r"x \(N, d\), y \(N,\), level \(N,\) needed"),
        (np.zeros((3, 2)), [1, 1], [0, 0, 0], {}, r"y \(N,\)"),
        (
            np.zeros((1, 2)),
            [1],
            [0],
            {"quick": True},
            "attribute 'quick' must be text, int or float",
        ),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, x, y, level, attributes, sentence):
    with pytest.raises(ValueError, match=sentence):
        write_samples(tmp_path / "points.h5", x, y, level, attributes)
    assert os.listdir(tmp_path) == []


def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "points.h5"
    write_samples(path, X[:9], Y[:9], LEVEL[:9], {})
    pwrite, count = os.pwrite, 0

    def fail(fd, data, offset):
        nonlocal count
        count += 1
        if count > 5:
            raise OSError(errno.ENOSPC, "no space")
        return pwrite(fd, data, offset)

    monkeypatch.setattr(atomic.os, "pwrite", fail)
    with pytest.raises(FileError, match=r"cannot write '.*points.h5': the disk is full"):
        write_samples(path, X, Y, LEVEL, {})
    assert len(read_samples(path).x) == 9
    assert os.listdir(tmp_path) == ["points.h5"]


def test_damaged_and_other_files(tmp_path):
    path = tmp_path / "points.h5"
    write_samples(path, X, Y, LEVEL, {})
    content = path.read_bytes()
    path.write_bytes(content[: -trailer.SIZE])
    with pytest.raises(FileError, match="its checksum is missing"):
        read_samples(path)
    path.write_bytes(content[:3_000_000])
    with pytest.raises(FileError, match="is truncated: 3000000 of"):
        read_samples(path)
    with h5py.File(path, "w") as root:
        root.attrs["format"] = "fracsim-samples"
    with pytest.raises(FileError, match="not one of fracsim's"):
        read_samples(path)
    with pytest.raises(FileError, match="holds a trajectory, not samples"):
        read_samples(files.finished(path))
