"""``fracsim export``: the records or points of a file as CSV, whole or not at all."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from fracsim.cli.options import check_output, example, quiet_option

if TYPE_CHECKING:
    import numpy as np

BLOCK = 65_536
"""Rows of a sample file that are formatted at once."""


@click.command(
    epilog=example(
        "fracsim export run.h5 -o run.csv",
        "fracsim export sweep.h5 --variables width,network_depth,test_accuracy | head",
        "fracsim export points.h5 --variables x,level -o points.csv",
    )
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="CSV file to write [default: stdout]."
)
@click.option(
    "--variables", help="Settings and variables to write, separated by commas [default: all]."
)
@click.option(
    "--long", "as_long", is_flag=True, help="One row per value: columns variable, index and value."
)
@click.option("--overwrite", is_flag=True, help="Replace the output where it exists.")
@quiet_option
def command(
    file: Path,
    output: Path | None,
    variables: str | None,
    as_long: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write the records (one row per run and step) or the points (one row each) of FILE as CSV.

    A variable with several values becomes several columns: test_accuracy_by_level_0, …_1, … The
    run's number, its settings and the step come first. What does not exist is empty. With --long
    there is one row per value, and index is the level, layer or coordinate."""
    from fracsim.data.atomic import replacing
    from fracsim.data.reader import sniff
    from fracsim.errors import UsageError

    if output is not None and output.exists() and file.exists() and output.samefile(file):
        raise UsageError(f"the output {output} is the file to export; give another --output")

    read = sample_table if sniff(file) == "samples" else trajectory_table
    table = read(file, None if variables is None else variables.split(","))
    if output is None:
        _write(sys.stdout, table.rows(as_long))
        return
    with replacing(check_output(output, overwrite)) as raw, _text(raw) as stream:
        count = _write(stream, table.rows(as_long))
    if not quiet:
        click.echo(f"{output}: {count:,} rows", err=True)


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
    from fracsim.data.reader import open_trajectory

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
    from fracsim.data.samples import read_samples

    samples = read_samples(path)
    values = {name: getattr(samples, name) for name in _choose(chosen, ("x", "y", "level"), path)}

    def blocks() -> Iterator[list[list[str]]]:
        for first in range(0, len(samples.y), BLOCK):
            stop = min(first + BLOCK, len(samples.y))
            points = [str(point) for point in range(first, stop)]
            yield [points, *_spread(array[first:stop] for array in values.values())]

    return Table(["point"], _columns({n: a.shape[1:] for n, a in values.items()}), blocks())


def _choose(chosen: Sequence[str] | None, known: Sequence[str], path: Path) -> Sequence[str]:
    from fracsim.errors import UsageError, nearest

    for name in chosen or ():
        if name not in known:
            hint = nearest(name, known) or f"; it has {', '.join(known)}"
            raise UsageError(f"--variables: {path} has no variable '{name}'{hint}")
    return known if chosen is None else chosen


def _columns(shapes: Mapping[str, tuple[int, ...]]) -> list[tuple[str, str]]:
    return [
        (n, str(i)) if shape else (n, "")
        for n, shape in shapes.items()
        for i in range(shape[0] if shape else 1)
    ]


def _spread(arrays: Iterable["np.ndarray"]) -> list[list[str]]:
    """The columns of arrays (rows,) or (rows, m) as texts."""
    return [
        _texts(column) for array in arrays for column in (array.T if array.ndim == 2 else [array])
    ]


def _texts(column: "np.ndarray") -> list[str]:
    """The shortest text that reads back as the same number, for each; NaN is empty."""
    return ["" if text == "nan" else text for text in column.astype(str).tolist()]


def _text(raw: io.RawIOBase) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", newline="")


def _write(stream: TextIO, rows: Iterator[Sequence[str]]) -> int:
    writer = csv.writer(stream, lineterminator="\n")
    count = -1
    for row in rows:
        writer.writerow(row)
        count += 1
    return count
