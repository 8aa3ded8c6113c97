"""Write a trajectory so that no crash, kill or full disk costs a committed record.

While runs are going, the file is complete HDF5 whose datasets are contiguous and preallocated with
NaN. A commit writes the new records at their final place, waits for the disk, then raises the
commit counter (`records_done`); readers use nothing beyond the counter. No metadata change, so
every prefix of the writes is a valid file. libhdf5 builds the file and is out of the way
afterwards: these are plain writes at known offsets, whose errors are ordinary exceptions. A
finished file is written afresh, compressed and with a trailer, and takes the place of the running
one by a rename."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from fracsim.data import layout
from fracsim.data.atomic import AtomicFile, read_at, replacing, write_at
from fracsim.data.errors import FileError, cannot_write
from fracsim.data.numbering import Row
from fracsim.data.plan import Plan, attribute_error, make_plan
from fracsim.data.schema import RUN_STATUS, WeightsGroup

_KEPT = "its committed records are safe"
_ENDED = ("complete", "diverged")


class TrajectoryWriter:
    """One open trajectory. One process, one thread writes; any number may read meanwhile.

    Records are handed over by `write_record`, weights by `write_weights`, states by
    `set_run_status`; all of it becomes visible to readers at the next `commit`. Leaving the `with`
    block closes the file as it is, without a commit."""

    def __init__(self, path: str, plan: Plan, fd: int, places: Mapping[str, layout.Place]) -> None:
        self.path = path
        self._plan = plan
        self._fd = fd
        self._places = places
        self._status = np.zeros(plan.run_count, "|i1")
        self._done = np.zeros(plan.run_count, "<i8")
        self._snapshots = {
            name: np.zeros(len(group.runs), "<i8") for name, group in plan.weights.items()
        }
        self._ended_since = False  # whether a run has ended since the last commit
        self._rows: dict[
            Row, list[np.ndarray]
        ] = {}  # run -> records handed over since the last commit
        self._columns, row_size = _row_columns(plan)
        self._empty_row = np.full(row_size, np.nan)
        self._record_places = [
            (places[f"/{name}"].offset, first, first + max(size, 1))
            for name, (first, size) in self._columns.items()
        ]

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        runs: Mapping[str, Sequence[Any]],
        steps: Sequence[int] | np.ndarray,
        levels: int,
        layers: int,
        attributes: Mapping[str, str | int | float],
        weights: Mapping[str, WeightsGroup] | None = None,
        numbers: Sequence[int] | None = None,
        targets: Sequence[str] = ("class",),
    ) -> Self:
        """Make the file, preallocated, in place of whatever `path` held.

        runs: column -> R values (str, int or float; None becomes "" or NaN), `steps`: (S,) recorded
        step numbers, `levels`: largest n + 1, `layers`: largest T + 1, `weights`: 'T5_k100_d2' ->
        what is stored of that shape, `numbers`: (R,) numbers of the runs in their experiment,
        ascending (default: 0, 1, …), `targets`: what the labels of the runs are, among
        `schema.TARGETS`. Raises FileError (disk full, folder missing, …) and ValueError
        for a plan that cannot be stored."""
        plan = make_plan(runs, steps, levels, layers, attributes, weights, numbers, targets)
        fd = -1
        try:
            with replacing(path) as file:
                places = layout.build(file, plan, "running")
                fd = os.dup(file.fd)
        except BaseException:
            if fd >= 0:
                os.close(fd)
            raise
        return cls(os.fspath(path), plan, fd, places)

    @classmethod
    def reopen(
        cls,
        path: str | os.PathLike[str],
        plan: Plan,
        kept: Sequence[int],
        ended: Sequence[str | None],
    ) -> Self:
        """Go on with the running or interrupted file that `create` made from this plan (attributes
        aside).

        kept: (R,) records that stay, at most those committed; the others count no longer. ended:
        (R,) "complete", "diverged", or None for a run that goes on. Raises FileError where the file
        is another or cannot be written."""
        try:
            fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            file = AtomicFile(fd)
            with h5py.File(file, "r") as root:
                writer = cls(os.fspath(path), plan, fd, layout.find_places(root, plan))
            writer._keep(np.asarray(kept, "<i8"), ended)
            layout.set_status(file, "running")
            file.check()
            writer.sync()
        except (ValueError, OSError) as error:
            os.close(fd)
            if isinstance(error, OSError) and error.errno:
                raise cannot_write(path, error, _KEPT) from error
            raise FileError(f"'{os.fspath(path)}' cannot be continued: {error}") from error
        except BaseException:
            os.close(fd)
            raise
        return writer

    def write_record(self, run: Row, s: int, values: Mapping[str, float | np.ndarray]) -> None:
        """Hand over record `s` of `run`: one value per variable of the plan's `records` (of several
        targets: those of the run's), in the order s = 0, 1, ….

        By-level and by-layer values may be shorter than the file's axis; the rest stays NaN. Arrays
        are copied."""
        expected = int(self._done[run]) + len(self._rows.get(run, ()))
        if s != expected or s >= len(self._plan.steps):
            raise ValueError(
                f"run {run}: record {s} given, record {expected} of {len(self._plan.steps)} "
                f"expected"
            )
        fits = values.keys() <= self._columns.keys()
        if not fits or (len(values) < len(self._columns) and len(self._plan.targets) == 1):
            raise ValueError(
                f"a record holds {', '.join(self._columns)}; given: {', '.join(values)}"
            )
        row = self._empty_row.copy()
        for name, value in values.items():
            first, size = self._columns[name]
            if size == 0:
                row[first] = value
            elif len(value) <= size:  # type: ignore[arg-type]
                row[first : first + len(value)] = value  # type: ignore[arg-type]
            else:
                raise ValueError(f"{name} has {len(value)} values, the file has room for {size}")  # type: ignore[arg-type]
        self._rows.setdefault(run, []).append(row)

    def write_weights(self, run: Row, snapshot: int, params: np.ndarray) -> None:
        """Store params (Q,) of `run` as its snapshot number `snapshot` (0, 1, … of the group's
        `snapshots`)."""
        name = next((name for name, group in self._plan.weights.items() if run in group.runs), None)
        if name is None:
            raise ValueError(f"no weights group of '{self.path}' holds run {run}")
        group = self._plan.weights[name]
        place = self._places[f"/weights/{name}/params"]
        row = list(group.runs).index(run)
        if snapshot != self._snapshots[name][row] or snapshot >= len(group.snapshots):
            raise ValueError(
                f"run {run}: snapshot {snapshot} given, {self._snapshots[name][row]} expected"
            )
        if np.shape(params) != (group.parameters,):
            raise ValueError(
                f"run {run}: {np.shape(params)} parameters given, {group.parameters} expected"
            )
        data = np.asarray(params, dtype=place.dtype).tobytes()
        at = row * len(group.snapshots) + snapshot
        self._write([(place.offset + at * len(data), data)])
        self._snapshots[name][row] += 1

    def describe(self, attributes: Mapping[str, str | int | float]) -> None:
        """Attributes for the finished file, beside those it was created with. Raises ValueError as
        `create` does."""
        if problem := attribute_error(attributes):
            raise ValueError(problem)
        self._plan = dataclasses.replace(
            self._plan, attributes={**self._plan.attributes, **attributes}
        )

    def set_run_status(self, run: Row, status: str) -> None:
        """Status of one run: a name of `schema.RUN_STATUS`."""
        self._status[run] = RUN_STATUS.index(status)
        self._ended_since = self._ended_since or status in _ENDED

    def commit(self) -> None:
        """Make everything handed over so far valid for readers. Raises FileError; it may then be
        called again."""
        records, done = [], self._done.copy()
        for run, rows in self._rows.items():
            at = run * len(self._plan.steps) + int(self._done[run])
            slab = np.array(rows, dtype="<f8")
            for offset, first, end in self._record_places:
                records.append((offset + at * (end - first) * 8, slab[:, first:end].tobytes()))
            done[run] += len(rows)
        counters = [(self._places["/records_done"].offset, done.tobytes())]
        for name, snapshots in self._snapshots.items():
            counters.append(
                (self._places[f"/weights/{name}/snapshots_done"].offset, snapshots.tobytes())
            )
        self._write(records)
        self.sync()  # the counter must not reach the disk before the records it counts
        self._write(counters)
        if self._ended_since:
            self.sync()  # a run must not count as ended before its last record does
        self._write([(self._places["/run_status"].offset, self._status.tobytes())])
        self._done, self._ended_since = done, False
        self._rows.clear()

    def sync(self) -> None:
        """Wait until the disk has all that was committed. Raises FileError."""
        try:
            getattr(os, "fdatasync", os.fsync)(self._fd)  # macOS has no fdatasync
        except OSError as error:
            raise cannot_write(self.path, error, _KEPT) from error

    def finish(self, status: str) -> None:
        """Commit and end: "complete" rewrites the file compressed, with a trailer; "interrupted"
        leaves it in place.

        Raises FileError (the records stay in the running file) and ValueError where a complete file
        would not be."""
        if status not in ("complete", "interrupted"):
            raise ValueError(f"a file is finished as complete or interrupted, not as {status!r}")
        self.commit()
        if status == "complete":
            self._check_complete()
            layout.write_finished(
                self.path, self._plan, self._read, "the records are safe in the unfinished file"
            )
        else:
            file = AtomicFile(self._fd)
            try:
                layout.set_status(file, status)
                file.check()
                os.fsync(self._fd)
            except OSError as error:
                raise cannot_write(self.path, error, _KEPT) from error
        self.close()

    def close(self) -> None:
        """Give the file back; what was not committed is dropped. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def _check_complete(self) -> None:
        for run, (status, done) in enumerate(zip(self._status, self._done, strict=True)):
            name, records = RUN_STATUS[status], len(self._plan.steps)
            if name not in _ENDED or (name == "complete" and done < records):
                number = self._plan.numbers[run]
                raise ValueError(
                    f"not a complete file: run {number} is {name} with {done} of {records} records"
                )

    def _write(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        if self._fd < 0:
            raise ValueError(f"'{self.path}' is closed")
        try:
            for offset, data in pieces:
                write_at(self._fd, data, offset)
        except OSError as error:
            raise cannot_write(self.path, error, _KEPT) from error

    def _keep(self, kept: np.ndarray, ended: Sequence[str | None]) -> None:
        """Lower the counters to what is kept, before anything beyond them is written anew."""
        for run, status in enumerate(ended):
            self._status[run] = RUN_STATUS.index(status or "pending")
        for name, group in self._plan.weights.items():
            done = self._read(f"/weights/{name}/snapshots_done", 0, len(group.runs)).copy()
            rows = np.array(group.runs)
            finished = np.array([ended[run] is not None for run in group.runs])
            # One snapshot for each record, or the last one alone, which exists where the run has
            # ended.
            most = (
                kept[rows]
                if len(group.snapshots) == len(self._plan.steps)
                else np.where(finished, done, 0)
            )
            self._snapshots[name] = np.minimum(done, most).astype("<i8")
        if np.any(kept > self._read("/records_done", 0, len(kept))):
            raise ValueError("it holds fewer records than its checkpoint counts")
        self._done = kept.copy()
        self.commit()

    def _read(self, name: str, first: int, end: int) -> np.ndarray:
        """Rows first..end-1 of a preallocated dataset."""
        place = self._places[name]
        row = int(np.prod(place.shape[1:], dtype=np.int64)) * place.dtype.itemsize
        data = read_at(self._fd, (end - first) * row, place.offset + first * row)
        return np.frombuffer(data, place.dtype).reshape(end - first, *place.shape[1:])


def _row_columns(plan: Plan) -> tuple[dict[str, tuple[int, int]], int]:
    """Where each variable lies in one record's row, name -> (first, size; size 0 is a scalar), and
    the row's length."""
    sizes = {"level": plan.levels, "layer": plan.layers}
    columns, first = {}, 0
    for variable in plan.records:
        size = sizes[variable.dims[2]] if len(variable.dims) == 3 else 0
        columns[variable.name] = (first, size)
        first += max(size, 1)
    return columns, first


__all__ = ["TrajectoryWriter", "WeightsGroup"]
