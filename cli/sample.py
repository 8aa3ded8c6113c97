"""``fracsim sample``: labelled points of a fractal distribution, drawn by many threads into one
file."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.options import Count, check_output, echo_json, example, json_option, quiet_option
from fracsim.cli.progress import ProgressBar
from fracsim.errors import RunError
from fracsim.machine.cpus import MOST_THREADS
from fracsim.text import duration, size

if TYPE_CHECKING:
    import numpy as np

    from fracsim.fractals.distribution import Distribution

BLOCK = 1 << 18
"""Points a thread draws at once. Results do not depend on it: a point is a function of the seed and
its index."""


@click.command(
    epilog=example(
        "fracsim sample vicsek --fractal-depth 5 --curve 4 --count 100000 --seed 7 -o points.h5",
        "fracsim sample my-fractal.toml --curve finest:2 --count 1e6 -o points.h5",
    )
)
@click.argument("fractal")
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
    from fracsim.training.run import make_run

    run = make_run(settings)
    distribution = run.distribution()
    check_output(output, overwrite)
    check_room(output.parent, count, distribution.fractal.dimension)
    if threads is None:
        from fracsim.machine.cpus import available_threads

        threads = available_threads()[0]
    started = time.perf_counter()
    with ProgressBar("sample", count, unit="points", quiet=quiet or as_json) as progress:
        x, y, level = draw(distribution, count, run.seed, threads, progress)
    seconds = time.perf_counter() - started
    write_samples(output, x, y, level, attributes(distribution, run.seed))
    summary = {
        "output": str(output),
        "count": count,
        "dimension": distribution.fractal.dimension,
        "positives": int((y > 0).sum()),
        "curve_values": distribution.law().curve,
        "curve_observed": observed_curve(y, level, run.fractal_depth),
        "threads": threads,
        "seconds": seconds,
    }
    if as_json:
        echo_json(summary)
    elif not quiet:
        click.echo(_words(summary))


def draw(
    distribution: "Distribution", count: int, seed: int, threads: int, progress: ProgressBar
) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """x (count, d), y (count,), level (count,): blocks drawn by a pool of threads, the same for any
    number of them."""
    import numpy as np

    x = np.empty((count, distribution.fractal.dimension))
    y, level = np.empty(count, np.int8), np.empty(count, np.int16)

    def block(first: int) -> int:
        part = slice(first, min(first + BLOCK, count))
        sample = distribution.sample(part.stop - first, seed, first=first)
        x[part], y[part], level[part] = sample.x, sample.y, sample.level
        return part.stop - first

    pool, done = ThreadPoolExecutor(threads), 0
    try:
        for drawn in pool.map(block, range(0, count, BLOCK)):
            done += drawn
            progress.update(done)
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for blocks that have not begun
    return x, y, level


def check_room(folder: Path, count: int, dimension: int) -> None:
    """Raise RunError where ``count`` points of ``dimension`` coordinates fit neither the disk nor
    the memory."""
    from fracsim.machine.memory import free_memory

    needed = count * (8 * dimension + 3)
    for free, where in (
        (shutil.disk_usage(folder).free, f"{folder} has"),
        (free_memory(), "the memory has"),
    ):
        if free is not None and needed > free:
            raise RunError(
                f"--count {count} needs {size(needed)} for the points, but {where} only "
                f"{size(free)} free"
            )


def attributes(distribution: "Distribution", seed: int) -> dict[str, Any]:
    """What a sample file says of its origin: enough to draw the same points again."""
    import json

    from fracsim.cli.options import command_line
    from fracsim.data.provenance import provenance

    return {
        "fractal": distribution.fractal.name,
        "fractal_definition": json.dumps(distribution.fractal.to_dict()),
        "fractal_depth": distribution.fractal_depth,
        "curve": distribution.curve.name,
        "gap": distribution.gap,
        "positive_margin": distribution.positive_margin,
        "negative_margin": distribution.negative_margin,
        "seed": seed,
        "purpose": "sample",
        **provenance(command_line()),
    }


def observed_curve(y: "np.ndarray", level: "np.ndarray", n: int) -> "np.ndarray":
    """P(0..n) estimated from labels and levels (N,): the share of points that are no negative in
    K_j."""
    import numpy as np

    negatives = np.bincount(level[y < 0], minlength=n + 1)
    return 1 - negatives[::-1].cumsum()[::-1] / len(y)


def _words(summary: dict[str, Any]) -> str:
    count, seconds = summary["count"], summary["seconds"]
    lines = [
        f"{summary['output']}: {count:,} points, {summary['positives']:,} of them positive, "
        f"drawn in {duration(seconds)} by {summary['threads']} thread(s)",
        f"{'j':>4}  {'P(j)':>7}  {'observed':>8}",
    ]
    for j, (wanted, seen) in enumerate(
        zip(summary["curve_values"], summary["curve_observed"], strict=True)
    ):
        lines.append(f"{j:4}  {wanted:7.5f}  {seen:8.5f}")
    return "\n".join(lines)
