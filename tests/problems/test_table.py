"""Tables: which points are taken, what labels become, what is pinned, and every file that is
none."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import reference
from command_line import fracsim
from learnt import table, write_table
from reference_problems import SPLIT

from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory
from fracsim.errors import UsageError
from fracsim.experiments.experiment import Experiment
from fracsim.kernels.random.feistel import fill_split, shuffled
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.problems.arrays import read_table
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.run import problem_of


def command(path, output, *more):
    """What ``fracsim train`` says of a table."""
    small = ("--steps", 20, "--record-every", 10, "--batch-size", 5, "--depth", 1, "--width", 4)
    return fracsim(
        "train", "--problem", "table", "--table", path, *small, "-q", "-o", output, *more
    )  # fmt: skip


# --- points ---------------------------------------------------------------------------------------


def rows_of(found, seed, purpose, count, x):
    """Rows of the table that points are, found by their coordinates."""
    points = found.points(seed, purpose, 0, count)
    rows = [int(np.flatnonzero((x == point).all(axis=1))[0]) for point in points.x]
    return points, rows


def test_training_and_test_points_are_apart_and_together_all(tmp_path):
    path = write_table(tmp_path / "t.npz", 97, groups=3)
    run = table(path, seed=5, precision="float64").runs[0]
    assert (run.test_points, run.train_points, run.target) == (19, 78, "class")
    found, arrays = problem_of(run), np.load(path)
    assert (found.inputs, found.target, found.groups) == (3, "class", 3)
    tested, test_rows = rows_of(found, 5, TEST, 19, arrays["x"])
    trained, train_rows = rows_of(found, 5, TRAIN, 78, arrays["x"])
    assert sorted(test_rows + train_rows) == list(range(97))
    for points, rows in ((tested, test_rows), (trained, train_rows)):
        np.testing.assert_array_equal(points.y, arrays["y"][rows])
        np.testing.assert_array_equal(points.group, arrays["group"][rows])


def test_the_split_is_the_keyed_order_of_the_seed():
    seed, count = 2**33 + 9, 41
    key = reference.philox((0, 0, SPLIT, 0), (seed % 2**32, seed >> 32))
    wanted = [shuffled(i, count, tuple(np.uint32(word) for word in key)) for i in range(count)]
    found = np.empty(count, np.int64)
    fill_split(np.uint64(seed), 0, 1, count, found)
    assert found.tolist() == wanted
    fill_split(np.uint64(seed), count - 1, -1, count, found)
    assert found.tolist() == wanted[::-1]


def test_seeds_split_differently_and_test_points_do_not_depend_on_the_training_points(tmp_path):
    path = write_table(tmp_path / "t.npz", 60)
    runs = [
        table(path, test_points=10, **keys).runs[0]
        for keys in ({}, {"train_points": 30}, {"seed": 1})
    ]
    first, fewer, other = (problem_of(run).points(run.seed, TEST, 0, 10).x for run in runs)
    np.testing.assert_array_equal(first, fewer)
    assert not np.array_equal(first, other)
    assert [run.train_points for run in runs] == [50, 30, 50]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, (40, 10)),
        ({"train_points": 45}, (45, 5)),
        ({"test_points": 20}, (30, 20)),
        ({"train_points": 20, "test_points": 1}, (20, 1)),
    ],
)
def test_all_points_are_taken_unless_told_otherwise(tmp_path, given, wanted):
    run = table(write_table(tmp_path / "t.npz", 50), **given).runs[0]
    assert (run.train_points, run.test_points) == wanted


@pytest.mark.parametrize(
    "given", [{"train_points": 50}, {"test_points": 50}, {"train_points": 40, "test_points": 11}]
)
def test_more_points_than_there_are_are_refused(tmp_path, given):
    with pytest.raises(UsageError, match=r"together at most the 50 points of .*t\.npz"):
        table(write_table(tmp_path / "t.npz", 50), **given)


@pytest.mark.parametrize("values", [(0, 1), (-1, 1), (3.5, -2.0), (False, True)])
def test_two_values_are_the_classes_the_larger_is_positive(tmp_path, values):
    y = np.array(values)[np.arange(60) % 2]
    found = problem_of(table(write_table(tmp_path / "t.npz", 60, y=y), precision="float64").runs[0])
    x = np.load(tmp_path / "t.npz")["x"]
    points, rows = rows_of(found, 0, TRAIN, 48, x)
    np.testing.assert_array_equal(points.y, np.where(y[rows] == max(values), 1.0, -1.0))


def test_real_labels_are_taken_as_they_are(tmp_path):
    path = write_table(tmp_path / "t.npz", 60, real=True)
    run = table(path, precision="float64").runs[0]
    assert run.target == "real"
    points, rows = rows_of(problem_of(run), 0, TRAIN, 48, np.load(path)["x"])
    np.testing.assert_array_equal(points.y, np.load(path)["y"][rows])
    assert table(write_table(tmp_path / "two.npz"), target="real").targets == ("real",)


def test_many_whole_numbers_are_neither_unless_said(tmp_path):
    path = write_table(tmp_path / "t.npz", 60, y=np.arange(60) % 10)
    with pytest.raises(UsageError, match=r"whole numbers of 10 values; .*\(--target\) real"):
        table(path)
    with pytest.raises(UsageError, match=r"target \(--target\) is class and y of .* has 10 values"):
        table(path, target="class")
    assert table(path, target="real").targets == ("real",)
    with pytest.raises(UsageError, match="has 60 values; accepted are two"):
        table(write_table(tmp_path / "r.npz", 60, real=True), target="class")


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<i2", "|u1", "fortran", "compressed"])
def test_types_and_orders_of_arrays(tmp_path, kind):
    x = np.arange(120.0).reshape(40, 3) % 100
    stored = (
        np.asfortranarray(x) if kind == "fortran" else x.astype(kind if "p" not in kind else "f8")
    )
    save = np.savez_compressed if kind == "compressed" else np.savez
    save(tmp_path / "t.npz", x=stored, y=np.arange(40) % 2)
    np.testing.assert_array_equal(read_table(str(tmp_path / "t.npz")).x, x)


def test_a_file_of_fracsim_sample_is_a_table_with_its_levels(tmp_path):
    path = tmp_path / "points.h5"
    assert fracsim("sample", "cantor", "--count", 300, "-o", path, "--seed", 3).code == 0
    experiment = table(path, loss="hinge")
    assert (experiment.levels, experiment.targets) == (6, ("class",))
    run_sweep(experiment, tmp_path / "a.h5")
    by_level = open_trajectory(tmp_path / "a.h5").variable("test_accuracy_by_level")
    assert by_level.shape == (1, 5, 6)


# --- pinned ---------------------------------------------------------------------------------------


def test_the_content_is_pinned_not_the_name(tmp_path):
    one, two = table(write_table(tmp_path / "a.npz")), table(write_table(tmp_path / "b.npz"))
    assert one.runs[0].table.startswith(f"{tmp_path}/a.npz#")
    assert one.hash() == two.hash()
    assert one.hash() != table(write_table(tmp_path / "c.npz", seed=1)).hash()
    groups = table(write_table(tmp_path / "d.npz", group=np.arange(150) % 2))
    assert one.hash() != groups.hash()


def test_a_changed_table_is_noticed_and_a_product_is_read_without_it(tmp_path):
    path, product = write_table(tmp_path / "t.npz"), tmp_path / "a.h5"
    experiment = table(path)
    run_sweep(experiment, product)
    write_table(path, seed=1)
    with pytest.raises(FileError, match=r"'.*t\.npz' no longer holds the points that were there"):
        run_sweep(experiment, tmp_path / "b.h5")
    again = fracsim("sweep", "--from", product, "-o", tmp_path / "b.h5")
    assert again.code == 1
    assert "no longer holds" in again.sentence
    path.unlink()
    with pytest.raises(UsageError, match="there is no such file"):
        run_sweep(experiment, tmp_path / "b.h5")
    assert not (tmp_path / "b.h5").exists()
    read = Experiment.from_json(experiment.to_json())
    assert (read.runs, read.hash()) == (experiment.runs, experiment.hash())
    for action in ("check", "status", "export"):
        assert fracsim(action, product).code == 0
    write_table(path)
    assert fracsim("sweep", "--from", product, "-o", tmp_path / "b.h5", "-q").code == 0


# --- files that are no tables ---------------------------------------------------------------------


def header(shape, descr="<f8", data=b""):
    """An array of .npy that declares what it likes."""
    file = io.BytesIO()
    fields = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue() + data


def zipped(path, compression=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)


X, Y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
BROKEN = np.where(X == 7, np.nan, X)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": X}, "no array 'y', only x"),
        ({"x": X[:, 0], "y": Y}, r"'x' has shape \(20,\); accepted is \(points, inputs\)"),
        ({"x": X[:, :, None], "y": Y}, "'x' has shape"),
        ({"x": X[:, :0], "y": Y}, "'x' has shape"),
        ({"x": X, "y": Y[:9]}, r"'y' has shape \(9,\) beside x of \(20, 3\)"),
        ({"x": X, "y": Y[:, None]}, r"'y' has shape \(20, 1\)"),
        ({"x": X, "y": Y, "group": Y[:9]}, r"'group' has shape \(9,\)"),
        ({"x": X[:1], "y": Y[:1]}, r"1 point\(s\); accepted are two or more"),
        ({"x": X[:0], "y": Y[:0]}, r"0 point\(s\)"),
        ({"x": BROKEN, "y": Y}, "'x' of point 2 is not finite"),
        ({"x": X - np.inf, "y": Y}, "'x' of point 0 is not finite"),
        ({"x": X, "y": BROKEN[:, 1]}, "'y' of point 2 is not finite"),
        ({"x": X.astype(str), "y": Y}, "'x' is of type <U32; accepted are numbers"),
        ({"x": X, "y": Y.astype(str)}, "'y' is of type <U21; accepted are numbers"),
        ({"x": X + 1j, "y": Y}, "'x' is of type complex128"),
        ({"x": X, "y": Y, "group": Y / 2}, "'group' is of type float64; accepted are whole"),
        ({"x": X, "y": Y, "group": Y - 1}, "'group' runs from -1 to 0; accepted is 0 to 32,767"),
        ({"x": X, "y": Y, "group": Y + 2**40}, "'group' runs from"),
        ({"x": X, "y": np.ones(20)}, "y is 1 everywhere"),
        ({"x": X * 1e300, "y": Y}, r"holds 5.9e\+301; accepted with precision \(--precision\)"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_one_sentence(tmp_path, arrays, match):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(UsageError, match=match):
        table(tmp_path / "t.npz", batch_size=5)
    result = command(tmp_path / "t.npz", tmp_path / "a.h5")
    assert result.code == 2
    assert result.sentence
    assert not (tmp_path / "a.h5").exists()


class Poison:
    """Whoever unpickles it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickles_are_refused_and_never_opened(tmp_path):
    made = tmp_path / "made"
    np.savez(tmp_path / "object.npz", x=np.array([Poison(made)], dtype=object), y=Y)
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Poison(made)))
    zipped(tmp_path / "inner.npz", x=pickle.dumps(Poison(made)), y=header((20,), data=bytes(160)))
    for name, said in (
        ("object", "'x' holds Python objects (a pickle), which is not opened"),
        ("pickle", "it is neither an .npz of NumPy nor a file of fracsim sample"),
        ("inner", "it is damaged"),
    ):
        result = command(tmp_path / f"{name}.npz", tmp_path / "a.h5")
        assert (result.code, said in result.sentence) == (2, True), result.err
    assert not made.exists()


