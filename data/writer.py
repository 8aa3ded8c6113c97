"""Write a trajectory so that no crash, kill or full disk costs a committed record.

While runs are going, the file is complete HDF5 whose datasets are contiguous and preallocated with
NaN. A commit writes the new records at their final place, waits for the disk, then says in the
journal behind them (`journal`), and in the commit counter (`records_done`), that they count;
readers use nothing beyond that. No metadata change, so every prefix of the writes is a valid
file. libhdf5 builds the file and is out of the way afterwards: these are plain writes at known
offsets, whose errors are ordinary exceptions. A finished file is written afresh, compressed and
with a trailer, and takes the place of the running one by a rename."""

import dataclasses
import math
import os
import struct
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from fracsim.data import layout
from fracsim.data.atomic import AtomicFile, read_at, replacing, write_at
from fracsim.data.errors import FileError, cannot_write
from fracsim.data.journal import STATUS_BYTES, Journal, State, checksums, snapshot_checksum
from fracsim.data.numbering import Row
from fracsim.data.plan import Plan, attribute_error, make_plan
from fracsim.data.schema import FORMAT_VERSION, RUN_STATUS, WeightsGroup

_KEPT = "its committed records are safe"
_ENDED = ("complete", "diverged")
_FLOAT = np.dtype("<f8")
_PACK = struct.Struct("<d").pack


