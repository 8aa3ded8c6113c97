"""Sealed files that lie about sizes, types and places: trajectories, samples and studies, one
sentence each.

`tests/data/test_hostile.py` goes through the schema of a trajectory; here are the bombs, and the
files of the other kinds."""

import json
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest
import trajectory_files as files

from fracsim.data import untrusted
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory
from fracsim.data.samples import read_samples, write_samples
from fracsim.data.schema import StudyFormat
from fracsim.data.studies import read_study, write_study
from fracsim.networks.file import NETWORK
from fracsim.products.check import check_file

HUGE = 2**50
FORMATS = (NETWORK, StudyFormat("other", ()))
SECRET = b"root:x:0:0:a secret of another file\n" * 40


@pytest.fixture
def finished(tmp_path):
    return files.finished(tmp_path / "run.h5")


@pytest.fixture(autouse=True)
def no_room():
    """Address space for 2 GiB more than there is: what a file merely declares would not fit."""
    if not Path("/proc/self/statm").exists():
        yield
        return
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**31, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def refused(path, open_file, sentence, studies=FORMATS):
    """`open_file` and `check` say the same one sentence about a file."""
    with pytest.raises(FileError, match=sentence) as caught:
        open_file(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    assert check_file(path, *studies).problems == (str(caught.value),)


def replaced(name, **storage):
    def change(root):
        del root[name]
        root.create_dataset(name, **storage)

    return change


# --- bombs ----------------------------------------------------------------------------------------


def sparse(root):
    """8 MB of which one chunk of 128 bytes is stored."""
    del root["step"]
    root.create_dataset("step", (10**6,), "<i8", chunks=(16,), compression="gzip")[:16] = 1


def nested(levels):
    dtype = h5py.h5t.NATIVE_INT32
    for _ in range(levels):
        dtype = h5py.h5t.vlen_create(dtype)

    def change(root):
        del root["seed"]
        h5py.h5d.create(root.id, b"seed", dtype, h5py.h5s.create_simple((3,)))

    return change


def references(root):
    del root["seed"]
    root.create_dataset("seed", data=np.array([root.ref] * 3, dtype=object), dtype=h5py.ref_dtype)


def unknown_filter(root):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((3, 4))
    plan.set_filter(
        305, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3)
    )  # of the range for private tests: nobody has it
    del root["test_loss"]
    space, kind = h5py.h5s.create_simple((3, 4)), h5py.h5t.IEEE_F64LE
    h5py.h5d.create(root.id, b"test_loss", kind, space, plan)


def attribute_bomb(root):
    for i in range(501):
        root.attrs[f"a{i}"] = 0


def deep(root):
    group = root
    for _ in range(2000):
        group = group.create_group("g")


def many_objects(root):
    group = root.create_group("weights/T9_k9_d9")
    for i in range(501):
        group.create_group(str(i))


BOMBS = {
    "sparse axis": (sparse, "'step' declares more data than the file can hold"),
    "huge level": (
        replaced("level", shape=(HUGE,), dtype="<i8", chunks=(9,)),
        "'level' declares more data",
    ),
    "huge run": (
        replaced("run", shape=(HUGE,), dtype="<i8"),
        "'run' declares more data than the file can hold",
    ),
    "compound": (
        replaced("seed", data=np.zeros(3, [("a", "i4"), ("b", "f8")])),
        "'seed' has a type that no fracsim",
    ),
    "many members": (
        replaced("seed", data=np.zeros(3, [(f"m{i}", "i1") for i in range(900)])),
        "'seed' has a type",
    ),
    "variable length": (nested(1), "'seed' has a type that no fracsim file has"),
    "nested types": (nested(500), "'seed' has a type that no fracsim file has"),
    "references": (references, "'seed' has a type that no fracsim file has"),
    "truth values": (
        replaced("seed", data=[True, False, True]),
        "'seed' has a type that no fracsim file has",
    ),
    "array type": (
        replaced("seed", shape=(3,), dtype="(4,)i8"),
        "'seed' has shape|'seed' has a type",
    ),
    "unknown filter": (unknown_filter, "'test_loss' is stored in an unknown way"),
    "attributes": (attribute_bomb, "too many attributes"),
    "deep groups": (deep, "'g' is not a dataset"),
    "many objects": (many_objects, "501 objects in one group"),
    "named type": (
        lambda root: root.__setitem__("kind", np.dtype("<f8")),
        "'kind' is not a dataset",
    ),
    "link in mid-path": (
        lambda root: (
            root.move("weights/T1_k3_d2", "away"),
            linked("weights/T2_k3_d2", h5py.SoftLink("/away"))(root),
        ),
        "'T2_k3_d2' is a soft or external link",
    ),
    "circle": (
        lambda root: root["weights"].__setitem__("loop", root["weights"]),
        "weights group 'loop'",
    ),
    "steps fall": (
        lambda root: root["step"].write_direct(np.array([10, 30, 20, 40])),
        "its steps do not increase",
    ),
    "runs numbered": (
        lambda root: root["run"].write_direct(np.array([0, 1, 1])),
        "numbers of its runs do not",
    ),
    "snapshots": (
        lambda root: root["weights/T2_k3_d2/snapshot"].write_direct(np.array([20, 41])),
        "the snapshots of",
    ),
}


@pytest.mark.parametrize("case", BOMBS)
def test_bombs(finished, case, monkeypatch):
    monkeypatch.setattr(untrusted, "_MAX_MEMBERS", 500)
    change, sentence = BOMBS[case]
    refused(files.changed(finished, change), open_trajectory, sentence)


