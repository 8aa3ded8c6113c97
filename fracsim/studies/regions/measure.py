"""What ``fracsim regions`` measures of one network: counts beside bounds and the average case, and
what a file keeps.

The average case is that of B. Hanin and D. Rolnick (*Complexity of linear regions in deep
networks*, ICML 2019; *Deep ReLU networks have surprisingly few activation patterns*, NeurIPS 2019):
at initialisation, for N neurons, the number of boundaries that a line meets per unit length is
linear in N, a plane has about N²/2 regions, and the distance from a point to the nearest boundary
is proportional to 1/N; training changes this little."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.norms import norms
from fracsim.studies.regions.bounds import region_bounds
from fracsim.studies.regions.box import box_regions
from fracsim.studies.regions.regions import (
    boundary_distances,
    checked_box,
    count_on_segment,
    count_on_segments,
    partition,
    random_points,
)

Facts = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Place:
    """Where regions are counted: in the window, on a segment, or on ``lines`` random segments in
    the window."""

    window: tuple[float, ...]
    """(low1, high1, …), also the box of random points"""
    segment: tuple[float, ...] | None = None
    """coordinates of the start, then of the end"""
    lines: int | None = None
    points: int = 1000
    """random points whose distance to the nearest boundary is measured"""
    seed: int = 0
    """of lines and points"""

    @property
    def kind(self) -> str:
        """plane, box, segment or lines."""
        if self.lines is not None:
            return "lines"
        if self.segment is not None or len(self.window) == 2:
            return "segment"
        return "plane" if len(self.window) == 4 else "box"

    @property
    def dimension(self) -> int:
        """Of the set of inputs on which regions are counted."""
        return {"plane": 2, "box": len(self.window) // 2}.get(self.kind, 1)


class Measured(NamedTuple):
    """Numbers for people and machines, and arrays for the file."""

    facts: Facts
    arrays: Arrays


def measure(shape: Shape, params: NDArray[Any], place: Place, threads: int = 1) -> Measured:
    """Count the regions of a network in a place; distances from random points; bounds and the
    average case beside them.

    Raises UsageError (a place that does not fit the network), RunError (more regions than memory).
    """
    checked_box(place.window, shape.inputs)
    neurons = sum(shape.widths)
    counted = count(shape, params, place, threads)
    points = random_points(place.points, place.window, place.seed)
    distances = boundary_distances(shape, params, points)
    mean = float(distances.mean())
    facts = {
        **counted.facts,
        "neurons": neurons,
        "distance": {
            "points": place.points,
            "mean": mean,
            "median": float(np.median(distances)),
            "mean_times_neurons": mean * neurons,
        },
        "bounds": region_bounds(shape, place.dimension),
    }
    return Measured(facts, {**counted.arrays, "place": points, "distance": distances})


def count(shape: Shape, params: NDArray[Any], place: Place, threads: int = 1) -> Measured:
    """Count in a place, and nothing else. Raises as ``measure``."""
    counting = {"plane": _on_plane, "box": _in_box, "segment": _on_segment, "lines": _on_lines}
    return counting[place.kind](shape, params, place, threads)


def _in_box(shape: Shape, params: NDArray[Any], place: Place, threads: int) -> Measured:
    parts = box_regions(shape, params, place.window)
    facts = _in_space(parts.activation_regions, parts.linear_pieces, shape)
    arrays: Arrays = {
        "gradient": parts.gradient,
        "offset": parts.offset,
        "volume": parts.volume,
        "piece": parts.piece,
    }
    return Measured(facts, arrays)


def _in_space(regions: int, pieces: int, shape: Shape) -> Facts:
    """Counts beside N^d/d!, the average case."""
    d = shape.inputs
    average = sum(shape.widths) ** d / math.factorial(d)
    return {
        "activation_regions": regions,
        "linear_pieces": pieces,
        "average_case": {"regions": average, "ratio": regions / max(average, 1)},
    }


def _on_plane(shape: Shape, params: NDArray[Any], place: Place, threads: int) -> Measured:
    parts = partition(shape, params, place.window)
    facts = _in_space(parts.activation_regions, parts.linear_pieces, shape)
    arrays: Arrays = {
        "vertices": parts.vertices,
        "corners": parts.corners,
        "corner_count": np.diff(parts.first_corner),
        "gradient": parts.gradient,
        "offset": parts.offset,
        "area": parts.area,
        "sign": parts.sign,
        "piece": parts.piece,
    }
    return Measured(facts, arrays)


def _on_segment(shape: Shape, params: NDArray[Any], place: Place, threads: int) -> Measured:
    ends = np.array(place.segment if place.segment is not None else place.window)
    if len(ends) != 2 * shape.inputs:
        raise UsageError(
            f"--segment has {len(ends)} numbers; a network with {shape.inputs} inputs needs "
            f"{2 * shape.inputs}, "
            "the coordinates of the start, then those of the end"
        )
    line = count_on_segment(shape, params, ends[: shape.inputs], ends[shape.inputs :])
    facts = {
        "activation_regions": line.activation_regions,
        "linear_pieces": line.linear_pieces,
        "length": line.length,
        "average_case": _per_length(line.activation_regions - 1, line.length, shape),
    }
    arrays: Arrays = {
        "end": line.ends,
        "crossed_layer": line.crossed[:, 0] + 1,
        "crossed_unit": line.crossed[:, 1],
        "slope": line.slope,
        "offset": line.offset,
        "piece": line.piece,
        "start": line.start[None],
        "stop": line.end[None],
    }
    return Measured(facts, arrays)


def _on_lines(shape: Shape, params: NDArray[Any], place: Place, threads: int) -> Measured:
    assert place.lines is not None
    ends = random_points(2 * place.lines, place.window, place.seed, first=place.points)
    starts, stops = ends[0::2], ends[1::2]
    counts = count_on_segments(shape, params, starts, stops, threads)
    lengths = norms(stops - starts, axis=1)
    breakpoints = counts[:, 0] - 1
    rate = _per_length(int(breakpoints.sum()), float(lengths.sum()), shape)
    # of the ratio of two sums, from how far single segments are off it
    apart = breakpoints - rate["breakpoints_per_length"] * lengths
    error = float(norms(apart)) / len(lengths)
    rate["standard_error"] = error / float(lengths.mean())
    facts = {
        "activation_regions": int(counts[:, 0].sum()),
        "linear_pieces": int(counts[:, 1].sum()),
        "lines": place.lines,
        "length": float(lengths.sum()),
        "most_on_a_line": int(counts[:, 0].max()),
        "average_case": rate,
    }
    arrays = {
        "start": starts,
        "stop": stops,
        "segment_regions": counts[:, 0],
        "segment_pieces": counts[:, 1],
    }
    return Measured(facts, arrays)


def _per_length(breakpoints: int, length: float, shape: Shape) -> dict[str, float]:
    rate = breakpoints / length
    return {"breakpoints_per_length": rate, "per_neuron": rate / max(sum(shape.widths), 1)}


def attributes(shape: Shape, place: Place, facts: Facts) -> dict[str, str | int | float]:
    """What a study file says of a count: the network's shape, the place, all numbers. Whole numbers
    beyond 2^63 and bounds are text."""
    flat: dict[str, str | int | float] = {
        "input_dimension": shape.inputs,
        "network_depth": shape.depth,
        "width": shape.width,
        **({} if shape.is_even else {"widths": "-".join(map(str, shape.widths))}),
        "measure": place.kind,
        "window": ",".join(f"{side!r}" for side in place.window),
        "places_seed": str(place.seed),
    }
    for key, value in facts.items():
        parts: Mapping[str, Any] = value if isinstance(value, dict) else {"": value}
        for part, number in parts.items():
            name = f"{key}_{part}" if part else key
            if number is not None:  # a bound outside its hypothesis
                flat[name] = str(number) if key == "bounds" else number
    return flat
