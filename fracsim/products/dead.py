"""What is said of dead networks: those of which no test point activates any unit of some hidden
layer, from a record on to the last (``Trajectory.dead_since``). Their output is one number
everywhere, and no gradient reaches that layer and those below it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fracsim.text import counted

if TYPE_CHECKING:
    from fracsim.products.entries import Entry

_MOST_NAMED = 5

WHY = "a hidden layer is active at no test point"


def dead_words(entries: Iterable[Entry]) -> str:
    """Which runs are dead, and since when: "2 of 15 runs are dead (run 3 since step 20,000, …): a
    hidden layer is active at no test point"; "" where all live."""
    entries = list(entries)
    since = [(entry, entry.dead_since) for entry in entries]
    dead = [(entry, step) for entry, step in since if step is not None]
    if not dead:
        return ""
    named = [
        f"run {entry.trajectory.numbers[entry.index]} since step {step:,}"
        for entry, step in dead[:_MOST_NAMED]
    ]
    more = [f"and {len(dead) - _MOST_NAMED} more"] if len(dead) > _MOST_NAMED else []
    verb = "is" if len(dead) == 1 else "are"
    whole = counted(len(entries), "run")
    return f"{len(dead)} of {whole} {verb} dead ({', '.join([*named, *more])}): {WHY}"


def living(entries: Iterable[Entry]) -> tuple[int, int]:
    """How many runs live, and how many there are."""
    states = [entry.dead_since is None for entry in entries]
    return sum(states), len(states)
