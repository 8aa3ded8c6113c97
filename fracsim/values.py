"""What values are, whoever gives them: numbers, NumPy's among them, lists, mappings, and words for
what is none. (NumPy is not imported for it.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fracsim.errors import UsageError
from fracsim.text import shortened

_PLAIN = {str, int, float, bool, type(None), bytes, range}
_DEEPEST = 30
"""Lists within lists, and mappings."""


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
    try:
        return isinstance(value, str) and b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def masked(value: Any) -> bool:
    """Whether some entries of a NumPy array are masked: what lies behind a mask is no number."""
    mask = getattr(value, "mask", None)
    return mask is not None and bool(getattr(mask, "any", lambda: mask)())


def python_value(value: Any, depth: int = 0) -> Any:
    """Lists, dicts and plain numbers in place of arrays, sequences, mappings and NumPy's numbers.
    Raises what their methods do."""
    if type(value) in _PLAIN:
        return value
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(getattr(value, "ndim", None), int) and hasattr(value, "tolist"):
        if masked(value):
            raise ValueError(value)
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: python_value(one, depth + 1) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, range)):
        kind = tuple if isinstance(value, tuple) else list
        return kind(python_value(one, depth + 1) for one in value)
    return value


def refused(name: str, value: object, accepted: str) -> UsageError:
    """The error that says what was given for an argument, and what is accepted."""
    return UsageError(f"{name} is {described(value)}; accepted is {accepted}")


def unreadable(name: str, value: object) -> UsageError:
    """The error for a value whose own methods fail, in whatever way its author chose."""
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
