"""Small sets of images in every format that is read, and experiments on them."""

import gzip
import struct

import numpy as np
from learnt import experiment_of


def small_images(count=60, side=8, channels=1, classes=3, seed=0):
    """(images (N, side, side, channels) uint8, labels (N,) uint8) that can be learnt: a bright
    column for each class."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % classes).astype(np.uint8)
    images = rng.integers(0, 80, (count, side, side, channels), dtype=np.uint8)
    for i, label in enumerate(labels):
        images[i, :, 1 + 2 * label] += 150
    return images, labels


def idx(array):
    """The bytes of an IDX file."""
    head = struct.pack(">HBB", 0, 8, array.ndim)
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder, train, test, zipped=False, dotted=False):
    """The four files of MNIST's format."""
    folder.mkdir(exist_ok=True)
    for part, (images, labels) in (("train", train), ("t10k", test)):
        for kind, array in (("images-idx3", images[..., 0]), ("labels-idx1", labels)):
            name = f"{part}-{kind.replace('-', '.') if dotted else kind}-ubyte"
            raw = idx(array)
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(raw))
            else:
                (folder / name).write_bytes(raw)
    return folder


def write_cifar(folder, batches, test):
    """Files of CIFAR-10's binary format from images (N, 32, 32, 3)."""
    folder.mkdir(exist_ok=True)
    named = {f"data_batch_{i}.bin": batch for i, batch in enumerate(batches, start=1)}
    for name, (images, labels) in {**named, "test_batch.bin": test}.items():
        planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        (folder / name).write_bytes(np.column_stack([labels, planes]).astype(np.uint8).tobytes())
    return folder


def write_npz(path, train, test, **changed):
    """The four arrays of an .npz; ``changed``: others in their place."""
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), (*train, *test), strict=True))
    np.savez(path, **{**arrays, **changed})
    return path


def images(path, weights="none", crossed=None, **fixed):
    """A small experiment on images."""
    settings = {"loss": "cross-entropy", "width": 4, "learning_rate": 0.01, "batch_size": 12}
    return experiment_of("images", weights, crossed, images=str(path), **{**settings, **fixed})