class TrajectoryWriter:
    """One open trajectory. One process, one thread writes; any number may read meanwhile.

    Records are handed over by `write_record`, weights by `write_weights`, states by
    `set_run_status`; all of it becomes visible to readers at the next `commit`. Leaving the `with`
    block closes the file as it is, without a commit."""

    def __init__(
        self,
        path: str,
        plan: Plan,
        fd: int,
        places: Mapping[str, layout.Place],
        journal: Journal | None,
    ) -> None:
        self.path = path
        self._journal = journal  # None: of version 1
        self._number = 0  # of the last commit
        self._plan = plan
        self._fd = fd
        self._places = places
        self._status = np.zeros(plan.run_count, "|i1")
        self._done = np.zeros(plan.run_count, "<i8")
        self._snapshots = {
            name: np.zeros(len(group.runs), "<i8") for name, group in plan.weights.items()
        }
        self._ended_since = False  # whether a run has ended since the last commit
        # run -> records handed over since the last commit, as the bytes that checksums are of
        self._rows: dict[Row, list[bytes]] = {}
        self._sizes = plan.record_sizes
        ends = np.cumsum([max(size, 1) for size in self._sizes.values()]).tolist()
        self._record_places = [
            (places[f"/{name}"].offset, first, end)
            for name, first, end in zip(self._sizes, [0, *ends], ends, strict=False)
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
        version: int = FORMAT_VERSION,
    ) -> Self:
        """Make the file, preallocated, in place of whatever `path` held.

        runs: column -> R values (str, int or float; None becomes "" or NaN), `steps`: (S,) recorded
        step numbers, `levels`: largest n + 1, `layers`: largest T + 1, `weights`: 'T5_k100_d2' ->
        what is stored of that shape, `numbers`: (R,) numbers of the runs in their experiment,
        ascending (default: 0, 1, …), `targets`: what the labels of the runs are, among
        `schema.TARGETS`, `version`: of the format. Raises FileError (disk full, folder missing, …)
        and ValueError for a plan that cannot be stored."""
        plan = make_plan(
            runs, steps, levels, layers, attributes, weights, numbers, targets, version
        )
        fd = -1
        try:
            with replacing(path) as file:
                places = layout.build(file, plan, "running")
                journal = layout.append_journal(file, plan, places) if plan.version > 1 else None
                fd = os.dup(file.fd)
        except BaseException:
            if fd >= 0:
                os.close(fd)
            raise
        return cls(os.fspath(path), plan, fd, places, journal)

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
            with h5py.File(AtomicFile(fd), "r") as root:
                places = layout.find_places(root, plan)
            journal = layout.find_journal(fd, os.fspath(path), plan)
            writer = cls(os.fspath(path), plan, fd, places, journal)
            writer._keep(np.asarray(kept, "<i8"), ended)
            writer._set_status("running")
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
        if values.keys() != self._sizes.keys():
            values = self._whole(values)
        row = []
        for name, size in self._sizes.items():
            if not size:
                row.append(_PACK(values[name]))
                continue
            given = np.asarray(values[name], _FLOAT).tobytes()
            row.append(given)
            if len(given) != 8 * size:
                row.append(_missing(name, len(given) // 8, size))
        self._rows.setdefault(run, []).append(b"".join(row))

    def _whole(self, values: Mapping[str, float | np.ndarray]) -> dict[str, float | np.ndarray]:
        """A record with NaN for the variables of other targets than its run's."""
        if not values.keys() <= self._sizes.keys() or len(self._plan.targets) == 1:
            raise ValueError(f"a record holds {', '.join(self._sizes)}; given: {', '.join(values)}")
        empty = {name: np.empty(0) if size else math.nan for name, size in self._sizes.items()}
        return empty | dict(values)

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
        pieces = [(place.offset + at * len(data), data)]
        if self._journal is not None:
            place_of_sum = self._journal.snapshot_place(name, row, snapshot)
            pieces.append((place_of_sum, snapshot_checksum(data)))
        self._write(pieces)
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
            slab = np.frombuffer(b"".join(rows), _FLOAT).reshape(len(rows), -1)
            for offset, first, end in self._record_places:
                records.append((offset + at * (end - first) * 8, slab[:, first:end].tobytes()))
            if self._journal is not None:
                place = self._journal.record_place(run, int(self._done[run]))
                records.append((place, checksums(rows)))
            done[run] += len(rows)
        counters = [(self._places["/records_done"].offset, done.tobytes())]
        for name, snapshots in self._snapshots.items():
            counters.append(
                (self._places[f"/weights/{name}/snapshots_done"].offset, snapshots.tobytes())
            )
        self._write(records)
        self.sync()  # the counter must not reach the disk before the records it counts
        if self._journal is not None:
            state = State(self._number + 1, done, self._status, self._snapshots)
            self._write([self._journal.slot(state)])
            self.sync()  # nor HDF5's counters before the slot that vouches for them
            self._number += 1
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
                self.path,
                self._plan,
                self._committed,
                "the records are safe in the unfinished file",
            )
        else:
            self._set_status(status)
            self.sync()
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

    def _set_status(self, status: str) -> None:
        """Change the attribute ``status`` of the file in place."""
        if self._journal is not None:
            text = status.encode().ljust(STATUS_BYTES, b"\0")
            self._write([(self._journal.status_at, text)])
            return
        file = AtomicFile(self._fd)
        try:
            layout.set_status(file, status)
            file.check()
        except OSError as error:
            raise cannot_write(self.path, error, _KEPT) from error

    def _stored(self) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """The counters of a file that is continued: records, and snapshots of each group."""
        if self._journal is not None:
            state = self._journal.state(self._fd, self.path)
            self._number = state.number
            return state.done, state.snapshots
        names = {name: f"/weights/{name}/snapshots_done" for name in self._plan.weights}
        snapshots = {
            name: self._read(dataset, 0, len(self._snapshots[name]))
            for name, dataset in names.items()
        }
        return self._read("/records_done", 0, self._plan.run_count), snapshots

    def _keep(self, kept: np.ndarray, ended: Sequence[str | None]) -> None:
        """Lower the counters to what is kept, before anything beyond them is written anew."""
        stored, snapshots = self._stored()
        for run, status in enumerate(ended):
            self._status[run] = RUN_STATUS.index(status or "pending")
        for name, group in self._plan.weights.items():
            done = snapshots[name]
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
            self._check_snapshots(name)
        if np.any(kept > stored):
            raise ValueError("it holds fewer records than its checkpoint counts")
        self._done = kept.copy()
        self.commit()

    def _check_snapshots(self, name: str) -> None:
        """Raise FileError unless the snapshots that stay are those that were written."""
        if self._journal is None:
            return
        for row, count in enumerate(self._snapshots[name].tolist()):
            params = self._read(f"/weights/{name}/params", row, row + 1)[0, :count]
            for snapshot, values in enumerate(params):
                self._journal.check_snapshot(self._fd, self.path, name, row, snapshot, values)

    def _committed(self, name: str, first: int, end: int) -> np.ndarray:
        """Rows of a dataset; NaN what does not count: the disk may have changed it."""
        values = self._read(name, first, end)
        if values.ndim < 2:
            return values
        group = name.split("/")[2] if name.startswith("/weights/") else ""
        done = (self._snapshots[group] if group else self._done)[first:end, None]
        beyond = np.arange(values.shape[1]) >= done
        if beyond.any():
            values = values.copy()
            values[beyond] = np.nan
        return values

    def _read(self, name: str, first: int, end: int) -> np.ndarray:
        """Rows first..end-1 of a preallocated dataset."""
        place = self._places[name]
        row = int(np.prod(place.shape[1:], dtype=np.int64)) * place.dtype.itemsize
        data = read_at(self._fd, (end - first) * row, place.offset + first * row)
        return np.frombuffer(data, place.dtype).reshape(end - first, *place.shape[1:])


def _missing(name: str, count: int, size: int) -> bytes:
    """What is put behind ``count`` values of a variable that has room for ``size``."""
    if count > size:
        raise ValueError(f"{name} has {count} values, the file has room for {size}")
    return _PACK(math.nan) * (size - count)


__all__ = ["TrajectoryWriter", "WeightsGroup"]
