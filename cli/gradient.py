"""``fracsim gradient``: Theorem 5 by numbers, exact in one dimension, sampled in any."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.options import Count, check_output, echo_json, example, json_option, quiet_option
from fracsim.cli.progress import ProgressBar
from fracsim.text import duration

if TYPE_CHECKING:
    from fracsim.fractals.fractal import Fractal
    from fracsim.studies.gradient.gradient import GradientStudy, RandomNetworks

QUANTILES = (0.05, 0.5, 0.95)


@click.command(
    epilog=example(
        "fracsim gradient cantor1d --fractal-depth 40 --curve 6 --bias 0.5 --draws 1000 -o g.h5",
        "fracsim gradient cantor1d --curve 1 --curve 6 --init he --bias-std 0.5 -o he.h5",
        "fracsim gradient vicsek --fractal-depth 4 --init he --samples 100000 --draws 20 -o "
        "vicsek.h5",
    )
)
@click.argument("fractal")
@click.option(
    "--fractal-depth",
    metavar="NUMBER",
    default="20",
    show_default=True,
    help="Depth n of the fractal.",
)
@click.option(
    "--curve",
    "curves",
    multiple=True,
    default=("6",),
    show_default=True,
    help="1 to 6, polynomial:P, finest:M, or P(0),P(1),…,P(n); may be repeated.",
)
@click.option(
    "--depth",
    "network_depth",
    metavar="NUMBER",
    default="2",
    show_default=True,
    help="Hidden layers T.",
)
@click.option(
    "--width",
    metavar="NUMBER",
    default="20",
    show_default=True,
    help="Width k of each hidden layer.",
)
@click.option(
    "--init",
    "initialisation",
    metavar="paper|he|glorot|uniform",
    default="uniform",
    show_default=True,
    help="Initial weights; uniform is the theorem's.",
)
@click.option(
    "--bias",
    metavar="NUMBER",
    help="Initial biases [default: the initialisation's; uniform needs one].",
)
@click.option(
    "--bias-std", type=float, metavar="NUMBER", help="Draw the biases from N(bias, bias-std²)."
)
@click.option(
    "--draws", type=Count(10**6), default=1000, show_default=True, help="Random networks."
)
@click.option(
    "--seed",
    metavar="NUMBER",
    default="0",
    show_default=True,
    help="Network i is that of seed + i.",
)
@click.option(
    "--delta", type=float, default=0.05, show_default=True, help="δ of Theorem 5, which fixes n'."
)
@click.option(
    "--samples", type=Count(10**9), help="Estimate from so many points [default: exact, for d = 1]."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write (HDF5)."
)
@click.option("--overwrite", is_flag=True, help="Replace the output where it exists.")
@json_option
@quiet_option
def command(
    fractal: str,
    curves: tuple[str, ...],
    bias_std: float | None,
    draws: int,
    delta: float,
    samples: int | None,
    output: Path,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Take loss and gradient of random networks over the whole distribution on FRACTAL (a name or a
    TOML file).

    In one dimension both are exact, for depths n up to 60. Each network is tried on every curve,
    and on the negatives of every single level; Theorem 5 of Malach & Shalev-Shwartz bounds gradient
    and loss on the Cantor distribution."""
    from fracsim.data.studies import write_study
    from fracsim.kernels.network import Shape
    from fracsim.studies.gradient.gradient import RandomNetworks, gradient_study
    from fracsim.training.run import make_run

    scheme = settings.pop("initialisation")
    run = make_run(
        {"fractal": fractal, **{key: value for key, value in settings.items() if value is not None}}
    )
    maps = run.load_fractal()
    shape = Shape(maps.dimension, run.network_depth, run.width)
    networks = RandomNetworks(shape, scheme, run.bias, bias_std, run.seed, draws)
    networks.params(
        0
    )  # an initialisation that does not exist is refused before anything is computed
    check_output(output, overwrite)
    started = time.perf_counter()
    with ProgressBar("gradient", draws, unit="networks", quiet=quiet or as_json) as progress:
        study = gradient_study(
            maps,
            run.fractal_depth,
            curves,
            networks,
            delta=delta,
            samples=samples,
            on_progress=progress.update,
        )
    seconds = time.perf_counter() - started
    write_study(
        output,
        "gradient",
        study.arrays(),
        attributes(study, maps, run.fractal_depth, networks, delta),
    )
    if as_json:
        echo_json({"output": str(output), **summary(study), "seconds": seconds})
    elif not quiet:
        click.echo(words(study, str(output), seconds))


