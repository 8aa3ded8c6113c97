"""Engines: where the slices of a sweep are computed. Results do not depend on the engine.

Threads of this process by default. Any ``concurrent.futures.Executor`` works, too: a task and its result can be
pickled, and nothing is shared with the sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from fracsim.errors import UsageError
from fracsim.workers import Task, work

if TYPE_CHECKING:
    from fracsim.training import Slice

ACCEPTED = "threads, processes, or dask:ADDRESS (as in dask:tcp://host:8786)"


class Engine:
    """An executor and how many tasks it takes at once; a context manager, which ends an executor that it made."""

    def __init__(self, name: str, executor: Executor, slots: int, ours: bool = True, close: Any = None) -> None:
        self.name, self.slots = name, slots
        self._executor, self._ours, self._close = executor, ours, close

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._executor.shutdown(wait=True, cancel_futures=True)
        if self._close is not None:
            self._close()

    def submit(
        self, task: Task, should_stop: Callable[[], bool], on_progress: Callable[[int], None]
    ) -> Future[Slice]:
        """Start a task; the callbacks go along where the worker shares our memory."""
        if isinstance(self._executor, ThreadPoolExecutor):
            return self._executor.submit(work, task, should_stop, on_progress)
        return self._executor.submit(work, task)


def make_engine(engine: str | Executor, slots: int) -> Engine:
    """The engine of that name, or around an executor of the caller's, for ``slots`` tasks at once.

    Raises UsageError for an unknown name.
    """
    if isinstance(engine, Executor):
        return Engine(type(engine).__name__, engine, slots, ours=False)
    if engine == "threads":
        return Engine("threads", ThreadPoolExecutor(slots, thread_name_prefix="fracsim"), slots)
    raise UsageError(f"--executor is '{engine}'; accepted is {ACCEPTED}")


def workers_of(executor: Executor) -> int | None:
    """How many tasks an executor of the caller's does at once, where it says so."""
    for name in ("num_workers", "_max_workers"):  # mpi4py's pool; those of the standard library
        count = getattr(executor, name, None)
        if isinstance(count, int) and count > 0:
            return count
    return None

