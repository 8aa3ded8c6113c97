"""``fracsim show``: fractals, curves and experiments in words and numbers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from fracsim.cli import complete
from fracsim.cli.app import CommandGroup
from fracsim.cli.options import echo_json, example, json_option, titled
from fracsim.text import table

if TYPE_CHECKING:
    from fracsim.experiments.experiment import Experiment


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    epilog=example(
        "fracsim show", "fracsim show fractal sierpinski", "fracsim show curve 4 --fractal-depth 5"
    ),
)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show one fractal, curve or experiment; without a subcommand, list what there is."""
    if context.invoked_subcommand is not None:
        return
    from fracsim.experiments.experiment import experiment_description, experiment_names
    from fracsim.fractals.curve import CURVE_FAMILIES, PAPER_CURVES
    from fracsim.fractals.fractal import fractal_names, load_fractal

    kinds = {
        "fractals": {name: load_fractal(name).description for name in fractal_names()},
        "curves": {
            **{name: f"of the paper: {meaning}" for name, meaning in PAPER_CURVES.items()},
            **CURVE_FAMILIES,
        },
        "experiments": {name: experiment_description(name) for name in experiment_names()},
    }
    if as_json:
        echo_json(kinds)
        return
    width = max(len(name) for entries in kinds.values() for name in entries)
    for kind, entries in kinds.items():
        click.echo(f"{kind.capitalize()} (fracsim show {kind[:-1]} NAME)")
        for name, description in entries.items():
            click.echo(f"  {name:{width}}  {_first_sentence(description)}")
        click.echo()


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


@command.command(
    "fractal",
    epilog=example("fracsim show fractal sierpinski", "fracsim show fractal my-fractal.toml"),
)
@click.argument("name", shell_complete=complete.fractals)
@click.option(
    "--fractal-depth", default="5", show_default=True, help="Depth n up to which cells are counted."
)
@json_option
def show_fractal(name: str, fractal_depth: str, as_json: bool) -> None:
    """Show a fractal: its maps, dimensions and, for d <= 2, a picture.

    NAME is a shipped fractal (see 'fracsim show'), cantor:3 for the Cantor set in 3 dimensions, or
    the path of a TOML file."""
    from fracsim.fractals.facts import fractal_facts, picture
    from fracsim.fractals.fractal import load_fractal
    from fracsim.training.run import make_run

    n = make_run({"fractal_depth": fractal_depth}).fractal_depth
    fractal = load_fractal(name)
    fractal.check_depth(n)
    facts = fractal_facts(fractal, n)
    if as_json:
        echo_json({**facts, **fractal.to_dict()})
        return
    dimension = facts["similarity_dimension"]
    click.echo(f"{titled(fractal.name, fractal.description)}\n")
    for label, value in (
        ("input dimension d", fractal.dimension),
        ("maps r", fractal.maps),
        ("base", f"{fractal.base}^{fractal.dimension}"),
        ("images", "touch one another" if fractal.touching else "are separated by gaps"),
        ("gap share", f"{fractal.gap_share:.4g}  (what the images leave of their cell)"),
        ("gap", f"{fractal.gap}  (where negatives lie unless told otherwise)"),
        (
            "similarity dimension",
            "none: the maps are no similarities" if dimension is None else f"{dimension:.4f}",
        ),
        (
            "greatest depth",
            f"{facts['greatest_depth_float32']} in float32, {facts['greatest_depth']} in float64  "
            "(finer cells fall below its resolution)",
        ),
        ("cells of K_0, K_1, …", " ".join(f"{count:,}" for count in facts["cells"])),
    ):
        click.echo(f"{label:22}{value}")
    click.echo("\nMaps F_i(x) = A x + b")
    for i, (matrix, offset) in enumerate(
        zip(fractal.matrices, fractal.offsets, strict=True), start=1
    ):
        click.echo(f"  F_{i}: A = {_rows(matrix)}, b = {_row(offset)}")
    if fractal.dimension <= 2:
        click.echo("\n" + "\n".join(picture(fractal)))


