"""One finished trajectory from several: every row is copied from a file that holds its run, a block
at a time."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from fracsim.data import layout, schema
from fracsim.data.errors import FileError
from fracsim.data.plan import Plan
from fracsim.data.untrusted import Inspector, opened

_BLOCK_BYTES = 1 << 24


class Source(NamedTuple):
    """A finished trajectory: its name, the numbers of its runs, the version of its format, and the
    file as it was when it was checked."""

    path: str
    numbers: np.ndarray
    version: int
    stamp: tuple[int, ...]


def make_source(path: str, numbers: np.ndarray, version: int) -> Source:
    """A source whose file must not change from now on. Raises FileError."""
    return Source(path, numbers, version, _stamp(path))


def write_merged(
    path: str | os.PathLike[str], plan: Plan, sources: Sequence[Source], owners: np.ndarray
) -> None:
    """Write the complete file of `plan`, run by run from the source whose index is in owners (R,).

    Raises FileError, where a source is not as its runs' plan says or has changed, too.
    """

    def rows(name: str, first: int, end: int) -> np.ndarray:
        members = _members(plan, name)[first:end]
        numbers, whose = plan.numbers[members], owners[members]
        result: np.ndarray | None = None
        for index in np.unique(whose):
            here = whose == index
            values = read_rows(sources[index], plan, name, numbers[here])
            if result is None:
                result = np.empty((len(numbers), *values.shape[1:]), values.dtype)
            result[here] = values
        assert result is not None, "a block has rows"
        return result

    layout.write_finished(path, plan, rows)


def first_difference(
    one: Source, other: Source, plan: Plan, shared: np.ndarray
) -> tuple[int, str] | None:
    """(number of the run, variable) in which two sources differ among the runs that both hold; None
    where nowhere.

    shared: their numbers, ascending. Times are not compared.
    """
    names = [v.name for v in (*schema.PROGRESS, *plan.records) if v.name != "wall_time"]
    weights = [f"weights/{group}/{v.name}" for group in plan.weights for v in schema.WEIGHTS]
    for name in [f"/{name}" for name in (*names, *weights)]:
        numbers = np.intersect1d(shared, plan.numbers[_members(plan, name)])
        step = max(1, _BLOCK_BYTES // _row_bytes(plan, name))
        for first in range(0, len(numbers), step):
            block = numbers[first : first + step]
            here, there = (read_rows(source, plan, name, block) for source in (one, other))
            same = (here == there) | ((here != here) & (there != there))
            if not same.all():
                return int(
                    block[np.flatnonzero(~same.reshape(len(block), -1).all(axis=1))[0]]
                ), name.lstrip("/")
    return None


def read_rows(source: Source, plan: Plan, name: str, numbers: np.ndarray) -> np.ndarray:
    """The rows of the dataset `name` that belong to these runs of a source, ascending; without the
    record at step 0 where the plan, of version 1, has none."""
    *groups, variable = name.strip("/").split("/")
    with _unchanged(source) as inspector:
        node = inspector.file.root
        for group in groups:
            node = inspector.group(node, group)
        there = source.numbers
        if groups:
            there = inspector.numbers(node, "run", (None,), schema.DIMENSIONS["run"].dtype)
        lead = _lead(inspector, node, plan, "snapshot" if groups else "step")
        shape, dtype = _tail(plan, name, lead)
        rows = np.searchsorted(there, numbers)
        if rows.max() >= len(there) or (there[rows] != numbers).any():
            raise inspector.bad(
                f"'{name}' lacks the run {numbers[np.flatnonzero(~np.isin(numbers, there))[0]]}"
            )
        dataset: Any = inspector.dataset(node, variable, (len(there), *shape))
        if dataset.dtype != dtype:
            raise inspector.bad(f"'{name}' has type {dataset.dtype} instead of {dtype}")
        values: np.ndarray = dataset[rows[0] : rows[-1] + 1][rows - rows[0]]
    if lead and values.ndim > 1:
        return values[:, lead:]
    counts = lead and variable != "run_status"
    return np.maximum(values - lead, 0).astype(dtype) if counts else values


def _lead(inspector: Inspector, node: Any, plan: Plan, axis: str) -> int:
    """How many of a source's records, or snapshots, come before the first one of the plan: 1 at
    step 0, where the plan has none; the counters count it, too."""
    steps = inspector.numbers(node, axis, (None,), schema.DIMENSIONS[axis].dtype)
    return int(len(steps) > 0 and steps[0] == 0 and plan.steps[0] > 0)


def _members(plan: Plan, name: str) -> np.ndarray:
    """Rows of the plan that the dataset `name` has a row for."""
    parts = name.strip("/").split("/")
    return np.array(plan.weights[parts[1]].runs) if len(parts) > 1 else np.arange(plan.run_count)


def _tail(plan: Plan, name: str, lead: int = 0) -> tuple[tuple[int, ...], np.dtype]:
    """Shape of one row of the dataset `name`, with `lead` records more, and its type."""
    parts = name.strip("/").split("/")
    sizes = {"step": len(plan.steps) + lead, "level": plan.levels, "layer": plan.layers}
    variables = {
        variable.name: variable for variable in (*schema.PROGRESS, *plan.records, *schema.WEIGHTS)
    }
    variable = variables[parts[-1]]
    dtype = np.dtype(variable.dtype)
    if len(parts) > 1:
        group = plan.weights[parts[1]]
        sizes |= {"snapshot": len(group.snapshots) + lead, "parameter": group.parameters}
        dtype = np.dtype(group.dtype).newbyteorder("<") if variable.name == "params" else dtype
    return tuple(sizes[dim] for dim in variable.dims[1:]), dtype


def _row_bytes(plan: Plan, name: str) -> int:
    shape, dtype = _tail(plan, name)
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize


@contextmanager
def _unchanged(source: Source) -> Iterator[Inspector]:
    """A source, opened and checked; FileError where it is no longer the file it was."""
    with opened(source.path) as file:
        if _stamp(source.path) != source.stamp:
            raise FileError(f"'{source.path}' was changed while it was read")
        yield Inspector(file)


def _stamp(path: str) -> tuple[int, ...]:
    try:
        info = os.stat(path)
    except OSError as error:
        raise FileError(f"'{path}' is gone") from error
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns
