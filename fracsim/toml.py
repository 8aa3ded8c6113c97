"""TOML and the numbers in it, with errors that name the key. A number may be written as a fraction:
``"1/3"``."""

import math
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from fracsim.errors import UsageError, nearest
from fracsim.text import size

MOST_BYTES = 50_000_000
"""Of a TOML file: 4,096 maps in d = 12 take about a quarter of it."""


def read_text(path: str | Path, what: str) -> str:
    """The text of a file that a person has written. UsageError, beginning with ``what``, where it
    cannot be read, is a pipe, a folder or a device, is no UTF-8, or has no end."""
    try:
        # a pipe would make open() wait, and its reader too
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise UsageError(
                    f"{what} cannot be read: it is a folder, a pipe or a device, not a file"
                )
            content = file.read(MOST_BYTES + 1)  # what it says of its size need not be true
        if len(content) > MOST_BYTES:
            raise UsageError(
                f"{what} cannot be read: it is too large; accepted are files of at most "
                f"{size(MOST_BYTES)}"
            )
        return content.decode("utf-8")
    except FileNotFoundError:
        raise UsageError(f"{what} cannot be read: there is no such file") from None
    except UnicodeDecodeError:
        raise UsageError(f"{what} cannot be read: it is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{what} cannot be read: {error.strerror or error}") from None
    except UsageError:
        raise
    except ValueError:  # a NUL in it
        raise UsageError(f"{what} cannot be read: that is no name of a file") from None


def parse_toml(text: str, what: str) -> dict[str, Any]:
    """The table that a TOML text writes; UsageError, beginning with ``what``, where it is none."""
    try:
        return tomllib.loads(text, parse_float=_float_of)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{what} is not valid TOML: {error}") from None
    except RecursionError:
        raise UsageError(
            f"{what} is not valid TOML: its lists or tables are nested too deeply"
        ) from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise UsageError(f"{what} is not valid TOML: a number in it has too many digits") from None


def _float_of(text: str) -> int | float:
    """A float of TOML; a whole number that a float would round, as 1234567890123456789.0, is an
    int."""
    value = float(text)
    if not 2.0**53 <= abs(value) < math.inf:
        return value
    exact = Decimal(text)
    return int(exact) if exact == exact.to_integral_value() else value


def read_keys(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """UsageError where the table has a key that is not ``known``."""
    known = tuple(known)
    for key in table:
        if key not in known:
            raise UsageError(
                f"{where}: unknown key '{key}'{nearest(key, known)} (known: {', '.join(known)})"
            )


def number_of(value: object, where: str) -> float:
    """A finite number given as 0.25, 1 or "1/4"; a fraction is rounded once."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        above, _, below = value.partition("/") if isinstance(value, str) else (value, "", "")
        number = float(above) / float(below or 1)
        if not math.isfinite(number):
            raise ValueError
        return number
    except (ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(
            f"{where}: {value!r} is not a finite number such as 0.25 or '1/3'"
        ) from None


def vector_of(value: object, where: str) -> np.ndarray:
    """A list of numbers, shape (d,)."""
    if not isinstance(value, list) or not value:
        raise UsageError(f"{where} must be a list of numbers, not {value!r}")
    return np.array([number_of(entry, where) for entry in value])


def matrix_of(value: object, d: int, where: str) -> np.ndarray:
    """d rows of d numbers, shape (d, d)."""
    rows = value if isinstance(value, list) else []
    if len(rows) != d or not all(isinstance(row, list) and len(row) == d for row in rows):
        raise UsageError(f"{where} must be {d} rows of {d} numbers, as the offset has {d} entries")
    return np.array([vector_of(row, where) for row in rows])
