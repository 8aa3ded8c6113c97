"""What can go wrong, in the words of the person who has to mend it: each error is one clear
sentence.

The command line turns a ``UsageError`` into exit code 2, a ``RunError`` into 1 and, of these,
``Stopped`` into 75."""

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(ValueError):
    """The input is wrong: the sentence says what was given, where, and what is accepted."""


class RunError(RuntimeError):
    """The input is right but the work cannot be done (too little memory, an output in the way,
    …)."""


class Stopped(RunError):
    """Stopped before there was anything to keep: the same command starts again."""


def nearest(name: str, candidates: Iterable[str]) -> str:
    """``"; did you mean 'vicsek'?"`` for the candidate closest to ``name``, or ``""`` where none is
    close."""
    by_lower_case = {candidate.lower(): candidate for candidate in candidates}
    close = get_close_matches(str(name).lower(), by_lower_case, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower_case[close[0]]}'?" if close else ""


def gigabytes(count: float) -> str:
    """A number of bytes as messages tell it."""
    return f"{count / 1e9:.3g} GB" if count >= 1e8 else f"{count / 1e6:.3g} MB"
