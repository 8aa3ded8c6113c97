"""A trajectory file read to its last value, and whatever in it contradicts the format
(docs/file-format.md).

What contradicts the experiment it says it holds is found by `fracsim.products.check`.
"""

import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from fracsim.data import schema
from fracsim.data.reader import Trajectory, kind_of, load_trajectory, params_of
from fracsim.data.samples import Samples, load_samples
from fracsim.data.studies import StudyContents, load_study
from fracsim.data.untrusted import Inspector, Opened, opened

_LARGEST = float(np.finfo("f8").max)
_RANGES = {  # infinity is a value that a loss and a gradient can have, not an accuracy or a time
    "train_loss": (0, np.inf),
    "train_accuracy": (0, 1),
    "test_loss": (0, np.inf),
    "test_accuracy": (0, 1),
    "wall_time": (0, _LARGEST),
    "test_accuracy_by_level": (0, 1),
    "gradient_norm": (0, np.inf),
    "inactive_units": (0, 1),
    "test_r2": (-np.inf, 1),
    "test_rmse": (0, np.inf),
    "test_rmse_by_level": (0, np.inf),
    "test_agreement": (0, 1),
    "test_agreement_by_level": (0, 1),
}
# One rule: what is computed without a bound may overflow, in any record; it is counted, not
# refused. (An overflow need not end a training at once: test points are others than the batch's.)
_MAY_OVERFLOW = (
    "train_loss",
    "test_loss",
    "gradient_norm",
    "test_r2",
    "test_rmse",
    "test_rmse_by_level",
)
_MAY_LACK = ("test_r2",)  # where all labels are equal, there is none
_OF_TRAINING = ("train_loss", "train_accuracy")  # of which there is none at step 0
_BLOCK = 1 << 24


class Contents(NamedTuple):
    """A file that could be read whole: its kind, status, what it holds, one sentence for each
    contradiction; of a trajectory also variable -> how many of its values, or of its snapshots of
    weights, are not finite."""

    kind: str
    status: str
    value: Trajectory | Samples | StudyContents
    problems: list[str]
    not_finite: Mapping[str, int] = MappingProxyType({})


def read_whole(path: str | os.PathLike[str], *studies: schema.StudyFormat) -> Contents:
    """Read everything, weights included; `studies`: the formats that studies declare. Raises
    FileError where that cannot be done."""
    with opened(path) as file:
        kind = kind_of(file)
        if kind == "samples":
            samples = load_samples(file)
            return Contents(kind, "complete", samples, _sample_problems(samples))
        if kind == "study":
            return Contents(kind, "complete", load_study(file, *studies), [])
        trajectory = load_trajectory(file)
        problems = [*_record_problems(trajectory), *_weights_problems(file, trajectory)]
        problems += _false_ends(trajectory)
        not_finite = _not_finite(trajectory)
        if broken := _broken_snapshots(file, trajectory):
            not_finite["params"] = broken
        return Contents(kind, trajectory.status, trajectory, problems, not_finite)


def _record_problems(trajectory: Trajectory) -> Iterator[str]:
    """At most one sentence for each variable: the first value of a committed record that cannot
    be."""
    for variable in (v for v in schema.EVERY_RECORD if v.name in trajectory.records):
        values = trajectory.variable(variable.name)
        low, high = _RANGES[variable.name]
        committed, whose, exists = _places(trajectory, variable)
        missing = np.isnan(values)
        needed = committed & whose & exists & (variable.dims[-1] != "level")
        if variable.name in _MAY_OVERFLOW:
            needed = np.zeros(1, bool)
        elif variable.name in _OF_TRAINING:
            needed = needed & (trajectory.steps > 0)
        wrong = committed & ((values < low) | (values > high)) | missing & needed
        if wrong.any():
            accepted = _accepted(low, high)
            yield f"{_first(trajectory, variable, values, wrong)}; accepted is {accepted}"
        elif (alien := committed & ~missing & ~exists).any():
            yield (
                f"{_first(trajectory, variable, values, alien)}; this run has no such "
                f"{variable.dims[2]}"
            )
        elif (alien := committed & ~missing & ~whose).any():
            yield (
                f"{_first(trajectory, variable, values, alien)}; the labels of this run are of "
                f"another kind"
            )


