"""Shards: the part of an experiment that one job of many trains, and one trajectory file holds.

A split is a function of the experiment and the number of shards alone: costs come from a formula,
never from a measurement, so that every job of an array finds the same split without talking to the
others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fracsim.errors import UsageError
from fracsim.experiments.experiment import Experiment
from fracsim.text import counted
from fracsim.training.run import Run, cost, parameters_of


@dataclass(frozen=True)
class Part:
    """The runs of an experiment that go into one trajectory file: all of them, or those of shard
    ``index`` of ``count``."""

    experiment: Experiment
    index: int = 0
    count: int = 1

    @property
    def shard(self) -> str:
        """``i/N``, or "" for the whole."""
        return f"{self.index}/{self.count}" if self.count > 1 else ""

    @property
    def weights(self) -> str:
        """Which weights the trajectory file keeps."""
        return self.experiment.weights

    @property
    def levels(self) -> int:
        """The length of the axis of levels, the experiment's: all its shards have the same axes."""
        return self.experiment.levels

    @property
    def layers(self) -> int:
        """The length of the axis of layers, the experiment's."""
        return self.experiment.layers

    @cached_property
    def costs(self) -> list[float]:
        """Work of each run of this part, in arbitrary units."""
        return [cost(run, parameters_of(run)) for run in self.runs]

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of this part's runs in the experiment, ascending."""
        runs = self.experiment.runs
        if self.count == 1:
            return tuple(range(len(runs)))
        return split([cost(run, parameters_of(run)) for run in runs], self.count)[self.index]

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The runs of this part, in the order of ``numbers``."""
        return tuple(self.experiment.runs[number] for number in self.numbers)


def split(costs: Sequence[float], count: int) -> list[tuple[int, ...]]:
    """Numbers of the runs of each of ``count`` shards: longest first, each to the shard with the
    least work so far.

    Ties go to the run and the shard of the lower number. (Graham's LPT rule: the longest shard
    takes at most 4/3 of the best split's; DOI 10.1137/0117039.)"""
    work = [0.0] * count
    shards: list[list[int]] = [[] for _ in range(count)]
    for number in sorted(range(len(costs)), key=lambda i: (-costs[i], i)):
        least = min(range(count), key=lambda shard: (work[shard], shard))
        work[least] += costs[number]
        shards[least].append(number)
    return [tuple(sorted(shard)) for shard in shards]


def parse_shard(text: str) -> tuple[int, int]:
    """(i, N) of "i/N", i from 0. Raises UsageError."""
    found = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", text.strip())
    if found is None or not int(found[1]) < int(found[2]):
        raise UsageError(f"--shard is '{text}'; accepted is i/N with i from 0 to N - 1, as in 0/4")
    return int(found[1]), int(found[2])


def make_part(experiment: Experiment, shard: str | None = None) -> Part:
    """The part of an experiment that ``shard`` ("i/N", None for the whole) means. Raises
    UsageError."""
    if shard is None:
        return Part(experiment)
    index, count = parse_shard(shard)
    if count > len(experiment.runs):
        raise UsageError(
            f"--shard {shard} asks for {count} shards of {counted(len(experiment.runs), 'run')}; "
            f"accepted: at most one shard for each run"
        )
    return Part(experiment, index, count)
