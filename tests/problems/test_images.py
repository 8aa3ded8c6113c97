"""Images: every format read back, what is refused in one sentence, and trainings on them."""

import gzip
import json
import math
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import fracsim
from images import idx, images, small_images, write_cifar, write_idx, write_npz
from stops import StopAt

from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory
from fracsim.errors import UsageError
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.networks.stored import load_network
from fracsim.problems.image_files import read_images
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.groups import check_data
from fracsim.training.run import parameters_of, problem_of, shape_of

FASHION = Path("/usr/share/datasets/fashion-mnist")
needs_fashion = pytest.mark.skipif(
    not FASHION.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)


@pytest.fixture
def folder(tmp_path):
    """IDX files of 60 training and 30 test images, 8 x 8, of three classes."""
    return write_idx(tmp_path / "idx", small_images(60), small_images(30, seed=1))


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("zipped", "dotted"), [(False, False), (True, False), (False, True)])
def test_idx_files(tmp_path, zipped, dotted):
    train, test = small_images(20), small_images(10, seed=1)
    found = read_images(str(write_idx(tmp_path / "i", train, test, zipped, dotted)))
    np.testing.assert_array_equal(found.train, train[0])
    np.testing.assert_array_equal(found.test_labels, test[1])
    assert found.facts() == {
        "train": 20, "test": 10, "image": [8, 8, 1], "classes": 3, "bytes": 1
    }  # fmt: skip


def digits_as_cifar(count):
    """Digits blown up to 32 x 32 pixels, three equal channels."""
    found = read_images("digits")
    large = found.train[:count].repeat(4, axis=1).repeat(4, axis=2).repeat(3, axis=3)
    return large * 15, found.train_labels[:count].astype(np.uint8)


def test_binary_files_of_cifar_are_read_back_equal(tmp_path):
    large, labels = digits_as_cifar(90)
    parts = [(large[i : i + 30], labels[i : i + 30]) for i in (0, 30, 60)]
    found = read_images(str(write_cifar(tmp_path / "c", parts[:2], parts[2])))
    np.testing.assert_array_equal(found.train, large[:60])
    np.testing.assert_array_equal(found.test, large[60:])
    np.testing.assert_array_equal(found.train_labels, labels[:60])
    assert found.facts()["image"] == [32, 32, 3]


@pytest.mark.parametrize("dtype", ["u1", "<f4", ">f8", "<i2"])
def test_npz_files(tmp_path, dtype):
    train, test = small_images(20, channels=2), small_images(10, channels=2, seed=1)
    stored = [(x.astype(dtype), y[:, None].astype("i8")) for x, y in (train, test)]
    found = read_images(str(write_npz(tmp_path / "i.npz", *stored)))
    np.testing.assert_array_equal(found.train, train[0])
    np.testing.assert_array_equal(found.train_labels, train[1])
    assert found.facts()["image"] == [8, 8, 2]


def test_the_digits_that_come_with_fracsim_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    theirs, found = datasets.load_digits(), read_images("digits")
    ours = np.concatenate([found.train, found.test])[..., 0]
    np.testing.assert_array_equal(ours, theirs.images)
    labels = np.concatenate([found.train_labels, found.test_labels])
    np.testing.assert_array_equal(labels, theirs.target)
    assert (len(found.train), len(found.test), found.classes) == (1437, 360, 10)


def test_the_same_images_have_one_hash_in_every_format(tmp_path, folder):
    again = write_npz(tmp_path / "a.npz", small_images(60), small_images(30, seed=1))
    assert read_images(str(folder)).digest == read_images(str(again)).digest
    other = write_npz(tmp_path / "b.npz", small_images(60, seed=2), small_images(30, seed=1))
    assert read_images(str(folder)).digest != read_images(str(other)).digest


# --- what is no set of images ---------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("opened",)


