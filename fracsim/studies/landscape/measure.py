"""What the loss of networks is taken over: points, or a whole distribution on a line."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fracsim.errors import UsageError
from fracsim.kernels.network.evaluate import BLOCK
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape, make_plan
from fracsim.kernels.network.surface import loss_surface
from fracsim.kernels.points.line import Line, make_line
from fracsim.kernels.random.philox import TRAIN
from fracsim.kernels.training.population import population_gradient
from fracsim.kernels.vectors import VECTOR_BYTES
from fracsim.problems.fractal import FractalProblem
from fracsim.studies.landscape.declaration import Settings
from fracsim.studies.landscape.subject import Subject
from fracsim.training.run import Run, problem_of
from fracsim.values.settings import label

Found = tuple[np.ndarray, np.ndarray]


class Measure(Protocol):
    """What each group of points adds to loss and accuracy."""

    @property
    def about(self) -> str:
        """The loss and the points, for people."""
        ...

    @property
    def share(self) -> np.ndarray:
        """Share (J,) of the points that are in each group."""
        ...

    def __call__(self, centre: np.ndarray, directions: np.ndarray, at: np.ndarray) -> Found:
        """loss (G, J) and right (G, J): their sums over the groups are the mean loss and the
        accuracy of the networks centre (Q,) + at (G, D) · directions (D, Q)."""
        ...


@dataclass(frozen=True, eq=False)
class OnPoints:
    """x (N, d), y (N,) in the float type of the arithmetic, group (N,)."""

    about: str
    shape: Shape
    loss: str
    x: np.ndarray
    y: np.ndarray
    group: np.ndarray
    share: np.ndarray

    def __call__(self, centre: np.ndarray, directions: np.ndarray, at: np.ndarray) -> Found:
        """See ``Measure``."""
        plan, places = make_plan(self.shape, BLOCK, VECTOR_BYTES // self.x.itemsize)
        losses = np.empty((len(at), len(self.share)))
        right = np.empty(losses.shape, np.int64)
        code = LOSSES.index(self.loss)
        loss_surface(
            plan, places, code, centre, directions, at, self.x, self.y, self.group, losses, right
        )
        return losses / len(self.x), right / len(self.x)


@dataclass(frozen=True, eq=False)
class OnLine:
    """The hinge loss over a whole distribution in one dimension, exactly.

    ``lines``: the distribution, or where levels are told apart that with the negatives of level j
    alone beside the positives, j = 0 … n - 1 (None where there are none), and with no negatives."""

    about: str
    shape: Shape
    lines: list[Line | None]
    share: np.ndarray

    def __call__(self, centre: np.ndarray, directions: np.ndarray, at: np.ndarray) -> Found:
        """See ``Measure``."""
        params = centre + at @ directions
        found = np.zeros((2, len(at), len(self.lines)))
        for j, line in enumerate(self.lines):
            if line is not None:
                _, found[0, :, j], found[1, :, j] = population_gradient(self.shape, params, line)
        if len(self.lines) > 1:
            negatives = np.array([line is not None for line in self.lines[:-1]])
            found[:, :, :-1] -= np.where(negatives, found[:, :, -1:], 0.0)
        return found[0], found[1]


def measure_of(settings: Settings, subject: Subject) -> Measure:
    """What the settings name for this network. Raises UsageError, FileError."""
    run, shape = subject.run, subject.shape
    problem = problem_of(run)
    exact = isinstance(problem, FractalProblem) and problem.inputs == 1 and run.loss == "hinge"
    if settings.data == "population" and not exact:
        raise UsageError(
            f"{label('data')} is population, which is for the hinge loss on a fractal in one "
            "dimension; accepted is dataset, or none"
        )
    if exact and settings.data != "dataset":
        assert isinstance(problem, FractalProblem)
        return _on_line(problem, run, shape, settings.by_level)
    count = settings.train_points
    if run.data == "dataset" and subject.trained:
        count = min(count, run.train_points)
    x, y, group = problem.points(run.seed, TRAIN, 0, count)
    whole = f" of {run.train_points:,}" if run.data == "dataset" and subject.trained else ""
    learnt = _learnt(run)
    about = f"{run.loss} loss on {count:,}{whole} training points of {learnt}, {run.precision}"
    share = np.bincount(group, minlength=problem.groups) / count
    return OnPoints(about, shape, run.loss, x, y, group, share)


def _learnt(run: Run) -> str:
    if run.problem != "fractal":
        return run.problem
    return f"{run.fractal}, n = {run.fractal_depth}, curve {run.curve}"


def _on_line(problem: FractalProblem, run: Run, shape: Shape, by_level: bool) -> OnLine:
    distribution = problem.keyed.distribution()
    geometry, law = distribution.fractal.geometry(), distribution.law()
    about = f"exact hinge loss over the whole distribution of {_learnt(run)}"
    if not by_level:
        return OnLine(about, shape, [make_line(geometry, law)], np.ones(1))
    weights = np.diff(law.curve)
    lines: list[Line | None] = []
    for j, weight in enumerate(weights):  # a curve of one step has the negatives of one level
        curve = np.where(np.arange(len(law.curve)) > j, weight, 0.0)
        lines.append(make_line(geometry, law._replace(curve=curve)) if weight > 0 else None)
    nothing = np.zeros_like(law.curve)
    lines.append(make_line(geometry, law._replace(curve=nothing)))
    return OnLine(about, shape, lines, np.append(weights, 0.5))
