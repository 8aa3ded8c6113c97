"""What a command says on stderr while it works: remarks, and how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fracsim.cli.streams import remark
from fracsim.text import duration

if TYPE_CHECKING:
    from fracsim.sweeps.progress import Progress


def say(quiet: bool) -> Callable[[str], None]:
    """A function that prints a sentence on stderr, or nothing."""
    return lambda sentence: None if quiet else remark(sentence)


class ProgressBar:
    """A bar on stderr where that is a terminal, elsewhere one plain line every ``every`` seconds; a
    context manager.

    ``update(done, note)`` is cheap and may be called often, from one thread.
    """

    def __init__(
        self, label: str, total: int, *, unit: str = "", quiet: bool = False, every: float = 10.0
    ) -> None:
        self.label, self.total, self.unit, self.quiet = label, total, f" {unit}".rstrip(), quiet
        self.terminal = sys.stderr.isatty()
        self.every = 0.1 if self.terminal else every
        self.started = self.shown = time.monotonic()
        self.first: float | None = None  # the share done before this call, where work goes on

    def __enter__(self) -> ProgressBar:
        self.update(0)
        return self

    def update(self, done: int, note: str = "", share: float | None = None) -> None:
        """Show that ``done`` of ``total`` are done, if the last line is old enough.

        ``share`` (0 to 1) of the work decides bar and time left where the parts are of unequal
        cost."""
        now = time.monotonic()
        if share is None:
            share = done / self.total if self.total else 1.0
        # compiling kernels above all says nothing about the pace
        if self.first is None or share <= self.first:
            self.first, self.started = share, now
        if self.quiet or now - self.shown < self.every:
            return
        self.shown = now
        gained, left = share - self.first, ""
        if gained > 0.01:
            left = f", {duration((now - self.started) * (1 - share) / gained)} left"
        text = f"{share:4.0%}  {done:,} of {self.total:,}{self.unit}{left}"
        text += f"  {note}" if note else ""
        if self.terminal:
            bar = "#" * round(24 * share)
            remark(f"\r{self.label} [{bar:-<24}] {text}\033[K", nl=False)
        else:
            remark(f"{self.label}: {text.strip()}")

    def __exit__(self, *_: object) -> None:
        if self.terminal and not self.quiet:
            remark("\r\033[K", nl=False)


class SweepBar:
    """The bar of a sweep, whose size is known when it begins; a context manager, called with each
    ``Progress``."""

    def __init__(self, label: str, quiet: bool) -> None:
        self.label, self.quiet = label, quiet
        self.bar: ProgressBar | None = None

    def __enter__(self) -> SweepBar:
        return self

    def __call__(self, progress: Progress) -> None:
        """Show how far the sweep is."""
        if self.bar is None:
            self.bar = ProgressBar(self.label, progress.total_steps, unit="steps", quiet=self.quiet)
        note = (
            f"{progress.runs} of {progress.total_runs} runs done" if progress.total_runs > 1 else ""
        )
        if progress.steps == 0:
            note = "starting; the first time on a machine, kernels are compiled for half a minute"
        self.bar.update(progress.steps, note, share=progress.share)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.__exit__()
