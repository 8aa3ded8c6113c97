"""What an executor does next: which groups of runs wait, which are in flight, and what becomes of
those for which a device has too little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from fracsim.data.numbering import Row
from fracsim.sweeps.executors import Executor
from fracsim.sweeps.progress import RunProgress
from fracsim.sweeps.stop import Stop
from fracsim.sweeps.worker import Done, Task
from fracsim.training.groups import Group, Groups

if TYPE_CHECKING:
    from fracsim.training.trainer import Slice

_TICK = 0.2  # seconds between two looks at the stop flag
_SHORT = 0.5
"""Seconds of a run below which a worker must not wait for the next one to be sent."""


class Scheduler:
    """The groups of a sweep on their way to the workers and back; nothing else knows which wait and
    which are in flight.

    Runs in progress come first, then the longest. Where runs are over in a moment, each worker has
    the next one before it has ended its own, or it would wait for the calling thread at each."""

    def __init__(
        self,
        runs: Sequence[RunProgress],
        groups: Groups,
        executor: Executor,
        stop: Stop,
        with_params: bool,
    ) -> None:
        self._runs, self._groups, self._executor, self._stop = runs, groups, executor, stop
        self._with_params = with_params
        order = [one for one in runs if not one.ended]
        order.sort(key=lambda one: (one.state is None, -one.cost, one.row))
        steps = [one.step for one in runs]
        self._waiting = groups.of([one.row for one in order], steps)[::-1]
        """The next one last."""
        self._flying: dict[Future[Done], Group] = {}
        self._back: SimpleQueue[Future[Done]] = SimpleQueue()
        """Slices that have come back, or were given up, in this order."""
        self._too_large: set[Row] = set()
        """Rows of runs for which the device had no memory beside others."""
        self._short = False

    @property
    def waits(self) -> bool:
        """Whether a group waits to be sent."""
        return bool(self._waiting)

    @property
    def flies(self) -> bool:
        """Whether a group is in flight."""
        return bool(self._flying)

    def in_flight(self) -> Iterator[RunProgress]:
        """The runs whose slices are computed, or about to be."""
        return (self._runs[row] for group in self._flying.values() for row in group)

    def next(self) -> Group | None:
        """Take out the first group that waits and can be sent now; None where all workers have
        enough to do, or the device has no room."""
        ahead = self._executor.slots if self._short and self._executor.queues else 0
        if len(self._flying) >= self._executor.slots + ahead:
            return None
        flying = tuple(self._flying.values())
        for at in reversed(range(len(self._waiting))):
            if self._groups.fits(self._waiting[at], flying):
                return self._waiting.pop(at)
        return None

    def go_on(self, group: Group) -> None:
        """A slice has ended, the runs of this group have not: it is the next to be sent."""
        self._waiting.append(group)

    def send(self, group: Group) -> None:
        """Hand the next slice of a group to the executor."""
        runs = [self._runs[row] for row in group]
        task = Task(
            tuple(one.run for one in runs),
            tuple(one.state for one in runs),
            self._groups.backend.name,
            self._with_params,
        )

        def on_progress(step: int) -> None:
            for one in runs:
                one.step = step

        future = self._executor.submit(task, self._stop, on_progress)
        self._flying[future] = group
        # futures.wait() would look at all that fly, each time: of tiny runs, a tenth of the loop
        future.add_done_callback(self._back.put)

    def receive(self) -> Iterator[tuple[Group, Future[Done]]]:
        """Wait for a while; the groups whose slices have come back, or failed."""
        done = []
        with suppress(Empty):
            if self._flying:
                done.append(self._back.get(timeout=_TICK))
            while True:
                done.append(self._back.get_nowait())
        for future in done:
            if future in self._flying:
                yield self._flying.pop(future), future

    def saw(self, group: Group, slices: Sequence[Slice]) -> None:
        """Learn from slices that came back, before the runs take them in, whether runs are over in
        a moment: in one slice, so that those sent ahead are never set aside half done."""
        self._short = all(
            self._runs[row].state is None
            and part.status != "running"
            and part.state.wall_time < _SHORT
            for row, part in zip(group, slices, strict=True)
        )

    def recall(self) -> list[RunProgress]:
        """Take back the groups that no worker has begun; their runs."""
        if not self._executor.queues:
            return []
        back = [future for future in self._flying if future.cancel()]
        return [self._runs[row] for future in back for row in self._flying.pop(future)]

    def give_up(self) -> None:
        """Wait for no slice any more: their runs are where they were before it."""
        for future in self._flying:
            future.cancel()
        for one in self.in_flight():
            one.go_back()
        self._flying.clear()

    def divide(self, group: Group) -> str | None:
        """Do a group again in two halves, since the device had too little memory; a sentence for
        the user, or None where there is nothing left to try.

        A run alone waits until nothing else flies; if it fails even then, the sweep does.
        """
        for row in group:
            self._runs[row].go_back()
        if len(group) == 1 and group[0] in self._too_large:
            return None
        self._groups.was_too_much((group, *self._flying.values()))
        name = f"{self._groups.backend.device} has too little free memory for"
        if len(group) == 1:
            self._too_large.add(group[0])
            self._waiting.insert(0, group)
            return f"{name} run {self._runs[group[0]].number} beside others: it waits"
        half = len(group) // 2
        self._waiting += [group[half:], group[:half]]
        return f"{name} {len(group)} runs at once: they go on as two groups"
