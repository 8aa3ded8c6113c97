"""Grids of settings: lists and ranges over any key, crossed ([grid]) or varied together ([[zip]]).

An axis is a list of values, or a range: ``{start, stop, step}`` (``stop`` included, ``step`` 1
unless given) or ``{start, stop, num, log}`` (``num`` values, evenly spaced or, with ``log = true``,
evenly spaced ratios)."""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from fracsim.errors import UsageError, nearest
from fracsim.training.run import SETTINGS, check_key, coerce
from fracsim.values.arguments import Table, Text, Values, door
from fracsim.values.given import BYTES, described, python_value
from fracsim.values.settings import label, nearest_key

MOST_RUNS = 100_000
"""More runs than this in one experiment are taken for a mistake."""

MOST_NUMBER = 1e300
"""A range ends below it, so that its arithmetic stays finite."""

_RANGE_KEYS = ("start", "stop", "step", "num", "log")


@dataclass
class Grid:
    """Fixed settings, crossed axes and zipped axes; every key stands in at most one of the
    three."""

    fixed: dict[str, Any] = field(default_factory=dict)
    crossed: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    zipped: list[dict[str, tuple[Any, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read what is given at once, as ``fix``, ``cross`` and ``zip`` read what comes later."""
        self.fixed = {key: _read(key, [value])[0] for key, value in self.fixed.items()}
        self.crossed = {key: _read(key, values) for key, values in self.crossed.items()}
        self.zipped = [
            {key: _read(key, values) for key, values in table.items()} for table in self.zipped
        ]

    @door(key=Text(), value=Values(), where=Text())
    def fix(self, key: str, value: Any, where: str = "") -> None:
        """Give ``key`` one value in every run; an axis it had goes."""
        check_key(key, where)
        self._drop(key)
        self.fixed[key] = coerce(key, value)

    @door(key=Text(), axis=Values(), where=Text())
    def cross(self, key: str, axis: Any, where: str = "") -> None:
        """Vary ``key`` over ``axis``, crossed with everything else; the value or axis it had goes.

        An axis in place of a crossed one keeps its place in the order.
        """
        check_key(key, where)
        values = axis_values(key, axis)
        if key not in self.crossed:
            self._drop(key)
        self.crossed[key] = values

    @door(table=Table(), where=Text())
    def zip(self, table: Mapping[str, Any], where: str = "") -> None:
        """Vary the keys of ``table`` together: the i-th value of each makes the i-th variant."""
        for key in table:
            check_key(key, where)
        axes = {key: axis_values(key, axis, distinct=False) for key, axis in table.items()}
        lengths = {key: len(values) for key, values in axes.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            raise UsageError(f"the lists of one [[zip]] must be equally long; {shown}")
        for key in axes:
            self._drop(key)
        if axes:
            self.zipped.append(axes)

    @door(key=Text(), value=Values(), where=Text())
    def override(self, key: str, value: Any, where: str = "") -> None:
        """A list or range makes an axis, anything else a fixed value; P(0), …, P(n) as a list is
        one curve."""
        check_key(key, where)
        one_curve = key == "curve" and isinstance(value, list) and value[:1] == [0.5]
        if isinstance(value, (list, dict)) and not one_curve:
            self.cross(key, value, where)
        else:
            self.fix(key, value, where)

    @property
    def varied(self) -> tuple[str, ...]:
        """The keys with an axis, zipped first, in the order in which they vary (the last varies
        fastest)."""
        return varied_keys(self.crossed, self.zipped)

    def open_keys(self) -> set[str]:
        """The keys that others say, in each run its own: the depth where a width for each layer
        does."""
        if "network_depth" in (*self.fixed, *self.varied):
            return set()
        widths = [self.fixed.get("width"), *self.crossed.get("width", ())]
        widths += [width for table in self.zipped for width in table.get("width", ())]
        return {"network_depth"} if any(isinstance(width, str) for width in widths) else set()

    @property
    def size(self) -> int:
        """The number of runs."""
        lengths = [len(next(iter(table.values()))) for table in self.zipped]
        return math.prod(lengths) * math.prod(len(values) for values in self.crossed.values())

    def variants(self) -> Iterator[dict[str, Any]]:
        """The settings of every run (fixed and varied), in a fixed order. Raises UsageError if
        there are too many."""
        if self.size > MOST_RUNS:
            raise UsageError(
                f"the grid has {self.size} runs; accepted are at most {MOST_RUNS} in one experiment"
            )
        axes: list[list[dict[str, Any]]] = []
        for table in self.zipped:
            axes.append(
                [
                    dict(zip(table, values, strict=True))
                    for values in zip(*table.values(), strict=True)
                ]
            )
        for key, values in self.crossed.items():
            axes.append([{key: value} for value in values])
        for parts in itertools.product(*axes):
            settings = dict(self.fixed)
            for part in parts:
                settings.update(part)
            yield settings

    def _drop(self, key: str) -> None:
        self.fixed.pop(key, None)
        self.crossed.pop(key, None)
        for table in self.zipped:
            table.pop(key, None)
        self.zipped = [table for table in self.zipped if table]


def varied_keys(crossed: Mapping[str, Any], zipped: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The keys with an axis, in the order of ``Grid.varied``."""
    return (*(key for table in zipped for key in table), *crossed)


def _read(key: str, values: Sequence[Any]) -> tuple[Any, ...]:
    check_key(key)
    return tuple(coerce(key, value) for value in values)


def axis_values(key: str, axis: Any, distinct: bool = True) -> tuple[Any, ...]:
    """The values of an axis as the type of ``key``. Raises UsageError where it is empty, malformed
    or has one twice."""
    if isinstance(axis, Mapping):
        axis = _range_values(key, axis)
    if not isinstance(axis, Sequence) or isinstance(axis, (str, *BYTES)):
        raise UsageError(
            f"the axis of {label(key)} is {described(axis)}; accepted is a list or a range "
            f"{{start, stop, step}}"
        )
    if not axis:
        raise UsageError(
            f"the axis of {label(key)} is empty; accepted is a list of one or more values"
        )
    if len(axis) > MOST_RUNS:
        raise UsageError(
            f"the axis of {label(key)} has {len(axis):,} values; accepted are at most {MOST_RUNS:,}"
        )
    values = _read(key, axis)
    if distinct and len(set(values)) < len(values):
        seen = collections.Counter(values)
        twice = next(value for value in values if seen[value] > 1)
        raise UsageError(
            f"the axis of {label(key)} has {twice} twice; accepted are values that differ"
        )
    return values


def _range_values(key: str, spec: Mapping[str, Any]) -> list[int] | list[float]:
    """The values of a range. Those of a key of whole numbers never pass through float, which has
    but 53 bits of them."""
    for name in spec:
        if name not in _RANGE_KEYS:
            raise UsageError(
                f"unknown key '{name}' in the range of {label(key)}{nearest(name, _RANGE_KEYS)}"
            )
    if SETTINGS[key].kind is str:
        raise UsageError(f"{label(key)} has no numbers to make a range of; accepted is a list")
    start, stop = _number(key, spec, "start"), _number(key, spec, "stop")
    if "num" in spec:
        if "step" in spec:
            raise UsageError(
                f"the range of {label(key)} has both 'num' and 'step'; accepted is one of them"
            )
        log = spec.get("log", False)
        if not isinstance(log, bool):
            raise UsageError(
                f"'log' of the range of {label(key)} is {log}; accepted is true or false"
            )
        return _spaced(key, start, stop, _number(key, spec, "num"), log)
    if "log" in spec:
        raise UsageError(f"the range of {label(key)} has 'log' without 'num', the number of values")
    step = _number(key, spec, "step") if "step" in spec else 1.0
    if step <= 0 or stop < start:
        raise UsageError(
            f"the range of {label(key)} must rise: start <= stop and step > 0 are accepted"
        )
    last = (stop - start) / step * (1 + 1e-12)
    if not last < MOST_RUNS:
        raise UsageError(
            f"the range of {label(key)} has about {last:.6g} values; accepted are at most "
            f"{MOST_RUNS}"
        )
    if SETTINGS[key].kind is int and all(number == int(number) for number in (start, step)):
        return list(range(int(start), math.floor(stop) + 1, int(step)))
    return [_tidy(start + i * step) for i in range(math.floor(last) + 1)]


def _spaced(
    key: str, start: float, stop: float, given: float, log: bool
) -> list[int] | list[float]:
    num = int(given)
    if num != given or not 2 <= num <= MOST_RUNS:
        raise UsageError(
            f"'num' of the range of {label(key)} is {given:g}; accepted is a whole number from 2 "
            f"to {MOST_RUNS}"
        )
    if log and min(start, stop) <= 0:
        raise UsageError(f"the range of {label(key)} with log = true needs start and stop above 0")
    if SETTINGS[key].kind is int:
        return _spaced_whole(start, stop, num, log)
    shares = [i / (num - 1) for i in range(num)]
    if log:
        values = [start ** (1 - share) * stop**share for share in shares]
    else:
        values = [start + (stop - start) * share for share in shares]
    return [_tidy(value) for value in values]


def _spaced_whole(start: float, stop: float, num: int, log: bool) -> list[int]:
    """The nearest whole numbers, each once; evenly spaced ones and the ends are exact."""
    first, last = Fraction(start), Fraction(stop)
    values = [round(first + (last - first) * Fraction(i, num - 1)) for i in range(num)]
    if log:
        inner = [i / (num - 1) for i in range(1, num - 1)]
        values[1:-1] = [round(start ** (1 - share) * stop**share) for share in inner]
    return list(dict.fromkeys(values))


def _number(key: str, spec: Mapping[str, Any], name: str) -> float:
    if name not in spec:
        raise UsageError(
            f"the range of {label(key)} has no '{name}'; accepted is {{start, stop, step}} or "
            f"with num"
        )
    value = python_value(spec[name])
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not abs(value) <= MOST_NUMBER
    ):
        shown = f"{value!r}"[:60]
        raise UsageError(f"'{name}' of the range of {label(key)} is {shown}; accepted is a number")
    return value


def _tidy(value: float) -> float:
    """0.1 + 2 * 0.1 as a person writes it: 0.3, not 0.30000000000000004."""
    return float(f"{value:.12g}")


def apply_table(grid: Grid, table: Mapping[str, Any], where: str, others: Sequence[str]) -> None:
    """Put the keys, [grid] and [[zip]] of a TOML table into the grid; what they name replaces what
    was there.

    ``others`` are the keys that may stand beside settings.
    """
    if not isinstance(table, Mapping):
        raise UsageError(f"quick must be a table: {where}")
    for key, value in table.items():
        if key in others:
            continue
        if key not in SETTINGS:
            raise UsageError(f"unknown key '{key}' in {where}{nearest_key(key, SETTINGS, others)}")
        grid.fix(key, value, where)
    crossed, zipped = table.get("grid", {}), table.get("zip", [])
    if not isinstance(crossed, Mapping):
        raise UsageError(f"grid must be a table of lists and ranges in {where}, as in [grid]")
    if not isinstance(zipped, list) or not all(isinstance(part, Mapping) for part in zipped):
        raise UsageError(f"zip must be a table of lists in {where}, as in [[zip]]")
    for key, axis in crossed.items():
        grid.cross(key, axis, f"[grid] of {where}")
    for part in zipped:
        grid.zip(part, f"[[zip]] of {where}")
