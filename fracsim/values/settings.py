"""What a setting accepts, and how messages name it.

The settings of a training (``Run``) and of each study are frozen dataclasses whose fields are made
by ``setting``; options, variables of the environment, TOML keys and what files keep follow from
them. Nothing heavy is imported here: the commands build their options, and their help, from them.
How text becomes a value is the grammar's (``grammar``), but for coordinates, which are a list that
is one value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fracsim.errors import UsageError, nearest
from fracsim.text import shortened
from fracsim.values.given import described, python_value
from fracsim.values.grammar import (
    MOST_LAYERS,
    MOST_VALUES,
    layer_widths,
    read_layers,
    read_many,
    read_one,
)

_WORDS = {int: "a whole number", float: "a number"}
_PLURALS = {int: "whole numbers", float: "numbers"}

REQUIRED: Any = dataclasses.MISSING
"""The default of a setting that has none."""

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """What one key accepts. ``low`` and ``high`` are included, ``above`` and ``below`` are not.

    ``kind`` is int, float, str or bool: the type of the value, or of each value of a tuple."""

    about: str
    kind: type
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    optional: str = ""
    """What leaving the key out means; empty where the default is a value."""
    many: bool = False
    """Its value is a tuple of alternatives: a comma separates them, the option may be repeated."""
    layers: bool = False
    """Its value is one number for every layer of a network, or text with one for each, as in
    100-20-100."""
    joined: str = ""
    """Several of them are one value, joined by this: its option may be repeated."""
    coordinates: bool = False
    """Its value is a tuple of finite numbers that are one thing, as a window."""
    argument: bool = False
    """It stands in the command line by its place, as FRACTAL, and is no option."""
    option: str = ""
    """Its option, where that is not made of the key."""
    short: str = ""
    """A second, shorter name of its option: "--lr"."""
    metavar: str = ""
    """What the help shows in place of a value, where TEXT or NUMBER says too little."""
    excludes: tuple[str, ...] = ()
    """Keys that make no sense beside it: given on the command line, it replaces them where the
    environment or a file (--from) has them."""
    kept: bool = True
    """Whether files keep it; what changes no number, as threads, they do not."""

    @property
    def accepted(self) -> str:
        """The accepted values as a phrase: "a whole number from 1 to 1000"."""
        if self.coordinates:
            return "a list of at least two finite numbers, as in -1,1,-1,1"
        if self.choices:
            one = "one or several of " if self.many else "one of "
            return one + ", ".join(self.choices)
        if self.kind is bool:
            return "yes or no"
        if self.kind is str:
            return "text, or several texts separated by commas" if self.many else "text"
        if self.many:
            as_in = f"as in 1,2,5 or 1:5 or 10:50:10, at most {MOST_VALUES} of them"
            return f"{_PLURALS[self.kind]}{self._limits}, {as_in}"
        each = ", or one for each layer as in 100-20-100" if self.layers else ""
        return _WORDS[self.kind] + self._limits + each

    @property
    def _limits(self) -> str:
        if self.low is not None and self.high is not None:
            return f" from {_number(self.low)} to {_number(self.high)}"
        parts = [
            f"{words} {_number(value)}"
            for words, value in (
                ("above", self.above if self.low is None else None),
                ("of at least", self.low),
                ("below", self.below if self.high is None else None),
                ("at most", self.high),
            )
            if value is not None
        ]
        return "".join(f" {part}" for part in (" and ".join(parts),) if part)

    def holds(self, value: Any) -> bool:
        """Whether a value of the right type is in the accepted range (NaN and infinity
        never are)."""
        if self.coordinates:
            return len(value) >= 2 and all(abs(number) < float("inf") for number in value)
        if self.many:
            one = dataclasses.replace(self, many=False)
            return 1 <= len(value) <= MOST_VALUES and all(one.holds(part) for part in value)
        if self.layers and isinstance(value, str):
            one = dataclasses.replace(self, layers=False)
            try:
                widths = layer_widths(value)
            except ValueError:
                return False
            return 2 <= len(widths) <= MOST_LAYERS and all(map(one.holds, widths))
        if self.choices:
            return value in self.choices
        if self.kind is bool:
            return True
        if self.kind is str:
            return bool(value)
        return bool(
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (self.below is None or value < self.below)
            and abs(value) < float("inf")
        )


def setting(default: Any, about: str, kind: type, **limits: Any) -> Any:
    """A field of a dataclass of settings; ``limits`` are the further fields of ``Setting``.

    A default of ``REQUIRED`` makes one that must be given."""
    metadata = {"setting": Setting(about, kind, **limits)}
    return (
        field(metadata=metadata)
        if default is REQUIRED
        else field(default=default, metadata=metadata)
    )


def settings_of(declared: type) -> dict[str, Setting]:
    """Key -> what it accepts, in the order of the fields of a dataclass of settings."""
    return {
        one.name: one.metadata["setting"]
        for one in dataclasses.fields(declared)
        if "setting" in one.metadata
    }


def defaults_of(declared: type) -> dict[str, Any]:
    """Key -> default of each setting; ``REQUIRED`` where it has none."""
    return {one.name: one.default for one in dataclasses.fields(declared)}


def make_settings(declared: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Checked settings from key -> value; keys left out keep their defaults.

    ``where`` names the place the values are from, for messages. Raises UsageError for an unknown
    key, a value that is not accepted, or a missing one; and whatever the dataclass's own
    ``validate`` raises."""
    known = settings_of(declared)
    for key in values:
        if key not in known:
            raise UsageError(
                f"unknown key '{key}'{' in ' + where if where else ''}{nearest_key(key, known)}"
            )
    for key, default in defaults_of(declared).items():
        if default is REQUIRED and values.get(key) is None:
            raise UsageError(f"{label(key, known[key])} is missing: {known[key].about}")
    found = {key: checked(key, known[key], value) for key, value in values.items()}
    settings = declared(**found)
    getattr(settings, "validate", lambda: None)()
    return settings


