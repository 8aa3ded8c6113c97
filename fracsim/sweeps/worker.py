"""What a worker of a sweep does: train a group of runs for a while. It knows nothing of files or of
other groups.

A worker may be a thread, a process here or a process on another machine. A task and its result can
be pickled, and a task is a pure function of its settings and state: it may be done again, anywhere,
with the same result."""

from __future__ import annotations

import functools
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fracsim import __version__
from fracsim.errors import RunError
from fracsim.training.run import Run

if TYPE_CHECKING:
    from fracsim.kernels.backend import Backend
    from fracsim.training.points import RunData
    from fracsim.training.trainer import RunState, Slice

SLICE_SECONDS = 5.0
"""Length of a slice: what a killed worker loses, and how old a state in a checkpoint may be."""


@dataclass(frozen=True)
class Task:
    """Train ``runs``, a group of ``fracsim.training.groups``, on from ``saved`` (None: from the
    first step) for about ``seconds``."""

    runs: tuple[Run, ...]
    saved: tuple[RunState | None, ...]
    backend: str
    with_params: bool
    """Whether records carry the parameters."""
    seconds: float = SLICE_SECONDS
    version: str = __version__
    """Of the fracsim that sends it."""


@dataclass(frozen=True)
class Done:
    """What a worker gives back: each run's slice, and the machine they were computed on (see
    ``machine_of``)."""

    slices: tuple[Slice, ...]
    machine: dict[str, str]


def work(
    task: Task,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int], None] = lambda step: None,
) -> Done:
    """Do a task. The two callbacks reach only workers on the sweep's machine.

    Raises RunError where the task is of another version of fracsim, OutOfDeviceMemory where a
    device has too little."""
    from fracsim.kernels.errors import OutOfDeviceMemory
    from fracsim.training.trainer import train_slices

    check_version(task.version)
    backend = _backend(task.backend)
    try:
        parts = train_slices(
            task.runs,
            backend,
            _shelf.take(task.runs, backend),
            task.saved,
            seconds=task.seconds,
            with_params=task.with_params,
            should_stop=should_stop,
            on_progress=on_progress,
        )
    except OutOfDeviceMemory:
        forget_data()  # it lies on the device, too
        raise
    return Done(tuple(parts), machine_of(backend))


def check_version(version: str) -> None:
    """Raise RunError unless the sweep's version of fracsim is this worker's, too: numbers and tasks
    may differ."""
    if version != __version__:
        raise RunError(
            f"the worker on {socket.gethostname()} has fracsim {__version__} and the sweep has "
            f"{version}: "
            "install the same version everywhere"
        )


def machine_of(backend: Backend) -> dict[str, str]:
    """What the bits of a result depend on besides the run, and ``device``, by which people know
    it."""
    import numba

    return {
        "software": f"fracsim {__version__}",
        "numba_version": numba.__version__,
        "backend": backend.name,
        "instruction_sets": backend.instruction_sets,
        "device": backend.device,
    }


def introduce(backend: str, version: str = __version__) -> dict[str, str]:
    """What a worker says of itself before it gets a task (see ``machine_of``). Raises RunError as
    ``work`` does."""
    check_version(version)
    return machine_of(_backend(backend))


@functools.cache
def _backend(name: str) -> Backend:
    from fracsim.kernels.backend import get_backend

    return get_backend(name)


class _Shelf:
    """The data sets used last, those of a group together, each drawn once while it stays; groups
    share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sets: OrderedDict[Any, _Lazy] = OrderedDict()

    def take(self, runs: tuple[Run, ...], backend: Backend) -> RunData:
        """The data of a group, placed."""
        from fracsim.sweeps.estimate import MOST_SETS
        from fracsim.training.groups import MOST_GROUPS
        from fracsim.training.points import data_key, sets_of

        key = (backend.name, *map(data_key, sets_of(runs)[0]))
        with self._lock:
            lazy = self._sets.setdefault(key, _Lazy())
            self._sets.move_to_end(key)
            while len(self._sets) > (MOST_GROUPS if backend.side_by_side else MOST_SETS):
                self._sets.popitem(last=False)
        return lazy.get(runs, backend)

    def clear(self) -> None:
        """Let go of all of them."""
        with self._lock:
            self._sets.clear()


class _Lazy:
    """Data sets that the first who needs them draws, while others who need the same wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._data: RunData | None = None

    def get(self, runs: tuple[Run, ...], backend: Backend) -> RunData:
        from fracsim.training.points import place_data

        with self._lock:
            if self._data is None:
                self._data = place_data(runs, backend)
            return self._data


_shelf = _Shelf()


def forget_data() -> None:
    """Let go of the data sets this process keeps."""
    _shelf.clear()
