"""What every command of ``fracsim-plot`` shares: the options of a figure, its saving, the runs it
is drawn from."""

import logging
import math
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fracsim.cli.options import check_output, echo_json, json_option, quiet_option
from fracsim.cli.streams import remark

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fracsim.products.runs import Runs

F = TypeVar("F", bound=Callable[..., Any])

Look = dict[str, Any]  # title and size, as every draw() takes them

LARGEST_SIDE = 20_000  # pixels; larger pictures exhaust memory


class Size(click.ParamType):
    """``WIDTHxHEIGHT`` in inches, as in 7.2x5."""

    name = "widthxheight"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        try:
            width, height = (float(part) for part in str(value).lower().split("x"))
        except ValueError:
            width = height = math.nan
        if not (1 <= width <= 100 and 1 <= height <= 100):
            self.fail(
                f"{value!r} is not WIDTHxHEIGHT in inches, each from 1 to 100 (as in 7.2x5).",
                param,
                ctx,
            )
        return width, height


def figure_options(function: F) -> F:
    """What every figure has: where to, title, size, resolution, style; collected in the argument
    ``look``."""

    def wrapped(
        output: Path,
        title: str | None,
        size: Any,
        dpi: int | None,
        style: str | None,
        as_json: bool,
        quiet: bool,
        **rest: Any,
    ) -> None:
        look = {"title": title, "size": size}
        draw = partial(function, look=look, **rest)
        make_figure(draw, look, output, dpi, style, as_json, quiet, {**rest, "style": style})

    wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
    wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    options = (
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            required=True,
            help="Figure to write: .png, .pdf or .svg; replaced where it exists.",
        ),
        click.option("--title", help="Title of the figure [default: says what is shown]."),
        click.option(
            "--size", type=Size(), help="Size in inches, as in 7.2x5 [default: suits the figure]."
        ),
        click.option(
            "--dpi", type=click.IntRange(20, 2400), help="Dots per inch of a PNG [default: 200]."
        ),
        click.option(
            "--style", help="A matplotlib style, by name or as a file [default: fracsim's own]."
        ),
        json_option,
        quiet_option,
    )
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


def make_figure(
    draw: "Callable[[], tuple[Figure, list[str]]]",
    look: Look,
    output: Path,
    dpi: int | None,
    style: str | None,
    as_json: bool,
    quiet: bool,
    read: Mapping[str, Any],
) -> None:
    """Draw, save and say what was made; the output is checked before anything is drawn, also that
    it is none of the files that ``read`` names."""
    os.environ["MPLBACKEND"] = "agg"  # never a window, whatever the user's environment says
    logging.getLogger("matplotlib").setLevel(
        logging.ERROR
    )  # its warnings are not for who draws a figure
    from fracsim.errors import UsageError
    from fracsim.figures.style import check_suffix, check_title, save, styled

    check_suffix(output)
    check_title(look["title"])
    check_output(output, overwrite=True, read=read)
    pixels = max(look["size"] or (0.0,)) * (dpi or 200)
    if pixels > LARGEST_SIDE:
        raise UsageError(
            f"--size and --dpi give {pixels:.0f} pixels on a side; accepted: at most {LARGEST_SIDE}"
        )
    with styled(style):
        figure, notes = draw()
        save(figure, output, dpi)
    if as_json:
        echo_json({"output": str(output), "notes": notes})
    elif not quiet:
        for note in notes:
            remark(f"note: {note}")
        click.echo(f"{output}")


def files_options(function: F) -> F:
    """FILE … and ``--where``: the runs to draw."""
    condition = click.option(
        "--where",
        metavar="KEY=VALUES",
        multiple=True,
        help="Only runs with this setting: width=100, width=50,100 or width=50:200. May be "
        "repeated: one key's conditions are alternatives.",
    )
    return click.argument("files", nargs=-1, required=True, metavar="FILE...")(condition(function))


def read_runs(files: tuple[str, ...], where: tuple[str, ...]) -> "Runs":
    """The recorded runs of the files that meet the conditions."""
    from fracsim.products.runs import load_runs
    from fracsim.products.where import parse_conditions

    conditions = parse_conditions(where)
    return load_runs(files).where(conditions)


def with_notes(figure: "Figure", runs: "Runs") -> "tuple[Figure, list[str]]":
    """A figure and what its maker should know."""
    return figure, [*runs.caveats, *runs.notes]
