"""A trajectory in memory: its runs, what was recorded of them, and the weights, which stay in the
file until they are asked for."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracsim.data import labelled, schema
from fracsim.data.errors import AskedError, FileError, named
from fracsim.data.numbering import Number, Row
from fracsim.data.schema import RUN_STATUS
from fracsim.data.untrusted import Inspector, opened

if TYPE_CHECKING:
    import pandas
    import xarray

_KNOWN = {variable.name: variable for variable in schema.EVERY_RECORD}


class StoredWeights(NamedTuple):
    """One weights group: name, sizes of its networks, rows of its runs, steps of its
    snapshots, how many each run has."""

    name: str
    shape: schema.Sizes
    runs: np.ndarray
    snapshots: np.ndarray
    done: np.ndarray


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return labelled.line_of(self.path, self.status, self._axes, self.runs)

    @functools.cached_property
    def _axes(self) -> dict[str, np.ndarray]:
        """Dimension -> its coordinates."""
        sizes = {
            dim: size
            for name, values in self._variables.items()
            for dim, size in zip(_KNOWN[name].dims, values.shape, strict=True)
        }
        axes = {"run": self.numbers, "step": self.steps}
        for dim in ("level", "layer"):
            if dim in sizes:
                axes[dim] = np.array(schema.numbers(dim, sizes[dim]))
        return axes

    def to_xarray(self) -> "xarray.Dataset":
        """All records as an `xarray.Dataset`, with dimensions run, step, level and layer; the
        settings are coordinates of run. Raises ModuleNotFoundError where xarray is missing."""
        codes = np.array([RUN_STATUS.index(status) for status in self.run_status], "|i1")
        progress = {"run_status": codes, "records_done": self.records_done}
        return labelled.to_dataset(
            self._axes, self.runs, progress, self._variables, self.attributes
        )

    def to_pandas(self) -> "pandas.DataFrame":
        """One row for each record, indexed by run and step: the columns of `fracsim export`. Raises
        ModuleNotFoundError where pandas is missing."""
        return labelled.to_frame(self._axes, self.runs, self.records_done, self._variables)

    @property
    def version(self) -> int:
        """Of the file's format."""
        return int(self.attributes["format_version"])

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
        self._check_row(run)
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

    def dead_since(self) -> np.ndarray:
        """The recorded step since which each run is dead, to its last record: (R,) int64, -1 where
        it lives. Dead is a network of which no test point activates any unit of some hidden layer:
        its output is one number everywhere, and the gradient of that layer and of those below is
        exactly 0. (Version 1 does not say which units are active: dead is a network with a loss of
        which no hidden layer has a gradient.)"""
        return self._dead_since

    @functools.cached_property
    def _dead_since(self) -> np.ndarray:
        still = self._inactive()
        since = np.full(len(self.records_done), -1)
        for row, done in enumerate(self.records_done.tolist()):
            if done and still[row, done - 1]:
                alive = np.flatnonzero(~still[row, :done])
                since[row] = self.steps[alive[-1] + 1 if len(alive) else 0]
        return since

    def _inactive(self) -> np.ndarray:
        """At which records (R, S) a hidden layer of a run is wholly inactive."""
        if "inactive_units" in self._variables:
            return np.asarray((self._variables["inactive_units"] == 1).any(axis=2))
        if not {"gradient_norm", "test_loss"} <= set(self._variables):
            return np.zeros((len(self.numbers), len(self.steps)), bool)
        norms = self._variables["gradient_norm"]
        depth = self.runs.get("network_depth", np.zeros(len(norms), np.int64))
        hidden = np.arange(norms.shape[2]) < np.asarray(depth)[:, None, None]
        without = ((norms == 0) | ~hidden).all(axis=2) & hidden.any(axis=2)
        return np.asarray(without & (self._variables["test_loss"] > 0))

    def records_of(self, run: Row) -> tuple[str, ...]:
        """Names of the variables that are recorded of `run`, by what its labels are."""
        target = self.target(run)
        own = [v.name for v in schema.EVERY_RECORD if schema.is_of(v, target)]
        return tuple(name for name in self.records if name in own)

    def variable(self, name: str) -> np.ndarray:
        """Values of one of `records`, (R, S) or (R, S, n + 1 or T + 1), NaN where there is no
        record."""
        if not isinstance(name, str) or name not in self._variables:
            shown = named(name)
            raise AskedError(f"no variable {shown}; a trajectory has {', '.join(self._variables)}")
        return self._variables[name]

    def weight_steps(self, run: Row) -> np.ndarray:
        """Steps at which the weights of `run` are stored; empty where they are not."""
        stored = self._group_of(run)
        return stored.snapshots[: self._snapshots(stored, run)] if stored else np.empty(0, np.int64)

    def sizes(self, run: Row) -> schema.Sizes:
        """Of the network of `run`, whose weights are stored. Raises FileError where they are
        not."""
        stored = self._group_of(run)
        if stored is None:
            raise FileError(f"'{self.path}' holds no weights of run {self.numbers[run]}")
        return stored.shape

    def weights(
        self, run: Row, snapshot: int = -1
    ) -> tuple[tuple[int, int, int | str], np.ndarray]:
        """Sizes (d, T, width) and params (Q,) of `run` at one of its stored snapshots (-1: the last
        one); outputs and image, where there are several and one, are among `sizes`.

        Raises FileError where these weights are not in the file.
        """
        stored = self._group_of(run)
        if isinstance(snapshot, bool) or not isinstance(snapshot, int | np.integer):
            raise AskedError(f"snapshot {named(snapshot)} is no whole number")
        count = self._snapshots(stored, run) if stored else 0
        if stored is None or not -count <= snapshot < count:
            which = (
                "weights" if count == 0 else f"snapshot {snapshot} of the weights ({count} stored)"
            )
            raise FileError(f"'{self.path}' holds no {which} of run {self.numbers[run]}")
        inputs, depth, width = stored.shape[:3]
        return (inputs, depth, width), self._params(stored, run, [snapshot % count])[0]

    def _params(
        self, stored: StoredWeights, run: Row, snapshots: Iterable[int]
    ) -> list[np.ndarray]:
        """params (Q,) of `run` at some of its stored snapshots. Raises FileError."""
        row, found = int(np.flatnonzero(stored.runs == run)[0]), []
        with opened(self.path) as file:
            params = params_of(Inspector(file), stored)
            for snapshot in snapshots:
                found.append(params[row, snapshot])
                if file.journal:
                    file.journal.check_snapshot(
                        file.fd, file.name, stored.name, row, snapshot, found[-1]
                    )
        return found

    def _group_of(self, run: Row) -> StoredWeights | None:
        self._check_row(run)
        return next((stored for stored in self.stored_weights if run in stored.runs), None)

    def _check_row(self, run: Row) -> None:
        rows = len(self.records_done)
        known = isinstance(run, int | np.integer) and not isinstance(run, bool)
        if not known or not 0 <= run < rows:
            raise AskedError(f"run {named(run)} is not in 0..{rows - 1}")

    @staticmethod
    def _snapshots(stored: StoredWeights, run: Row) -> int:
        return int(stored.done[stored.runs == run][0])


def all_weights(trajectory: Trajectory, run: Row) -> list[np.ndarray]:
    """params (Q,) of `run` at each of its stored snapshots, for which the file is read once; none
    where it has none. Raises FileError."""
    stored = trajectory._group_of(run)
    count = len(trajectory.weight_steps(run))
    return trajectory._params(stored, run, range(count)) if stored and count else []


def params_of(inspector: Inspector, stored: StoredWeights) -> Any:
    """The dataset (runs, snapshots, Q) of a weights group, its shape and type checked, not yet
    read."""
    group = inspector.group(inspector.group(inspector.file.root, "weights"), stored.name)
    shape = (len(stored.runs), len(stored.snapshots), schema.parameter_count(*stored.shape))
    params = inspector.dataset(group, "params", shape)
    if params.dtype.str not in ("<f4", "<f8"):
        raise inspector.bad(f"'params' of weights group '{stored.name}' has type {params.dtype}")
    return params
