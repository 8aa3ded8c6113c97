"""Opening a file nobody vouches for: nothing is followed, allocated or decoded before it is
checked.

HDF5 files can point into other files (external and soft links, external storage, virtual datasets;
CVE-2026-1669), declare shapes far beyond their size and ask for filter plugins; h5py has no switch
against any of it. So every object is reached by hard links only, one component at a time, and every
dataset is compared with the schema before it is read."""

import contextlib
import os
import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

import h5py
import numpy as np

from fracsim.data import maps, sandbox, trailer
from fracsim.data.atomic import AtomicFile, read_at
from fracsim.data.errors import FileError, named, printable, reason
from fracsim.data.journal import Journal, read_journal

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_EXPANSION = 1100  # deflate cannot shrink data by more than 1032
_MAX_MEMBERS = 10_000
_MAX_CHUNK = 1 << 26
_TEXT_ROOM = 1 << 28  # characters of all texts of a file: many may be one and the same stored text
# How a column refers to its texts, which lie elsewhere in the file ("variable-length data" in
# HDF5's file format).
_REFERENCE = np.dtype([("length", "<u4"), ("collection", "<u8"), ("index", "<u4")])
# All else (compound, variable-length, reference, enumeration, opaque) is never ours, and h5py
# decodes it recursively.
_TYPES = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING)


class Opened(NamedTuple):
    """A file that passed the outer checks: its root, its name for messages, whether a trailer
    vouches for its bytes, and the journal that does while it is unfinished."""

    root: h5py.File
    name: str
    sealed: bool
    size: int
    fd: int
    journal: Journal | None = None


@contextlib.contextmanager
def opened(
    path: str | os.PathLike[str], name: str = "", quarantined: bool = False
) -> Iterator[Opened]:
    """Open for reading. Raises FileError for every fault, whether met here or in the `with` block.

    `name`: what messages call the file instead of `path`. `quarantined`: this is already the child
    process. The file stays the same one even if a writer replaces `path` meanwhile; no lock is
    taken."""
    try:
        name = name or os.fspath(path)
        name = str.__str__(name)  # an enumeration's own is another
    except Exception:  # of whoever wrote it
        raise FileError(f"{named(path)} is not a file name") from None
    fd = _descriptor(path, name)
    try:
        sealed = trailer.verify(fd, name)
        end, size = _check_start(fd, name), os.fstat(fd).st_size
        kept = None if sealed else read_journal(fd, name, end, size)
        if not sealed and kept is None and not quarantined:
            sandbox.inspect(fd, name)
        # The first descriptor's file, not the path's: a finished file may have taken its place by
        # now.
        with h5py.File(AtomicFile(fd), "r") as root:
            yield Opened(root, name, sealed, size, fd, kept)
    except FileError:
        raise
    except MemoryError:
        raise FileError(f"'{name}' does not fit into memory") from None
    except OSError as error:
        why = reason(error) if error.errno else "libhdf5 cannot read it"
        raise FileError(f"'{name}' cannot be read: {why}") from error
    # What libhdf5 and h5py raise on a damaged file is of no fixed kind.
    except Exception as error:
        raise FileError(
            f"'{name}' is damaged or not a fracsim file ({type(error).__name__} while reading)"
        ) from error
    finally:
        os.close(fd)


def _descriptor(path: str | os.PathLike[str], name: str) -> int:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would make open() wait
            raise FileError(f"'{name}' is not a regular file")
        return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise FileError(f"there is no file '{name}'") from None
    except OSError as error:
        raise FileError(f"'{name}' cannot be read: {reason(error)}") from error
    except ValueError as error:
        raise FileError(f"{name!r} is not a file name: {error}") from error


