"""The grammar, one for all: how text becomes a value.

1e6 is a whole number; the layers of one network are 100-20-100; a comma separates alternatives, 1:5
and 10:50:10 are ranges of numbers (both ends included), and a list that begins with .5 and ends
with 1 is one curve."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from fracsim.values.given import python_value

MOST_VALUES = 1000
"""Alternatives that one setting takes."""

MOST_LAYERS = 1000
"""Hidden layers of one network."""

_RANGE = re.compile(r"([^:]+):([^:]+)(?::([^:]+))?")


def is_number(value: Any) -> bool:
    """Whether a value is a plain number, which True is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def whole(value: int | float | str) -> int:
    """The whole number that a value is or writes, as 1e6. Raises ValueError, OverflowError."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return _whole_decimal(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)


def _whole_decimal(text: str) -> int:
    """The whole number that a text as 1.5e3 writes, to its last digit. Raises as ``whole``."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if number and not 0 <= number.adjusted() < 4000:  # Python writes no longer ones
        raise OverflowError(text)
    above, below = number.as_integer_ratio()
    if below != 1:
        raise ValueError(text)
    return above


def layer_widths(text: str) -> tuple[int, ...]:
    """The widths that "100-20-100" writes. Raises ValueError."""
    return tuple(whole(part) for part in text.split("-"))


def width_of_layers(widths: Sequence[int]) -> int | str:
    """The inverse for one or more layers, and shorter: 100 where all have this width, else
    "100-20-100"."""
    return widths[0] if len(set(widths)) == 1 else "-".join(map(str, widths))


def read_layers(value: Any) -> int | str:
    """A width, or text with one for each layer. Raises ValueError, OverflowError."""
    if isinstance(value, datetime.date):  # to TOML, 1000-10-20 is a day
        value = value.isoformat()
    if isinstance(value, str) and "-" in value.strip()[1:]:
        return "-".join(map(str, layer_widths(value)))
    return int(read_one(int, value))


def read_one(kind: type, value: Any) -> Any:
    """One value of a kind. Raises ValueError, OverflowError."""
    value = python_value(value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str) and value.strip():
        return value.strip()
    if kind is float and (is_number(value) or isinstance(value, str)):
        return float(value)
    if kind is int and (is_number(value) or isinstance(value, str)):
        return whole(value)
    raise ValueError(value)


def read_many(kind: type, value: Any) -> tuple[Any, ...]:
    """A tuple from text with commas and ranges, or from values and such texts."""
    given: Sequence[Any] = value if isinstance(value, (list, tuple, range)) else [value]
    if len(given) > MOST_VALUES:
        raise ValueError(value)
    return tuple(
        found
        for part in given
        for found in (_split(kind, part) if isinstance(part, str) else [read_one(kind, part)])
    )


def alternatives(kind: type, text: str, most: int = MOST_VALUES) -> list[str]:
    """The values that a text separates by commas, as texts; of numbers ranges are written out, up
    to one more than ``most``, and a list that is one curve is one value. Raises ValueError for a
    range that does not rise."""
    parts = [part.strip() for part in text.split(",")]
    if kind is str:
        return [text.strip()] if _is_curve(parts) else parts
    found: list[str] = []
    for part in parts:
        ends = _RANGE.fullmatch(part)
        found += _range(ends[1], ends[2], ends[3], most) if ends else [part]
    return found


def _split(kind: type, text: str) -> list[Any]:
    return [read_one(kind, part) for part in alternatives(kind, text)]


def _range(first: str, last: str, step: str | None, most: int) -> list[str]:
    """first, first + step, … up to last, in decimals, so that 0.1:0.3:0.1 has 0.3. Raises
    ValueError, ArithmeticError."""
    a, b, by = Decimal(first), Decimal(last), Decimal(step or 1)
    if not (a.is_finite() and b.is_finite() and by.is_finite()) or by <= 0 or b < a:
        raise ValueError(first)
    count = int((b - a) // by) + 1 if (b - a) / by < most else most + 1
    return [str(a + i * by) for i in range(count)]


def _is_curve(parts: Sequence[str]) -> bool:
    """Whether a list is P(0), …, P(n): numbers from .5 to 1."""
    try:
        return len(parts) > 1 and Decimal(parts[0]) * 2 == 1 and Decimal(parts[-1]) == 1
    except InvalidOperation:
        return False
