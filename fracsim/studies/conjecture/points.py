"""The points of the scatter: of each distribution the shallow networks' least error, and what
deep ones reached."""

import math
from dataclasses import dataclass

import numpy as np

from fracsim.data.numbering import Number
from fracsim.errors import UsageError
from fracsim.fractals.curve import parse_curve
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.products.entries import Entry, distinct, group
from fracsim.products.runs import Runs
from fracsim.products.selection import BEST
from fracsim.studies.bounds.bounds import upper_error
from fracsim.studies.bounds.least_error import least_errors
from fracsim.studies.kernel_learning.machine import nearest
from fracsim.studies.landscape.subject import trained_run
from fracsim.studies.study import OnProgress, silent
from fracsim.training.run import problem_of
from fracsim.values.grammar import layer_widths

DISTRIBUTION = ("fractal", "gap", "fractal_depth", "curve", "positive_margin", "negative_margin")
_NETWORK = ("network_depth", "widths", "width")


@dataclass(frozen=True)
class Point:
    """One distribution, deep networks of one size."""

    fractal: str
    fractal_depth: int
    curve: str
    network_depth: int
    width: str
    deep_error: float
    deep_mean: float
    deep_worst: float
    learning_rate: float
    rates: int
    seeds: int
    steps: int
    shallow_trained: float
    shallow_own_least: float
    constructed: float
    own_least: float
    nearest_neighbour: float
    upper: bool
    shallow_error: tuple[float, ...]
    """for each m"""
    test_points: int

    def noise(self, least: float) -> float:
        """Standard deviation of the test error of a network whose error is ``least``."""
        p = min(max(least, 1 / self.test_points), 0.5)
        return math.sqrt(p * (1 - p) / self.test_points)


def points_of(
    runs: Runs, changes: tuple[int, ...], neighbour_points: int, progress: OnProgress = silent
) -> list[Point]:
    """The points of all runs that tell a fractal; changes: m of the shallow networks, d = 1.

    Raises UsageError where there are no deep networks, or in d > 1 no shallow ones."""
    entries = [entry for entry in runs.entries if entry.settings.get("fractal")]
    entries = [
        entry
        for entry in entries
        if entry.trajectory.target(entry.index) == "class" and not math.isnan(entry.best())
    ]
    if not any(_depth(entry) > 1 for entry in entries):
        raise UsageError(
            "no run tells a fractal by two or more hidden layers; accepted is a trajectory file as "
            "of `fracsim sweep conjecture1d`"
        )
    found: list[Point] = []
    distributions = list(group(entries, DISTRIBUTION).values())
    for number, members in enumerate(distributions):
        progress(number, len(distributions))
        found += _of_distribution(members, changes, neighbour_points)
    progress(len(distributions), len(distributions))
    if not found:
        raise UsageError(
            "in the plane the error of shallow networks is that of trained ones, and no "
            "distribution has both a run of one hidden layer and one of several"
        )
    return found


def _of_distribution(
    entries: list[Entry], changes: tuple[int, ...], neighbour_points: int
) -> list[Point]:
    deep = [entry for entry in entries if _depth(entry) > 1]
    shallow = [entry for entry in entries if _depth(entry) == 1]
    first, fractal = entries[0].settings, entries[0].fractal()
    best_shallow = max(shallow, key=lambda entry: entry.best(), default=None)
    trained = 1 - best_shallow.best() if best_shallow else math.nan
    line = fractal.dimension == 1
    if not deep or not (line or shallow):
        return []
    n, curve = int(first["fractal_depth"]), str(first["curve"])
    exact = least_errors(fractal, n, curve, first.get("gap")) if line else np.full(1, trained)
    own_of_shallow = _own_least(exact, best_shallow) if line and best_shallow else math.nan
    neighbour = _nearest_neighbour(entries[0], neighbour_points)
    found = []
    for members in group(deep, _NETWORK).values():
        best = BEST.point(members)
        widths = _widths(members[0])
        p, least = parse_curve(curve).values(n), min(widths)
        built = upper_error(p, fractal.dimension, fractal.maps, len(widths), least)[0]
        found.append(
            Point(
                str(first["fractal"]),
                n,
                curve,
                len(widths),
                str(members[0].setting("width")),
                1 - max(entry.best() for entry in members),
                1 - best.mean,
                1 - best.least,
                float(best.chosen[0]),
                len(distinct(members, "learning_rate")),
                best.seeds,
                int(members[0].steps[-1]),
                trained,
                own_of_shallow,
                built,
                _own_least(exact, members[0]) if line else math.nan,
                neighbour,
                not line,
                tuple(_at(exact, m) for m in changes),
                int(members[0].settings["test_points"]),
            )
        )
    return found


def _nearest_neighbour(entry: Entry, most: int) -> float:
    """Test error of the nearest training point's label; NaN where it is not wanted."""
    if most == 0:
        return math.nan
    number = Number(int(entry.trajectory.numbers[entry.index]))
    run = trained_run(entry.trajectory, number)
    problem = problem_of(run)
    known = problem.points(run.seed, TRAIN, 0, min(most, run.train_points))
    tried = problem.points(run.seed, TEST, 0, run.test_points)
    by = nearest_on_line if problem.inputs == 1 else nearest
    told = by(known.x.astype(float), known.y.astype(float), tried.x.astype(float))
    return float((told != tried.y).mean())


def nearest_on_line(x: np.ndarray, y: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Label (N,) of the nearest of x (M, 1) with labels y (M,) to each of the points (N, 1)."""
    order = np.argsort(x[:, 0], kind="stable")
    x, y, at = x[order, 0], y[order], points[:, 0]
    right = np.searchsorted(x, at)
    left, right = np.maximum(right - 1, 0), np.minimum(right, len(x) - 1)
    found: np.ndarray = np.where(abs(at - x[left]) <= abs(x[right] - at), y[left], y[right])
    return found


def kendall_tau(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's τ_b of x (N,) and y (N,), which counts ties; NaN where all of one are equal."""
    i, j = np.triu_indices(len(x), 1)
    a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
    counted = math.sqrt(float((a != 0).sum()) * float((b != 0).sum()))
    return float((a * b).sum() / counted) if counted else math.nan


def _at(exact: np.ndarray, changes: int) -> float:
    return float(exact[min(changes, len(exact) - 1)])


def _own_least(exact: np.ndarray, entry: Entry) -> float:
    """The least error of networks of a run's widths: Π (k + 1) sign changes, d = 1."""
    return _at(exact, math.prod(k + 1 for k in _widths(entry)))


def _depth(entry: Entry) -> int:
    return int(entry.settings["network_depth"])


def _widths(entry: Entry) -> tuple[int, ...]:
    width = entry.setting("width")
    return layer_widths(width) if isinstance(width, str) else (int(width),) * _depth(entry)
