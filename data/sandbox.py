"""A first look at a file without a checksum, in a child process that may crash or hang instead of
us.

Of 6,000 files with three flipped bits libhdf5 crashed on 5 and hung on 17. A finished file carries
a checksum (its trailer), and so do one that is being written and one that was interrupted (their
journal, of all that libhdf5 reads but values and counters). An unfinished file of version 1 and a
foreign one have none, so a child with limits on processor time and address space reads it first. It
makes no difference who owns a file, or who holds its lock: neither says that its bytes are whole,
and a checksum does."""

import json
import os
import subprocess
import sys

from fracsim.data.errors import FileError

SECONDS = 20
"""Of processor time for the child; twice as many on the clock."""

FAULT = 3
"""Exit code of the child for a FileError, told on stdout."""

_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from fracsim.data import sandbox_child
sandbox_child.main()
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
            timeout=2 * SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FileError(f"'{name}' is damaged: reading it takes forever") from None
    if done.returncode == FAULT:
        raise FileError(done.stdout.strip())
    if done.returncode < 0:
        raise FileError(f"'{name}' is damaged: reading it crashes or never ends")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise FileError(f"'{name}' could not be inspected: {last}")
