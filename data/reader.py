"""Read trajectories, finished or still running, without trusting them (see `untrusted`)."""

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fracsim.data import schema
from fracsim.data.errors import FileError
from fracsim.data.numbering import Number, Row
from fracsim.data.schema import RUN_STATUS
from fracsim.data.untrusted import Inspector, Opened, opened


class StoredWeights(NamedTuple):
    """One weights group: name, sizes (d, T, width) of its networks, rows of its runs, steps of its
    snapshots, how many each run has."""

    name: str
    shape: schema.Sizes
    runs: np.ndarray
    snapshots: np.ndarray
    done: np.ndarray


@dataclass(frozen=True)
class Trajectory:
    """The records of R runs at S steps.

    `attributes`: of the file. `experiment`: the resolved experiment ({} where none is stored).
    `status`: running, interrupted or complete. `numbers`: (R,) numbers of the runs in their
    experiment, of which a shard holds a part. `runs`: column -> (R,) array. `steps`: (S,).
    `records_done`: (R,) valid records. `run_status`: (R,) names of `schema.RUN_STATUS`. A method's
    argument `run` is a row: 0 to R - 1; users see `numbers[row]`. `stored_weights`: one for each
    network shape with weights."""

    path: str
    attributes: dict[str, str | int | float]
    experiment: dict[str, Any]
    status: str
    numbers: np.ndarray
    runs: dict[str, np.ndarray]
    steps: np.ndarray
    records_done: np.ndarray
    run_status: tuple[str, ...]
    stored_weights: tuple[StoredWeights, ...]
    _variables: Mapping[str, np.ndarray]

    @property
    def note(self) -> str:
        """What a table or figure must say beside the results: "" or e.g. 'running, 37 of 100
        records'."""
        if self.status == "complete":
            return ""
        expected = [
            done if name == "diverged" else len(self.steps)
            for name, done in zip(self.run_status, self.records_done, strict=True)
        ]
        return f"{self.status}, {int(self.records_done.sum())} of {int(sum(expected))} records"

    @property
    def records(self) -> tuple[str, ...]:
        """Names of the recorded variables."""
        return tuple(self._variables)

    def target(self, run: Row) -> str:
        """What the labels of `run` are, "class", "real" or "mimic"; where the file has runs of
        several, and this one no record yet, the first of these."""
        there = [
            target
            for target, name in (("mimic", "test_agreement"), ("real", "test_rmse"))
            if name in self._variables
        ]
        if not there:
            return "class"
        for target, name in (("mimic", "test_agreement"), ("real", "test_rmse")):
            if target in there and not np.isnan(self._variables[name][run, 0]):
                return target
        others = "test_accuracy" if there == ["real"] else "train_accuracy"
        return "class" if others in self._variables else there[0]

    @functools.cached_property
    def rows(self) -> dict[Number, Row]:
        """Number of each run -> its row."""
        return {Number(number): Row(row) for row, number in enumerate(self.numbers.tolist())}

    def score(self, run: Row) -> str:
        """The variable that says how good `run` is, the larger the better: "test_accuracy" or, of
        real labels, "test_r2"."""
        return "test_r2" if self.target(run) == "real" else "test_accuracy"

    def best(self) -> np.ndarray:
        """The best `score` of each run over its records (R,), NaN where it has none."""
        return self._best[1]

    def best_records(self) -> np.ndarray:
        """Where along `steps` the best `score` of each run is (R,), -1 where it has none."""
        return self._best[0]

    @functools.cached_property
    def _best(self) -> tuple[np.ndarray, np.ndarray]:
        """Places and scores; what a network was before its first step is no result of training."""
        places = np.full(len(self.records_done), -1)
        scores = np.full(len(places), np.nan)
        names = np.array([self.score(Row(row)) for row in range(len(places))])
        for name in np.unique(names):
            rows = np.flatnonzero(names == name)
            found = np.where(self.steps > 0, self._variables[name][rows], np.nan)
            found = np.where(np.isfinite(found), found, -np.inf)
            best = found.argmax(axis=1)
            values = found[np.arange(len(rows)), best]
            there = np.isfinite(values)
            places[rows[there]], scores[rows[there]] = best[there], values[there]
        return places, scores

    def records_of(self, run: Row) -> tuple[str, ...]:
        """Names of the variables that are recorded of `run`, by what its labels are."""
        target = self.target(run)
        own = [v.name for v in schema.EVERY_RECORD if schema.is_of(v, target)]
        return tuple(name for name in self.records if name in own)

    def variable(self, name: str) -> np.ndarray:
        """Values of one of `records`, (R, S) or (R, S, n + 1 or T + 1), NaN where there is no
        record."""
        if name not in self._variables:
            raise ValueError(f"no variable '{name}'; a trajectory has {', '.join(self._variables)}")
        return self._variables[name]

    def weight_steps(self, run: Row) -> np.ndarray:
        """Steps at which the weights of `run` are stored; empty where they are not."""
        stored = self._group_of(run)
        return stored.snapshots[: self._snapshots(stored, run)] if stored else np.empty(0, np.int64)

    def weights(self, run: Row, snapshot: int = -1) -> tuple[schema.Sizes, np.ndarray]:
        """Sizes (d, T, width) and params (Q,) of `run` at one of its stored snapshots (-1: the last
        one).

        Raises FileError where these weights are not in the file.
        """
        stored = self._group_of(run)
        count = self._snapshots(stored, run) if stored else 0
        if stored is None or not -count <= snapshot < count:
            which = (
                "weights" if count == 0 else f"snapshot {snapshot} of the weights ({count} stored)"
            )
            raise FileError(f"'{self.path}' holds no {which} of run {self.numbers[run]}")
        with opened(self.path) as file:
            params = params_of(Inspector(file), stored)
            return stored.shape, params[
                int(np.flatnonzero(stored.runs == run)[0]), snapshot % count
            ]

    def _group_of(self, run: Row) -> StoredWeights | None:
        if not 0 <= run < len(self.records_done):
            raise ValueError(f"run {run} is not in 0..{len(self.records_done) - 1}")
        return next((stored for stored in self.stored_weights if run in stored.runs), None)

    @staticmethod
    def _snapshots(stored: StoredWeights, run: Row) -> int:
        return int(stored.done[stored.runs == run][0])


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
    if version > schema.FORMAT_VERSION:
        raise FileError(
            f"'{file.name}' is from a newer fracsim (format_version {version}, this one reads up "
            f"to "
            f"{schema.FORMAT_VERSION}): update fracsim to read it"
        )
    status = attributes.get("status", "complete")
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
    return kind


