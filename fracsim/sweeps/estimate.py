"""What an experiment will take: work, memory, disk and time, before a single step is trained."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fracsim.errors import RunError
from fracsim.machine.memory import free_memory
from fracsim.text import size
from fracsim.training.run import Run, parameters_of, problem_of, shape_of

if TYPE_CHECKING:
    from fracsim.kernels.backend import Backend
    from fracsim.training.groups import Groups

MOST_SETS = 8
"""Data sets that a process keeps for its next slices, beside those in use."""

_PROBE_SECONDS = 0.05
_PROBE_POINTS = 10_000
_BASE_MEMORY = 200e6  # interpreter, libraries and compiled kernels
_BASE_DISK = 200e3  # the file's own tables, coordinates and attributes
_BASE_STATE = 1e3  # what a checkpoint says of a run beside its arrays
_STATES = 4  # of a run on a device, that this machine holds: the last one, and those on their way
_EVALUATED_AT_ONCE = 5_000  # test points whose activations live at one time, at most


class Work(Protocol):
    """What an estimate is of: an experiment, or a part of one."""

    @property
    def runs(self) -> tuple[Run, ...]: ...

    @property
    def weights(self) -> str: ...

    @property
    def levels(self) -> int: ...

    @property
    def layers(self) -> int: ...


@dataclass(frozen=True)
class ShapeEstimate:
    """The runs of one network shape: T, k, d, how many runs, Q, steps of each, and measured seconds
    per step."""

    network_depth: int
    width: int | str
    inputs: int
    runs: int
    parameters: int
    steps: int
    step_seconds: float | None = None


@dataclass(frozen=True)
class DeviceEstimate:
    """Runs in each launch; bytes that those in flight together take at most of the device, and that
    are free there."""

    launches: tuple[int, ...]
    memory: float
    free: float | None


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take: ``memory`` and ``disk`` in bytes, from above; ``seconds``, None where
    not measured."""

    runs: int
    threads: int
    steps: int
    records: int
    data_sets: int
    memory: float
    disk: float
    shapes: tuple[ShapeEstimate, ...]
    seconds: float | None = None
    device: DeviceEstimate | None = None
    """Where runs are trained side by side on a device."""


