"""``fracsim status``: what files hold and how far their runs are."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.frame import describe, echo_json, example, json_option

if TYPE_CHECKING:
    from fracsim.data.reader import Trajectory


@click.command(epilog=example("fracsim status run.h5", "fracsim status *.h5 --runs", "fracsim status run.h5 --json"))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--runs", "with_runs", is_flag=True, help="One line for each run of a trajectory.")
@json_option
def command(files: tuple[Path, ...], with_runs: bool, as_json: bool) -> int:
    """Say what FILES hold: an experiment and how far its runs are, sampled points, or a study.

    A file that is being written is read as far as it is. Exit code 0 where all files can be read, also unfinished
    ones; 1 where one cannot.
    """
    reports = [report(path) for path in files]
    if as_json:
        echo_json(reports)
    for path, facts in zip(files, reports, strict=True):
        if "error" in facts:
            click.echo(f"Error: {facts['error']}", err=True)
        elif not as_json:
            click.echo("\n".join(_words(path, facts, with_runs)))
    return int(any("error" in facts for facts in reports))


def report(path: Path) -> dict[str, Any]:
    """The state of one file as plain values; ``error`` says why it cannot be read."""
    from fracsim.data.errors import FileError
    from fracsim.data.reader import open_trajectory, sniff
    from fracsim.data.samples import read_samples
    from fracsim.data.studies import read_study

    try:
        kind = sniff(path)
        if kind == "study":
            study = read_study(path)
            sizes = {name: list(values.shape) for name, values in study.arrays.items()}
            facts = {"study": study.kind, "created": study.attributes.get("created"), "variables": sizes}
            return {"file": str(path), "kind": "study", "status": "complete", **facts}
        if kind == "samples":
            samples = read_samples(path)
            facts = {key: samples.attributes.get(key) for key in ("fractal", "fractal_depth", "curve", "seed")}
            return {"file": str(path), "kind": "samples", "status": "complete", "points": len(samples.y), **facts}
        return {"file": str(path), "kind": "trajectory", **trajectory_facts(open_trajectory(path))}
    except (FileError, OSError) as error:
        return {"file": str(path), "error": describe(error)[0]}


def trajectory_facts(trajectory: "Trajectory") -> dict[str, Any]:
    """State of a trajectory and of each of its runs, with what distinguishes the runs."""
    from fracsim.data.schema import RUN_STATUS

    columns = {key: [str(value) for value in column] for key, column in trajectory.runs.items()}
    states = list(trajectory.run_status)
    records = len(trajectory.steps)
    accuracy = trajectory.variable("test_accuracy")
    return {
        "status": trajectory.status,
        "note": trajectory.note,
        "experiment": trajectory.experiment.get("name"),
        "created": trajectory.attributes.get("created"),
        "steps": int(trajectory.steps[-1]) if records else 0,
        "records": records,
        "run_status": {state: states.count(state) for state in RUN_STATUS if state in states},
        "runs": [
            {
                "run": run,
                "status": state,
                "records_done": int(done),
                "best_test_accuracy": max(
                    (float(value) for value in accuracy[run, :done] if value == value), default=None
                ),
                **{key: column[run] for key, column in columns.items() if len(set(column)) > 1},
            }
            for run, (state, done) in enumerate(zip(states, trajectory.records_done, strict=True))
        ],
    }


def _words(path: Path, facts: dict[str, Any], with_runs: bool) -> list[str]:
    if facts["kind"] == "samples":
        what = ", ".join(f"{key} {facts[key]}" for key in ("fractal_depth", "curve", "seed"))
        return [f"{path}: {facts['points']:,} points of {facts['fractal']} ({what.replace('_', ' ')})"]
    if facts["kind"] == "study":
        return [f"{path}: a study of kind {facts['study']}, made {facts['created'] or 'at an unknown time'}"]
    states = ", ".join(f"{count} {state}" for state, count in facts["run_status"].items())
    lines = [
        f"{path}: {facts['experiment']}, {facts['note'] or facts['status']}; {len(facts['runs'])} run(s) "
        f"of {facts['steps']:,} steps and {facts['records']} record(s): {states}"
    ]
    for run in facts["runs"] if with_runs else ():
        varied = ", ".join(f"{key} {value}" for key, value in list(run.items())[4:])
        best = run["best_test_accuracy"]
        lines.append(
            f"  run {run['run']:<4} {run['status']:<9} {run['records_done']:>5}/{facts['records']} records  "
            f"{'' if best is None else f'best test accuracy {best:.4f}'}  {varied}".rstrip()
        )
    return lines
