"""The figure ``regions``: the linear regions of a network, as ``fracsim regions`` stored them."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.fractal import corners, drawable_depth
from fracsim.fractals.fractal import Fractal
from fracsim.kernels.norms import norms
from fracsim.studies.regions.figure_draws import draw_distances, draw_draws, draw_levels

MOST_REGIONS = 300_000
"""More regions than this are smaller than a printed dot."""

CELL = "#202020"
EDGE = "#404040B0"


def draw(
    study: StudyContents, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """The figure of a study of kind "regions", by its form: a window cut into regions coloured by
    f, f along a segment with its breakpoints, how many breakpoints random segments have, or counts
    through training.

    Args:
        study: what the file holds.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: a study of no form, or that does not say of which network.
        UsageError: too many regions to draw.
    """
    facts = study.attributes
    if study.form not in _PAINTERS or "about" not in facts:
        raise FileError(
            f"'{study.path}' is not a valid fracsim file: it holds no regions that could be drawn"
        )
    figure = _PAINTERS[study.form](study, size)
    style.head(figure, title, f"{style.plain(facts['about'])}\n{_counts(study)}")
    return figure


def _counts(study: StudyContents) -> str:
    if study.form == "draws":
        return f"{study.attributes['activation_regions']:,.5g} activation regions on average"
    if study.form == "levels":
        return "breakpoints across the borders of cells, by level"
    if study.form == "distances":
        return "density of boundaries by distance to the cells"
    if study.form == "training":
        return "linear regions through training"
    regions, pieces = (
        int(study.attributes[key]) for key in ("activation_regions", "linear_pieces")
    )
    return f"{regions:,} activation regions, {pieces:,} linear pieces"


def _draw_plane(study: StudyContents, size: style.Inches | None) -> Figure:
    arrays = study.arrays
    counts, vertices = arrays["corner_count"], arrays["vertices"]
    if len(counts) > MOST_REGIONS:
        raise UsageError(
            f"{len(counts):,} regions are too many to draw; accepted: at most {MOST_REGIONS:,} "
            "(count in a smaller --window)"
        )
    region = np.repeat(np.arange(len(counts)), counts)
    places = vertices[arrays["corners"]]
    f = (places * arrays["gradient"][region]).sum(1) + arrays["offset"][region]
    starts = np.concatenate(([0], np.cumsum(counts)))
    figure = style.new_figure((5.6, 5.0), size)
    axes = figure.add_subplot()
    mean = np.add.reduceat(f, starts[:-1]) / counts
    limit = float(min(2.0, max(np.abs(f).max(), 1e-6)))
    many = len(counts) > 3000
    polygons = PolyCollection(
        [places[a:b] for a, b in pairwise(starts)],
        array=mean,
        cmap=style.DIVERGING,
        clim=(-limit, limit),
        edgecolor=EDGE,
        rasterized=many,
        linewidth=float(np.clip(20 / np.sqrt(len(counts)), 0.15, 0.5)),
    )
    axes.add_collection(polygons)
    handles: list[Any] = [
        Line2D([], [], color=EDGE, linewidth=0.5, label="boundaries of activation regions")
    ]
    boundary = _zero_lines(places, f, starts)
    if len(boundary):
        axes.add_collection(
            LineCollection(list(boundary), colors="#000000", linewidths=1.3, capstyle="round")
        )
        handles.append(Line2D([], [], color="#000000", linewidth=1.3, label="$f(x) = 0$"))
    low1, high1, low2, high2 = _numbers(study, "window")
    handles += _cells(axes, study, high1 - low1)
    axes.set(xlim=(low1, high1), ylim=(low2, high2), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    axes.grid(False)
    figure.colorbar(
        polygons,
        ax=axes,
        label="mean of $f(x)$ at the region's corners",
        shrink=0.85,
        extend="both" if np.abs(mean).max() > limit else "neither",
    )
    style.legend_below(figure, handles)
    return figure


def _zero_lines(places: NDArray[Any], f: NDArray[Any], starts: NDArray[Any]) -> NDArray[Any]:
    """Where f = 0 runs through regions: (lines, 2, 2). ``starts``: where each region's corners
    begin."""
    following = np.arange(1, len(f) + 1)
    following[starts[1:] - 1] = starts[:-1]
    here, there = f, f[following]
    crossing = np.flatnonzero((here > 0) != (there > 0))
    share = (here[crossing] / (here[crossing] - there[crossing]))[:, None]
    points = places[crossing] + share * (places[following[crossing]] - places[crossing])
    return np.asarray(
        points.reshape(-1, 2, 2)
    )  # a convex polygon has none or two, one after the other


def _cells(axes: Axes, study: StudyContents, width: float) -> list[Patch]:
    """Outlines of the fractal's cells, where the file knows a fractal of the plane."""
    fractal, depth = _fractal(study)
    if fractal is None or fractal.dimension != 2 or not depth:
        return []
    depth = drawable_depth(fractal, depth)
    cells = corners(fractal, depth)
    cell = float(np.ptp(cells[0], axis=0).max()) / width
    outline: dict[str, Any] = {"facecolor": "none", "edgecolor": CELL, "linestyle": (0, (2.5, 1.5))}
    width = float(np.clip(40 * cell, 0.25, 0.9))
    axes.add_collection(PolyCollection(list(cells), linewidth=width, **outline), autolim=False)
    return [Patch(linewidth=0.8, label=f"cells of $K_{{{depth}}}$", **outline)]


