"""The tangent kernel of a trained network, through its training: how it is aligned with the labels,
level by level, and how far it moved."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.data.errors import FileError
from fracsim.data.numbering import Number, Row
from fracsim.data.reader import Trajectory, sniff
from fracsim.errors import RunError
from fracsim.kernels.network.shape import Shape, split_layers
from fracsim.kernels.random.philox import TEST
from fracsim.machine.memory import check_fits
from fracsim.networks.snapshots import Snapshot, alone, snapshots_of
from fracsim.networks.stored import choose_run, open_trained, stored_score
from fracsim.problems.problem import Points
from fracsim.problems.registry import DESCRIBED
from fracsim.studies.landscape.subject import trained_run
from fracsim.studies.ntk.declaration import POINTS, Settings
from fracsim.studies.ntk.finite import Floats
from fracsim.studies.study import DEFINITION, OnProgress, Result
from fracsim.text import brief
from fracsim.training.run import Run, problem_of

SCALARS = ("test_accuracy", "alignment", "moved", "size")
"""Variables with a number for each snapshot."""

_COUNTED = 4
"""Kernels that are in memory at once."""


@brief
@dataclass(frozen=True, eq=False)
class AfterKernels(Result):
    """What is told of the kernel at each snapshot."""

    last: Snapshot
    learnt: dict[str, Any]
    """What names the problem."""
    points: int
    found: dict[str, NDArray[Any]]
    notes: Sequence[str] = ()
    form = "trained"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The variables declared."""
        return self.found

    def attributes(self) -> dict[str, Any]:
        """The network."""
        return {**self.last.attributes(), **self.learnt, "points": self.points}

    def summary(self) -> dict[str, Any]:
        """``results``: an object for each snapshot."""
        rows = []
        for row, step in enumerate(self.found["snapshot"]):
            one: dict[str, Any] = {"step": int(step)}
            one |= {name: float(self.found[name][row]) for name in SCALARS}
            if "alignment_by_level" in self.found:
                one["alignment_by_level"] = self.found["alignment_by_level"][row].tolist()
            rows.append(one)
        facts = {k: v for k, v in self.attributes().items() if k != DEFINITION}
        return {**facts, "results": rows}

    def words(self) -> list[str]:
        """A line for each snapshot."""
        found = self.found
        lines = [f"tangent kernel on {self.points:,} test points; {self.last.about}"]
        for row, step in enumerate(found["snapshot"]):
            line = (
                f"  step {step:,}: alignment {found['alignment'][row]:.3f}, moved by "
                f"{found['moved'][row]:.3f}, size {found['size'][row]:.3g}"
            )
            if "alignment_by_level" in found:
                levels = ", ".join(f"{value:.3f}" for value in found["alignment_by_level"][row])
                line += f"; levels 0, 1, …: {levels}"
            lines.append(line)
        return lines


def of_training(settings: Settings, progress: OnProgress) -> AfterKernels:
    """The kernels of a file's network at its snapshots. Raises FileError, UsageError, RunError."""
    path = settings.file
    assert path is not None
    trajectory, row = _chosen(path, settings.run)
    run = trained_run(trajectory, Number(int(trajectory.numbers[row])))
    count = settings.points or min(POINTS, run.test_points)
    snapshots = snapshots_of(path, settings.run, settings.snapshot)
    if settings.snapshot != "all":
        step, score = stored_score(trajectory, row, int(settings.snapshot or -1))
        snapshots = [dataclasses.replace(snapshots[0], step=step, score=score)]
    check_fits(8.0 * _needed(snapshots[-1].shape, count), f"for the kernel of {count:,} points")
    points = problem_of(run).points(run.seed, TEST, 0, count)
    return measured(snapshots, points, run, settings, progress)


