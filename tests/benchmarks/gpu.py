"""fracsim on an NVIDIA card beside JAX and PyTorch, and beside what the card can do: one command.

    pip install '.[cuda12,bench,test]' 'jax[cuda12]' python tests/benchmarks/gpu.py --json card.json
    --markdown docs/measurements/2026-11-22-H200.md   # ten minutes python tests/benchmarks/gpu.py
    --quick                  # under three minutes: widths 20, 100, 400, R = 132 python
    tests/benchmarks/gpu.py --static                 # no card needed: registers, spills, shared
    memory python tests/benchmarks/gpu.py --dry                    # no card needed: a rehearsal;
    numbers mean nothing

First every verb must agree with the CPU's, else it ends with exit code 1. Then come the card's own
float32 rate and bandwidth, points/s of ``sample`` and ``level`` beside the limits that follow, the
projected time of the paper's grid of 30 networks, and the race: networks · steps per second for R
networks side by side, depth 5, d = 2, batch 100, hinge, Adam at 0.005, true float32, 50,000 points
of the 2D Cantor distribution in a new order each epoch.

JAX is a jitted ``lax.scan`` of 200 or 1000 steps of the vmapped step, its state donated, matmul
precision "highest". Its fastest way (parameters as a tree or one array, loop unrolled or not, XLA's
loop in a CUDA graph or not) is found first, at two widths. PyTorch is batched products with a
backward pass by hand and the fused Adam, twenty steps in one CUDA graph. Both find the order of
their batches in the card's memory. TF32 columns are for information. Compilation and warm-up are
left out; a number is the median of five repeats. All start from the same weights, and their mean
loss over the first steps must agree. "of f32" is 6 B Q operations a step over the measured rate,
although fracsim leaves samples without loss out of its backward pass.

Numbers are printed, and JSON and Markdown written, as they come: a run that is cut off keeps what
it has."""

import argparse
import datetime
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gpu_limits
import gpu_points
import gpu_report
import gpu_static
from gpu_race import Race, write_data

WIDTHS, RUNS = (10, 20, 50, 100, 200, 400), (132, 528, 1, 16)  # the most important first


