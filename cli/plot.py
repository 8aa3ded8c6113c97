"""``fracsim-plot``: figures of fractals, curves and networks, as PNG, PDF or SVG."""

from typing import TYPE_CHECKING, Any

import click

from fracsim.cli import complete
from fracsim.cli.app import CommandGroup
from fracsim.cli.options import Count, example, version_option
from fracsim.cli.plotting import (
    Look,
    figure_options,
    files_options,
    film_options,
    paper_option,
    read_runs,
    read_studies,
    style_or_setting,
    with_notes,
    xy_options,
)
from fracsim.cli.streams import open_streams
from fracsim.cli.study_figure import figure_commands
from fracsim.studies.study import notes_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fracsim.data.numbering import Number


@click.group(
    cls=CommandGroup,
    lazy={"report": "What files hold on one page: runs, results, figures, origin."},
    declared=figure_commands,
    epilog=example(
        "fracsim-plot depth-width quick.h5 -o quick.png",
        "fracsim-plot fractal vicsek -o vicsek.pdf",
    ),
)
@version_option
def command() -> None:
    """Draw fractals, curves and what networks learnt, as PNG, PDF or SVG (by the suffix of
    --output).

    The same input gives the same file, byte for byte. Files that are still being written can be
    drawn too."""


@command.command(
    short_help="The sets K_0 … K_n of a fractal and a labelled sample.",
    epilog=example("fracsim-plot fractal sierpinski --fractal-depth 4 --curve 2 -o sierpinski.svg"),
)
@click.argument("fractal", shell_complete=complete.fractals)
@click.option("--fractal-depth", default="5", show_default=True, help="Depth n of the fractal.")
@click.option(
    "--curve",
    default="1",
    show_default=True,
    shell_complete=complete.curves,
    help="1 to 6, polynomial:P, finest:M, or P(0),P(1),…,P(n).",
)
@click.option("--gap", help="Where negatives lie: complement or centre [default: the fractal's].")
@click.option(
    "--count", type=Count(), default=2000, show_default=True, help="Points of the sample."
)
@click.option("--seed", default="0", show_default=True, help="Seed of the sample.")
@figure_options
def fractal(look: Look, count: int, **settings: Any) -> "tuple[Figure, list[str]]":
    """The sets K_0 … K_n of FRACTAL (a name or a TOML file) and a labelled sample; one or two
    dimensions."""
    from fracsim.figures.fractal import draw
    from fracsim.training.run import make_run

    run = make_run(settings)
    return draw(run.distribution(), count, run.seed, **look), []


@command.command(
    short_help="The approximation curves P(j).",
    epilog=example(
        "fracsim-plot curves -o curves.pdf", "fracsim-plot curves 1 4 finest:2 -o some.pdf"
    ),
)
@click.argument("curves", nargs=-1, metavar="[CURVE]...", shell_complete=complete.curves)
@click.option(
    "--fractal-depth",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Depth n of the fractal.",
)
@figure_options
def curves(look: Look, curves: tuple[str, ...], fractal_depth: int) -> "tuple[Figure, list[str]]":
    """The approximation curves P(j): the paper's six, or those given (1 to 6, polynomial:P,
    finest:M, a list)."""
    from fracsim.figures.curves import PAPERS, draw

    return draw(curves or PAPERS, fractal_depth, **look), []


@command.command(
    short_help="Loss, accuracies and gradient norms against the step.",
    epilog=example(
        "fracsim-plot training run.h5 -o run.pdf",
        "fracsim-plot training a.h5 b.h5 --where width=100 -o both.png",
    ),
)
@files_options
@figure_options
def training(look: Look, files: tuple[str, ...], where: Any) -> "tuple[Figure, list[str]]":
    """Loss, accuracy, accuracy by level and gradient norms against the step; bands over seeds."""
    from fracsim.figures.training import draw

    runs = read_runs(files, where)
    return with_notes(draw(runs, **look), runs)


@command.command(
    "depth-width",
    short_help="Best test accuracy against width, a line per depth.",
    epilog=example("fracsim-plot depth-width quick.h5 -o quick.png"),
)
@files_options
@paper_option
@figure_options
def depth_width(
    look: Look, files: tuple[str, ...], where: Any, no_paper: bool
) -> "tuple[Figure, list[str]]":
    """Best test accuracy against width, a line per depth, at the best learning rate; beside it the
    paper's points."""
    from fracsim.figures.depth_width import draw

    runs = read_runs(files, where)
    return with_notes(draw(runs, papers=not no_paper, **look), runs)


