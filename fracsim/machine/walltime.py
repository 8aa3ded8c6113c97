"""Wall-clock time: durations as Slurm writes them, and when the batch job that this process runs in
will end."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable

from fracsim.errors import UsageError
from fracsim.text import shortened

ACCEPTED = "seconds, MM:SS, H:MM:SS or D-HH:MM:SS"
"""How durations are written, for help texts."""

MARGIN = 60.0
"""``auto`` stops this many seconds before the job's end, so that a checkpoint reaches a slow disk,
too."""

SHORT_JOB = 0.1
"""The margin is at most this share of the time that is left, or a job of a minute would end before
it began."""

_PATTERNS = (
    r"(?P<seconds>\d{1,9}(\.\d*)?)",
    r"(?P<minutes>\d{1,6}):(?P<seconds>[0-5]\d)",
    r"(?P<hours>\d{1,6}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)",
    r"(?P<days>\d{1,4})-(?P<hours>[01]?\d|2[0-3])(:(?P<minutes>[0-5]\d)(:(?P<seconds>[0-5]\d))?)?",
)
_UNITS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86_400.0}
_SQUEUE_SECONDS = 10  # a busy slurmctld answers late; a dead one must not hold up a job
_EARLIEST = 1e9  # a unix time of 2001: less is no time at which a job ends


def parse_duration(text: str, option: str) -> float:
    """Seconds (> 0) of a duration given for ``option``: SECONDS, MM:SS, H:MM:SS, D-HH, D-HH:MM or
    D-HH:MM:SS.

    These are Slurm's forms, but for a bare number, which Slurm takes for minutes. Raises
    UsageError."""
    seconds = _seconds(text)
    if not seconds:
        raise UsageError(
            f"{option} is '{shortened(text)}'; accepted is a time above 0 as {ACCEPTED}, as in 600 "
            f"or 1:30:00"
        )
    return seconds


def _seconds(text: str) -> float | None:
    """Seconds (>= 0) of a duration, None where it is not one."""
    for pattern in _PATTERNS:
        if match := re.fullmatch(pattern, text.strip(), re.ASCII):
            return sum(
                _UNITS[name] * float(part) for name, part in match.groupdict().items() if part
            )
    return None


def time_limit(text: str, announce: Callable[[str], None]) -> float | None:
    """Seconds from now after which work has to stop, or None where there is no limit: the value of
    ``--max-time``.

    ``text`` is a duration, which counts from this call, or ``auto``: until ``MARGIN`` before the
    end of the Slurm job. For ``auto`` a sentence that says what was found goes to ``announce``.
    Raises UsageError."""
    if text.strip() != "auto":
        try:
            return parse_duration(text, "--max-time")
        except UsageError as error:
            raise UsageError(f"{error}, or auto") from None
    if "SLURM_JOB_ID" not in os.environ:
        announce("--max-time auto: this is no Slurm job, so there is no time limit.")
        return None
    end = end_of_job()
    if end is None:
        announce(
            "--max-time auto: Slurm names no end of this job, so there is no time limit; signals "
            "still stop it."
        )
        return None
    moment, source = end
    left = max(0.0, moment - time.time())
    margin = min(MARGIN, SHORT_JOB * left)
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment - margin))
    announce(
        f"--max-time auto: stops at {at}, {margin:.0f} s before the end of the job (from {source})."
    )
    return left - margin


def end_of_job() -> tuple[float, str] | None:
    """(unix time, where it is from) of the end of the Slurm job this process runs in; None where
    none is known.

    SLURM_JOB_END_TIME exists since Slurm 23.02; before, squeue tells the time left. SLURM_JOB_ID is
    a task's own also in a job array. (Each is described in the manuals of sbatch and squeue.)"""
    if "SLURM_JOB_ID" not in os.environ:
        return None
    try:
        moment = float(os.environ["SLURM_JOB_END_TIME"])
        if _EARLIEST < moment < float("inf"):
            return moment, "SLURM_JOB_END_TIME"
    except (KeyError, ValueError):
        pass
    left = _time_left(os.environ["SLURM_JOB_ID"])
    return None if left is None else (time.time() + left, "squeue")


def _time_left(job: str) -> float | None:
    """Seconds that squeue gives the job; None for UNLIMITED, NOT_SET, INVALID, or without an
    answer."""
    try:
        answer = subprocess.run(
            ["squeue", "-h", "-j", job, "-o", "%L"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SQUEUE_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return _seconds(answer.stdout)
