"""What people expect of a training in a notebook: a bar without asking for it, and a Ctrl-C that
interrupts the cell."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from fracsim.text import counted, duration

if TYPE_CHECKING:
    from fracsim.sweeps.progress import Progress

_EVERY = 0.5  # seconds between two looks


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class NotebookBar:
    """A line under the cell that says how far a sweep is; called with each ``Progress``."""

    def __init__(self) -> None:
        self._line: Any = None
        self._shown = self._started = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now, over = time.monotonic(), progress.runs == progress.total_runs
        if self._line is not None and now - self._shown < _EVERY and not over:
            return
        self._shown = now
        text = {"text/plain": self._text(progress, over)}
        if self._line is None:
            from IPython.display import display

            show: Any = display
            self._line = show(text, raw=True, display_id=True)
        else:
            self._line.update(text, raw=True)

    def _text(self, progress: Progress, over: bool) -> str:
        runs = counted(progress.total_runs, "run")
        if over:
            return f"{runs}, {progress.total_steps:,} steps: done"
        left = ""
        if progress.share > 0.01:
            seconds = (time.monotonic() - self._started) * (1 - progress.share) / progress.share
            left = f", about {duration(seconds)} left"
        return f"{progress.share:.0%} of {runs}: {progress.steps:,} steps{left}"
