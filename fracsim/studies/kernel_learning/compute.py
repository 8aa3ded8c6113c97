"""What ``fracsim kernel-learning`` does, and its numbers in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import RunError
from fracsim.kernels.wide.dual import KINDS, wide_kernel
from fracsim.machine.cpus import available_threads
from fracsim.machine.memory import free_memory
from fracsim.studies.kernel_learning.declaration import Settings
from fracsim.studies.kernel_learning.machine import (
    BLOCK,
    Floats,
    Kernel,
    Machine,
    choose_ridge,
    kernel_of,
    matrix,
    nearest,
)
from fracsim.studies.kernel_learning.points import (
    Draw,
    Points,
    Source,
    decided,
    draw_of,
    source_of,
    targets,
)
from fracsim.studies.study import DEFINITION, OnProgress, Result, silent
from fracsim.text import brief

LEARNT = 0.6
"""A level is learnt when more than this share of its points is right."""

TIMES = 10 ** np.arange(0.0, 12.05, 0.1)


@brief
@dataclass(frozen=True, eq=False)
class Learnt(Result):
    """Accuracy by kernel, layers, points and draw."""

    settings: Settings
    source: Source
    found: dict[str, NDArray[Any]]
    notes: Sequence[str] = ()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The variables declared."""
        return self.found

    def attributes(self) -> dict[str, Any]:
        """The distribution and the protocol."""
        one = self.settings
        return {
            **self.source.about,
            "draws": one.draws,
            "seed": one.seed,
            "test_points": self.source.tests,
        }

    def summary(self) -> dict[str, Any]:
        """``results``: an object for each kernel, layers and points; means over draws, the
        geometric one of λ and times."""
        found = self.found
        facts = {k: v for k, v in self.attributes().items() if k != DEFINITION}
        rows: list[dict[str, Any]] = []
        for i, kernel in enumerate(found["kernel"]):
            row = {
                "kernel": str(kernel),
                "layers": int(found["layers"][i]) or None,
                "train_points": int(found["train_points"][i]),
                "accuracy": float(found["accuracy"][i].mean()),
                "accuracy_by_level": found["accuracy_by_level"][i].mean(0).tolist(),
                "ridge": float(np.exp(np.log(found["ridge"][i]).mean())),
            }
            if "level_times" in found:
                row["level_times"] = np.exp(np.log(found["level_times"][i]).mean(0)).tolist()
            rows.append(row)
        control = [
            {"train_points": int(m), "accuracy": float(accuracy.mean())}
            for m, accuracy in zip(found["control_points"], found["nearest_neighbour"], strict=True)
        ]
        every = {"level_times": [row["level_times"] for row in rows]} if self.settings.flow else {}
        return {**facts, "results": rows, "nearest_neighbour": control, **every}

    def words(self) -> list[str]:
        """A line for each kernel, layers and points."""
        said = self.summary()
        about = said.get("images", said.get("table"))
        if "fractal" in said:
            about = f"{said['fractal']}, n = {said['fractal_depth']}, curve {said['curve']}"
        draws = "one draw" if said["draws"] == 1 else f"mean of {said['draws']} draws"
        lines = [f"{about}; {draws}, {said['test_points']:,} test points"]
        for row in said["results"]:
            name = row["kernel"] + (f", L = {row['layers']}" if row["layers"] else "")
            line = f"  {name}, {row['train_points']:,} points: accuracy {row['accuracy']:.4f}"
            if "level_times" in row:
                times = ", ".join(f"{np.log10(time):.1f}" for time in row["level_times"])
                line += f"; log10 t of levels 0, 1, …: {times}"
            lines.append(line)
        for row in said["nearest_neighbour"]:
            lines.append(
                f"  nearest neighbour, {row['train_points']:,} points: accuracy "
                f"{row['accuracy']:.4f}"
            )
        return lines


def compute(settings: Settings, progress: OnProgress = silent) -> Learnt:
    """Learn. Raises UsageError, RunError."""
    one = settings
    source = source_of(one)
    need = check_memory(one, source)
    rows = [(*machine, m) for m in one.train_points for machine in one.machines]
    found, total = _empty(one, source, len(rows)), len(rows) * one.draws
    for draw in range(one.draws):
        points = draw_of(source, one, one.seed + draw)
        for place, m in enumerate(one.train_points):
            labels = nearest(points.train.x[:m], points.train.label[:m], points.test.x)
            found["nearest_neighbour"][place, draw] = (labels == points.test.label).mean()
        for row, (kernel, layers, m) in enumerate(rows):
            progress(draw * len(rows) + row, total, f"{kernel}, {m:,} points, {need} at most")
            of = kernel_of(kernel, layers, one.scale, one.threads or available_threads()[0])
            learnt = _learn(of, points, m, one, source)
            for name, value in learnt.items():
                found[name][row, draw] = value
    arrays = {
        "kernel": np.array([row[0] for row in rows], dtype=object),
        "layers": np.array([row[1] for row in rows]),
        "train_points": np.array([row[2] for row in rows]),
        "control_points": np.array(one.train_points),
        **found,
        **({"time": TIMES} if one.flow else {}),
    }
    return Learnt(one, source, arrays)


