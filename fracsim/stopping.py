"""Stopping in good order: the first Ctrl-C asks, the second insists."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Stop:
    """A flag that workers look at between two kernel calls; as a context manager, SIGINT sets it.

    While the block runs, a first SIGINT sets the flag and a second raises KeyboardInterrupt, so that no write to a file
    is torn by an exception. Outside the main thread no handler is installed (Python allows none); only ``set`` counts.
    """

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._previous: Any = None
        self.signalled = False
        """Whether it was a signal that asked."""

    def set(self) -> None:
        """Ask every worker to stop at its next exact point."""
        self._flag.set()

    def __call__(self) -> bool:
        """Whether workers should stop (the form in which ``train_run`` takes it)."""
        return self._flag.is_set()

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signalled:
            raise KeyboardInterrupt
        self.signalled = True
        self.set()