def broken(folder, tmp_path, kind):
    """A path that cannot be used."""
    images_file, labels_file = (
        folder / f"train-{name}-ubyte" for name in ("images-idx3", "labels-idx1")
    )
    if kind == "nowhere":
        return tmp_path / "nowhere"
    if kind == "empty":
        shutil.rmtree(folder)
        folder.mkdir()
    elif kind == "swapped":
        images_file.rename(tmp_path / "x")
        labels_file.rename(images_file)
        (tmp_path / "x").rename(labels_file)
    elif kind == "cut":
        images_file.write_bytes(images_file.read_bytes()[:-5])
    elif kind == "cut zip":
        raw = gzip.compress(images_file.read_bytes())
        images_file.write_bytes(raw[: len(raw) // 2])
    elif kind == "bomb":
        head = idx(np.zeros((1, 1, 1), np.uint8))[:4] + b"\x7f\xff\xff\xff" * 3
        images_file.write_bytes(gzip.compress(head + bytes(100)))
    elif kind == "foreign":
        images_file.write_bytes(b"no images at all")
    elif kind == "one label":
        labels_file.write_bytes(idx(np.zeros(60, np.uint8)))
        (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(30, np.uint8)))
    elif kind == "few labels":
        labels_file.write_bytes(idx(np.zeros(59, np.uint8)))
    elif kind == "other size":
        (folder / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((30, 9, 8), np.uint8)))
    elif kind in ("pickle", "one pickle"):
        shutil.rmtree(folder)
        folder.mkdir()
        for name in ("data_batch_1", "test_batch"):
            (folder / name).write_bytes(pickle.dumps(Bomb()))
        return folder if kind == "pickle" else folder / "data_batch_1"
    elif kind in ("cifar cut", "cifar label", "cifar no test"):
        large, labels = np.zeros((4, 32, 32, 3), np.uint8), np.arange(4)
        where = write_cifar(tmp_path / "c", [(large, labels)], (large, labels))
        batch = where / "data_batch_1.bin"
        if kind == "cifar cut":
            batch.write_bytes(batch.read_bytes()[:-1])
        elif kind == "cifar label":
            batch.write_bytes(b"\x0a" + batch.read_bytes()[1:])
        else:
            (where / "test_batch.bin").unlink()
        return where
    elif kind == "npz of objects":
        found = small_images(20)
        objects = np.array([Bomb()] * 20, dtype=object)
        return write_npz(tmp_path / "o.npz", found, found, x_train=objects)
    elif kind == "npz without test":
        np.savez(tmp_path / "n.npz", x_train=small_images()[0], y_train=small_images()[1])
        return tmp_path / "n.npz"
    elif kind in ("npz nan", "npz huge"):
        (x, y), one = small_images(20), math.nan if kind == "npz nan" else -1e300
        odd = np.where(np.arange(8) == 3, one, x[..., 0])[..., None]
        return write_npz(tmp_path / "n.npz", (odd, y), (x, y))
    elif kind == "text":
        (tmp_path / "t.csv").write_text("1,2,3")
        return tmp_path / "t.csv"
    return folder


