"""What trajectory files hold, as parts of a report: an experiment is one part, whatever the number
of its files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fracsim.data.errors import FileError
from fracsim.data.reader import Trajectory
from fracsim.errors import UsageError
from fracsim.figures import curve_accuracy, decision, depth_width, training
from fracsim.figures.report.page import (
    Block,
    Commands,
    Facts,
    Part,
    Picture,
    Table,
    Text,
    inline_svg,
)
from fracsim.figures.style import styled
from fracsim.networks.stored import load_network, open_trained
from fracsim.products.checkpoint import facts_of
from fracsim.products.coverage import Coverage, Gathering, sweep_command
from fracsim.products.entries import Entry, group, relative_error, settings_of
from fracsim.products.runs import Runs, load_runs
from fracsim.text import counted

MOST_ROWS = 200
"""Rows of a table of results; what is left out is said."""

_FACTS = (
    ("software", "made by"),
    ("created", "begun"),
    ("command", "command"),
    ("device", "processor"),
    ("platform", "system"),
    ("host", "host"),
    ("job_id", "job"),
    ("executor", "executor"),
    ("continued", "stopped and continued"),
    ("bit_identical", "bit-identical"),
    ("python_version", "Python"),
    ("numba_version", "numba"),
    ("numpy_version", "NumPy"),
    ("hdf5_version", "HDF5"),
)
"""Attributes of a file, and what a reader calls them."""


class Figures:
    """Draws the figures of a page, each with a prefix of ids of its own."""

    def __init__(self) -> None:
        self._drawn = 0

    def block(self, draw: Callable[[], Figure], what: str, command: Sequence[str]) -> Block:
        """A figure, or the sentence that says why there is none."""
        self._drawn += 1
        try:
            with styled():
                svg = inline_svg(draw(), f"f{self._drawn}")
        except (UsageError, FileError) as error:
            return Text(f"No figure {what}: {error}", soft=True)
        return Picture(svg, shlex.join(command), what)


def sweep_parts(paths: Sequence[str], figures: Figures) -> Iterator[Part]:
    """The part of each experiment that the files hold some runs of, in the order of the files.
    Raises FileError."""
    gathering, files = Gathering(), {}
    for path in paths:
        trajectory = open_trained(path)
        if gathering.add(trajectory) is None:
            raise FileError(f"'{path}' does not say which experiment it is of")
        files[trajectory.path] = trajectory
    for coverage in gathering.coverages():
        of_it = [files[held.path] for held in coverage.files]
        yield from _experiment(coverage, of_it, figures)


def _experiment(
    coverage: Coverage, files: Sequence[Trajectory], figures: Figures
) -> Iterator[Part]:
    experiment = coverage.experiment
    states = ", ".join(f"{number} {state}" for state, number in coverage.counts.items())
    total = f"{counted(len(experiment.runs), 'run')} of {experiment.runs[0].steps:,} steps"
    told: list[Block] = [Text(experiment.description)] if experiment.description else []
    told.append(Text(f"{total}: {states}."))
    yield Part(experiment.name, told)
    same, varying = _settings(files)
    yield Part(
        "What varies", [Facts(varying) if varying else Text("Nothing: it is one run.")], level=3
    )
    paths = [trajectory.path for trajectory in files]
    try:
        runs = load_runs(paths)
    except FileError as error:
        yield Part("Results", [Text(str(error))], level=3)
    else:
        yield Part("Results", [*_results(runs), *map(Text, runs.caveats)], level=3)
        yield Part("Figures", list(_figures(runs, files, figures)), level=3)
    yield Part("The same in every run", [Facts(same)], level=3)
    yield Part("Where it comes from", [origin([facts_of(one) for one in files], paths)], level=3)
    again = [sweep_command(paths[0], "", "again.h5"), *coverage.commands()]
    words = "Train it again, or what is missing:" if len(again) > 1 else "Train it again:"
    yield Part("How to repeat it", [Text(words), Commands(again)], level=3)


def _settings(files: Sequence[Trajectory]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(key, value) of the settings that all runs share, and (key, values) of those that vary."""
    seen: dict[str, dict[str, None]] = {}
    for trajectory in files:
        for settings in settings_of(trajectory):
            for key, value in settings.items():
                seen.setdefault(key, {})[_shown(value)] = None
    named = {key: [*values] for key, values in seen.items()}
    same = [(_name(key), values[0]) for key, values in named.items() if len(values) == 1]
    varying = [(_name(key), ", ".join(values)) for key, values in named.items() if len(values) > 1]
    return [(key, value) for key, value in same if value not in ("", "equal")], varying