def parse(arguments=None):
    """Options, with what --quick and --dry leave to be chosen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="fewer cells and repeats")
    kind.add_argument("--static", action="store_true", help="only what is known without a card")
    kind.add_argument(
        "--dry", action="store_true", help="a rehearsal on the CPU and in the simulator"
    )
    parser.add_argument("--widths", type=int, nargs="+", help="widths of the race")
    parser.add_argument("--runs", type=int, nargs="+", help="networks side by side in the race")
    parser.add_argument(
        "--minutes", type=float, help="no cell of the race begins later (default: 9; quick: 2.5)"
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        default=["jax", "torch"],
        choices=["jax", "torch"],
        help="whom to race",
    )
    parser.add_argument(
        "--peer-python",
        default=sys.executable,
        metavar="PATH",
        help="interpreter that has the peers",
    )
    parser.add_argument("--json", metavar="FILE", help="write all numbers to FILE")
    parser.add_argument(
        "--markdown", metavar="FILE", help="write the page for docs/measurements to FILE"
    )
    options = parser.parse_args(arguments)
    quick, dry = options.quick, options.dry
    options.widths = options.widths or ([4] if dry else [20, 100, 400] if quick else list(WIDTHS))
    options.runs = options.runs or ([1, 3] if dry else [132] if quick else list(RUNS))
    options.minutes = options.minutes or (2.5 if quick else 9.0)
    options.seconds = 0.01 if dry else 0.4 if quick else 1.0
    options.points = 1_000 if dry else 50_000
    return options


class Results:
    """All that was found, written after each change."""

    def __init__(self, options, command):
        self.options = options
        self.found = {
            "date": datetime.date.today().isoformat(),
            "command": command,
            "card": {},
            "agreement": "",
            "rate": 0.0,
            "bandwidth": 0.0,
            "points": {},
            "grid": {},
            "static": {},
            "versions": {},
            "ways": {},
            "cells": [],
            "remarks": [],
        }

    def keep(self, **found):
        """Add, and write."""
        self.found |= found
        if self.options.json:
            Path(self.options.json).write_text(json.dumps(self.found, indent=1))
        if self.options.markdown and self.found["rate"]:
            Path(self.options.markdown).write_text(gpu_report.page(self.found))


def attempted(function, *arguments):
    """What a function gives, or {"failed": reason}."""
    try:
        return function(*arguments)
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def backend_here(dry):
    """The backend to measure; ends the program, with what is missing, where there is no card."""
    from fracsim.kernels.backend import get_backend
    from fracsim.kernels.cuda.working import simulator_is_on
    from fracsim.kernels.errors import BackendError

    if dry:
        return get_backend("cpu")
    if simulator_is_on():
        raise SystemExit(
            "NUMBA_ENABLE_CUDASIM is set, and the simulator's speed means nothing: unset it, or "
            "add --dry"
        )
    try:
        return get_backend("cuda")
    except BackendError as error:
        raise SystemExit(f"{error} (--static and --dry of this benchmark do without)") from error


def check(backend, dry):
    """A sentence on the agreement with the CPU; ends the program where a verb is wrong."""
    from fracsim.kernels.backend import get_backend
    from fracsim.selftest.agreement import SMALL, USUAL, agreements

    rows = []
    try:
        for row in agreements(backend, get_backend("cpu"), SMALL if dry else USUAL):
            rows.append(row)
            print(
                f"  {row.verb}: {row.deviation:.2g} (accepted "
                f"{row.accepted:.2g}){'' if row.passed else ' WRONG'}"
            )
    except Exception as error:
        raise SystemExit(
            f"a verb fails on {backend.device}, so nothing was measured: {error}"
        ) from error
    wrong = [row.verb for row in rows if not row.passed]
    if wrong:
        raise SystemExit(f"{backend.device} is wrong, so nothing was measured: {'; '.join(wrong)}")
    return f"all of {len(rows)} comparisons"


def points(found, dry):
    """{verb: speed and limits}."""
    counts = found["static"].get("points", gpu_points.INSTRUCTIONS)
    units = found["card"]["multiprocessors"]
    clock, result = gpu_limits.clock_of(found["rate"], units, found["card"]["capability"]), {}
    for verb, speed in gpu_points.points_per_second(dry).items():
        limits = gpu_limits.point_limits(
            gpu_points.BYTES[verb], counts[verb], found["bandwidth"], units, clock
        )
        result[verb] = {
            "speed": speed,
            "memory": limits.memory,
            "instructions": limits.instructions,
        }
    return result


def begin_static(path):
    """Start ``--static`` in a process of its own, so that it compiles while the card is
    measured."""
    command = [sys.executable, __file__, "--static", "--json", str(path)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end_static(process, path, patience=180):
    """What it found."""
    try:
        process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
    return (
        json.loads(path.read_text())["static"]
        if path.exists()
        else {"failed": "compiling took too long"}
    )


def race(results, folder, options, started):
    """Every cell, printed as it is done."""
    found, dry = results.found, options.dry
    data = folder / "data.npz"
    write_data(data, options.widths, options.points)
    race = Race(
        data,
        "cpu" if dry else "cuda",
        options.peers,
        options.peer_python,
        options.points,
        options.seconds,
        started + 60 * options.minutes,
        found["card"]["memory"],
    )
    for name, reason in race.missing.items():
        print(f"{name} is left out: {reason}")
    tried = (
        options.widths[len(options.widths) // 2 :: 2] if len(options.widths) > 1 else options.widths
    )
    ways = race.choose_jax(
        tried[:2], max(options.runs) if dry else gpu_report.MANY, (2,) if dry else (4,)
    )
    for width, times in ways.items():
        for way, spent in times.items():
            print(
                f"  {way}, width {width}: "
                f"{spent if isinstance(spent, str) else f'{spent:.0f} µs a step'}"
            )
    results.keep(
        versions=race.versions, ways={"tried": ways, "taken": race.ways, "flags": race.flags}
    )
    print("\n".join(race.versions.values()))
    print("networks · steps/s, medians; ratios against their targets")
    print(gpu_report.line(gpu_report.COLUMNS))
    for runs in options.runs:
        for width in options.widths:
            cell = race.cell(width, runs, tf32=runs == options.runs[0])
            print(gpu_report.line(gpu_report.columns(cell, found["rate"])), flush=True)
            for note in gpu_report.notes_of(cell):
                print(f"  {note}")
            results.keep(cells=[*found["cells"], cell])
    race.end()


def measure(options, results, folder):
    """All of it, the race last."""
    found, dry, started = results.found, options.dry, time.monotonic()
    backend = backend_here(dry)
    if dry:
        print(gpu_report.REHEARSAL)
        results.keep(remarks=[gpu_report.REHEARSAL])
    static = folder / "static.json"
    compiling = None if dry else begin_static(static)
    print(f"{backend.device}: does it agree with the CPU?")
    results.keep(agreement=check(backend, dry), card=gpu_limits.card_facts())
    print("; ".join(f"{key}: {value}" for key, value in found["card"].items()))
    results.keep(rate=gpu_limits.float_rate(dry), bandwidth=gpu_limits.copy_bandwidth(dry))
    print(
        f"float32: {found['rate'] / 1e12:.1f} TFLOP/s; copies: {found['bandwidth'] / 1e9:,.0f} "
        f"GB/s",
        flush=True,
    )
    if compiling is not None:
        results.keep(static=end_static(compiling, static))
        print("\n".join(gpu_report.static_lines(found["static"])))
    results.keep(points=attempted(points, found, dry))
    print(
        "\n".join(gpu_report.point_lines(found["points"]) or [f"points: {found['points']}"]),
        flush=True,
    )
    small = ((4, 6), (1, 2), 1.0, 1000)
    usual = (WIDTHS, (1, 2, 3, 4, 5), 8.0 if options.quick else 20.0)
    results.keep(grid=attempted(gpu_points.projected, backend.name, *(small if dry else usual)))
    print(gpu_report.grid_line(found["grid"]), flush=True)
    race(results, folder, options, started)
    print(f"{time.monotonic() - started:.0f} seconds in all")


def main(arguments=None):
    """The command."""
    options = parse(arguments)
    results = Results(
        options, "python tests/benchmarks/gpu.py " + shlex.join(arguments or sys.argv[1:])
    )
    if options.static:
        os.environ.pop("NUMBA_ENABLE_CUDASIM", None)
        results.keep(static=attempted(gpu_static.measure))
        print("\n".join(gpu_report.static_lines(results.found["static"])))
        return int("failed" in results.found["static"])
    if options.dry:
        os.environ["NUMBA_ENABLE_CUDASIM"] = "1"  # before numba is imported
    with tempfile.TemporaryDirectory() as folder:
        measure(options, results, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
