"""``fracsim status``: what files hold, how far their runs are, and what of their experiments is
missing."""

import datetime
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.app import describe
from fracsim.cli.options import echo_json, example, json_option
from fracsim.cli.streams import remark
from fracsim.errors import UsageError
from fracsim.problems.problem import BESTS
from fracsim.text import counted, duration

if TYPE_CHECKING:
    from fracsim.cli.watch import Look
    from fracsim.data.reader import Trajectory
    from fracsim.experiments.experiment import Experiment
    from fracsim.products.coverage import Coverage, Gathering

_MOST_SHOWN = 5
_OWN = ("run", "status", "records_done", "dead_since", *BESTS)


@click.command(
    epilog=example(
        "fracsim status run.h5",
        "fracsim status shard-*.h5 --runs",
        "fracsim status run.h5 --watch",
        "fracsim status run.h5 --json",
    )
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--runs", "with_runs", is_flag=True, help="One line for each run of a trajectory.")
@click.option("--watch", is_flag=True, help="Say it again and again, until all is at rest.")
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.FloatRange(0.2, 86_400),
    default=5.0,
    show_default=True,
    help="Time between two looks of --watch.",
)
@json_option
def command(
    files: tuple[Path, ...], with_runs: bool, watch: bool, every: float, as_json: bool
) -> int:
    """Say what FILES hold: an experiment and how far its runs are, sampled points, or a study.

    A file that is being written is read as far as it is. Shards are also counted together: how many
    runs of their experiment are done, running, interrupted, diverged or missing. Exit code 0 where
    all files can be read, also unfinished ones; 1 where one cannot."""
    if watch and as_json:
        raise UsageError("--watch and --json exclude each other; ask for JSON once at a time")
    if watch:
        from fracsim.cli.watch import look_again

        return int(look_again(lambda: _seen(files, with_runs), every))
    reports, wholes = state_of(files)
    if as_json:
        echo_json({"files": reports, "experiments": wholes})
    for path, facts in zip(files, reports, strict=True):
        if "error" in facts:
            remark(f"Error: {facts['error']}")
        elif not as_json:
            click.echo("\n".join(_words(path, facts, with_runs)))
    for whole in () if as_json else wholes:
        click.echo("\n".join(_whole_words(whole)))
    return int(any("error" in facts for facts in reports))