def checked(key: str, accepts: Setting, value: Any) -> Any:
    """A value as text, TOML or JSON gives it, as the type of its setting and within its limits.

    Raises UsageError, naming the key."""
    found = coerced(key, accepts, value)
    if found is not None and not accepts.holds(found):
        one_number = accepts.kind in (int, float) and not (accepts.many or accepts.coordinates)
        raise refusal(key, accepts, value, quoted=not one_number)
    if accepts.many and found is not None and len(set(found)) < len(found):
        twice = next(one for one in found if found.count(one) > 1)
        raise UsageError(
            f"{label(key, accepts)} has {twice} twice; accepted are values that differ"
        )
    return found


def coerced(key: str, accepts: Setting, value: Any) -> Any:
    """The same without a look at the limits: text is read as a number where a number is due, 1e6
    is a whole number. Raises UsageError where that cannot be done."""
    if value is None and accepts.optional:
        return None
    try:
        value = python_value(value)
        if accepts.coordinates:
            parts = value.split(",") if isinstance(value, str) else value
            return tuple(read_one(accepts.kind, part) for part in parts)
        if accepts.many:
            return read_many(accepts.kind, value)
        return read_layers(value) if accepts.layers else read_one(accepts.kind, value)
    except Exception:  # also of whoever wrote the value's methods
        raise refusal(key, accepts, value) from None


def refusal(key: str, accepts: Setting, value: Any, quoted: bool = True) -> UsageError:
    """The error that says what was given and what is accepted; text that writes a number out of
    its limits needs no quotes."""
    given = shown(value) if quoted else shown(value).strip("'")
    verb = "are" if accepts.many and accepts.kind in (int, float) else "is"
    hint = nearest(value, accepts.choices) if isinstance(value, str) else ""
    return UsageError(f"{label(key, accepts)} is {given}; accepted {verb} {accepts.accepted}{hint}")


def option_name(key: str, accepts: Setting | None = None) -> str:
    """The option of a key: "--learning-rate"; ``network_depth`` is "--depth"."""
    if accepts is not None and accepts.option:
        return accepts.option
    return "--depth" if key == "network_depth" else "--" + key.replace("_", "-")


def key_of(name: str, known: Mapping[str, Setting]) -> str:
    """The key that ``name`` means where somebody types it: a key, or its option's name with or
    without dashes ("learning-rate", "lr", "depth"); ``name`` itself where it means none."""
    if name in known:
        return name
    option = "--" + name.lstrip("-").replace("_", "-")
    for key, accepts in known.items():
        if option in (option_name(key, accepts), accepts.short):
            return key
    return name


def nearest_key(name: str, known: Mapping[str, Setting], others: Sequence[str] = ()) -> str:
    """What ``nearest`` says of keys, knowing that "lr" and "depth" are meant by their options; or
    ``""``."""
    meant = key_of(name, known)
    return f"; did you mean '{meant}'?" if meant != name else nearest(name, [*known, *others])


def label(key: str, accepts: Setting | None = None) -> str:
    """A key as messages name it, with its option: "learning_rate (--learning-rate)"; an argument
    is named as in the help: "FRACTAL"."""
    if accepts is not None and accepts.argument:
        return key.upper()
    return f"{key} ({option_name(key, accepts)})"


def shown(value: Any) -> str:
    """A value in a message: text in quotes, never longer than a phrase."""
    return shortened(f"'{value}'") if isinstance(value, str) else described(value)


def check_depth(width: str, depth: int, key: str = "depth") -> None:
    """Raise UsageError where a width for each layer does not fit the depth that ``key`` gives."""
    layers = len(layer_widths(width))
    if layers != depth:
        raise UsageError(
            f"{label('width')} is {width}, of {layers} hidden layers, and {label(key)} is {depth}; "
            f"accepted is {layers}, or none"
        )


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"