SENTENCES = {
    "nowhere": r"there is no such file or folder, nor images of that name \(digits\)",
    "empty": "it holds no train-images-idx3-ubyte, the images of the train set; accepted are",
    "swapped": "train-images-idx3-ubyte holds labels; accepted are images of unsigned bytes",
    "cut": "declares 60 x 8 x 8 bytes and holds 3835: it is cut off or damaged",
    "cut zip": "train-images-idx3-ubyte is cut off or damaged",
    "bomb": "declares more data than the file can hold",
    "foreign": r"is no file of MNIST's format \(IDX\)",
    "one label": "all its images are of one class: there is nothing to learn",
    "few labels": "there are 60 training images and 59 labels; accepted is one for each image",
    "other size": r"its training images are \(8, 8, 1\) and its test images \(9, 8, 1\); accepted",
    "pickle": "run code when they are opened; accepted is the binary version, cifar-10-binary",
    "one pickle": "run code when they are opened; accepted is the binary version, cifar-10-bin",
    "cifar cut": "data_batch_1.bin has 12291 bytes, which are no whole records of 3073",
    "cifar label": "data_batch_1.bin holds a label of 10; accepted are 0 to 9",
    "cifar no test": r"it holds data_batch_\*.bin and no test_batch.bin",
    "npz of objects": r"'x_train' holds Python objects \(a pickle\), which is not opened",
    "npz without test": "it holds no array 'x_test', only x_train, y_train",
    "npz nan": "a value of its training images is not finite; accepted are numbers",
    "npz huge": r"a value of its training images is 1e\+300; accepted are numbers up to 1e\+30",
    "text": "it is no .npz of NumPy; of IDX and of CIFAR-10's binary files, name their folder",
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_what_cannot_be_used_is_one_sentence(tmp_path, folder, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = broken(folder, tmp_path, kind)
    with pytest.raises(UsageError, match=SENTENCES[kind]) as caught:
        read_images(str(path))
    assert str(caught.value).startswith(f"images (--images): '{path}' cannot be used: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "opened").exists(), "a pickle was opened"


# --- points ---------------------------------------------------------------------------------------


def test_points_are_the_files_sets_standardised_in_the_seeds_order(folder):
    run = images(folder, precision="float64").runs[0]
    assert (run.train_points, run.test_points) == (60, 30)
    found = problem_of(run)
    assert (found.inputs, found.outputs, found.groups, found.image) == (64, 3, 3, (8, 8, 1))
    raw = read_images(str(folder))
    for purpose, x, y in ((TRAIN, raw.train, raw.train_labels), (TEST, raw.test, raw.test_labels)):
        points = found.points(0, purpose, 0, len(y))
        np.testing.assert_allclose(points.x.mean(1), 0, atol=1e-12)
        np.testing.assert_allclose(points.x.std(1), 1, rtol=1e-12)
        flat = x.reshape(len(x), -1)
        wanted = (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)
        rows = [int(np.argmin(np.abs(wanted - one).sum(1))) for one in points.x]
        assert sorted(rows) == list(range(len(y)))
        assert rows != sorted(rows)
        np.testing.assert_allclose(points.x, wanted[rows], atol=1e-12)
        np.testing.assert_array_equal(points.y, y[rows])
        np.testing.assert_array_equal(points.group, y[rows])
        np.testing.assert_array_equal(found.points(0, purpose, 5, 7).x, points.x[5:12])
        assert not np.array_equal(found.points(1, purpose, 0, len(y)).x, points.x)


def test_a_grey_image_is_zero(tmp_path):
    x, y = small_images(20)
    x[3] = 7
    found = problem_of(images(write_npz(tmp_path / "g.npz", (x, y), (x, y))).runs[0])
    assert (np.abs(found.points(0, TRAIN, 0, 20).x).sum(1) == 0).sum() == 1


def test_the_test_sees_the_middle_of_an_image(folder):
    whole, cut = (
        problem_of(images(folder, network="cnn", **keys).runs[0]) for keys in ({}, {"crop": 5})
    )
    assert (cut.inputs, cut.image) == (25, (5, 5, 1))
    x = whole.points(0, TEST, 0, 30).x.reshape(30, 8, 8)
    np.testing.assert_array_equal(cut.points(0, TEST, 0, 30).x.reshape(30, 5, 5), x[:, 1:6, 1:6])
    np.testing.assert_array_equal(cut.points(0, TRAIN, 0, 60).x, whole.points(0, TRAIN, 0, 60).x)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"train_points": 61}, "at most the 60 train images of"),
        ({"test_points": 31}, "at most the 30 test images of"),
        ({"crop": 9, "network": "cnn"}, "at most the 8 pixels of the images of"),
        ({"crop": 4}, r"crop \(--crop\) is 4 and network \(--network\) is mlp; accepted"),
        ({"flip": "yes"}, r"flip \(--flip\) is yes and network \(--network\) is mlp; accepted"),
        ({"crop": 3, "network": "cnn", "network_depth": 2}, "images of 3 x 3 pixels are too small"),
        ({"loss": "hinge"}, r"loss \(--loss\) is hinge and problem \(--problem\) images has 3 cl"),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(folder, keys, sentence):
    with pytest.raises(UsageError, match=sentence):
        images(folder, **keys)


def test_other_problems_have_neither_several_outputs_nor_images(tmp_path):
    output = tmp_path / "a.h5"
    refused = fracsim("train", "--loss", "cross-entropy", "-o", output)
    assert refused.code == 2
    assert "has two classes, ±1; accepted is hinge, logistic or squared" in refused.sentence
    refused = fracsim("train", "--network", "cnn", "-o", output)
    assert refused.code == 2
    assert "is fractal, whose points are no images; accepted is mlp" in refused.sentence


def test_a_card_refuses_in_a_sentence(folder):
    from fake_device import Device

    with pytest.raises(UsageError, match=r"several outputs, which --backend cuda does not train"):
        check_data(images(folder).runs, Device())


# --- trainings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        {"network_depth": 1},
        {"network": "cnn", "network_depth": 2, "precision": "float64"},
        {"network": "cnn", "network_depth": 3, "crop": 6, "flip": "yes"},
    ],
    ids=["mlp", "cnn", "crops"],
)
def test_a_training_is_recorded_by_class_and_kept(folder, tmp_path, keys):
    experiment = images(folder, "records", **keys)
    run = experiment.runs[0]
    assert run_sweep(experiment, tmp_path / "a.h5").status == "complete"
    trajectory = open_trajectory(tmp_path / "a.h5")
    by_class = trajectory.variable("test_accuracy_by_level")[0]
    assert by_class.shape == (len(trajectory.steps), 3)
    np.testing.assert_allclose(by_class.mean(1), trajectory.variable("test_accuracy")[0])
    assert trajectory.variable("test_accuracy")[0, -1] > 0.4
    assert np.isfinite(trajectory.variable("gradient_norm")[0, -1]).all()
    assert trajectory.attributes["images_hash"] == read_images(str(folder)).digest
    network = load_network(tmp_path / "a.h5", several=True)
    assert (network.shape, len(network.params)) == (shape_of(run), parameters_of(run))
    with pytest.raises(FileError, match="a network of 3 outputs, one for each class; accepted"):
        load_network(tmp_path / "a.h5")
    assert fracsim("check", tmp_path / "a.h5").code == 0
    shown = fracsim("status", tmp_path / "a.h5", "--json")
    assert shown.code == 0


