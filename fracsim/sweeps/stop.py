"""Stopping in good order: signals, a time limit, an error.

SIGTERM, SIGINT, SIGUSR1, SIGHUP    stop at the next exact point and keep a checkpoint SIGUSR2
keep a checkpoint and go on a second SIGINT                     stop now (KeyboardInterrupt); of
SIGTERM srun sends two, which is no more"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

_STOP = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP")
_KEEP = "SIGUSR2"


class Stop:
    """A flag that workers look at between two kernel calls; as a context manager it listens to
    signals.

    Outside the main thread no handler is installed (Python allows none); only ``set`` and the time
    limit count."""

    def __init__(self) -> None:
        self._asked = False  # a plain flag: a handler may interrupt whoever holds an Event's lock
        self._deadline: float | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self.reason = ""
        """Why to stop, for people: "SIGTERM", "the time limit"; "" before, or after an error."""
        self.keep = False
        """Whether a checkpoint was asked for; whoever makes it takes this back."""
        self._interrupted = False  # by a SIGINT, whatever it was that stopped first

    def set(self, reason: str = "") -> None:
        """Ask every worker to stop at its next exact point."""
        self.reason = self.reason or reason
        self._asked = True

    def after(self, seconds: float) -> None:
        """Ask it of them when so many seconds have gone by."""
        self._deadline = time.monotonic() + seconds

    def __call__(self) -> bool:
        """Whether workers should stop (the form in which ``train_slices`` takes it)."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.set("the time limit")
        return self._asked

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for name in (*_STOP, _KEEP):
                number = getattr(signal, name, None)
                under_nohup = (
                    name == "SIGHUP" and number and signal.getsignal(number) is signal.SIG_IGN
                )
                if number is not None and not under_nohup:
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            if handler is not None:  # it was not installed from Python, which cannot put it back
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == _KEEP:
            self.keep = True
            return
        if name == "SIGINT":
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
        self.set(name)
