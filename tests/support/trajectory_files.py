"""Small trajectory files for the tests of the data room."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fracsim.data import trailer
from fracsim.data.plan import Plan, make_plan
from fracsim.data.reader import Trajectory
from fracsim.data.schema import RECORDS, SINCE_2
from fracsim.data.writer import TrajectoryWriter, WeightsGroup

RUNS = {
    "fractal": ["cantor", "vicsek", "Menger-Schwämmchen"],
    "curve": ["1", "6", "polynomial:2.5"],
    "network_depth": [1, 2, 1],
    "width": [3, 3, 3],
    "learning_rate": [0.001, 0.005, 0.002],
    "gap": [None, None, None],
    "bias": [None, 0.25, None],
    "seed": [0, 1, 2**64 - 1],
}
STEPS = [10, 20, 30, 40]
LEVELS, LAYERS = 3, 3
WEIGHTS = {
    "T1_k3_d2": WeightsGroup([0, 2], [20, 40], 13),
    "T2_k3_d2": WeightsGroup([1], [20, 40], 25, {"note": "a test"}),
}
ATTRIBUTES = {"experiment": '{"name": "für Tests"}', "threads": 2, "ratio": 0.5, "job_id": ""}


PLAN: dict[str, Any] = {
    "runs": RUNS,
    "steps": STEPS,
    "levels": LEVELS,
    "layers": LAYERS,
    "attributes": ATTRIBUTES,
    "weights": WEIGHTS,
}


def create(path: Path, **changed: Any) -> TrajectoryWriter:
    """A new file with three runs, four records, two shapes of weights."""
    return TrajectoryWriter.create(path, **{**PLAN, **changed})


def record(run: int, s: int) -> dict[str, Any]:
    """Values that tell which run, record, level and layer they belong to."""
    base = 100.0 * (run + 1) + 10.0 * (s + 1)
    layers = RUNS["network_depth"][run] + 1
    return {
        "train_loss": base + 1,
        "train_accuracy": (base + 2) / 1000,
        "test_loss": base + 3,
        "test_accuracy": (base + 4) / 1000,
        "wall_time": base + 5,
        "test_accuracy_by_level": (base + np.arange(LEVELS) / 10) / 1000,
        "gradient_norm": (base + np.arange(layers) / 10).astype(np.float32),
        "inactive_units": (base + np.arange(layers - 1)) / 1000,
    }


def params(run: int, snapshot: int) -> np.ndarray:
    """Parameters (Q,) that tell which run and snapshot they belong to."""
    count = 25 if run == 1 else 13
    return (1000 * run + 100 * snapshot + np.arange(count)).astype(np.float32)


def fill(writer: TrajectoryWriter, records: int = len(STEPS), version: int = 2) -> None:
    """Hand over the first records of every run, with weights at steps 20 and 40, one commit per
    step."""
    newer = SINCE_2 if version == 1 else ()
    for s in range(records):
        for run in range(3):
            writer.set_run_status(run, "running")
            given = {name: value for name, value in record(run, s).items() if name not in newer}
            writer.write_record(run, s, given)
            if s % 2:
                writer.write_weights(run, s // 2, params(run, s // 2))
        writer.commit()


def finished(path: Path, **changed: Any) -> Path:
    """A complete file."""
    with create(path, **changed) as writer:
        fill(writer, version=changed.get("version", 2))
        for run in range(3):
            writer.set_run_status(run, "complete")
        writer.finish("complete")
    return path


def unfinished(path: Path, records: int = 2, **changed: Any) -> Path:
    """A file as a killed writer leaves it."""
    with create(path, **changed) as writer:
        fill(writer, records, changed.get("version", 2))
    return path


def assert_records(trajectory: Trajectory, done: Iterable[int]) -> None:
    """Exactly the first done[run] records of every run are there, with their own values."""
    assert trajectory.records_done.tolist() == list(done)
    for variable in RECORDS:
        values = trajectory.variable(variable.name)
        for run, count in enumerate(done):
            assert np.isnan(values[run, count:]).all()
            for s in range(count):
                wanted = np.atleast_1d(record(run, s)[variable.name])
                got = np.atleast_1d(values[run, s])
                np.testing.assert_array_equal(got[: len(wanted)], wanted)
                assert np.isnan(got[len(wanted) :]).all()


def seal(path: Path) -> None:
    """Give a changed file a right trailer: what a liar would do."""
    fd = os.open(path, os.O_RDWR)
    data = path.read_bytes()
    start = data.find(trailer.MAGIC)
    if start >= 0:
        os.ftruncate(fd, start)
    trailer.append(fd)
    os.close(fd)


def changed(path: Path, change: Callable[[h5py.File], object]) -> Path:
    """`path` with its HDF5 content changed by change(root), then sealed again."""
    with h5py.File(path, "r+") as root:
        change(root)
    seal(path)
    return path


def plan_of(**changed: Any) -> Plan:
    """The plan of the files of ``create``."""
    return make_plan(**{**PLAN, **changed})
