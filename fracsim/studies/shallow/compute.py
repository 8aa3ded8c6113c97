"""What ``fracsim shallow`` does: the twin of a network, or of Theorem 1's networks by depth."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.data.numbering import Number
from fracsim.errors import UsageError
from fracsim.fractals.fractal import load_fractal
from fracsim.networks.rewriting.layers import network_of, units_of
from fracsim.networks.stored import StoredNetwork, described, load_network
from fracsim.settings import label
from fracsim.studies.construct.construct import construct
from fracsim.studies.shallow.declaration import Settings
from fracsim.studies.shallow.twin import Twin, twin_of
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief, table

DEPTHS = tuple(range(1, 5))
_LOST = 1e-3
"""Rounding, over the largest value, from which on a twin in float64 is no longer the function."""


@brief
@dataclass(frozen=True, eq=False)
class Twins(Result):
    """One network's twin, which the file keeps, or those of a family."""

    twins: list[Twin]
    depths: list[int]
    """of the fractal; 0 where there is none"""
    maps: int
    """r of the fractal; 0 where there is none"""
    network: StoredNetwork | None
    notes: tuple[str, ...] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """See ``VARIABLES``."""
        found: dict[str, Any] = {
            "fractal_depth": self.depths,
            "pieces": [twin.pieces for twin in self.twins],
            "units": [twin.pieces for twin in self.twins],
            "deep_units": [sum(units_of(twin.deep)) for twin in self.twins],
            "deep_layers": [len(twin.deep) - 1 for twin in self.twins],
            "largest_error": [twin.error / max(twin.largest, 1e-300) for twin in self.twins],
            "rounding": [twin.rounding for twin in self.twins],
            "least_width": [self._least_width(n) for n in self.depths],
        }
        if self.network is not None:
            found["params"] = network_of(self.twins[0].layers)[1]
        return {name: np.array(values) for name, values in found.items()}

    def attributes(self) -> dict[str, str | int | float]:
        """The twin that is kept, and its fractal."""
        if self.network is None:
            return {"about": "networks of Theorem 1 for cantor1d", "fractal": "cantor1d"}
        shape = network_of(self.twins[0].layers)[0]
        known = described(shape, f"one hidden layer equal to {self.network.sizes}")
        if (fractal := self.network.fractal) is not None:
            known |= {
                "fractal": fractal.name,
                "fractal_depth": self.network.fractal_depth,
                "fractal_definition": json.dumps(fractal.to_dict()),
            }
        return known

    def summary(self) -> dict[str, Any]:
        """One object, or a list ``twins``."""
        rows = [
            {
                "pieces": twin.pieces,
                "units": twin.pieces,
                "layers": 1,
                "largest_error": twin.error,
                "largest_value": twin.largest,
                "rounding": twin.rounding,
                "deep_units": sum(units_of(twin.deep)),
                "deep_layers": len(twin.deep) - 1,
                **({"fractal_depth": n, "least_width": self._least_width(n)} if n else {}),
            }
            for twin, n in zip(self.twins, self.depths, strict=True)
        ]
        return rows[0] if self.network is not None else {"fractal": "cantor1d", "twins": rows}

    def words(self) -> list[str]:
        """A row for each network."""
        rows: list[tuple[object, ...]] = [("n", "deep", "layers", "shallow units", "difference")]
        for twin, n in zip(self.twins, self.depths, strict=True):
            units = f"{sum(units_of(twin.deep)):,}"
            rows.append(
                (n or None, units, len(twin.deep) - 1, f"{twin.pieces:,}", f"{twin.error:.2g}")
            )
        name = "Theorem 1's for cantor1d" if self.network is None else self.network.sizes
        return [f"{name}: one hidden layer, the same function", *table(rows)]

    def _least_width(self, n: int) -> float:
        """Theorem 2 for one hidden layer in d = 1: (1 / e) r^n."""
        return self.maps**n / math.e if n else math.nan


def compute(settings: Settings, progress: OnProgress = silent) -> Twins:
    """Make the twins. Raises UsageError, RunError, FileError."""
    if settings.file is not None:
        return _of_file(settings)
    depths, fractal = settings.fractal_depth or DEPTHS, load_fractal("cantor1d")
    twins = []
    for number, n in enumerate(depths):
        progress(number, len(depths), f"n = {n}")
        built = construct(fractal, n)
        twins.append(twin_of(built.shape, built.params, fractal.low, 1.0, settings.points))
    progress(len(depths), len(depths))
    return Twins(twins, list(depths), fractal.maps, None, _notes(twins))


def _of_file(settings: Settings) -> Twins:
    assert settings.file is not None
    run = None if settings.run is None else Number(settings.run)
    network = load_network(
        settings.file, run, -1 if settings.snapshot is None else settings.snapshot
    )
    if network.shape.inputs != 1:
        raise UsageError(
            f"'{settings.file}' holds a network of {network.shape.inputs} inputs; accepted is one "
            "of 1 input"
        )
    fractal = network.fractal
    window = settings.window or (-1.0 if fractal is None else fractal.low, 1.0)
    if len(window) != 2 or not window[0] < window[1]:
        raise UsageError(f"{label('window')} is no interval; accepted is LOW,HIGH, LOW < HIGH")
    params = np.asarray(network.params, np.float64)
    twin = twin_of(network.shape, params, window[0], window[1], settings.points)
    maps = fractal.maps if fractal else 0
    return Twins([twin], [network.fractal_depth], maps, network, _notes([twin]))


def _notes(twins: list[Twin]) -> tuple[str, ...]:
    lost = max((twin.rounding / max(twin.largest, 1e-300) for twin in twins), default=0.0)
    if lost < _LOST:
        return ()
    return (
        f"slopes are so large that sums of one layer cancel in float64: rounding of up to "
        f"{lost:.2g} of the largest value, and pieces narrower than 1e-14 are not counted",
    )


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: the twin of Theorem 1's network for cantor1d, n = 1."""
    (twin,) = compute(Settings(fractal_depth=(1,), points=1000)).twins
    yield "shallow twin, difference from the deep network", twin.error, 1e-10
