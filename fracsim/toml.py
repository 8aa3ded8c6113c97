"""TOML and the numbers in it, with errors that name the key. A number may be written as a fraction:
``"1/3"``."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fracsim.errors import UsageError, nearest


def parse_toml(text: str, what: str) -> dict[str, Any]:
    """The table that a TOML text writes; UsageError, beginning with ``what``, where it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{what} is not valid TOML: {error}") from None
    except RecursionError:
        raise UsageError(
            f"{what} is not valid TOML: its lists or tables are nested too deeply"
        ) from None
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        raise UsageError(f"{what} is not valid TOML: a number in it has too many digits") from None


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
