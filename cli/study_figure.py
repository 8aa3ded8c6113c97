"""The commands of ``fracsim-plot`` that are made from declared studies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.options import example
from fracsim.cli.plotting import Look, figure_options, files_options
from fracsim.cli.study import Declared
from fracsim.errors import UsageError
from fracsim.studies import STUDIES
from fracsim.studies.study import load, notes_of
from fracsim.text import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fracsim.studies.study import Drawing, Study


def figure_commands() -> Declared:
    """The figure of every study that has one."""
    return {
        name: (one.figure.about, partial(figure_command, one, one.figure))
        for name, one in STUDIES.items()
        if one.figure is not None
    }


def figure_command(study: Study, drawing: Drawing) -> click.Command:
    """``fracsim-plot NAME`` of a study."""

    def draw(look: Look, **given: Any) -> tuple[Figure, list[str]]:
        files = given["files"] if drawing.most > 1 or drawing.trajectories else (given["files"],)
        return draw_study(study, drawing, look, files, given.get("where", ()))

    function: Callable[..., Any] = figure_options(draw)
    if drawing.trajectories:
        function = files_options(function)
    elif drawing.most > 1:
        function = click.argument("files", nargs=-1, required=True, metavar="FILE...")(function)
    else:
        function = click.argument("files", metavar="FILE")(function)
    name = study.name
    making = click.command(
        name,
        help=f"{drawing.about}\n\n{drawing.help}".strip(),
        short_help=drawing.about,
        epilog=example(*(drawing.example or (f"fracsim-plot {name} {name}.h5 -o {name}.png",))),
    )
    return making(function)


def draw_study(
    study: Study, drawing: Drawing, look: Look, files: tuple[str, ...], where: tuple[str, ...]
) -> tuple[Figure, list[str]]:
    """The figure and what its maker should know."""
    own = [path for path in files if not drawing.trajectories or _is_study(path)]
    if (not own and not drawing.alone) or len(own) > drawing.most:
        accepted = "one file" if drawing.most == 1 else f"at most {drawing.most} files"
        beside = ", beside any trajectories" if drawing.trajectories else ""
        raise UsageError(
            f"{study.name}: accepted is {accepted} made by `fracsim {study.name}`{beside}; "
            f"{counted(len(own), 'such file')} given"
        )
    found = [study.read(path) for path in own]
    notes = [note for one in found for note in notes_of(one)]
    arguments: list[Any] = [found[0] if drawing.most == 1 else found]
    if drawing.trajectories:
        from fracsim.products.runs import Runs, load_runs
        from fracsim.products.where import parse_conditions

        others = [path for path in files if path not in own]
        runs = (load_runs(others) if others else Runs([])).where(parse_conditions(where))
        figure = load(drawing.function)(*arguments, runs, **look)
        return figure, [*notes, *runs.notes]
    return load(drawing.function)(*arguments, **look), notes


def _is_study(path: str) -> bool:
    from fracsim.data.reader import sniff

    return sniff(path) == "study"