def test_bits_do_not_depend_on_shards_stops_or_workers(folder, tmp_path, short_slices):
    axes = {"network_depth": [1, 2], "seed": [0, 1]}
    experiment = images(folder, "final", axes, network="cnn", crop=6, flip="yes")
    run_sweep(experiment, tmp_path / "whole.h5", threads=1)
    whole = open_trajectory(tmp_path / "whole.h5")
    for index in (0, 1):
        run_sweep(experiment, tmp_path / f"{index}.h5", shard=f"{index}/2", threads=2)
    merged = fracsim("merge", tmp_path / "0.h5", tmp_path / "1.h5", "-o", tmp_path / "m.h5")
    assert merged.code == 0, merged.err
    stopped = tmp_path / "stopped.h5"
    for share in (0.3, 0.7):
        summary = run_sweep(experiment, stopped, progress=StopAt(share), threads=1)
        assert summary.status == "interrupted"
    assert run_sweep(experiment, stopped).status == "complete"
    for path in (tmp_path / "m.h5", stopped):
        other = open_trajectory(path)
        for row in range(4):
            np.testing.assert_array_equal(whole.weights(row)[1], other.weights(row)[1])
        for name in ("test_loss", "train_loss", "test_accuracy_by_level"):
            np.testing.assert_array_equal(whole.variable(name), other.variable(name))


def test_a_training_starts_from_a_network_of_classes(folder, tmp_path):
    first = tmp_path / "first.h5"
    run_sweep(images(folder, "final", network="cnn"), first)
    again = images(folder, "final", network="cnn", init_from=str(first), learning_rate=1e-6)
    run_sweep(again, tmp_path / "second.h5")
    before, after = (
        open_trajectory(path).variable("test_accuracy")[0, -1]
        for path in (first, tmp_path / "second.h5")
    )
    assert before == after
    with pytest.raises(UsageError, match=r"mlp of 3 outputs|cnn of 3 outputs"):
        images(folder, init_from=str(first), network_depth=1, width=4)


def test_images_that_have_changed_are_told(folder, tmp_path):
    experiment = images(folder)
    labels = folder / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\1")
    with pytest.raises(FileError, match="no longer holds the images that were there"):
        run_sweep(experiment, tmp_path / "a.h5")
    moved = Path(shutil.copytree(folder, tmp_path / "moved"))
    assert images(moved).hash() == images(folder).hash() != experiment.hash()


def test_the_command_says_the_accuracy(tmp_path):
    small = ("--steps", 60, "--record-every", 30, "--batch-size", 32, "--learning-rate", 0.003)
    result = fracsim(
        "train", "--problem", "images", "--images", "digits", "--network", "cnn", "--depth", 1,
        "--width", 4, "--loss", "cross-entropy", *small, "-o", tmp_path / "d.h5", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    said = json.loads(result.out)
    assert said["best_test_accuracy"] > 0.5
    assert len(said["final"]["test_accuracy_by_level"]) == 10


# --- Fashion-MNIST --------------------------------------------------------------------------------


@needs_fashion
def test_fashion_mnist_is_read():
    found = read_images(str(FASHION))
    assert found.facts() == {
        "train": 60_000, "test": 10_000, "image": [28, 28, 1], "classes": 10, "bytes": 1
    }  # fmt: skip
    assert np.bincount(found.test_labels).tolist() == [1000] * 10


@needs_fashion
@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "least"),
    [
        ({"network_depth": 3, "width": 100, "steps": 20_000, "batch_size": 100}, 0.87),
        (
            {"network": "cnn", "network_depth": 2, "width": 32, "steps": 10_000, "batch_size": 128},
            0.905,
        ),
    ],
    ids=["mlp", "cnn"],
)
def test_accuracy_on_fashion_mnist(tmp_path, keys, least):
    run_sweep(
        images(FASHION, record_every=2000, **{"learning_rate": 0.001, **keys}), tmp_path / "f.h5"
    )
    assert np.nanmax(open_trajectory(tmp_path / "f.h5").variable("test_accuracy")) >= least
