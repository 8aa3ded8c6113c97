"""What is learnt: the protocol of a problem.

A problem is a function of its settings and of a counter: point i of a stream (seed, purpose) is the
same however many are drawn beside it. What its records are follows from its ``target``. A kind of
problem costs one file, which declares its keys and its class, and its two names in
``fracsim.problems.registry``; neither needs NumPy to be imported."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from fracsim.values.settings import settings_of

if TYPE_CHECKING:
    import numpy as np

    from fracsim.kernels.backend import Backend
    from fracsim.kernels.training.train import Dataset, Images, Population, Stream

TARGETS = ("class", "real")
"""Labels ±1, which are told apart, or real ones, which are approximated."""

RECORDED = (*TARGETS, "mimic")
"""What the records of a run may be by: of a teacher's outputs, real numbers, it is also recorded
how well a student tells apart the classes that the teacher was taught."""

BESTS = {"best_test_accuracy": "best test accuracy", "best_test_r2": "best test R²"}
"""What tells how good a run is, by what its labels are, and its words."""

REAL_LOSSES = ("squared",)
"""The losses that real labels have."""

CLASS_LOSS = "cross-entropy"
"""The loss of classes that each have an output, of the softmax of the outputs."""


class Points(NamedTuple):
    """x (N, d) and y (N,) in the run's float type, group (N,) int16."""

    x: np.ndarray
    y: np.ndarray
    group: np.ndarray


class Resolution(NamedTuple):
    """How fine the cells are that points lie in, and may be."""

    fractal: str
    fractal_depth: int
    """n"""
    greatest: Mapping[str, int]
    """Precision -> the greatest n whose cells its points resolve"""


class Problem(ABC):
    """A problem with all its settings; a subclass is a kind of problem.

    Settings are handed to it as a mapping of a run's fields. Beside the keys that ``keys`` names
    and ``precision`` these are what is known of outside files, or None: ``fractal_definition``, and
    ``problem_facts``, which ``look`` found in the file that ``source_key`` names (JSON). So a
    trajectory can be read where the files have gone."""

    name: ClassVar[str]
    declared: ClassVar[type]
    """The dataclass of its own keys, whose fields are those of ``setting``."""
    kinds_of_data: ClassVar[tuple[str, ...]] = ("dataset",)
    """What ``data`` may be."""
    source_key: ClassVar[str] = ""
    """The key that names a file of the user's; "" where there is none."""
    open_keys: ClassVar[tuple[str, ...]] = ()
    """Keys of all runs that, where they are not given, ``complete`` decides."""
    described: ClassVar[tuple[str, ...]] = ()
    """The keys that ``describe`` tells."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Key of another problem that it takes, too -> the default that it has here."""
    has_images: ClassVar[bool] = False
    """Whether its points are images, which a convolutional network takes."""

    @classmethod
    def keys(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """The keys that are settings of this problem: its own, unless it takes others' too, by the
        settings that are given."""
        return own_keys(cls)

    @classmethod
    @abstractmethod
    def make(cls, settings: Mapping[str, Any]) -> Problem:
        """The problem of a run, from its settings. Raises UsageError."""

    @classmethod
    def look(cls, text: str) -> tuple[str, dict[str, Any]]:
        """A value of the source key, pinned to what its file holds, and facts that JSON can
        store."""
        raise NotImplementedError

    @classmethod
    def complete(cls, settings: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
        """Key -> value of what a run's settings leave open; ``given``: the keys that are set."""
        return {}

    @classmethod
    def content_of(cls, key: str, value: Any) -> Any:
        """What of a key's value decides the numbers of a run: of a pinned file, its digest."""
        return value

    @classmethod
    @abstractmethod
    def describe(cls, settings: Mapping[str, Any]) -> str:
        """The problem in a title, from the settings that a file stores."""

    @property
    @abstractmethod
    def inputs(self) -> int:
        """d"""

    @property
    def outputs(self) -> int:
        """What a network has: one, or one for each of several classes, whose labels are numbers
        from 0."""
        return 1

    @property
    def image(self) -> tuple[int, int, int] | None:
        """Height, width and channels of the points that are images."""
        return None

    @property
    @abstractmethod
    def target(self) -> str:
        """One of ``RECORDED``."""

    @property
    @abstractmethod
    def groups(self) -> int:
        """How many groups points are told apart by in the records: levels 0..n, classes, or 1."""

    def identity(self) -> Hashable:
        """Equal for problems with the same points."""
        return self

    def check(self, run: Mapping[str, Any]) -> None:  # noqa: B027  most have nothing to add
        """Raise UsageError where the settings of a run do not fit the problem or one another."""

    def resolution(self) -> Resolution | None:
        """What a precision resolves of the points; None where there is no limit to it."""
        return None

    @abstractmethod
    def points(
        self, seed: int, purpose: int, first: int, count: int, backend: Backend | None = None
    ) -> Points:
        """Points first … first + count - 1 of the stream (seed, purpose), TRAIN or TEST.

        ``backend``: which draws them where it can; the points do not depend on it. Raises
        UsageError, FileError where a file is not what it was."""

    def truth(
        self, seed: int, purpose: int, first: int, count: int, backend: Any = None
    ) -> tuple[np.ndarray, float]:
        """Of a problem of target mimic: the classes ±1 (N,) of these points, and the label that
        parts them."""
        raise NotImplementedError

    def dataset(self, x: np.ndarray, y: np.ndarray) -> Dataset | Images:
        """What ``train`` draws its batches from: training points x (sets, N, …), y (sets, N)."""
        from fracsim.kernels.training.train import Dataset

        return Dataset(x, y)

    def memory(self, train_points: int, test_points: int) -> float | None:
        """Bytes that its points take, where that is not known from their number and inputs."""
        return None

    def source(self, data: str) -> Stream | Population:
        """What ``train`` draws its points from, for a ``data`` other than dataset."""
        raise NotImplementedError


@functools.cache
def own_keys(kind: type[Problem]) -> tuple[str, ...]:
    """The keys that a kind of problem declares."""
    return tuple(settings_of(kind.declared))
