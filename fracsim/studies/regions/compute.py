"""What ``fracsim regions`` does, and its counts in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.data.numbering import Number
from fracsim.kernels.network.shape import Shape
from fracsim.machine.cpus import available_threads
from fracsim.networks.snapshots import alone
from fracsim.studies.regions.declaration import Settings
from fracsim.studies.regions.draws import of_draws
from fracsim.studies.regions.levels import of_levels
from fracsim.studies.regions.measure import Measured, Place, attributes, measure
from fracsim.studies.regions.nearness import of_distances
from fracsim.studies.regions.regions import count_on_segment
from fracsim.studies.regions.subjects import Subject, random_subject, stored_subjects
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief
from fracsim.values.grammar import layer_widths

_COUNTS = ("activation_regions", "linear_pieces")
_BOUNDS = {
    "zaslavsky": "one layer of as many units (Zaslavsky)",
    "montufar": "the best network has (Montúfar)",
    "serra": "no network has more (Serra)",
    "paper": "no network has more (the paper's bound)",
}


@brief
@dataclass(frozen=True, eq=False)
class RegionsCounted(Result):
    """The regions of one network, or of all snapshots of a run (form "training")."""

    subjects: list[Subject]
    place: Place
    measured: list[Measured]
    form: str
    notes: Sequence[str] = ()

    def arrays(self) -> dict[str, Any]:
        """The regions of the one network, or the counts of all snapshots."""
        if self.form != "training":
            return dict(self.measured[-1].arrays)
        facts = [counted.facts for counted in self.measured]
        return {
            **{key: [one[key] for one in facts] for key in _COUNTS},
            "snapshot": [one.step for one in self.subjects],
            "test_accuracy": [one.accuracy for one in self.subjects],
            "mean_distance": [one["distance"]["mean"] for one in facts],
        }

    def attributes(self) -> dict[str, str | int | float]:
        """Of the last network, its place and its numbers."""
        last = self.subjects[-1]
        facts = self.measured[-1].facts
        return {**last.attributes(), **attributes(last.shape, self.place, facts)}

    def summary(self) -> dict[str, Any]:
        """Of the last network, with a list of all snapshots where there are several."""
        last, measured = self.subjects[-1], self.measured
        facts = {
            "network": last.about,
            "inputs": last.shape.inputs,
            "depth": last.shape.depth,
            "width": last.shape.width,
            **({} if last.shape.is_even else {"widths": last.shape.widths}),
            "measure": self.place.kind,
            "window": self.place.window,
            **measured[-1].facts,
        }
        if last.note:
            facts["note"] = last.note
        if self.form == "training":
            facts["snapshots"] = [
                {
                    "step": one.step,
                    "test_accuracy": one.accuracy,
                    **{key: counted.facts[key] for key in _COUNTS},
                    "mean_distance": counted.facts["distance"]["mean"],
                }
                for one, counted in zip(self.subjects, measured, strict=True)
            ]
        return facts

    def words(self) -> list[str]:
        """The counts, and what they stand beside."""
        lines = self.place.lines
        on_lines = f"on {lines:,} segments" if lines else ""
        where = {"plane": "in the window", "box": "in the box", "segment": "on the segment"}
        where["lines"] = on_lines
        facts = self.measured[-1].facts
        regions, pieces = (facts[key] for key in _COUNTS)
        return [
            f"{self.subjects[-1].about}: {regions:,} activation regions {where[self.place.kind]}, "
            f"{pieces:,} linear pieces",
            *(self._snapshots() if self.form == "training" else ()),
            *_beside(facts, self.place.dimension),
        ]

    def _snapshots(self) -> Iterator[str]:
        yield f"{'step':>12}  {'regions':>12}  {'pieces':>12}  {'test accuracy':>13}"
        for one, counted in zip(self.subjects, self.measured, strict=True):
            regions, pieces = (counted.facts[key] for key in _COUNTS)
            yield f"{one.step:12,}  {regions:12,}  {pieces:12,}  {one.accuracy:13.4f}"


def compute(settings: Settings, progress: OnProgress = silent) -> Result:
    """Count. Raises UsageError, RunError, FileError."""
    if settings.draws is not None:
        return of_draws(settings, progress)
    if settings.along == "cells":
        return of_levels(settings, progress)
    if settings.along == "distance":
        return of_distances(settings, progress)
    return of_place(settings, progress)


def of_place(settings: Settings, progress: OnProgress = silent) -> RegionsCounted:
    """Count in one place, in one network or all snapshots of a run."""
    subjects = find_subjects(settings)
    first = subjects[0]
    window = settings.window or (first.low, 1.0) * first.shape.inputs
    place = Place(window, settings.segment, settings.lines, settings.points, settings.seed)
    threads = settings.threads or available_threads()[0]
    measured: list[Measured] = []
    for subject in subjects:
        progress(len(measured), len(subjects), subject.about)
        measured.append(measure(subject.shape, subject.params, place, threads))
    form = "training" if settings.snapshot == "all" else place.kind
    notes = [subjects[-1].note] if subjects[-1].note else []
    notes += alone(str(settings.file), settings.snapshot, [one.step for one in subjects])
    return RegionsCounted(subjects, place, measured, form, notes)


def find_subjects(settings: Settings) -> list[Subject]:
    """The networks to count: a random one, one of a file, or all snapshots of a run."""
    if settings.file is not None:
        number = None if settings.run is None else Number(settings.run)
        return stored_subjects(settings.file, number, settings.snapshot)
    width = 64 if settings.width is None else settings.width
    depth = len(layer_widths(width)) if isinstance(width, str) else settings.depth
    return [
        random_subject(
            2 if settings.inputs is None else settings.inputs,
            3 if depth is None else depth,
            width,
            settings.init or "he",
            settings.bias,
            settings.bias_std,
            settings.seed,
        )
    ]


def checks() -> Iterator[tuple[str, float, float]]:
    """Telgarsky's tent for the doctor: |2x - 1| twice over itself has 4 pieces on [0, 1]."""
    tent = [2.0, 2.0, 0.0, -1.0]  # h(z) = 2 [z]_+ - 4 [z - 1/2]_+ as units [2z]_+, [2z - 1]_+
    params = [*tent, 2.0, 2.0, -4.0, -4.0, 0.0, -1.0, 1.0, -2.0, 0.0]
    line = count_on_segment(Shape(1, 2, 2), np.array(params), [0.0], [1.0])
    yield "linear regions, wrong ones", abs(line.activation_regions - 4), 0.0


