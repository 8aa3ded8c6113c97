"""What ``fracsim distil`` does: students and controls of trajectory files, side by side."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.errors import UsageError
from fracsim.problems.teacher import files_of
from fracsim.products.entries import Entry, group
from fracsim.products.runs import Runs, load_runs
from fracsim.products.selection import BEST, Point, best_choice
from fracsim.studies.bounds.least_error import least_errors
from fracsim.studies.distil.ceiling import segment_r2
from fracsim.studies.distil.declaration import Settings
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief, counted, table
from fracsim.values.grammar import layer_widths

METHODS = ("labels, hinge", "labels, squared", "teacher")
_SIZE = ("network_depth", "widths", "width", "train_points")


@dataclass(frozen=True)
class Student:
    """One size, one method: its best rate."""

    method: str
    teachers: int
    depth: int
    width: str
    train_points: int
    best: Point
    accuracy: dict[int, float]
    """Seed -> best test accuracy at the chosen rate."""
    agreement: float
    r2: float
    ceiling: float
    r2_ceiling: float = math.nan

    @property
    def rate(self) -> float:
        """The learning rate that was chosen."""
        return float(self.best.chosen[0])

    @property
    def deviation(self) -> float:
        """Over the seeds; NaN of one."""
        values = list(self.accuracy.values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

    @property
    def size(self) -> tuple[int, str, int]:
        """What a control shares with it."""
        return self.depth, self.width, self.train_points

    @property
    def name(self) -> str:
        """The method, for people."""
        return self.method if self.teachers < 2 else f"mean of {self.teachers} teachers"


@brief
@dataclass(frozen=True, eq=False)
class Distilled(Result):
    """The students of a file."""

    students: list[Student]
    notes: tuple[str, ...] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """See ``VARIABLES``."""
        rows = [
            {
                "method": one.method,
                "teachers": one.teachers,
                "network_depth": one.depth,
                "width": one.width,
                "train_points": one.train_points,
                "learning_rate": one.rate,
                "seeds": one.best.seeds,
                "accuracy": one.best.mean,
                "least": one.best.least,
                "greatest": one.best.greatest,
                "deviation": one.deviation,
                "agreement": one.agreement,
                "r2": one.r2,
                "ceiling": one.ceiling,
                "r2_ceiling": one.r2_ceiling,
            }
            for one in self.students
        ]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def summary(self) -> dict[str, Any]:
        """A list of students, and the verdicts as sentences."""
        arrays = self.arrays()
        rows = [
            {name: values[i].item() for name, values in arrays.items()}
            for i in range(len(self.students))
        ]
        return {"students": rows, "verdicts": verdicts(self.students)}

    def words(self) -> list[str]:
        """A row for each student, then the verdicts."""
        head = "T k points method rate accuracy from to most agrees R² most"
        rows: list[tuple[object, ...]] = [tuple(head.split())]
        for one in self.students:
            accuracy = (one.best.mean, one.best.least, one.best.greatest, one.ceiling)
            shown = [_shown(value) for value in (*accuracy, one.agreement, one.r2, one.r2_ceiling)]
            rows.append(
                (one.depth, one.width, f"{one.train_points:,}", one.name, f"{one.rate:g}", *shown)
            )
        return ["students of a teacher, and their controls", *table(rows), "", *self._verdicts()]

    def _verdicts(self) -> list[str]:
        return verdicts(self.students) or ["no student has a control of its size"]


def compute(settings: Settings, progress: OnProgress = silent) -> Distilled:
    """Summarise a trajectory file. Raises UsageError, FileError."""
    runs = load_runs([settings.students])
    students = students_of(runs, settings.pieces_points, progress)
    gone = any(
        one.teachers and math.isnan(one.r2_ceiling) and not math.isnan(one.ceiling)
        for one in students
    )
    missing = "no greatest R² is told: the file of a teacher is gone, or another network's"
    return Distilled(students, (*runs.caveats, *([missing] if gone else [])))


def students_of(runs: Runs, points: int = 0, progress: OnProgress = silent) -> list[Student]:
    """The students and controls among runs, by size. ``points``: of the R² ceiling in d = 1; 0: it
    is not sought. Raises UsageError where none has a teacher."""
    entries = [entry for entry in runs.entries if _method(entry)]
    if not any(_method(entry) == METHODS[2] for entry in entries):
        raise UsageError(
            "no run has a teacher; accepted is a trajectory file with runs of problem teacher on a "
            "fractal, as of `fracsim sweep distil-cantor3`"
        )
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        key = (*(entry.settings.get(name) for name in _SIZE), _method(entry), _teachers(entry))
        groups.setdefault(key, []).append(entry)
    found = []
    for number, members in enumerate(groups.values()):
        progress(number, len(groups))
        found.append(_student(members, points))
    progress(len(groups), len(groups))
    order = {method: place for place, method in enumerate(METHODS)}
    return sorted(
        found, key=lambda one: (one.depth, _widest(one), one.train_points, order[one.method])
    )


def verdicts(students: Iterable[Student]) -> list[str]:
    """For each student of a teacher and each control of its size: the gain, seed by seed."""
    students = list(students)
    sentences = []
    for one in students:
        if one.method != METHODS[2]:
            continue
        for control in students:
            if control.size != one.size or control.method == METHODS[2]:
                continue
            shared = sorted({*one.accuracy} & {*control.accuracy})
            gains = [one.accuracy[seed] - control.accuracy[seed] for seed in shared]
            if not gains:
                continue
            better = sum(gain > 0 for gain in gains)
            spread = f" ± {np.std(gains, ddof=1):.4f}" if len(gains) > 1 else ""
            sentences.append(
                f"T = {one.depth}, k = {one.width}, {one.train_points:,} points: {one.name} "
                f"against {control.name} {np.mean(gains):+.4f}{spread}, better in {better} of "
                f"{counted(len(gains), 'seed')}"
            )
    return sentences


def _student(entries: list[Entry], points: int) -> Student:
    best = best_choice(entries, ["learning_rate"])
    chosen = dict(group(entries, ["learning_rate"]).items())[best.chosen]
    first = chosen[0].settings
    widths = str(first["widths"]) if first.get("widths") not in (None, "equal") else ""
    method = _method(chosen[0])
    student = Student(
        method,
        _teachers(chosen[0]),
        int(first["network_depth"]),
        widths or str(first["width"]),
        int(first["train_points"]),
        best,
        {int(entry.settings["seed"]): entry.best() for entry in chosen},
        _at_best(chosen, "test_agreement", method),
        _at_best(chosen, "test_r2", method),
        math.nan,
    )
    if chosen[0].fractal().dimension > 1:
        return student
    pieces = math.prod(k + 1 for k in _widths(student))
    return _with_ceilings(student, chosen, pieces, points)


def _with_ceilings(student: Student, entries: list[Entry], pieces: int, points: int) -> Student:
    """In one dimension: as many sign changes as pieces allow, and as many lines on the test points
    of each seed."""
    first = entries[0].settings
    fractal, gap = entries[0].fractal(), first.get("gap")
    least = least_errors(fractal, int(first["fractal_depth"]), str(first["curve"]), gap)
    ceiling = 1 - float(least[min(pieces, len(least) - 1)])
    if not points or not student.teachers:
        return dataclasses.replace(student, ceiling=ceiling)
    r2 = [segment_r2(entry.settings, fractal, pieces, points) for entry in entries]
    return dataclasses.replace(student, ceiling=ceiling, r2_ceiling=float(np.mean(r2)))


def _at_best(entries: list[Entry], name: str, method: str) -> float:
    """Mean of a variable at the record with the best accuracy of each run; NaN of labels."""
    if method != METHODS[2]:
        return math.nan
    return float(np.mean([BEST.value(entry, name) for entry in entries]))


def _method(entry: Entry) -> str:
    """How a run is taught; "" for what is neither a student nor a control."""
    settings = entry.settings
    problem = settings.get("problem") or "fractal"
    if problem == "teacher":
        return METHODS[2] if entry.trajectory.target(entry.index) == "mimic" else ""
    if problem != "fractal":
        return ""
    return {"hinge": METHODS[0], "squared": METHODS[1]}.get(str(settings.get("loss")), "")


def _teachers(entry: Entry) -> int:
    return len(files_of(str(entry.settings["teacher"]))) if entry.settings.get("teacher") else 0


def _widths(student: Student) -> tuple[int, ...]:
    if "-" in student.width:
        return layer_widths(student.width)
    return (int(student.width),) * student.depth


def _widest(student: Student) -> int:
    return max(_widths(student), default=0)


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
