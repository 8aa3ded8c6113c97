"""Executors: where the slices of a sweep are computed. Results do not depend on the executor.

- ``threads`` of this process: the default, and the fastest on one machine
- ``processes`` of this machine, one for each slot
- ``dask:…``: an existing Dask cluster
- any ``concurrent.futures.Executor`` of the caller's: a task and its result can be pickled, and
  nothing is shared with the sweep"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import BrokenExecutor, CancelledError, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

from fracsim import __version__
from fracsim.errors import RunError, Stopped, UsageError, nearest
from fracsim.machine.cpus import MOST_THREADS, available_threads
from fracsim.sweeps.dask import Cluster
from fracsim.sweeps.processes import ProcessPool
from fracsim.sweeps.worker import SLICE_SECONDS, Done, Task, introduce, work
from fracsim.text import counted
from fracsim.training.groups import MOST_GROUPS

if TYPE_CHECKING:
    from fracsim.kernels.backend import Backend

ACCEPTED = "threads, processes, or dask:ADDRESS (as in dask:tcp://host:8786)"

Answer = TypeVar("Answer")

_NAMES = ("threads", "processes", "dask:tcp://host:8786")
_TICK = 0.2  # seconds between two looks at the stop flag


class Executor:
    """What a sweep sends its tasks to; as it is, around an executor of the caller's, which stays
    his. A context manager."""

    patience = SLICE_SECONDS + 2.0
    """Seconds for which slices are waited for once the sweep stops; those that take longer are
    given up."""

    queues = False
    """Whether it takes tasks beyond its slots that can be taken back until they begin."""

    processes = 0
    """On this machine, that hold data sets and libraries of their own; 0: the workers are
    elsewhere, or unknown."""

    def __init__(self, name: str, executor: Any, slots: int, reason: str) -> None:
        self.name, self.reason = name, reason
        self._executor, self._slots = executor, slots

    @property
    def slots(self) -> int:
        """How many tasks it takes at once."""
        return self._slots

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(
        self, task: Task, should_stop: Callable[[], bool], on_progress: Callable[[int], None]
    ) -> Future[Done]:
        """Start a task; the callbacks reach only workers on this machine. ``result`` tells what
        went wrong, if so."""
        return self._send(work, task)

    def result(self, future: Future[Done]) -> Done:
        """What a task gave. Raises RunError where the executor failed, else whatever the task
        raised."""
        return self._wait_for(future, Done)

    def machine(
        self, backend: Backend, stop: Callable[[], bool], say: Callable[[str], None]
    ) -> dict[str, str]:
        """What the first worker says of itself (``machine_of``), so that nothing is written where
        none can work.

        Raises RunError.
        """
        future: Future[Any] = self._send(introduce, backend.name, __version__)
        if not wait([future], timeout=2.0).done:
            say(f"waiting for a worker of {self.name}")
        while not wait([future], timeout=_TICK).done:
            if stop():
                future.cancel()
                raise Stopped(
                    f"stopped before a worker of {self.name} had answered: give the same command "
                    f"again"
                )
        try:
            return self._wait_for(future, dict)
        except RunError:
            raise
        except Exception as error:
            raise RunError(
                f"no worker of {self.name} can work: {type(error).__name__}: {error}"
            ) from error

    def news(self) -> list[str]:
        """Sentences on what has become of workers since the last call."""
        return []

    def _send(self, *arguments: Any) -> Future[Any]:
        try:
            future: Future[Any] = self._executor.submit(*arguments)
            return future
        except Exception as error:
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed

    def _wait_for(self, future: Future[Any], kind: type[Answer]) -> Answer:
        try:
            answer = future.result()
        except (BrokenExecutor, CancelledError) as error:
            how = (
                "gave the work up (was it shut down?)"
                if isinstance(error, CancelledError)
                else "lost its workers"
            )
            raise RunError(f"{self.name} {how}{f': {error}' if str(error) else ''}") from error
        except ModuleNotFoundError as error:
            raise RunError(
                f"a worker of {self.name} cannot import all it needs: {error}"
            ) from error
        except Exception as error:
            if type(error).__name__ == "KilledWorker":
                raise RunError(
                    f"workers of {self.name} ended, one after the other, while they had the same "
                    f"slice of "
                    "a run (is their memory full?)"
                ) from error
            raise
        if not isinstance(answer, kind):
            raise RunError(
                f"{self.name} gave back an object of type {type(answer).__name__}, which no "
                f"worker of "
                "fracsim does"
            )
        return answer


class Threads(Executor):
    """Threads of this process. A stop reaches them between two kernel calls."""

    patience = math.inf
    queues = True
    processes = 1

    def __init__(self, slots: int, reason: str) -> None:
        super().__init__(
            "threads", ThreadPoolExecutor(slots, thread_name_prefix="fracsim"), slots, reason
        )

    def __exit__(self, *error: object) -> None:
        # A thread that compiles takes half a minute: whoever aborts does not wait for it.
        self._executor.shutdown(wait=error[:1] != (KeyboardInterrupt,), cancel_futures=True)

    def submit(
        self, task: Task, should_stop: Callable[[], bool], on_progress: Callable[[int], None]
    ) -> Future[Done]:
        """Start a task."""
        return self._send(work, task, should_stop, on_progress)

    def machine(
        self, backend: Backend, stop: Callable[[], bool], say: Callable[[str], None]
    ) -> dict[str, str]:
        """This one."""
        return introduce(backend.name)


class Processes(Threads):
    """Processes of this machine, which a stop reaches just so; see ``fracsim.sweeps.processes``."""

    patience = Executor.patience

    def __init__(self, slots: int, reason: str) -> None:
        Executor.__init__(self, "processes", ProcessPool(slots), slots, reason)
        self.processes = slots

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()

    def submit(
        self, task: Task, should_stop: Callable[[], bool], on_progress: Callable[[int], None]
    ) -> Future[Done]:
        """Start a task."""
        return self._send(task, should_stop, on_progress)

    def news(self) -> list[str]:
        """What has become of processes since the last call."""
        return [self._executor.news.pop(0) for _ in range(len(self._executor.news))]


class Dask(Executor):
    """The workers of a Dask cluster, also those that join later. Dask does the slices of a lost
    worker again."""

    def __init__(self, address: str, most: int, reason: str) -> None:
        self._cluster = Cluster(address)
        super().__init__(f"dask:{address}", self._cluster.executor, most, reason)
        self._workers = 0

    def __exit__(self, *_: object) -> None:
        self._cluster.close()

    @property
    def slots(self) -> int:
        """As many as its workers have threads just now, within what was asked for."""
        return max(1, min(self._slots, self._cluster.count()[1]))

    def machine(
        self, backend: Backend, stop: Callable[[], bool], say: Callable[[str], None]
    ) -> dict[str, str]:
        """What the first worker says of itself; there may have been none until now."""
        found = super().machine(backend, stop, say)
        self._workers, _ = self._cluster.count(at_once=True)
        return found

    def news(self) -> list[str]:
        """How many workers there are, where that has changed."""
        before, (self._workers, _) = self._workers, self._cluster.count()
        if before == self._workers:
            return []
        return [
            f"{counted(self._workers, 'worker')} of {self.name} now, {before} before"
            if self._workers
            else f"no worker of {self.name} is left: waiting for one"
        ]


def make_executor(
    executor: str | futures.Executor, threads: int | None, groups: int, side_by_side: bool = False
) -> Executor:
    """The executor of that name, or one around an executor of the caller's, for at most ``threads``
    groups of runs at once.

    ``side_by_side``: a group is a launch on a device, for which a thread only waits. Raises
    UsageError for an unknown name or an absurd number, RunError where a cluster does not answer.
    """
    if isinstance(executor, futures.Executor):
        count = None if threads else workers_of(executor)
        slots, reason = (
            choose_threads(threads, groups, side_by_side)
            if count is None
            else (min(count, groups), "as many as the executor has workers")
        )
        return Executor(type(executor).__name__, executor, slots, reason)
    if executor == "threads":
        return Threads(*choose_threads(threads, groups, side_by_side))
    if executor == "processes":
        if side_by_side and not threads:
            return Processes(1, "one for the device")
        return Processes(*choose_threads(threads, groups, side_by_side))
    if executor.startswith("dask:"):
        most, reason = (
            choose_threads(threads, groups)
            if threads
            else (groups, "as many as its workers have threads")
        )
        return Dask(executor.removeprefix("dask:"), most, reason)
    raise UsageError(
        f"--executor is '{executor}'{nearest(executor, _NAMES)} (accepted: {ACCEPTED})"
    )


def choose_threads(
    requested: int | None, groups: int, side_by_side: bool = False
) -> tuple[int, str]:
    """How many groups of runs are trained at once and the reason, as a phrase; on the CPU a group
    is one run.

    Raises UsageError for an absurd request.
    """
    if requested is not None and not 1 <= requested <= MOST_THREADS:
        raise UsageError(
            f"--threads is {requested}; accepted is a whole number from 1 to {MOST_THREADS}"
        )
    if side_by_side:
        count, reason = min(groups, MOST_GROUPS), "one for each launch, a group of equal networks"
        return (requested, "as asked") if requested and requested < count else (count, reason)
    if groups == 1:
        return 1, "a single run uses one thread"
    count, reason = (requested, "as asked") if requested else available_threads()
    if groups < count:
        return groups, f"one for each of the {groups} runs"
    return count, reason


def workers_of(executor: futures.Executor) -> int | None:
    """How many tasks an executor of the caller's does at once, where it says so."""
    for name in ("num_workers", "_max_workers"):  # mpi4py's pool; those of the standard library
        count = getattr(executor, name, None)
        if isinstance(count, int) and count > 0:
            return count
    client = getattr(executor, "_client", None)  # Dask's
    return (
        sum(client.nthreads().values()) or None
        if client is not None and hasattr(client, "nthreads")
        else None
    )
