"""``fracsim check``: whether files are valid and complete, and which records they hold."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.options import echo_json, example, json_option
from fracsim.cli.streams import remark
from fracsim.errors import Stopped
from fracsim.text import counted, sentence

if TYPE_CHECKING:
    from fracsim.products.check import Report

_MOST_LINES = 20


@click.command(epilog=example("fracsim check run.h5", "fracsim check shards/*.h5 --json"))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def command(files: tuple[Path, ...], as_json: bool) -> int:
    """Read FILES to the last value, and say whether they are valid and complete and which records
    they hold.

    Trajectories, samples and studies; a file that is being written is checked as far as it is. No
    link out of a file is followed, and nothing is believed that a file merely declares. Exit code 0
    where all files are valid and complete, 1 where one is not valid, else 75 where one is
    unfinished."""
    from fracsim.products.check import check_file
    from fracsim.studies import formats

    reports = []
    for path in files:
        report = check_file(path, *formats())
        reports.append(report)
        for problem in report.problems:
            remark(f"Error: {sentence(problem)}")
        if not as_json and report.valid:
            click.echo("\n".join(_words(report)))
    if as_json:
        echo_json([_plain(report) for report in reports])
    if not all(report.valid for report in reports):
        return 1
    return 0 if all(report.complete for report in reports) else Stopped.exit_code


def _plain(report: Report) -> dict[str, Any]:
    return {
        "file": report.path,
        "valid": report.valid,
        "complete": report.complete,
        "kind": report.kind,
        "status": report.status,
        "problems": report.problems,
        "remarks": report.remarks,
        **report.facts,
    }


def _words(report: Report) -> list[str]:
    facts = report.facts
    state = "valid and complete" if report.complete else f"valid, not finished ({facts['note']})"
    lines = [
        f"{report.path}: {state}; {_contents(report)}",
        *(f"  {remark}" for remark in report.remarks),
        *_overflows(facts.get("not_finite", {})),
    ]
    if report.kind == "trajectory":
        rows = [
            _row(list(group), facts["records"]) for _, group in groupby(facts["runs"], key=_state)
        ]
        lines += rows[:_MOST_LINES]
        if len(rows) > _MOST_LINES:
            lines.append(f"  … and {len(rows) - _MOST_LINES} more lines (--json lists every run)")
    return lines


def _overflows(counts: dict[str, int]) -> list[str]:
    """A line on what is not finite: that is no fault of the file."""
    said = [
        f"{counted(count, 'snapshot')} of the weights"
        if name == "params"
        else f"{count:,} of {name}"
        for name, count in counts.items()
    ]
    return [f"  not finite, as training overflowed: {', '.join(said)}"] if said else []


def _contents(report: Report) -> str:
    facts = report.facts
    if report.kind == "samples":
        return f"{facts['points']:,} points in dimension {facts['dimension']}"
    if report.kind == "study":
        form = f" ({facts['form']})" if "form" in facts else ""
        return f"a study of kind {facts['study']}{form} with {', '.join(facts['variables'])}"
    shard = f", shard {facts['shard']!r:.20}" if facts["shard"] else ""
    return (
        f"experiment {facts['experiment']!r:.60}{shard}, {counted(len(facts['runs']), 'run')} "
        f"of {counted(facts['records'], 'record')}"
    )


def _state(run: dict[str, Any]) -> tuple[Any, ...]:
    """Equal for runs that are equally far."""
    return tuple(value for key, value in run.items() if key != "run")


def _row(runs: list[dict[str, Any]], records: int) -> str:
    """Neighbouring runs that are equally far, as a line."""
    first, last = runs[0], runs[-1]["run"]
    which = f"run {last}" if len(runs) == 1 else f"{len(runs)} runs ({first['run']} to {last})"
    until = f", up to step {first['last_step']:,}" if first["records_done"] else ""
    weights = (
        f", {counted(first['snapshots_done'], 'snapshot')} of the weights"
        if first["snapshots_done"]
        else ""
    )
    return (
        f"  {which}: {first['status']}, {first['records_done']} of {records} "
        f"records{until}{weights}"
    )
