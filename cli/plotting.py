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

    from fracsim.data.studies import StudyContents
    from fracsim.products.runs import Runs

F = TypeVar("F", bound=Callable[..., Any])

Look = dict[str, Any]  # title and size, as every draw() takes them

LARGEST_SIDE = 20_000  # pixels; larger pictures exhaust memory


class Size(click.ParamType):
    """``column`` or ``page``, widths whose height suits the figure, or ``WIDTHxHEIGHT`` in inches,
    as in 7.2x5."""

    name = "column|page|widthxheight"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float | None]:
        if isinstance(value, tuple):
            return value
        text = str(value).strip().lower()
        if text in ("column", "page"):
            from fracsim.figures.layout import COLUMN, PAGE

            return (COLUMN if text == "column" else PAGE), None
        try:
            width, height = (float(part) for part in text.split("x"))
        except ValueError:
            width = height = math.nan
        if not (1 <= width <= 100 and 1 <= height <= 100):
            self.fail(
                f"{value!r} is not column, page, or WIDTHxHEIGHT in inches, each from 1 to 100 (as "
                f"in 7.2x5).",
                param,
                ctx,
            )
        return width, height


def film_options(function: F) -> F:
    """The same of a film, which is a GIF."""
    return figure_options(function, film=True)


def figure_options(function: F, film: bool = False) -> F:
    """What every figure has: where to, title, size, resolution, style; collected in the argument
    ``look``."""

    def wrapped(
        output: Path,
        title: str | None,
        no_title: bool,
        no_notes: bool,
        size: Any,
        dpi: int | None,
        style: str | None,
        as_json: bool,
        quiet: bool,
        **rest: Any,
    ) -> None:
        look = {"title": "" if no_title else title, "size": size}
        drawing = partial(function, look=look, **rest)
        how: dict[str, Any] = {"dpi": dpi, "style": style, "notes": not no_notes, "film": film}
        read = {**rest, "style": style}
        make_figure(drawing, look, output, as_json, quiet, read, **how)

    wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
    wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    options = (
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            required=True,
            help="Figure to write: .png, .pdf or .svg; replaced where it exists."
            if not film
            else "Film to write: .gif; replaced where it exists.",
        ),
        click.option("--title", help="Title of the figure [default: says what is shown]."),
        click.option("--no-title", is_flag=True, help="No title, as for a figure with a caption."),
        click.option(
            "--no-notes",
            is_flag=True,
            help="No notes at the foot; say them yourself: steps, seeds, selection.",
        ),
        click.option(
            "--size",
            type=Size(),
            help="column (3.4 inches wide), page (7), or inches as in 7.2x5 [default: suits the "
            "figure].",
        ),
        click.option(
            "--dpi",
            type=click.IntRange(20, 2400),
            help="Dots per inch of a PNG [default: 200] or GIF [default: 100].",
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
    draw: "Callable[[], tuple[Any, list[str]]]",
    look: Look,
    output: Path,
    as_json: bool,
    quiet: bool,
    read: Mapping[str, Any],
    *,
    dpi: int | None,
    style: str | None,
    notes: bool,
    film: bool = False,
) -> None:
    """Draw, save and say what was made; the output is checked before anything is drawn, also that
    it is none of the files that ``read`` names."""
    os.environ["MPLBACKEND"] = "agg"  # never a window, whatever the user's environment says
    logging.getLogger("matplotlib").setLevel(
        logging.ERROR
    )  # its warnings are not for who draws a figure
    from fracsim.errors import UsageError
    from fracsim.figures.layout import check_room
    from fracsim.figures.style import SUFFIXES, check_suffix, check_title, save, styled

    check_suffix(output, (".gif",) if film else SUFFIXES)
    check_title(look["title"])
    check_output(output, overwrite=True, read=read)
    pixels = max(side or 0.0 for side in look["size"] or (0.0,)) * (dpi or 200)
    if pixels > LARGEST_SIDE:
        raise UsageError(
            f"--size and --dpi give {pixels:.0f} pixels on a side; accepted: at most {LARGEST_SIDE}"
        )
    with styled(style, notes):
        drawn, said = draw()
        figure = drawn.figure if film else drawn
        if look["size"] is not None and look["size"][1] is not None:
            check_room(figure)
        if film:
            from fracsim.figures.film import save_film

            save_film(drawn, output, dpi)
        else:
            save(figure, output, dpi)
    if as_json:
        echo_json({"output": str(output), "notes": said})
    elif not quiet:
        for note in said:
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


