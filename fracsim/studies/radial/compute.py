"""What ``fracsim radial`` does: build, try, and find the size that an error needs."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.errors import RunError
from fracsim.networks.rewriting.layers import Layers, evaluate, network_of, units_of
from fracsim.networks.stored import described
from fracsim.studies.radial import builders
from fracsim.studies.radial.builders import Profile
from fracsim.studies.radial.declaration import Settings
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief, counted, table

_CHUNK = 2**22
"""Numbers of one hidden layer's outputs at once."""
_MOST_TRIED = 40


@dataclass(frozen=True)
class Tried:
    """One network, or average, and its errors."""

    dimension: int
    widths: list[int]
    relative: float
    """rms error over the standard deviation of φ"""
    rms: float
    sup: float
    layers: Layers | None

    @property
    def units(self) -> int:
        """Of all hidden layers."""
        return sum(self.widths)


@brief
@dataclass(frozen=True, eq=False)
class Approximated(Result):
    """The network of each dimension, and what the bisection tried on the way."""

    settings: Settings
    found: list[Tried]
    tried: list[Tried]
    notes: tuple[str, ...] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """See ``VARIABLES``."""
        arrays: dict[str, Any] = {
            "dimension": [one.dimension for one in self.found],
            "units": [one.units for one in self.found],
            "relative_error": [one.relative for one in self.found],
            "sup_error": [one.sup for one in self.found],
        }
        if self.tried:
            arrays |= {
                "size": [one.units for one in self.tried],
                "size_dimension": [one.dimension for one in self.tried],
                "size_error": [one.relative for one in self.tried],
            }
        if (layers := self._network()) is not None:
            arrays["params"] = network_of(layers)[1]
        return {name: np.array(values) for name, values in arrays.items()}

    def attributes(self) -> dict[str, str | int | float]:
        """The function and the construction; of a network that is kept, its shape."""
        known: dict[str, str | int | float] = {
            "profile": self.settings.profile,
            "construction": self.settings.construction,
        }
        if self.settings.error is not None:
            known["error"] = self.settings.error
        if (layers := self._network()) is not None:
            known |= described(network_of(layers)[0], f"{self._title()}, d = {len(layers[0][0])}")
        return known

    def summary(self) -> dict[str, Any]:
        """One object of a single dimension, else a list ``dimensions``."""
        rows = [
            {
                "dimension": one.dimension,
                "hidden_layers": len(one.widths),
                "layer_sizes": one.widths,
                "units": one.units,
                "relative_error": one.relative,
                "rms_error": one.rms,
                "sup_error": one.sup,
            }
            for one in self.found
        ]
        known = {"profile": self.settings.profile, "construction": self.settings.construction}
        return {**known, **rows[0]} if len(rows) == 1 else {**known, "dimensions": rows}

    def words(self) -> list[str]:
        """A row for each dimension."""
        rows: list[tuple[object, ...]] = [("d", "layers", "units", "relative", "largest error")]
        for one in self.found:
            errors = (f"{one.relative:.3g}", f"{one.sup:.3g}")
            rows.append((one.dimension, len(one.widths), f"{one.units:,}", *errors))
        return [self._title(), *table(rows)]

    def _title(self) -> str:
        return f"radial {self.settings.profile}, {self.settings.construction}"

    def _network(self) -> Layers | None:
        return self.found[0].layers if len(self.found) == 1 else None


def compute(settings: Settings, progress: OnProgress = silent) -> Approximated:
    """Build and try what the settings say, in each dimension. Raises UsageError, RunError (too
    large)."""
    profile, notes = Profile.of(settings.profile), []
    found: list[Tried] = []
    tried: list[Tried] = []
    for number, d in enumerate(settings.dimension):
        progress(number, len(settings.dimension), f"d = {d}")
        if settings.error is None:
            found.append(_build(settings, profile, d))
            continue
        best, steps, note = _bisect(settings, profile, d)
        found.append(best)
        tried += steps
        notes += [note] if note else []
    progress(len(settings.dimension), len(settings.dimension))
    if settings.construction == "ridge" and settings.knots is None:
        notes.append(
            "the ridge function is taken as it is: units counts directions, and a file keeps no "
            "network unless --knots makes it a spline"
        )
    return Approximated(settings, found, tried, tuple(notes))


def _build(settings: Settings, profile: Profile, d: int, scale: int | None = None) -> Tried:
    """One construction; ``scale`` replaces its size in a search."""
    if settings.construction == "depth3":
        pieces = scale or settings.pieces or 128
        pieces += pieces % 2
        layers = builders.depth3(profile, d, pieces, settings.knots or 2 * pieces)
    elif settings.construction == "learnt":
        layers = builders.learnt(profile, d, scale or settings.directions or 500, settings.seed)
    else:
        g = builders.ridge_function(profile, d)
        w = builders.directions(d, scale or settings.directions or 500, settings.seed)
        if settings.knots is None:
            return _try(settings, profile, d, [len(w)], lambda x: g(x @ w.T).mean(axis=1), None)
        layers = builders.ridge_network(g, w, settings.knots)
    widths = units_of(layers)
    return _try(settings, profile, d, widths, lambda x: evaluate(layers, x)[:, 0], layers)


def _try(
    settings: Settings,
    profile: Profile,
    d: int,
    widths: list[int],
    function: Callable[[np.ndarray], np.ndarray],
    layers: Layers | None,
) -> Tried:
    errors, values = np.empty(settings.count), np.empty(settings.count)
    step = max(1, _CHUNK // max(widths))
    for first in range(0, settings.count, step):
        part = slice(first, min(first + step, settings.count))
        x, radius = builders.points(d, settings.seed, first, part.stop - first)
        values[part] = profile(radius)
        errors[part] = function(x) - values[part]
    rms = math.sqrt(float(np.mean(errors**2)))
    return Tried(d, widths, rms / float(values.std()), rms, float(np.abs(errors).max()), layers)


def _bisect(settings: Settings, profile: Profile, d: int) -> tuple[Tried, list[Tried], str]:
    """The least size that reaches the error: doubled until it does, then bisected to within a
    twentieth. What does not reach it at the largest size is told."""
    assert settings.error is not None
    low, high, steps = 1, 2, [_build(settings, profile, d, 2)]
    while steps[-1].relative > settings.error and len(steps) < _MOST_TRIED:
        low, high = high, 2 * high
        try:
            steps.append(_build(settings, profile, d, high))
        except RunError:
            best = min(steps, key=lambda one: one.relative)
            note = (
                f"d = {d}: {settings.error:g} is not reached; the best of those that fit has "
                f"relative error {best.relative:.3g} with {counted(best.units, 'unit')}"
            )
            return best, steps, note
    best = steps[-1]
    while high - low > max(2, high // 20):
        middle = (low + high) // 2
        steps.append(_build(settings, profile, d, middle))
        if steps[-1].relative <= settings.error:
            high, best = middle, steps[-1]
        else:
            low = middle
    return best, steps, ""


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: the norm as an average over directions, on the Fibonacci sphere."""
    made = compute(Settings("cone", (3,), "ridge", directions=400, count=200))
    yield "radial cone as an average over 400 directions", made.found[0].sup, 5e-3
