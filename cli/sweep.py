"""``fracsim sweep``: every run of an experiment into one product file."""

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
from fracsim.cli.progress import SweepBar, remark, say
from fracsim.cli.results import best_of, bests_of
from fracsim.errors import Stopped, UsageError
from fracsim.text import duration, size

if TYPE_CHECKING:
    from fracsim.experiments.experiment import Experiment
    from fracsim.sweeps.estimate import DevicePlan


@click.command(
    "sweep",
    epilog=example(
        "fracsim sweep cantor5-depth-width --quick -o quick.h5",
        "fracsim sweep cantor5-depth-width --set width=[10,20] --set seed=[0,1,2] -o narrow.h5",
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
    """Train every network of EXPERIMENT, a shipped name or a TOML file, into one product file.

    A signal (Ctrl-C too) stops it with exit code 75 and a checkpoint: the same command goes on, bit
    for bit. It does nothing where the product is complete, and never replaces another experiment's.
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
        show_plan(experiment, output, threads, backend, as_json, shard, executor, overwrite)
        return None
    if output is None:
        raise UsageError("the product file is missing: give -o FILE (--output)")
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
    from fracsim.cli.results import read_results, sweep_table

    results = read_results(summary.output, experiment.varied)
    if as_json:
        echo_json(report(summary, results))
    elif not quiet:
        if len(results) == 1:
            click.echo(_one_line_result(results[0], summary.status))
        else:
            click.echo(sweep_table(experiment.varied, results))
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
    final, status = result["final"], "diverged" if result["status"] == "diverged" else status
    if final is None or best_of(result) is None:
        return f"{status}, no record"
    about = f"{status} after {final['step']:,} steps: "
    if "best_test_r2" in result:
        return about + (
            f"best test R² {result['best_test_r2']:.4f}, last {final['test_r2']:.4f} "
            f"(root mean square error {final['test_rmse']:.4g})"
        )
    return about + (
        f"best test accuracy {result['best_test_accuracy']:.4f}, "
        f"last {final['test_accuracy']:.4f} (training {final['train_accuracy']:.4f})"
    )


def report(summary: Any, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The object of ``--json``. One run: its numbers and ``final``; a sweep: totals and a list
    ``runs``.

    ``steps`` and ``seconds`` are this call's; ``seconds`` those of the training kernels,
    compilation and records excluded, summed over the threads; None where the product was complete
    before. ``reason``: what stopped it."""
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
    return {
        **value,
        "status": status if status == "diverged" else summary.status,
        "final": results[0]["final"],
    }


def show_plan(
    experiment: Experiment,
    output: str | None,
    threads: int | None,
    backend: str,
    as_json: bool,
    shard: str | None,
    executor: str,
    overwrite: bool,
) -> None:
    """Print the plan with its measured times; nothing is written."""
    import dataclasses

    from fracsim.experiments.shard import make_part
    from fracsim.products.product import check_output, folder_of, held_by
    from fracsim.sweeps.estimate import check_room, measure, plan
    from fracsim.sweeps.sweep import choose_backend, choose_threads
    from fracsim.training.groups import Ensembles

    part, chosen = make_part(experiment, shard), choose_backend(backend)
    ensembles = Ensembles(part.runs, chosen)
    groups = ensembles.groups(range(len(part.runs)), [0] * len(part.runs))
    count, reason = choose_threads(threads, len(groups), chosen.side_by_side)
    planned = plan(part, count, count if executor == "processes" else 1, ensembles)
    stored = check_output(part, Path(output), overwrite) if output is not None else None
    held = held_by(Path(output)) if output is not None and stored is not None else 0
    check_room(planned, folder_of(Path(output)) if output else Path(), held)
    planned = measure(part, planned, chosen)
    if as_json:
        echo_json(
            {
                "experiment": experiment.name,
                "varied": experiment.varied,
                **dataclasses.asdict(planned),
            }
        )
        return
    varied = ", ".join(experiment.varied) or "nothing"
    runs = "1 run" if planned.runs == 1 else f"{planned.runs:,} runs"
    click.echo(f"{experiment.name}: {runs} of {planned.shapes[0].steps:,} steps, varied: {varied}")
    click.echo(
        f"{'T':>4} {'k':>6} {'d':>3} {'runs':>6} {'parameters':>12} {'µs a step':>10} "
        f"{'each run':>14}"
    )
    for shape in planned.shapes:
        seconds = shape.step_seconds or 0.0
        click.echo(
            f"{shape.network_depth:>4} {shape.width:>6} {shape.inputs:>3} {shape.runs:>6} "
            f"{shape.parameters:>12,} "
            f"{1e6 * seconds:>10.1f} {duration(seconds * shape.steps):>14}"
        )
    click.echo(f"records {planned.records:,}, data sets {planned.data_sets}")
    click.echo(f"memory at most {size(planned.memory)}, disk at most {size(planned.disk)}")
    plural = "s" if count > 1 else ""
    where = f"{count} thread{plural} ({reason})"
    if planned.device is not None:
        where = chosen.device
        click.echo(_launches(planned.device))
    click.echo(f"about {duration(planned.seconds or 0.0)} on {where}, records excluded")


def _launches(device: DevicePlan) -> str:
    """What a plan takes of the device, in a line."""
    runs = [
        f"{device.launches.count(most)} of {most} runs"
        for most in sorted(set(device.launches), reverse=True)
    ]
    shown = ", ".join(runs[:8]) + (", …" if len(runs) > 8 else "")
    free = "" if device.free is None else f" of {size(device.free)} that is free"
    return f"launches: {shown}; memory of the device {size(device.memory)}{free}"
