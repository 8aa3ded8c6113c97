"""Writing to the disk so that a failure is an error sentence and never a half-written or lost file.

libhdf5 keeps dirty metadata when a write fails, fails again when the file is closed and crashes the
process at exit. So it never meets a failing disk here: it talks to a `AtomicFile`, which remembers
the first error, lets libhdf5 finish, and raises that error afterwards. A new file becomes visible
only when it is whole (`replacing`)."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fracsim.data.errors import FileError, cannot_write

_BLOCK = 1 << 24


def write_at(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all bytes of `data` at `offset`; every write of this package passes here (tests inject
    faults and cuts)."""
    done = os.pwrite(fd, data, offset)
    while done < len(data):
        done += os.pwrite(fd, memoryview(data)[done:], offset + done)


def read_at(fd: int, count: int, offset: int) -> bytes:
    """Read `count` bytes at `offset`, fewer only where the file ends."""
    parts = []
    while count and (part := os.pread(fd, min(count, _BLOCK), offset)):
        parts.append(part)
        count, offset = count - len(part), offset + len(part)
    return b"".join(parts)


class AtomicFile(io.RawIOBase):
    """A file object for h5py on an open descriptor, which stays open when this object is closed."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._position = 0
        self._error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        self._position = offset + (os.fstat(self.fd).st_size if base is None else base)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = read_at(self.fd, len(view), self._position)
        view[: len(data)] = data
        # h5py takes the buffer as filled. After an error the file is shorter than libhdf5 believes,
        # which would follow whatever the memory held before as references of text
        view[len(data) :] = bytes(len(view) - len(data))
        self._position += len(data)
        return len(data)

    def write(self, data: Any) -> int:
        self._try(lambda: write_at(self.fd, data, self._position))
        self._position += len(data)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        self._try(lambda: os.ftruncate(self.fd, size))
        return size

    def _try(self, action: Callable[[], object]) -> None:
        if self._error is None:
            try:
                action()
            except OSError as error:
                self._error = error

    def check(self) -> None:
        """Raise the first OSError that was met."""
        if self._error is not None:
            raise self._error


def check_name(path: str | os.PathLike[str]) -> None:
    """Raise FileError for what no system takes as the name of a file."""
    try:
        wrong = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        wrong = True
    if wrong:
        raise FileError(f"{os.fspath(path)!r} is not a file name")


def part_path(target: Path) -> Path:
    """Where the file that will take the place of ``target`` is written."""
    return target.with_name(f".{target.name}.part")


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], consequence: str = "", previous: Path | None = None
) -> Iterator[AtomicFile]:
    """A new file that takes the place of `path` at once when the block ends well, and leaves
    nothing behind otherwise.

    Temporary file in the same folder, fsync, rename, fsync of the folder. A link is followed, not
    replaced. The caller may `os.dup` the descriptor to keep the file open. `previous`: the name
    under which the old file is kept. Raises FileError, which ends with `consequence`."""
    fd = -1
    try:
        check_name(path)
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            raise FileError(
                f"cannot write '{os.fspath(path)}': it is a folder or a device, not a file"
            )
        part = part_path(target)
        part.unlink(missing_ok=True)
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        file = AtomicFile(fd)
        try:
            yield file
        except Exception:
            # the disk's fault, if there was one, is the cause of whatever h5py met later
            file.check()
            raise
        file.check()
        os.fsync(fd)
        if previous is not None:
            with contextlib.suppress(FileNotFoundError):
                os.replace(target, previous)
        os.replace(part, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise cannot_write(path, error, consequence) from error
    finally:
        if fd >= 0:
            os.close(fd)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)  # after success it has another name


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(
        OSError
    ):  # some network file systems cannot; the rename itself has succeeded
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
