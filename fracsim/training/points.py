"""The data of runs: training and test points, drawn once, and stacked where runs are trained side
by side."""

import dataclasses
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from fracsim.kernels.backend import Backend
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.kernels.training.train import Dataset, Images, Population, Stream
from fracsim.training.run import Run, problem_of

_OF_MIMICS = ("truth", "border")


@dataclass(frozen=True)
class RunData:
    """Training and test points of one run or of several, in their float type; ``sets`` data sets, N
    test points."""

    source: Dataset | Images | Stream | Population
    x: np.ndarray
    """Test points (sets, N, d)"""
    y: np.ndarray
    """Test labels (sets, N), ±1 or real"""
    group: np.ndarray
    """Groups (sets, N) int16 of the test points: levels, classes, or what a table says"""
    truth: np.ndarray | None = None
    """Of a teacher's outputs: the classes ±1 (sets, N) of the test points"""
    border: np.ndarray | None = None
    """and the labels (sets,) that part them"""


def data_key(run: Run) -> tuple[Hashable, ...]:
    """Equal for runs that share their data."""
    drawn = run.train_points if run.data == "dataset" else None
    return (problem_of(run).identity(), run.data, drawn, run.test_points, run.seed, run.precision)


def sets_of(runs: Sequence[Run]) -> tuple[list[Run], np.ndarray]:
    """One run of each data set, in the order in which ``runs`` first name them, and each run's set
    (R,)."""
    keys = [data_key(run) for run in runs]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    of_key = dict(zip(reversed(keys), reversed(runs), strict=True))
    return [of_key[key] for key in numbers], np.array([numbers[key] for key in keys], np.int64)


def make_data(run: Run, backend: Backend) -> RunData:
    """Draw a run's data: the sets of purpose TRAIN and TEST of its seed."""
    problem = problem_of(run)

    def draw(purpose: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y, group = problem.points(run.seed, purpose, 0, count, backend)
        return x[None], y[None], group[None]

    if run.data != "dataset":
        return RunData(problem.source(run.data), *draw(TEST, run.test_points))
    x, y, _ = draw(TRAIN, run.train_points)
    source = problem.dataset(x, y)
    tested = draw(TEST, run.test_points)
    if problem.target != "mimic":
        return RunData(source, *tested)
    truth, border = problem.truth(run.seed, TEST, 0, run.test_points, backend)
    return RunData(source, *tested, truth[None], np.array([border]))


def place_data(runs: Sequence[Run], backend: Backend) -> RunData:
    """The data of runs that can be trained side by side, their sets in the order of ``sets_of``,
    where the backend's verbs reach them fastest."""
    firsts, _ = sets_of(runs)
    parts = [make_data(run, backend) for run in firsts]
    x, y, group = (_stack([getattr(part, name) for part in parts]) for name in ("x", "y", "group"))
    source = parts[0].source  # of a stream or a population: they are on one distribution
    if isinstance(source, Dataset):
        arrays = zip(*(part.source for part in parts), strict=True)
        source = backend.place(Dataset(*(_stack(list(sets)) for sets in arrays)))
    elif isinstance(source, Images):
        x_train, y_train = (_stack([getattr(part.source, name) for part in parts]) for name in "xy")
        source = backend.place(source._replace(x=x_train, y=y_train))
    found = RunData(source, backend.place(x), backend.place(y), backend.place(group))
    if parts[0].truth is None:
        return found
    truth, border = (_stack([getattr(part, name) for part in parts]) for name in _OF_MIMICS)
    return dataclasses.replace(found, truth=truth, border=border)


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def data_bytes(run: Run, inputs: int) -> int:
    """Bytes of a run's training and test points, placed; ``inputs``: d."""
    real = np.dtype(run.precision).itemsize
    drawn = run.train_points if run.data == "dataset" else 0
    return (drawn + run.test_points) * (inputs + 1) * real + 2 * run.test_points
