"""What a file holds as columns of text: records of trajectories, points of samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fracsim.data.reader import open_trajectory
from fracsim.data.samples import read_samples
from fracsim.errors import UsageError, nearest
from fracsim.products.selection import first_number

BLOCK = 65_536
"""Rows of a sample file that are formatted at once."""


@dataclass
class Table:
    """What a file holds, as text columns: ``keys`` come first in every row, ``columns`` are
    (variable, index or "").

    ``blocks`` yields, for some rows at a time, one list of texts for each key and each column.
    """

    keys: list[str]
    columns: list[tuple[str, str]]
    blocks: Iterator[list[list[str]]]

    def rows(self, as_long: bool) -> Iterator[Sequence[str]]:
        """Header and rows: one row per record, or with ``as_long`` one per value that exists."""
        width = len(self.keys)
        if not as_long:
            yield [
                *self.keys,
                *(f"{name}_{index}" if index else name for name, index in self.columns),
            ]
        else:
            yield [*self.keys, "variable", "index", "value"]
        for block in self.blocks:
            for row in zip(*block, strict=True):
                if not as_long:
                    yield row
                    continue
                for column, value in zip(self.columns, row[width:], strict=True):
                    if value:
                        yield *row[:width], *column, value


def trajectory_table(path: Path, chosen: Sequence[str] | None) -> Table:
    """Every record made so far of a trajectory, run by run. Raises UsageError, FileError."""
    trajectory = open_trajectory(path)
    names = _choose(chosen, [*trajectory.runs, *trajectory.records], path)
    settings = {name: _texts(trajectory.runs[name]) for name in names if name in trajectory.runs}
    values = {name: trajectory.variable(name) for name in names if name not in settings}

    def blocks() -> Iterator[list[list[str]]]:
        for run, done in enumerate(map(int, trajectory.records_done)):
            number = str(trajectory.numbers[run])
            keys = [
                [text] * done for text in (number, *(column[run] for column in settings.values()))
            ]
            yield [
                *keys,
                _texts(trajectory.steps[:done]),
                *_spread(array[run, :done] for array in values.values()),
            ]

    return Table(
        ["run", *settings, "step"], _columns({n: a.shape[2:] for n, a in values.items()}), blocks()
    )


def sample_table(path: Path, chosen: Sequence[str] | None) -> Table:
    """Every point of a sample file. Raises UsageError, FileError."""
    samples = read_samples(path)
    values = {name: getattr(samples, name) for name in _choose(chosen, ("x", "y", "level"), path)}

    def blocks() -> Iterator[list[list[str]]]:
        for first in range(0, len(samples.y), BLOCK):
            stop = min(first + BLOCK, len(samples.y))
            points = [str(point) for point in range(first, stop)]
            yield [points, *_spread(array[first:stop] for array in values.values())]

    return Table(["point"], _columns({n: a.shape[1:] for n, a in values.items()}), blocks())


def _choose(chosen: Sequence[str] | None, known: Sequence[str], path: Path) -> Sequence[str]:
    for name in chosen or ():
        if name not in known:
            hint = nearest(name, known) or f"; it has {', '.join(known)}"
            raise UsageError(f"--variables: {path} has no variable '{name}'{hint}")
    return known if chosen is None else chosen


def _columns(shapes: Mapping[str, tuple[int, ...]]) -> list[tuple[str, str]]:
    return [
        (n, str(i)) if shape else (n, "")
        for n, shape in shapes.items()
        for i in range(first_number(n), first_number(n) + (shape[0] if shape else 1))
    ]


def _spread(arrays: Iterable[np.ndarray]) -> list[list[str]]:
    """The columns of arrays (rows,) or (rows, m) as texts."""
    return [
        _texts(column) for array in arrays for column in (array.T if array.ndim == 2 else [array])
    ]


def _texts(column: np.ndarray) -> list[str]:
    """The shortest text that reads back as the same number, for each; NaN is empty. Texts stay as
    they are, also "nan"."""
    if column.dtype.kind == "U":
        return [str(text) for text in column]
    return ["" if text == "nan" else text for text in column.astype(str).tolist()]
