"""The twin of a network of one input: one hidden layer with a unit for each linear piece."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.kernels.network.shape import Shape, split_layers
from fracsim.networks.rewriting.layers import Layer, Layers, evaluate_in_parts
from fracsim.networks.rewriting.splines import kinks
from fracsim.studies.regions.regions import count_on_segment


@dataclass(frozen=True, eq=False)
class Twin:
    """A deep network, and the shallow one."""

    deep: Layers
    layers: Layers
    breakpoints: np.ndarray
    """ends of the pieces, those of the interval among them (pieces + 1,)"""
    error: float
    """largest difference on the interval"""
    largest: float
    """largest |f| there"""
    rounding: float
    """about how far rounding can take the twin from f: 2^-53 Σ |change of slope| (high - t)"""

    @property
    def pieces(self) -> int:
        """Linear pieces on the interval, as many as units."""
        return len(self.breakpoints) - 1

    def facts(self) -> dict[str, Any]:
        """What ``--json`` says of it beside its sizes."""
        return {}


def twin_of(shape: Shape, params: np.ndarray, low: float, high: float, points: int) -> Twin:
    """The twin of a network with one input on [low, high], compared at ``points`` points and at
    all breakpoints.

    Slopes and breakpoints are the deep network's own, so that the twin is f on the interval, but
    for rounding. Raises UsageError, RunError (more pieces than memory)."""
    cut = count_on_segment(shape, params, [low], [high])
    first = np.flatnonzero(np.diff(cut.piece, prepend=-1))
    at = low + (high - low) * cut.ends[first]
    slope = cut.slope[first] / (high - low)
    change = np.diff(slope, prepend=0.0)
    layers = kinks(at, change, float(cut.offset[0]))
    deep = [Layer(*layer) for layer in split_layers(shape, params)]
    ends = np.append(at, high)
    x = np.union1d(np.linspace(low, high, points), ends)
    exact, found = (evaluate_in_parts(one, x[:, None])[:, 0] for one in (deep, layers))
    error, largest = float(np.abs(exact - found).max()), float(np.abs(exact).max())
    rounding = 2.0**-53 * float(np.abs(change) @ (high - at))
    return Twin(deep, layers, ends, error, largest, rounding)
