"""The runs of one or many trajectory files, ready to be grouped and drawn."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.data.errors import FileError
from fracsim.data.numbering import Row
from fracsim.data.reader import Trajectory
from fracsim.errors import UsageError, nearest
from fracsim.fractals.fractal import Fractal
from fracsim.networks.stored import open_trained, stored_fractal
from fracsim.problems.fractal import FractalProblem
from fracsim.problems.registry import DESCRIBED, PROBLEMS
from fracsim.products.coverage import Gathering
from fracsim.products.where import Conditions, accepted

FIRST = (*DESCRIBED, "network_depth", "width", "widths", "learning_rate")
"""How settings are ordered in legends; the others follow in the order of the file."""


@dataclass(frozen=True)
class Entry:
    """One run of one file."""

    trajectory: Trajectory
    index: Row
    settings: Mapping[str, Any]

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

    def best(self) -> float:
        """The best test accuracy over the records; of real labels the least relative error, the
        root mean square error over the standard deviation of the labels: √(1 - R²). NaN before the
        first record."""
        values = self.series(self.trajectory.score(self.index))
        if not np.isfinite(values).any():
            return float("nan")
        best = float(np.nanmax(values))
        return max(1 - best, 0.0) ** 0.5 if self.real else best

    def last(self, name: str) -> NDArray[np.float64]:
        """The value of a variable at the last record of this run."""
        return np.asarray(self.series(name)[records(self) - 1])


@dataclass
class Runs:
    """Runs that were recorded, and what to tell about them.

    ``caveats`` belong to the figure and are written under it (a file is still running, …);
    ``notes`` are for the person who draws it (which learning rates were chosen, …)."""

    entries: list[Entry]
    caveats: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def where(self, conditions: Conditions) -> "Runs":
        """The runs whose settings have the given values.

        Args:
            conditions: key -> what is accepted: a value, several, or text in the grammar of
                ``--where``: "10,20", "10:200".

        Raises:
            UsageError: unknown setting, or no run has these values.
        """
        kept = self.entries
        for key, given in conditions.items():
            known = sorted(set().union(*(entry.settings for entry in self.entries)))
            if key not in known:
                raise UsageError(
                    f"--where {key}: no such setting{nearest(key, known)} (accepted: "
                    f"{', '.join(known)})"
                )
            there, wanted = kept, accepted(given, f"--where {key}")
            kept = [entry for entry in there if entry.settings.get(key) in wanted]
            if not kept:
                raise UsageError(
                    f"--where {key}={wanted}: no run has it; the files hold "
                    f"{values_text(there, key)}"
                )
        return Runs(kept, self.caveats, self.notes)


def load_runs(paths: Sequence[str | os.PathLike[str]]) -> Runs:
    """Open trajectory files (shards, seeds, other experiments) and list the runs that have records.

    Raises:
        FileError: a file that is missing, foreign, truncated or empty, or none that has a record.
    """
    entries: list[Entry] = []
    caveats: list[str] = []
    gathering = Gathering()
    for path in paths:
        trajectory = open_trained(path)
        gathering.add(trajectory)
        if trajectory.note:
            caveats.append(f"{os.path.basename(trajectory.path)}: {trajectory.note}")
        entries += [
            Entry(trajectory, Row(i), settings)
            for i, settings in enumerate(settings_of(trajectory))
        ]
    recorded = [entry for entry in entries if records(entry)]
    if not recorded:
        raise FileError(
            f"{', '.join(map(str, paths))}: no run has a record yet, so there is nothing to draw"
        )
    if len(recorded) < len(entries):
        caveats.append(
            f"{len(entries) - len(recorded)} of {len(entries)} runs have no record and are left out"
        )
    unique = without_repeats(recorded)
    if len(unique) < len(recorded):
        caveats.append(
            f"{len(recorded) - len(unique)} runs are in more than one file and are counted once"
        )
    for coverage in gathering.coverages():
        if missing := len(coverage.numbers("missing")):
            whole = f"{len(coverage.experiment.runs)} runs of '{coverage.experiment.name}'"
            caveats.append(f"{missing} of the {whole} are in none of the files")
    return Runs(unique, caveats)


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


@dataclass(frozen=True)
class Best:
    """The best choice of what is not on the axes, by the mean over seeds."""

    chosen: tuple[Any, ...]
    mean: float
    least: float
    greatest: float
    seeds: int


def best_choice(entries: Iterable[Entry], keys: Sequence[str]) -> Best:
    """Of the values of ``keys``, those whose runs (one per seed) have the highest mean best test
    accuracy, or the least mean relative error."""
    entries = list(entries)
    candidates = []
    for chosen, runs in group(entries, keys).items():
        accuracy = [run.best() for run in runs]
        candidates.append(
            Best(chosen, float(np.mean(accuracy)), min(accuracy), max(accuracy), len(accuracy))
        )
    choose = min if entries[0].real else max
    return choose(candidates, key=lambda best: best.mean)


def real_labels(runs: Runs) -> bool:
    """Whether the labels of all runs are real numbers.

    Raises:
        UsageError: some are and some are not, which no axis can show.
    """
    kinds = {entry.real for entry in runs.entries}
    if len(kinds) > 1:
        text = values_text(runs.entries, "problem")
        raise UsageError(
            f"some runs tell classes apart and some approximate real numbers, which one figure "
            f"cannot show; choose some with --where ({text})"
        )
    return kinds.pop()


def panels(runs: Runs, inside: Sequence[str], most: int = 6) -> dict[tuple[Any, ...], list[Entry]]:
    """The runs by every setting that varies and is not drawn inside a panel.

    Raises:
        UsageError: more panels than a figure can hold.
    """
    keys = varied(runs.entries, without=inside)
    parts = group(runs.entries, keys)
    if len(parts) > most:
        text = "; ".join(values_text(runs.entries, key) for key in keys)
        raise UsageError(
            f"the files hold {len(parts)} combinations of {', '.join(keys)}, at most {most} fit "
            f"in a figure; "
            f"choose some with --where ({text})"
        )
    return parts


def describe(settings: Mapping[str, Any], without: Sequence[str] = ()) -> str:
    """What a run learns, in a title: a fractal with its depth and, unless left out, its curve."""
    kind = PROBLEMS.get(str(settings.get("problem", "fractal")), FractalProblem)
    return kind.describe({key: value for key, value in settings.items() if key not in without})


def heading(runs: Runs, inside: Sequence[str], entries: Sequence[Entry]) -> str:
    """What a panel of :func:`panels` shows: its distribution, then the other settings that set it
    apart."""
    keys = varied(runs.entries, without=(*inside, *DESCRIBED))
    # Each fractal has its own default gap: that a gap goes with a fractal needs no words.
    if "gap" in keys and all(
        len(distinct(part, "gap")) == 1 for part in group(runs.entries, ["fractal"]).values()
    ):
        keys.remove("gap")
    text = describe(entries[0].settings, without=inside)
    return text + (
        "\n" + name_values(keys, [entries[0].settings.get(key) for key in keys]) if keys else ""
    )


def name_values(keys: Sequence[str], values: Sequence[Any]) -> str:
    """``depth 5, width 100, learning rate 0.1``: settings of a run, for a legend or a title. A
    width for each layer stands in place of the widest one's."""
    shown = dict(zip(keys, values, strict=True))
    if "width" in shown and "widths" in shown:
        widths = shown.pop("widths")
        shown["width"] = shown["width"] if widths == "equal" else widths
    return ", ".join(
        f"{WORDS.get(key, key.replace('_', ' '))} "
        f"{f'{value:g}' if isinstance(value, float) else value}"
        for key, value in shown.items()
    )


WORDS = {"network_depth": "depth"}
