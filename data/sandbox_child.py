"""The child process that reads a file without a trailer first (see ``sandbox``): what it does and
what it may take."""

import contextlib
import os
import sys

# samples, too: all that is imported has to be there before the limits bind
from fracsim.data import reader, samples  # noqa: F401
from fracsim.data.errors import FileError
from fracsim.data.sandbox import FAULT, cpu_seconds

_ROOM = 1 << 30  # bytes of address space beyond what the interpreter and the file take


def main() -> None:
    """What the child does: take the limits, read everything, say what is wrong."""
    fd, name = int(sys.argv[2]), sys.argv[3]
    size = os.fstat(fd).st_size
    limit_memory(size)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        # SIGXCPU at the first, which nobody else sends; SIGKILL would look like a memory killer's
        seconds = cpu_seconds(size)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        reader.inspect(fd, name)
    except FileError as error:
        print(error)
        sys.exit(FAULT)


def limit_memory(size: int) -> None:
    """Let this process take no more than reading a file of `size` bytes needs, where the system can
    limit it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        room = used + 4 * size + _ROOM
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
