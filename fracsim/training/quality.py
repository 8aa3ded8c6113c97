"""How well networks do on test points, by what the labels are: classes are told apart, real numbers
approximated.

Each measure is a dict of one run, variable of the file -> value; by level where points have
groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fracsim.kernels.backend import Backend
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.norms import LEAST, MOST, deviation, scales
from fracsim.problems.problem import Problem
from fracsim.training.points import RunData

Quality = Mapping[str, float | np.ndarray]


def measure(
    problem: Problem,
    backend: Backend,
    shape: Shape,
    loss: int,
    params: Any,
    data: RunData,
    set_of_run: Any,
) -> list[dict[str, float | np.ndarray]]:
    """The quality of each of R networks, params (R, Q), on the test points of ``data``."""
    if problem.target != "class":
        scores = backend.fetch(backend.forward(shape, params, data.x, set_of_run))
        labels, groups = backend.fetch(data.y), backend.fetch(data.group)
        sets = backend.fetch(set_of_run)
        found = [
            of_real_labels(scores[run], labels[chosen], groups[chosen], problem.groups)
            for run, chosen in enumerate(sets)
        ]
        if data.truth is not None and data.border is not None:
            for run, chosen in enumerate(sets):
                above = scores[run] - data.border[chosen]
                taught = labels[chosen] - data.border[chosen]
                of_group = groups[chosen], problem.groups
                found[run] |= of_classes("test_accuracy", above * data.truth[chosen], *of_group)
                found[run] |= of_classes("test_agreement", above * taught, *of_group)
        return found
    losses, accuracy, by_level = backend.evaluate(
        shape, loss, params, data.x, data.y, data.group, problem.groups - 1, set_of_run
    )
    return [
        {
            "test_loss": float(losses[run]),
            "test_accuracy": float(accuracy[run]),
            **({"test_accuracy_by_level": by_level[run]} if problem.groups > 1 else {}),
        }
        for run in range(len(losses))
    ]


def of_real_labels(
    scores: np.ndarray, labels: np.ndarray, group: np.ndarray, groups: int
) -> dict[str, float | np.ndarray]:
    """Squared loss, R² and root mean square error of scores (N,) for labels (N,), in float64.

    R² is 1 - (mean square error) / (variance of the labels): 0 for the mean of the labels, NaN
    where they are all equal."""
    real = labels.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        errors, spread = scores - real, deviation(real)
        scale = scales(np.abs(errors).max())  # 1, or a power of two: of labels beyond 1e135
        squares = (errors * scale) ** 2
        rmse = float(squares.mean()) ** 0.5 / scale
        harmless = scale == 1 and LEAST <= spread <= MOST
        share = squares.mean() / real.var() if harmless else (rmse / spread) ** 2
        found: dict[str, float | np.ndarray] = {
            "test_loss": float((errors**2).mean()) / 2,
            "test_r2": float(1 - share) if spread > 0 else float("nan"),
            "test_rmse": float(rmse),
        }
        if groups > 1:
            count = np.bincount(group, minlength=groups)
            sums = np.bincount(group, weights=squares, minlength=groups)
            found["test_rmse_by_level"] = (
                np.sqrt(np.divide(sums, count, out=np.full(groups, np.nan), where=count > 0))
                / scale
            )
    return found


def of_classes(
    name: str, agrees: np.ndarray, group: np.ndarray, groups: int
) -> dict[str, float | np.ndarray]:
    """Share of points at which a product of two numbers (N,) is positive: their signs agree, and
    none is 0; the same by group."""
    right = agrees > 0
    found: dict[str, float | np.ndarray] = {name: float(right.mean())}
    if groups > 1:
        count = np.bincount(group, minlength=groups)
        sums = np.bincount(group, weights=right, minlength=groups)
        found[f"{name}_by_level"] = np.divide(
            sums, count, out=np.full(groups, np.nan), where=count > 0
        )
    return found


def of_training(problem: Problem, loss_sum: float, correct: int, counted: int) -> Quality:
    """Means over the points trained on since the record before; NaN where there are none, as at
    step 0."""
    found = {"train_loss": loss_sum / counted if counted else math.nan}
    if problem.target == "class":
        found["train_accuracy"] = correct / counted if counted else math.nan
    return found


def inactive_units(shape: Shape, peaks: np.ndarray) -> np.ndarray:
    """Share (R, T) of each hidden layer's units that no point activates, from the greatest
    activations (R, units) over the points."""
    ends = np.cumsum(shape.widths)[:-1]
    layers = np.split(peaks, ends, axis=1) if shape.widths else []
    return np.array([(~(layer > 0)).mean(axis=1) for layer in layers]).T.reshape(len(peaks), -1)
