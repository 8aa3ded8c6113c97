"""``fracsim-plot``: figures of fractals, curves and trained networks, as PNG, PDF or SVG."""

import logging
import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fracsim.cli.frame import (
    Count,
    Frame,
    check_output,
    echo_json,
    example,
    json_option,
    quiet_option,
    version_option,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fracsim.figures.collect import Runs

F = TypeVar("F", bound=Callable[..., Any])

Look = dict[str, Any]  # title and size, as every draw() takes them

LARGEST_SIDE = 20_000  # pixels; larger pictures exhaust memory


class Size(click.ParamType):
    """``WIDTHxHEIGHT`` in inches, as in 7.2x5."""

    name = "widthxheight"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            width, height = (float(part) for part in str(value).lower().split("x"))
        except ValueError:
            width = height = math.nan
        if not (1 <= width <= 100 and 1 <= height <= 100):
            self.fail(f"{value!r} is not WIDTHxHEIGHT in inches, each from 1 to 100 (as in 7.2x5).", param, ctx)
        return width, height


class Condition(click.ParamType):
    """``KEY=VALUE``."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not (key and equals and text):
            self.fail(f"{value!r} is not KEY=VALUE (as in width=100).", param, ctx)
        return key.strip().replace("-", "_"), text.strip()


def figure_options(function: F) -> F:
    """What every figure has: where to, title, size, resolution, style; collected in the argument ``frame``."""
    def wrapped(output: Path, title: str | None, size: Any, dpi: int | None, style: str | None, as_json: bool,
                quiet: bool, **rest: Any) -> None:
        look = {"title": title, "size": size}
        make_figure(partial(function, look=look, **rest), look, output, dpi, style, as_json, quiet)

    wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
    wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    options = (
        click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
                     help="Figure to write: .png, .pdf or .svg; replaced where it exists."),
        click.option("--title", help="Title of the figure [default: says what is shown]."),
        click.option("--size", type=Size(), help="Size in inches, as in 7.2x5 [default: suits the figure]."),
        click.option("--dpi", type=click.IntRange(20, 2400), help="Dots per inch of a PNG [default: 200]."),
        click.option("--style", help="A matplotlib style, by name or as a file [default: fracsim's own]."),
        json_option,
        quiet_option,
    )
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


def make_figure(
    draw: "Callable[[], tuple[Figure, list[str]]]", look: Look, output: Path, dpi: int | None, style: str | None,
    as_json: bool, quiet: bool,
) -> None:
    """Draw, save and say what was made; the output is checked before anything is drawn."""
    os.environ["MPLBACKEND"] = "agg"  # never a window, whatever the user's environment says
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its warnings are not for who draws a figure
    from fracsim.errors import UsageError
    from fracsim.figures.style import check_suffix, check_title, save, styled

    check_suffix(output)
    check_title(look["title"])
    check_output(output, overwrite=True)
    pixels = max(look["size"] or (0.0,)) * (dpi or 200)
    if pixels > LARGEST_SIDE:
        raise UsageError(f"--size and --dpi give {pixels:.0f} pixels on a side; accepted: at most {LARGEST_SIDE}")
    with styled(style):
        figure, notes = draw()
        save(figure, output, dpi)
    if as_json:
        echo_json({"output": str(output), "notes": notes})
    elif not quiet:
        for note in notes:
            click.echo(f"note: {note}", err=True)
        click.echo(f"{output}")


def files_options(function: F) -> F:
    """FILE … and ``--where``: the runs to draw."""
    condition = click.option(
        "--where", type=Condition(), multiple=True,
        help="Only runs with this setting, as in --where width=100; may be repeated.",
    )
    return click.argument("files", nargs=-1, required=True, metavar="FILE...")(condition(function))


def read_runs(files: tuple[str, ...], where: tuple[tuple[str, str], ...]) -> "Runs":
    """The recorded runs of the files that meet the conditions."""
    from fracsim.figures.collect import load_runs

    return load_runs(files).where(dict(where))


def with_notes(figure: "Figure", runs: "Runs") -> "tuple[Figure, list[str]]":
    """A figure and what its maker should know."""
    return figure, [*runs.caveats, *runs.notes]


@click.group(
    cls=Frame,
    epilog=example("fracsim-plot depth-width quick.h5 -o quick.png", "fracsim-plot fractal vicsek -o vicsek.pdf"),
)
@version_option
def command() -> None:
    """Draw fractals, curves and what networks learnt, as PNG, PDF or SVG (by the suffix of --output).

    The same input gives the same file, byte for byte. Files that are still being written can be drawn too.
    """


@command.command(short_help="The sets K_0 … K_n of a fractal and a labelled sample.",
                 epilog=example("fracsim-plot fractal sierpinski --fractal-depth 4 --curve 2 -o sierpinski.svg"))
@click.argument("fractal")
@click.option("--fractal-depth", default="5", show_default=True, help="Depth n of the fractal.")
@click.option("--curve", default="1", show_default=True, help="1 to 6, polynomial:P, finest:M, or P(0),P(1),…,P(n).")
@click.option("--gap", help="Where negatives lie: complement or centre [default: the fractal's].")
@click.option("--count", type=Count(), default=2000, show_default=True, help="Points of the sample.")
@click.option("--seed", default="0", show_default=True, help="Seed of the sample.")
@figure_options
def fractal(look: Look, count: int, **settings: Any) -> "tuple[Figure, list[str]]":
    """The sets K_0 … K_n of FRACTAL (a name or a TOML file) and a labelled sample; one or two dimensions."""
    from fracsim.figures.fractal import draw
    from fracsim.runs import make_run

    run = make_run(settings)
    return draw(run.distribution(), count, run.seed, **look), []


@command.command(short_help="The approximation curves P(j).",
                 epilog=example("fracsim-plot curves -o curves.pdf", "fracsim-plot curves 1 4 finest:2 -o some.pdf"))
@click.argument("curves", nargs=-1, metavar="[CURVE]...")
@click.option("--fractal-depth", type=click.IntRange(1, 1000), default=5, show_default=True,
              help="Depth n of the fractal.")
@figure_options
def curves(look: Look, curves: tuple[str, ...], fractal_depth: int) -> "tuple[Figure, list[str]]":
    """The approximation curves P(j): the paper's six, or those given (1 to 6, polynomial:P, finest:M, a list)."""
    from fracsim.figures.curves import PAPERS, draw

    return draw(curves or PAPERS, fractal_depth, **look), []


@command.command(short_help="Loss, accuracies and gradient norms against the step.",
                 epilog=example("fracsim-plot training run.h5 -o run.pdf",
                                "fracsim-plot training a.h5 b.h5 --where width=100 -o both.png"))
@files_options
@figure_options
def training(look: Look, files: tuple[str, ...], where: Any) -> "tuple[Figure, list[str]]":
    """Loss, accuracy, accuracy by level and gradient norms against the step; bands over seeds."""
    from fracsim.figures.training import draw

    runs = read_runs(files, where)
    return with_notes(draw(runs, **look), runs)


@command.command("depth-width", short_help="Best test accuracy against width, a line per depth.",
                 epilog=example("fracsim-plot depth-width quick.h5 -o quick.png"))
@files_options
@figure_options
def depth_width(look: Look, files: tuple[str, ...], where: Any) -> "tuple[Figure, list[str]]":
    """Best test accuracy against width, a line per depth, at the best learning rate; beside it the paper's points."""
    from fracsim.figures.depth_width import draw

    runs = read_runs(files, where)
    return with_notes(draw(runs, **look), runs)


@command.command("curve-accuracy", short_help="Best test accuracy on each approximation curve.",
                 epilog=example("fracsim-plot curve-accuracy curves.h5 -o figure5.pdf"))
@files_options
@figure_options
def curve_accuracy(look: Look, files: tuple[str, ...], where: Any) -> "tuple[Figure, list[str]]":
    """Best test accuracy on each approximation curve, with P(n-2), P(n-1), P(n) and the paper's points."""
    from fracsim.figures.curve_accuracy import draw

    runs = read_runs(files, where)
    return with_notes(draw(runs, **look), runs)


@command.command(short_help="The decision function of a stored network.",
                 epilog=example("fracsim-plot decision run.h5 -o decision.png"))
@click.argument("file")
@click.option("--run", type=click.IntRange(min=0), help="Number of the run in the file [default: the best one].")
@figure_options
def decision(look: Look, file: str, run: int | None) -> "tuple[Figure, list[str]]":
    """The decision function f(x) of a stored network, with the fractal's cells; one or two dimensions."""
    from fracsim.figures.decision import draw

    runs = read_runs((file,), ())
    return with_notes(draw(runs, run, **look), runs)


def main() -> None:
    """Run ``fracsim-plot`` with the process's arguments; ends the process with its exit code."""
    command(prog_name="fracsim-plot")


if __name__ == "__main__":
    main()