def _places(
    trajectory: Trajectory, variable: schema.Variable
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a variable has committed values, where the runs' labels have any, and where there are
    levels or layers: three masks that broadcast to its shape."""
    committed = np.arange(len(trajectory.steps)) < trajectory.records_done[:, None]
    targets = [trajectory.target(row) for row in trajectory.rows.values()]
    whose = np.array([schema.is_of(variable, target) for target in targets])[:, None]
    if len(variable.dims) < 3:
        return committed, whose, np.ones(1, bool)
    depth = "network_depth" if variable.dims[2] == "layer" else "fractal_depth"
    size = trajectory.variable(variable.name).shape[2]
    exists = _existing(trajectory, depth, size)
    if variable.name == "inactive_units":  # the readout has none
        exists = np.append(exists[:, :, 1:], np.zeros_like(exists[:, :, :1]), axis=2)
    return committed[:, :, None], whose[:, :, None], exists


def _not_finite(trajectory: Trajectory) -> dict[str, int]:
    """Variable -> how many of its committed values have overflowed, those that have any."""
    counts = {}
    for variable in schema.EVERY_RECORD:
        if variable.name not in trajectory.records or variable.name not in _MAY_OVERFLOW:
            continue
        values = trajectory.variable(variable.name)
        committed, whose, exists = _places(trajectory, variable)
        lacks = variable.name in _MAY_LACK or variable.dims[-1] == "level"
        bad = np.isinf(values) if lacks else ~np.isfinite(values)
        if variable.name in _OF_TRAINING:
            bad &= trajectory.steps > 0
        if count := int(np.count_nonzero(bad & committed & whose & exists)):
            counts[variable.name] = count
    return counts


def _accepted(low: float, high: float) -> str:
    if low < 0:
        return f"a number of at most {high:g}"
    return "a number from 0 to 1" if high == 1 else "a number of at least 0"


def _existing(trajectory: Trajectory, key: str, size: int) -> np.ndarray:
    """(R, 1, size): which levels or layers each run has, by its depth."""
    depth = trajectory.runs.get(key)
    if depth is None or depth.dtype.kind not in "iu":
        return np.ones((len(trajectory.records_done), 1, size), bool)
    return np.arange(size) <= depth[:, None, None]


def _first(
    trajectory: Trajectory, variable: schema.Variable, values: np.ndarray, wrong: np.ndarray
) -> str:
    """The first of some values, as a phrase."""
    row, s, *rest = np.argwhere(wrong)[0]
    place = f", {variable.dims[2]} {rest[0]}" if rest else ""
    where = f"run {trajectory.numbers[row]} at step {trajectory.steps[s]}{place}"
    return f"{variable.name} of {where} is {values[wrong][0]:g}{_more(wrong)}"


def _more(wrong: np.ndarray) -> str:
    return f" (and {wrong.sum() - 1} more)" if wrong.sum() > 1 else ""


def _false_ends(trajectory: Trajectory) -> Iterator[str]:
    """What is called complete and is not; a run is called so only after its last record is on the
    disk."""
    records = len(trajectory.steps)
    ends = zip(trajectory.numbers, trajectory.run_status, trajectory.records_done, strict=True)
    for run, status, done in ends:
        if status == "complete" and done < records:
            yield f"run {run} is complete with {done} of {records} records"
        if trajectory.status == "complete" and status not in ("complete", "diverged"):
            yield f"the file is complete, but run {run} is {status}"
    for stored in trajectory.stored_weights:
        for row, done in zip(stored.runs, stored.done, strict=True):
            if trajectory.run_status[row] == "complete" and done < len(stored.snapshots):
                run, count = trajectory.numbers[row], len(stored.snapshots)
                yield f"run {run} is complete, but has {done} of {count} snapshots of its weights"


def _weights_problems(file: Opened, trajectory: Trajectory) -> Iterator[str]:
    inspector = Inspector(file)
    for stored in trajectory.stored_weights:
        group = inspector.group(inspector.group(file.root, "weights"), stored.name)
        facts = inspector.attributes(group)
        said = tuple(facts.get(name) for name in ("input_dimension", "network_depth", "width"))
        if "widths" in facts:
            said = (*said[:2], facts["widths"])
        if said != stored.shape[:3]:
            yield f"weights group '{stored.name}' says it has d, T, k = {', '.join(map(str, said))}"


def _broken_snapshots(file: Opened, trajectory: Trajectory) -> int:
    """How many committed snapshots of weights are not all finite, read a few at a time."""
    inspector, broken = Inspector(file), 0
    for stored in trajectory.stored_weights:
        params = params_of(inspector, stored)
        count = max(1, _BLOCK // (params.shape[2] * params.dtype.itemsize))
        for i, done in enumerate(stored.done):
            for first in range(0, done, count):
                block = params[i, first : min(first + count, done)]
                broken += int(np.count_nonzero(~np.isfinite(block).all(axis=1)))
                if file.journal is None:
                    continue
                for snapshot, kept in enumerate(block, start=first):
                    file.journal.check_snapshot(file.fd, file.name, stored.name, i, snapshot, kept)
    return broken


def _sample_problems(samples: Samples) -> list[str]:
    problems = []
    if not np.isfinite(samples.x).all():
        problems.append(
            f"x of point {int(np.argwhere(~np.isfinite(samples.x))[0][0])} is not finite"
        )
    if not np.isin(samples.y, (-1, 1)).all():
        problems.append(
            f"y of point {int(np.flatnonzero(abs(samples.y) != 1)[0])} is neither 1 nor -1"
        )
    depth = samples.attributes.get("fractal_depth")
    if isinstance(depth, int):
        wrong = (
            (samples.level < 0)
            | (samples.level > depth)
            | ((samples.level == depth) != (samples.y > 0))
        )
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            problems.append(
                f"point {at} has y {samples.y[at]} and level {samples.level[at]} of "
                f"{depth}{_more(wrong)}"
            )
    return problems
