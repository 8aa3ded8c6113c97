"""The error of this room: a file that cannot be used or written, told in one sentence."""

import errno
from os import PathLike, fspath

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the disk reports an input/output error (EIO)",
    errno.ENOENT: "the folder does not exist",
    errno.ENOTDIR: "a part of its path is a file, not a folder",
    errno.EISDIR: "it is a folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "its name is too long",
    errno.EMFILE: "this process has too many open files (see ulimit -n)",
    errno.ENFILE: "this machine has too many open files",
}


def one_line(text: object) -> str:
    """Text on one line, which commands no terminal: what is not printable is a question mark."""
    line = " ".join(str(text).split())
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)


class FileError(RuntimeError):
    """A file cannot be read or written; the message is one sentence for the user."""

    exit_code = 1

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(message))


class AskedError(FileError, ValueError):
    """What is asked of a file that was read makes no sense: there is no such variable or run."""


def reason(error: OSError) -> str:
    """Why the operating system refused, in plain words."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def about_file(error: OSError) -> FileError:
    """What the operating system says of a file, as an error of ours."""
    name = error.filename if isinstance(error.filename, str) else "the file"
    return FileError(f"'{name}' cannot be used: {reason(error)}")


def printable(text: str, most: int = 300) -> str:
    """Text of a file nobody vouches for, which may be long, have many lines or command the
    terminal."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[: most + 1])
    return shown if len(shown) <= most else shown[:most] + "…"


def named(value: object) -> str:
    """A value in a message, in a phrase."""
    try:
        return printable(repr(value), 60)
    except Exception:  # of whoever wrote that __repr__
        return f"a {type(value).__name__}"


def cannot_write(path: str | PathLike[str], error: OSError, consequence: str = "") -> FileError:
    """FileError for a failed write; `consequence` says what became of the file."""
    return FileError(
        f"cannot write '{fspath(path)}': {reason(error)}{'; ' + consequence if consequence else ''}"
    )