def _beside(facts: dict[str, Any], dimension: int) -> Iterator[str]:
    """The average case, the distances and the bounds."""
    average, distance, n = facts["average_case"], facts["distance"], facts["neurons"]
    if "ratio" in average:
        known = {2: "N²/2", 3: "N³/6"}[dimension]
        yield (
            f"average case: {known} = {average['regions']:,.0f} for N = {n} neurons; "
            f"here {average['ratio']:.3g} times as many"
        )
    else:
        yield (
            f"average case: linear in N = {n} neurons; here "
            f"{average['breakpoints_per_length']:.4g} breakpoints per unit length, "
            f"{average['per_neuron']:.3g} · N"
        )
    yield (
        f"distance to the nearest boundary: mean {distance['mean']:.3g} = "
        f"{distance['mean_times_neurons']:.3g} / N, median {distance['median']:.3g}"
    )
    for key, text in _BOUNDS.items():
        if (bound := facts["bounds"][key]) is not None:
            yield f"{_short(bound):>14}  {text}"


def _short(number: float) -> str:
    """Seven digits or fewer as they are, larger ones by their power of ten, also beyond what a
    float can hold."""
    if number < 1e7:
        return f"{number:,.0f}"
    digits = len(str(number)) - 1 if isinstance(number, int) else None
    return f"{number:.3e}" if digits is None or digits < 300 else f"10^{digits}"