def _check_start(fd: int, name: str) -> int:
    """Signature, and the length that the superblock states, which is returned."""
    start = read_at(fd, 96, 0)
    size = os.fstat(fd).st_size
    if not start:
        raise FileError(f"'{name}' is empty")
    if not start.startswith(_SIGNATURE):
        raise FileError(f"'{name}' is not an HDF5 file")
    end_at = {0: 40, 1: 44, 2: 28, 3: 28}.get(start[8] if len(start) > 8 else -1)
    if end_at is None or len(start) < end_at + 8:
        raise FileError(f"'{name}' is truncated or not a fracsim file")
    (end,) = struct.unpack_from("<Q", start, end_at)
    if size < end:
        raise FileError(f"'{name}' is truncated: {size} of {end} bytes are there")
    return int(end)


class Inspector:
    """Checked access to the objects of one file, within one budget of declared bytes."""

    def __init__(self, file: Opened) -> None:
        self.file = file
        self._stored = self._text = 0

    def bad(self, what: str) -> FileError:
        return FileError(f"'{self.file.name}' is not a valid fracsim file: {printable(what)}")

    def members(self, group: h5py.Group) -> list[str]:
        """Names in a group, all of them hard links."""
        if len(group) > _MAX_MEMBERS:
            raise self.bad(f"{len(group)} objects in one group")
        names = list(group)
        for name in names:
            self._check_link(group, name)
        return names

    def group(self, parent: h5py.Group, name: str) -> h5py.Group:
        """Child group `name` of `parent`."""
        self._check_link(parent, name)
        if not isinstance(child := parent[name], h5py.Group):
            raise self.bad(f"'{name}' is not a group")
        return child

    def dataset(self, group: h5py.Group, name: str, shape: tuple[int | None, ...]) -> h5py.Dataset:
        """Child dataset `name`, its storage and shape checked (None: any length on that axis), not
        yet read."""
        self._check_link(group, name)
        if not isinstance(found := group[name], h5py.Dataset):
            raise self.bad(f"'{name}' is not a dataset")
        if found.external or found.is_virtual:
            raise self.bad(f"'{name}' keeps its data in another file")
        if found.shape is None or len(found.shape) != len(shape):
            raise self.bad(f"'{name}' has shape {found.shape}")
        if any(
            wanted is not None and wanted != size
            for wanted, size in zip(shape, found.shape, strict=True)
        ):
            raise self.bad(f"'{name}' has shape {found.shape} instead of {shape}")
        if found.id.get_type().get_class() not in _TYPES:
            raise self.bad(f"'{name}' has a type that no fracsim file has")
        self._check_storage(found, name)
        return found

    def numbers(
        self, group: h5py.Group, name: str, shape: tuple[int | None, ...], dtype: str
    ) -> np.ndarray:
        """All values of a dataset of exactly this type."""
        found = self.dataset(group, name, shape)
        if found.dtype != np.dtype(dtype):
            raise self.bad(f"'{name}' has type {found.dtype} instead of {np.dtype(dtype)}")
        return self._values(found, name)

    def column(self, group: h5py.Group, name: str, count: int) -> np.ndarray:
        """A column of `count` numbers, or texts as a str array."""
        found = self.dataset(group, name, (count,))
        if h5py.check_string_dtype(found.dtype) is None:
            if found.dtype.str not in ("<i8", "<u8", "<f8", "|i1"):
                raise self.bad(f"'{name}' has type {found.dtype}")
            return self._values(found, name)
        self._take(found, name)
        # An array has room for the longest text in every place, and many can be one and the same
        # stored text.
        self._text += count * self._longest(found, name, count)
        if self._text > _TEXT_ROOM:
            raise self.bad(f"the texts of '{name}' are too long")
        return np.array(found.asstr()[...], dtype=str)

    def _values(self, found: h5py.Dataset, name: str) -> np.ndarray:
        """All values of a checked dataset of numbers, which are counted."""
        self._take(found, name)
        return np.asarray(found[...])

    def _longest(self, found: h5py.Dataset, name: str, count: int) -> int:
        """Bytes of the longest text of a column, found without reading the texts."""
        kind, offset = found.id.get_type(), found.id.get_offset()
        if not kind.is_variable_str():
            return int(kind.get_size())
        size = count * _REFERENCE.itemsize
        if found.id.get_storage_size() != size or offset is None:
            raise self.bad(f"'{name}' is stored in an unknown way")
        references = np.frombuffer(read_at(self.file.fd, size, offset), _REFERENCE)
        return int(references["length"].max(initial=0))

    def attributes(self, node: h5py.Group) -> dict[str, str | int | float]:
        """All scalar attributes as Python values; others are left out."""
        if h5py.h5a.get_num_attrs(node.id) > _MAX_MEMBERS:
            raise self.bad("too many attributes")
        result: dict[str, str | int | float] = {}
        stored = node.attrs  # once: of a file, h5py looks up its root at each
        for name in stored:
            found = stored.get_id(name)
            kind = found.get_type()
            if (
                found.shape != ()
                or kind.get_class() not in _TYPES
                or kind.get_size() > self.file.size
            ):
                continue
            value = stored[name]
            if isinstance(value, bytes):
                value = value.decode()
            if isinstance(value, str):
                self._text += len(value)
                if self._text > _TEXT_ROOM:
                    raise self.bad("the texts of its attributes are too long")
            result[name] = value.item() if isinstance(value, np.generic) else value
        return {
            name: value for name, value in result.items() if isinstance(value, str | int | float)
        }

    def root_attributes(self) -> dict[str, str | int | float]:
        """The attributes of the file, its fractals with their maps."""
        root, found = self.file.root, self.attributes(self.file.root)
        if maps.GROUP not in root:
            return found
        group = self.group(root, maps.GROUP)

        def read(number: int) -> maps.Maps:
            one = self.group(group, str(number))
            offset = self.numbers(one, "offset", (None, None), "<f8")
            shape = (*offset.shape, offset.shape[1])
            return maps.Maps(self.numbers(one, "matrix", shape, "<f8"), offset)

        return maps.put_back(found, read)

    def _check_link(self, group: h5py.Group, name: str) -> None:
        if not group.id.links.exists(name.encode()):
            raise self.bad(f"'{name}' is missing")
        if group.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
            raise self.bad(f"'{name}' is a soft or external link")

    def _check_storage(self, found: h5py.Dataset, name: str) -> None:
        creation = found.id.get_create_plist()
        filters = {creation.get_filter(i)[0] for i in range(creation.get_nfilters())}
        chunked = creation.get_layout() == h5py.h5d.CHUNKED
        if not filters <= _FILTERS or (
            not chunked and creation.get_layout() != h5py.h5d.CONTIGUOUS
        ):
            raise self.bad(f"'{name}' is stored in an unknown way")
        if chunked and not self.file.sealed:  # ours are contiguous until they are finished
            raise self.bad(f"'{name}' is compressed in an unfinished file")
        if (
            chunked
            and np.prod(creation.get_chunk(), dtype=object) * found.dtype.itemsize > _MAX_CHUNK
        ):
            raise self.bad(f"'{name}' has too large chunks")
        # Before anything of this size is allocated: the bytes must be there, and enough of them.
        stored, declared = found.id.get_storage_size(), _declared(found)
        if stored > self.file.size:
            raise self.bad(f"'{name}' claims more bytes than the file has")
        if declared > stored * (_EXPANSION if chunked else 1):
            raise self.bad(f"'{name}' declares more data than the file can hold")

    def _take(self, found: h5py.Dataset, name: str) -> None:
        """Count what is about to be read: datasets of ours never share bytes."""
        self._stored += found.id.get_storage_size()
        if self._stored > self.file.size:
            raise self.bad(f"'{name}' declares more data than the file can hold")


def _declared(found: h5py.Dataset) -> int:
    """Bytes of all values of a dataset, as its shape and type declare them."""
    return int(found.id.get_type().get_size()) * int(np.prod(found.shape, dtype=object))