def _fractal(study: StudyContents) -> tuple[Fractal | None, int]:
    if "fractal_definition" not in study.attributes:
        return None, 0
    definition = json.loads(str(study.attributes["fractal_definition"]))
    return Fractal.from_dict(definition), int(study.attributes["fractal_depth"])


def _numbers(study: StudyContents, key: str) -> list[float]:
    return [float(part) for part in str(study.attributes[key]).split(",")]


def _draw_segment(study: StudyContents, size: style.Inches | None) -> Figure:
    arrays = study.arrays
    t, slope, offset = arrays["end"], arrays["slope"], arrays["offset"]
    f = np.append(slope * t[:-1] + offset, slope[-1] + offset[-1])
    start, stop = arrays["start"][0], arrays["stop"][0]
    line = len(start) == 1
    x = start[0] + t * (stop[0] - start[0]) if line else t * float(norms(stop - start))
    note = "Below: breakpoints by the layer of the unit that switches."
    narrow = style.is_narrow(size)
    figure, body = style.page((3.4, 2.6) if narrow else (6.4, 3.6), size, [note])
    axes, ticks = body.subplots(2, 1, sharex=True, height_ratios=(3, 1) if narrow else (4, 1))
    fractal, depth = _fractal(study)
    if line and fractal is not None and fractal.dimension == 1 and depth:
        depth = drawable_depth(fractal, depth)
        ends = np.sort(corners(fractal, depth)[:, :, 0], axis=1)
        axes.broken_barh(
            [(float(a), float(b - a)) for a, b in ends],
            (0, 1),
            transform=axes.get_xaxis_transform(),
            facecolor="#BFD9EA",
            edgecolor="none",
            linewidth=0,
            label=f"cells of $K_{{{depth}}}$",
        )
    axes.axhline(0.0, color="#000000", linewidth=0.8)
    axes.plot(x, f, color=style.colour(1), linewidth=1.1, label="$f(x)$")
    # none, at both ends, is 0; in files of version 0.1.0, which count layers from 0, it is -1
    layers = arrays["crossed_layer"] - arrays["crossed_layer"].min(initial=0)
    if len(f) <= 400:
        axes.plot(x[1:-1], f[1:-1], ".", color="#202020", markersize=3.0, label="breakpoints")
    count = int(layers.max())
    for layer in range(1, count + 1):
        ticks.eventplot(
            x[layers == layer],
            lineoffsets=layer,
            linelengths=0.8,
            linewidths=0.6,
            colors=[style.shade(layer - 1, count)],
            rasterized=len(x) > 5000,
        )
    ticks.set_ylim(count + 0.6 if count else 1, 0.4)
    style.ticks_at(ticks, [float(layer) for layer in range(1, count + 1)], "y")
    ticks.set_ylabel("layer")
    axes.set_ylabel("$f(x)$")
    ticks.set_xlabel("$x$" if line else "distance along the segment")
    ticks.set_xlim(x[0], x[-1])
    for panel in (axes, ticks):
        panel.grid(False)
    axes.legend(loc="best")
    return figure


