"""``fracsim-plot``: figures of fractals, curves and networks, as PNG, PDF or SVG."""

from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.app import CommandGroup
from fracsim.cli.options import Count, example, version_option
from fracsim.cli.plotting import Look, figure_options, files_options, read_runs, with_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@click.group(
    cls=CommandGroup,
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
@click.argument("fractal")
@click.option("--fractal-depth", default="5", show_default=True, help="Depth n of the fractal.")
@click.option(
    "--curve",
    default="1",
    show_default=True,
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
@click.argument("curves", nargs=-1, metavar="[CURVE]...")
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
@figure_options
def depth_width(look: Look, files: tuple[str, ...], where: Any) -> "tuple[Figure, list[str]]":
    """Best test accuracy against width, a line per depth, at the best learning rate; beside it the
    paper's points."""
    from fracsim.figures.depth_width import draw

    runs = read_runs(files, where)
    return with_notes(draw(runs, **look), runs)


@command.command(
    "curve-accuracy",
    short_help="Best test accuracy on each approximation curve.",
    epilog=example("fracsim-plot curve-accuracy curves.h5 -o figure5.pdf"),
)
@files_options
@figure_options
def curve_accuracy(look: Look, files: tuple[str, ...], where: Any) -> "tuple[Figure, list[str]]":
    """Best test accuracy on each approximation curve, with P(n-2), P(n-1), P(n) and the paper's
    points."""
    from fracsim.figures.curve_accuracy import draw

    runs = read_runs(files, where)
    return with_notes(draw(runs, **look), runs)


@command.command(
    short_help="Bounds on the error by depth and width, and trained networks.",
    epilog=example(
        "fracsim-plot bounds bounds.h5 -o bounds.pdf",
        "fracsim-plot bounds bounds.h5 sweep.h5 --where learning_rate=0.001 -o bounds.pdf",
    ),
)
@files_options
@figure_options
def bounds(look: Look, files: tuple[str, ...], where: Any) -> "tuple[Figure, list[str]]":
    """Theorems 2, 3 and 4 against depth and width, from a file of 'fracsim bounds'; trajectories
    are laid over."""
    from fracsim.figures.bounds import draw, load

    study, runs = load(files)
    runs = runs.where(dict(where))
    return draw(study, runs, **look), runs.notes


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
def decision(look: Look, file: str, run: int | None) -> "tuple[Figure, list[str]]":
    """The decision function f(x) of a stored network, with the fractal's cells; one or two
    dimensions."""
    from fracsim.figures.decision import draw
    from fracsim.networks.stored import load_network

    network = load_network(file, run)
    return draw(network, **look), [network.note] if network.note else []


@command.command(
    short_help="Gradients of random networks by level, against Theorem 5.",
    epilog=example(
        "fracsim-plot gradient g.h5 -o gradient.pdf",
        "fracsim-plot gradient shallow.h5 deep.h5 -o both.png",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@figure_options
def gradient(look: Look, files: tuple[str, ...]) -> "tuple[Figure, list[str]]":
    """What random networks feel of each level of detail, and of whole curves, from files of
    'fracsim gradient'."""
    from fracsim.data.studies import read_study
    from fracsim.figures.gradient import draw

    studies = [read_study(file, "gradient") for file in files]
    return draw(studies, **look), [
        str(study.attributes["note"]) for study in studies if study.attributes.get("note")
    ]


@command.command(
    short_help="The linear regions that `fracsim regions` counted.",
    epilog=example("fracsim-plot regions regions.h5 -o regions.png"),
)
@click.argument("file")
@figure_options
def regions(look: Look, file: str) -> "tuple[Figure, list[str]]":
    """The linear regions in FILE, a product of fracsim regions: the partition of the plane with the
    line f = 0 and the fractal's cells, f along a segment with its breakpoints, breakpoints of
    random segments, or counts through training."""
    from fracsim.figures.regions import draw

    return draw(file, **look), []


def main() -> None:
    """Run ``fracsim-plot`` with the process's arguments; ends the process with its exit code."""
    command(prog_name="fracsim-plot")


if __name__ == "__main__":
    main()
