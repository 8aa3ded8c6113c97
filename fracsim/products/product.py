"""The trajectory file of a sweep: when it may be written, what goes into it, and where two
experiments differ.

The output rule: an output that holds the same part of the same experiment, complete, is left as it
is; unfinished, it is continued; another experiment, or a file that is not ours, is an error.
``overwrite`` always starts afresh."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracsim.data.numbering import Row
from fracsim.data.schema import FORMAT_VERSION, SINCE_2
from fracsim.errors import RunError, UsageError
from fracsim.experiments.experiment import Experiment
from fracsim.experiments.problems import files_read
from fracsim.experiments.shard import Part
from fracsim.networks.start import without_path
from fracsim.problems.table import pinned_path
from fracsim.products.inputs import refuse_inputs
from fracsim.products.points import ATTRIBUTE, CURRENT
from fracsim.training.run import SETTINGS, Run, parameters_of
from fracsim.values.settings import label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fracsim.data.reader import Trajectory
    from fracsim.training.trainer import Record, RunState

_ENDED = ("complete", "diverged")
_TAKEN = (".checkpoint", ".checkpoint.previous", ".lock", ".part")
_WRITERS_OWN = ("format", "format_version", "status")


def folder_of(path: Path) -> Path:
    """Where a trajectory file lies: beside what a link points to, as it is followed."""
    return Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent


def held_by(path: Path) -> int:
    """Bytes that an unfinished trajectory file and its checkpoints take already."""
    from fracsim.data.checkpoint import remains

    return sum(file.stat().st_size for file in (path, *remains(path)))


def check_folder(path: Path) -> None:
    """Raise RunError unless a file can be made at ``path``."""
    taken = next((ending for ending in _TAKEN if path.name.endswith(ending)), None)
    if taken is not None:
        raise RunError(
            f"the output {path} is named as fracsim's own files beside a trajectory; accepted "
            f"is a name that does not end in {taken}"
        )
    folder = folder_of(path)
    if not folder.is_dir():
        raise RunError(
            f"the folder of the output does not exist: {folder} (make it first, or give another "
            f"--output)"
        )
    if path.is_dir():
        raise RunError(f"the output {path} is a folder; accepted is the name of a file")
    if path.exists() and not path.is_file():
        raise RunError(f"the output {path} is a device; accepted is the name of a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"the folder of the output is not writable: {folder}")


def check_free(path: Path, overwrite: bool = False) -> None:
    """Raise RunError unless a new file can be made at ``path``, or replaced with ``overwrite``."""
    if path.exists() and not path.is_file():  # a folder, or /dev/null, which a rename would destroy
        raise RunError(f"the output {path} is a folder or a device; accepted is the name of a file")
    if path.exists() and not overwrite:
        raise RunError(
            f"the output {path} exists already; give another --output, or --overwrite to replace it"
        )
    check_folder(path)


def check_output(part: Part, path: Path, overwrite: bool = False) -> Trajectory | None:
    """The file of this part that ``path`` holds, complete or to be continued; None where a new
    one may be written.

    Raises RunError or FileError where the output rule forbids it, or the folder is missing or not
    writable, UsageError where it is a file that the runs or the experiment are made from (the one
    of --from may be continued)."""
    experiment = part.experiment
    refuse_own_inputs(path, experiment, of_experiment=overwrite)
    if overwrite or not path.exists():
        check_folder(path)
        return None
    if path.is_dir():
        check_folder(path)
    from fracsim.data.errors import FileError
    from fracsim.data.reader import open_trajectory

    advice = "give another --output, or --overwrite to replace it"
    try:
        stored = open_trajectory(path)
        found = Experiment.from_json(str(stored.attributes["experiment"]))
    except (FileError, KeyError, ValueError) as error:
        refuse_own_inputs(path, experiment)
        reason = (
            str(error).rstrip(".")
            if isinstance(error, FileError)
            else f"'{path}' stores no experiment"
        )
        raise FileError(f"the output exists and cannot be continued: {reason}; {advice}") from error
    if found.hash() != experiment.hash():
        refuse_own_inputs(path, experiment)
        raise RunError(
            f"{path} holds another experiment: {first_difference(found, experiment)}; {advice}"
        )
    shard = str(stored.attributes.get("shard", ""))
    if shard != part.shard or tuple(stored.numbers) != part.numbers:
        there, here = (
            f"shard {text}" if text else "the whole sweep" for text in (shard, part.shard)
        )
        raise RunError(f"{path} holds {there}, and {here} is asked for; {advice}")
    if stored.status != "complete":
        check_folder(path)
    return stored


def refuse_own_inputs(path: Path, experiment: Experiment, of_experiment: bool = True) -> None:
    """Raise UsageError where the output is a file that the runs, or the experiment, are made
    from."""
    read = [(f"the file of {label(key)}", file) for key, file in files_read(experiment.runs)]
    own = [("the file of the experiment", file) for file in experiment.files if of_experiment]
    refuse_inputs(path, [*read, *own])


def first_difference(there: Experiment, here: Experiment) -> str:
    """The first key in which two experiments differ, as a phrase: "width is 50 there and 100
    here"."""
    for key in SETTINGS:
        values = [_values(experiment, key) for experiment in (there, here)]
        if values[0] != values[1]:
            return f"{key} is {_phrase(values[0])} there and {_phrase(values[1])} here"
    if there.weights != here.weights:
        return f"weights is {there.weights} there and {here.weights} here"
    for name in here.fractals:
        if there.fractals.get(name) != here.fractals[name]:
            return f"the maps of the fractal '{name}' differ"
    if len(there.runs) != len(here.runs):
        return f"there are {len(there.runs)} runs there and {len(here.runs)} here"
    return "the order or combination of its runs differs"


