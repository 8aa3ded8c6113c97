"""Numbers of any files as a long table: for each observation the values of what is on the axes,
in colours and in panels. What ``xy`` draws."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fracsim.data import schema
from fracsim.data.studies import StudyContents
from fracsim.errors import UsageError, nearest
from fracsim.products.entries import Entry, records, relative_error
from fracsim.products.selection import Selection, place_of, split_name
from fracsim.products.starts import DERIVED, derived_names
from fracsim.products.where import Conditions, accepted
from fracsim.training.run import SETTINGS
from fracsim.values.settings import key_of

Values = tuple[tuple[str, ...], NDArray[Any]]
"""Names of dimensions, and an array along them."""

REPLICATES = ("draw", "run", "network", "sample", "point")
"""Dimensions whose entries are alike but for chance, as seeds are: means are taken over them."""

INDICES = ("level", "layer")
"""Dimensions of which a run may have less than its file: a shallow network has fewer layers, a
readout no units, a fine curve no coarse negatives."""

_DIMS = {one.name: one.dims[1:] for one in schema.EVERY_RECORD}
"""Recorded variable -> its dimensions without run."""


class Unit(Protocol):
    """A run, or the file of a study: values by name."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those it was made with."""

    def names(self) -> list[str]:
        """What it has values of."""

    def values(self, name: str) -> Values | None:
        """The values of a variable, a coordinate or a setting; None where it has none."""

    def whole(self, name: str) -> Values | None:
        """As ``values``, at all records."""


@dataclass(frozen=True)
class RunUnit:
    """One run: at all its records where ``selection`` is None, else at the selected one."""

    entry: Entry
    selection: Selection | None

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of the run, the width as ``Run`` has it."""
        found = {key: self.entry.setting(key) for key in self.entry.settings}
        return {key: value for key, value in found.items() if key != "widths"}

    def names(self) -> list[str]:
        """Recorded variables, coordinates, settings."""
        recorded = list(self.entry.trajectory.records)
        if "test_r2" in recorded:
            recorded.append("relative_error")
        recorded += derived_names(self.entry)
        return [*recorded, "step", "level", "layer", *self.settings]

    def values(self, name: str) -> Values | None:
        """As ``Unit`` says; ``name[j]`` is the value of level or layer j."""
        if name in self.settings:
            return (), np.array(self.settings[name], dtype=object)
        if name == "step":
            return self._at_records(("step",), self.entry.steps)
        base, at = split_name(name)
        if base in derived_names(self.entry):
            dims = DERIVED[base].dims if at is None else ()
            return dims, np.array(Selection().value(self.entry, name))
        stored = "test_r2" if base == "relative_error" else base
        if name in ("level", "layer"):
            sizes = [
                self.entry.series(one).shape[1]
                for one, dims in _DIMS.items()
                if name in dims and one in self.entry.trajectory.records
            ]
            return ((name,), np.array(schema.numbers(name, sizes[0]))) if sizes else None
        if stored not in self.entry.trajectory.records:
            return None
        series = self.entry.series(stored)
        series = relative_error(series) if base == "relative_error" else series
        dims = _DIMS[stored]
        if at is not None:
            place = place_of(base, at, series.shape[1]) if len(dims) > 1 else None
            if place is None:
                return None
            series, dims = series[:, place], dims[:1]
        return self._at_records(dims, series)

    def whole(self, name: str) -> Values | None:
        """As ``Unit`` says."""
        return RunUnit(self.entry, None).values(name)

    def _at_records(self, dims: tuple[str, ...], series: NDArray[Any]) -> Values:
        if self.selection is None:
            return dims, series[: records(self.entry)]
        place = self.selection.place(self.entry)
        if place is None:
            return dims[1:], np.full(series.shape[1:], np.nan)
        return dims[1:], series[place]


@dataclass(frozen=True)
class StudyUnit:
    """The file of a study; ``dims``: variable -> its dimensions."""

    study: StudyContents
    dims: Mapping[str, tuple[str, ...]]

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those it was made with."""
        try:
            found = json.loads(str(self.study.attributes.get("settings", "{}")))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def names(self) -> list[str]:
        """Variables, settings and what else the file says."""
        said = [key for key in self.study.attributes if key not in ("settings", "notes")]
        return list(dict.fromkeys([*self.study.arrays, *self.settings, *said]))

    def values(self, name: str) -> Values | None:
        """As ``Unit`` says; a dimension without coordinates counts from 0."""
        if name in self.study.arrays:
            return self.dims[name], self.study.arrays[name]
        for other, dims in self.dims.items():
            if name in dims and other in self.study.arrays:
                length = self.study.arrays[other].shape[dims.index(name)]
                return (name,), np.arange(length)
        for facts in (self.settings, self.study.attributes):
            if name in facts:
                value = facts[name]
                shown = ",".join(map(str, value)) if isinstance(value, list) else value
                return (), np.array(shown, dtype=object)
        return None

    def whole(self, name: str) -> Values | None:
        """As ``Unit`` says."""
        return self.values(name)


