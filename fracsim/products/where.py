"""Which values a condition accepts: the grammar of ``--where``.

``KEY=a,b,c`` accepts any of them, ``KEY=10:200`` all numbers from 10 to 200 and ``KEY=10:50:10``
every tenth; conditions on one key are alternatives, on several keys all of them must hold. Nothing
heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from fracsim.errors import UsageError
from fracsim.training.run import SETTINGS
from fracsim.values.grammar import alternatives, is_number
from fracsim.values.settings import key_of

Conditions = Mapping[str, Any]
"""Key -> what is accepted: ``Accepted``, text in the grammar, a value, or several values."""


@dataclass(frozen=True)
class Accepted:
    """The values that one key may have; ``value in accepted`` asks."""

    texts: tuple[str, ...]
    """Alternatives: each a value or a range."""

    def __contains__(self, value: object) -> bool:
        return any(_meets(value, text) for text in self.texts)

    def __str__(self) -> str:
        return ",".join(self.texts)


def accepted(given: Any, key: str = "where") -> Accepted:
    """What a condition accepts. Raises UsageError for a range that does not rise."""
    if isinstance(given, Accepted):
        return given
    if isinstance(given, str):
        texts = tuple(alternatives(str, given))
        for text in texts:
            _check_range(key, text)
        return Accepted(texts)
    if isinstance(given, Iterable):
        return Accepted(tuple(str(value) for value in given))
    return Accepted((str(given),))


def parse_conditions(texts: Iterable[str]) -> dict[str, Accepted]:
    """Key -> what is accepted, from texts KEY=VALUES. Raises UsageError."""
    found: dict[str, Accepted] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        key = key_of(key.strip(), SETTINGS).replace("-", "_")
        if not (key and equals and values.strip()):
            raise UsageError(
                f"--where is '{text}'; accepted is KEY=VALUES, as in width=100, width=50,100 or "
                f"width=50:200"
            )
        before = found[key].texts if key in found else ()
        more = accepted(values.strip(), f"--where {key}")
        found[key] = Accepted((*before, *more.texts))
    return found


def _meets(value: Any, text: str) -> bool:
    """Whether a value is what a text writes, or lies in its range. Numbers are compared as
    numbers, also where they are stored as text, as curves are."""
    if str(value) == text or (value is None and text.lower() == "none"):
        return True
    number = _decimal(value)
    if number is None:
        return False
    if (ends := _ends(text)) is not None and is_number(value):
        low, high, by = ends
        return low <= number <= high and (by is None or (number - low) % by == 0)
    return number == _decimal(text)


def _decimal(value: Any) -> Decimal | None:
    """The number that a value is or writes; None for others, NaN and the infinities."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _ends(text: str) -> tuple[Decimal, Decimal, Decimal | None] | None:
    """Low, high and step of a range; None where the text is none (``finest:2``)."""
    parts = [_decimal(part.strip()) for part in text.split(":")]
    if len(parts) not in (2, 3) or None in parts:
        return None
    low, high, *by = parts
    assert low is not None
    assert high is not None
    return low, high, by[0] if by else None


def _check_range(key: str, text: str) -> None:
    ends = _ends(text)
    if ends is not None and (ends[1] < ends[0] or (ends[2] is not None and ends[2] <= 0)):
        raise UsageError(f"{key}={text}: accepted is a range that rises, as in 10:200 or 10:50:10")
