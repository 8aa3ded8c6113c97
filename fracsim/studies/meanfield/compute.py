"""What ``fracsim meanfield`` does, and its numbers in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.studies.meanfield import maps
from fracsim.studies.meanfield.declaration import Settings
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief

_POINTS = 60
"""Points of each drawn map."""


@brief
@dataclass(frozen=True, eq=False)
class FixedPoints(Result):
    """The fixed points, and the maps for a figure."""

    settings: Settings
    found: maps.MeanField
    critical: float
    drawn: dict[str, NDArray[np.float64]]

    def arrays(self) -> dict[str, Any]:
        """The maps and the phases."""
        return self.drawn

    def attributes(self) -> dict[str, Any]:
        """The settings and the fixed points; NaN where there is none."""
        said = self.summary()
        return {key: float("nan") if value is None else value for key, value in said.items()}

    def summary(self) -> dict[str, Any]:
        """Numbers by name; null where there is no fixed point."""
        found, settings = self.found, self.settings
        return {
            "activation": settings.activation,
            "weight_std": settings.weight_std,
            "bias_std": settings.bias_std,
            "q_star": found.q_star,
            "chi": found.chi,
            "c_star": found.c_star,
            "critical_weight_std": self.critical,
            "regime": found.regime,
        }

    def words(self) -> list[str]:
        """The fixed points."""
        one, found = self.settings, self.found
        growth = float("nan") if found.chi is None else np.sqrt(found.chi)
        q = "none" if found.q_star is None else f"{found.q_star:.6g}"
        return [
            f"{one.activation}, σ_w = {one.weight_std:g}, σ_b = {one.bias_std:g}: {found.regime}",
            f"  q* = {q}, the mean square of preactivations",
            f"  χ₁ = {found.chi:.6g}: curves grow by √χ₁ = {growth:.6g} per layer",
            f"  c* = {found.c_star:.6g}, the correlation that any two inputs tend to",
            f"  χ₁ = 1 at σ_w = {self.critical:.6g}",
        ]


def compute(settings: Settings, progress: OnProgress = silent) -> FixedPoints:
    """Iterate. Raises UsageError."""
    one = settings
    found = maps.mean_field(one.activation, one.weight_std, one.bias_std)
    critical = maps.critical_weight_std(one.activation, one.bias_std)
    return FixedPoints(one, found, critical, _drawn(one, found, progress))


def _drawn(
    one: Settings, found: maps.MeanField, progress: OnProgress
) -> dict[str, NDArray[np.float64]]:
    q_star = found.q_star or 1.0
    q = np.linspace(0, 2 * q_star, _POINTS)
    c = np.linspace(0, 1, _POINTS)
    name, weight, bias = one.activation, one.weight_std, one.bias_std
    weights = np.linspace(0.1, min(max(2.0, 1.3 * weight), 100.0), 60)
    biases = np.linspace(0.0, max(1.0, 1.3 * bias), 60)
    chis = phases(name, weights, biases)
    critical = []
    for row, bias_std in enumerate(biases):
        progress(row, len(biases))
        critical.append(maps.critical_weight_std(name, float(bias_std)))
    return {
        "q": q,
        "q_next": np.array([maps.length_map(name, weight, bias, x) for x in q]),
        "c": c,
        "c_next": np.array([maps.correlation_map(name, weight, bias, q_star, x) for x in c]),
        "bias_stds": biases,
        "critical": np.array(critical),
        "weight_stds": weights,
        "chis": chis,
    }


def phases(
    name: str, weights: NDArray[np.float64], biases: NDArray[np.float64]
) -> NDArray[np.float64]:
    """χ₁ (biases, weights) at q*, good to a figure's line; NaN where there is no q*.

    One table over q serves all: at a fixed point σ_b² = q - σ_w² E f², which rises with q beyond
    its least value."""
    if name == "relu":
        return np.tile(weights**2 / 2, (len(biases), 1))
    most = float(weights[-1] ** 2 + biases[-1] ** 2)
    q = np.geomspace(1e-6 * most, 1.01 * most, 600)
    squares = np.array([maps.mean_square(name, x) for x in q])
    slopes = np.array([maps.mean_square_slope(name, x) for x in q])
    chis = np.empty((len(biases), len(weights)))
    for column, weight_std in enumerate(weights):
        needed = q - weight_std**2 * squares
        first = int(needed.argmin())
        fixed = np.interp(biases**2, needed[first:], q[first:])
        chis[:, column] = weight_std**2 * np.interp(fixed, q, slopes)
    return chis


def checks() -> Iterator[tuple[str, float, float]]:
    """erf's fixed point by quadrature-free formulas against a known number, for the doctor."""
    found = maps.mean_field("erf", 2.5, 0.3)
    yield "χ₁ of a chaotic network", abs((found.chi or 0.0) - 1.815067), 1e-5
