"""What ``fracsim shallow`` does: the twin of a network, or of Theorem 1's networks by depth."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.data.numbering import Number
from fracsim.errors import UsageError
from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.network.shape import Shape
from fracsim.networks.rewriting.layers import network_of, units_of
from fracsim.networks.stored import StoredNetwork, described, load_network
from fracsim.studies.bounds.bounds import width_without_error
from fracsim.studies.construct.construct import construct
from fracsim.studies.shallow.declaration import Settings
from fracsim.studies.shallow.plane import PlaneTwin, plane_twin_of
from fracsim.studies.shallow.twin import Twin, twin_of
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief, counted, table
from fracsim.values.settings import label, shown

DEPTHS = tuple(range(1, 5))
_LOST = 1e-3
"""Rounding, over the largest value, from which on a twin in float64 is no longer the function."""


@brief
@dataclass(frozen=True, eq=False)
class Twins(Result):
    """One network's twin, which the file keeps, or those of a family."""

    twins: Sequence[Twin | PlaneTwin]
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
            "units": [sum(units_of(twin.layers)) for twin in self.twins],
            "layers": [len(twin.layers) - 1 for twin in self.twins],
            "deep_units": [sum(units_of(twin.deep)) for twin in self.twins],
            "deep_layers": [len(twin.deep) - 1 for twin in self.twins],
            "largest_error": [twin.error / max(twin.largest, 1e-300) for twin in self.twins],
            "rounding": [twin.rounding for twin in self.twins],
            "least_width": [
                self._least_width(twin, n) for twin, n in zip(self.twins, self.depths, strict=True)
            ],
        }
        if self.network is not None:
            found["params"] = network_of(self.twins[0].layers)[1]
        return {name: np.array(values) for name, values in found.items()}

    def attributes(self) -> dict[str, str | int | float]:
        """The twin that is kept, and its fractal."""
        if self.network is None:
            return {"about": "networks of Theorem 1 for cantor1d", "fractal": "cantor1d"}
        shape = network_of(self.twins[0].layers)[0]
        layers = counted(shape.depth, "hidden layer")
        known = described(shape, f"{layers} equal to {self.network.sizes}")
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
                "units": sum(units_of(twin.layers)),
                "layers": len(twin.layers) - 1,
                "largest_error": twin.error,
                "largest_value": twin.largest,
                "rounding": twin.rounding,
                "deep_units": sum(units_of(twin.deep)),
                "deep_layers": len(twin.deep) - 1,
                **({"fractal_depth": n, "least_width": self._least_width(twin, n)} if n else {}),
                **twin.facts(),
            }
            for twin, n in zip(self.twins, self.depths, strict=True)
        ]
        return rows[0] if self.network is not None else {"fractal": "cantor1d", "twins": rows}

    def words(self) -> list[str]:
        """A row for each network."""
        rows: list[tuple[object, ...]] = [("n", "deep", "layers", "shallow units", "difference")]
        for twin, n in zip(self.twins, self.depths, strict=True):
            deep, units = (f"{sum(units_of(one)):,}" for one in (twin.deep, twin.layers))
            rows.append((n or None, deep, len(twin.deep) - 1, units, f"{twin.error:.2g}"))
        name = "Theorem 1's for cantor1d" if self.network is None else self.network.sizes
        layers = counted(len(self.twins[0].layers) - 1, "hidden layer")
        lines = [f"{name}: {layers}, the same function", *table(rows)]
        for twin in self.twins:
            if isinstance(twin, PlaneTwin):
                lines += _words_of(twin)
        return lines

    def _least_width(self, twin: Twin | PlaneTwin, n: int) -> float:
        """Theorem 2 for as many hidden layers as the twin has, T: (d / e) r^(n / (T d)), NaN where
        that is below d ≥ 2."""
        d, layers = len(twin.layers[0].weights), len(twin.layers) - 1
        return width_without_error(d, self.maps, n, layers) if n else math.nan


def _words_of(twin: PlaneTwin) -> list[str]:
    widths = ", ".join(f"{width:,}" for width in units_of(twin.layers))
    return [
        "",
        f"{twin.regions:,} regions, {twin.pieces:,} convex pieces, {len(twin.planes):,} "
        f"half-planes: layers of {widths} units",
        f"at {twin.points:,} points: {twin.near:,} so near to an edge that a second piece adds "
        f"to the value; at the others {counted(twin.wrong_signs, 'wrong sign')}",
        f"with exact steps, as no finite weight gives them: difference {twin.error_exact:.2g}",
    ]


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
    inputs = network.shape.inputs
    if inputs > 2:
        raise UsageError(
            f"'{settings.file}' holds a network of {inputs} inputs; accepted is one of 1 or 2"
        )
    fractal = network.fractal
    window = settings.window or (-1.0 if fractal is None else fractal.low, 1.0) * inputs
    ends = np.reshape(window, (-1, 2)) if len(window) % 2 == 0 else np.zeros((0, 2))
    if len(ends) != inputs or not (ends[:, 0] < ends[:, 1]).all():
        accepted = "LOW,HIGH" if inputs == 1 else "LOW1,HIGH1,LOW2,HIGH2"
        raise UsageError(
            f"{label('window')} is {shown(','.join(f'{end:g}' for end in window))}; accepted is "
            f"{accepted}, LOW < HIGH, for {counted(inputs, 'input')}"
        )
    params = np.asarray(network.params, np.float64)
    twin: Twin | PlaneTwin
    if inputs == 1:
        twin = twin_of(network.shape, params, window[0], window[1], settings.points)
    else:
        twin = plane_twin_of(network.shape, params, window, settings.points, settings.steepness)
    maps = fractal.maps if fractal else 0
    return Twins([twin], [network.fractal_depth], maps, network, _notes([twin]))


def _notes(twins: Sequence[Twin | PlaneTwin]) -> tuple[str, ...]:
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
    tent = np.array([1.0, -1.0, 0.5, 0.5, 0.1, -0.2, 1.0, -1.0, 0.0])  # [x + y/2 + .1]_+ - …
    flat = plane_twin_of(Shape(2, (2,)), tent, (-1.0, 1.0, -1.0, 1.0), 1000, 1000.0)
    yield "twin of three layers, with exact steps", flat.error_exact, 1e-14
