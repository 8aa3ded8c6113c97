"""The regions of many random networks: means beside what is expected of them."""

import dataclasses
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.kernels.network.shape import Shape
from fracsim.machine.cpus import available_threads
from fracsim.studies.regions.declaration import Settings
from fracsim.studies.regions.expected import check_biases, expected_facts, switches_by_layer
from fracsim.studies.regions.measure import Place, count
from fracsim.studies.regions.regions import boundary_distances, checked_box, random_points
from fracsim.studies.regions.subjects import random_shape, random_subject
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief

Floats = NDArray[np.float64]


class _Counts(NamedTuple):
    """By draw, the first axis."""

    regions: Floats
    pieces: Floats
    switches: Floats
    """(draws, T); only of a segment"""
    distance: Floats
    points: Floats


@brief
@dataclass(frozen=True, eq=False)
class DrawsCounted(Result):
    """Means over random networks (form "draws")."""

    shape: Shape
    place: Place
    init: str
    bias_std: float | None
    counts: _Counts
    expected: dict[str, Any]
    notes: Sequence[str] = ()
    form: str = "draws"

    def arrays(self) -> dict[str, Any]:
        """Counts of each network; switches by layer, of a segment."""
        counts = self.counts
        arrays: dict[str, Any] = {
            "draw_regions": counts.regions,
            "draw_pieces": counts.pieces,
            "draw_distance": counts.distance,
        }
        if self.place.kind == "segment":
            arrays["layer"] = np.arange(1, self.shape.depth + 1)
            arrays["switches"] = counts.switches.mean(0)
            arrays["switches_error"] = _error(counts.switches)
            if "switches_by_layer" in self.expected:
                arrays["switches_expected"] = np.array(self.expected["switches_by_layer"])
        return arrays

    def attributes(self) -> dict[str, str | int | float]:
        """Means and what is expected."""
        facts = {
            f"expected_{key}": value
            for key, value in self.expected.items()
            if isinstance(value, float)
        }
        found = self.summary()
        numbers = ("activation_regions", "standard_error", "linear_pieces", "neurons", "draws")
        return {
            "about": self._about(),
            "input_dimension": self.shape.inputs,
            "network_depth": self.shape.depth,
            "width": self.shape.width,
            "measure": self.place.kind,
            "window": ",".join(f"{side!r}" for side in self.place.window),
            **{key: found[key] for key in numbers},
            "distance_mean": found["distance"]["mean"],
            "distance_standard_error": found["distance"]["standard_error"],
            **facts,
        }

    def summary(self) -> dict[str, Any]:
        """Means with standard errors, and what is expected."""
        counts = self.counts
        facts: dict[str, Any] = {
            "network": self._about(),
            "inputs": self.shape.inputs,
            "depth": self.shape.depth,
            "width": self.shape.width,
            "measure": self.place.kind,
            "window": self.place.window,
            "draws": len(counts.regions),
            "neurons": sum(self.shape.widths),
            "activation_regions": float(counts.regions.mean()),
            "standard_error": float(_error(counts.regions)),
            "linear_pieces": float(counts.pieces.mean()),
        }
        if self.place.kind == "segment":
            facts["switches_by_layer"] = counts.switches.mean(0).tolist()
            facts["switches_standard_error"] = _error(counts.switches).tolist()
        facts["distance"] = {
            "mean": float(counts.distance.mean()),
            "standard_error": float(_error(counts.distance)),
            "points_each": len(counts.points) // len(counts.distance),
        }
        facts["expected"] = self.expected or None
        return facts

    def words(self) -> list[str]:
        """The means."""
        found = self.summary()
        where = {"plane": "in the window", "box": "in the box", "segment": "on the segment"}
        where["lines"] = "on all segments"
        lines = [
            f"{self._about()}: {found['activation_regions']:,.5g} activation regions "
            f"{where[self.place.kind]} on average, standard error {found['standard_error']:.2g}"
        ]
        if "regions" in self.expected:
            lines.append(f"expected: {self.expected['regions']:,.5g}")
        for layer, number in enumerate(found.get("switches_by_layer", []), 1):
            error = found["switches_standard_error"][layer - 1]
            wanted = self.expected.get("switches_by_layer")
            said = f", expected {wanted[layer - 1]:.5g}" if wanted else ""
            lines.append(f"layer {layer}: {number:.5g} ± {error:.2g} switches{said}")
        distance = found["distance"]
        said = f", expected {self.expected['distance']:.4g}" if self.expected else ""
        lines.append(
            f"distance to the nearest boundary: {distance['mean']:.4g} ± "
            f"{distance['standard_error']:.2g}{said}"
        )
        return lines

    def _about(self) -> str:
        biases = "" if self.bias_std is None else f", N(0, {self.bias_std:g}²) biases"
        return (
            f"{len(self.counts.regions):,} random networks, depth {self.shape.depth}, width "
            f"{self.shape.width} ({self.init}{biases})"
        )


