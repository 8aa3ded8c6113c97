"""Worker processes on this machine, one for each slot, each at the other end of a pipe.

    ours:   a task, or None: stop at the next exact point
    theirs: steps done (an int), then a Done or an exception

They are new interpreters and never forks, so that numba's threads and locks cannot be copied
halfway; they do not run the caller's script again. A process that ends, killed or crashed, loses
only its slice, which another one does again."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from fracsim.errors import RunError
from fracsim.sweeps.worker import Done, Task, work

_TRIES = 3
"""How often a slice is begun before its deaths are taken for its own fault."""

_TICK = 0.2  # seconds between two looks at the stop flag
_SIGNALS = {
    signal.Signals[name]
    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
}
_CODE = (
    "import sys; sys.path[:] = sys.argv[2:]; from fracsim.sweeps.processes import serve; "
    "serve(int(sys.argv[1]))"
)
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ProcessPool:
    """``count`` processes, started when they are first needed. A thread of ours waits for each that
    works."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="fracsim")
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._working: set[_Child] = set()
        self._closed = False
        self.news: list[str] = []
        """Sentences on what became of processes; whoever says them takes them out."""

    def submit(
        self, task: Task, should_stop: Callable[[], bool], on_progress: Callable[[int], None]
    ) -> Future[Done]:
        """Start a task in one of the processes."""
        return self._threads.submit(self._do, task, should_stop, on_progress)

    def shutdown(self) -> None:
        """End all processes, whatever they do."""
        with self._lock:
            self._closed = True
            for child in (*self._idle, *self._working):
                child.process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for child in self._idle:
            child.end()

    def _do(
        self, task: Task, should_stop: Callable[[], bool], on_progress: Callable[[int], None]
    ) -> Done:
        how = ""
        for _ in range(_TRIES):
            child = self._take()
            try:
                answer = child.do(task, should_stop, on_progress)
            except (EOFError, OSError):
                how = child.end()
                with self._lock:
                    self._working.remove(child)
                if not self._closed:
                    self.news.append(f"a worker process {how}: its slice is done again")
                continue
            with self._lock:
                self._working.remove(child)
                self._idle.append(child)
            if isinstance(answer, Exception):
                raise answer
            return answer
        raise RunError(
            f"a worker process {how}, and so did those that did its slice again (is the memory "
            f"full?)"
        )

    def _take(self) -> _Child:
        with self._lock:
            if self._closed:
                raise RunError("the worker processes were ended")
            child = self._idle.pop() if self._idle else _Child()
            self._working.add(child)
            return child


class _Child:
    """A worker process, seen from the sweep."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        with theirs, _signals_held():
            self.process = subprocess.Popen(
                [sys.executable, "-c", _CODE, str(theirs.fileno()), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **_ONE_THREAD},
            )

    def do(
        self, task: Task, should_stop: Callable[[], bool], on_progress: Callable[[int], None]
    ) -> Done | Exception:
        """The answer to a task. Raises EOFError or OSError where the process has ended."""
        self._pipe.send(task)
        told = False
        while True:
            if should_stop() and not told:
                self._pipe.send(None)
                told = True
            if not self._pipe.poll(_TICK):
                continue
            answer: int | Done | Exception = self._pipe.recv()
            if not isinstance(answer, int):
                return answer
            on_progress(answer)

    def end(self) -> str:
        """End the process where it has not; how it ended, as a phrase."""
        self._pipe.close()
        try:
            code = self.process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return (
            f"was killed by {signal.Signals(-code).name}"
            if code < 0
            else f"ended with exit code {code}"
        )


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Keep signals off this thread: a process that is started here begins without them, until it
    ignores them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(descriptor: int) -> None:
    """The life of a worker process: it ends when nobody holds the other end of its pipe any more.

    Signals that reach the whole group (Ctrl-C, a batch system's) are for the sweep to act on, which
    tells its workers."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    with Connection(descriptor) as pipe, contextlib.suppress(EOFError, OSError):
        while True:
            task = pipe.recv()
            if task is not None:  # else a stop that came when the slice had ended
                pipe.send(_answer(task, pipe))


def _answer(task: Task, pipe: Connection) -> Any:
    """What to send back for a task; anything in the pipe, its end too, means to stop."""
    try:
        return work(task, pipe.poll, pipe.send)
    except Exception as error:
        try:
            return (
                error
                if type(pickle.loads(pickle.dumps(error))) is type(error)
                else RunError(str(error))
            )
        except Exception:
            return RunError(f"{type(error).__name__}: {error}")
