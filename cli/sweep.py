"""``fracsim sweep``: every run of an experiment into one trajectory file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.choice import Choice, choice_options
from fracsim.cli.options import (
    command_line,
    echo_json,
    example,
    json_option,
    quiet_option,
    training_options,
)
from fracsim.cli.progress import SweepBar, say
from fracsim.cli.streams import remark
from fracsim.errors import Stopped, UsageError
from fracsim.text import counted, duration, size, table

if TYPE_CHECKING:
    from fracsim.experiments.experiment import Experiment
    from fracsim.sweeps.estimate import DeviceEstimate


@click.command(
    "sweep",
    epilog=example(
        "fracsim sweep cantor5-depth-width --quick -o quick.h5",
        "fracsim sweep cantor5-depth-width --set width=10,20 --set seed=0:2 -o narrow.h5",
        "fracsim sweep my-experiment.toml --dry-run",
        "fracsim sweep --from quick.h5 --seed 1 -o again.h5",
    ),
)
@choice_options
@click.option("--shard", metavar="i/N", help="Train only part i (from 0) of N parts of equal work.")
@click.option(
    "--executor",
    metavar="TEXT",
    default="threads",
    show_default=True,
    help="threads, processes, or dask:ADDRESS.",
)
@training_options
@json_option
@quiet_option
def command(choice: Choice, output: str | None, **how: Any) -> int | None:
    """Train every network of EXPERIMENT, a shipped name or a TOML file, into one trajectory file.

    A signal (Ctrl-C too) stops it with exit code 75 and a checkpoint: the same command goes on, bit
    for bit. It does nothing where the file is complete, and never replaces another experiment's.
    The command line wins over FRACSIM_* variables (FRACSIM_STEPS, FRACSIM_DEPTH, ...), these over
    the TOML file."""
    return run_experiment(choice.resolve(), output, **how)


def run_experiment(
    experiment: Experiment,
    output: str | None,
    *,
    threads: int | None,
    overwrite: bool,
    backend: str,
    checkpoint_every: str,
    max_time: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    shard: str | None = None,
    executor: str = "threads",
) -> int | None:
    """Train an experiment as the options say and tell the result; the exit code."""
    from fracsim.machine.walltime import parse_duration, time_limit

    interval = parse_duration(checkpoint_every, "--checkpoint-every")
    if dry_run:
        show_estimate(experiment, output, threads, backend, as_json, shard, executor, overwrite)
        return None
    if output is None:
        raise UsageError("the trajectory file is missing: give -o FILE (--output)")
    from fracsim.sweeps.sweep import run_sweep

    with SweepBar(experiment.name, quiet) as progress:
        summary = run_sweep(
            experiment,
            output,
            backend=backend,
            executor=executor,
            threads=threads,
            shard=shard,
            overwrite=overwrite,
            checkpoint_every=interval,
            max_seconds=None if max_time is None else time_limit(max_time, say(quiet)),
            progress=progress,
            announce=say(quiet),
            command=command_line(),
        )
    tell(experiment, summary, as_json, quiet)
    return Stopped.exit_code if summary.status == "interrupted" else None


def tell(experiment: Experiment, summary: Any, as_json: bool, quiet: bool) -> None:
    """Print what became of a sweep: JSON or a table on stdout, the rest on stderr."""
    from fracsim.products.results import results_of, runs_of, sweep_table

    runs = runs_of(summary.output)
    results = results_of(runs, experiment.varied)
    if as_json:
        echo_json(report(summary, results))
    elif not quiet:
        if len(results) == 1:
            click.echo(_one_line_result(results[0], summary.status))
        else:
            click.echo(sweep_table(runs, experiment.varied))
    if quiet:
        return
    diverged = sum(result["status"] == "diverged" for result in results)
    if diverged and len(results) > 1:
        remark(f"{diverged} of {len(results)} runs diverged (their loss was no longer finite).")
    if summary.status == "interrupted":
        ended = sum(result["status"] in ("complete", "diverged") for result in results)
        remark(
            f"Stopped by {summary.reason}: {summary.output} and its checkpoint keep all that is "
            f"done, {ended} of "
            f"{len(results)} runs ended; the same command goes on.",
        )
    elif summary.already_complete:
        remark(f"{summary.output} is already complete (--overwrite trains it again).")
    else:
        remark(f"{summary.output} is complete, in {duration(summary.seconds)}.")


def _one_line_result(result: dict[str, Any], status: str) -> str:
    """A single run in a line; ``status`` is the sweep's, which holds where the run has not
    ended."""
    from fracsim.products.dead import WHY
    from fracsim.products.results import best_of

    final, status = result["final"], "diverged" if result["status"] == "diverged" else status
    if final is None or best_of(result) is None:
        return f"{status}, no record"
    about = f"{status} after {final['step']:,} steps: "
    since = result.get("dead_since")
    dead = "" if since is None else f"; dead since step {since:,}: {WHY}"
    if "best_test_r2" in result:
        return about + (
            f"best test R² {result['best_test_r2']:.4f}, last {final['test_r2']:.4f} "
            f"(root mean square error {final['test_rmse']:.4g}){dead}"
        )
    # of labels that are a teacher's outputs, training has no accuracy
    beside = [
        f"{words} {final[name]:.4f}"
        for name, words in (("train_accuracy", "training"), ("test_agreement", "teacher's sign"))
        if final.get(name) is not None
    ]
    return about + (
        f"best test accuracy {result['best_test_accuracy']:.4f}, "
        f"last {final['test_accuracy']:.4f} ({', '.join(beside)}){dead}"
    )


def report(summary: Any, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The object of ``--json``. One run: its numbers and ``final``; a sweep: totals and a list
    ``runs``.

    ``steps`` and ``seconds`` are this call's; ``seconds`` those of the training kernels,
    compilation and records excluded, summed over the threads; None where the file was complete
    before. ``reason``: what stopped it."""
    from fracsim.products.results import bests_of

    steps, seconds = sum(summary.steps), sum(summary.run_seconds)
    fresh = not summary.already_complete
    value: dict[str, Any] = {
        "output": str(summary.output),
        "status": summary.status,
        "steps": steps
        if fresh
        else sum(result["final"]["step"] if result["final"] else 0 for result in results),
        "seconds": seconds if fresh else None,
        "steps_per_second": steps / seconds if fresh and seconds > 0 else None,
        **bests_of(results),
    }
    if summary.reason:
        value["reason"] = summary.reason
    if len(results) > 1:
        return {**value, "threads": summary.threads, "runs": results}
    status = results[0]["status"]
    if results[0]["dead_since"] is not None:
        value["dead_since"] = results[0]["dead_since"]
    return {
        **value,
        "status": status if status == "diverged" else summary.status,
        "final": results[0]["final"],
    }


