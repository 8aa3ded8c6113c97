"""Images in classes, read without trust from files of three kinds.

- IDX, the format of MNIST and Fashion-MNIST: four files in a folder, gzipped or not,
  ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same of ``t10k``, the test.
- CIFAR-10's binary version: ``data_batch_1.bin`` … and ``test_batch.bin`` in a folder, records of a
  label and 3 x 32 x 32 bytes. Its Python version is refused unopened: unpickling runs code.
- .npz with ``x_train``, ``y_train``, ``x_test`` and ``y_test``, as Keras has them.

Sizes are compared with the files before memory is taken."""

from __future__ import annotations

import functools
import gzip
import io
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from fracsim.data.errors import printable, reason
from fracsim.errors import UsageError
from fracsim.machine.memory import free_memory
from fracsim.problems.arrays import digest_of
from fracsim.problems.npz import EXPANSION, read_array, read_header
from fracsim.text import size
from fracsim.values.settings import label

SHIPPED = ("digits",)
"""Images that come with fracsim."""

MOST_CLASSES = 1000

_PARTS = {"train": "train", "test": "t10k"}  # of IDX files, as they are named
_RECORD = 1 + 3 * 32 * 32
_UNSIGNED_BYTES = 8  # code of a type in IDX
_ARRAYS = {"x_train": "fiub", "y_train": "iu", "x_test": "fiub", "y_test": "iu"}
_BATCH = re.compile(r"data_batch_\d+\.bin")
_PICKLED = re.compile(r"data_batch_\d+|test_batch")


@dataclass(frozen=True, eq=False)
class ImageSet:
    """train (N, height, width, channels) and test (M, …): bytes or numbers; labels (N,), (M,) int64
    from 0."""

    path: str
    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: int
    digest: str
    """SHA-256 (hex) of the four arrays."""

    def facts(self) -> dict[str, Any]:
        """What a run must know of the images before it has them."""
        return {
            "train": len(self.train_labels),
            "test": len(self.test_labels),
            "image": list(self.train.shape[1:]),
            "classes": self.classes,
            "bytes": self.train.dtype.itemsize,
        }


def read_images(path: str) -> ImageSet:
    """The images of a folder, of an .npz, or shipped ones by name; read once while the files stay
    as they are. Raises UsageError, one sentence."""
    if path in SHIPPED and not os.path.exists(path):
        return _shipped(path)
    try:
        info = os.stat(path)
        is_folder = stat.S_ISDIR(info.st_mode)
        members = sorted(Path(path).iterdir()) if is_folder else [Path(path)]
        stamps = tuple(_stamp(member) for member in members)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            why = f"there is no such file or folder, nor images of that name ({', '.join(SHIPPED)})"
        else:
            why = reason(error) if isinstance(error, OSError) else "it is no name of a file"
        raise _bad(path, why) from None
    if not is_folder and not stat.S_ISREG(info.st_mode):
        raise _bad(path, "it is a pipe or a device, not a file or a folder")
    return _read(path, is_folder, stamps)


def _bad(path: str, why: str) -> UsageError:
    return UsageError(f"{label('images')}: '{path}' cannot be used: {printable(why)}")


def _stamp(path: Path) -> tuple[Any, ...]:
    info = path.stat()
    return path.name, info.st_mode, info.st_ino, info.st_size, info.st_mtime_ns


@functools.cache
def _shipped(name: str) -> ImageSet:
    folder = files(f"fracsim.data.images.{name}")
    there = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    arrays = []
    for part in _PARTS.values():
        for kind in ("images-idx3", "labels-idx1"):
            member = f"{part}-{kind}-ubyte.gz"
            arrays.append(_idx(partial(_bad, name), member, there[member]))
    return _checked(name, *arrays)