def _results(runs: Runs) -> Iterator[Block]:
    """A row for each setting: the best record, mean and span over the seeds."""
    keys = runs.varied(without=("seed",))
    kinds = {entry.real for entry in runs.entries}
    score = {frozenset([False]): "best test accuracy", frozenset([True]): "least relative error"}
    named = score.get(frozenset(kinds), "best test accuracy or least relative error")
    groups = group(runs.entries, keys)
    seeds = any(len(entries) > 1 for entries in groups.values())
    spread = ["seeds", f"{named}, mean", "least", "greatest"] if seeds else [named]
    head = [*map(_name, keys), *spread, "at the last record", "steps"]
    rows = [[*map(_shown, values), *_row(runs, seeds)] for values, runs in groups.items()]
    yield Table(head, rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        left = f"{MOST_ROWS} of {len(rows)} rows; `fracsim export` writes them all."
        yield Text(left, soft=True)


def _row(entries: Sequence[Entry], seeds: bool) -> list[str]:
    best = [entry.best() for entry in entries]
    last = [_last(entry) for entry in entries]
    steps = [int(entry.steps[entry.trajectory.records_done[entry.index] - 1]) for entry in entries]
    mean = f"{np.mean(best):.4f}"
    spread = [f"{len(best)}", mean, f"{min(best):.4f}", f"{max(best):.4f}"] if seeds else [mean]
    return [*spread, f"{np.mean(last):.4f}", f"{min(steps):,}"]


def _last(entry: Entry) -> float:
    value = float(entry.last(entry.trajectory.score(entry.index)))
    return relative_error(value) if entry.real else value


def _figures(runs: Runs, files: Sequence[Trajectory], figures: Figures) -> Iterator[Block]:
    """The figures that these runs make sense in."""
    keys = set(runs.varied())
    paths = [os.path.basename(trajectory.path) for trajectory in files]
    chosen: list[tuple[str, str, Callable[[Runs], Figure]]] = []
    if keys & {"network_depth", "width", "widths"}:
        chosen.append(("depth-width", "of depth and width", depth_width.draw))
    if "curve" in keys:
        chosen.append(("curve-accuracy", "of the approximation curves", curve_accuracy.draw))
    chosen.append(("training", "of the training", training.draw))
    for name, what, draw in chosen:
        command = ["fracsim-plot", name, *paths, "-o", f"{name}.svg"]
        yield figures.block(lambda draw=draw: draw(_copy(runs)), what, command)  # type: ignore[misc]
    kept = [trajectory for trajectory in files if trajectory.stored_weights]
    if kept:
        path = kept[0].path
        command = ["fracsim-plot", "decision", os.path.basename(path), "-o", "decision.svg"]
        what = "of the best network's decision"
        yield figures.block(lambda: decision.draw(load_network(path, None)), what, command)


def _copy(runs: Runs) -> Runs:
    """The same runs, whose notes a figure may add to."""
    return Runs(runs.entries, [*runs.caveats], [*runs.notes])


def origin(attributes: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> Block:
    """Where files come from: what they agree on once, else one value after the other."""
    values = [("files", ", ".join(map(os.path.basename, paths)))]
    for key, name in _FACTS:
        found = dict.fromkeys(str(one.get(key, "")) for one in attributes)
        if text := "; ".join(value for value in found if value):
            values.append((name, text))
    return Facts(values)


def _name(key: str) -> str:
    return "depth" if key == "network_depth" else key.replace("_", " ")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