def load_trajectory(file: Opened) -> Trajectory:
    """All of an opened trajectory but its weights. Raises FileError."""
    inspector, root = Inspector(file), file.root
    names = inspector.members(root)
    attributes = inspector.attributes(root)
    sizes: dict[str, int] = {}
    axes = {}
    for name in ("run", "step", "level", "layer"):
        axes[name] = inspector.numbers(root, name, (None,), schema.DIMENSIONS[name].dtype)
        sizes[name] = len(axes[name])
        if sizes[name] == 0:
            raise inspector.bad(f"no {name}")
        if name in ("level", "layer") and not np.array_equal(axes[name], np.arange(sizes[name])):
            raise inspector.bad(f"its axis '{name}' does not count from 0")
    if not _increase(axes["step"]):
        raise inspector.bad("its steps do not increase")
    # The counters first: what they count was on the disk before they were raised, whatever is
    # written while we read.
    progress = {
        v.name: inspector.numbers(root, v.name, (sizes["run"],), v.dtype) for v in schema.PROGRESS
    }
    done, codes = progress["records_done"], progress["run_status"]
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
    weights = _weights_index(inspector, numbers, axes["step"]) if "weights" in names else ()
    columns = [name for name in names if name not in schema.RESERVED]
    runs = {name: inspector.column(root, name, sizes["run"]) for name in columns}
    beyond = np.arange(sizes["step"]) >= done[:, None]
    variables = {}
    for variable in _recorded(names, sizes["level"]):
        shape = tuple(sizes[dim] for dim in variable.dims)
        values = inspector.numbers(root, variable.name, shape, variable.dtype)
        values[beyond] = np.nan
        variables[variable.name] = values
    return Trajectory(
        path=file.name,
        attributes=attributes,
        experiment=_experiment(inspector, attributes),
        status=str(attributes["status"]),
        numbers=numbers,
        runs=runs,
        steps=axes["step"],
        records_done=done,
        run_status=tuple(RUN_STATUS[code] for code in codes),
        _variables=variables,
        stored_weights=weights,
    )


def _recorded(names: list[str], levels: int) -> tuple[schema.Variable, ...]:
    """The variables that a file with these members must have."""
    real = "test_r2" in names or "test_rmse" in names
    mimic = "test_agreement" in names
    classes = "train_accuracy" in names or not (real or mimic)
    classes |= not mimic and "test_accuracy" in names
    there = {"class": classes, "real": real, "mimic": mimic}
    return schema.records_of([target for target, is_there in there.items() if is_there], levels)


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
    inspector: Inspector, numbers: np.ndarray, steps: np.ndarray
) -> tuple[StoredWeights, ...]:
    """Every weights group, checked; the weights themselves stay on the disk."""
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


def params_of(inspector: Inspector, stored: StoredWeights) -> Any:
    """The dataset (runs, snapshots, Q) of a weights group, its shape and type checked, not yet
    read."""
    group = inspector.group(inspector.group(inspector.file.root, "weights"), stored.name)
    shape = (len(stored.runs), len(stored.snapshots), schema.parameter_count(*stored.shape))
    params = inspector.dataset(group, "params", shape)
    if params.dtype.str not in ("<f4", "<f8"):
        raise inspector.bad(f"'params' of weights group '{stored.name}' has type {params.dtype}")
    return params