@command.command(
    "curve-accuracy",
    short_help="Best test accuracy on each approximation curve.",
    epilog=example("fracsim-plot curve-accuracy curves.h5 -o figure5.pdf"),
)
@files_options
@paper_option
@figure_options
def curve_accuracy(
    look: Look, files: tuple[str, ...], where: Any, no_paper: bool
) -> "tuple[Figure, list[str]]":
    """Best test accuracy on each approximation curve, with P(n-2), P(n-1), P(n) and the paper's
    points."""
    from fracsim.figures.curve_accuracy import draw

    runs = read_runs(files, where)
    return with_notes(draw(runs, papers=not no_paper, **look), runs)


@command.command(
    short_help="Which level of detail is learnt when.",
    epilog=example(
        "fracsim-plot levels run.h5 -o levels.png",
        "fracsim-plot levels quick.h5 --where width=100 -o by-depth.pdf",
    ),
)
@files_options
@click.option(
    "--share",
    type=float,
    default=0.9,
    show_default=True,
    help="A level is learnt from where on this share of its points is right.",
)
@figure_options
def levels(
    look: Look, files: tuple[str, ...], where: Any, share: float
) -> "tuple[Figure, list[str]]":
    """The step from which on each level's points are right, a line for each depth, width, curve or
    whatever else varies, and the accuracy by level against the step; of several learning rates the
    best."""
    from fracsim.figures.levels import draw

    runs = read_runs(files, where)
    return with_notes(draw(runs, share=share, **look), runs)


@command.command(
    short_help="Any variable against any other.",
    epilog=example(
        "fracsim-plot xy sweep.h5 -o sweep.png",
        "fracsim-plot xy sweep.h5 --x fractal_depth --y test_accuracy --hue width -o depth.png",
        "fracsim-plot xy run.h5 --x step --y gradient_norm --hue layer --logy -o gradients.pdf",
    ),
)
@files_options
@xy_options
@style_or_setting
@figure_options
def xy(look: Look, files: tuple[str, ...], where: Any, **asked: Any) -> "tuple[Figure, list[str]]":
    """Any setting or variable of trajectories, or any variable of one kind of study, against
    another.

    Means are taken over seeds (of studies over random draws), the band spans them; of several
    learning rates the best is taken unless it is named. What varies and is not named gets a colour,
    dashes or panels of its own. The foot says what was selected."""
    from fracsim.figures.observations import StudyUnit
    from fracsim.figures.xy import Request, draw_runs, draw_studies
    from fracsim.products.where import parse_conditions

    request = Request(**asked)
    studies, dims = read_studies(files)
    if studies:
        units = [StudyUnit(study, dims) for study in studies]
        notes = list(dict.fromkeys(note for study in studies for note in notes_of(study)))
        return draw_studies(units, request, parse_conditions(where), notes, **look), []
    runs = read_runs(files, where)
    return with_notes(draw_runs(runs, request, **look), runs)


@command.command(
    short_help="The decision function of a stored network.",
    epilog=example("fracsim-plot decision run.h5 -o decision.png"),
)
@click.argument("file")
@click.option(
    "--run",
    type=click.IntRange(min=0),
    help="Number of the run in its experiment [default: the best one].",
)
@figure_options
def decision(look: Look, file: str, run: "Number | None") -> "tuple[Figure, list[str]]":
    """The decision function f(x) of a stored network, with the fractal's cells; one or two
    dimensions."""
    from fracsim.figures.decision import draw
    from fracsim.networks.stored import load_network

    network = load_network(file, run)
    return draw(network, **look), [network.note] if network.note else []


@command.command(
    short_help="A network through its training, as a film.",
    epilog=example(
        "fracsim train --fractal-depth 3 --width 30 --steps 20000 --record-every 500 "
        "--weights records -o run.h5",
        "fracsim-plot animate run.h5 -o run.gif",
        "fracsim-plot animate run.h5 --show regions --frames 30 -o regions.gif",
    ),
)
@click.argument("file")
@click.option(
    "--show",
    type=click.Choice(["decision", "levels", "regions"]),
    default="decision",
    show_default=True,
    help="The decision function, the accuracy by level, or the linear regions.",
)
@click.option(
    "--run",
    type=click.IntRange(min=0),
    help="Number of the run in its experiment [default: the best one].",
)
@click.option(
    "--frames", type=int, default=60, show_default=True, help="At most so many, over the records."
)
@click.option("--rate", type=float, default=10.0, show_default=True, help="Frames per second.")
@film_options
def animate(look: Look, file: str, run: "Number | None", **how: Any) -> "tuple[Any, list[str]]":
    """The decision function, the accuracy by level or the linear regions of a network at every
    record of its training, as a GIF. Needs a file made with --weights records, but for levels."""
    from fracsim.figures.animate import draw

    if how["show"] == "regions":
        from fracsim.studies.regions.film import cut

        how["cut"] = cut
    return draw(file, run, **how, **look), []


def main() -> None:
    """Run ``fracsim-plot`` with the process's arguments; ends the process with its exit code."""
    open_streams()
    command(prog_name="fracsim-plot")


if __name__ == "__main__":
    main()
