"""``fracsim regions``: linear regions of a stored or random network, counted exactly in a window or
along lines."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fracsim.cli.options import Count, check_output, echo_json, example, json_option, quiet_option
from fracsim.cli.progress import ProgressBar
from fracsim.errors import UsageError
from fracsim.machine.cpus import MOST_THREADS
from fracsim.text import duration

if TYPE_CHECKING:
    from fracsim.studies.regions.study import Measured, Place
    from fracsim.studies.regions.subjects import Subject

RANDOM = ("inputs", "depth", "width", "init", "bias", "bias_std")
"""Parameters that describe a random network."""


class Numbers(click.ParamType):
    """``a,b,…``: at least two finite numbers."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if len(numbers) < 2 or not all(abs(number) < float("inf") for number in numbers):
            self.fail(f"'{value}' is not a list of finite numbers (as in -1,1,-1,1).", param, ctx)
        return numbers


@click.command(
    epilog=example(
        "fracsim regions net.h5 --window -1,1,-1,1",
        "fracsim regions --random --inputs 2 --depth 3 --width 64 --bias-std 0.5 -o regions.h5",
        "fracsim regions run.h5 --snapshot all -o training.h5",
        "fracsim regions --random --inputs 10 --depth 5 --width 100 --bias-std 0.5 --lines 1e5",
    )
)
@click.argument("file", required=False)
@click.option(
    "--run", type=click.IntRange(min=0), help="Number of the run in FILE [default: the best one]."
)
@click.option(
    "--snapshot",
    metavar="NUMBER|all",
    help="Which stored weights; all: through training [default: last].",
)
@click.option("--random", "is_random", is_flag=True, help="A random network instead of FILE.")
@click.option(
    "--inputs", type=Count(10_000), default=2, show_default=True, help="Its input dimension d."
)
@click.option(
    "--depth",
    type=click.IntRange(0, 1000),
    default=3,
    show_default=True,
    help="Its hidden layers T.",
)
@click.option(
    "--width", type=Count(100_000), default=64, show_default=True, help="Its units k in each layer."
)
@click.option(
    "--init",
    default="he",
    show_default=True,
    help="Its initialisation: paper, he, glorot or uniform.",
)
@click.option(
    "--bias",
    type=float,
    help="Its bias, or the mean of its biases [default: the initialisation's].",
)
@click.option(
    "--bias-std",
    type=float,
    help="Standard deviation of normal biases [default: all biases are equal].",
)
@click.option(
    "--window",
    type=Numbers(),
    metavar="LOW,HIGH,…",
    help="Interval, rectangle or box [default: the base].",
)
@click.option(
    "--segment", type=Numbers(), metavar="START,END", help="Count on one segment: 2d coordinates."
)
@click.option(
    "--lines",
    type=Count(10**8),
    help="Count on so many random segments between points of the window.",
)
@click.option(
    "--points",
    type=Count(10**8),
    default=1000,
    show_default=True,
    help="Random points whose distance to the nearest boundary is measured.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="Seed of the random network, lines and points.",
)
@click.option(
    "--threads",
    type=Count(MOST_THREADS),
    help="Threads for --lines [default: all this process may use].",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write (HDF5), for fracsim-plot regions.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output where it exists.")
@json_option
@quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    file: str | None,
    threads: int | None,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Count the linear regions of the network in FILE, or of a random one, and set them beside the
    known bounds.

    Networks with 2 inputs are counted in a window of the plane, with 1 input on an interval, with
    any number along a segment or many. Activation regions: the same units are active. Linear
    pieces: neighbours with the same affine function are one."""
    from fracsim.studies.regions.study import measure

    given = [
        name for name in RANDOM if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    subjects = find_subjects(file, options, given)
    place = find_place(subjects[0], options)
    if output is not None:
        check_output(output, overwrite)
    if threads is None:
        from fracsim.machine.cpus import available_threads

        threads = available_threads()[0]
    started = time.perf_counter()
    measured: list[Any] = []
    with ProgressBar("count", len(subjects), unit="networks", quiet=quiet or as_json) as progress:
        for subject in subjects:
            progress.update(len(measured), subject.about)
            measured.append(measure(subject.shape, subject.params, place, threads))
    seconds = time.perf_counter() - started
    if output is not None:
        store(output, subjects, place, measured)
    if as_json:
        echo_json(summary(subjects, place, measured, output, seconds))
    elif not quiet:
        click.echo(_words(subjects, place, measured, output, seconds))


def find_subjects(file: str | None, options: dict[str, Any], given: list[str]) -> "list[Subject]":
    """The networks to count: a random one, one of a file, or all snapshots of a run."""
    from fracsim.studies.regions.subjects import random_subject, stored_subjects

    if options["is_random"] == (file is not None):
        raise UsageError(
            "give either a FILE with a network or --random" + ("" if file is None else ", not both")
        )
    if file is None:
        described = {
            name: options[name]
            for name in ("inputs", "depth", "width", "init", "bias", "bias_std", "seed")
        }
        return [random_subject(**described)]
    if given:
        raise UsageError(
            f"--{given[0].replace('_', '-')} describes a random network; it needs --random, not a "
            f"FILE"
        )
    return stored_subjects(file, options["run"], options["snapshot"])


def find_place(subject: "Subject", options: dict[str, Any]) -> "Place":
    """Where to count, from the options; the window is by default the base of the network's
    fractal."""
    from fracsim.studies.regions.study import Place

    if options["segment"] is not None and options["lines"] is not None:
        raise UsageError("give --segment or --lines, not both")
    window = options["window"] or (subject.low, 1.0) * subject.shape.inputs
    return Place(window, options["segment"], options["lines"], options["points"], options["seed"])


def summary(
    subjects: "list[Subject]",
    place: "Place",
    measured: "list[Measured]",
    output: Path | None,
    seconds: float,
) -> dict[str, Any]:
    """The object of ``--json``: of the last network, with a list of all snapshots where there are
    several."""
    last = subjects[-1]
    facts = {
        "network": last.about,
        "inputs": last.shape.inputs,
        "depth": last.shape.depth,
        "width": last.shape.width,
        "measure": place.kind,
        "window": place.window,
        **measured[-1].facts,
        "seconds": seconds,
    }
    if output is not None:
        facts["output"] = str(output)
    if last.note:
        facts["note"] = last.note
    if len(subjects) > 1:
        facts["snapshots"] = [
            {
                "step": one.step,
                "test_accuracy": one.accuracy,
                **{key: counted.facts[key] for key in _COUNTS},
                "mean_distance": counted.facts["distance"]["mean"],
            }
            for one, counted in zip(subjects, measured, strict=True)
        ]
    return facts


_COUNTS = ("activation_regions", "linear_pieces")


def store(
    path: Path, subjects: "list[Subject]", place: "Place", measured: "list[Measured]"
) -> None:
    """Write the study: the regions of one network, or the counts of all snapshots."""
    from fracsim.cli.options import command_line
    from fracsim.data.provenance import provenance
    from fracsim.data.studies import write_study
    from fracsim.studies.regions.study import attributes

    last = subjects[-1]
    facts = {
        **last.attributes(),
        **attributes(last.shape, place, measured[-1].facts),
        **provenance(command_line()),
    }
    arrays = dict(measured[-1].arrays)
    if len(subjects) > 1:
        arrays = {key: [counted.facts[key] for counted in measured] for key in _COUNTS}  # type: ignore[misc]
        arrays["snapshot"] = [one.step for one in subjects]  # type: ignore[assignment]
        arrays["test_accuracy"] = [one.accuracy for one in subjects]  # type: ignore[assignment]
        arrays["mean_distance"] = [counted.facts["distance"]["mean"] for counted in measured]  # type: ignore[assignment]
    write_study(path, "regions", arrays, facts)


def _words(
    subjects: "list[Subject]",
    place: "Place",
    measured: "list[Measured]",
    output: Path | None,
    seconds: float,
) -> str:
    where = {
        "plane": "in the window",
        "segment": "on the segment",
        "lines": f"on {place.lines:,} segments" if place.lines else "",
    }[place.kind]
    facts = measured[-1].facts
    lines = [
        f"{subjects[-1].about}: {facts['activation_regions']:,} activation regions {where}, "
        f"{facts['linear_pieces']:,} linear pieces ({duration(seconds)})"
    ]
    if len(subjects) > 1:
        lines.append(f"{'step':>12}  {'regions':>12}  {'pieces':>12}  {'test accuracy':>13}")
        for one, counted in zip(subjects, measured, strict=True):
            regions, pieces = (counted.facts[key] for key in _COUNTS)
            lines.append(f"{one.step:12,}  {regions:12,}  {pieces:12,}  {one.accuracy:13.4f}")
    average, distance, n = facts["average_case"], facts["distance"], facts["neurons"]
    if "ratio" in average:
        lines.append(
            f"average case: N²/2 = {average['regions']:,.0f} for N = {n} neurons; "
            f"here {average['ratio']:.3g} times as many"
        )
    else:
        lines.append(
            f"average case: linear in N = {n} neurons; here "
            f"{average['breakpoints_per_length']:.4g} "
            f"breakpoints per unit length, {average['per_neuron']:.3g} · N"
        )
    lines.append(
        f"distance to the nearest boundary: mean {distance['mean']:.3g} = "
        f"{distance['mean_times_neurons']:.3g} / N, median {distance['median']:.3g}"
    )
    shown = {
        "zaslavsky": "one layer of as many units (Zaslavsky)",
        "montufar": "the best network has (Montúfar)",
        "serra": "no network has more (Serra)",
        "paper": "no network has more (the paper's bound)",
    }
    lines += [f"{_short(facts['bounds'][key]):>14}  {text}" for key, text in shown.items()]
    return "\n".join([*lines, *([f"{output}"] if output else [])])


def _short(number: float) -> str:
    """Seven digits or fewer as they are, larger ones by their power of ten, also beyond what a
    float can hold."""
    if number < 1e7:
        return f"{number:,.0f}"
    digits = len(str(number)) - 1 if isinstance(number, int) else None
    return f"{number:.3e}" if digits is None or digits < 300 else f"10^{digits}"