def show_estimate(
    experiment: Experiment,
    output: str | None,
    threads: int | None,
    backend: str,
    as_json: bool,
    shard: str | None,
    executor: str,
    overwrite: bool,
) -> None:
    """Print what an experiment will take, with measured times; nothing is written."""
    import dataclasses

    from fracsim.experiments.shard import make_part
    from fracsim.products.points import resolutions
    from fracsim.products.product import check_output, folder_of, held_by
    from fracsim.sweeps.estimate import check_room, estimate, measure
    from fracsim.sweeps.sweep import choose_backend, choose_threads, continued
    from fracsim.training.groups import Groups

    part, chosen = make_part(experiment, shard), choose_backend(backend)
    stored = check_output(part, Path(output), overwrite) if output is not None else None
    part, notes = continued(part, stored)
    finest = {found.fractal: dict(found.greatest) for _, found in resolutions(part.runs)}
    groups = Groups(part.runs, chosen)
    launches = groups.at_start()
    count, reason = choose_threads(threads, len(launches), chosen.side_by_side)
    expected = estimate(part, count, count if executor == "processes" else 1, groups)
    held = held_by(Path(output)) if output is not None and stored is not None else 0
    check_room(expected, folder_of(Path(output)) if output else Path(), held)
    expected = measure(part, expected, chosen)
    if as_json:
        echo_json(
            {
                "experiment": experiment.name,
                "varied": experiment.varied,
                **dataclasses.asdict(expected),
                "greatest_depth": finest,
                "notes": notes,
            }
        )
        return
    varied = ", ".join(experiment.varied) or "nothing"
    runs = counted(expected.runs, "run")
    click.echo(f"{experiment.name}: {runs} of {expected.shapes[0].steps:,} steps, varied: {varied}")
    rows: list[tuple[object, ...]] = [
        ("T", "k", "d", "runs", "parameters", "µs a step", "each run")
    ]
    for shape in expected.shapes:
        seconds = shape.step_seconds or 0.0
        network = (shape.network_depth, shape.width, shape.inputs, shape.runs)
        times = (f"{1e6 * seconds:.1f}", duration(seconds * shape.steps))
        rows.append((*network, f"{shape.parameters:,}", *times))
    click.echo("\n".join(table(rows, indent="  ")))
    for name, greatest in finest.items():
        depths = ", ".join(f"{n} in {precision}" for precision, n in greatest.items())
        click.echo(f"greatest fractal depth of {name}: {depths}")
    for note in notes:
        click.echo(note)
    click.echo(f"records {expected.records:,}, data sets {expected.data_sets}")
    click.echo(f"memory at most {size(expected.memory)}, disk at most {size(expected.disk)}")
    where = f"{counted(count, 'thread')} ({reason})"
    if expected.device is not None:
        where = chosen.device
        click.echo(_launches(expected.device))
    click.echo(f"about {duration(expected.seconds or 0.0)} on {where}, records excluded")


def _launches(device: DeviceEstimate) -> str:
    """What a sweep will take of the device, in a line."""
    runs = [
        f"{device.launches.count(most)} of {most} runs"
        for most in sorted(set(device.launches), reverse=True)
    ]
    shown = ", ".join(runs[:8]) + (", …" if len(runs) > 8 else "")
    free = "" if device.free is None else f" of {size(device.free)} that is free"
    return f"launches: {shown}; memory of the device {size(device.memory)}{free}"