def attributes(
    study: "GradientStudy",
    fractal: "Fractal",
    fractal_depth: int,
    draws: "RandomNetworks",
    delta: float,
) -> dict[str, Any]:
    """What the file says of its origin: enough to understand and repeat it."""
    import json

    from fracsim.cli.options import command_line
    from fracsim.data.provenance import provenance

    facts = {
        "fractal": fractal.name,
        "fractal_definition": json.dumps(fractal.to_dict()),
        "fractal_depth": fractal_depth,
        "gap": fractal.gap,
        "input_dimension": draws.shape.inputs,
        "network_depth": draws.shape.depth,
        "width": draws.shape.width,
        "initialisation": draws.initialisation,
        "bias": draws.bias,
        "bias_std": draws.bias_std,
        "seed": draws.seed,
        "samples": study.samples,
        "delta": delta,
        "n_prime": study.bound.n_prime,
        "note": study.bound.note,
        **provenance(command_line()),
    }
    return {name: value for name, value in facts.items() if value is not None}


def summary(study: "GradientStudy") -> dict[str, Any]:
    """The numbers of ``--json``; those of a single curve stand at the top, those of several in the
    list ``curves``."""
    import numpy as np

    rows = study.rows()
    level = {
        name: np.quantile(values, QUANTILES, axis=1)
        for name, values in (
            ("max_abs_gradient", study.by_level),
            ("correlation", study.correlation_by_level),
        )
    }
    return {
        **(rows[0] if len(rows) == 1 else {"curves": rows}),
        "n_prime": study.bound.n_prime,
        "draws": study.loss.shape[1],
        "samples": study.samples or None,
        "largest_error": float(study.max_abs_gradient_error.max()),
        "by_level": [
            {
                "level": j,
                **{
                    name: dict(zip(("low", "median", "high"), value[:, j], strict=True))
                    for name, value in level.items()
                },
            }
            for j in range(len(study.by_level))
        ],
        "note": study.bound.note,
    }


def words(study: "GradientStudy", output: str, seconds: float) -> str:
    """The same for people, in a few lines."""
    import numpy as np

    how = f"from {study.samples:,} points" if study.samples else "exact"
    lines = [f"{output}: {study.loss.shape[1]:,} networks, {how}, in {duration(seconds)}"]
    for row in study.rows():
        text = f"curve {row['curve']}: largest gradient entry {row['max_abs_gradient']:.3g} "
        text += (
            f"(median {row['median_abs_gradient']:.3g}), loss {row['loss_min']:.6g} to "
            f"{row['loss_max']:.6g}"
        )
        if not np.isnan(row["bound"]):
            text += (
                f"; Theorem 5 (n' = {study.bound.n_prime}): at most {row['bound']:.3g} and at "
                f"least "
            )
            text += f"{row['loss_bound']:.3g}, met by {row['share_satisfied']:.1%} of the networks"
        lines.append(text)
    medians = ", ".join(
        f"{value:.2g}" for value in np.median(study.correlation_by_level, axis=1)[:8]
    )
    lines.append(f"negatives of one level j = 0, 1, …: median of max |E[y df/dparams]| {medians}")
    return "\n".join([*lines, *([study.bound.note] if study.bound.note else [])])