@functools.lru_cache(maxsize=2)
def _read(path: str, is_folder: bool, stamps: tuple[tuple[Any, ...], ...]) -> ImageSet:
    bad = partial(_bad, path)
    try:
        if is_folder:
            names = [stamp[0] for stamp in stamps if stat.S_ISREG(stamp[1])]
            return _checked(path, *_of_folder(bad, Path(path), names))
        with open(path, "rb") as file:
            start = file.read(4)
        if start.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                return _checked(path, *_of_archive(bad, archive))
    except UsageError:
        raise
    except OSError as error:
        raise bad(reason(error)) from None
    except MemoryError:
        raise bad("it does not fit into memory") from None
    # What zipfile, zlib and NumPy raise on a damaged file is of no fixed kind.
    except Exception as error:
        raise bad(f"it is damaged ({type(error).__name__} while reading)") from None
    if start.startswith(b"\x80") or _PICKLED.fullmatch(Path(path).name):
        raise bad(_NO_PICKLES)
    raise bad("it is no .npz of NumPy; of IDX and of CIFAR-10's binary files, name their folder")


_NO_PICKLES = (
    "it holds CIFAR-10 as Python objects (pickles), which run code when they are opened; accepted "
    "is the binary version, cifar-10-binary.tar.gz, whose files end in .bin"
)


def _of_folder(bad: Any, folder: Path, names: list[str]) -> list[np.ndarray]:
    if batches := [name for name in names if _BATCH.fullmatch(name)]:
        if "test_batch.bin" not in names:
            raise bad("it holds data_batch_*.bin and no test_batch.bin")
        batches.sort(key=lambda name: int(re.findall(r"\d+", name)[0]))
        train = [_cifar(bad, folder / name) for name in batches]
        return [
            *(np.concatenate(arrays) for arrays in zip(*train, strict=True)),
            *_cifar(bad, folder / "test_batch.bin"),
        ]
    arrays = []
    for part, named in _PARTS.items():
        for kind in ("images.idx3", "labels.idx1"):
            wanted = f"{named}-{kind}-ubyte"
            spelt = (wanted.replace(".", "-"), wanted)
            there = [name for name in names if name.removesuffix(".gz") in spelt]
            if not there:
                if any(_PICKLED.fullmatch(name) for name in names):
                    raise bad(_NO_PICKLES)
                raise bad(
                    f"it holds no {spelt[0]}, the {kind[:6]} of the {part} set; accepted are the "
                    f"four files of MNIST's format, gzipped or not, or CIFAR-10's binary files"
                )
            _check_size(bad, os.path.getsize(folder / there[0]))
            arrays.append(_idx(bad, there[0], (folder / there[0]).read_bytes()))
    return arrays


def _check_size(bad: Any, needed: float) -> None:
    free = free_memory()
    if free is not None and needed > free:
        raise bad(f"it takes {size(needed)} of memory and {size(free)} are free")


def _idx(bad: Any, name: str, raw: bytes) -> np.ndarray:
    """The array of an IDX file: images or labels, as its name says, of unsigned bytes."""
    if raw[:2] == b"\x1f\x8b":
        raw = _unzipped(bad, name, raw)
    dimensions = 3 if "images" in name else 1
    header = 4 + 4 * dimensions
    if len(raw) < header or raw[:2] != b"\0\0" or not 1 <= raw[3] <= 4:
        raise bad(f"{name} is no file of MNIST's format (IDX)")
    if raw[2] != _UNSIGNED_BYTES or raw[3] != dimensions:
        held = {1: "labels", 3: "images"}.get(raw[3], f"arrays of {raw[3]} dimensions")
        raise bad(
            f"{name} holds {held if raw[2] == _UNSIGNED_BYTES else 'no unsigned bytes'}; accepted "
            f"are {'images' if dimensions == 3 else 'labels'} of unsigned bytes"
        )
    shape = struct.unpack(f">{dimensions}I", raw[4:header])
    if math.prod(shape) != len(raw) - header:
        raise bad(
            f"{name} declares {' x '.join(map(str, shape))} bytes and holds {len(raw) - header}: "
            f"it is cut off or damaged"
        )
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def _unzipped(bad: Any, name: str, raw: bytes) -> bytes:
    """What is in a gzipped IDX file, once its own header says how much that is."""
    stream = zlib.decompressobj(wbits=31)
    start = stream.decompress(raw, 16)
    if len(start) < 8:
        raise bad(f"{name} is cut off or damaged")
    count = start[3] if 1 <= start[3] <= 3 else 1
    shape = struct.unpack(f">{count}I", start[4 : 4 + 4 * count]) if len(start) >= 16 else (0,)
    expected = 4 + 4 * count + math.prod(shape)
    if expected > EXPANSION * len(raw):
        raise bad(f"{name} declares more data than the file can hold")
    _check_size(bad, expected)
    try:
        with gzip.open(io.BytesIO(raw)) as file:
            content = file.read(expected + 1)
    except (OSError, EOFError, zlib.error):
        raise bad(f"{name} is cut off or damaged") from None
    return content


