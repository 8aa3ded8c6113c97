"""``fracsim sample``: labelled points of a fractal distribution, drawn by many threads into one
file."""

from pathlib import Path
from typing import Any

import click

from fracsim.cli import complete
from fracsim.cli.options import (
    Count,
    Stopwatch,
    check_output,
    command_line,
    echo_json,
    example,
    json_option,
    quiet_option,
)
from fracsim.cli.progress import ProgressBar
from fracsim.machine.cpus import MOST_THREADS
from fracsim.text import counted, duration, table


@click.command(
    epilog=example(
        "fracsim sample vicsek --fractal-depth 5 --curve 4 --count 100000 --seed 7 -o points.h5",
        "fracsim sample my-fractal.toml --curve finest:2 --count 1e6 -o points.h5",
    )
)
@click.argument("fractal", shell_complete=complete.fractals)
@click.option(
    "--fractal-depth",
    metavar="NUMBER",
    default="5",
    show_default=True,
    help="Depth n of the fractal.",
)
@click.option(
    "--curve",
    default="1",
    show_default=True,
    shell_complete=complete.curves,
    help="1 to 6, polynomial:P, finest:M, or P(0),P(1),…,P(n).",
)
@click.option("--count", type=Count(), default=100_000, show_default=True, help="Number of points.")
@click.option(
    "--seed",
    metavar="NUMBER",
    default="0",
    show_default=True,
    help="A point is a function of the seed and its index.",
)
@click.option("--gap", help="Where negatives lie: complement or centre [default: the fractal's].")
@click.option(
    "--positive-margin",
    metavar="NUMBER",
    default="0",
    show_default=True,
    help="Margin γ, relative to the innermost cell.",
)
@click.option(
    "--negative-margin",
    metavar="NUMBER",
    default="0",
    show_default=True,
    help="Margin δ, relative to the images.",
)
@click.option(
    "--threads", type=Count(MOST_THREADS), help="Threads [default: all this process may use]."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write (HDF5)."
)
@click.option("--overwrite", is_flag=True, help="Replace the output where it exists.")
@json_option
@quiet_option
def command(
    count: int,
    threads: int | None,
    output: Path,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Draw labelled points of the distribution on FRACTAL, a name (see 'fracsim show') or the path
    of a TOML file.

    The file holds x (point, dim), y (point: +1 in the fractal, -1 outside) and level (point: the
    largest j <= n with x in K_j). Any program that reads HDF5 opens it:
    xarray.open_dataset("points.h5")."""
    from fracsim.data.samples import write_samples
    from fracsim.fractals import sampling
    from fracsim.training.run import make_run

    run = make_run(settings)
    distribution = run.distribution()
    check_output(output, overwrite, settings)
    sampling.check_room(output.parent, count, distribution.fractal.dimension)
    if threads is None:
        from fracsim.machine.cpus import available_threads

        threads = available_threads()[0]
    watch = Stopwatch()
    with ProgressBar("sample", count, unit="points", quiet=quiet or as_json) as progress:
        points = sampling.draw(distribution, count, run.seed, threads, progress.update)
    seconds = watch.seconds()
    write_samples(output, *points, sampling.attributes(distribution, run.seed, command_line()))
    summary = {
        "output": str(output),
        "count": count,
        "dimension": distribution.fractal.dimension,
        "positives": int((points.y > 0).sum()),
        "curve_values": distribution.law().curve,
        "curve_observed": sampling.observed_curve(points.y, points.level, run.fractal_depth),
        "threads": threads,
        "seconds": seconds,
    }
    if as_json:
        echo_json(summary)
    elif not quiet:
        click.echo(_words(summary))


def _words(summary: dict[str, Any]) -> str:
    curves = zip(summary["curve_values"], summary["curve_observed"], strict=True)
    rows = [
        ("j", "P(j)", "observed"),
        *((j, f"{wanted:.5f}", f"{seen:.5f}") for j, (wanted, seen) in enumerate(curves)),
    ]
    lines = [
        f"{summary['output']}: {counted(summary['count'], 'point')}, "
        f"{summary['positives']:,} of them positive, drawn in {duration(summary['seconds'])} "
        f"by {counted(summary['threads'], 'thread')}",
        *table(rows, indent="  "),
    ]
    return "\n".join(lines)