def _draw_lines(study: StudyContents, size: style.Inches | None) -> Figure:
    arrays = study.arrays
    lengths = norms(arrays["stop"] - arrays["start"], axis=1)
    breakpoints = arrays["segment_regions"] - 1
    figure = style.new_figure((3.4, 4.8) if style.is_narrow(size) else (6.6, 3.2), size)
    left, right = figure.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
    many = len(lengths) > 5000
    left.plot(
        lengths,
        breakpoints,
        ".",
        color=style.colour(0),
        markersize=2.0 if many else 4.0,
        alpha=float(np.clip(600 / len(lengths), 0.03, 0.8)),
        rasterized=many,
        markeredgewidth=0,
    )
    rate = float(study.attributes["average_case_breakpoints_per_length"])
    reach = float(lengths.max())
    left.plot(
        [0, reach], [0, rate * reach], color=style.colour(1), label=f"{rate:.4g} per unit length"
    )
    left.set(xlabel="length of the segment", ylabel="breakpoints", xlim=(0, None), ylim=(0, None))
    left.legend(loc="upper left")
    _distance_histogram(right, study)
    return figure


def _draw_box(study: StudyContents, size: style.Inches | None) -> Figure:
    """Volumes of the regions, as shares of the box, beside distances."""
    volume = study.arrays["volume"]
    share = volume[volume > 0] / volume.sum()
    figure = style.new_figure((3.4, 4.8) if style.is_narrow(size) else (6.6, 3.2), size)
    left, right = figure.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
    low, high = np.log10(np.quantile(share, [0.002, 1.0]))
    left.hist(
        share,
        bins=np.logspace(low, high + 1e-9, 41).tolist(),
        color=style.colour(0),
        edgecolor="white",
        linewidth=0.3,
    )
    left.set_xscale("log")
    mean = 1 / len(volume)
    left.axvline(mean, color=style.colour(1), label=f"mean {mean:.2g}")
    left.legend(loc="upper left")
    left.set(xlabel="volume of a region / the box's", ylabel="regions")
    _distance_histogram(right, study)
    return figure


def _distance_histogram(axes: Axes, study: StudyContents) -> None:
    scaled = study.arrays["distance"] * float(study.attributes["neurons"])
    scaled = scaled[np.isfinite(scaled)]
    most = float(np.quantile(scaled, 0.98)) if len(scaled) else 1.0
    axes.hist(
        scaled,
        bins=np.linspace(0, most, 41).tolist(),
        color=style.colour(0),
        edgecolor="white",
        linewidth=0.3,
    )
    if len(scaled):
        axes.axvline(float(scaled.mean()), color=style.colour(1), label=f"mean {scaled.mean():.3g}")
        axes.legend()
    axes.set(xlabel="distance to a boundary × $N$ neurons", ylabel="random points")


def _draw_training(study: StudyContents, size: style.Inches | None) -> Figure:
    arrays = study.arrays
    figure = style.new_figure((5.4, 3.6), size)
    axes = figure.add_subplot()
    steps = arrays["snapshot"]
    for index, (name, label) in enumerate(
        (("activation_regions", "activation regions"), ("linear_pieces", "linear pieces"))
    ):
        axes.plot(steps, arrays[name], label=label, **style.look(index))
    axes.set(xlabel="step", ylabel="number", ylim=(0, None))
    if np.isfinite(arrays["test_accuracy"]).any():
        other = axes.twinx()
        other.plot(
            steps, arrays["test_accuracy"], color="#707070", linestyle=":", label="test accuracy"
        )
        other.set(ylabel="test accuracy", ylim=(0.5, 1.0))
        other.grid(False)
        other.spines["right"].set_visible(True)
    style.legend_below(figure)
    return figure


_PAINTERS = {
    "draws": draw_draws,
    "levels": draw_levels,
    "distances": draw_distances,
    "training": _draw_training,
    "plane": _draw_plane,
    "box": _draw_box,
    "segment": _draw_segment,
    "lines": _draw_lines,
}