def test_texts_are_counted_over_the_whole_file(finished, monkeypatch):
    """Many texts of a file can be one and the same stored text, so a small file could fill the
    memory."""
    monkeypatch.setattr(untrusted, "_TEXT_ROOM", 5_000)

    def texts(root):
        for i in range(3):
            root.create_dataset(f"text{i}", data=["x" * 600, "", ""], dtype=h5py.string_dtype())

    refused(files.changed(finished, texts), open_trajectory, "the texts of 'text2' are too long")
    files.finished(finished)
    files.changed(
        finished, lambda root: root.attrs.update({f"text{i}": "x" * 600 for i in range(9)})
    )
    refused(finished, open_trajectory, "the texts of its attributes are too long")


def test_attributes_of_odd_types_are_left_out_undecoded(finished):
    def change(root):
        dtype = h5py.h5t.NATIVE_INT32
        for _ in range(400):
            dtype = h5py.h5t.vlen_create(dtype)
        h5py.h5a.create(root.id, b"nested", dtype, h5py.h5s.create(h5py.h5s.SCALAR))
        root.attrs["reference"] = root.ref
        root.attrs["pair"] = np.array((1, 2.0), [("a", "i4"), ("b", "f8")])
        root.attrs["nothing"] = h5py.Empty("f8")

    trajectory = open_trajectory(files.changed(finished, change))
    assert trajectory.attributes["threads"] == 2
    assert not {"nested", "reference", "pair", "nothing"} & set(trajectory.attributes)


def test_depth_and_circles_where_nobody_looks_do_no_harm(finished):
    def change(root):
        group = root["weights/T2_k3_d2"]
        group["again"] = root["weights"]
        deep(group)

    files.assert_records(open_trajectory(files.changed(finished, change)), [4, 4, 4])


# --- samples and studies --------------------------------------------------------------------------


def sample_file(path):
    write_samples(path, np.zeros((5, 2)), [1, 1, 1, -1, -1], [2, 2, 2, 0, 1], {"fractal_depth": 2})
    return path


def study_file(path):
    write_study(
        path,
        NETWORK,
        {"params": np.arange(5.0), "level": np.arange(3), "errors": np.zeros(3)},
        {},
    )
    return path


def read(path):
    return read_study(path, *FORMATS)


KINDS = {
    "samples": (sample_file, read_samples, "x"),
    "study": (study_file, read, "params"),
}


def virtual(name, shape):
    def change(root):
        layout = h5py.VirtualLayout(shape, "<f8")
        layout[...] = h5py.VirtualSource("secret", "x", shape)
        del root[name]
        root.create_virtual_dataset(name, layout)

    return change


def linked(name, link):
    def change(root):
        del root[name]
        root[name] = link

    return change


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_files_are_trusted_no_more(tmp_path, kind):
    make, read, name = KINDS[kind]
    secret, path = tmp_path / "secret", tmp_path / "file.h5"
    secret.write_bytes(SECRET)
    shape = (5, 2) if kind == "samples" else (5,)
    huge = (HUGE, *shape[1:])
    for change, sentence in [
        (
            replaced(name, shape=shape, dtype="<f8", external=[(str(secret), 0, 80)]),
            "keeps its data in another file",
        ),
        (virtual(name, shape), "keeps its data in another file"),
        (linked(name, h5py.SoftLink("/level")), f"'{name}' is a soft or external link"),
        (linked(name, h5py.ExternalLink("secret", "/x")), f"'{name}' is a soft or external link"),
        (
            replaced(name, shape=huge, dtype="<f8", chunks=(1, *shape[1:])),
            f"'{name}' declares more data than",
        ),
        (
            replaced(name, data=np.zeros(shape, "<f4")),
            f"'{name}' has type float32 instead of float64",
        ),
        (replaced(name, data=np.zeros((2, 2, 2))), rf"'{name}' has shape \(2, 2, 2\)"),
        (
            replaced(name, data=np.zeros(shape), compression="lzf", chunks=shape),
            "is stored in an unknown way",
        ),
        (replaced("level", data=["a", "b", "c"]), "'level' has"),
        (lambda root: (root.pop(name), root.create_group(name)), f"'{name}' is not a dataset"),
        (lambda root: root.attrs.modify("format_version", 2), "is from a newer fracsim"),
        (lambda root: root.attrs.modify("format", "other"), "not one of fracsim's"),
        (lambda root: root.attrs.create("format", [1, 2]), "not one of fracsim's"),
    ]:
        refused(files.changed(make(path), change), read, sentence)
    data = make(path).read_bytes()
    for size in (100, len(data) // 2, len(data) - 64, len(data) - 1):
        path.write_bytes(data[:size])
        refused(path, read, "truncated|its checksum is missing")


def test_a_study_of_an_unknown_kind_and_of_arrays_that_do_not_fit(tmp_path):
    path = study_file(tmp_path / "net.h5")
    files.changed(path, lambda root: root.attrs.modify("study", "\x1b[1m" + "?" * 900))
    refused(path, read, "unknown kind of study")
    refused(path, lambda path: read_study(path, NETWORK), "holds a study of kind", [NETWORK])
    files.changed(study_file(path), replaced("errors", data=np.zeros(4, "<i8")))
    refused(path, read, r"'errors' has shape \(4,\) instead of \(3,\)")


def test_an_experiment_of_endless_depth(finished):
    """JSON that is nested too deeply, and numbers too long to read."""
    for text in ("[" * 20_000, json.dumps({"n": "@"}).replace('"@"', "9" * 5000)):
        files.finished(finished)
        files.changed(finished, lambda root, text=text: root.attrs.modify("experiment", text))
        refused(finished, open_trajectory, "its attribute 'experiment' is not a JSON object")
