"""How far the runs of a sweep are: one object for each run, and their sum for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fracsim.data.numbering import Number, Row
from fracsim.training.run import Run

if TYPE_CHECKING:
    from fracsim.training.trainer import RunState, Slice

ENDED = ("complete", "diverged")


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: steps and runs done, share of the work (0 to 1, weighted by cost)."""

    steps: int
    total_steps: int
    runs: int
    total_runs: int
    share: float


@dataclass
class RunProgress:
    """How far one run is. ``status`` is pending, running, complete or diverged; ``state``: where it
    goes on from, None before its first slice has come back, and once it has ended."""

    row: Row
    number: Number
    """Of the run in its experiment; ``row`` is its place in the file."""
    run: Run
    cost: float
    """Of the whole run, in arbitrary units."""
    status: str = "pending"
    state: RunState | None = None
    step: int = field(init=False, default=0)
    """Steps done, those of the slice in progress too."""
    spent: float = field(init=False, default=0.0)
    """Seconds in training kernels."""
    first: tuple[int, float] = field(init=False)
    """``step`` and ``spent`` when this call began."""

    def __post_init__(self) -> None:
        if self.ended:
            self.step = self.run.steps
        elif self.state is not None:
            self.step, self.spent = self.state.step, self.state.seconds
        self.first = self.step, self.spent

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to train."""
        return self.status in ENDED

    @property
    def work(self) -> float:
        """What of its cost is done."""
        return self.cost if self.ended else self.cost * self.step / self.run.steps

    def take_in(self, part: Slice) -> None:
        """A slice has come back."""
        self.step, self.spent = part.state.step, part.state.seconds
        self.state = part.state
        if part.status != "running":
            self.status, self.state = part.status, None

    def go_back(self) -> None:
        """A slice was given up: the run is where it was before it."""
        self.step = 0 if self.state is None else self.state.step


class Tally:
    """The sum over the runs, kept up to date at the cost of those that moved."""

    def __init__(self, runs: Sequence[RunProgress]) -> None:
        self._total_steps = sum(one.run.steps for one in runs)
        self._total_work = sum(one.cost for one in runs)
        self._counted = [(one.step, one.work, one.ended) for one in runs]
        steps, work, ended = zip(*self._counted, strict=True)
        self._steps, self._work, self._ended = sum(steps), sum(work), sum(ended)

    def count(self, runs: Iterable[RunProgress]) -> None:
        """Take in where these runs are now."""
        for one in runs:
            step, work, ended = self._counted[one.row]
            now = self._counted[one.row] = one.step, one.work, one.ended
            self._steps += now[0] - step
            self._work += now[1] - work
            self._ended += now[2] - ended

    def progress(self) -> Progress:
        """As of the last count."""
        total = len(self._counted)
        share = 1.0 if self._ended == total else min(max(self._work / self._total_work, 0.0), 1.0)
        return Progress(self._steps, self._total_steps, self._ended, total, share)
