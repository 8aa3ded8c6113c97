"""The linear regions of a ReLU network, counted exactly: along segments, and in a window of the
plane.

An *activation region* is a connected set of inputs on which the same units are active; f is affine
on it. A *linear piece* is a union of activation regions that are joined through common ends (d = 1)
or edges (d = 2) across which f has the same gradient, to within 1e-9 of the terms that make it up:
f is one affine function there, though units switch. Everything is computed in float64. Regions
thinner than about 10^-14 of the window (of the segment) are not seen, and lines nearer than that to
a corner pass through it, so that lines which meet or coincide are not torn apart by rounding."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fracsim.errors import RunError, UsageError
from fracsim.kernels.network.shape import Shape, flat_layout, parameter_count
from fracsim.kernels.norms import norms
from fracsim.kernels.regions import count as launch
from fracsim.kernels.regions.affine import boundary_distances as distances_kernel
from fracsim.kernels.regions.line import count_on_segments as count_kernel
from fracsim.kernels.regions.rows import rows_plan
from fracsim.machine.cpus import MOST_THREADS
from fracsim.machine.memory import free_memory
from fracsim.text import brief
from fracsim.values.arguments import POINTS, Array, List, Network, Number, Whole, door
from fracsim.values.given import refused

Floats = NDArray[np.float64]
Window = tuple[float, float, float, float]

_PARAMS = Array("Q", finite=False)  # what is not finite has a sentence of its own

SEGMENTS_AT_ONCE = 64
"""Segments that a thread counts in one call; results do not depend on it."""


@brief
@dataclass(frozen=True)
class Partition:
    """A window of the plane, cut into the regions of a network: F regions, V corners."""

    window: Window
    """(low1, high1, low2, high2)"""
    vertices: Floats
    """(V, 2)"""
    first_corner: NDArray[np.int64]
    """(F + 1,) where the corners of each region begin in ``corners``"""
    corners: NDArray[np.int32]
    """numbers of vertices, region after region, anticlockwise"""
    gradient: Floats
    """(F, 2) ∇f on each region"""
    offset: Floats
    """(F,) f = gradient · x + offset"""
    area: Floats
    """(F,)"""
    piece: NDArray[np.int64]
    """(F,) number of the linear piece, 0, 1, …"""

    @property
    def activation_regions(self) -> int:
        """F"""
        return len(self.area)

    @property
    def linear_pieces(self) -> int:
        """How many different pieces there are."""
        return int(self.piece.max()) + 1

    def polygon(self, region: int) -> Floats:
        """Corners (corners, 2) of a region, 0 … F - 1, anticlockwise. Raises UsageError."""
        region = Whole(0, self.activation_regions - 1).read("region", region, {})
        return self.vertices[
            self.corners[self.first_corner[region] : self.first_corner[region + 1]]
        ]

    @cached_property
    def region_of_corner(self) -> NDArray[np.int64]:
        """The region that each entry of ``corners`` belongs to."""
        return np.repeat(np.arange(self.activation_regions), np.diff(self.first_corner))

    @cached_property
    def corner_values(self) -> Floats:
        """f at each entry of ``corners``."""
        region = self.region_of_corner
        slopes = (self.vertices[self.corners] * self.gradient[region]).sum(1)
        return np.asarray(slopes + self.offset[region])

    @cached_property
    def sign(self) -> NDArray[np.int8]:
        """(F,) sign of f on each region, 0 where the decision boundary runs through it."""
        starts = self.first_corner[:-1]
        low, high = (
            extreme.reduceat(self.corner_values, starts) for extreme in (np.minimum, np.maximum)
        )
        return ((low >= 0) & (high > 0)).astype(np.int8) - ((high <= 0) & (low < 0)).astype(np.int8)


@brief
@dataclass(frozen=True)
class SegmentRegions:
    """A segment, cut into the n regions of a network; a point is start + t (end - start)."""

    start: Floats
    """(d,)"""
    end: Floats
    """(d,)"""
    ends: Floats
    """(n + 1,) t at the ends of the regions, from 0 to 1; those between are the breakpoints"""
    crossed: NDArray[np.int32]
    """(n + 1, 2) hidden layer and unit that change sign at each of them, from 0; -1 at both ends of
    the segment"""
    slope: Floats
    """(n,) df/dt on each region"""
    offset: Floats
    """(n,) f = slope · t + offset"""
    piece: NDArray[np.int64]
    """(n,) number of the linear piece, 0, 1, …"""

    @property
    def activation_regions(self) -> int:
        """n"""
        return len(self.slope)

    @property
    def linear_pieces(self) -> int:
        """How many different pieces there are."""
        return int(self.piece[-1]) + 1

    @property
    def length(self) -> float:
        """Euclidean length of the segment."""
        return float(norms(self.end - self.start))

    @property
    def values(self) -> Floats:
        """(n + 1,) f at ``ends``."""
        return np.append(
            self.slope * self.ends[:-1] + self.offset, self.slope[-1] + self.offset[-1]
        )


@door(shape=Network(), params=_PARAMS, window=List(Number(), most=10_000))
def partition(
    shape: Shape,
    params: ArrayLike,
    window: Sequence[float],
    plane: tuple[ArrayLike, ArrayLike] | None = None,
) -> Partition:
    """The regions of a network with two inputs in a window (low1, high1, low2, high2).

    Args:
        shape, params: the network, its flat parameters (Q,). plane: for more inputs, the plane
        origin + s u + t v: origin (d,) and directions u, v (2, d); the window is
            one of (s, t), and so are all places and gradients of the result.

    Raises:
        UsageError: a window without area, parameters that do not fit, d ≠ 2 without a plane.
        RunError: more regions than memory.
    """
    flat = checked_parameters(shape, params)
    low1, high1, low2, high2 = checked_box(window, 2)
    if plane is not None:
        if not isinstance(plane, (tuple, list)) or len(plane) != 2:
            raise refused("plane", plane, "a pair: an origin (d,) and two directions (2, d)")
        sizes = {"d": shape.inputs}
        origin = Array("d").read("plane[0]", plane[0], sizes)
        directions = Array("2 d").read("plane[1]", plane[1], sizes)
        shape, flat = launch.on_plane(shape, flat, origin, directions)
    if shape.inputs != 2:
        raise UsageError(
            f"a window of the plane is for networks with 2 inputs, and this one has {shape.inputs}"
        )
    box = low1, high1, low2, high2
    most = most_regions(shape.width * (24 + shape.depth) + 900)
    try:
        cells = launch.cut_window(shape, flat, box, most)
    except (launch.TooManyRegions, MemoryError):
        raise RunError(
            f"the network has more than {most:,} regions in the window, more than fit into the "
            f"memory; "
            "take a smaller window, or count along lines"
        ) from None
    return Partition(
        box,
        cells.places,
        cells.first_corner,
        cells.corners,
        cells.functions[:, :2],
        cells.functions[:, 2],
        cells.areas,
        cells.pieces,
    )


@door(
    shape=Network(),
    params=_PARAMS,
    start=Array("d", point=True),
    end=Array("d", point=True),
)
def count_on_segment(
    shape: Shape, params: ArrayLike, start: ArrayLike, end: ArrayLike
) -> SegmentRegions:
    """The regions of a network along the segment between two points (d,).

    Raises UsageError (points that do not fit the network or are one point), RunError (more regions
    than memory)."""
    flat = checked_parameters(shape, params)
    a, b = np.asarray(start), np.asarray(end)
    if not (a != b).any():
        raise UsageError("a segment needs two different, finite ends")
    most = most_regions(shape.width * 20 + 100)
    try:
        line = launch.cut_line(shape, flat, a, b, most)
    except (launch.TooManyRegions, MemoryError):
        raise RunError(
            f"the network has more than {most:,} regions on the segment, more than fit into the "
            f"memory; "
            "take a shorter segment"
        ) from None
    return SegmentRegions(
        a, b, line.ends, line.crossed, line.functions[:, 0], line.functions[:, 1], line.pieces
    )


@door(
    shape=Network(),
    params=_PARAMS,
    starts=POINTS,
    ends=POINTS,
    threads=Whole(1, MOST_THREADS),
)
def count_on_segments(
    shape: Shape, params: ArrayLike, starts: ArrayLike, ends: ArrayLike, threads: int = 1
) -> NDArray[np.int64]:
    """Activation regions and linear pieces (N, 2) on each of N segments between ``starts`` and
    ``ends`` (N, d).

    The same for any number of threads. Raises UsageError and RunError as :func:`count_on_segment`.
    """
    flat = checked_parameters(shape, params)
    starts, ends = np.asarray(starts), np.asarray(ends)
    counts = np.ones((len(starts), 2), np.int64)
    if not shape.depth:
        return counts
    most = most_regions((shape.width * 20 + 100) * threads)
    plan, rows = rows_plan(shape)

    def block(first: int) -> None:
        part = slice(first, first + SEGMENTS_AT_ONCE)
        count_kernel(flat, plan, rows, starts[part], ends[part], most, counts[part])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(block, range(0, len(starts), SEGMENTS_AT_ONCE)))
    if not counts.all():
        raise RunError(
            f"the network has more than {most:,} regions on a segment, more than fit into the "
            f"memory; "
            "take a smaller window"
        )
    return counts


@door(shape=Network(), params=_PARAMS, points=POINTS)
def boundary_distances(shape: Shape, params: ArrayLike, points: ArrayLike) -> Floats:
    """Distance (N,) from each of the points (N, d) to the nearest boundary of an activation region,
    in any dimension.

    Infinite for a network without boundaries. A boundary outside the window counts, the window's
    edge does not."""
    flat, x = checked_parameters(shape, params), np.asarray(points)
    distances = np.full(len(x), math.inf)
    if shape.depth:
        distances_kernel(flat, flat_layout(shape), x, distances)
    return distances


def random_points(count: int, box: Sequence[float], seed: int, first: int = 0) -> Floats:
    """Points (N, d), uniform in a box (low1, high1, …): numbers ``first``, … of the seed."""
    sides = np.asarray(box, np.float64).reshape(-1, 2)
    points = np.empty((count, len(sides)))
    launch.random_places(np.uint64(seed), first, sides[:, 0].copy(), sides[:, 1].copy(), points)
    return points


def checked_parameters(shape: Shape, params: ArrayLike) -> Floats:
    """Flat parameters (Q,) in float64; UsageError where they do not fit the shape or are not
    finite."""
    flat: Floats = np.ascontiguousarray(params, np.float64)
    if flat.shape != (parameter_count(shape),):
        raise UsageError(
            f"a network of {shape} has {parameter_count(shape)} parameters; given: shape "
            f"{flat.shape}"
        )
    if not np.isfinite(flat).all():
        raise UsageError(
            "weights of the network are not finite (did its training diverge?), so it has no "
            "regions"
        )
    return flat


def checked_box(box: Sequence[float], dimension: int) -> tuple[float, ...]:
    """The sides (low1, high1, …) of a box in d dimensions; UsageError where they make none."""
    sides = tuple(float(side) for side in box)
    accepted = ",".join(f"low{i + 1},high{i + 1}" for i in range(min(dimension, 2))) + (
        ",…" if dimension > 2 else ""
    )
    given = ",".join(f"{side:g}" for side in sides)
    if len(sides) != 2 * dimension:
        raise UsageError(
            f"window {given}: a network with {dimension} inputs needs {2 * dimension} numbers, "
            f"{accepted}"
        )
    if not all(
        low < high and math.isfinite(high - low)
        for low, high in zip(sides[::2], sides[1::2], strict=True)
    ):
        raise UsageError(
            f"window {given}: accepted are finite numbers {accepted}, each low less than its high"
        )
    return sides


def most_regions(bytes_each: int) -> int:
    """How many regions fit into half of the memory that is free, with ``bytes_each`` bytes for
    each."""
    free = free_memory()
    return max(10_000, int((free if free is not None else 4e9) / 2 / bytes_each))
