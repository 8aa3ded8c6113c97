"""Checkpoints: what bit-exact continuation needs, beside the trajectory file, as one file that is
whole or not there.

A checkpoint of `run.h5` is `run.h5.checkpoint`; the one before it is kept as
`run.h5.checkpoint.previous`. Content:

    b"fracsim-checkpoint 1\\n", length of the header (8 bytes, little-endian), header (JSON),
    arrays, SHA-256 of it all

The header holds the caller's facts, and name, type and shape of every array in the order of the
file. A new checkpoint is written under another name, synced, and renamed after the old one has got
its second name: a kill at any moment leaves a valid one."""

import hashlib
import json
import math
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fracsim.data.atomic import part_path, read_at, replacing, write_at
from fracsim.data.errors import FileError, reason

MAGIC = b"fracsim-checkpoint 1\n"
_LENGTH = struct.Struct("<Q")
_DIGEST = hashlib.sha256().digest_size
_MOST_HEADER = 1 << 26
_TYPES = ("<f4", "<f8", "<i8")


class Checkpoint(NamedTuple):
    """Facts (as JSON gives them back) and arrays by name."""

    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]


def checkpoint_path(product: str | os.PathLike[str]) -> Path:
    """Where the checkpoint of a trajectory file lies; one that is a link has it beside the file it
    points to."""
    target = Path(os.path.realpath(product))
    return target.with_name(target.name + ".checkpoint")


def previous_path(product: str | os.PathLike[str]) -> Path:
    """Where the checkpoint before the newest lies."""
    path = checkpoint_path(product)
    return path.with_name(path.name + ".previous")


def write_checkpoint(
    product: str | os.PathLike[str], facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Make a checkpoint the newest and keep the one before. Raises FileError; then the old ones are
    as they were."""
    stored = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    index = [[name, values.dtype.str, list(values.shape)] for name, values in stored.items()]
    header = json.dumps({"facts": dict(facts), "arrays": index}).encode()
    hashed, offset = hashlib.sha256(), 0
    with replacing(
        checkpoint_path(product), "the checkpoint before it is kept", previous_path(product)
    ) as file:
        pieces: list[bytes | memoryview] = [
            MAGIC,
            _LENGTH.pack(len(header)),
            header,
            *map(_bytes, stored.values()),
        ]
        for piece in pieces:
            write_at(file.fd, piece, offset)
            hashed.update(piece)
            offset += len(piece)
        write_at(file.fd, hashed.digest(), offset)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """A checkpoint file, verified as a whole before any of it is used. Raises FileError, one
    sentence."""
    name = os.fspath(path)
    with _opened(name) as fd:
        content = read_at(fd, os.fstat(fd).st_size, 0)
    if not content.startswith(MAGIC[:-2]):
        raise FileError(f"'{name}' is not a checkpoint of fracsim")
    if not content.startswith(MAGIC):
        raise FileError(f"the checkpoint '{name}' is of another version of fracsim")
    if len(content) < len(MAGIC) + _LENGTH.size + _DIGEST or (
        hashlib.sha256(memoryview(content)[:-_DIGEST]).digest() != content[-_DIGEST:]
    ):
        raise FileError(f"the checkpoint '{name}' is damaged: its checksum does not match")
    return _parse(content, name)


def read_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The facts of a checkpoint alone, to be shown; its arrays are not read and so not verified.
    Raises FileError."""
    name = os.fspath(path)
    with _opened(name) as fd:
        start = read_at(fd, len(MAGIC) + _LENGTH.size, 0)
        try:
            if not start.startswith(MAGIC):
                raise ValueError("it does not start like one")
            (length,) = _LENGTH.unpack_from(start, len(MAGIC))
            if length > min(_MOST_HEADER, os.fstat(fd).st_size):
                raise ValueError("its header is too long")
            return dict(json.loads(read_at(fd, length, len(start)))["facts"])
        except (ValueError, KeyError, TypeError, struct.error, RecursionError) as error:
            raise FileError(f"the checkpoint '{name}' is not a valid one: {error}") from error


@contextmanager
def _opened(name: str) -> Iterator[int]:
    """A descriptor of a regular file; FileError for whatever the system has against it."""
    fd = -1
    try:
        fd = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would make it wait
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FileError(f"the checkpoint '{name}' is not a regular file")
        yield fd
    except OSError as error:
        raise FileError(f"the checkpoint '{name}' cannot be read: {reason(error)}") from error
    finally:
        if fd >= 0:
            os.close(fd)


def promote_previous(product: str | os.PathLike[str]) -> None:
    """Let the checkpoint before the newest take its place, where the newest is of no use.

    Else the next checkpoint would push the only valid one out before it has its own name.
    """
    with suppress(OSError):
        os.replace(previous_path(product), checkpoint_path(product))


def remains(product: str | os.PathLike[str]) -> list[Path]:
    """The checkpoints of a trajectory file that are there, and what a kill left of files that were
    being written."""
    newest, target = checkpoint_path(product), Path(os.path.realpath(product))
    return [
        path
        for path in (newest, previous_path(product), part_path(newest), part_path(target))
        if path.is_file()
    ]


def remove_checkpoints(product: str | os.PathLike[str]) -> None:
    """Delete the checkpoints of a trajectory file, where there are any."""
    for path in remains(product):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _bytes(values: np.ndarray) -> memoryview:
    return memoryview(values.reshape(-1).view(np.uint8).data) if values.size else memoryview(b"")


def _parse(content: bytes, name: str) -> Checkpoint:
    """The parts of a verified checkpoint; what does not fit together was written by something else
    than this code."""
    try:
        (length,) = _LENGTH.unpack_from(content, len(MAGIC))
        first = len(MAGIC) + _LENGTH.size
        if length > min(_MOST_HEADER, len(content)):
            raise ValueError("its header is too long")
        header = json.loads(content[first : first + length])
        offset, arrays = first + length, {}
        for key, dtype, shape in header["arrays"]:
            count = math.prod(shape)
            if (
                dtype not in _TYPES
                or count < 0
                or offset + count * np.dtype(dtype).itemsize > len(content) - _DIGEST
            ):
                raise ValueError(f"array {key}")
            arrays[str(key)] = np.frombuffer(content, dtype, count, offset).reshape(shape).copy()
            offset += count * np.dtype(dtype).itemsize
        return Checkpoint(dict(header["facts"]), arrays)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(f"the checkpoint '{name}' is not a valid one: {error}") from error
