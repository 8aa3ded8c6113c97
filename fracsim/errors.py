"""What can go wrong, in the words of the person who has to mend it: each error is one clear
sentence, and knows the exit code that the command line ends with.

``FileError`` (``fracsim.data``) and the errors of ``fracsim.kernels``, rooms that import nothing of
this one, carry an ``exit_code`` of their own."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar

from fracsim.data.errors import one_line


class FracsimError(Exception):
    """What all errors of this package above its files and kernels have in common."""

    exit_code: ClassVar[int] = 1
    """With which a command ends."""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(message))


class UsageError(FracsimError, ValueError):
    """The input is wrong: the sentence says what was given, where, and what is accepted."""

    exit_code = 2


class RunError(FracsimError, RuntimeError):
    """The input is right but the work cannot be done (too little memory, an output in the way,
    …)."""


class Stopped(RunError):
    """Stopped before there was anything to keep: the same command starts again."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: the same command goes on


def nearest(name: str, candidates: Iterable[str]) -> str:
    """``"; did you mean 'vicsek'?"`` for the candidate closest to ``name``, or ``""`` where none is
    close."""
    by_lower_case = {candidate.lower(): candidate for candidate in candidates}
    close = get_close_matches(str(name).lower(), by_lower_case, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower_case[close[0]]}'?" if close else ""
