"""The linear regions of a ReLU network in a box of three dimensions, counted exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fracsim.errors import RunError, UsageError
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.regions import count as launch
from fracsim.studies.regions.regions import checked_box, checked_parameters, most_regions
from fracsim.text import brief

Floats = NDArray[np.float64]

DIMENSIONS = (2, 3)
"""Inputs of the networks whose regions can be counted in a box."""


@brief
@dataclass(frozen=True)
class BoxRegions:
    """A box, cut into the F regions of a network with d inputs."""

    box: tuple[float, ...]
    """(low1, high1, …)"""
    gradient: Floats
    """(F, d) ∇f on each region"""
    offset: Floats
    """(F,) f = gradient · x + offset"""
    volume: Floats
    """(F,)"""
    patterns: NDArray[np.uint64]
    """(F, W) the units that are active, as bits: unit i of all layers is bit i % 64 of word i //
    64"""
    piece: NDArray[np.int64]
    """(F,) number of the linear piece, 0, 1, …"""

    @property
    def activation_regions(self) -> int:
        """F"""
        return len(self.volume)

    @property
    def linear_pieces(self) -> int:
        """How many different pieces there are."""
        return int(self.piece.max()) + 1


def box_regions(shape: Shape, params: ArrayLike, box: Sequence[float]) -> BoxRegions:
    """The regions of a network with d = 2 or 3 inputs in a box (low1, high1, …), from its flat
    parameters (Q,).

    Regions are one linear piece where they touch along a wall across which f has the same gradient;
    where units' zero sets coincide, such walls are not seen, and there are more pieces.

    Raises UsageError (another d, a box without volume, parameters that do not fit), RunError (more
    regions than memory)."""
    if shape.inputs not in DIMENSIONS:
        raise UsageError(
            f"a network with {shape.inputs} inputs: regions are counted in a box of 2 or 3 "
            "dimensions; for others count along lines, with --segment or --lines"
        )
    flat = checked_parameters(shape, params)
    sides = checked_box(box, shape.inputs)
    most = most_regions(200 + 40 * (sum(shape.widths) // 64 + 1))
    try:
        parts = launch.cut_sides(shape, flat, np.reshape(sides, (-1, 2)), most)
    except (launch.TooManyRegions, MemoryError):
        raise RunError(
            f"the network has more than {most:,} regions in the box, more than fit into the "
            "memory; take a smaller window, or count along lines"
        ) from None
    d = shape.inputs
    gradient, offset = parts.functions[:, :d].copy(), parts.functions[:, d].copy()
    return BoxRegions(sides, gradient, offset, parts.volumes, parts.patterns, parts.pieces)
