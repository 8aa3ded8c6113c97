"""A first look at a file without a checksum, in a child process that may crash or hang instead of
us.

Of 6,000 files with three flipped bits libhdf5 crashed on 5 and hung on 17. A finished file carries
a checksum (its trailer), and so do one that is being written and one that was interrupted (their
journal, of all that libhdf5 reads but values and counters). An unfinished file of version 1 and a
foreign one have none, so a child with limits on processor time and address space reads it first. It
makes no difference who owns a file, or who holds its lock: neither says that its bytes are whole,
and a checksum does.

Only processor time and a crash of libhdf5 say that a file is damaged. The clock says how busy the
machine is, and an interrupt, a memory killer or the end of a job say nothing of the file."""

import json
import os
import signal
import subprocess
import sys

from fracsim.data.errors import FileError, reason

SECONDS = 20
"""Of processor time for the child, and one more for every ``BYTES_PER_SECOND`` of the file."""

BYTES_PER_SECOND = 1 << 24

PATIENCE = 3600
"""Seconds on the clock after which a child that a busy machine or disk keeps waiting is given
up."""

FAULT = 3
"""Exit code of the child for a FileError, told on stdout."""

_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from fracsim.data import sandbox_child
sandbox_child.main()
"""


_CRASHES = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGXCPU")
"""What ends a child that reads a damaged file; every other signal is somebody's wish."""


def cpu_seconds(size: int) -> int:
    """Of processor time that reading a file of ``size`` bytes may take."""
    return SECONDS + size // BYTES_PER_SECOND


def inspect(fd: int, name: str) -> None:
    """Raise FileError where the child cannot read the file behind `fd` whole and in time."""
    command = [sys.executable, "-c", _CODE, json.dumps(sys.path), str(fd), name]
    # One BLAS thread: each reserves address space, which is limited.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            pass_fds=(fd,),
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
            start_new_session=True,  # Ctrl-C is for us
        )
    except subprocess.TimeoutExpired:
        raise FileError(
            f"'{name}' could not be inspected in {PATIENCE:,} s: the machine or its disk is too "
            f"busy; give the same command again"
        ) from None
    except OSError as error:
        raise FileError(f"'{name}' could not be inspected: {reason(error)}") from error
    if done.returncode == FAULT:
        raise FileError(done.stdout.strip())
    if done.returncode < 0:
        raise FileError(_ended_by(-done.returncode, name))
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FileError(f"'{name}' could not be inspected: {last}")


def _ended_by(number: int, name: str) -> str:
    """What a child that a signal has ended says of the file."""
    if number in {getattr(signal, crash, None) for crash in _CRASHES}:
        return f"'{name}' is damaged: reading it crashes or never ends"
    try:
        which = signal.Signals(number).name
    except ValueError:  # of real time
        which = f"signal {number}"
    return (
        f"'{name}' could not be inspected: the process that read it was killed by {which}, from "
        f"outside or for want of memory; give the same command again"
    )