def of_draws(settings: Settings, progress: OnProgress = silent) -> DrawsCounted:
    """Count in ``draws`` random networks; network i is that of seed + i, and has points and lines
    of its own. Raises UsageError, RunError."""
    assert settings.draws is not None
    init = settings.init or "he"
    law = (
        2 if settings.inputs is None else settings.inputs,
        3 if settings.depth is None else settings.depth,
        64 if settings.width is None else settings.width,
        init,
        settings.bias,
        settings.bias_std,
    )
    shape = random_shape(*law[:3])
    known = init == "he" and not settings.bias and shape.depth > 0
    bias_std = check_biases(settings.bias_std) if known else 0.0
    window = settings.window or (-1.0, 1.0) * shape.inputs
    place = Place(window, settings.segment, settings.lines, 1, settings.seed)
    checked_box(window, shape.inputs)
    draws, each = settings.draws, max(1, settings.points // settings.draws)
    points = random_points(draws * each, window, settings.seed)
    regions, pieces, distance = np.empty((3, draws))
    switches = np.zeros((draws, shape.depth))

    def one(index: int) -> None:
        network = random_subject(*law, settings.seed + index)
        here = dataclasses.replace(place, points=draws * each + 2 * index * (place.lines or 0))
        found = count(network.shape, network.params, here, 1)
        regions[index] = found.facts["activation_regions"]
        pieces[index] = found.facts["linear_pieces"]
        if place.kind == "segment":
            layers = found.arrays["crossed_layer"]
            switches[index] = np.bincount(layers[layers > 0] - 1, minlength=shape.depth)
        own = points[index * each : (index + 1) * each]
        distance[index] = boundary_distances(shape, network.params, own).mean()

    with ThreadPoolExecutor(settings.threads or available_threads()[0]) as pool:
        for done, _ in enumerate(pool.map(one, range(draws))):
            progress(done + 1, draws)
    expected, notes = {}, []
    if known:
        expected = expected_facts(shape.widths, bias_std, place, points)
        if place.kind == "lines":
            expected["regions"] = _on_lines(shape, bias_std, place, draws * each)
    else:
        notes = ["What is expected is known for --init he with biases of mean 0 only."]
    counts = _Counts(regions, pieces, switches, distance, points)
    return DrawsCounted(shape, place, init, settings.bias_std, counts, expected, notes)


def _on_lines(shape: Shape, bias_std: float, place: Place, first: int, most: int = 1000) -> float:
    """Expected regions on all lines of a network, from the first of those counted."""
    assert place.lines is not None
    ends = random_points(2 * most, place.window, place.seed, first=first)
    each = [
        float(switches_by_layer(shape.widths, bias_std, ends[i], ends[i + 1]).sum())
        for i in range(0, 2 * most, 2)
    ]
    return place.lines * (1 + float(np.mean(each)))


def _error(values: Floats) -> Any:
    """Standard error of the mean over draws."""
    if len(values) < 2:
        return np.full(values.shape[1:], math.nan)
    return values.std(0, ddof=1) / math.sqrt(len(values))