def paper_option(function: F) -> F:
    """``--no-paper``."""
    option = click.option(
        "--no-paper", is_flag=True, help="Without the paper's points, also on its distribution."
    )
    return option(function)


def xy_options(function: F) -> F:
    """What ``xy`` asks: names on the axes and in the legend, scales, bands, records."""
    name: dict[str, Any] = {"metavar": "NAME"}
    for option in reversed(
        (
            click.option("--x", help="Across [default: step, or what varies].", **name),
            click.option("--y", help="Upwards [default: the test accuracy].", **name),
            click.option("--hue", help="A colour and marker for each of its values.", **name),
            click.option(
                "--dashes",
                help="Dashes and a marker for each of its values; --style NAME is the same where "
                "NAME is a setting.",
                **name,
            ),
            click.option("--panel", help="A panel for each of its values.", **name),
            click.option("--row", help="A row of panels for each of its values.", **name),
            click.option("--logx/--no-logx", default=None, help="A logarithmic x axis."),
            click.option("--logy/--no-logy", default=None, help="A logarithmic y axis."),
            click.option(
                "--band",
                type=click.Choice(["span", "sd", "none"]),
                default="span",
                show_default=True,
                help="Over seeds: from the least to the greatest, ± standard deviation, or none.",
            ),
            click.option(
                "--select",
                metavar="best|last|step:N",
                help="The record of each run, where steps are not drawn [default: best].",
            ),
        )
    ):
        function = option(function)
    return function


def style_or_setting(function: F) -> F:
    """``--style NAME`` of a setting, as grammars of graphics have it, is ``--dashes NAME``; other
    names stay matplotlib's styles, none of which is called like a setting."""

    def wrapped(style: str | None, dashes: str | None, **rest: Any) -> Any:
        from fracsim.training.run import SETTINGS
        from fracsim.values.settings import key_of

        if style is not None and dashes is None and key_of(style, SETTINGS) in SETTINGS:
            style, dashes = None, style
        return function(style=style, dashes=dashes, **rest)

    wrapped.__name__, wrapped.__doc__ = function.__name__, function.__doc__
    wrapped.__click_params__ = function.__click_params__  # type: ignore[attr-defined]
    return wrapped  # type: ignore[return-value]


def read_studies(files: tuple[str, ...]) -> "tuple[list[StudyContents], dict[str, Any]]":
    """The files, if they are of one kind of study, and the dimensions of its variables; nothing
    where they are trajectories. Raises UsageError for a mixture, FileError."""
    from fracsim.data.reader import sniff
    from fracsim.errors import UsageError
    from fracsim.studies import formats, open_study

    kinds = [sniff(path) for path in files]
    if "study" not in kinds:
        return [], {}
    studies = [open_study(path) for path, kind in zip(files, kinds, strict=True) if kind == "study"]
    if len(studies) < len(files) or len({study.kind for study in studies}) > 1:
        found = ", ".join(dict.fromkeys([study.kind for study in studies]))
        more = " and trajectories" if len(studies) < len(files) else ""
        raise UsageError(
            f"xy: the files are of {found}{more}; accepted are trajectories, or files of one kind "
            f"of study"
        )
    (format,) = (one for one in formats() if one.kind == studies[0].kind)
    return studies, {variable.name: variable.dims for variable in format.variables}


def read_runs(files: tuple[str, ...], where: tuple[str, ...]) -> "Runs":
    """The recorded runs of the files that meet the conditions."""
    from fracsim.products.runs import load_runs
    from fracsim.products.where import parse_conditions

    conditions = parse_conditions(where)
    return load_runs(files).where(conditions)


def with_notes(figure: "Figure", runs: "Runs") -> "tuple[Figure, list[str]]":
    """A figure and what its maker should know."""
    return figure, [*runs.caveats, *runs.notes]
