"""The runs of one or many trajectory files, ready to be chosen, grouped, tabulated and drawn."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.data.errors import FileError
from fracsim.errors import UsageError, nearest
from fracsim.networks.stored import open_trained
from fracsim.products.coverage import Gathering
from fracsim.products.dead import dead_words
from fracsim.products.entries import (
    Entry,
    entries_of,
    group,
    is_trained,
    values_text,
    varied,
    without_repeats,
)
from fracsim.products.selection import CHOSEN, OVER, Point, Selection, split_name
from fracsim.products.starts import derived_names
from fracsim.products.where import Conditions, accepted
from fracsim.values.arguments import Either, List, Place, Table, Text, door

_NAMES = List(Text(), least=0)


@dataclass(repr=False)
class Runs:
    """Runs of trajectory files, and what to tell about them.

    ``caveats`` belong to the figure and are written under it (a file is still running, …);
    ``notes`` are for the person who draws it (which learning rates were chosen, …)."""

    entries: list[Entry]
    caveats: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __repr__(self) -> str:
        keys = ", ".join(self.varied()) or "nothing"
        return f"<Runs: {len(self)} of {len(self._files())} files, varied: {keys}>"

    @property
    def settings(self) -> list[str]:
        """Names of the settings that some run has, sorted."""
        return sorted(set().union(*(entry.settings for entry in self.entries)))

    @property
    def variables(self) -> list[str]:
        """Names of the recorded variables that some run has, ``relative_error``, √(1 - R²), where
        labels are real, and what follows from a run as a whole (``start_step`` and so on)."""
        names = list(dict.fromkeys(name for file in self._files() for name in file.records))
        names += ["relative_error"] if "test_r2" in names else []
        return [*names, *dict.fromkeys(name for run in self for name in derived_names(run))]

    def varied(self, without: Iterable[str] = ()) -> list[str]:
        """The settings that differ between the runs, the most telling first, leaving out those in
        ``without``."""
        return varied(self.entries, without)

    @door(conditions=Table())
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
            known = self.settings
            if key not in known:
                raise UsageError(
                    f"--where {key}: no such setting{nearest(key, known)} (accepted: "
                    f"{', '.join(known)})"
                )
            there, wanted = kept, accepted(given, f"--where {key}")
            kept = [
                entry
                for entry in there
                if entry.settings.get(key) in wanted or entry.setting(key) in wanted
            ]
            if not kept:
                raise UsageError(
                    f"--where {key}={wanted}: no run has it; the files hold "
                    f"{values_text(there, key)}"
                )
        return self._of(kept)

    @door(keys=_NAMES)
    def group(self, keys: Sequence[str]) -> "dict[tuple[Any, ...], Runs]":
        """Values of the settings ``keys`` -> the runs that have them, in ascending order.

        Raises UsageError for an unknown setting."""
        self._check(keys, self.settings, "setting")
        found = group(self.entries, keys)
        return {at: self._of(runs) for at, runs in found.items()}

    @door(name=Text(), select=Text())
    def values(self, name: str, select: str = "best") -> NDArray[Any]:
        """A setting (R,), or a recorded variable at a record of each run: (R,), or (R, n + 1) by
        level and (R, T + 1) by layer, NaN where a run has fewer; ``name[j]`` is that of level j,
        from 0, or of layer j, from 1.

        ``select``: "best", the record with the best test accuracy (R² of real labels), "last", or
        "step:N"; NaN where a run has no such record; ``start_step`` and ``start_step_by_level`` are
        infinite where a run has not started by its last one. Raises UsageError for an unknown
        name."""
        selection = Selection(select)
        self._check([split_name(name)[0]], [*self.settings, *self.variables], "variable")
        found = [selection.value(entry, name) for entry in self.entries]
        sizes = [len(value) for value in found if isinstance(value, np.ndarray)]
        if not sizes:
            return np.array([np.nan if value is None else value for value in found])
        table = np.full((len(found), max(sizes)), np.nan)
        for row, value in zip(table, found, strict=True):
            row[: np.size(value)] = value
        return table

    @door(by=_NAMES, value=Text(), select=Text(), choose=_NAMES, over=_NAMES)
    def points(
        self,
        by: Sequence[str] = (),
        value: str | None = None,
        select: str = "best",
        choose: Sequence[str] = CHOSEN,
        over: Sequence[str] = OVER,
    ) -> list[Point]:
        """One number, with its span, for each combination of the settings ``by``, in ascending
        order: what tables print and figures draw.

        ``value``: a variable, ``name[j]`` of one by level or layer, or a setting; left out, it is
        the test accuracy or, of real labels, the relative error. ``select`` is that of ``values``.
        Of the settings in ``choose`` those are taken whose runs have the best accuracy by the mean
        over ``over``. ``selected`` says all this in words. Raises UsageError for an unknown name,
        or where another setting varies than these."""
        self._check(by, self.settings, "setting")
        if value is not None:
            self._check([split_name(value)[0]], [*self.settings, *self.variables], "variable")
        keys = [*by, "widths"] if "width" in by and "widths" in self.varied() else list(by)
        for runs in group(self.entries, keys).values():
            if rest := varied(runs, without=(*choose, *over)):
                found = "; ".join(values_text(runs, key) for key in rest)
                raise UsageError(
                    f"runs that differ in {', '.join(rest)} would be one point: give it to `by`, "
                    f"or choose some with `where` ({found})"
                )
        selection = Selection(select, tuple(choose), tuple(over))
        points = selection.points(self.entries, keys, value)
        return [self._as_set(point, by, keys) for point in points.values()]

    @door(value=Text(), select=Text(), choose=_NAMES, over=_NAMES)
    def selected(
        self,
        value: str | None = None,
        select: str = "best",
        choose: Sequence[str] = CHOSEN,
        over: Sequence[str] = OVER,
    ) -> str:
        """How ``points`` makes numbers of these runs, in words: "best over the recorded steps; best
        of 3 learning rates by the mean over seeds; mean of 3 seeds"."""
        return Selection(select, tuple(choose), tuple(over)).words(self.entries, value)

    def _as_set(self, point: Point, by: Sequence[str], keys: Sequence[str]) -> Point:
        """A point whose width is text where layers differ."""
        values = dict(zip(keys, point.at, strict=True))
        if values.get("widths", "equal") != "equal":
            values["width"] = values["widths"]
        return dataclasses.replace(point, at=tuple(values[key] for key in by))

    def _of(self, entries: list[Entry]) -> "Runs":
        """Some of these runs, with what is to be told of them."""
        said = dead_words(self.entries)
        others = [text for text in self.caveats if text != said]
        dead = dead_words(entries) if said in self.caveats else ""
        return Runs(entries, [*others, *([dead] if dead else [])], self.notes)

    def _files(self) -> list[Any]:
        return list({id(entry.trajectory): entry.trajectory for entry in self.entries}.values())

    @staticmethod
    def _check(names: Iterable[str], known: Sequence[str], what: str) -> None:
        for name in names:
            if name not in known:
                raise UsageError(
                    f"there is no {what} '{name}'{nearest(name, known)} (accepted: "
                    f"{', '.join(known)})"
                )


@door(paths=Either((Place(), List(Place())), "the name of a file, or a list of them"))
def load_runs(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Runs:
    """Open trajectory files (shards, seeds, other experiments) and list the runs that have records.

    Raises:
        FileError: a file that is missing, foreign, truncated or empty, or none that has a record.
    """
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    entries: list[Entry] = []
    caveats: list[str] = []
    gathering = Gathering()
    for path in paths:
        trajectory = open_trained(path)
        gathering.add(trajectory)
        if trajectory.note:
            caveats.append(f"{os.path.basename(trajectory.path)}: {trajectory.note}")
        entries += entries_of(trajectory)
    recorded = [entry for entry in entries if is_trained(entry)]
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
    if dead := dead_words(unique):
        caveats.append(dead)
    return Runs(unique, caveats)