def measured(
    snapshots: Sequence[Snapshot],
    points: Points,
    run: Run,
    settings: Settings,
    progress: OnProgress,
) -> AfterKernels:
    """What is told of the kernel on the points at each snapshot, in their order."""
    problem, y = problem_of(run), np.asarray(points.y, np.float64)
    if (y == y[0]).all():
        raise RunError(f"all {len(y)} test points have the same label; take more --points")
    levels = range(problem.groups) if problem.target == "class" and problem.groups > 1 else ()
    parts = [level_weights(y, points.group == level) for level in levels]
    steps = len(snapshots)
    found: dict[str, Any] = {name: np.empty(steps) for name in SCALARS}
    by_level, first = np.empty((steps, len(parts))), None
    for row, one in enumerate(snapshots):
        progress(row, steps)
        kernel = tangent_kernel_of(one.shape, one.params, np.asarray(points.x, np.float64))
        first = kernel if first is None else first
        found["test_accuracy"][row] = one.score
        found["alignment"][row] = alignment(kernel, y, np.full(len(y), 1 / len(y)))
        lengths = np.linalg.norm(kernel) * np.linalg.norm(first)
        found["moved"][row] = 1 - (kernel * first).sum() / lengths if lengths > 0 else np.nan
        found["size"][row] = np.trace(kernel) / len(y)
        by_level[row] = [alignment(kernel, y, weights) for weights in parts]
    arrays = {"snapshot": np.array([one.step for one in snapshots]), **found}
    if parts:
        counts = [int((points.group == level).sum()) for level in levels]
        arrays |= {"level": np.arange(len(parts)), "level_points": np.array(counts)}
        arrays["alignment_by_level"] = by_level
    assert settings.file is not None
    notes = alone(settings.file, settings.snapshot, [one.step for one in snapshots])
    return AfterKernels(snapshots[-1], _named(run), len(y), arrays, notes)


def _named(run: Run) -> dict[str, Any]:
    used = run.used_keys()
    values = {key: getattr(run, key) for key in DESCRIBED if key in used}
    return {key: value for key, value in values.items() if value is not None}


def tangent_kernel_of(shape: Shape, params: Floats, x: Floats) -> Floats:
    """Θ(x, x') (N, N) = Σ over the parameters θ, weights and biases as they are trained, of
    ∂f(x)/∂θ ∂f(x')/∂θ, at inputs x (N, d)."""
    layers = split_layers(shape, params)
    seen, gates = [x], []
    for weights, biases in layers[:-1]:
        z = seen[-1] @ weights + biases
        gates.append(z > 0)
        seen.append(np.maximum(z, 0))
    kernel = seen[-1] @ seen[-1].T + 1
    back = np.broadcast_to(layers[-1][0][:, 0], seen[-1].shape)
    for place in reversed(range(len(gates))):
        delta = back * gates[place]
        kernel += (delta @ delta.T) * (seen[place] @ seen[place].T + 1)
        back = delta @ layers[place][0].T
    return kernel


def level_weights(y: Floats, of_level: NDArray[np.bool_]) -> Floats:
    """Weights (N,) of labels ±1 that single a level out: its points, and all points of a class that
    it lacks, each class weighing 1/2; 0 elsewhere. A level without points has none: all 0."""
    weights = np.zeros(len(y))
    if not of_level.any():
        return weights
    for sign in (-1, 1):
        ours = of_level & (y == sign)
        ours = ours if ours.any() else y == sign
        weights[ours] = 0.5 / ours.sum()
    return weights


def alignment(kernel: Floats, y: Floats, weights: Floats) -> float:
    """Centred alignment of a kernel (N, N) with labels (N,), where a point counts by its weight,
    Σ w = 1: 1 where the kernel is y y', 0 where it knows nothing of y. NaN without weights, or of a
    kernel that is 0.

    C. Cortes, M. Mohri, A. Rostamizadeh, *Algorithms for learning kernels based on centered
    alignment*, JMLR 2012."""
    there = weights > 0
    if not there.any():
        return float("nan")
    w, k, labels = weights[there], kernel[np.ix_(there, there)], y[there]
    labels = labels - w @ labels
    rows = k @ w
    k = k - rows[:, None] - rows + w @ rows
    length = np.sqrt(w @ k**2 @ w) * (w @ labels**2)
    return float((w * labels) @ k @ (w * labels) / length) if length > 0 else float("nan")


def _chosen(path: str, number: int | None) -> tuple[Trajectory, Row]:
    """A trajectory file, and the row of its run. Raises FileError for another file."""
    if sniff(path) == "study":
        raise FileError(
            f"'{path}' holds a written network, which learns from no points; accepted is a "
            "trajectory file with weights"
        )
    trajectory = open_trained(path)
    return trajectory, choose_run(trajectory, None if number is None else Number(number))


def _needed(shape: Shape, points: int) -> float:
    """Numbers in memory at once."""
    return _COUNTED * points**2 + 3.0 * points * (shape.inputs + sum(shape.widths) + shape.width)
