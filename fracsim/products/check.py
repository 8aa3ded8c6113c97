"""Whether a trajectory file is what it says: readable to the last value, and in agreement with its
own experiment."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import fracsim
from fracsim.data.check import read_whole
from fracsim.data.errors import FileError, printable
from fracsim.data.numbering import Row
from fracsim.data.reader import Trajectory
from fracsim.data.samples import Samples
from fracsim.data.schema import StudyFormat
from fracsim.data.studies import StudyContents
from fracsim.errors import UsageError
from fracsim.experiments.experiment import Experiment
from fracsim.experiments.grid import MOST_RUNS
from fracsim.experiments.shard import Part, make_part
from fracsim.fractals.fractal import Fractal
from fracsim.networks.stored import load_network
from fracsim.products.points import misfits
from fracsim.products.product import steps_of, stored_value
from fracsim.training.run import SETTINGS


@dataclass(frozen=True)
class Report:
    """What a file is worth. ``problems``: one sentence each, none where the file is valid;
    ``remarks``: what could not be compared; ``facts``: what is in the file, as plain values."""

    path: str
    kind: str
    """trajectory, samples or study; "" where the file cannot be read"""
    status: str
    """complete, interrupted or running; "" where the file cannot be read"""
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether nothing contradicts the format or the stored experiment."""
        return not self.problems

    @property
    def complete(self) -> bool:
        """Whether the file is valid and nothing is missing."""
        return self.valid and self.status == "complete"


def check_file(path: str | os.PathLike[str], *studies: StudyFormat) -> Report:
    """Read a trajectory, a sample file or a study whole and compare all of it with what the file
    says of itself; ``studies``: the formats of study files that are known.

    Never raises for a bad file: what is wrong with it is in the report.
    """
    name = os.fspath(path)
    try:
        contents = read_whole(name, *studies)
    except FileError as error:
        return Report(name, "", "", (str(error),))
    value = contents.value
    remarks: list[str] = []
    problems = list(contents.problems)
    if isinstance(value, Trajectory):
        found, remarks = _compare(value)
        problems += found
        facts = {**_trajectory_facts(value), "not_finite": dict(contents.not_finite)}
    elif isinstance(value, Samples):
        problems += _fractal_problems(value)
        facts = {"points": len(value.y), "dimension": value.x.shape[1]}
    else:
        problems += _study_problems(value, name)
        facts = {
            "study": value.kind,
            **({"form": value.form} if value.form else {}),
            "variables": {key: list(array.shape) for key, array in value.arrays.items()},
        }
    sentences = tuple(f"'{name}' is not valid: {printable(problem)}" for problem in problems)
    return Report(name, contents.kind, contents.status, sentences, tuple(remarks), facts)


# --- trajectories ---------------------------------------------------------------------------------


def _compare(trajectory: Trajectory) -> tuple[list[str], list[str]]:
    """Problems and remarks of a trajectory beside its own experiment."""
    text, stated = (trajectory.attributes.get(name) for name in ("experiment", "experiment_hash"))
    if not isinstance(text, str) or not isinstance(stated, str):
        return ["it stores no experiment, or not its hash"], []
    runs, shard = len(trajectory.records_done), str(trajectory.attributes.get("shard", ""))
    try:
        # Counted first: a short text can describe more runs than anyone could list.
        if (declared := _declared_runs(trajectory.experiment)) != runs and not (
            shard and runs < declared <= MOST_RUNS
        ):
            return [f"its experiment has {_big(declared)} runs, the file {runs}"], []
        experiment = Experiment.from_json(text)
        part = make_part(experiment, shard or None)
    except UsageError as error:
        return [f"its experiment is refused: {error}"], []
    # A text that is not an experiment can fail anywhere.
    except Exception as error:
        return [f"its experiment cannot be read ({type(error).__name__})"], []
    if trajectory.numbers.tolist() != list(part.numbers):
        return [f"its runs are not those of {'shard ' + shard if shard else 'its experiment'}"], []
    problems, remarks = list(_differences(trajectory, part)), []
    if misfit := misfits(trajectory.attributes, part.runs, part.numbers):
        remarks.append(misfit)
    if experiment.hash() != stated:
        maker = str(trajectory.attributes.get("software"))
        if maker == f"fracsim {fracsim.__version__}":
            problems.append("its experiment does not match its experiment_hash")
        else:  # the hash covers every setting there is, and another version may have others
            remarks.append(f"experiment_hash was not compared: the file is by {maker!r:.60}")
    return problems, remarks