def _row(values: Iterable[float]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"


def _rows(matrix: Iterable[Iterable[float]]) -> str:
    return "(" + "; ".join(", ".join(f"{value:.6g}" for value in row) for row in matrix) + ")"


@command.command(
    "curve",
    epilog=example("fracsim show curve 4 --fractal-depth 5", "fracsim show curve 0.5,0.7,1"),
)
@click.argument("name", shell_complete=complete.curves)
@click.option(
    "--fractal-depth", help="Depth n of the fractal [default: 5, or what the given values have]."
)
@json_option
def show_curve(name: str, fractal_depth: str | None, as_json: bool) -> None:
    """Show an approximation curve: P(0), …, P(n).

    NAME is 1 to 6, polynomial:P, finest:M, or the values P(0),P(1),…,P(n). P(j) = 1 - Pr[x in K_j
    and y = -1] is the accuracy that a model reaches by knowing K_j alone. Its increment P(j+1) -
    P(j) is the share of points that are negatives of level j."""
    from fracsim.fractals.curve import PAPER_CURVES, parse_curve
    from fracsim.training.run import make_run

    depth = fractal_depth or str(name.count(",") or 5)
    n = make_run({"fractal_depth": depth}).fractal_depth
    values = [float(value) for value in parse_curve(name).values(n)]
    if as_json:
        echo_json({"curve": name, "fractal_depth": n, "values": values})
        return
    meaning = f" ({PAPER_CURVES[name]})" if name in PAPER_CURVES else ""
    click.echo(f"curve {name}{meaning}, fractal depth {n}\n")
    rows: list[tuple[object, ...]] = [("j", "P(j)", "increment")]
    for j, value in enumerate(values):
        increment = f"{value - values[j - 1]:.5f}" if j else None
        rows.append((j, f"{value:.5f}", increment, "#" * round(80 * (value - 0.5))))
    click.echo("\n".join(table(rows, align=">>><", indent="  ")))


@command.command(
    "experiment", epilog=example("fracsim show experiment cantor5-depth-width --quick")
)
@click.argument("name", shell_complete=complete.experiments)
@click.option("--quick", is_flag=True, help="The [quick] variant.")
@json_option
def show_experiment(name: str, quick: bool, as_json: bool) -> None:
    """Show what an experiment trains.

    NAME is a shipped experiment (see 'fracsim show') or the path of a TOML file. 'fracsim sweep
    --dry-run' says what it costs."""
    from fracsim.experiments.experiment import load_experiment

    experiment = load_experiment(name, quick=quick)
    if as_json:
        click.echo(experiment.to_json())
        return
    click.echo("\n".join(experiment_words(experiment)))


def experiment_words(experiment: "Experiment") -> list[str]:
    """The experiment as lines of text: what varies, and what every run has in common."""
    from fracsim.training.run import SETTINGS, parameters_of

    runs = experiment.runs
    parameters = sorted({parameters_of(run) for run in runs})
    lines = [titled(experiment.name, experiment.description), ""]
    lines.append(
        f"{len(runs):,} runs of {runs[0].steps:,} steps, a record every {runs[0].record_every:,} "
        f"steps"
    )
    lines.append(f"networks of {_span([f'{count:,}' for count in parameters])} parameters")
    lines += ["", "varies"] if experiment.varied else []
    width = max(map(len, SETTINGS))
    for axis in (*experiment.zipped, experiment.crossed):
        together = "  (together)" if len(axis) > 1 and axis is not experiment.crossed else ""
        lines += [
            f"  {key:{width}}  {', '.join(map(str, values))}{together}"
            for key, values in axis.items()
        ]
    found = {
        key: list(dict.fromkeys(getattr(run, key) for run in runs))
        for key in experiment.keys
        if key not in experiment.varied
    }
    follows = {key: values for key, values in found.items() if len(values) > 1}
    common = {key: values for key, values in found.items() if len(values) == 1}
    lines += ["", "follows from what varies"] if follows else []
    for key, values in follows.items():
        lines.append(f"  {key:{width}}  {', '.join(map(_of_run, values))}")
    lines += ["", "the same in every run"]
    lines += [f"  {key:{width}}  {value}" for key, (value,) in common.items() if value is not None]
    return lines


def _of_run(value: object) -> str:
    return "not set" if value is None else str(value)


def _span(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"
