"""What ``fracsim conjecture`` does: the points of a sweep, their rank correlation, their corner."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.products.runs import load_runs
from fracsim.studies.conjecture.declaration import CORNER, Settings
from fracsim.studies.conjecture.points import Point, kendall_tau, points_of
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import counted, table

_NOISE = 4.0
"""Standard deviations of a test error by which one may fall below what is possible. The best of
many records of many runs is taken."""
_OF_POINTS = [one.name for one in dataclasses.fields(Point)]


@dataclass(frozen=True, eq=False)
class Scatter(Result):
    """The points, by fractal, depth, curve and T."""

    points: list[Point]
    changes: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def deepest(self) -> np.ndarray:
        """Whether a point is of the deepest networks of its distribution (points,): those that
        correlation and corner are of."""
        most: dict[tuple[object, ...], int] = {}
        keys = [(one.fractal, one.fractal_depth, one.curve) for one in self.points]
        for key, one in zip(keys, self.points, strict=True):
            most[key] = max(most.get(key, 0), one.network_depth)
        pairs = zip(keys, self.points, strict=True)
        return np.array([one.network_depth == most[key] for key, one in pairs])

    def arrays(self) -> dict[str, np.ndarray]:
        """See ``VARIABLES``."""
        found = {name: np.array([getattr(p, name) for p in self.points]) for name in _OF_POINTS}
        x, y = found["shallow_error"][self.deepest], found["deep_error"][self.deepest]
        above = x > CORNER
        gain = np.where(above, x - y[:, None], -math.inf).max(axis=0)
        return {
            **found,
            "sign_changes": np.array(self.changes),
            "kendall_tau": np.array([kendall_tau(column, y) for column in x.T]),
            "corner_points": above.sum(axis=0),
            "corner_gain": np.where(np.isfinite(gain), gain, math.nan),
        }

    def summary(self) -> dict[str, Any]:
        """The points, and what they say for each m."""
        arrays = self.arrays()
        rows = []
        for one in self.points:
            row = {name: _plain(getattr(one, name)) for name in _OF_POINTS}
            row["n"] = row.pop("fractal_depth")
            row["shallow_errors"] = list(one.shallow_error)
            row["shallow_error"] = one.shallow_error[0]
            row["gain"] = one.shallow_error[0] - one.deep_error
            rows.append(row)
        by_changes = zip(
            self.changes,
            *(arrays[key].tolist() for key in ("kendall_tau", "corner_points", "corner_gain")),
            strict=True,
        )
        told = [
            {"sign_changes": m, "kendall_tau": _plain(tau), "points": many, "gain": _plain(gain)}
            for m, tau, many, gain in by_changes
        ]
        return {
            "points": rows,
            "kendall_tau": told[0]["kendall_tau"],
            "corner": {"above": CORNER, "by_sign_changes": told},
        }

    def words(self) -> list[str]:
        """A row for each point, then the correlation and the corner for each m."""
        head = [f"m = {m}" if m else "at most" for m in self.changes]
        rows: list[tuple[object, ...]] = [
            ("n", "curve", "T", "k", *head, "deep", "mean", "T3", "neighbour")
        ]
        for one in self.points:
            errors = [*one.shallow_error, one.deep_error, one.deep_mean, one.constructed]
            shown = ["-" if math.isnan(e) else f"{e:.4f}" for e in [*errors, one.nearest_neighbour]]
            about = f"{one.fractal} {one.fractal_depth}", _short(one.curve)
            rows.append((*about, one.network_depth, one.width, *shown))
        return [self._title(), *table(rows), "", *self._verdicts()]

    def _title(self) -> str:
        seeds = _range([one.seeds for one in self.points], "seed")
        rates = _range([one.rates for one in self.points], "learning rate")
        return (
            f"{len(self.points)} points: errors of the best shallow and of trained deep networks, "
            f"{seeds}, {rates}"
        )

    def _verdicts(self) -> list[str]:
        arrays, lines = self.arrays(), []
        for i, m in enumerate(self.changes):
            tau, many, gain = (
                arrays[key][i] for key in ("kendall_tau", "corner_points", "corner_gain")
            )
            shallow = f"m = {m}" if m else "trained shallow ones"
            corner = f"no point above {CORNER:g}: the corner is empty by design"
            if many:
                better = f"there by at most {gain:.4f}" if gain > 0 else "at none of them"
                corner = f"{counted(int(many), 'point')} above {CORNER:g}, deep better {better}"
            lines.append(f"{shallow}: Kendall's tau {tau:.2f} of the deepest; {corner}")
        return lines


def compute(settings: Settings, progress: OnProgress = silent) -> Scatter:
    """Make the points of a trajectory file. Raises UsageError, FileError."""
    runs = load_runs([settings.runs])
    changes = tuple(sorted({*settings.sign_changes}, reverse=True))
    points = points_of(runs, changes, settings.neighbour_points, progress)
    if all(one.upper for one in points):  # in the plane nobody counts sign changes
        points = [dataclasses.replace(one, shallow_error=one.shallow_error[:1]) for one in points]
        changes = (0,)
    return Scatter(points, changes, (*runs.caveats, *_impossible(points)))


def _impossible(points: list[Point]) -> list[str]:
    """A sentence where a test error is below the least that any network of its size has."""
    said = []
    for one in points:
        for depth, error, least in (
            (one.network_depth, one.deep_error, one.own_least),
            (1, one.shallow_trained, one.shallow_own_least),
        ):
            if error < least - _NOISE * one.noise(least):
                said.append(
                    f"T = {depth}, curve {one.curve}: the test error {error:.4f} is below "
                    f"{least:.4f}, the least that is possible, by more than chance"
                )
    return list(dict.fromkeys(said))  # a shallow network stands beside several deep ones


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _short(curve: str) -> str:
    return curve if len(curve) < 16 else f"{curve[:13]}..."


def _range(values: list[int], noun: str) -> str:
    low, high = min(values), max(values)
    return counted(high, noun) if low == high else f"{low} to {counted(high, noun)}"
