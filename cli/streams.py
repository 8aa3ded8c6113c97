"""The three streams of a process, which may be closed, full, or read by somebody who has gone."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

import click

READER_GONE = 128 + 13
"""Exit code where whoever read our output went away, as in ``fracsim export run.h5 | head``: that
of any program which SIGPIPE ends."""

_NAMES = ("stdin", "stdout", "stderr")


class OutputFault(Exception):
    """Standard output failed: its disk is full, or its reader has gone. It is no OSError, for which
    click would end the process by itself, and which a file of ours may meet as well."""

    exit_code = 1

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the output cannot be written: {error.strerror or error}")
        self.reader_gone = error.errno == errno.EPIPE


class _Output(io.FileIO):
    """Standard output, whose faults are told apart from all others."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputFault(error) from error


def open_streams() -> None:
    """Open the streams that are closed on the null device, so that no file of ours takes their
    place; tell faults of the output apart; and let no letter end a command that the terminal cannot
    show.

    For the start of a process, before any file is opened."""
    for number, name in enumerate(_NAMES):
        if _is_open(number) and getattr(sys, name) is not None:
            continue
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)
        # no descriptor is left without an owner at the end: the streams are never closed
        stream: Any = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for each in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            each.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout = _told_apart(sys.stdout)


def _told_apart(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = _Output(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def remark(text: str, nl: bool = True) -> None:
    """Say on stderr what is no result. That nobody listens any more (``2>&1 | head``), or that the
    disk is full, must not end the work."""
    try:
        click.echo(text, nl=nl, err=True)
    except OSError:
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Let a stream that fails end in the null device: what it still holds must not fail again."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
