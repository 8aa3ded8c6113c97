"""What values are, whoever gives them: numbers, NumPy's among them, lists, mappings, and words for
what is none. (NumPy is not imported for it.)"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fracsim.errors import UsageError
from fracsim.text import shortened

_PLAIN = {str, int, float, bool, type(None), bytes}
BYTES = (bytes, bytearray, memoryview)
"""Sequences of whole numbers that nobody means as such."""

_DEEPEST = 30
"""Lists within lists, and mappings."""

MOST_VALUES = 1_000_000
"""Longer lists, ranges, arrays and mappings are taken for a mistake: nothing that is set takes
them."""


class TooManyError(ValueError):
    """A list of more than ``MOST_VALUES``, as a phrase: "a list of more than 1,000,000 values"."""

    def __str__(self) -> str:
        return f"a list of more than {MOST_VALUES:,} values"


def real_number(value: Any) -> float:
    """What ``float`` makes of a number: of no bool, text or bytes, which it would read, of no date,
    and of NumPy's numbers only if real and not masked. Raises TypeError, ValueError,
    ArithmeticError."""
    kind = type(value)
    if kind is float or kind is int:
        return float(value)
    if is_bool(value) or not (hasattr(kind, "__float__") or hasattr(kind, "__index__")):
        raise TypeError(kind)
    dtype = getattr(value, "dtype", None)
    if dtype is not None and (
        getattr(dtype, "kind", "f") not in "iuf" or value.ndim or masked(value)
    ):
        raise TypeError(kind)
    return float(value)


def is_bool(value: object) -> bool:
    """Whether a value is Python's or NumPy's True or False."""
    kind = type(value)
    return kind is bool or (kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"))


def is_text(value: object) -> bool:
    """Whether a value is text that files can hold: Unicode without NUL."""
    kind = type(value)  # isinstance believes a false __class__
    try:
        return issubclass(kind, str) and b"\0" not in str.encode(value)  # type: ignore[arg-type]
    except UnicodeEncodeError:
        return False


def masked(value: Any) -> bool:
    """Whether some entries of a NumPy array are masked: what lies behind a mask is no number."""
    mask = getattr(value, "mask", None)
    return mask is not None and bool(getattr(mask, "any", lambda: mask)())


def python_value(value: Any, depth: int = 0) -> Any:
    """Lists, dicts and plain numbers in place of arrays, sequences, mappings and NumPy's numbers.
    Raises what their methods do, and TooManyError."""
    if type(value) in _PLAIN:
        return value
    if depth > _DEEPEST:
        raise RecursionError
    if issubclass(type(value), str):
        return str.__str__(value)
    if isinstance(getattr(value, "ndim", None), int) and hasattr(value, "tolist"):
        if masked(value) or getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M"):
            raise ValueError(value)  # a date or a span, of which NumPy would make a number
        if getattr(value, "size", 0) > MOST_VALUES:
            raise TooManyError
        return value.tolist()
    if isinstance(value, range):
        if len(value[: MOST_VALUES + 1]) > MOST_VALUES:
            raise TooManyError
        return value
    if isinstance(value, Mapping):
        return {key: python_value(one, depth + 1) for key, one in _few(value.items())}
    if isinstance(value, Sequence) and not isinstance(value, BYTES):
        kind = tuple if isinstance(value, tuple) else list
        return kind(python_value(one, depth + 1) for one in _few(value))
    return value


def _few(values: Iterable[Any]) -> Iterator[Any]:
    """The values, if they end in time."""
    for count, value in enumerate(values):
        if count >= MOST_VALUES:
            raise TooManyError
        yield value


def ended(value: Any) -> Any:
    """A list in place of a sequence of somebody's own making, which may never end; all else as it
    is. Raises what its methods do, and TooManyError."""
    known = (list, tuple, range, str, array, *BYTES)
    if isinstance(value, known) or hasattr(value, "__array__"):
        return value
    return list(_few(value)) if isinstance(value, Sequence) else value


def refused(name: str, value: object, accepted: str) -> UsageError:
    """The error that says what was given for an argument, and what is accepted."""
    return UsageError(f"{name} is {described(value)}; accepted is {accepted}")


def unreadable(name: str, value: object, error: Exception) -> UsageError:
    """The error for a value whose own methods fail, in whatever way its author chose, or that is
    too long."""
    if isinstance(error, TooManyError):
        return UsageError(f"{name} is {error}")
    return UsageError(f"{name} is {described(value)}, which cannot be read")


def described(value: object) -> str:
    """A value in a message, in a phrase: arrays by their shape and type."""
    try:
        shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
        if isinstance(shape, tuple) and shape and dtype is not None:
            return f"an array {shape} of {dtype}"
        return shortened(repr(value))
    except Exception:  # of whoever wrote that
        return f"a {type(value).__name__}"


def limits_of(low: Any, high: Any) -> str:
    """`` from 1 to 9``, `` of at least 1``: the limits of numbers, in a message."""

    def said(one: Any) -> str:
        return f"{one:,}" if isinstance(one, int) else f"{one:g}"

    if low is not None and high is not None:
        return f" from {said(low)} to {said(high)}"
    if low is not None:
        return f" of at least {said(low)}"
    return "" if high is None else f" of at most {said(high)}"
