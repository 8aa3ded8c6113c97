"""Does the checkout give the same numbers as an older revision, bit for bit, and as fast?

    python tests/benchmarks/same_bits.py a59ef89                     # ten experiments, six studies
    python tests/benchmarks/same_bits.py a59ef89 --only stream       # those with this in their name
    python tests/benchmarks/same_bits.py a59ef89 --speed             # training time, too
    python tests/benchmarks/same_bits.py a59ef89 --folder ~/bits     # keep what was built there

The revision is installed into an environment of its own, with the packages of this Python; both are
used by their commands and files only. Every variable of the older file but wall_time must be in the
newer one with the same bits, records matched by their steps; of a study's file, the variables that
both have. Runs with a point that rounding to float32 moves to another cell, which is drawn again
since points_version 2, are listed and not compared. The exit code is 1 where another value differs
or a command fails.

``--speed`` times networks of depth 5 in float32 at batch 100 on one pinned thread, the two
revisions in turns, by their own wall_time between two records (so without start, data and
compilation). It needs a machine that does nothing else. The exit code is 1 where a width is slower
by more than 3 % in the median."""

import argparse
import dataclasses
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import h5py
from compare_files import MAY_GO, Difference, compare
from moved_points import moved_points
from revisions import Failure, Revision, checkout, older
from same_bits_cases import CASES, Case

STEPS = {10: 40_000, 20: 30_000, 50: 15_000, 100: 8_000, 200: 3_000, 400: 1_000}
"""Steps between the two records of a timed training, by width: about a second."""

SLOWER = 1.03


class Row(NamedTuple):
    """What one case has shown."""

    name: str
    found: list[Difference]
    absent: list[str]  # variables that only the older study file has
    moved: Sequence[str] = ()  # runs with points that are drawn again
    failed: str = ""

    @property
    def differ(self) -> int:
        return sum(one.differ for one in self.found)


def examine(case: Case, old: Revision, new: Revision) -> Row:
    """Both revisions do it, at the same time, and their files are compared."""
    try:
        with ThreadPoolExecutor(2) as both:
            list(both.map(case.do, (old, new)))
        found, absent, moved = [], [], []
        for file in case.files:
            again = moved_points(new.results / file)
            moved += [
                f"{file}: run {run} has {count} points that are drawn again: not compared"
                for run, count in again.items()
            ]
            for one in compare(old.results / file, new.results / file, again):
                name = f"{file}: {one.name}"
                if one.unlike == MAY_GO:
                    absent.append(name)
                else:
                    found.append(dataclasses.replace(one, name=name))
    except (Failure, OSError) as error:
        return Row(case.name, [], [], failed=str(error))
    if not sum(one.values for one in found):
        return Row(case.name, [], absent, failed="nothing that both revisions hold")
    return Row(case.name, found, absent, moved)


def show(rows: Iterator[Row]) -> bool:
    """Print the table; whether all is the same."""
    print(f"{'experiment':<28} {'variables':>9} {'values':>9} {'differ':>8}  largest difference")
    variables = values = differ = failed = 0
    for row in rows:
        if row.failed:
            failed += 1
            print(f"{row.name:<28} FAILED: {row.failed}", flush=True)
            continue
        size = sum(one.values for one in row.found)
        largest = max(one.largest for one in row.found)
        print(
            f"{row.name:<28} {len(row.found):>9} {size:>9} {row.differ:>8}  {largest:.3g}",
            flush=True,
        )
        for one in (one for one in row.found if one.differ):
            why = one.unlike or f"{one.differ} of {one.values} values, up to {one.largest:.3g}"
            print(f"    {one.name}: {why}", flush=True)
        for sentence in row.moved:
            print(f"    {sentence}", flush=True)
        for name in row.absent:
            print(f"    {name}: only in the older file (a study's may go)", flush=True)
        variables, values = variables + len(row.found), values + size
        differ += row.differ
    print(f"{differ} of {values} values differ in {variables} variables; {failed} failed")
    return not (differ or failed)


def seconds_per_step(revision: Revision, width: int) -> float:
    """Of one training on one pinned thread, between its last two records."""
    steps, file = STEPS[width], f"speed-{width}.h5"
    network = ("--depth", "5", "--width", str(width), "--learning-rate", "0.001")
    length = ("--steps", str(2 * steps), "--record-every", str(steps), "--test-points", "100")
    how = ("--threads", "1", "--overwrite", "-q", "-o", file)
    revision.run("train", *network, *length, *how, core=0 if shutil.which("taskset") else None)
    with h5py.File(revision.results / file, "r") as product:
        done, times = product["step"][...], product["wall_time"][0]
    return float((times[-1] - times[-2]) / (done[-1] - done[-2]))


def show_speed(old: Revision, new: Revision, widths: Sequence[int], turns: int) -> bool:
    """Print the table of times; whether no width is slower than it may be."""
    print(
        f"{'width':>5} {'old µs/step':>12} {'new µs/step':>12} {'new/old':>8} {'least/least':>11}"
    )
    worst = 0.0
    for width in widths:
        times: dict[str, list[float]] = {old.name: [], new.name: []}
        for turn in range(turns):
            for revision in (old, new) if turn % 2 else (new, old):
                times[revision.name].append(1e6 * seconds_per_step(revision, width))
        before, after = (statistics.median(times[revision.name]) for revision in (old, new))
        least = min(times[new.name]) / min(times[old.name])
        print(
            f"{width:>5} {before:>12.2f} {after:>12.2f} {after / before:>8.3f} {least:>11.3f}",
            flush=True,
        )
        worst = max(worst, after / before)
    print(f"the slowest width takes {worst:.3f} of the older time; accepted is {SLOWER}")
    return worst <= SLOWER


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", help="of this repository: a commit, a tag, a branch")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--speed", action="store_true", help="time training, too")
    parser.add_argument("--no-bits", action="store_true", help="with --speed: compare no numbers")
    parser.add_argument("--widths", type=int, nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--turns", type=int, default=7, help="of each revision, at each width")
    parser.add_argument("--folder", type=Path, help="where the environment and kernels are kept")
    options = parser.parse_args()
    chosen = [case for case in CASES if options.only in case.name]
    if not chosen:
        parser.error(
            f"--only {options.only}: no such case; there are "
            f"{', '.join(case.name for case in CASES)}"
        )
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        try:
            old = older(options.revision, folder, Path(temporary, "older"))
            new = checkout(folder, Path(temporary, "newer"))
            same = options.no_bits or show(examine(case, old, new) for case in chosen)
            fast = not options.speed or show_speed(old, new, options.widths, options.turns)
        except Failure as error:
            print(error, file=sys.stderr)
            return 1
    return 0 if same and fast else 1


if __name__ == "__main__":
    sys.exit(main())
