"""A trajectory file read to its last value, and whatever in it contradicts the format
(docs/file-format.md).

What contradicts the experiment it says it holds is found by `fracsim.products.check`.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fracsim.data import schema
from fracsim.data.reader import StoredWeights, Trajectory, kind_of, load_trajectory, params_of
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
    "test_r2": (-np.inf, 1),
    "test_rmse": (0, np.inf),
    "test_rmse_by_level": (0, np.inf),
    "test_agreement": (0, 1),
    "test_agreement_by_level": (0, 1),
}
# Training that overflows ends at the next step: these may be NaN in the last record of a run, and
# only there.
_MAY_OVERFLOW = ("train_loss", "test_loss", "gradient_norm", "test_rmse")
_MAY_LACK = ("test_r2",)  # where all labels are equal, there is none
_BLOCK = 1 << 24


class Contents(NamedTuple):
    """A file that could be read whole: its kind, status, what it holds, one sentence for each
    contradiction."""

    kind: str
    status: str
    value: Trajectory | Samples | StudyContents
    problems: list[str]


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
        return Contents(kind, trajectory.status, trajectory, problems)


def _record_problems(trajectory: Trajectory) -> Iterator[str]:
    """At most one sentence for each variable: the first value of a committed record that cannot
    be."""
    position = np.arange(len(trajectory.steps))
    done = trajectory.records_done[:, None]
    there, last = position < done, position == done - 1
    targets = [trajectory.target(row) for row in trajectory.rows.values()]
    for variable in (v for v in schema.EVERY_RECORD if v.name in trajectory.records):
        values = trajectory.variable(variable.name)
        low, high = _RANGES[variable.name]
        missing = np.isnan(values)
        exists = np.ones(1, bool)
        needed, committed = there & ~last if variable.name in _MAY_OVERFLOW else there, there
        whose = np.array([schema.is_of(variable, target) for target in targets])[:, None]
        needed = needed & whose & (variable.name not in _MAY_LACK)
        if values.ndim == 3:
            layers = variable.dims[2] == "layer"
            exists = _existing(
                trajectory, "network_depth" if layers else "fractal_depth", values.shape[2]
            )
            needed = (
                needed[:, :, None] & exists & layers
            )  # a level may have no points, a layer has a gradient
            committed, whose = there[:, :, None], whose[:, :, None]
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
        if said != stored.shape:
            yield f"weights group '{stored.name}' says it has d, T, k = {', '.join(map(str, said))}"
        for row, snapshot in _broken_snapshots(inspector, stored):
            step, done = stored.snapshots[snapshot], trajectory.records_done[row]
            if (
                step not in trajectory.steps[max(done - 1, 0) :]
            ):  # the last record: see _MAY_OVERFLOW
                yield (
                    f"the weights of run {trajectory.numbers[row]} at step {step} are not all "
                    f"finite"
                )


def _broken_snapshots(inspector: Inspector, stored: StoredWeights) -> Iterator[tuple[int, int]]:
    """(row of the file, snapshot) of all committed weights that are not finite, read a few
    snapshots at a time."""
    params = params_of(inspector, stored)
    count = max(1, _BLOCK // (params.shape[2] * params.dtype.itemsize))
    for i, (row, done) in enumerate(zip(stored.runs, stored.done, strict=True)):
        for first in range(0, done, count):
            finite = np.isfinite(params[i, first : min(first + count, done)]).all(axis=1)
            yield from ((int(row), first + int(snapshot)) for snapshot in np.flatnonzero(~finite))


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
