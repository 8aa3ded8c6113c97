"""Speed of the files: a trajectory of 1,000 runs × 100 records × 6 levels is written and read in
under a second each.

    python tests/benchmarks/files.py                 # five turns
    python tests/benchmarks/files.py --json

Written: create, 100,000 records one by one, a commit after every hundred runs (a sweep commits once
a second; each waits for the disk), finish (compressed, with its checksum). Read: `open_trajectory`,
checksum included. `best` is the least time of all turns; `cpu` the processor time of that turn,
which other work on the machine does not lengthen.

Checkpoint: the state of two runs of the paper's widest networks (T = 5, k = 400) is written,
waiting for the disk; less than 2 % of a sweep's time goes into it at the default interval of ten
minutes."""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fracsim.data import trailer
from fracsim.data.checkpoint import write_checkpoint
from fracsim.data.reader import open_trajectory
from fracsim.data.schema import RECORDS, parameter_count
from fracsim.data.writer import TrajectoryWriter

RUNS, STEPS, LEVELS = 1000, 100, 6
INTERVAL = 600.0  # seconds between two checkpoints, by default
LIMITS = {"write": 1.0, "read": 1.0, "checkpoint": 0.02 * INTERVAL}  # seconds


class Time(NamedTuple):
    """Wall-clock and processor time in seconds."""

    wall: float
    cpu: float


def records() -> list[dict[str, Any]]:
    """Every record with digits of its own, as nothing compresses worse."""
    rng = np.random.default_rng(0)
    return [
        {v.name: rng.random(LEVELS) if len(v.dims) == 3 else float(rng.random()) for v in RECORDS}
        for _ in range(RUNS * STEPS)
    ]


def write(path: Path, values: list[dict[str, Any]]) -> None:
    """A trajectory from create to finish."""
    runs = {"fractal": ["cantor"] * RUNS, "width": [100] * RUNS, "seed": list(range(RUNS))}
    plan = {
        "runs": runs,
        "steps": range(1, STEPS + 1),
        "levels": LEVELS,
        "layers": LEVELS,
        "attributes": {},
    }
    with TrajectoryWriter.create(path, **plan) as writer:
        for run in range(RUNS):
            for s in range(STEPS):
                writer.write_record(run, s, values[run * STEPS + s])
            writer.set_run_status(run, "complete")
            if run % 100 == 99:
                writer.commit()
        writer.finish("complete")


def read(path: Path) -> None:
    """Everything but the weights, of which there are none; a checksum is not remembered from turn
    to turn."""
    trailer._verified.clear()
    assert open_trajectory(path).variable("test_accuracy_by_level").shape == (RUNS, STEPS, LEVELS)


def checkpoint(product: Path, arrays: dict[str, np.ndarray]) -> None:
    """A checkpoint as a sweep on two threads writes it."""
    write_checkpoint(product, {"experiment_hash": ""}, arrays)


def states() -> dict[str, np.ndarray]:
    """Parameters and both moments of Adam, for each of two runs."""
    count = parameter_count(2, 5, 400)
    rng = np.random.default_rng(1)
    return {
        f"{run}/{name}": rng.random((1, count), "f4")
        for run in range(2)
        for name in ("params", "m", "v")
    }


def timed(function: Any, *arguments: Any) -> Time:
    wall, cpu = time.perf_counter(), time.process_time()
    function(*arguments)
    return Time(time.perf_counter() - wall, time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    values, arrays = records(), states()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.h5"
        turns = [
            (timed(write, path, values), timed(read, path), timed(checkpoint, path, arrays))
            for _ in range(options.turns)
        ]
        size = path.stat().st_size
    best = {
        name: min(turn[i] for turn in turns)
        for i, name in enumerate(("write", "read", "checkpoint"))
    }
    if options.json:
        print(
            json.dumps({"bytes": size, **{name: taken._asdict() for name, taken in best.items()}})
        )
    else:
        print(f"{RUNS} runs, {STEPS} records, {LEVELS} levels: {size / 1e6:.1f} MB")
        for name, taken in best.items():
            print(
                f"{name:<10} best {taken.wall:.3f} s, cpu {taken.cpu:.3f} s (promised: below "
                f"{LIMITS[name]:g} s)"
            )
    raise SystemExit(any(taken.wall > LIMITS[name] for name, taken in best.items()))


if __name__ == "__main__":
    main()
