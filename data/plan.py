"""What is known of a trajectory before its first record, from plain values to checked columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.data import schema


@dataclass(frozen=True)
class Plan:
    """Everything that is known before the first record: see `TrajectoryWriter.create`."""

    numbers: np.ndarray
    runs: Mapping[str, np.ndarray]
    steps: np.ndarray
    levels: int
    layers: int
    attributes: Mapping[str, str | int | float]
    weights: Mapping[str, schema.WeightsGroup]
    records: tuple[schema.Variable, ...]
    """What is recorded: as the targets of the runs have it, and levels or not."""
    targets: tuple[str, ...]
    version: int = schema.FORMAT_VERSION
    """Of the format, 1 or 2."""

    @property
    def run_count(self) -> int:
        return len(next(iter(self.runs.values())))

    @property
    def record_sizes(self) -> dict[str, int]:
        """How many values one record has of each variable, in the order in which checksums take
        them; 0 is a scalar."""
        axes = {"level": self.levels, "layer": self.layers}
        return {one.name: axes[one.dims[2]] if len(one.dims) == 3 else 0 for one in self.records}


def make_plan(
    runs: Mapping[str, Sequence[Any]],
    steps: Sequence[int] | np.ndarray,
    levels: int,
    layers: int,
    attributes: Mapping[str, str | int | float],
    weights: Mapping[str, schema.WeightsGroup] | None = None,
    numbers: Sequence[int] | None = None,
    targets: Sequence[str] = ("class",),
    version: int = schema.FORMAT_VERSION,
) -> Plan:
    """The plan of a file from plain values (see `TrajectoryWriter.create`). Raises ValueError."""
    columns = {name: column(name, values) for name, values in runs.items()}
    count = len(next(iter(columns.values()))) if columns else 0
    plan = Plan(
        numbers=np.arange(count) if numbers is None else np.asarray(numbers, dtype="<i8"),
        runs=columns,
        steps=np.asarray(steps, dtype="<i8"),
        levels=int(levels),
        layers=int(layers),
        attributes=dict(attributes),
        weights=dict(weights or {}),
        records=schema.records_of(targets, int(levels), version),
        targets=tuple(targets),
        version=version,
    )
    _check(plan)
    return plan


def column(name: str, values: Sequence[Any]) -> np.ndarray:
    """One `run` column as int64, uint64, float64 or text (object array of str); None is NaN or "".

    A part of a column stays as it is. Raises ValueError for anything else.
    """
    if isinstance(values, np.ndarray) and values.dtype.str in ("<i8", "<u8", "<f8", "|O"):
        return values
    items = list(values)
    if any(issubclass(kind, np.generic) for kind in set(map(type, items))):
        items = [v.item() if isinstance(v, np.generic) else v for v in items]
    kinds = set(map(type, items))  # few, where there may be thousands of values
    present = [v for v in items if v is not None] if type(None) in kinds else items
    if any(kind is bool or not issubclass(kind, str | int | float | None) for kind in kinds):
        raise ValueError(
            f"column '{name}': only text, int and float can be stored, not {present!r:.80}"
        )
    if name in schema.TEXT_COLUMNS or any(issubclass(kind, str) for kind in kinds):
        if not all(issubclass(kind, str | None) for kind in kinds):
            raise ValueError(f"column '{name}' must be text throughout: {present!r:.80}")
        return np.array(["" if v is None else v for v in items], dtype=object)
    if len(present) < len(items) or any(issubclass(kind, float) for kind in kinds):
        return np.array([np.nan if v is None else v for v in items], dtype="<f8")
    return np.array(
        items, dtype="<u8" if max(present, default=0) > np.iinfo(np.int64).max else "<i8"
    )


def attribute_error(attributes: Mapping[str, object]) -> str:
    """What is wrong with attributes that cannot be stored so that every reader gets them back; ""
    where nothing is."""
    for name, value in attributes.items():
        # xarray drops boolean attributes
        if isinstance(value, bool | np.bool_) or not isinstance(
            value, str | int | float | np.integer | np.floating
        ):
            return f"attribute '{name}' must be text, int or float, not {type(value).__name__}"
    return ""


def _check(plan: Plan) -> None:
    """ValueError for a plan that would make a file no reader accepts."""
    if (
        not plan.runs
        or plan.run_count == 0
        or len(plan.steps) == 0
        or min(plan.levels, plan.layers) < 1
    ):
        raise ValueError("a trajectory needs at least one run, one step, one level and one layer")
    if not plan.targets or not set(plan.targets) <= set(schema.TARGETS):
        raise ValueError(f"the targets of runs are among {', '.join(schema.TARGETS)}")
    if len({len(values) for values in plan.runs.values()}) != 1:
        raise ValueError("the columns of a trajectory must have one value per run")
    if plan.numbers.shape != (plan.run_count,) or np.any(np.diff(plan.numbers, prepend=-1) <= 0):
        raise ValueError(
            "the numbers of the runs must be one for each run, and increase from 0 or more"
        )
    if np.any(np.diff(plan.steps) <= 0):
        raise ValueError("the recorded steps must increase")
    if taken := schema.RESERVED.intersection(plan.runs):
        raise ValueError(f"a column cannot be called {', '.join(sorted(taken))}")
    if reserved := {"format", "format_version", "status"} & set(plan.attributes):
        raise ValueError(f"the writer itself sets {', '.join(sorted(reserved))}")
    if problem := attribute_error(plan.attributes):
        raise ValueError(problem)
    for name, group in plan.weights.items():
        shape = schema.weights_shape(name)
        if shape is None or schema.parameter_count(*shape) != group.parameters:
            raise ValueError(f"weights group '{name}' does not fit {group.parameters} parameters")
        if (
            not group.runs
            or not group.snapshots
            or not set(group.runs) <= set(range(plan.run_count))
        ):
            raise ValueError(f"weights group '{name}' needs snapshots and runs of this file")
        if np.dtype(group.dtype) not in (np.float32, np.float64):
            raise ValueError(f"weights are float32 or float64, not {group.dtype}")
