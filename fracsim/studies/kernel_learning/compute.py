"""What ``fracsim kernel-learning`` does, and its numbers in words."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import RunError, UsageError
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import Fractal
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.machine.cpus import available_threads
from fracsim.machine.memory import free_memory
from fracsim.settings import settings_of
from fracsim.studies.kernel_learning.declaration import Settings
from fracsim.studies.kernel_learning.images import ImageData, problem_of
from fracsim.studies.kernel_learning.machine import Floats, Machine, choose_ridge, matrix, nearest
from fracsim.studies.study import OnProgress, Result, fractal_of, silent
from fracsim.text import brief

LEARNT = 0.6
"""A level is learnt when more than this share of its points is right."""

TEST_POINTS = 20_000
"""Of a fractal, where nothing else is asked for."""

TIMES = 10 ** np.arange(0.0, 12.05, 0.1)


@brief
@dataclass(frozen=True, eq=False)
class Learnt(Result):
    """Accuracy by kernel, layers, points and draw."""

    settings: Settings
    fractal: Fractal | None
    found: dict[str, NDArray[Any]]
    notes: Sequence[str] = ()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The variables declared."""
        return self.found

    def attributes(self) -> dict[str, Any]:
        """The distribution and the protocol."""
        one = self.settings
        learnt: dict[str, Any] = {"problem": "images", "images": one.images or ""}
        if self.fractal is not None:
            learnt = {
                "fractal": self.fractal.name,
                "fractal_definition": json.dumps(self.fractal.to_dict()),
                "fractal_depth": one.fractal_depth,
                "curve": one.curve,
            }
        return {
            **learnt,
            "draws": one.draws,
            "seed": one.seed,
            "test_points": one.test_points,
        }

    def summary(self) -> dict[str, Any]:
        """``results``: an object for each kernel, layers and points; means over draws, the
        geometric one of λ and times."""
        found = self.found
        facts = {k: v for k, v in self.attributes().items() if k != "fractal_definition"}
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
        about = said.get("images")
        if self.fractal is not None:
            about = f"{said['fractal']}, n = {said['fractal_depth']}, curve {said['curve']}"
        lines = [f"{about}; mean of {said['draws']} draws, {said['test_points']:,} test points"]
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
    check_memory(max(one.train_points))
    if one.problem == "images":
        return _of_images(one, progress)
    if one.fractal is None:
        about = settings_of(Settings)["fractal"].about
        raise UsageError(f"FRACTAL is missing: {about}")
    fractal = fractal_of(settings)
    one = dataclasses.replace(one, test_points=one.test_points or TEST_POINTS)
    law = Distribution(fractal, one.fractal_depth, parse_curve(one.curve), one.gap)
    rows = [(*machine, m) for m in one.train_points for machine in one.machines]
    levels, total = one.fractal_depth + 1, len(rows) * one.draws
    accuracy, ridge = np.empty((2, len(rows), one.draws))
    by_level, times = np.empty((2, len(rows), one.draws, levels))
    flow = np.empty((len(rows), one.draws, len(TIMES)))
    control = np.empty((len(one.train_points), one.draws))
    for draw in range(one.draws):
        data = _Data(law, one, one.seed + draw)
        for place, m in enumerate(one.train_points):
            labels = nearest(data.x[:m], data.y[:m], data.test)
            control[place, draw] = (labels == data.truth).mean()
        for row, (kernel, layers, m) in enumerate(rows):
            progress(draw * len(rows) + row, total, f"{kernel}, {m:,} points")
            machine, ridge[row, draw] = data.learn(kernel, layers, m)
            found = machine.ridge(data.test, ridge[row : row + 1, draw])
            shares = data.shares(found)
            accuracy[row, draw], by_level[row, draw] = shares[0, 0], shares[1:, 0]
            if one.flow:
                shares = data.shares(machine.flow(data.test, TIMES))
                flow[row, draw] = shares[0]
                times[row, draw] = [learnt_at(share) for share in shares[1:]]
    arrays = {
        "kernel": np.array([row[0] for row in rows], dtype=object),
        "layers": np.array([row[1] for row in rows]),
        "train_points": np.array([row[2] for row in rows]),
        "accuracy": accuracy,
        "accuracy_by_level": by_level,
        "ridge": ridge,
        "control_points": np.array(one.train_points),
        "nearest_neighbour": control,
    }
    if one.flow:
        arrays |= {"time": TIMES, "flow_accuracy": flow, "level_times": times}
    return Learnt(one, fractal, arrays)


