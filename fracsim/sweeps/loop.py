"""One sweep in progress: groups go out to an executor, a slice at a time; what comes back goes into
the trajectory file and its checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
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
from fracsim.sweeps.stop import Stop
from fracsim.sweeps.worker import Done, Task, forget_data
from fracsim.training.groups import Group, Groups

if TYPE_CHECKING:
    from fracsim.training.trainer import RunState, Slice

_COMMIT_EVERY = 1.0  # seconds
_TICK = 0.2  # seconds between two looks at the stop flag


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: steps and runs done, share of the work (0 to 1, weighted by cost)."""

    steps: int
    total_steps: int
    runs: int
    total_runs: int
    share: float


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
        self.states = dict(states)
        self.status = [status or "pending" for status in product.ended]
        runs, count = part.runs, len(part.runs)
        self.first = [
            run.steps if ended else 0 for run, ended in zip(runs, product.ended, strict=True)
        ]
        self.spent = [0.0] * count
        for row, state in self.states.items():
            self.first[row], self.spent[row] = state.step, state.seconds
        self.before = list(self.spent)
        self.steps = list(self.first)
        self.flying: dict[Future[Done], Group] = {}
        self.waiting: list[Group] = []
        """The next one last."""
        self.too_large: set[Row] = set()
        """Rows of runs for which the device had no memory beside others."""
        self.error: tuple[Group, BaseException] | None = None
        self.with_params = part.experiment.weights == "records"

    def go(
        self,
        checkpoint_every: float,
        progress: Callable[[Progress], None] | None,
        announce: Callable[[str], None],
        alive: Callable[[], None],
    ) -> Summary:
        """Train all runs that have not ended, those in progress first, then the longest, and finish
        the trajectory file."""
        started = time.monotonic()
        order = [Row(i) for i, ended in enumerate(self.product.ended) if ended is None]
        order.sort(key=lambda row: (row not in self.states, -self.part.costs[row], row))
        self.waiting = self.groups.of(order, self.steps)[::-1]
        committed = kept = time.monotonic()
        asked = math.inf  # when the stop was first seen
        try:
            while self.flying or (self.waiting and not self._stopping()):
                while (
                    len(self.flying) < self.executor.slots
                    and not self._stopping()
                    and (group := self._next())
                ):
                    self._send(group)
                for sentence in (*self._receive(), *self.executor.news()):
                    announce(sentence)
                now = time.monotonic()
                if now - committed > _COMMIT_EVERY:
                    self.product.commit()
                    committed = now
                # Also as soon as a stop is asked for: a worker that still compiles may outlast a
                # scheduler's grace.
                stopped = self._stopping() and asked == math.inf
                if stopped and self.stop.reason:
                    announce(
                        f"stopping, by {self.stop.reason}: waiting for the kernel calls in "
                        f"progress (compiling "
                        "can take a minute); Ctrl-C twice aborts"
                    )
                if self.stop.keep or now - kept > checkpoint_every or stopped:
                    self.stop.keep, kept = False, now
                    self.keep(announce)
                asked = now if stopped else asked
                if now - asked > self.executor.patience:
                    self._give_up()
                alive()
                if progress is not None:
                    progress(self._progress())
        except BaseException:
            self.stop.set()  # no worker outlives the file
            self._give_up()
            raise
        finally:
            forget_data()
        return self._finish(started)

    def _stopping(self) -> bool:
        return self.stop() or self.error is not None

    def _next(self) -> Group | None:
        """Take out the first group that waits and has room on the device."""
        flying = tuple(self.flying.values())
        for at in reversed(range(len(self.waiting))):
            if self.groups.fits(self.waiting[at], flying):
                return self.waiting.pop(at)
        return None

    def _send(self, group: Group) -> None:
        for row in group:
            if self.status[row] == "pending":
                self.status[row] = "running"
                self.product.start(row)
        runs, states = (
            tuple(self.part.runs[row] for row in group),
            tuple(self.states.get(row) for row in group),
        )
        task = Task(runs, states, self.groups.backend.name, self.with_params)

        def on_progress(step: int) -> None:
            for row in group:
                self.steps[row] = step

        self.flying[self.executor.submit(task, self.stop, on_progress)] = group

    def _give_up(self) -> None:
        """Wait for no slice any more: their runs are where they were before it."""
        for future, group in self.flying.items():
            future.cancel()
            self._go_back(group)
        self.flying.clear()

    def _go_back(self, group: Group) -> None:
        for row in group:
            self.steps[row] = self.states[row].step if row in self.states else 0

    def _receive(self) -> list[str]:
        """Take in what has come back, and send on the runs that have not ended; sentences for the
        user."""
        from fracsim.kernels.errors import OutOfDeviceMemory

        said = []
        done, _ = wait(self.flying, timeout=_TICK, return_when=FIRST_COMPLETED)
        for future in done:
            group = self.flying.pop(future)
            try:
                answer = self.executor.result(future)
            except OutOfDeviceMemory as error:
                said += self._divide(group, error)
                continue
            except BaseException as error:
                self._fail(group, error)
                continue
            if note := self.machines.saw(answer.machine):
                said.append(note)
                self.stop.keep = True  # what a kill leaves must know of it
            self._take_in(group, answer.slices)
        return said

    def _take_in(self, group: Group, slices: Sequence[Slice]) -> None:
        for row, part in zip(group, slices, strict=True):
            self.steps[row], self.spent[row] = part.state.step, part.state.seconds
            self.states[row] = part.state
        going = tuple(
            row for row, part in zip(group, slices, strict=True) if part.status == "running"
        )
        if going and not self._stopping():
            self._send(going)  # before its records are stored, so that no worker waits for the disk
        for row, part in zip(group, slices, strict=True):
            for record in part.records:
                self.product.record(row, record)
            if part.status != "running":
                del self.states[row]
                self.status[row] = part.status
                self.product.end(row, part.status, part.state.state.params[0])

    def _fail(self, group: Group, error: BaseException) -> None:
        self.error = self.error or (group, error)
        self.stop.set()

    def _divide(self, group: Group, error: BaseException) -> list[str]:
        """Do a group again in two halves, since the device had too little memory; a sentence for
        the user.

        A run alone waits until nothing else flies; if it fails even then, the sweep does.
        """
        self._go_back(group)
        if len(group) == 1 and group[0] in self.too_large:
            self._fail(group, error)
            return []
        self.groups.was_too_much((group, *self.flying.values()))
        name = self.groups.backend.device
        if len(group) == 1:
            self.too_large.add(group[0])
            self.waiting.insert(0, group)
            return [
                f"{name} has too little free memory for run {self.part.numbers[group[0]]} beside "
                f"others: it waits"
            ]
        half = len(group) // 2
        self.waiting += [group[half:], group[:half]]
        return [
            f"{name} has too little free memory for {len(group)} runs at once: they go on as two "
            f"groups"
        ]

    def keep(self, announce: Callable[[str], None]) -> None:
        """Write a checkpoint; a disk that refuses it is told of, and the training goes on."""
        from fracsim.data.errors import FileError

        # a checkpoint must not count records that a power cut could take back
        self.product.secure()
        try:
            save(self.path, self.part, self.states, self.machines.facts())
        except FileError as error:
            announce(f"warning: no checkpoint was made: {error}")

    def _finish(self, started: float) -> Summary:
        from fracsim.data.checkpoint import remove_checkpoints

        complete = all(status in ("complete", "diverged") for status in self.status)
        self.product.describe(self.machines.facts())
        if complete:
            self.product.finish("complete")
            remove_checkpoints(self.path)
        else:
            self.product.finish("interrupted")
            save(self.path, self.part, self.states, self.machines.facts())
        if self.error is not None:
            self._raise_error()
        rows = range(len(self.status))
        return Summary(
            self.path,
            "complete" if complete else "interrupted",
            threads=self.executor.slots,
            seconds=time.monotonic() - started,
            reason="" if complete else self.stop.reason,
            run_status=self.status,
            steps=[self.steps[row] - self.first[row] for row in rows],
            run_seconds=[self.spent[row] - self.before[row] for row in rows],
        )

    def _progress(self) -> Progress:
        ended = [status in ("complete", "diverged") for status in self.status]
        shares = [
            1.0 if over else steps / run.steps
            for over, steps, run in zip(ended, self.steps, self.part.runs, strict=True)
        ]
        work = sum(cost * share for cost, share in zip(self.part.costs, shares, strict=True))
        return Progress(
            steps=sum(self.steps),
            total_steps=sum(run.steps for run in self.part.runs),
            runs=sum(ended),
            total_runs=len(ended),
            share=work / sum(self.part.costs),
        )

    def _raise_error(self) -> None:
        from fracsim.data.errors import FileError
        from fracsim.kernels.errors import BackendError, OutOfDeviceMemory

        assert self.error is not None
        group, error = self.error
        if isinstance(error, (UsageError, RunError, FileError, MemoryError, OSError)):
            raise error
        beside = f" and {len(group) - 1} beside it" if len(group) > 1 else ""
        name = f"run {self.part.numbers[group[0]]}{beside}"
        if isinstance(error, OutOfDeviceMemory):
            raise RunError(f"{self.groups.too_large(group[0], name)}: {error}") from error
        kind = "" if isinstance(error, BackendError) else f"{type(error).__name__}: "
        raise RunError(f"{name} failed: {kind}{error}") from error