def estimate(
    part: Work, threads: int, processes: int = 1, groups: Groups | None = None
) -> Estimate:
    """What an experiment, or a part of one, will take, without times.

    ``threads`` runs are trained at once, by so many processes on this machine; by 0, elsewhere.
    With ``groups`` of a backend that trains side by side, so many groups are."""
    from fracsim.training.points import data_key

    runs = part.runs
    of_run = [shape_of(run) for run in runs]  # once: of thousands of runs it takes a while
    by_shape: dict[Any, list[Run]] = {}
    for run, shape in zip(runs, of_run, strict=True):
        by_shape.setdefault(shape, []).append(run)
    parameters = {shape: parameters_of(group[0]) for shape, group in by_shape.items()}
    shapes = tuple(
        ShapeEstimate(
            shape.depth,
            group[0].width,
            shape.inputs,
            len(group),
            parameters[shape],
            group[0].steps,
        )
        for shape, group in by_shape.items()
    )
    sets = {data_key(run): (run, shape.inputs) for run, shape in zip(runs, of_run, strict=True)}
    data = sorted((_data_memory(run, inputs) for run, inputs in sets.values()), reverse=True)
    states = [
        _state_memory(run, parameters[shape]) for run, shape in zip(runs, of_run, strict=True)
    ]
    at_once, device = threads, None
    if groups is not None and groups.backend.side_by_side:
        launches = groups.at_start()
        flying = groups.first(launches, threads)
        device = DeviceEstimate(tuple(map(len, launches)), groups.taken(flying), groups.free)
        at_once, held = sum(map(len, flying)), sum(data)
        working = [_STATES * state for state in states]
    else:
        held = sum(data[: MOST_SETS + -(-threads // max(processes, 1))])
        working = [
            _working_memory(run, parameters[shape]) for run, shape in zip(runs, of_run, strict=True)
        ]
    working.sort(reverse=True)
    memory = (
        max(processes, 1) * _BASE_MEMORY
        + processes * held
        + (sum(working[:at_once]) if processes else 0.0)
    )
    return Estimate(
        runs=len(runs),
        threads=threads,
        steps=sum(run.steps for run in runs),
        records=len(runs) * len(runs[0].recorded_steps()),
        data_sets=len(sets),
        memory=memory,
        disk=_disk(part) + _checkpoints(states, at_once),
        shapes=shapes,
        device=device,
    )


def _bytes(run: Run) -> int:
    return 8 if run.precision == "float64" else 4


def _state_memory(run: Run, parameters: int) -> float:
    """Bytes of a run's parameters and moments."""
    return 3.0 * parameters * _bytes(run)


def _working_memory(run: Run, parameters: int) -> float:
    """Bytes of one run in training: parameters, moments, padded copies, activations of batch and of
    a test block."""
    if problem_of(run).outputs > 1:
        return _working_memory_of_classes(run, parameters)
    widest = run.widest + 16
    rows = run.batch_size + min(run.test_points, _EVALUATED_AT_ONCE)
    padded = 10 * (parameters + 16 * (run.network_depth + 1) * widest)
    return float(_bytes(run) * (padded + rows * widest * (run.network_depth + 3)))


def _working_memory_of_classes(run: Run, parameters: int) -> float:
    """The same of a network of several outputs: its work array with the tables, and scores."""
    from fracsim.kernels.convolution.evaluate import layout_of
    from fracsim.kernels.convolution.plan import TOTAL

    layout = layout_of(shape_of(run), run.batch_size, _bytes(run))
    scores = run.test_points * problem_of(run).outputs
    numbers = layout.places[TOTAL] + 5 * parameters + scores
    return float(_bytes(run) * numbers + 2 * layout.at.nbytes)


def _data_memory(run: Run, inputs: int) -> float:
    """Bytes of one training set and one test set, with the float64 points they are drawn as."""
    own = problem_of(run).memory(run.train_points, run.test_points)
    if own is not None:
        return own
    points = run.test_points + (run.train_points if run.data == "dataset" else 0)
    return float(points * (inputs * (8 + _bytes(run)) + _bytes(run) + 4))


def _disk(part: Work) -> float:
    """Bytes of the file while it is rewritten in its final form, that is, twice its size."""
    runs = part.runs
    snapshots = {"none": 0, "final": 1, "records": len(runs[0].recorded_steps())}[part.weights]
    records = len(runs) * len(runs[0].recorded_steps()) * 8 * (5 + part.levels + 2 * part.layers)
    weights = sum(snapshots * parameters_of(run) * _bytes(run) for run in runs) if snapshots else 0
    return 2.0 * (records + weights) + _BASE_DISK


def _checkpoints(states: Sequence[float], threads: int) -> float:
    """Bytes of the newest checkpoint, the one before and the next: the states of runs in
    progress."""
    largest = sorted(states, reverse=True)[:threads]
    return 3.0 * (sum(largest) + _BASE_STATE * len(largest))


def check_room(expected: Estimate, folder: Path, held: float = 0.0) -> None:
    """Raise RunError where a sweep needs more memory or disk than there is; ``held``: bytes it has
    on disk."""
    free = shutil.disk_usage(folder).free
    if expected.disk - held > free:
        more = "more " if held else ""
        raise RunError(
            f"the trajectory file needs {size(expected.disk - held)} {more}of disk and {folder} "
            f"has {size(free)} free"
        )
    memory = free_memory()
    if memory is not None and expected.memory > memory:
        raise RunError(
            f"the training needs {size(expected.memory)} of memory and {size(memory)} are "
            f"free "
            "(fewer threads, fewer points or a narrower network take less)"
        )


def measure(part: Work, expected: Estimate, backend: Backend) -> Estimate:
    """The estimate with the measured time of a step of each shape, and the time of the whole
    (records excluded).

    Takes about 0.2 s per shape, or three steps, and what is not yet compiled is compiled; points
    are drawn anew only where those of the shape before are others. Where runs are trained side by
    side, a step is that of all runs of a shape together, or of as many as a launch has."""
    first: dict[Any, Run] = {}
    for run in part.runs:
        first.setdefault(shape_of(run), run)
    shapes, work = [], []
    probe = _Probe(backend)
    for shape, run in zip(expected.shapes, first.values(), strict=True):
        count = min(shape.runs, max(expected.device.launches)) if expected.device else 1
        seconds = probe.step_seconds(run, count)
        shapes.append(dataclasses.replace(shape, step_seconds=seconds))
        work.append((shape.steps * seconds, shape.runs / count))
    total = sum(seconds * times for seconds, times in work)
    at_once = 1 if expected.device else expected.threads  # launches share the device
    longest = max(seconds for seconds, _ in work)
    return dataclasses.replace(
        expected, shapes=tuple(shapes), seconds=max(longest, total / at_once)
    )


class _Probe:
    """Short trainings on few points, which are kept: images take longer to draw than to train on
    for a few steps."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._key: Any = None
        self._data: Any = None

    def step_seconds(self, run: Run, count: int) -> float:
        """Seconds per step of ``count`` such runs side by side: the least of three short trainings
        (others may be using the machine), the first of one step, to compile and to see how many
        the others may have."""
        points = max(run.batch_size, min(run.train_points, _PROBE_POINTS))
        runs = (dataclasses.replace(run, train_points=points, test_points=10),) * count
        first = self._trained(runs, 1)
        if first > _PROBE_SECONDS:
            return min(first, self._trained(runs, 1), self._trained(runs, 1))
        steps = max(2, min(100_000, int(_PROBE_SECONDS / self._trained(runs, 2))))
        return min(self._trained(runs, steps) for _ in range(3))

    def _trained(self, runs: tuple[Run, ...], steps: int) -> float:
        """Seconds per step of a training of so many steps."""
        from fracsim.training.points import data_key, place_data
        from fracsim.training.trainer import train_slices

        key = data_key(runs[0])
        if key != self._key:
            self._data, self._key = None, key  # the old ones go before the new ones come
            self._data = place_data(runs, self._backend)
        runs = tuple(dataclasses.replace(run, steps=steps, record_every=steps) for run in runs)
        ended = train_slices(runs, self._backend, self._data)[0]
        return max(len(runs) * ended.state.seconds, 1e-9) / steps
