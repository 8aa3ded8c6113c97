"""One run of one trajectory file, and runs by their settings: what they share, what varies, and
which are alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.data.numbering import Row
from fracsim.data.reader import Trajectory
from fracsim.fractals.fractal import Fractal
from fracsim.networks.stored import stored_fractal
from fracsim.problems.registry import DESCRIBED

FIRST = (*DESCRIBED, "network_depth", "width", "widths", "learning_rate")
"""How settings are ordered in legends; the others follow in the order of the file."""


@dataclass(frozen=True)
class Entry:
    """One run of one file."""

    trajectory: Trajectory
    index: Row
    settings: Mapping[str, Any]

    def __repr__(self) -> str:
        number = self.trajectory.numbers[self.index]
        return f"<run {number} of {self.trajectory.path!r}, {records(self)} records>"

    def setting(self, key: str) -> Any:
        """The value of a setting as ``Run`` has it: the width of layers that differ is text, as in
        100-20-100. None where the key means nothing to the run."""
        widths = self.settings.get("widths", "equal")
        if key == "width" and widths != "equal":
            return widths
        return self.settings.get(key)

    def series(self, name: str) -> NDArray[np.float64]:
        """A recorded variable of this run, step axis first; NaN where nothing was recorded
        (yet)."""
        return np.asarray(self.trajectory.variable(name)[self.index])

    def fractal(self) -> Fractal:
        """The fractal as the file defines it, so that a user's own TOML is not needed again."""
        return stored_fractal(self.trajectory, self.settings["fractal"])

    def identity(self) -> str:
        """Equal for runs that are the same computation."""
        fractals = self.trajectory.experiment.get("fractals")
        definition = (
            fractals.get(self.settings.get("fractal")) if isinstance(fractals, dict) else None
        )
        return json.dumps([self.settings, definition], sort_keys=True, default=str)

    @property
    def steps(self) -> NDArray[np.int64]:
        """Recorded steps (S,)."""
        return self.trajectory.steps

    @property
    def real(self) -> bool:
        """Whether its labels are real numbers."""
        return self.trajectory.target(self.index) == "real"

    @property
    def quality(self) -> str:
        """What tells how good it is: "test_accuracy" or, of real labels, "relative_error", the root
        mean square error over the standard deviation of the labels, √(1 - R²)."""
        return "relative_error" if self.real else "test_accuracy"

    def best(self) -> float:
        """The best ``quality`` over the records, the greatest accuracy or the least error. NaN
        before the first record; one at step 0, before any training, does not count."""
        best = float(self.trajectory.best()[self.index])
        return relative_error(best) if self.real else best

    @property
    def dead_since(self) -> int | None:
        """The recorded step since which the network is dead (``Trajectory.dead_since``); None where
        it lives."""
        step = int(self.trajectory.dead_since()[self.index])
        return step if step >= 0 else None

    def last(self, name: str) -> NDArray[np.float64]:
        """The value of a variable at the last record of this run."""
        return np.asarray(self.series(name)[records(self) - 1])


def relative_error(r2: Any) -> Any:
    """√(1 - R²), of a number or an array of any shape; NaN where R² is."""
    error = np.sqrt(np.maximum(1 - np.asarray(r2, dtype=np.float64), 0))
    return error if error.ndim else float(error)


def entries_of(trajectory: Trajectory) -> list[Entry]:
    """All runs of a trajectory file, in its order, also those without a record."""
    return [
        Entry(trajectory, Row(row), settings)
        for row, settings in enumerate(settings_of(trajectory))
    ]


def settings_of(trajectory: Trajectory) -> list[dict[str, Any]]:
    """The settings of every run, by their TOML keys, as plain Python values; ``widths`` is "equal"
    unless layers differ in width, so that a run is the same in every file."""
    columns = {key: np.asarray(column) for key, column in trajectory.runs.items()}
    count = len(trajectory.records_done)
    found = [{key: plain(column[i]) for key, column in columns.items()} for i in range(count)]
    for settings in found:
        layers = str(settings.get("widths", "")).split("-")
        settings["widths"] = settings["widths"] if len({*layers}) > 1 else "equal"
    return found


def plain(value: Any) -> Any:
    """A NumPy scalar or bytes as the Python value it stands for; NaN, which stands for "not set",
    as None."""
    value = value.item() if isinstance(value, np.generic) else value
    value = value.decode() if isinstance(value, bytes) else value
    return None if isinstance(value, float) and np.isnan(value) else value


def without_repeats(entries: Iterable[Entry]) -> list[Entry]:
    """Equal settings are the same run (results are reproducible): keep the one with the most
    records."""
    kept: dict[str, Entry] = {}
    for entry in entries:
        key = entry.identity()
        if key not in kept or records(entry) > records(kept[key]):
            kept[key] = entry
    return list(kept.values())


def is_trained(entry: Entry) -> bool:
    """Whether a run has a record after step 0."""
    done = records(entry)
    return done > 0 and bool(entry.steps[done - 1] > 0)


def records(entry: Entry) -> int:
    """How many records a run has."""
    return int(entry.trajectory.records_done[entry.index])


def varied(entries: Iterable[Entry], without: Iterable[str] = ()) -> list[str]:
    """The settings that differ between the runs, the most telling first, leaving out those in
    ``without``."""
    seen: dict[str, set[str]] = {}
    for entry in entries:
        for key, value in entry.settings.items():
            seen.setdefault(key, set()).add(repr(value))
    keys = [key for key, values in seen.items() if len(values) > 1 and key not in without]
    return sorted(keys, key=lambda key: FIRST.index(key) if key in FIRST else len(FIRST))


def group(entries: Iterable[Entry], keys: Sequence[str]) -> dict[tuple[Any, ...], list[Entry]]:
    """The runs by their values of ``keys``, in ascending order."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(tuple(entry.settings.get(key) for key in keys), []).append(entry)
    return dict(sorted(groups.items(), key=lambda item: tuple(order(value) for value in item[0])))


def order(value: Any) -> tuple[int, float, str]:
    """Sorts numbers by size (also when they are text, as curve numbers are), then texts."""
    try:
        return (0, float(value), "")
    except (TypeError, ValueError):
        return (1, 0.0, str(value))


def distinct(entries: Iterable[Entry], key: str) -> list[Any]:
    """The values of a setting that occur, in ascending order."""
    return [values[0] for values in group(entries, [key])]


def values_text(entries: Iterable[Entry], key: str) -> str:
    """The values of a setting that occur, for a message."""
    return f"{key} = " + ", ".join(f"{value}" for value in distinct(entries, key))