def _values(experiment: Experiment, key: str) -> list[Any]:
    values = (getattr(run, key) for run in experiment.runs)
    return list(
        dict.fromkeys(without_path(value) if key == "init_from" else value for value in values)
    )


def _phrase(values: Sequence[Any]) -> str:
    shown = ["not set" if value is None else str(value) for value in values[:8]]
    return ", ".join(shown) + (", …" if len(values) > 8 else "")


def contents(part: Part, version: int = FORMAT_VERSION) -> dict[str, Any]:
    """What is known of a part's file before its first record, as ``fracsim.data.plan.make_plan``
    takes it; ``version`` of the format, of which 1 has no record at step 0.

    Axes and types of columns are those of the whole experiment, so that its shards fit together.
    """
    from fracsim.data.plan import column

    rows, steps = list(part.numbers), steps_of(part.runs[0], version)
    return {
        "runs": {
            key: column(key, values)[rows] for key, values in columns_of(part.experiment).items()
        },
        "steps": steps,
        "levels": part.levels,
        "layers": part.layers,
        "weights": _weights_groups(part.experiment, part.runs, steps),
        "numbers": part.numbers,
        "targets": part.experiment.targets,
        "version": version,
    }


def steps_of(run: Run, version: int) -> list[int]:
    """The recorded steps of a file of this version of the format."""
    steps = run.recorded_steps()
    return list(steps if version > 1 else steps[1:])


def records_until(steps: Sequence[int] | NDArray[np.int64], step: int) -> int:
    """How many of a file's records, at ``steps``, a run has that is at ``step``: it is never
    trained beyond a step to be recorded without recording it."""
    return bisect_right(steps, step)


def columns_of(experiment: Experiment) -> dict[str, list[Any]]:
    """Column -> the value of each run: None where the key means nothing to it; a text that is not
    set is empty. Beside ``width`` stands ``widths`` where layers of some run differ."""
    uneven = any(isinstance(run.width, str) for run in experiment.runs)
    columns = {}
    used = [frozenset(run.used_keys()) for run in experiment.runs]
    everywhere = frozenset.intersection(*set(used)) - _COMPUTED
    for key in experiment.keys:
        unset = "" if SETTINGS[key].kind is str else None
        if key in everywhere:
            values = [getattr(run, key) for run in experiment.runs]
        else:
            pairs = zip(experiment.runs, used, strict=True)
            values = [stored_value(run, key, of) for run, of in pairs]
        columns[key] = [unset if value is None else value for value in values]
        if key == "width" and uneven:
            columns["widths"] = [stored_value(run, "widths") for run in experiment.runs]
    return columns


_COMPUTED = frozenset(("width", "network", "widths"))
"""Columns that are not the key's value alone."""


def stored_value(run: Run, column: str, used: Collection[str] | None = None) -> Any:
    """What a column says of a run; None where its key means nothing to the run. ``used``: its
    ``used_keys()``, where they are at hand."""
    if column == "width":
        return run.widest
    if column == "network":
        return run.network
    if column == "widths":
        return "-".join(map(str, run.widths))
    return getattr(run, column) if column in (used or run.used_keys()) else None


def attributes_of(part: Part) -> dict[str, str | int]:
    """The attributes that say what a trajectory file holds."""
    experiment = part.experiment
    images = {run.images for run in experiment.runs if run.images is not None}
    hashes = sorted(pinned_path(text)[1] or "" for text in images)
    return {
        **({} if experiment.old_points else {ATTRIBUTE: CURRENT}),
        "experiment": experiment.to_json(),
        "experiment_hash": experiment.hash(),
        "shard": part.shard,
        **({"images_hash": ",".join(hashes)} if hashes else {}),
    }