def declared(path):
    zipped(path, x=header((10**9, 1), data=bytes(800)), y=header((10**9,), data=bytes(80)))


def bomb(path):
    """Deflated zeros, and a zip that says they are ten thousand times as many."""
    zipped(path, zipfile.ZIP_DEFLATED, x=header((20, 3), data=bytes(480)), y=header((20,)))
    data, size = bytearray(path.read_bytes()), (608).to_bytes(4, "little")
    assert data.count(size) >= 2  # in the entry and in the directory
    path.write_bytes(data.replace(size, (608 * 10_000 * 256).to_bytes(4, "little")))


def cut(path):
    write_table(path)
    path.write_bytes(path.read_bytes()[:-300])


def flipped(path):
    write_table(path)
    data = bytearray(path.read_bytes())
    data[800] ^= 1
    path.write_bytes(data)


def twice(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header((1, 1)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.npy", header((1, 1)))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (declared, "'x' declares shape .1000000000, 1. of float64, which is not what it holds"),
        (bomb, "'x' declares more data than the file can hold|damaged"),
        (cut, "it is damaged"),
        (flipped, "it is damaged"),
        (twice, "it holds 'x' twice"),
        (lambda path: path.write_bytes(b""), "it is empty"),
        (lambda path: path.write_text("x,y\n1,2\n"), "it is neither an .npz"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(90)), "it is damaged"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90)), "--table"),
        (lambda path: np.save(path.open("wb"), X), r"a single array \(.npy\)"),
        (lambda path: path.mkdir(), "a folder, a pipe or a device"),
        (lambda path: os.mkfifo(path), "a folder, a pipe or a device"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: None, "there is no such file"),
    ],
)
def test_hostile_files_are_one_sentence(tmp_path, make, match):
    make(tmp_path / "t.npz")
    with pytest.raises(UsageError, match=match):
        read_table(str(tmp_path / "t.npz"))
    result = command(tmp_path / "t.npz", tmp_path / "a.h5")
    assert result.code == 2
    assert result.sentence


