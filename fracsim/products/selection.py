"""The one rule by which tables and figures make a point of many runs: which record stands for a
run, which learning rate for its seeds, and how that is said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.data import schema
from fracsim.errors import UsageError, nearest
from fracsim.kernels.norms import deviation
from fracsim.products.dead import living
from fracsim.products.entries import Entry, distinct, group, records, relative_error
from fracsim.products.starts import DERIVED

RECORDS = "best, last, or step:N"

CHOSEN = ("learning_rate",)
OVER = ("seed",)

_BY_LAYER = {one.name for one in schema.EVERY_RECORD if "layer" in one.dims}

WORDS = {"test_accuracy": "test accuracy", "relative_error": "relative error"}


@dataclass(frozen=True)
class Point:
    """Some runs as one number."""

    at: tuple[Any, ...]
    """The values of the settings it stands at."""
    chosen: tuple[Any, ...]
    """Those of the settings that were chosen."""
    values: tuple[float, ...]
    """One for each run (seed) that has one."""
    missing: int = 0
    """Runs without a value, as those that diverged before their first record."""
    dead: int = 0
    """Runs whose network is dead (``Trajectory.dead_since``); their values count."""

    @property
    def mean(self) -> float:
        """Over the runs; NaN of none."""
        return float(np.mean(self.values)) if self.values else float("nan")

    @property
    def least(self) -> float:
        """Of the runs; NaN of none."""
        return min(self.values, default=float("nan"))

    @property
    def greatest(self) -> float:
        """Of the runs; NaN of none."""
        return max(self.values, default=float("nan"))

    @property
    def deviation(self) -> float:
        """The standard deviation over the runs, with n - 1; NaN of fewer than two."""
        return float(deviation(self.values, ddof=1)) if len(self.values) > 1 else float("nan")

    @property
    def seeds(self) -> int:
        """Runs that have a value."""
        return len(self.values)


@dataclass(frozen=True)
class Selection:
    """Which record stands for a run, and which runs make a point.

    ``record``: "best", the one with the best test accuracy (of real labels the least relative
    error) after step 0; "last"; or "step:N". ``choose``: settings of which, at each point, the
    value is taken whose runs have the best accuracy there, by the mean over seeds. ``over``: what
    the mean is taken over. Raises UsageError for another ``record``."""

    record: str = "best"
    choose: tuple[str, ...] = CHOSEN
    over: tuple[str, ...] = OVER

    def __post_init__(self) -> None:
        if self.record not in ("best", "last") and self.step is None:
            raise UsageError(
                f"--select is '{self.record}'{nearest(self.record, ('best', 'last'))} "
                f"(accepted: {RECORDS})"
            )

    @cached_property
    def step(self) -> int | None:
        """N of "step:N"."""
        found = re.fullmatch(r"step:(\d[\d_,]*(?:e\d{1,2})?)", self.record, re.ASCII)
        if found is None:
            return None
        mantissa, _, exponent = re.sub("[_,]", "", found[1]).partition("e")
        return int(mantissa + "0" * int(exponent or 0))

    def place(self, entry: Entry) -> int | None:
        """Where along its steps a run's record is; None where it has none."""
        if self.record == "best":
            best = int(entry.trajectory.best_records()[entry.index])
            return best if best >= 0 else None
        if self.record == "last":
            return records(entry) - 1 if records(entry) else None
        there = np.flatnonzero(entry.steps[: records(entry)] == self.step)
        return int(there[0]) if len(there) else None

    def value(self, entry: Entry, name: str) -> Any:
        """A setting of a run, or a variable at its record: a number, an array (n + 1,) or
        (T + 1,), NaN where it has no such record or no such variable.

        ``relative_error`` is one of real labels, and ``name[j]`` the value of level or layer j of
        a variable that has one for each, -1 the last. What follows from the run as a whole
        (``starts.DERIVED``) does not depend on the record.
        """
        if name in entry.settings:
            return entry.setting(name)
        base, at = split_name(name)
        if base in DERIVED:
            return _of_run(entry, base, at)
        stored = "test_r2" if base == "relative_error" else base
        if stored not in entry.trajectory.records:
            return float("nan")
        values, place = entry.trajectory.variable(stored)[entry.index], self.place(entry)
        found = np.full(values.shape[1:], np.nan) if place is None else values[place]
        if base == "relative_error":
            found = relative_error(found)
        if at is not None:
            found = _component(entry, np.asarray(found), name, at)
        return found if np.ndim(found) else float(found)

    def point(
        self, entries: Iterable[Entry], name: str | None = None, at: tuple[Any, ...] = ()
    ) -> Point:
        """Runs as one number: of the values of ``choose``, those whose runs have the best mean
        accuracy (or relative error) at their records; of these runs the values of ``name``, a
        variable or a setting (None: that accuracy or error)."""
        entries = list(entries)
        keys = [key for key in self.choose if len(distinct(entries, key)) > 1]
        found = group(entries, keys)
        sign = -1 if entries[0].real else 1
        means = {
            chosen: _mean([self.value(run, run.quality) for run in runs])
            for chosen, runs in found.items()
        }
        best = max(means, key=lambda chosen: _rank(sign * means[chosen]))
        values = [self._number(run, name or run.quality) for run in found[best]]
        finite = tuple(value for value in values if value == value)
        chosen = tuple(found[best][0].settings.get(key) for key in self.choose)
        alive, count = living(found[best])
        return Point(at, chosen, finite, len(values) - len(finite), count - alive)

    def points(
        self, entries: Iterable[Entry], by: Sequence[str], name: str | None = None
    ) -> dict[tuple[Any, ...], Point]:
        """Values of the settings ``by`` -> the runs there as one number, in ascending order."""
        return {at: self.point(runs, name, at) for at, runs in group(entries, by).items()}

    def words(self, entries: Iterable[Entry], name: str | None = None) -> str:
        """How runs became points, for the foot of a figure or the head of a table: "best over the
        recorded steps; best of 3 learning rates by the mean over seeds; mean of 3 seeds"."""
        entries = list(entries)
        said = [self._record_words(entries, name)]
        chosen = [key for key in self.choose if len(distinct(entries, key)) > 1]
        counts = self._counts(entries)
        several = counts[-1] > 1
        by = f" by the mean over {' and '.join(map(plural, self.over))}" if several else ""
        if chosen:
            each = (f"{len(distinct(entries, key))} {plural(key)}" for key in chosen)
            said.append(f"best of {' and '.join(each)}{by}")
        if several:
            number = " to ".join(map(str, sorted({counts[0], counts[-1]})))
            said.append(f"mean of {number} {' and '.join(map(plural, self.over))}")
        elif self.over:
            said.append(f"one {self.over[0].replace('_', ' ')}")
        alive, count = living(entries)
        if alive < count:
            said.append(f"{alive} of {count} runs live")
        return "; ".join(said)

    def _counts(self, entries: Sequence[Entry]) -> list[int]:
        """How many runs make a point, ascending."""
        keys = sorted({key for entry in entries for key in entry.settings} - {*self.over})
        return sorted({len(runs) for runs in group(entries, keys).values()}) or [0]

    def _record_words(self, entries: Sequence[Entry], name: str | None) -> str:
        qualities = dict.fromkeys(entry.quality for entry in entries)
        if name is not None and (base := split_name(name)[0]) in DERIVED:
            return DERIVED[base].words
        if self.record == "best":
            if name is None or name in qualities:
                return "best over the recorded steps"
            return f"at the record with the best {' or '.join(WORDS[one] for one in qualities)}"
        if self.step is not None:
            return f"at step {self.step:,}"
        ends = sorted({int(entry.steps[records(entry) - 1]) for entry in entries if records(entry)})
        if not ends:
            return "at the last record"
        steps = f"step {ends[0]:,}" if len(ends) == 1 else f"steps {ends[0]:,} to {ends[-1]:,}"
        return f"at the last record ({steps})"

    def _number(self, entry: Entry, name: str) -> float:
        value = self.value(entry, name)
        if np.ndim(value):
            raise UsageError(
                f"{name} has {len(value)} values for each run; accepted is one of them, as in "
                f"{name}[0], or {name}[-1] for the last"
            )
        try:
            return float("nan") if value is None else float(value)
        except ValueError:
            raise UsageError(f"{name} is '{value}', which is no number") from None