def _of_images(one: Settings, progress: OnProgress) -> Learnt:
    problem = problem_of(one)
    one = dataclasses.replace(one, test_points=one.test_points or problem.count("test"))
    rows = [(*machine, m) for m in one.train_points for machine in one.machines]
    ridge, total = np.empty((len(rows), one.draws)), len(rows) * one.draws
    shares = np.empty((len(rows), one.draws, 1 + problem.outputs))
    control = np.empty((len(one.train_points), one.draws))
    for draw in range(one.draws):
        data = ImageData(problem, one, one.seed + draw)
        control[:, draw] = [data.control(m) for m in one.train_points]
        for row, (kernel, layers, m) in enumerate(rows):
            progress(draw * len(rows) + row, total, f"{kernel}, {m:,} images")
            shares[row, draw], ridge[row, draw] = data.learn(kernel, layers, m)
    arrays = {
        "kernel": np.array([row[0] for row in rows], dtype=object),
        "layers": np.array([row[1] for row in rows]),
        "train_points": np.array([row[2] for row in rows]),
        "accuracy": shares[..., 0],
        "accuracy_by_level": shares[..., 1:],
        "ridge": ridge,
        "control_points": np.array(one.train_points),
        "nearest_neighbour": control,
    }
    return Learnt(one, None, arrays)


class _Data:
    """Lifted points (x, 1) of one draw."""

    def __init__(self, law: Distribution, one: Settings, seed: int) -> None:
        train = law.sample(max(one.train_points), seed, TRAIN)
        test = law.sample(one.test_points or TEST_POINTS, seed, TEST)
        self.x, self.y = lifted(train.x), train.y.astype(np.float64)
        self.test, self.truth = lifted(test.x), test.y
        self._one, self._levels = one, one.fractal_depth + 1
        self._groups = [test.level == level for level in range(self._levels)]

    def learn(self, kernel: str, layers: int, m: int) -> tuple[Machine, float]:
        """The machine of m points, and its λ. Raises RunError."""
        one, x, y = self._one, self.x[:m], self.y[:m]
        if (y == y[0]).all():
            raise RunError(f"all {m} training points are of one class; take more --train-points")
        threads = one.threads or available_threads()[0]
        of = partial(_matrix, kernel, layers, one.scale, threads)
        return Machine(of, x, y), choose_ridge(of, x, y, np.array(one.ridge))

    def shares(self, outputs: Floats) -> Floats:
        """Share that is right, of all and of each level: (1 + levels, columns); NaN: no points."""
        right = (outputs > 0) == (self.truth > 0)[:, None]
        nothing = np.full(right.shape[1], np.nan)
        levels = [right[part].mean(0) if part.any() else nothing for part in self._groups]
        return np.array([right.mean(0), *levels])


def _matrix(kernel: str, layers: int, scale: float, threads: int, x: Floats, y: Floats) -> Floats:
    return matrix(kernel, layers, scale, x, y, threads)


def lifted(x: Floats) -> Floats:
    """(x, 1)"""
    return np.column_stack([np.asarray(x, np.float64), np.ones(len(x))])


def learnt_at(shares: Floats) -> float:
    """The first time after which more than ``LEARNT`` is right; NaN: never."""
    late = np.flatnonzero(~(shares > LEARNT))
    first = late[-1] + 1 if len(late) else 0
    return float(TIMES[first]) if first < len(TIMES) else float("nan")


def check_memory(points: int) -> None:
    """Raise RunError where kernel, eigenvectors and LAPACK's work do not fit."""
    need, free = 5 * 8.0 * points**2, free_memory()
    if free is not None and need > free:
        raise RunError(
            f"--train-points: {points:,} points need {need / 2**30:.1f} GiB and "
            f"{free / 2**30:.1f} GiB are free; take fewer"
        )
