"""A first look at a file without a trailer, in a child process that may crash or hang instead of
us.

Of 6,000 files with three flipped bits libhdf5 crashed on 5 and hung on 17. A finished file carries
a checksum; a running, interrupted or foreign one does not, so a child with limits on processor time
and address space reads it first."""

import contextlib
import json
import os
import subprocess
import sys

from fracsim.data.errors import FileError

_SECONDS = 20
_ROOM = 1 << 30  # bytes of address space beyond what the interpreter and the file take
_FAULT = 3  # exit code for "a FileError, told on stdout"
_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from fracsim.data import sandbox
sandbox.child()
"""


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
            capture_output=True,
            text=True,
            timeout=2 * _SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FileError(f"'{name}' is damaged: reading it takes forever") from None
    if done.returncode == _FAULT:
        raise FileError(done.stdout.strip())
    if done.returncode < 0:
        raise FileError(f"'{name}' is damaged: reading it crashes or never ends")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FileError(f"'{name}' could not be inspected: {last}")


def child() -> None:
    """What the child does: take the limits, read everything, say what is wrong."""
    from fracsim.data import reader, samples  # noqa: F401  imported before the limits bind

    fd, name = int(sys.argv[2]), sys.argv[3]
    limit_memory(os.fstat(fd).st_size)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        reader.inspect(fd, name)
    except FileError as error:
        print(error)
        sys.exit(_FAULT)


def limit_memory(size: int) -> None:
    """Let this process take no more than reading a file of `size` bytes needs, where the system can
    limit it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        room = used + 4 * size + _ROOM
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
