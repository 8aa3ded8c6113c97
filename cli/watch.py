"""``fracsim status --watch``: the same words again and again, until nothing is running any more."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import click

from fracsim.text import duration

_CLEAR = "\033[H\033[J"


class Look(NamedTuple):
    """What is seen at one time."""

    text: str
    running: bool
    """Whether anything goes on."""
    share: float
    """The share of all records that are there."""
    failed: bool = False
    """Whether a file cannot be read."""


class Pace:
    """How long the rest will take, from what was gained since the first look."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._first: tuple[float, float] | None = None

    def words(self, share: float) -> str:
        """``34 % of all records, about 5 min left``; no time before there is a pace."""
        if self._first is None or share < self._first[1]:
            self._first = self.now(), share
        elapsed, gained = self.now() - self._first[0], share - self._first[1]
        left = f", about {duration(elapsed * (1 - share) / gained)} left" if gained > 0 else ""
        return f"{share:.0%} of all records{left}"


def look_again(
    look: Callable[[], Look], seconds: float, sleep: Callable[[float], None] = time.sleep
) -> bool:
    """Print what ``look`` sees every so many seconds until nothing is running, or until Ctrl-C,
    which only ends the watching; whether a file could not be read at the end. A terminal is
    cleared each time; elsewhere only what has changed
    is printed."""
    terminal, before, pace = sys.stdout.isatty(), "", Pace()
    try:
        while True:
            seen = look()
            text = f"{seen.text}\n{pace.words(seen.share)}" if seen.running else seen.text
            if terminal:
                ends = "Ctrl-C ends the watching, not the work" if seen.running else "all at rest"
                click.echo(f"{_CLEAR}{text}\n{time.strftime('%H:%M:%S')}, {ends}")
            elif seen.text != before:
                click.echo(text)
            sys.stdout.flush()
            before = seen.text
            if not seen.running:
                return seen.failed
            sleep(seconds)
    except KeyboardInterrupt:
        click.echo()
        return False
