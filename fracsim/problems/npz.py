"""Arrays of numbers in an .npz, read without trust: headers are compared with what is there before
memory is taken, and nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable

import numpy as np

Bad = Callable[[str], Exception]
"""Makes the error of a file from a reason."""

EXPANSION = 1100
"""Deflate cannot shrink data by more than 1032."""

_HEADER = 10_000  # bytes of an array's header that NumPy accepts


def read_header(
    bad: Bad, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, kinds: str
) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, order, type and length of the header of an array, once its bytes are there to be
    read; ``kinds``: those of NumPy's types that are accepted. Raises what ``bad`` makes of a
    sentence."""
    if info.flag_bits & 1:
        raise bad("it is encrypted")
    if info.file_size > EXPANSION * info.compress_size + _HEADER:
        raise bad(f"'{name}' declares more data than the file can hold")
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise bad(f"'{name}' has a format that no array of numbers has")
        shape, fortran, dtype = read(stream, max_header_size=_HEADER)
        length = stream.tell()
    if dtype.hasobject:
        raise bad(
            f"'{name}' holds Python objects (a pickle), which is not opened; accepted are numbers",
        )
    if dtype.kind not in kinds or dtype.itemsize > 8 or dtype.names:
        wanted = "whole numbers" if kinds == "iu" else "numbers"
        raise bad(f"'{name}' is of type {dtype}; accepted are {wanted}")
    if math.prod(shape) * dtype.itemsize != info.file_size - length:
        raise bad(
            f"'{name}' declares shape {shape} of {dtype}, which is not what it holds "
            f"({info.file_size - length} bytes)",
        )
    return shape, fortran, dtype, length


def read_array(
    bad: Bad,
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    shape: tuple[int, ...],
    fortran: bool,
    dtype: np.dtype,
    header: int,
) -> np.ndarray:
    """The array behind a header. Raises what ``bad`` makes of a sentence."""
    with archive.open(info) as stream:
        stream.read(header)
        flat = np.empty(math.prod(shape), dtype)
        view = flat.data.cast("B")
        done = 0
        while done < len(view) and (part := stream.read(min(len(view) - done, 1 << 24))):
            view[done : done + len(part)] = part
            done += len(part)
        if done < len(view) or stream.read(1):  # the last read also compares the checksum
            raise bad("it is cut off or damaged")
    return flat.reshape(shape, order="F" if fortran else "C")