def state_of(files: Sequence[Path]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What each file says, and what those of one experiment say together."""
    from fracsim.products.coverage import Gathering

    gathering = Gathering()
    reports = [report(path, gathering) for path in files]
    wholes = [
        experiment_facts(coverage)
        for coverage in gathering.coverages()
        if len(coverage.files) > 1 or coverage.files[0].shard
    ]
    return reports, wholes


def _seen(files: Sequence[Path], with_runs: bool) -> "Look":
    """The same for ``--watch``."""
    from fracsim.cli.watch import Look

    reports, wholes = state_of(files)
    lines: list[str] = []
    for path, facts in zip(files, reports, strict=True):
        wrong = facts.get("error")
        lines += [f"Error: {wrong}"] if wrong else _words(path, facts, with_runs)
    for whole in wholes:
        lines += _whole_words(whole)
    runs = [
        (run["records_done"], facts["records"])
        for facts in reports
        for run in facts.get("runs", ())
    ]
    there, all_of_them = (sum(column) for column in zip(*runs, strict=True)) if runs else (0, 0)
    running = any(facts.get("state") == "running" for facts in reports)
    failed = any("error" in facts for facts in reports)
    return Look("\n".join(lines), running, there / all_of_them if all_of_them else 0.0, failed)


def report(path: Path, gathering: "Gathering") -> dict[str, Any]:
    """The state of one file as plain values; ``error`` says why it cannot be read. Trajectories are
    gathered."""
    from fracsim.data.contents import open_any
    from fracsim.data.errors import FileError
    from fracsim.data.samples import Samples
    from fracsim.data.studies import StudyContents
    from fracsim.studies import formats

    try:
        found = open_any(path, *formats())
        if isinstance(found, StudyContents):
            sizes = {name: list(values.shape) for name, values in found.arrays.items()}
            facts = {
                "study": found.kind,
                "created": found.attributes.get("created"),
                "variables": sizes,
            }
            return {"file": str(path), "kind": "study", "status": "complete", **facts}
        if isinstance(found, Samples):
            facts = {
                key: found.attributes.get(key)
                for key in ("fractal", "fractal_depth", "curve", "seed")
            }
            return {
                "file": str(path),
                "kind": "samples",
                "status": "complete",
                "points": len(found.y),
                **facts,
            }
        trajectory = found
        held, experiment = gathering.add(trajectory), gathering.experiment(trajectory)
        varied = experiment.varied if experiment is not None else ()
        go_on = (
            held.command() if held is not None and held.state in ("interrupted", "dead") else None
        )
        return {
            "file": str(path),
            "kind": "trajectory",
            **trajectory_facts(trajectory, varied),
            "remark": _misfits(trajectory, experiment),
            "command": go_on,
        }
    except (FileError, OSError) as error:
        return {"file": str(path), "error": describe(error)[0]}


def _misfits(trajectory: "Trajectory", experiment: "Experiment | None") -> str:
    from fracsim.products.points import misfits

    if experiment is None:
        return ""
    numbers = list(trajectory.rows)
    return misfits(trajectory.attributes, [experiment.runs[number] for number in numbers], numbers)


def trajectory_facts(trajectory: "Trajectory", varied: Sequence[str]) -> dict[str, Any]:
    """State of a trajectory, of what lies beside it, and of each of its runs, with what tells the
    runs apart.

    That is what varies in the file, and in its experiment, of which it may be a shard.
    """
    from fracsim.data.lock import owner_of
    from fracsim.data.schema import RUN_STATUS
    from fracsim.products.checkpoint import facts_of
    from fracsim.products.coverage import file_state, shard_of

    columns = {
        key: column
        for key, column in trajectory.runs.items()
        if key in varied or len({str(value) for value in column}) > 1
    }
    states = list(trajectory.run_status)
    records = len(trajectory.steps)
    owner, made = owner_of(trajectory.path), facts_of(trajectory)
    bests, since = trajectory.best().tolist(), trajectory.dead_since().tolist()
    return {
        "status": trajectory.status,
        "state": file_state(trajectory.status, owner),
        "note": trajectory.note,
        "experiment": trajectory.experiment.get("name"),
        "shard": shard_of(trajectory),
        "created": trajectory.attributes.get("created"),
        "steps": int(trajectory.steps[-1]) if records else 0,
        "records": records,
        "owner": None if owner is None else {**owner._asdict(), "about": str(owner)},
        "checkpoint": checkpoint_facts(trajectory),
        "continued": made.get("continued", 0),
        "bit_identical": made.get("bit_identical"),
        "run_status": {state: states.count(state) for state in RUN_STATUS if state in states},
        "runs": [
            {
                "run": number,
                "status": state,
                "records_done": int(done),
                f"best_{trajectory.score(row)}": bests[row] if bests[row] == bests[row] else None,
                "dead_since": since[row] if since[row] >= 0 else None,
                **{key: column[row].item() for key, column in columns.items()},
            }
            for (number, row), state, done in zip(
                trajectory.rows.items(), states, trajectory.records_done, strict=True
            )
        ],
    }


def checkpoint_facts(trajectory: "Trajectory") -> dict[str, Any] | None:
    """When the newest checkpoint beside a file was made and at which step its runs are; None
    where there is none."""
    from fracsim.data.checkpoint import checkpoint_path, read_facts
    from fracsim.data.errors import FileError

    path = checkpoint_path(trajectory.path)
    try:
        made = path.stat().st_mtime
    except OSError:
        return None
    facts = {
        "file": str(path),
        "made": datetime.datetime.fromtimestamp(made, datetime.UTC).isoformat(timespec="seconds"),
        "age_seconds": max(0.0, time.time() - made),
    }
    try:
        numbers = trajectory.numbers.tolist()
        runs = sorted(
            (int(row), int(state["step"])) for row, state in read_facts(path)["runs"].items()
        )
        return {**facts, "runs": [{"run": numbers[row], "step": step} for row, step in runs]}
    except FileError as error:
        return {**facts, "error": str(error)}
    except (LookupError, ValueError, TypeError, AttributeError):
        return {**facts, "error": f"the checkpoint '{path}' is not of this trajectory file"}


def experiment_facts(coverage: "Coverage") -> dict[str, Any]:
    """The whole that some files are parts of, as plain values."""
    from fracsim.products.coverage import STATES

    return {
        "experiment": coverage.experiment.name,
        "experiment_hash": coverage.experiment.hash(),
        "files": [held.path for held in coverage.files],
        "runs": len(coverage.experiment.runs),
        "run_states": coverage.counts,
        **{state: coverage.numbers(state) for state in STATES if state != "done"},
        "missing_shards": coverage.missing_shards(),
        "commands": coverage.commands(),
    }


def _words(path: Path, facts: dict[str, Any], with_runs: bool) -> list[str]:
    if facts["kind"] == "samples":
        what = ", ".join(f"{key} {facts[key]}" for key in ("fractal_depth", "curve", "seed"))
        return [
            f"{path}: {facts['points']:,} points of {facts['fractal']} ({what.replace('_', ' ')})"
        ]
    if facts["kind"] == "study":
        return [
            f"{path}: a study of kind {facts['study']}, made "
            f"{facts['created'] or 'at an unknown time'}"
        ]
    under_way = (
        "running" if facts["state"] == "running" else "interrupted"
    )  # the file says what its last writer did
    words = {
        "complete": "complete",
        "diverged": "diverged",
        "running": under_way,
        "pending": "pending",
    }
    states = ", ".join(f"{count} {words[state]}" for state, count in facts["run_status"].items())
    shard = f" shard {facts['shard']}" if facts["shard"] else ""
    lines = [
        f"{path}: {facts['experiment']}{shard}, "
        f"{facts['state']}{facts['note'].removeprefix(facts['status'])}; "
        f"{counted(len(facts['runs']), 'run')} "
        f"of {facts['steps']:,} steps and {counted(facts['records'], 'record')}: {states}",
        *_history(facts),
        *_beside(facts),
        *_dead(facts["runs"]),
    ]
    for run in facts["runs"] if with_runs else ():
        varied = ", ".join(f"{key} {value}" for key, value in run.items() if key not in _OWN)
        said = [f"{best} {run[key]:.4f}" for key, best in BESTS.items() if run.get(key) is not None]
        if run["dead_since"] is not None:
            said.append(f"  dead since step {run['dead_since']:,}")
        lines.append(
            f"  run {run['run']:<4} {words[run['status']]:<11} "
            f"{run['records_done']:>5}/{facts['records']} records  "
            f"{''.join(said)}  {varied}".rstrip()
        )
    return lines


def _history(facts: dict[str, Any]) -> list[str]:
    """How often the file was continued, and what that did to the bits."""
    often, same = facts["continued"], facts["bit_identical"] in ("yes", None)
    said = []
    if isinstance(often, int) and often:
        said.append("continued once" if often == 1 else f"continued {often:,} times")
    if not same:
        said.append(f"not bit-identical: {str(facts['bit_identical']).removeprefix('no: ')}")
    elif said:
        said.append("bit-identical to a run without a stop")
    return [f"  {'; '.join(said)}"] if said else []


def _dead(runs: list[dict[str, Any]]) -> list[str]:
    """A line on the runs whose networks are dead."""
    from fracsim.products.dead import WHY

    dead = [run for run in runs if run["dead_since"] is not None]
    if not dead:
        return []
    named = [f"run {run['run']} since step {run['dead_since']:,}" for run in dead[:_MOST_SHOWN]]
    more = ", …" if len(dead) > _MOST_SHOWN else ""
    count = f"{len(dead)} of {counted(len(runs), 'run')}"
    return [f"  dead networks: {count} ({', '.join(named)}{more}): {WHY}"]


def _beside(facts: dict[str, Any]) -> list[str]:
    """What the lock and the checkpoint of an unfinished trajectory file say, and how to go on."""
    lines, owner = [f"  {facts['remark']}"] if facts["remark"] else [], facts["owner"]
    if facts["state"] == "running":
        lines.append(f"  running: {owner['about']}")
    elif facts["state"] == "dead":
        who = f"{owner['about']} is gone" if owner else "whoever wrote it is gone"
        lines.append(f"  dead: {who}, without a stop")
    if (made := facts["checkpoint"]) is not None:
        under_way = [f"run {run['run']} at step {run['step']:,}" for run in made.get("runs", ())]
        what = ", ".join(under_way[:_MOST_SHOWN]) + (", …" if len(under_way) > _MOST_SHOWN else "")
        what = made.get("error") or what or "no run in progress"
        lines.append(f"  checkpoint, {duration(made['age_seconds'])} old: {what}")
    if facts["command"]:
        lines.append(f"  to go on: {facts['command']}")
    return lines


def _whole_words(whole: dict[str, Any]) -> list[str]:
    from fracsim.products.coverage import ranges

    counts = ", ".join(f"{count} {state}" for state, count in whole["run_states"].items())
    files = counted(len(whole["files"]), "file")
    lines = [f"{whole['experiment']}, {files}: of {counted(whole['runs'], 'run')} {counts}"]
    for state in ("diverged", "missing"):
        if whole[state]:
            lines.append(f"  {state}: {ranges(whole[state])}")
    missing = whole["commands"][len(whole["commands"]) - len(whole["missing_shards"]) :]
    lines += [f"  to train what is missing: {command}" for command in missing[:_MOST_SHOWN]]
    if len(missing) > _MOST_SHOWN:
        lines.append(f"  and shards {', '.join(whole['missing_shards'][_MOST_SHOWN:])}")
    return lines