@dataclass
class Observations:
    """One observation per row: role -> values, and the numbers."""

    columns: dict[str, list[Any]] = field(default_factory=dict)
    numbers: list[float] = field(default_factory=list)


def meant(name: str) -> str:
    """The key that a name of an option means: "depth" is network_depth."""
    return name if split_name(name)[1] is not None else key_of(name, SETTINGS)


def check_name(units: Sequence[Unit], option: str, name: str) -> None:
    """UsageError, naming the nearest, where no unit has values of a name."""
    if any(unit.values(name) is not None for unit in units):
        return
    known = list(dict.fromkeys(one for unit in units for one in unit.names()))
    raise UsageError(
        f"{option} {name}: there is no such variable or setting{nearest(name, known)} (accepted: "
        f"{', '.join(known)})"
    )


def free_dimensions(units: Sequence[Unit], number: str, named: Iterable[str]) -> list[str]:
    """Dimensions of the numbers along which none of the ``named`` lies, without replicates."""
    taken = {dim for unit in units for name in named for dim in (unit.values(name) or ((),))[0]}
    found = [dim for unit in units for dim in (unit.values(number) or ((),))[0]]
    return [dim for dim in dict.fromkeys(found) if dim not in taken and dim not in REPLICATES]


def observe(
    units: Sequence[Unit], number: str, roles: Mapping[str, str], conditions: Conditions
) -> Observations:
    """The long table of ``number`` by ``roles`` (role -> name), of what meets the conditions.

    Raises UsageError where a role's values lie along a dimension that the numbers have not, or
    where the numbers are none."""
    table = Observations({role: [] for role in roles})
    wanted = {key: accepted(given, f"--where {key}") for key, given in conditions.items()}
    for unit in units:
        found = unit.values(number)
        if found is None:
            continue
        dims, array = found
        kept = np.broadcast_to(_there(unit, number, dims), array.shape).copy()
        for key, allowed in wanted.items():
            values = _along(unit, key, f"--where {key}", number, dims, array.shape)
            kept &= np.array([_plain(v) in allowed for v in values.ravel()]).reshape(array.shape)
        for role, name in roles.items():
            values = _along(unit, name, f"--{role} {name}", number, dims, array.shape)
            table.columns[role] += [_plain(value) for value in values[kept]]
        table.numbers += [_number(value, number) for value in array[kept]]
    return table


def _there(unit: Unit, number: str, dims: tuple[str, ...]) -> NDArray[np.bool_]:
    """Along ``dims``: which layers and levels the numbers of a unit have at all, at any record."""
    found = unit.whole(number)
    there = np.ones((1,) * len(dims), dtype=bool)
    for dim in INDICES:
        if found is None or dim not in dims or found[1].dtype.kind != "f" or not found[1].size:
            continue
        own, array = found
        others = tuple(axis for axis, one in enumerate(own) if one != dim)
        shape = [-1 if one == dim else 1 for one in dims]
        there = there & ~np.isnan(array).all(axis=others).reshape(shape)
    return there


def _along(
    unit: Unit,
    name: str,
    option: str,
    number: str,
    dims: tuple[str, ...],
    shape: tuple[int, ...],
) -> NDArray[Any]:
    """The values of a name, repeated along the dimensions of the numbers."""
    found = unit.values(name)
    if found is None:
        return np.full(shape, None, dtype=object)
    own, array = found
    foreign = [dim for dim in own if dim not in dims]
    if foreign:
        along = f"lies along {', '.join(dims)}" if dims else "is one number"
        raise UsageError(
            f"{option} lies along {', '.join(foreign)}, and {number} {along}: they do not fit "
            f"each other"
        )
    order = [own.index(dim) for dim in dims if dim in own]
    moved = np.transpose(array, order) if order else array
    sizes = [array.shape[own.index(dim)] if dim in own else 1 for dim in dims]
    return np.broadcast_to(moved.reshape(sizes), shape)


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(value: Any, name: str) -> float:
    try:
        return float("nan") if value is None else float(value)
    except (TypeError, ValueError):
        raise UsageError(f"--y {name} is '{value}', which is no number") from None
