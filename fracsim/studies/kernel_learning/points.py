"""Points in two or more classes, which kernels learn: of a fractal, of a table, or images."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.kernels.random.feistel import fill_split
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.problems.arrays import read_table
from fracsim.problems.image_files import read_images
from fracsim.problems.table import TableProblem
from fracsim.studies.kernel_learning.declaration import Settings
from fracsim.studies.kernel_learning.machine import Floats
from fracsim.studies.study import fractal_of
from fracsim.values.settings import label, settings_of

FRACTAL_TESTS = 20_000
"""Test points of a fractal, where nothing else is asked for."""

_MOST_CLASSES = 1000
_LARGEST = 1e30
_LESS = 0.1


@dataclass(frozen=True, eq=False)
class Points:
    """x (N, d) float64, number of the class (N,) from 0, group (N,) from 0."""

    x: Floats
    label: NDArray[np.int64]
    group: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Source:
    """Where points come from."""

    about: Mapping[str, str | int | float]
    """What a file says of it."""
    classes: int
    groups: int
    """Levels of a fractal, groups of a table, classes of images."""
    tests: int
    draw: Callable[[int, int, int, int], Points]
    """(seed, TRAIN or TEST, first, count) -> points."""


def source_of(one: Settings) -> Source:
    """The points that settings name. Raises UsageError."""
    return {"fractal": _fractal, "table": _table, "images": _images}[one.problem](one)


def targets(labels: NDArray[np.int64], classes: int) -> Floats:
    """What outputs should be: ±1 (N, 1) of two classes; of several (N, classes) 1 for the class and
    0 for the others, less 0.1 (Bietti & Bach 2021, their protocol)."""
    if classes == 2:
        return np.asarray(2 * labels[:, None] - 1, np.float64)
    return np.asarray(np.eye(classes)[labels] - _LESS, np.float64)


def decided(outputs: Floats) -> NDArray[np.int64]:
    """The class (N, F) of outputs (N, F, C): by the sign of one, the largest of several."""
    if outputs.shape[2] == 1:
        return (outputs[:, :, 0] > 0).astype(np.int64)
    return np.asarray(outputs.argmax(2))


def lifted(x: NDArray[Any]) -> Floats:
    """(x, 1)"""
    return np.column_stack([np.asarray(x, np.float64), np.ones(len(x))])


def _fractal(one: Settings) -> Source:
    if one.fractal is None:
        raise UsageError(f"FRACTAL is missing: {settings_of(Settings)['fractal'].about}")
    fractal = fractal_of(one)
    law = Distribution(fractal, one.fractal_depth, parse_curve(one.curve), one.gap)

    def draw(seed: int, purpose: int, first: int, count: int) -> Points:
        found = law.sample(count, seed, purpose, first)
        return Points(lifted(found.x), (found.y > 0).astype(np.int64), found.level)

    about: dict[str, str | int | float] = {
        "fractal": fractal.name,
        "fractal_definition": json.dumps(fractal.to_dict()),
        "fractal_depth": one.fractal_depth,
        "curve": one.curve,
        "gap": str(law.gap),
    }
    return Source(about, 2, one.fractal_depth + 1, one.test_points or FRACTAL_TESTS, draw)


def _table(one: Settings) -> Source:
    assert one.table is not None
    table = read_table(one.table)
    values = len(table.values)
    if values > _MOST_CLASSES or (values > 2 and not table.whole):
        many = f"more than {_MOST_CLASSES:,}" if values > _MOST_CLASSES else str(values)
        kind = "whole numbers" if table.whole else "numbers"
        raise UsageError(
            f"{label('table')}: y of {table.path} holds {kind} of {many} values; accepted are "
            f"classes: two values, or whole numbers of at most {_MOST_CLASSES:,}"
        )
    if (largest := float(np.abs(table.x).max())) > _LARGEST:
        raise UsageError(
            f"{label('table')}: x of {table.path} holds numbers up to {largest:g}; accepted are "
            f"numbers up to {_LARGEST:g}, whose products kernels can hold"
        )
    keys = {"table": one.table, "target": "real", "precision": "float64", "problem_facts": None}
    problem = TableProblem.make(keys)
    taken = max(one.train_points) + (one.validation_points or 0)
    tests = one.test_points or max(len(table.y) - taken, 1)
    problem.check({"train_points": taken, "test_points": tests})

    def draw(seed: int, purpose: int, first: int, count: int) -> Points:
        found = problem.points(seed, purpose, first, count)
        classes = np.searchsorted(table.values, found.y)
        return Points(lifted(found.x), classes, found.group)

    about = {"problem": "table", "table": table.path, "table_hash": table.digest}
    return Source(about, values, int(table.group.max()) + 1, tests, draw)


def _images(one: Settings) -> Source:
    assert one.images is not None
    found = read_images(one.images)
    brightest = float(found.train.max()) or 1.0
    train, test = len(found.train_labels), len(found.test_labels)
    tests = one.test_points or test
    taken = max(one.train_points) + (one.validation_points or 0)
    words = "--train-points and --validation-points together are"
    asked = words if one.validation_points else "--train-points is"
    for name, count, there, part in (
        (asked, taken, train, "train"),
        ("--test-points is", tests, test, "test"),
    ):
        if count > there:
            raise UsageError(
                f"{name} {count}; accepted are at most the {there} {part} images of {found.path}"
            )

    def draw(seed: int, purpose: int, first: int, count: int) -> Points:
        images, labels = (
            (found.test, found.test_labels)
            if purpose == TEST
            else (found.train, found.train_labels)
        )
        rows = np.empty(count, np.int64)
        fill_split(np.uint64(seed), first, 1, len(labels), rows)
        x = images[rows].reshape(count, -1).astype(np.float64) / brightest
        return Points(x, labels[rows], labels[rows])

    about = {"problem": "images", "images": found.path, "images_hash": found.digest}
    return Source(about, found.classes, found.classes, tests, draw)


@dataclass(frozen=True, eq=False)
class Draw:
    """The points of one seed."""

    train: Points
    test: Points
    validation: Points | None


def draw_of(source: Source, one: Settings, seed: int) -> Draw:
    """Training points for the largest number asked for, validation points after them."""
    most = max(one.train_points)
    held = one.validation_points
    return Draw(
        source.draw(seed, TRAIN, 0, most),
        source.draw(seed, TEST, 0, source.tests),
        source.draw(seed, TRAIN, most, held) if held else None,
    )