def _empty(one: Settings, source: Source, rows: int) -> dict[str, Floats]:
    shapes: dict[str, tuple[int, ...]] = {
        "accuracy": (rows, one.draws),
        "accuracy_by_level": (rows, one.draws, source.groups),
        "ridge": (rows, one.draws),
        "nearest_neighbour": (len(one.train_points), one.draws),
    }
    if one.flow:
        shapes["flow_accuracy"] = (rows, one.draws, len(TIMES))
        shapes["level_times"] = (rows, one.draws, source.groups)
    return {name: np.empty(shape) for name, shape in shapes.items()}


def _learn(of: Kernel, points: Draw, m: int, one: Settings, source: Source) -> dict[str, Any]:
    """Name -> what one kernel learns of the first m training points. Raises RunError."""
    x, label, test = points.train.x[:m], points.train.label[:m], points.test
    if (label == label[0]).all():
        raise RunError(f"all {m} training points are of one class; take more --train-points")
    classes, held = source.classes, points.validation
    y, ridges = targets(label, classes), np.array(one.ridge)
    if held is None:
        kept = m - max(m // 5, 1)
        last = Points(x[kept:], label[kept:], points.train.group[kept:m])
        ridge = _validated(Machine(of, x[:kept], y[:kept]), last, ridges, classes)
        machine = Machine(of, x, y)
    else:
        machine = Machine(of, x, y)
        ridge = _validated(machine, held, ridges, classes)
    shares = _shares(machine.ridge(test.x, np.array([ridge])), test, source.groups)
    found = {"accuracy": shares[0, 0], "accuracy_by_level": shares[1:, 0], "ridge": ridge}
    if one.flow:
        shares = _shares(machine.flow(test.x, TIMES), test, source.groups)
        found["flow_accuracy"] = shares[0]
        found["level_times"] = [learnt_at(share) for share in shares[1:]]
    return found


def _validated(machine: Machine, held: Points, ridges: Floats, classes: int) -> float:
    """λ by points that the machine has not learnt."""
    outputs = machine.ridge(held.x, ridges)
    accuracy = (decided(outputs) == held.label[:, None]).mean(0)
    errors = ((outputs - targets(held.label, classes)[:, None]) ** 2).mean((0, 2))
    return choose_ridge(ridges, accuracy, errors)


def _shares(outputs: Floats, points: Points, groups: int) -> Floats:
    """Share that is right, of all and of each group: (1 + groups, F); NaN: no points."""
    right = decided(outputs) == points.label[:, None]
    nothing = np.full(right.shape[1], np.nan)
    parts = [points.group == group for group in range(groups)]
    return np.array(
        [right.mean(0), *(right[part].mean(0) if part.any() else nothing for part in parts)]
    )


def learnt_at(shares: Floats) -> float:
    """The first time after which more than ``LEARNT`` is right; NaN: never."""
    late = np.flatnonzero(~(shares > LEARNT))
    first = late[-1] + 1 if len(late) else 0
    return float(TIMES[first]) if first < len(TIMES) else float("nan")


def check_memory(one: Settings, source: Source) -> str:
    """The memory needed by kernel, eigenvectors, LAPACK's work and outputs, as text. Raises
    RunError where it is not free."""
    points, outputs = max(one.train_points), 1 if source.classes == 2 else source.classes
    filters = max(len(one.ridge), len(TIMES) if one.flow else 1)
    tested = max(source.tests, one.validation_points or 0)
    numbers = 5.0 * points**2 + (BLOCK + 2 * filters * outputs) * points
    need, free = 8 * (numbers + 2 * filters * outputs * tested), free_memory()
    text = f"{need / 2**30:.1f} GiB"
    if free is not None and need > free:
        raise RunError(
            f"--train-points: {points:,} points, tested on {tested:,}, need {text} and "
            f"{free / 2**30:.1f} GiB are free; take fewer"
        )
    return text


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: a kernel matrix against the formula of each of its numbers."""
    x = np.array([[0.6, -0.2, 1.0], [-0.5, 0.9, 1.0], [0.61, -0.2, 1.0]])
    found = matrix("ntk", 6, 1.0, x, x, 1)
    wanted = [[wide_kernel(KINDS.index("ntk"), 6, 0.0, 1.0, *_of(a, b)) for b in x] for a in x]
    yield "kernel matrix of wide networks", float(np.abs(found - wanted).max()), 1e-12


def _of(x: Floats, y: Floats) -> tuple[float, float, float]:
    return float(x @ x), float(y @ y), float(x @ y)
