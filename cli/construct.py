"""``fracsim construct``: the explicit networks of Theorems 1 and 3, built, tried and kept in a
file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.options import Count, check_output, echo_json, example, json_option, quiet_option
from fracsim.cli.progress import ProgressBar

if TYPE_CHECKING:
    from fracsim.fractals.distribution import Distribution
    from fracsim.studies.construct.construct import Construction
    from fracsim.studies.construct.verify import Verification


@click.command(
    epilog=example(
        "fracsim construct cantor --fractal-depth 3 -o net.h5",
        "fracsim construct vicsek --fractal-depth 5 --levels 4 --merge 2 -o coarse.h5 --json",
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
    "--levels",
    type=click.IntRange(min=0),
    help="Decide K_j for this j, as in Theorem 3 [default: n].",
)
@click.option(
    "--merge",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Levels s in one fold.",
)
@click.option(
    "--positive-margin",
    metavar="NUMBER",
    help="Margin γ to build for [default: what the maps need].",
)
@click.option(
    "--negative-margin",
    metavar="NUMBER",
    help="Margin δ to build for [default: what the maps need].",
)
@click.option(
    "--count",
    type=Count(),
    default=1_000_000,
    show_default=True,
    help="Points on which it is tried.",
)
@click.option(
    "--curve", default="1", show_default=True, help="Curve of these points: 1 to 6, polynomial:P, …"
)
@click.option(
    "--seed", metavar="NUMBER", default="0", show_default=True, help="Seed of these points."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write (HDF5)."
)
@click.option("--overwrite", is_flag=True, help="Replace the output where it exists.")
@json_option
@quiet_option
def command(
    levels: int | None,
    merge: int,
    count: int,
    output: Path,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: str | None,
) -> None:
    """Build a network that decides FRACTAL, a name (see 'fracsim show') or the path of a TOML file:
    it folds the plane, level by level, onto a single cell.

    2n + 1 hidden layers of at most 5dr units are right on every point that keeps the margins said.
    --levels j leaves the finer levels out, which costs 1 - P(j); --merge s makes the network
    shallower and wider. The file can be drawn (fracsim-plot decision) and trained further (fracsim
    train --init-from)."""
    from fracsim.cli.options import command_line
    from fracsim.fractals.curve import parse_curve
    from fracsim.fractals.distribution import Distribution
    from fracsim.studies.construct.construct import construct
    from fracsim.studies.construct.verify import store_network, verify
    from fracsim.training.run import make_run

    run = make_run({key: text for key, text in settings.items() if text is not None})
    check_output(output, overwrite)
    margins = {
        key: getattr(run, key)
        for key in ("positive_margin", "negative_margin")
        if settings[key] is not None
    }
    built = construct(run.load_fractal(), run.fractal_depth, levels, merge, **margins)
    curve = parse_curve(run.curve)
    distribution = Distribution(
        built.fractal, run.fractal_depth, curve, None, built.positive_margin, built.negative_margin
    )
    with ProgressBar("try", count, unit="points", quiet=quiet or as_json) as progress:
        tried = verify(built, distribution, count, run.seed, progress.update)
    store_network(output, built, tried, distribution, run.seed, command_line())
    if as_json:
        echo_json({"output": str(output), **summary(built, tried, distribution)})
    elif not quiet:
        click.echo(f"{output}: {_words(built, tried, distribution)}")


def summary(
    built: "Construction", tried: "Verification", distribution: "Distribution"
) -> dict[str, Any]:
    """The object of ``--json``. Lists by level go from 0 to n; ``expected_error`` is 1 -
    P(levels)."""
    return {
        "fractal": built.fractal.name,
        "fractal_depth": built.fractal_depth,
        "levels": built.levels,
        "merge": built.merge,
        "hidden_layers": built.shape.depth,
        "layer_sizes": built.layer_sizes,
        "width": built.shape.width,
        "parameters": built.parameters,
        "stored_parameters": built.params.size,
        "largest_weight": built.largest_weight,
        "slope": built.slope,
        "positive_margin": built.positive_margin,
        "negative_margin": built.negative_margin,
        "samples": int(tried.samples.sum()),
        "samples_by_level": tried.samples,
        "errors_by_level": tried.errors,
        "error": tried.error,
        "expected_error": 1 - distribution.curve.values(built.fractal_depth)[built.levels],
        "hinge_loss": tried.hinge_loss,
    }


def _words(built: "Construction", tried: "Verification", distribution: "Distribution") -> str:
    fractal, n = built.fractal, built.fractal_depth
    say = summary(built, tried, distribution)
    touch = "its images touch" if fractal.touching else "its images keep a gap"
    stored = f"; {built.params.size:,} stored, every layer filled up to the widest"
    lines = [
        f"a network that decides K_{built.levels} of {fractal.name}",
        f"hidden layers    {built.shape.depth}, of {', '.join(map(str, built.layer_sizes))} units",
        f"parameters       {built.parameters:,} ({built.shape.width} wide{stored})",
        f"largest weight   {built.largest_weight:.4g}",
        f"slope            {built.slope} the images ({touch})",
        f"positive margin  {built.positive_margin:.4g}",
        f"negative margin  {built.negative_margin:.4g}",
        f"error            {tried.error:.6f} on {say['samples']:,} points; 1 - P({built.levels}) = "
        f"{say['expected_error']:.6f}",
        f"hinge loss       {tried.hinge_loss:.6f}",
        "",
        f"{'level':>5}  {'points':>10}  {'errors':>10}",
    ]
    for j, (count, errors) in enumerate(zip(tried.samples, tried.errors, strict=True)):
        what = (
            "positives"
            if j == n
            else "lost: finer than the network looks"
            if j >= built.levels
            else ""
        )
        lines.append(f"{j:5}  {count:10,}  {errors:10,}  {what}".rstrip())
    return "\n".join(lines)
