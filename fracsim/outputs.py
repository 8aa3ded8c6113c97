"""The product file of a sweep: when it may be written, what goes into it, and where two experiments differ.

The output rule: an output that holds the same experiment, complete, is left as it is; the same experiment, unfinished,
is started again; another experiment, or a file that is not ours, is an error. ``overwrite`` always starts afresh.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracsim.errors import RunError, UsageError
from fracsim.experiments import Experiment
from fracsim.planning import parameters_of
from fracsim.runs import SETTINGS

if TYPE_CHECKING:
    from fracsim.training import Record


def check_folder(path: Path) -> None:
    """Raise RunError unless a file can be made at ``path``."""
    folder = path.parent
    if not folder.is_dir():
        raise RunError(f"the folder of the output does not exist: {folder} (make it first, or give another --output)")
    if path.is_dir():
        raise RunError(f"the output {path} is a folder; accepted is the name of a file")
    if path.exists() and not path.is_file():
        raise RunError(f"the output {path} is a device; accepted is the name of a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"the folder of the output is not writable: {folder}")


def check_output(experiment: Experiment, path: Path, overwrite: bool = False) -> bool:
    """Whether ``path`` already holds this experiment, complete; else it may be written.

    Raises RunError or FileError where the output rule forbids it, or the folder is missing or not writable.
    """
    if overwrite or not path.exists():
        check_folder(path)
        return False
    if path.is_dir():
        check_folder(path)
    from fracsim.data.errors import FileError
    from fracsim.data.reader import open_trajectory

    advice = "give another --output, or --overwrite to replace it"
    try:
        stored = open_trajectory(path)
        found, status = Experiment.from_json(str(stored.attributes["experiment"])), stored.status
    except (FileError, KeyError, ValueError) as error:
        reason = str(error).rstrip(".") if isinstance(error, FileError) else f"'{path}' stores no experiment"
        raise FileError(f"the output exists and cannot be continued: {reason}; {advice}") from error
    if found.hash() != experiment.hash():
        raise RunError(f"{path} holds another experiment: {first_difference(found, experiment)}; {advice}")
    if status != "complete":
        check_folder(path)
    return status == "complete"


def first_difference(there: Experiment, here: Experiment) -> str:
    """The first key in which two experiments differ, as a phrase: "width is 50 there and 100 here"."""
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
    return list(dict.fromkeys(getattr(run, key) for run in experiment.runs))


def _phrase(values: Sequence[Any]) -> str:
    shown = ["not set" if value is None else str(value) for value in values[:8]]
    return ", ".join(shown) + (", …" if len(values) > 8 else "")


class Product:
    """The trajectory of an experiment being written: the one place that knows both the science and the file.

    A context manager; leaving it closes the file as it is. Raises FileError where the file cannot be written.
    """

    def __init__(self, experiment: Experiment, path: Path, attributes: dict[str, str | int | float]) -> None:
        from fracsim.data.provenance import provenance
        from fracsim.data.writer import TrajectoryWriter

        runs = experiment.runs
        steps = list(runs[0].recorded_steps())
        self._position = {step: s for s, step in enumerate(steps)}
        self._keeps = experiment.weights
        self._writer = TrajectoryWriter.create(
            path,
            runs={key: [getattr(run, key) for run in runs] for key in SETTINGS},
            steps=steps,
            levels=max(run.fractal_depth for run in runs) + 1,
            layers=max(run.network_depth for run in runs) + 1,
            attributes={
                **provenance(),
                "experiment": experiment.to_json(),
                "experiment_hash": experiment.hash(),
                **attributes,
            },
            weights=_weights_groups(experiment, steps),
        )

    def __enter__(self) -> Product:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def start(self, run: int) -> None:
        """Mark a run as running."""
        self._writer.set_run_status(run, "running")

    def record(self, run: int, record: Record) -> None:
        """Store a record; it counts from the next ``commit`` on."""
        s = self._position[record.step]
        self._writer.write_record(run, s, record.values())
        if self._keeps == "records":
            self._writer.write_weights(run, s, record.params)

    def end(self, run: int, status: str, params: Any) -> None:
        """Mark a run as complete or diverged and keep its final weights, where they are asked for."""
        if status == "complete" and self._keeps == "final":
            self._writer.write_weights(run, 0, params)
        self._writer.set_run_status(run, status)

    def commit(self) -> None:
        """Make everything stored so far count, on the disk."""
        self._writer.commit()

    def finish(self, status: str) -> None:
        """Close the product as "complete", or as "interrupted" with what it has."""
        self._writer.finish(status)


def _weights_groups(experiment: Experiment, steps: list[int]) -> dict[str, Any] | None:
    """Name -> WeightsGroup, one per network shape; None where no weights are kept."""
    from fracsim.data.schema import WeightsGroup, weights_name
    from fracsim.training import shape_of

    if experiment.weights == "none":
        return None
    snapshots = steps if experiment.weights == "records" else steps[-1:]
    members: dict[Any, list[int]] = {}
    for i, run in enumerate(experiment.runs):
        members.setdefault((shape_of(run), run.precision), []).append(i)
    if len({shape for shape, _ in members}) < len(members):
        raise UsageError("precision cannot vary among networks of one shape whose weights are kept")
    return {
        weights_name(*shape): WeightsGroup(
            runs=rows, snapshots=snapshots, parameters=parameters_of(experiment.runs[rows[0]]), dtype=precision
        )
        for (shape, precision), rows in members.items()
    }
