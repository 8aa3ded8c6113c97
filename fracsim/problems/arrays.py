"""A user's table, read without trust: everything is compared before memory is taken, and nothing is
unpickled.

An .npz is a zip of arrays, each with a header that declares its type and shape. Here the headers
are read first, from the zip's own table of contents, and only numbers of the size that is there are
then read."""

from __future__ import annotations

import functools
import hashlib
import math
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fracsim.data.errors import FileError, printable, reason
from fracsim.errors import UsageError
from fracsim.machine.memory import free_memory
from fracsim.problems.npz import read_array, read_header
from fracsim.text import size
from fracsim.values.settings import label

MOST_GROUPS = 2**15
"""Groups are stored as int16."""

_MOST_VALUES = 1001  # distinct labels are counted up to here
_BLOCK = 1 << 20  # numbers that are checked at once
_ARRAYS = {"x": "fiub", "y": "fiub", "group": "iu"}  # name -> kinds of NumPy's types


@dataclass(frozen=True, eq=False)
class Table:
    """x (N, d) float32 or float64, y (N,) float64, group (N,) int16, all finite."""

    path: str
    x: np.ndarray
    y: np.ndarray
    group: np.ndarray
    whole: bool
    """Whether y is stored as whole numbers."""
    values: np.ndarray
    """The distinct values of y, ascending, at most 1,001 of them."""
    digest: str
    """SHA-256 (hex) of the arrays."""

    def facts(self) -> dict[str, Any]:
        """What a run must know of the table before its points."""
        return {
            "points": len(self.y),
            "inputs": self.x.shape[1],
            "groups": int(self.group.max()) + 1,
            "values": len(self.values),
            "whole": self.whole,
            "largest": max(_largest(self.x), _largest(self.y)),
        }


def read_table(path: str) -> Table:
    """The table of a file, read once while it stays as it is. Raises UsageError, one sentence."""
    try:
        info = os.stat(path)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            why = "there is no such file"
        else:
            why = reason(error) if isinstance(error, OSError) else "it is no name of a file"
        raise _bad(path, why) from None
    if not stat.S_ISREG(info.st_mode):
        raise _bad(path, "it is a folder, a pipe or a device, not a file")
    return _read(path, (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns))


def _bad(path: str, why: str) -> UsageError:
    return UsageError(f"{label('table')}: '{path}' cannot be used: {printable(why)}")


@functools.lru_cache(maxsize=4)
def _read(path: str, stamp: tuple[int, ...]) -> Table:
    try:
        with open(path, "rb") as file:
            start = file.read(8)
        if not start:
            raise _bad(path, "it is empty")
        if start.startswith(b"\x89HDF"):
            return _of_samples(path)
        if start.startswith(b"\x93NUMPY"):
            raise _bad(path, "it is a single array (.npy); accepted is an .npz with x and y")
        if not start.startswith(b"PK"):
            raise _bad(path, "it is neither an .npz of NumPy nor a file of fracsim sample")
        with zipfile.ZipFile(path) as archive:
            return _of_archive(path, archive)
    except UsageError:
        raise
    except OSError as error:
        raise _bad(path, reason(error)) from None
    except MemoryError:
        raise _bad(path, "it does not fit into memory") from None
    # What zipfile, zlib and NumPy raise on a damaged file is of no fixed kind.
    except Exception as error:
        raise _bad(path, f"it is damaged ({type(error).__name__} while reading)") from None


def _of_samples(path: str) -> Table:
    from fracsim.data.samples import read_samples

    try:
        samples = read_samples(path)
    except FileError as error:
        raise UsageError(f"{label('table')}: {error}") from error
    return _checked(path, samples.x, samples.y, samples.level)


def _of_archive(path: str, archive: zipfile.ZipFile) -> Table:
    members = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise _bad(path, f"it holds '{name}' twice")
        members[name] = info
    for name in ("x", "y"):
        if name not in members:
            there = ", ".join(list(members)[:10]) or "nothing"
            raise _bad(path, f"it holds no array '{name}', only {there}")
    bad = partial(_bad, path)
    held = [name for name in _ARRAYS if name in members]
    headers = {name: read_header(bad, archive, members[name], name, _ARRAYS[name]) for name in held}
    _check_shapes(path, {name: header[0] for name, header in headers.items()})
    needed = sum(3 * members[name].file_size for name in held)
    free = free_memory()
    if free is not None and needed > free:
        raise _bad(path, f"it takes {size(needed)} of memory and {size(free)} are free")
    arrays = {
        name: read_array(bad, archive, members[name], *header) for name, header in headers.items()
    }
    return _checked(path, arrays["x"], arrays["y"], arrays.get("group"))


def _check_shapes(path: str, shapes: dict[str, tuple[int, ...]]) -> None:
    x = shapes["x"]
    if len(x) != 2 or x[1] < 1:
        raise _bad(path, f"'x' has shape {x}; accepted is (points, inputs)")
    for name in ("y", "group"):
        if name in shapes and shapes[name] != (x[0],):
            raise _bad(
                path,
                f"'{name}' has shape {shapes[name]} beside x of {x}; accepted is ({x[0]},), one "
                f"for each point",
            )
    if x[0] < 2:
        raise _bad(path, f"it holds {x[0]} point(s); accepted are two or more")


def _checked(path: str, x: np.ndarray, y: np.ndarray, group: np.ndarray | None) -> Table:
    """A table of arrays that fit together, once every number in them is one."""
    whole = y.dtype.kind in "iub"
    if len(y) < 2:
        raise _bad(path, f"it holds {len(y)} point(s); accepted are two or more")
    small = x.dtype.itemsize <= (4 if x.dtype.kind == "f" else 2)
    x = np.ascontiguousarray(x, np.float32 if small else np.float64)
    y = np.ascontiguousarray(y, np.float64)
    for name, rows in (("x", x), ("y", y)):
        for first, block in _blocks(rows):
            if not np.isfinite(block).all():
                at = first + int(np.argwhere(~np.isfinite(block))[0][0])
                raise _bad(path, f"'{name}' of point {at} is not finite; accepted are numbers")
    if group is None:
        group = np.zeros(len(y), np.int16)
    low, high = int(group.min()), int(group.max())
    if low < 0 or high >= MOST_GROUPS:
        raise _bad(path, f"'group' runs from {low} to {high}; accepted is 0 to {MOST_GROUPS - 1:,}")
    group = np.ascontiguousarray(group, np.int16)
    values = _values(y)
    if len(values) == 1:
        raise _bad(path, f"y is {values[0]:g} everywhere: there is nothing to learn")
    return Table(path, x, y, group, whole, values, digest_of(x, y, group))


def _largest(rows: np.ndarray) -> float:
    return max(float(np.abs(block).max()) for _, block in _blocks(rows))


def _blocks(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, block) of an array, a few million numbers at a time."""
    step = max(1, _BLOCK // max(1, math.prod(rows.shape[1:])))
    for first in range(0, len(rows), step):
        yield first, rows[first : first + step]


def _values(y: np.ndarray) -> np.ndarray:
    found = np.unique(y[:_BLOCK])[:_MOST_VALUES]
    for _, block in _blocks(y):
        if len(found) == _MOST_VALUES:
            break
        found = np.unique(np.concatenate([found, block]))[:_MOST_VALUES]
    return found


def digest_of(*arrays: np.ndarray) -> str:
    """SHA-256 (hex) of arrays, whatever the order of their bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{array.shape} {little.dtype.str} ".encode())
        digest.update(little.data)
    return digest.hexdigest()
