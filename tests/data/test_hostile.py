"""Files with a right checksum and a wrong content: refused before anything is followed, allocated
or believed."""

import h5py
import numpy as np
import pytest
import trajectory_files as files

from fracsim.data import untrusted
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory


@pytest.fixture
def finished(tmp_path):
    return files.finished(tmp_path / "run.h5")


@pytest.fixture
def in_process(monkeypatch):
    """No child process: what the reader's own checks say."""
    monkeypatch.setattr(untrusted.sandbox, "inspect", lambda fd, name: None)


def replace(name, **storage):
    """A change that puts another dataset in place of one."""

    def change(root):
        del root[name]
        root.create_dataset(name, **storage)

    return change


def link(name, target):
    def change(root):
        del root[name]
        root[name] = target

    return change


def external(root):
    del root["test_loss"]
    root.create_dataset("test_loss", (3, 4), "<f8", external=[("/etc/passwd", 0, 96)])


def virtual(root):
    layout = h5py.VirtualLayout((3, 4), "<f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 4))
    del root["test_loss"]
    root.create_virtual_dataset("test_loss", layout)


def weights_elsewhere(root):
    root["hidden"] = h5py.ExternalLink("other.h5", "/")
    del root["weights/T1_k3_d2/params"]
    root["weights/T1_k3_d2/params"] = h5py.SoftLink("/hidden/params")
    del root["hidden"]


HUGE = 2**50
BAD_CONTENT = {
    "soft link": (
        link("test_loss", h5py.SoftLink("/train_loss")),
        "'test_loss' is a soft or external link",
    ),
    "external link": (
        link("test_loss", h5py.ExternalLink("o.h5", "/x")),
        "'test_loss' is a soft or external link",
    ),
    "linked column": (link("seed", h5py.SoftLink("/width")), "'seed' is a soft or external link"),
    "linked group": (
        link("weights", h5py.ExternalLink("o.h5", "/x")),
        "'weights' is a soft or external link",
    ),
    "linked weights": (weights_elsewhere, "'params' is a soft or external link"),
    "external storage": (external, "'test_loss' keeps its data in another file"),
    "virtual dataset": (virtual, "'test_loss' keeps its data in another file"),
    "group for dataset": (
        lambda root: (root.pop("test_loss"), root.create_group("test_loss")),
        "is not a dataset",
    ),
    "missing": (lambda root: root.pop("test_loss"), "'test_loss' is missing"),
    "no step": (lambda root: root.pop("step"), "'step' is missing"),
    "wrong shape": (
        replace("test_loss", data=np.zeros((3, 5))),
        r"'test_loss' has shape \(3, 5\) instead of \(3, 4\)",
    ),
    "wrong axes": (replace("test_loss", data=np.zeros(12)), r"'test_loss' has shape \(12,\)"),
    "wrong type": (
        replace("test_loss", data=np.zeros((3, 4), "f4")),
        "'test_loss' has type float32 instead of",
    ),
    "big-endian": (replace("test_loss", data=np.zeros((3, 4), ">f8")), "'test_loss' has type"),
    "text for numbers": (
        replace("run_status", data=["a", "b", "c"]),
        "'run_status' has type object",
    ),
    "null space": (replace("test_loss", data=h5py.Empty("f8")), "'test_loss' has shape None"),
    "huge axis": (
        replace("step", shape=(HUGE,), dtype="<i8", chunks=(1024,)),
        "'step' declares more data than",
    ),
    "huge column": (
        replace("seed", shape=(HUGE,), dtype="<i8", chunks=(1024,)),
        "'seed' has shape",
    ),
    "huge weights": (
        replace("weights/T2_k3_d2/params", shape=(1, 2, HUGE), dtype="<f4", chunks=(1, 1, 9)),
        "'params'",
    ),
    "huge chunks": (
        replace("test_loss", shape=(3, 4), maxshape=(None, 4), dtype="<f8", chunks=(2**25, 4)),
        "has too large chunks",
    ),
    "other filter": (
        replace("test_loss", data=np.zeros((3, 4)), compression="lzf"),
        "stored in an unknown way",
    ),
    "compact": (lambda root: compact(root), "stored in an unknown way"),
    "counter too high": (
        lambda root: root["records_done"].write_direct(np.array([4, 5, 4])),
        "counters are out of",
    ),
    "status unknown": (
        lambda root: root["run_status"].write_direct(np.array([2, 9, 2], "i1")),
        "counters are out of",
    ),
    "broken JSON": (
        lambda root: root.attrs.modify("experiment", "{"),
        "'experiment' is not a JSON object",
    ),
    "status word": (lambda root: root.attrs.create("status", "done"), "status 'done'"),
    "weights name": (lambda root: root.create_group("weights/other"), "weights group 'other'"),
    "weights run": (
        lambda root: root["weights/T1_k3_d2/run"].write_direct(np.array([0, 7])),
        "the runs of weights",
    ),
    "weights counter": (
        lambda root: root["weights/T1_k3_d2/snapshots_done"].write_direct(np.array([9, 2])),
        "the counters of weights",
    ),
    "weights type": (
        replace("weights/T2_k3_d2/params", data=np.zeros((1, 2, 25), "i4")),
        "has type int32",
    ),
}


def compact(root):
    now = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    now.set_layout(h5py.h5d.COMPACT)
    del root["test_loss"]
    root.create_dataset("test_loss", (3, 4), "<f8", dcpl=now)


@pytest.mark.parametrize("case", BAD_CONTENT)
def test_sealed_files_that_break_the_schema(finished, case):
    """A right checksum does not make a file trusted."""
    change, sentence = BAD_CONTENT[case]
    files.changed(finished, change)
    with pytest.raises(FileError, match=sentence) as caught:
        open_trajectory(finished)
    assert "not a valid fracsim file" in str(caught.value)


def test_weights_are_checked_again_when_they_are_read(finished):
    trajectory = open_trajectory(finished)
    files.changed(finished, weights_elsewhere)
    with pytest.raises(FileError, match="'params' is a soft or external link"):
        trajectory.weights(0)


def test_unfinished_files_must_be_uncompressed(tmp_path, in_process):
    path = files.unfinished(tmp_path / "run.h5", version=1)
    with h5py.File(path, "r+") as root:
        replace("test_loss", data=np.zeros((3, 4)), chunks=(3, 4))(root)
    with pytest.raises(FileError, match="'test_loss' is compressed in an unfinished file"):
        open_trajectory(path)


def test_unknown_columns_and_attributes_do_no_harm(finished):
    def change(root):
        root["mine"] = [1.0, 2.0, 3.0]
        root.attrs["list"] = [1, 2, 3]
        root.attrs["flag"] = True

    trajectory = open_trajectory(files.changed(finished, change))
    assert trajectory.runs["mine"].tolist() == [1, 2, 3]
    assert "list" not in trajectory.attributes