BEST = Selection()
"""The paper's: the best record, at the best learning rate, over seeds."""


def best_choice(entries: Iterable[Entry], keys: Sequence[str]) -> Point:
    """Of the values of ``keys``, those whose runs (one per seed) have the highest mean best test
    accuracy, or the least mean relative error."""
    return Selection(choose=tuple(keys)).point(entries)


def split_name(name: str) -> tuple[str, int | None]:
    """``gradient_norm[-1]`` as ("gradient_norm", -1); a name without an index as (name, None)."""
    found = re.fullmatch(r"(\w+)\[(-?\d{1,9})\]", name, re.ASCII)
    return (found[1], int(found[2])) if found else (name, None)


def first_number(name: str) -> int:
    """The number of a variable's first value: 1 where it has one for each layer, 0 otherwise."""
    return schema.FIRST_NUMBER["layer"] if name in _BY_LAYER else 0


def place_of(name: str, number: int, count: int) -> int | None:
    """Where the value of level or layer ``number`` is among the first ``count`` of a variable, -1
    the last; None where it is not."""
    place = number + count if number < 0 else number - first_number(name)
    return place if 0 <= place < count else None


def plural(key: str) -> str:
    """``learning rates``: a setting's name in a count."""
    return f"{key.replace('_', ' ')}s"


def _component(entry: Entry, values: NDArray[np.float64], name: str, at: int) -> Any:
    """One of the values by level or layer; NaN where this run has fewer."""
    if not values.ndim:
        base = split_name(name)[0]
        raise UsageError(f"{name}: {base} is one number for each record; accepted is {base}")
    base = split_name(name)[0]
    there = np.flatnonzero(np.isfinite(entry.series(base)).any(axis=0))
    place = place_of(base, at, int(there[-1]) + 1 if len(there) else 0)
    return np.nan if place is None else values[place]


def _of_run(entry: Entry, base: str, at: int | None) -> Any:
    """What follows from a whole run, or one of its values by level."""
    one = DERIVED[base]
    if one.needs and one.needs not in entry.trajectory.records:
        return float("nan")
    values = one.function(entry)
    if at is None:
        return values
    if not one.dims:
        raise UsageError(f"{base}[{at}]: {base} is one number for each run; accepted is {base}")
    there = np.flatnonzero(~np.isnan(values))
    place = place_of(base, at, int(there[-1]) + 1 if len(there) else 0)
    return np.nan if place is None else values[place]


def _mean(values: Sequence[float]) -> float:
    there = [value for value in values if value == value]
    return float(np.mean(there)) if there else float("nan")


def _rank(mean: float) -> float:
    return mean if mean == mean else -np.inf
