"""``fracsim export``: the records or points of a file as CSV, whole or not at all."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import click

from fracsim.cli.options import check_output, example, quiet_option
from fracsim.cli.streams import remark


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
    from fracsim.products.columns import sample_table, trajectory_table

    if output is not None:
        check_output(output, overwrite, {"file": file})
    read = sample_table if sniff(file) == "samples" else trajectory_table
    table = read(file, None if variables is None else variables.split(","))
    if output is None:
        _write(sys.stdout, table.rows(as_long))
        return
    with replacing(output) as raw, _text(raw) as stream:
        count = _write(stream, table.rows(as_long))
    if not quiet:
        remark(f"{output}: {count:,} rows")


def _text(raw: io.RawIOBase) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", newline="")


def _write(stream: TextIO, rows: Iterator[Sequence[str]]) -> int:
    writer = csv.writer(stream, lineterminator="\n")
    count = -1
    for row in rows:
        writer.writerow(row)
        count += 1
    return count