def test_more_than_the_memory_is_told_before_it_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("fracsim.problems.arrays.free_memory", lambda: 1000.0)
    path = write_table(tmp_path / "t.npz")
    with pytest.raises(UsageError, match=r"it takes .* of memory and .* are free"):
        read_table(str(path))


def test_a_trajectory_is_no_table(tmp_path):
    run_sweep(table(write_table(tmp_path / "t.npz")), tmp_path / "a.h5")
    with pytest.raises(UsageError, match="holds a trajectory, not samples"):
        table(tmp_path / "a.h5")


# --- digits ---------------------------------------------------------------------------------------


@pytest.mark.compiled
def test_digits_are_learnt(tmp_path):
    """scikit-learn's digits in two classes, from the file to more than 98 % on the test points."""
    datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn (test extra)")
    digits = datasets.load_digits()
    path = tmp_path / "digits.npz"
    np.savez(path, x=digits.data / 16, y=digits.target >= 5, group=digits.target)
    options = {"steps": 3000, "record_every": 300, "batch_size": 100, "loss": "hinge"}
    experiment = table(path, network_depth=2, width=100, learning_rate=0.001, **options)
    run_sweep(experiment, tmp_path / "d.h5")
    product = open_trajectory(tmp_path / "d.h5")
    assert np.nanmax(product.variable("test_accuracy")) > 0.98
    assert product.variable("test_accuracy_by_level").shape[2] == 10
