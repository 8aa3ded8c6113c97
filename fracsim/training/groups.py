"""Groups: which runs are trained side by side, as one group, and how much of a device's memory
groups may take.

On the CPU a group is one run. A backend that gains by many runs trains a group in one launch: runs
of one network shape, one rule and one kind of data, at the same step. No result depends on the
grouping."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from fracsim.data.numbering import Row
from fracsim.errors import RunError, UsageError
from fracsim.kernels.backend import Backend
from fracsim.text import size
from fracsim.training.points import data_bytes
from fracsim.training.run import Run, problem_of, shape_of
from fracsim.training.trainer import rule_of
from fracsim.values.settings import label

MOST_GROUPS = 32
"""Groups in flight at once where a group is a launch."""

_SHARE = 0.8
"""Of a device's free memory, for all groups in flight; a group is at most half of that, so that two
can be."""

Group = tuple[Row, ...]
"""Rows of the runs of a group."""


def group_key(run: Run) -> Hashable:
    """Equal for runs that can be trained side by side: shape, rule, precision, records, kind and
    number of points.

    A training set may be another for each run; a stream has one distribution for all.
    """
    problem = problem_of(run)
    drawn = run.train_points if run.data == "dataset" else problem.identity()
    return (
        shape_of(run),
        rule_of(run),
        run.precision,
        run.steps,
        run.record_every,
        run.data,
        run.test_points,
        problem.target,
        problem.groups,
        drawn,
    )


def check_data(runs: Iterable[Run], backend: Backend) -> None:
    """Raise UsageError for a kind of data that the backend does not train on."""
    for run in runs:
        if run.data not in backend.kinds_of_data:
            kinds = " or ".join(backend.kinds_of_data)
            raise UsageError(
                f"{label('data')} is {run.data}; accepted with --backend {backend.name} is "
                f"{kinds}, and "
                f"{run.data} with --backend cpu"
            )
        if not backend.several_outputs and problem_of(run).outputs > 1:
            raise UsageError(
                f"{label('problem')} {run.problem} has a network of several outputs, which "
                f"--backend {backend.name} does not train; accepted is --backend cpu"
            )


class Groups:
    """The groups that runs are trained in by a backend.

    Raises UsageError as ``check_data``, RunError where a run alone is larger than the device's free
    memory."""

    def __init__(self, runs: Sequence[Run], backend: Backend) -> None:
        check_data(runs, backend)
        self.backend = backend
        free: float | None = backend.free_memory()
        self.free = free
        """Bytes that are free on the device before the training; None on the CPU."""
        self._budget = math.inf if free is None else _SHARE * free
        self._keys: list[Hashable] = list(range(len(runs)))
        self.sizes = [0.0] * len(runs)
        """Bytes of the device that each run takes, with a data set of its own."""
        if backend.side_by_side:
            self._keys = [group_key(run) for run in runs]
            of_key = {key: _size(run, backend) for key, run in zip(self._keys, runs, strict=True)}
            self.sizes = [of_key[key] for key in self._keys]
            self._check_largest(runs)

    def at_start(self) -> list[Group]:
        """The groups of all runs, at their first step."""
        count = len(self._keys)
        return self.of(map(Row, range(count)), [0] * count)

    def of(self, rows: Iterable[Row], steps: Sequence[int]) -> list[Group]:
        """The groups of ``rows`` in their order, of which each run is at its step in ``steps``.

        A group larger than half of what may be taken is cut into equal parts.
        """
        together: dict[Hashable, list[Row]] = {}
        for row in rows:
            together.setdefault((self._keys[row], steps[row]), []).append(row)
        parts: list[Group] = []
        for found in together.values():
            most = max(1.0, self._budget / 2 / max(self.sizes[found[0]], 1.0))
            if len(found) <= most:
                parts.append(tuple(found))
            else:
                cut = np.array_split(found, math.ceil(len(found) / int(most)))
                parts += [tuple(part.tolist()) for part in cut]
        return parts

    def taken(self, groups: Iterable[Group]) -> float:
        """Bytes that groups take of the device."""
        return sum(self.sizes[row] for group in groups for row in group)

    def fits(self, group: Group, flying: Sequence[Group]) -> bool:
        """Whether a group may take off while others fly; alone it always may."""
        return not flying or self.taken((group, *flying)) <= self._budget

    def first(self, groups: Iterable[Group], most: int) -> list[Group]:
        """Those of ``groups`` that take off at once, at most so many."""
        flying: list[Group] = []
        for group in groups:
            if len(flying) < most and self.fits(group, flying):
                flying.append(group)
        return flying

    def was_too_much(self, flying: Iterable[Group]) -> None:
        """Remember that the device had no memory for so many at once: from now on no more than half
        as much."""
        self._budget = min(self._budget, self.taken(flying)) / 2

    def too_large(self, row: Row, name: str) -> str:
        """A sentence on a run for which there is too little memory."""
        free = self.backend.free_memory()
        has = "" if free is None else f", of which {size(free)} are free"
        return f"{name} takes {size(self.sizes[row])} of the memory of {self.backend.device}{has}"

    def _check_largest(self, runs: Sequence[Run]) -> None:
        row = Row(int(np.argmax(self.sizes)))
        if self.sizes[row] > self._budget:
            run = runs[row]
            network = (
                f"a network of depth {run.network_depth} and width {run.width} with its points"
            )
            raise RunError(
                f"{self.too_large(row, network)}; fracsim uses at most {_SHARE:.0%} (a narrower "
                f"network, a "
                "smaller batch or --backend cpu takes less of it)"
            )


def _size(run: Run, backend: Backend) -> float:
    shape = shape_of(run)
    return backend.bytes_per_run(shape, rule_of(run), np.dtype(run.precision)) + data_bytes(
        run, shape.inputs
    )