def _cifar(bad: Any, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) and labels (N,) of a binary file of CIFAR-10."""
    there = path.stat().st_size
    if there == 0 or there % _RECORD:
        raise bad(
            f"{path.name} has {there} bytes, which are no whole records of {_RECORD}: it is cut "
            f"off, or no binary file of CIFAR-10"
        )
    _check_size(bad, 3 * there)
    records = np.fromfile(path, np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0]
    if labels.max() > 9:
        raise bad(f"{path.name} holds a label of {labels.max()}; accepted are 0 to 9")
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), labels


def _of_archive(bad: Any, archive: zipfile.ZipFile) -> list[np.ndarray]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    for name in _ARRAYS:
        if name not in members:
            there = ", ".join(list(members)[:10]) or "nothing"
            raise bad(f"it holds no array '{name}', only {there}")
    headers = {
        name: read_header(bad, archive, members[name], name, kinds)
        for name, kinds in _ARRAYS.items()
    }
    _check_size(bad, 2 * sum(members[name].file_size for name in _ARRAYS))
    return [read_array(bad, archive, members[name], *headers[name]) for name in _ARRAYS]


def _checked(path: str, *arrays: np.ndarray) -> ImageSet:
    """The set of arrays that fit together: images, labels, test images, test labels."""
    bad = partial(_bad, path)
    parts = []
    for part, images, labels in zip(("training", "test"), arrays[::2], arrays[1::2], strict=True):
        if images.ndim not in (3, 4) or min(images.shape) < 1:
            raise bad(
                f"the {part} images have shape {images.shape}; accepted is (images, height, width) "
                f"or (images, height, width, channels)"
            )
        images = images.reshape(*images.shape[:3], -1)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]  # as Keras has those of CIFAR-10
        if labels.shape != (len(images),):
            raise bad(
                f"there are {len(images)} {part} images and {len(labels.ravel())} labels; accepted "
                f"is one for each image"
            )
        if images.dtype != np.uint8:
            images = _finite(bad, images, part)
        numbers = labels.astype(np.int64)
        if numbers.min() < 0 or numbers.max() >= MOST_CLASSES:
            raise bad(
                f"its {part} labels run from {numbers.min()} to {numbers.max()}; accepted are "
                f"numbers of classes from 0 to {MOST_CLASSES - 1}"
            )
        parts += [images, numbers]
    train, train_labels, test, test_labels = parts
    if train.shape[1:] != test.shape[1:]:
        raise bad(
            f"its training images are {train.shape[1:]} and its test images {test.shape[1:]}; "
            f"accepted is one size"
        )
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    if classes < 2:
        raise bad("all its images are of one class: there is nothing to learn")
    digest = digest_of(*(np.ascontiguousarray(each) for each in parts))
    return ImageSet(path, train, train_labels, test, test_labels, classes, digest)


_BRIGHTEST = 1e30


def _finite(bad: Any, images: np.ndarray, part: str) -> np.ndarray:
    real = np.ascontiguousarray(images, np.float32 if images.dtype.itemsize <= 4 else np.float64)
    if not np.isfinite(real).all():
        raise bad(f"a value of its {part} images is not finite; accepted are numbers")
    if real.size and (largest := float(max(real.max(), -real.min()))) > _BRIGHTEST:
        raise bad(
            f"a value of its {part} images is {largest:g}; accepted are numbers up to "
            f"{_BRIGHTEST:g}, whose squares can be summed"
        )
    return real
