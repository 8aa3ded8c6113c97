"""The trailer of a finished file: 64 bytes after the HDF5 data that say how long the data are and
what they hash to.

    offset  bytes  content
    0       16     b"fracsim-trailer\\n"
    16      8      trailer version, unsigned little-endian: 1
    24      8      length of the HDF5 data, unsigned little-endian
    32      32     SHA-256 of the HDF5 data

HDF5, netCDF and xarray ignore bytes after the data (a user block in front would make xarray refuse
the file). Readers verify the trailer before libhdf5, which crashes or hangs on some damaged files,
sees a byte."""

import hashlib
import os
import struct

from fracsim.data.atomic import read_at, write_at
from fracsim.data.errors import FileError

MAGIC = b"fracsim-trailer\n"
VERSION = 1
_LAYOUT = struct.Struct("<16sQQ32s")
SIZE = _LAYOUT.size
_BLOCK = 1 << 22

_verified: set[tuple[int, int, int, int]] = (
    set()
)  # device, inode, size, time of change: hashed once per process


def append(fd: int) -> None:
    """Append the trailer to the finished HDF5 data behind `fd`."""
    length = os.fstat(fd).st_size
    write_at(fd, _LAYOUT.pack(MAGIC, VERSION, length, _digest(fd, length)), length)


def verify(fd: int, name: str) -> bool:
    """True: trailer present and right. False: no trailer. FileError: the file is not what was
    written."""
    info = os.fstat(fd)
    length = info.st_size - SIZE
    tail = read_at(fd, SIZE, length) if length >= 0 else b""
    if not tail.startswith(MAGIC):
        return False
    _, version, stated, digest = _LAYOUT.unpack(tail)
    if version > VERSION:
        raise FileError(
            f"'{name}' is from a newer fracsim (trailer version {version}): update fracsim to "
            f"read it"
        )
    if version != VERSION or stated != length:
        raise FileError(
            f"'{name}' is damaged: its trailer says {stated} bytes of data, there are {length}"
        )
    key = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)
    if key not in _verified:
        if _digest(fd, length) != digest:
            raise FileError(
                f"'{name}' is damaged: its checksum does not match (changed after it was written)"
            )
        _verified.add(key)
    return True


def _digest(fd: int, length: int) -> bytes:
    """SHA-256 of the first `length` bytes."""
    hashed, offset = hashlib.sha256(), 0
    while offset < length and (block := read_at(fd, min(_BLOCK, length - offset), offset)):
        hashed.update(block)
        offset += len(block)
    return hashed.digest()