class Product:
    """The trajectory of a part being written: the one place that knows both the science and the
    file.

    A new one takes the place of whatever ``path`` held; with ``stored`` that file is continued,
    its ended runs are kept and the others go on from ``states`` (row -> state) or, where they have
    none, from their first step. A context manager; leaving it closes the file as it is. Raises
    FileError where the file cannot be written."""

    def __init__(
        self,
        part: Part,
        path: Path,
        attributes: dict[str, str | int | float],
        stored: Trajectory | None = None,
        states: Mapping[Row, RunState] | None = None,
    ) -> None:
        from fracsim.data.plan import make_plan
        from fracsim.data.provenance import provenance
        from fracsim.data.writer import TrajectoryWriter

        runs = part.runs
        version = FORMAT_VERSION if stored is None else stored.version
        known = contents(part, version)
        self._version = version
        self._position = {step: s for s, step in enumerate(known["steps"])}
        self._keeps = part.weights
        self.ended: list[str | None] = [None] * len(runs)
        """Per run "complete" or "diverged" where it has ended, else None."""
        about = attributes_of(part)
        if stored is None:
            self._writer = TrajectoryWriter.create(
                path, attributes={**provenance(), **about, **attributes}, **known
            )
            return
        self.ended = [status if status in _ENDED else None for status in stored.run_status]
        kept = stored.records_done.copy()
        for row, status in enumerate(self.ended):
            if status is None:
                state = (states or {}).get(Row(row))
                kept[row] = records_until(known["steps"], state.step) if state is not None else 0
        first = {key: value for key, value in stored.attributes.items() if key not in _WRITERS_OWN}
        plan = make_plan(attributes={**first, **attributes}, **known)
        self._writer = TrajectoryWriter.reopen(path, plan, kept.tolist(), self.ended)

    def __enter__(self) -> Product:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def describe(self, attributes: Mapping[str, str | int | float]) -> None:
        """Attributes that the finished trajectory file gets beside those it started with."""
        self._writer.describe(attributes)

    def start(self, row: Row) -> None:
        """Mark a run as running."""
        self._writer.set_run_status(row, "running")

    def put_back(self, row: Row) -> None:
        """Mark a run that was to be started as pending again."""
        self._writer.set_run_status(row, "pending")

    def record(self, row: Row, record: Record) -> None:
        """Store a record; it counts from the next ``commit`` on. One that the file's version of
        the format does not have is left out."""
        if record.step not in self._position:
            return
        s = self._position[record.step]
        values = record.values()
        for name in () if self._version > 1 else SINCE_2:
            del values[name]
        self._writer.write_record(row, s, values)
        if self._keeps == "records" and record.params is not None:
            self._writer.write_weights(row, s, record.params)

    def end(self, row: Row, status: str, params: Any) -> None:
        """Mark a run as complete or diverged and keep its final weights, where they are asked
        for."""
        if status == "complete" and self._keeps == "final":
            self._writer.write_weights(row, 0, params)
        self._writer.set_run_status(row, status)

    def commit(self) -> None:
        """Make everything stored so far count."""
        self._writer.commit()

    def secure(self) -> None:
        """Make everything stored so far count, and wait until the disk has it."""
        self._writer.commit()
        self._writer.sync()

    def finish(self, status: str) -> None:
        """Close the trajectory file as "complete", or as "interrupted" with what it has."""
        self._writer.finish(status)


def _weights_groups(
    experiment: Experiment, runs: Sequence[Run], steps: list[int]
) -> dict[str, Any] | None:
    """Name -> WeightsGroup, one per network shape; None where no weights are kept."""
    from fracsim.data.schema import WeightsGroup, weights_name
    from fracsim.training.run import shape_of

    if experiment.weights == "none":
        return None
    snapshots = steps if experiment.weights == "records" else steps[-1:]
    members: dict[Any, list[int]] = {}
    for i, run in enumerate(runs):
        shape = shape_of(run)
        name = weights_name(shape.inputs, run.network_depth, run.width, shape.outputs, shape.image)
        members.setdefault((name, run.precision), []).append(i)
    if len({name for name, _ in members}) < len(members):
        raise UsageError("precision cannot vary among networks of one shape whose weights are kept")
    return {
        name: WeightsGroup(
            runs=rows, snapshots=snapshots, parameters=parameters_of(runs[rows[0]]), dtype=precision
        )
        for (name, precision), rows in members.items()
    }
