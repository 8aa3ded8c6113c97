"""Read trajectories, finished or still running, without trusting them (see `untrusted`)."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from fracsim.data import schema
from fracsim.data.errors import FileError
from fracsim.data.journal import STATUS_BYTES, State
from fracsim.data.schema import RUN_STATUS
from fracsim.data.trajectory import StoredWeights, Trajectory, params_of
from fracsim.data.untrusted import Inspector, Opened, opened

__all__ = [
    "StoredWeights",
    "Trajectory",
    "inspect",
    "kind_of",
    "load_trajectory",
    "open_trajectory",
    "params_of",
    "sniff",
]

_TRIES = 10  # of reading a file that a sweep begins to continue meanwhile


def open_trajectory(path: str | os.PathLike[str]) -> Trajectory:
    """Read a trajectory whole, but for the weights. Raises FileError, one sentence, for whatever is
    wrong with it."""
    with opened(path) as file:
        kind = kind_of(file)
        if kind != "trajectory":
            raise FileError(
                f"'{file.name}' holds {'a study' if kind == 'study' else kind}, not a trajectory"
            )
        return load_trajectory(file)


def sniff(path: str | os.PathLike[str]) -> str:
    """Kind of a file: "trajectory", "samples" or "study". Raises FileError for any other file and
    where not sound."""
    with opened(path) as file:
        return kind_of(file)


def inspect(fd: int, name: str) -> None:
    """Read all of the file behind `fd`, which has no trailer; FileError says what is wrong (run in
    sandbox)."""
    with opened(f"/dev/fd/{fd}", name, quarantined=True) as file:
        if kind_of(file) == "trajectory":
            load_trajectory(file)


def kind_of(file: Opened) -> str:
    """Kind of a file, "trajectory", "samples" or "study", once format, version, status and seal
    agree."""
    inspector = Inspector(file)
    attributes = inspector.attributes(file.root)
    kinds = {
        schema.FORMAT: "trajectory",
        schema.SAMPLES_FORMAT: "samples",
        schema.STUDY_FORMAT: "study",
    }
    kind = kinds.get(str(attributes.get("format")))
    version = attributes.get("format_version")
    if kind is None or not isinstance(version, int):
        raise FileError(f"'{file.name}' is an HDF5 file, but not one of fracsim's")
    newest = {"samples": schema.SAMPLES_VERSION, "study": schema.STUDY_VERSION}
    if version > (known := newest.get(kind, schema.FORMAT_VERSION)):
        raise FileError(
            f"'{file.name}' is from a newer fracsim (format_version {version}, this one reads up "
            f"to {known}): update fracsim to read it"
        )
    status = _status(file, attributes)
    if version < 1 or status not in schema.FILE_STATUS:
        raise inspector.bad(f"format_version {version}, status {status!r}")
    if file.sealed != (status == "complete"):
        lack = (
            "its checksum is missing"
            if status == "complete"
            else f"it has a checksum, yet is {status}"
        )
        raise FileError(
            f"'{file.name}' is damaged: {lack} (cut off or changed after it was written)"
        )
    if kind == "trajectory" and version > 1 and not file.sealed and file.journal is None:
        raise FileError(
            f"'{file.name}' is damaged: its journal is missing (cut off or changed after it was "
            f"written)"
        )
    return kind


def _status(file: Opened, attributes: Mapping[str, str | int | float]) -> str:
    """The status of a file. One that a crash has left half written over the other, is running."""
    status = str(attributes.get("status", "complete"))
    if status in schema.FILE_STATUS or file.journal is None:
        return status
    old, new = ("running".ljust(STATUS_BYTES, "\0"), "interrupted".ljust(STATUS_BYTES, "\0"))
    torn = [new[:size] + old[size:] for size in range(1, STATUS_BYTES)]
    torn += [old[:size] + new[size:] for size in range(1, STATUS_BYTES)]
    return "running" if status.ljust(STATUS_BYTES, "\0") in torn else status


def load_trajectory(file: Opened) -> Trajectory:
    """All of an opened trajectory but its weights. Raises FileError."""
    for _ in range(_TRIES):
        state = file.journal.state(file.fd, file.name) if file.journal else None
        try:
            return _load(file, state)
        except FileError:
            # A sweep that goes on writes the records behind its checkpoint once more.
            if not file.journal or not state:
                raise
            if file.journal.states(file.fd)[0].number == state.number:
                raise
    raise FileError(f"'{file.name}' changes too fast to be read")


def _load(file: Opened, state: State | None) -> Trajectory:
    """What ``load_trajectory`` gives, as far as a state of the journal counts, where there is
    one."""
    inspector, root = Inspector(file), file.root
    names = inspector.members(root)
    attributes = inspector.root_attributes()
    sizes: dict[str, int] = {}
    axes = {}
    for name in ("run", "step", "level", "layer"):
        axes[name] = inspector.numbers(root, name, (None,), schema.DIMENSIONS[name].dtype)
        sizes[name] = len(axes[name])
        if sizes[name] == 0:
            raise inspector.bad(f"no {name}")
        # layers counted from 0 in files of version 1, and in the first ones of version 2
        if name in schema.FIRST_NUMBER and not any(
            np.array_equal(axes[name], schema.numbers(name, sizes[name], version))
            for version in (1, 2)
        ):
            first = schema.FIRST_NUMBER[name]
            raise inspector.bad(f"its axis '{name}' does not count from {first}")
    if not _increase(axes["step"]):
        raise inspector.bad("its steps do not increase")
    # The counters first: what they count was on the disk before they were raised, whatever is
    # written while we read.
    progress = {
        v.name: inspector.numbers(root, v.name, (sizes["run"],), v.dtype) for v in schema.PROGRESS
    }
    done, codes = progress["records_done"], progress["run_status"]
    if state is not None:
        done, codes = state.done, state.status
    if (
        done.min() < 0
        or done.max() > sizes["step"]
        or codes.min() < 0
        or codes.max() >= len(RUN_STATUS)
    ):
        raise inspector.bad("its counters are out of range")
    numbers = axes["run"]
    if not _increase(numbers):
        raise inspector.bad("the numbers of its runs do not increase")
    weights: tuple[StoredWeights, ...] = ()
    if "weights" in names:
        counted = state.snapshots if state is not None else {}
        weights = _weights_index(inspector, numbers, axes["step"], counted)
    columns = [name for name in names if name not in schema.RESERVED]
    runs = {name: inspector.column(root, name, sizes["run"]) for name in columns}
    beyond = np.arange(sizes["step"]) >= done[:, None]
    variables = {}
    for variable in _recorded(names, sizes["level"], int(attributes["format_version"])):
        shape = tuple(sizes[dim] for dim in variable.dims)
        values = inspector.numbers(root, variable.name, shape, variable.dtype)
        variables[variable.name] = values
    if file.journal is not None:
        rows = [values.reshape(*beyond.shape, -1) for values in variables.values()]
        file.journal.check_records(file.fd, file.name, done, np.concatenate(rows, axis=2))
    for values in variables.values():
        values[beyond] = np.nan
    return Trajectory(
        path=file.name,
        attributes=attributes,
        experiment=_experiment(inspector, attributes),
        status=_status(file, attributes),
        numbers=numbers,
        runs=runs,
        steps=axes["step"],
        records_done=done,
        run_status=tuple(RUN_STATUS[code] for code in codes),
        _variables=variables,
        stored_weights=weights,
    )


def _recorded(names: list[str], levels: int, version: int) -> tuple[schema.Variable, ...]:
    """The variables that a file of this version with these members must have."""
    real = "test_r2" in names or "test_rmse" in names
    mimic = "test_agreement" in names
    classes = "train_accuracy" in names or not (real or mimic)
    classes |= not mimic and "test_accuracy" in names
    there = {"class": classes, "real": real, "mimic": mimic}
    targets = [target for target, is_there in there.items() if is_there]
    recorded = schema.records_of(targets, levels, version)
    # files that were made while version 2 was
    return tuple(v for v in recorded if v.name in names or v.name not in schema.SINCE_2)


def _experiment(
    inspector: Inspector, attributes: Mapping[str, str | int | float]
) -> dict[str, Any]:
    try:
        experiment = json.loads(str(attributes.get("experiment", "{}")))
    except (ValueError, RecursionError):
        experiment = None
    if not isinstance(experiment, dict):
        raise inspector.bad("its attribute 'experiment' is not a JSON object")
    return experiment


def _increase(numbers: np.ndarray) -> bool:
    """Whether numbers rise from 0 or above."""
    return bool(np.all(numbers[1:] > numbers[:-1]) and np.all(numbers[:1] >= 0))


def _weights_index(
    inspector: Inspector,
    numbers: np.ndarray,
    steps: np.ndarray,
    counted: Mapping[str, np.ndarray],
) -> tuple[StoredWeights, ...]:
    """Every weights group, checked; the weights themselves stay on the disk. ``counted``: group ->
    snapshots that count, where a journal says so."""
    groups = inspector.group(inspector.file.root, "weights")
    result = []
    for name in inspector.members(groups):
        group = inspector.group(groups, name)
        inspector.members(group)
        shape = schema.weights_shape(name)
        if shape is None:
            raise inspector.bad(f"weights group '{name}'")
        runs = inspector.numbers(group, "run", (None,), schema.DIMENSIONS["run"].dtype)
        snapshots = inspector.numbers(
            group, "snapshot", (None,), schema.DIMENSIONS["snapshot"].dtype
        )
        done = inspector.numbers(group, "snapshots_done", (len(runs),), schema.WEIGHTS[0].dtype)
        done = counted.get(name, done)
        stored = StoredWeights(name, shape, np.searchsorted(numbers, runs), snapshots, done)
        if (
            len(runs) == 0
            or len(set(runs.tolist())) < len(runs)
            or not np.isin(runs, numbers).all()
        ):
            raise inspector.bad(f"the runs of weights group '{name}'")
        if not _increase(snapshots) or not np.isin(snapshots, steps).all():
            raise inspector.bad(f"the snapshots of weights group '{name}'")
        if done.min() < 0 or done.max() > len(snapshots):
            raise inspector.bad(f"the counters of weights group '{name}'")
        params_of(inspector, stored)
        result.append(stored)
    return tuple(result)
