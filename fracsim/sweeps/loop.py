"""One sweep in progress: groups go out to an executor, a slice at a time; what comes back goes into
the trajectory file and its checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fracsim.data.numbering import Row
from fracsim.errors import RunError, UsageError
from fracsim.experiments.shard import Part
from fracsim.machine.kind import Machines
from fracsim.products.checkpoint import save
from fracsim.products.product import Product
from fracsim.sweeps.executors import Executor
from fracsim.sweeps.progress import Progress, RunProgress, Tally
from fracsim.sweeps.scheduler import Scheduler
from fracsim.sweeps.stop import Stop
from fracsim.sweeps.worker import forget_data
from fracsim.training.groups import Group, Groups

if TYPE_CHECKING:
    from fracsim.training.trainer import RunState, Slice

_COMMIT_EVERY = 1.0  # seconds

Say = Callable[[str], None]


@dataclass
class Summary:
    """What a sweep did: ``status`` is "complete" or "interrupted", ``seconds`` the wall time of
    this call.

    Per run, in the order of the file: ``run_status``, ``steps`` done by this call, ``run_seconds``
    in training kernels of this call. ``reason``: why it was interrupted. ``already_complete``:
    there was nothing to do."""

    output: Path
    status: str
    threads: int = 0
    seconds: float = 0.0
    reason: str = ""
    already_complete: bool = False
    run_status: list[str] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    run_seconds: list[float] = field(default_factory=list)


class Sweep:
    """The calling thread's side of a sweep. ``states``: row -> state of the runs that go on from a
    checkpoint."""

    def __init__(
        self,
        part: Part,
        path: Path,
        product: Product,
        groups: Groups,
        executor: Executor,
        stop: Stop,
        states: Mapping[Row, RunState],
        machines: Machines,
    ) -> None:
        self.part, self.path, self.product, self.machines = part, path, product, machines
        self.groups, self.executor, self.stop = groups, executor, stop
        self.runs = [
            RunProgress(Row(row), number, run, cost, ended or "pending", states.get(Row(row)))
            for row, (number, run, cost, ended) in enumerate(
                zip(part.numbers, part.runs, part.costs, product.ended, strict=True)
            )
        ]
        self.tally = Tally(self.runs)
        keeps = part.experiment.weights == "records"
        self.scheduler = Scheduler(self.runs, groups, executor, stop, keeps)
        self.error: tuple[Group, BaseException] | None = None

    def go(
        self,
        checkpoint_every: float,
        progress: Callable[[Progress], None] | None,
        announce: Say,
        alive: Callable[[], None],
    ) -> Summary:
        """Train all runs that have not ended, those in progress first, then the longest, and finish
        the trajectory file."""
        started = time.monotonic()
        committed = kept = started
        asked = math.inf  # when the stop was first seen
        try:
            while self.scheduler.flies or (self.scheduler.waits and not self._stopping()):
                self._send_all()
                for sentence in (*self._receive(), *self.executor.news()):
                    announce(sentence)
                now = time.monotonic()
                if now - committed > _COMMIT_EVERY:
                    self.product.commit()
                    committed = now
                # Also as soon as a stop is asked for: a worker that still compiles may outlast a
                # scheduler's grace.
                if stopped := self._stopping() and asked == math.inf:
                    asked = now
                    self._recall(announce)
                if self.stop.keep or now - kept > checkpoint_every or stopped:
                    self.stop.keep, kept = False, now
                    self.keep(announce)
                if now - asked > self.executor.patience:
                    self.scheduler.give_up()
                alive()
                if progress is not None:
                    self.tally.count(self.scheduler.in_flight())
                    progress(self.tally.progress())
        except BaseException:
            self.stop.set()  # no worker outlives the file
            self.scheduler.give_up()
            raise
        finally:
            forget_data()
        return self._finish(started)

    def _stopping(self) -> bool:
        return self.stop() or self.error is not None

    def _send_all(self) -> None:
        """Give every worker something to do."""
        while not self._stopping() and (group := self.scheduler.next()):
            for row in group:
                if self.runs[row].status == "pending":
                    self.runs[row].status = "running"
                    self.product.start(row)
            self.scheduler.send(group)

    def _recall(self, announce: Say) -> None:
        """A stop was asked for: what no worker has begun stays as it is."""
        for one in self.scheduler.recall():
            if one.state is None:
                one.status = "pending"
                self.product.put_back(one.row)
        if self.stop.reason:
            announce(
                f"stopping, by {self.stop.reason}: waiting for the kernel calls in progress "
                "(compiling can take a minute); Ctrl-C twice aborts"
            )

    def _receive(self) -> list[str]:
        """Take in what has come back, and send on the runs that have not ended; sentences for the
        user."""
        from fracsim.kernels.errors import OutOfDeviceMemory

        said = []
        for group, future in self.scheduler.receive():
            try:
                answer = self.executor.result(future)
            except OutOfDeviceMemory as error:
                if sentence := self.scheduler.divide(group):
                    said.append(sentence)
                else:
                    self._fail(group, error)
            except BaseException as error:
                self._fail(group, error)
            else:
                if note := self.machines.saw(answer.machine):
                    said.append(note)
                    self.stop.keep = True  # what a kill leaves must know of it
                self._take_in(group, answer.slices)
            self.tally.count(self.runs[row] for row in group)
        return said

    def _take_in(self, group: Group, slices: Sequence[Slice]) -> None:
        self.scheduler.saw(group, slices)
        for row, part in zip(group, slices, strict=True):
            self.runs[row].take_in(part)
        if going := tuple(row for row in group if not self.runs[row].ended):
            self.scheduler.go_on(going)
            self._send_all()  # before its records are stored, so that no worker waits for the disk
        for row, part in zip(group, slices, strict=True):
            for record in part.records:
                self.product.record(row, record)
            if self.runs[row].ended:
                self.product.end(row, part.status, part.state.state.params[0])

    def _fail(self, group: Group, error: BaseException) -> None:
        self.error = self.error or (group, error)
        self.stop.set()

    def keep(self, announce: Say) -> None:
        """Write a checkpoint; a disk that refuses it is told of, and the training goes on."""
        from fracsim.data.errors import FileError

        # a checkpoint must not count records that a power cut could take back
        self.product.secure()
        try:
            self._save()
        except FileError as error:
            announce(f"warning: no checkpoint was made: {error}")

    def _save(self) -> None:
        states = {one.row: one.state for one in self.runs if one.state is not None}
        save(self.path, self.part, states, self.machines.facts())

    def _finish(self, started: float) -> Summary:
        from fracsim.data.checkpoint import remove_checkpoints

        complete = all(one.ended for one in self.runs)
        self.product.describe(self.machines.facts())
        if complete:
            self.product.finish("complete")
            remove_checkpoints(self.path)
        else:
            self.product.finish("interrupted")
            self._save()
        if self.error is not None:
            self._raise_error()
        return Summary(
            self.path,
            "complete" if complete else "interrupted",
            threads=self.executor.slots,
            seconds=time.monotonic() - started,
            reason="" if complete else self.stop.reason,
            run_status=[one.status for one in self.runs],
            steps=[one.step - one.first[0] for one in self.runs],
            run_seconds=[one.spent - one.first[1] for one in self.runs],
        )

    def _raise_error(self) -> None:
        from fracsim.data.errors import FileError
        from fracsim.kernels.errors import BackendError, OutOfDeviceMemory

        assert self.error is not None
        group, error = self.error
        if isinstance(error, (UsageError, RunError, FileError, MemoryError, OSError)):
            raise error
        beside = f" and {len(group) - 1} beside it" if len(group) > 1 else ""
        name = f"run {self.runs[group[0]].number}{beside}"
        if isinstance(error, OutOfDeviceMemory):
            raise RunError(f"{self.groups.too_large(group[0], name)}: {error}") from error
        kind = "" if isinstance(error, BackendError) else f"{type(error).__name__}: "
        raise RunError(f"{name} failed: {kind}{error}") from error
