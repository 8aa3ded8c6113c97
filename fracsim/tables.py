"""Numbers out of TOML tables, with errors that name the key. A number may be written as a fraction: ``"1/3"``."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from fracsim.errors import UsageError, nearest


def read_keys(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """UsageError where the table has a key that is not ``known``."""
    known = tuple(known)
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: unknown key '{key}'{nearest(key, known)} (known: {', '.join(known)})")


def number_of(value: object, where: str) -> float:
    """A finite number given as 0.25, 1 or "1/4"; a fraction is rounded once."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(Fraction(value))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(f'{where}: {value!r} is not a finite number such as 0.25 or a fraction such as "1/3"') from None
    return number


def vector_of(value: object, where: str) -> np.ndarray:
    """A list of numbers, shape (d,)."""
    if not isinstance(value, list) or not value:
        raise UsageError(f"{where} must be a list of numbers, not {value!r}")
    return np.array([number_of(entry, where) for entry in value])


def matrix_of(value: object, d: int, where: str) -> np.ndarray:
    """d rows of d numbers, shape (d, d)."""
    if not isinstance(value, list) or len(value) != d or not all(isinstance(row, list) and len(row) == d for row in value):
        raise UsageError(f"{where} must be {d} rows of {d} numbers, as the offset has {d} entries")
    return np.array([vector_of(row, where) for row in value])
