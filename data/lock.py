"""One writer for each output: a lock beside the file that names its owner and dies with it.

`run.h5.lock` is held with flock, which the kernel releases when its process ends, however it ends.
Its content says who holds it. Where flock does not reach other machines (some network file
systems), a file that another host has touched a short while ago counts as held, too; a holder
touches it now and then."""

import contextlib
import json
import os
import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from fracsim.data.errors import FileError, cannot_write
from fracsim.data.provenance import job_id

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

SIGN_OF_LIFE = 60.0
"""Seconds after which a lock of another host that nobody has touched is taken for a dead
owner's."""


def lock_path(product: str | os.PathLike[str]) -> Path:
    """Where the lock of a trajectory file lies."""
    target = Path(os.path.realpath(product))
    return target.with_name(target.name + ".lock")


class Owner(NamedTuple):
    """Who holds the lock of a trajectory file, or has died with it."""

    host: str
    pid: int
    job: str
    alive: bool

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" + (f", job {self.job}" if self.job else "")


def owner_of(product: str | os.PathLike[str]) -> Owner | None:
    """What the lock of a trajectory file says; None where there is none. The lock is not touched.

    An owner on this host is alive where its process is there, one on another host where it has
    lately touched the lock."""
    try:
        fd = os.open(lock_path(product), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    try:
        text, age = OutputLock._owner(fd), time.time() - os.fstat(fd).st_mtime
    except OSError:
        return None
    finally:
        os.close(fd)
    here = text.get("host") == socket.gethostname()
    stated = text.get("pid")
    pid = stated if isinstance(stated, int) else 0
    alive = _alive(pid) if here else age < SIGN_OF_LIFE
    return Owner(str(text.get("host", "an unknown host")), pid, str(text.get("job", "")), alive)


class OutputLock:
    """The lock of one output; a context manager. Raises FileError, naming host, pid and job, where
    another holds it."""

    def __init__(self, product: str | os.PathLike[str]) -> None:
        self.product = os.fspath(product)
        self.path = lock_path(product)
        self.left: dict[str, Any] = {}
        """The owner that died with the lock, as it described itself; empty where there was none."""
        self._fd = -1
        self._touched = 0.0

    def __enter__(self) -> Self:
        while self._fd < 0:
            self._fd = self._take()
        try:
            self.left = self._owner(self._fd)
            self._refuse_another_host()
            text = json.dumps(
                {
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "job": job_id(),
                    "since": time.time(),
                }
            )
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text.encode(), 0)
            self.touch()
        except OSError as error:
            self.__exit__(None, None, None)
            raise cannot_write(self.path, error) from error
        except FileError:
            os.close(self._fd)
            self._fd = -1
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self.path.unlink(
                    missing_ok=True
                )  # before it is released: nobody holds a name that is about to go
            os.close(self._fd)
            self._fd = -1

    def touch(self) -> None:
        """A sign of life; cheap, to be called often."""
        now = time.monotonic()
        if self._fd >= 0 and now - self._touched > SIGN_OF_LIFE / 6:
            self._touched = now
            with contextlib.suppress(OSError):
                os.utime(self._fd)

    def _take(self) -> int:
        """An open descriptor that holds the lock, or -1 where the file went away meanwhile."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            if fcntl is not None:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), os.stat(self.path)):
                return fd
        except FileNotFoundError:
            pass
        except BlockingIOError:
            owner = self._owner(fd)
            os.close(fd)
            raise FileError(self._sentence(owner)) from None
        except OSError:  # no locks on this file system: the owner's own words must do
            owner = self._owner(fd)
            if owner.get("host") == socket.gethostname() and _alive(owner.get("pid")):
                os.close(fd)
                raise FileError(self._sentence(owner)) from None
            return fd
        os.close(fd)
        return -1

    def _refuse_another_host(self) -> None:
        age = _now(self.path.parent) - os.fstat(self._fd).st_mtime
        if self.left and self.left.get("host") != socket.gethostname() and age < SIGN_OF_LIFE:
            raise FileError(
                self._sentence(self.left)
                + f" (it was alive {age:.0f} s ago; a dead one is recognised "
                f"after {SIGN_OF_LIFE:.0f} s)"
            )

    def _sentence(self, owner: dict[str, Any]) -> str:
        job = f", job {owner['job']}" if owner.get("job") else ""
        who = f"process {owner.get('pid', '?')} on {owner.get('host', 'an unknown host')}{job}"
        return (
            f"the output {self.product} is being written by {who}: wait for it, stop it, or "
            f"give another --output"
        )

    @staticmethod
    def _owner(fd: int) -> dict[str, Any]:
        try:
            owner = json.loads(os.pread(fd, 4096, 0) or b"{}")
        except (OSError, ValueError, RecursionError):
            return {}
        return owner if isinstance(owner, dict) else {}


def _now(folder: Path) -> float:
    """The time by the file system's clock, which dates its files; another host's may be minutes
    off."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # a full disk
        return time.time()


def _alive(pid: Any) -> bool:
    try:
        if int(pid) <= 0:  # kill would mean a group of processes
            return False
        os.kill(int(pid), 0)
    except PermissionError:  # another user's
        return True
    except (OSError, TypeError, ValueError):
        return False
    return True
