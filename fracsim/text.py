"""All that is printed: durations, bytes, counts, tables, and sentences that stand on one line."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from fracsim.data.errors import one_line

T = TypeVar("T")


def duration(seconds: float) -> str:
    """``4.2 s``, ``3 min 20 s`` or ``5 h 12 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """``812 B``, ``1.4 MB``, ``20 GB``: bytes for people, in powers of ten."""
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if count < 999.5 or unit == "PB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.2g} {unit}"
        count /= 1000
    raise AssertionError


def counted(number: int, noun: str) -> str:
    """``1 run``, ``1,200 runs``: a number and its noun, in the plural with an s where there are
    not exactly one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sentence(message: object) -> str:
    """``message`` on one line, with a full stop where it has no end of its own."""
    line = one_line(message)
    return line if not line or line[-1] in ".?!" else line + "."


def shortened(text: object, most: int = 60) -> str:
    """The text on one line, or its beginning and ``...`` where it has more than ``most``
    characters."""
    shown = " ".join(str(text).splitlines())
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def table(rows: Sequence[Sequence[object]], align: str = "", indent: str = "") -> list[str]:
    """Lines of a table, its columns two spaces apart; None is an empty cell.

    ``align``: a letter for each of the first columns, < flush left or > flush right, which all
    others are. A row may be shorter than others."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    columns = max(map(len, texts), default=0)
    widths = [max(len(row[c]) for row in texts if c < len(row)) for c in range(columns)]
    sides = align.ljust(columns, ">")
    lines = (
        "  ".join(f"{cell:{sides[c]}{widths[c]}}" for c, cell in enumerate(row)) for row in texts
    )
    return [f"{indent}{line}".rstrip() for line in lines]


def brief(declared: type[T]) -> type[T]:
    """A decorator of classes with fields: their ``repr`` is a line, with the shapes of arrays in
    place of numbers, so that a result can stand alone in a notebook's cell."""
    declared.__repr__ = _line  # type: ignore[method-assign]
    return declared


def _line(value: Any, most: int = 300) -> str:
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.repr]
    else:
        names = list(value._fields)
    fields = ", ".join(f"{name}={_inside(getattr(value, name))}" for name in names)
    return f"{type(value).__name__}({shortened(fields, most)})"


def _inside(value: Any) -> str:
    """A field's value: of what has many, only how many they are."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and hasattr(value, "dtype"):
        return f"{value.dtype}{list(shape)}" if shape else str(value)
    if isinstance(value, str):
        return shortened(repr(value))
    if isinstance(value, Mapping):
        return f"{{{len(value)} keys}}"
    if hasattr(value, "_fields"):
        return shortened(repr(value), 80)
    if isinstance(value, Collection) and len(value) > 4:
        return f"[{len(value)} values]"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_inside, value))}]"
    return shortened(repr(value), 80)
