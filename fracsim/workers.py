"""What a worker of a sweep does: train one run and say so. It knows nothing of files or of other runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fracsim.runs import Run

if TYPE_CHECKING:
    from fracsim.training import RunData


@dataclass(frozen=True)
class Event:
    """What a worker says about run ``run``; ``kind`` tells what ``value`` is.

    start None, record Record, steps int (done so far), end Outcome, skipped None, error BaseException. The last three
    come exactly once per run.
    """

    run: int
    kind: str
    value: Any = None


def train_one(
    i: int, run: Run, backend: Any, shelf: DataShelf, emit: Callable[[Event], None], should_stop: Callable[[], bool]
) -> None:
    """Train run number ``i`` and ``emit`` what happens; its last event is "end", "error" or "skipped"."""
    from fracsim.training import train_run

    if should_stop():
        emit(Event(i, "skipped"))
        return
    try:
        emit(Event(i, "start"))
        outcome = train_run(
            run,
            backend,
            data=shelf.take(run),
            on_record=lambda record: emit(Event(i, "record", record)),
            on_progress=lambda step: emit(Event(i, "steps", step)),
            should_stop=should_stop,
        )
        shelf.give_back(run)
        emit(Event(i, "end", outcome))
    except BaseException as error:
        emit(Event(i, "error", error))


class DataShelf:
    """Data sets, each drawn when its first run needs it and let go after its last; runs share them."""

    def __init__(self, runs: tuple[Run, ...], backend: Any) -> None:
        from fracsim.training import data_key

        self._key = data_key
        self._backend = backend
        self._lock = threading.Lock()
        self._locks: dict[Any, threading.Lock] = {}
        self._left: dict[Any, int] = {}
        self._sets: dict[Any, RunData] = {}
        for run in runs:
            key = data_key(run)
            self._left[key] = self._left.get(key, 0) + 1
            self._locks[key] = self._locks.get(key) or threading.Lock()

    def take(self, run: Run) -> RunData:
        """The data of a run."""
        from fracsim.training import make_data

        key = self._key(run)
        with self._locks[key]:  # two runs of one set wait for it, others draw theirs
            if key not in self._sets:
                self._sets[key] = make_data(run, self._backend)
            return self._sets[key]

    def give_back(self, run: Run) -> None:
        """Say that a run no longer needs its data."""
        key = self._key(run)
        with self._lock:
            self._left[key] -= 1
            if not self._left[key]:
                del self._sets[key]
