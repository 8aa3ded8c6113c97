"""Reads many files nobody vouches for in one child process, which is started again where a file
kills or hangs it.

The sandbox of the package takes a process for each file, a third of a second; with this, 500
files take seconds."""

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 10
_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import many_files
many_files.child()
"""


class Seen(NamedTuple):
    """How reading a file ended: read, refused (a sentence), crashed, hung, or broken (another
    exception)."""

    end: str
    said: str
    values: str


class Reader:
    """A context manager; ``look(path)`` never raises for a file."""

    def __enter__(self) -> "Reader":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()

    def look(self, path: Path) -> Seen:
        """Open and check one file."""
        self._child.stdin.write(f"{path}\n")
        self._child.stdin.flush()
        if select.select([self._child.stdout], [], [], SECONDS)[0] and (
            line := self._child.stdout.readline()
        ):
            return Seen(*json.loads(line))
        end = "hung" if self._child.poll() is None else "crashed"
        self.__exit__()
        self._start()
        return Seen(end, "", "")

    def _start(self) -> None:
        command = [sys.executable, "-c", _CODE, json.dumps(sys.path)]
        self._child: Any = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._child.stdout.readline() == "ready\n"


def child() -> None:
    """What the child does: one line of JSON for each path on stdin."""
    import resource
    import traceback

    from fracsim.data import reader, sandbox_child, untrusted
    from fracsim.products.check import check_file

    untrusted.sandbox.inspect = lambda fd, name: None  # this process is the sandbox
    sandbox_child.limit_memory(1 << 24)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("ready", flush=True)
    for path in map(str.strip, sys.stdin):
        try:
            report = check_file(path)
            said = " | ".join(report.problems)
            if report.kind == "trajectory":
                seen = Seen("read", said, values_of(reader.open_trajectory(path)))
            else:
                seen = Seen("read" if report.kind else "refused", said, "")
        except Exception:
            seen = Seen("broken", traceback.format_exc(), "")
        print(json.dumps(seen), flush=True)


def values_of(trajectory: Any) -> str:
    """SHA-256 of every value a reader can get out of a trajectory."""
    import hashlib

    from fracsim.data.schema import RECORDS

    parts = [trajectory.steps, trajectory.records_done, "".join(trajectory.run_status)]
    parts += [value for name in sorted(trajectory.runs) for value in (name, trajectory.runs[name])]
    parts += [trajectory.variable(variable.name) for variable in RECORDS]
    for run in range(len(trajectory.records_done)):
        parts += [trajectory.weights(run, i)[1] for i in range(len(trajectory.weight_steps(run)))]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part.tobytes())
    return digest.hexdigest()
