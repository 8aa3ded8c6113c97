"""How much of an experiment some files hold: which of its runs are done, under way or missing, and
what is to do.

A file's own status says what its last writer said. Whether that writer still lives is told by the
lock beside it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from fracsim.data.numbering import Number
from fracsim.errors import UsageError
from fracsim.experiments.experiment import Experiment
from fracsim.experiments.shard import Part

if TYPE_CHECKING:
    from fracsim.data.lock import Owner
    from fracsim.data.reader import Trajectory

STATES = ("done", "diverged", "running", "interrupted", "pending", "missing")
"""States of a run; where files disagree, the first of these holds. Pending: not begun; missing: in
no file."""


@dataclass(frozen=True)
class Holding:
    """One trajectory file. ``state``: complete, running, interrupted, or dead (its writer is gone
    and did not say so)."""

    path: str
    shard: str
    state: str
    numbers: tuple[Number, ...]
    run_status: tuple[str, ...]

    def run_states(self) -> dict[Number, str]:
        """Number of each run -> its state."""
        under_way = "running" if self.state == "running" else "interrupted"
        words = {
            "complete": "done",
            "diverged": "diverged",
            "running": under_way,
            "pending": "pending",
        }
        return {
            number: words[status]
            for number, status in zip(self.numbers, self.run_status, strict=True)
        }

    def command(self) -> str:
        """The command that goes on with this file."""
        return sweep_command(self.path, self.shard, self.path)


def file_state(status: str, owner: Owner | None) -> str:
    """The state of a file from its status and the owner of its lock."""
    if status == "complete":
        return "complete"
    if owner is not None and owner.alive:
        return "running"
    return "interrupted" if status == "interrupted" else "dead"


def holding(trajectory: Trajectory) -> Holding:
    """What a trajectory file holds."""
    from fracsim.data.lock import owner_of

    state = file_state(trajectory.status, owner_of(trajectory.path))
    numbers = tuple(trajectory.rows)
    return Holding(trajectory.path, shard_of(trajectory), state, numbers, trajectory.run_status)


def shard_of(trajectory: Trajectory) -> str:
    """``i/N``, or "" for the whole sweep."""
    return str(trajectory.attributes.get("shard", ""))


@dataclass(frozen=True)
class Coverage:
    """The runs of an experiment in the files that hold some of them; ``files`` are all of this
    experiment."""

    experiment: Experiment
    files: tuple[Holding, ...]

    @cached_property
    def states(self) -> list[str]:
        """Per run of the experiment, one of ``STATES``."""
        found = ["missing"] * len(self.experiment.runs)
        for held in self.files:
            for number, state in held.run_states().items():
                found[number] = min(found[number], state, key=STATES.index)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """State -> how many runs, those that occur."""
        counts = Counter(self.states)
        return {state: counts[state] for state in STATES if state in counts}

    def numbers(self, state: str) -> list[Number]:
        """The runs that are in a state."""
        return [Number(i) for i, found in enumerate(self.states) if found == state]

    def missing_shards(self) -> list[str]:
        """Shards, of the split that most files are of, that hold the missing runs."""
        missing = set(self.numbers("missing"))
        splits = Counter(int(held.shard.partition("/")[2] or 1) for held in self.files)
        count = max(splits, key=lambda count: (splits[count], count))
        parts = [Part(self.experiment, index, count) for index in range(count if missing else 0)]
        return [part.shard for part in parts if missing.intersection(part.numbers)]

    def commands(self) -> list[str]:
        """The commands that train what is missing and go on with what was stopped; none for what is
        running."""
        stopped = [held.command() for held in self.files if held.state in ("interrupted", "dead")]
        return stopped + [
            sweep_command(self.files[0].path, shard, "FILE") for shard in self.missing_shards()
        ]


class Gathering:
    """Files as they are read, sorted by their experiments; none of their records is kept."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Experiment] | None] = {}
        """Stored text -> (hash, experiment), which take a while where there are many runs."""
        self._files: dict[str, list[Holding]] = {}
        self._experiments: dict[str, Experiment] = {}

    def experiment(self, trajectory: Trajectory) -> Experiment | None:
        """The experiment that made a file; None where it stores none that can be read and has
        these runs."""
        text = str(trajectory.attributes.get("experiment", ""))
        if text not in self._known:
            try:
                experiment = Experiment.from_json(text)
                self._known[text] = (experiment.hash(), experiment)
            except UsageError:
                self._known[text] = None
        found = self._known[text]
        return (
            found[1] if found is not None and trajectory.numbers[-1] < len(found[1].runs) else None
        )

    def add(self, trajectory: Trajectory) -> Holding | None:
        """Take in a file; None for one without an experiment."""
        if self.experiment(trajectory) is None:
            return None
        found = self._known[str(trajectory.attributes["experiment"])]
        assert found is not None, "there is an experiment"
        self._experiments.setdefault(*found)
        held = holding(trajectory)
        self._files.setdefault(found[0], []).append(held)
        return held

    def coverages(self) -> list[Coverage]:
        """One for each experiment, in the order of the files."""
        return [
            Coverage(experiment, tuple(self._files[key]))
            for key, experiment in self._experiments.items()
        ]


def sweep_command(source: str, shard: str, output: str) -> str:
    """The command that trains a shard ("" for the whole) of the experiment stored in ``source``."""
    words = [
        "fracsim",
        "sweep",
        "--from",
        source,
        *(["--shard", shard] if shard else []),
        "-o",
        output,
    ]
    return shlex.join(words)


def ranges(numbers: Sequence[Number], most: int = 12) -> str:
    """``0-3, 7, 9-12``: ascending numbers for people, the first few stretches of them."""
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    shown = [f"{first}-{last}" if last > first else f"{first}" for first, last in stretches[:most]]
    return ", ".join(shown) + (", …" if len(stretches) > most else "")