def _declared_runs(experiment: dict[str, Any]) -> int:
    """How many runs a stored experiment describes, without listing them. Raises UsageError."""
    zipped, crossed = experiment.get("zip"), experiment.get("grid")
    if not isinstance(zipped, list) or not isinstance(crossed, dict):
        raise UsageError("it has no grid")
    axes: list[Any] = [
        next(iter(table.values()), []) for table in zipped if isinstance(table, dict)
    ]
    axes += crossed.values()
    if not all(isinstance(axis, list) for axis in axes):
        raise UsageError("an axis of its grid is not a list")
    return math.prod(len(axis) for axis in axes)


def _big(count: int) -> str:
    return str(count) if count < 10**9 else "more than a billion"


def _differences(trajectory: Trajectory, part: Part) -> Iterator[str]:
    """Where steps, columns or weights are not those of the experiment."""
    runs, numbers = part.runs, part.numbers
    if trajectory.steps.tolist() != steps_of(runs[0], trajectory.version):
        yield "its steps are not those of its experiment"
    for key in (*SETTINGS, "widths"):
        if key not in trajectory.runs:
            continue
        for i, value in enumerate(trajectory.runs[key].tolist()):
            wanted = stored_value(runs[i], key)
            same = value in ("", None) or value != value if wanted is None else value == wanted
            if not same:
                yield (
                    f"{key} of run {numbers[i]} is {str(value)[:60]!r}, its experiment says "
                    f"{str(wanted)[:60]!r}"
                )
                break
    kept = {int(row) for stored in trajectory.stored_weights for row in stored.runs}
    if kept != (set() if part.weights == "none" else set(range(len(runs)))):
        yield f"it holds weights of {len(kept)} runs, its experiment keeps weights: {part.weights}"
    for stored in trajectory.stored_weights:
        for row in stored.runs:
            if stored.shape[1:3] != (runs[row].network_depth, runs[row].width):
                yield (
                    f"run {numbers[row]} is in weights group '{stored.name}', which has another "
                    f"shape"
                )
                break


def _trajectory_facts(trajectory: Trajectory) -> dict[str, Any]:
    snapshots = {
        Row(int(row)): int(done)
        for stored in trajectory.stored_weights
        for row, done in zip(stored.runs, stored.done, strict=True)
    }
    counters = zip(
        trajectory.numbers.tolist(),
        trajectory.run_status,
        trajectory.records_done.tolist(),
        strict=True,
    )
    return {
        "experiment": trajectory.experiment.get("name"),
        "shard": trajectory.attributes.get("shard", ""),
        "note": trajectory.note,
        "records": len(trajectory.steps),
        "runs": [
            {
                "run": run,
                "status": status,
                "records_done": done,
                "last_step": int(trajectory.steps[done - 1]) if done else 0,
                "snapshots_done": snapshots.get(Row(row), 0),
            }
            for row, (run, status, done) in enumerate(counters)
        ],
    }


# --- samples and studies --------------------------------------------------------------------------


def _fractal_problems(samples: Samples) -> Iterator[str]:
    try:
        fractal = Fractal.from_dict(json.loads(str(samples.attributes["fractal_definition"])))
    except KeyError:
        yield "it does not say of which fractal its points are"
    except UsageError as error:
        yield f"its fractal is refused: {error}"
    except Exception as error:
        yield f"its fractal cannot be read ({type(error).__name__})"
    else:
        if fractal.dimension != samples.x.shape[1]:
            yield (
                f"its points have {samples.x.shape[1]} coordinates, its fractal has dimension "
                f"{fractal.dimension}"
            )
        elif not (np.all(samples.x >= fractal.low) and np.all(samples.x <= 1)):
            yield "points lie outside the base of the fractal"


def _study_problems(study: StudyContents, path: str) -> list[str]:
    """A network must be usable; of other studies nothing is known beyond their format."""
    if study.kind != "network":
        return []
    try:
        network = load_network(path)
    except (FileError, UsageError) as error:
        return [f"its network cannot be used: {error}"]
    return [] if np.isfinite(network.params).all() else ["its weights are not all finite"]
