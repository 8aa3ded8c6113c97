"""Kernel ridge regression on images in several classes: labels are 1 for the class and 0 for the
others, less 0.1, and the largest output decides (Bietti & Bach 2021, their protocol)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import RunError, UsageError
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.problems.images import ImagesProblem
from fracsim.problems.table import pinned_path
from fracsim.studies.kernel_learning.machine import Floats, Machine, choose_of, kernel_of, nearest

_LESS = 0.1


class ImageData:
    """Standardised images of one draw; groups are the classes."""

    def __init__(self, problem: ImagesProblem, one: Any, seed: int) -> None:
        train = problem.points(seed, TRAIN, 0, max(one.train_points))
        test = problem.points(seed, TEST, 0, one.test_points)
        self._x, self._labels = train.x, train.y.astype(np.int64)
        self._test, self._truth = test.x, test.y.astype(np.int64)
        self._one, self._classes = one, problem.outputs

    def control(self, m: int) -> float:
        """Accuracy of the nearest of m training images."""
        found = nearest(self._x[:m], self._labels[:m].astype(np.float64), self._test)
        return float((found == self._truth).mean())

    def learn(self, kernel: str, layers: int, m: int) -> tuple[Floats, float]:
        """Share that is right, of all and of each class (1 + classes,), with m training images; and
        λ."""
        x, labels = self._x[:m], self._labels[:m]
        if (labels == labels[0]).all():
            raise RunError(f"all {m} training images are of one class; take more --train-points")
        of, y = kernel_of(self._one, kernel, layers), np.eye(self._classes)[labels] - _LESS

        def right(outputs: NDArray[Any], truth: NDArray[Any]) -> Any:
            return outputs.argmax(1) == truth

        ridges = np.array(self._one.ridge)
        kept = m - max(m // 5, 1)
        held = Machine(of, x[:kept], y[:kept]).several(x[kept:], ridges)
        accuracy = np.array([right(found, labels[kept:]).mean() for found in held])
        errors = np.array([((found - y[kept:]) ** 2).mean() for found in held])
        ridge = choose_of(ridges, accuracy, errors)
        found = right(Machine(of, x, y).several(self._test, np.array([ridge]))[0], self._truth)
        shares = [found[self._truth == c] for c in range(self._classes)]
        by_class = [part.mean() if len(part) else np.nan for part in shares]
        return np.array([found.mean(), *by_class]), ridge


def problem_of(one: Any) -> ImagesProblem:
    """The images that settings name. Raises UsageError."""
    keys = {"images": one.images, "crop": None, "flip": "no", "precision": "float64"}
    problem = ImagesProblem.make({**keys, "problem_facts": None})
    for part, asked in (("train", max(one.train_points)), ("test", one.test_points)):
        there = problem.count(part)
        if asked is not None and asked > there:
            raise UsageError(
                f"--{part}-points is {asked}; accepted are at most the {there} {part} images of "
                f"{pinned_path(one.images)[0]}"
            )
    return problem
