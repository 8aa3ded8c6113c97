"""How long does the first command on a machine take, and how long a later one, next to an older
revision?

    python tests/benchmarks/cold_start.py a59ef89                    # four commands, three turns
    python tests/benchmarks/cold_start.py a59ef89 --only train       # those with this in their name
    python tests/benchmarks/cold_start.py a59ef89 --turns 5 --folder ~/bits
    python tests/benchmarks/cold_start.py a59ef89 --cpus 1           # as in a job with one CPU

Both revisions run the same commands in turns, so that a machine that slows down slows both. Cold:
with an empty folder for compiled kernels; warm: once more. The table gives the least seconds of all
turns, wall clock and CPU time (children included), and the ratios of those. It needs a machine with
little else to do; the CPU times suffer less from others."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from revisions import Failure, Revision, checkout, older

COMMANDS = {
    "train": "train --steps 100 --record-every 100 --width 10 --test-points 1000 -q -o train.h5",
    "sample": "sample cantor --count 1000 -q -o points.h5",
    "regions": "regions --random --depth 2 --width 16 -q -o regions.h5",
    "construct": "construct cantor --fractal-depth 2 --count 1000 -q -o net.h5",
}
"""Name -> what follows ``fracsim``: little work, so that the time is that of the start."""


def seconds(revision: Revision, command: str, cpus: int | None) -> tuple[float, float]:
    """Wall clock and CPU time of a command. Raises Failure."""
    pinned = ("taskset", "-c", ",".join(map(str, range(cpus)))) if cpus else ()
    before, begun = os.times(), time.perf_counter()
    done = subprocess.run(
        [*pinned, *revision.command, *command.split()],
        cwd=revision.results,
        env=revision.environment,
        capture_output=True,
        text=True,
    )
    taken, after = time.perf_counter() - begun, os.times()
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()
        raise Failure(f"{revision.name}: fracsim {command} ended with {done.returncode}: {said}")
    used = after.children_user + after.children_system
    return taken, used - before.children_user - before.children_system


def cold_and_warm(
    revision: Revision, command: str, cpus: int | None
) -> Iterator[tuple[str, tuple[float, float]]]:
    """("cold", times) with an empty folder for compiled kernels, then ("warm", times)."""
    with tempfile.TemporaryDirectory() as empty:
        fresh = replace(
            revision,
            results=Path(empty, "results"),
            environment=revision.environment | {"XDG_CACHE_HOME": f"{empty}/cache"},
        )
        for state in ("cold", "warm"):
            shutil.rmtree(fresh.results, ignore_errors=True)
            fresh.results.mkdir()
            yield state, seconds(fresh, command, cpus)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", help="of this repository: a commit, a tag, a branch")
    parser.add_argument("--only", default="", help="commands whose name contains this")
    parser.add_argument("--turns", type=int, default=3, help="of each revision, for each command")
    parser.add_argument("--cpus", type=int, help="allow so many CPUs [default: all]")
    parser.add_argument(
        "--folder", type=Path, help="where the older revision's environment is kept"
    )
    options = parser.parse_args()
    chosen = {name: line for name, line in COMMANDS.items() if options.only in name}
    if not chosen:
        parser.error(f"--only {options.only}: no such command; there are {', '.join(COMMANDS)}")
    print(f"{'':<10} {'':<5} {'wall: old':>9} {'new':>7} {'new/old':>8}", end="")
    print(f" {'CPU: old':>10} {'new':>7} {'new/old':>8}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        try:
            old = older(options.revision, folder, Path(temporary, "older"))
            new = checkout(folder, Path(temporary, "newer"))
            for name, line in chosen.items():
                times: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
                for turn in range(options.turns):
                    for revision in (old, new) if turn % 2 else (new, old):
                        for state, taken in cold_and_warm(revision, line, options.cpus):
                            times[revision.name, state].append(taken)
                for state in ("cold", "warm"):
                    least = [
                        [min(kind) for kind in zip(*times[one.name, state], strict=True)]
                        for one in (old, new)
                    ]
                    print(f"{name:<10} {state:<5}", end="")
                    for kind, room in ((0, 9), (1, 10)):
                        before, after = least[0][kind], least[1][kind]
                        print(f" {before:>{room}.2f} {after:>7.2f} {after / before:>8.3f}", end="")
                    print(flush=True)
        except Failure as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
