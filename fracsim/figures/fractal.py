"""The figure ``fractal``: the sets K_0 ⊃ K_1 ⊃ … ⊃ K_n, and a labelled sample of the
distribution."""

from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.curves import curve_label
from fracsim.fractals.distribution import Distribution, Sample
from fracsim.fractals.fractal import Fractal

MOST_CELLS = 20_000
"""More cells than this are smaller than a printed dot, and make vector files nobody can open."""

MOST_POINTS = 1_000_000

CELL = "#5A5A5A"


def draw(
    distribution: Distribution,
    count: int = 2000,
    seed: int = 0,
    title: str | None = None,
    size: style.Inches | None = None,
) -> Figure:
    """K_0..K_n and ``count`` labelled points; d = 1 as stacked bars, d = 2 as polygons.

    Args:
        distribution: on a fractal with d = 1 or 2.
        count: points of the sample.
        seed: of the sample.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        UsageError: d > 2, or too many cells or points to draw.
    """
    fractal, n = distribution.fractal, distribution.fractal_depth
    check_drawable(fractal, n)
    if count > MOST_POINTS:
        raise UsageError(
            f"--count {count}: a figure of so many points shows nothing; accepted: at most "
            f"{MOST_POINTS}"
        )
    sample = distribution.sample(count, seed)
    title = title or f"{fractal.name}, fractal depth $n = {n}$"
    about = f"{count:,} points, curve {curve_label(distribution.curve.name)}"
    painter = _draw_line if fractal.dimension == 1 else _draw_plane
    return painter(fractal, n, sample, title, about, size)


def check_drawable(fractal: Fractal, fractal_depth: int) -> None:
    """Raise UsageError unless the sets K_0..K_n can be drawn."""
    check_dimension(fractal)
    deepest = drawable_depth(fractal, fractal_depth)
    if deepest < fractal_depth:
        raise UsageError(
            f"--fractal-depth {fractal_depth}: K_{fractal_depth} of {fractal.name} has "
            f"{fractal.maps}^{fractal_depth} cells, too fine to draw; accepted: at most {deepest}"
        )


def check_dimension(fractal: Fractal) -> None:
    """Raise UsageError unless d = 1 or 2."""
    if fractal.dimension > 2:
        raise UsageError(
            f"{fractal.name} lies in {fractal.dimension} dimensions; only fractals in 1 or 2 "
            f"dimensions can be drawn"
        )


def drawable_depth(fractal: Fractal, fractal_depth: int) -> int:
    """The largest m ≤ ``fractal_depth`` whose r^m cells can be drawn."""
    depth = fractal_depth
    while fractal.maps**depth > MOST_CELLS:
        depth -= 1
    return depth


def corners(fractal: Fractal, level: int) -> NDArray[np.float64]:
    """Corners of all cells of K_level, in order around each cell: (r^level, 2^d, d), d = 1 or 2."""
    low = fractal.geometry().low
    if fractal.dimension == 1:
        base = np.array([[low], [1.0]])
    else:
        base = np.array([[low, low], [1.0, low], [1.0, 1.0], [low, 1.0]])
    matrices, offsets = fractal.cells(level)
    return np.asarray(np.einsum("cij,pj->cpi", matrices, base) + offsets[:, None, :])


def add_cells(axes: Axes, fractal: Fractal, level: int, **properties: object) -> PolyCollection:
    """Draw the cells of K_level as polygons (d = 2); the properties go to the collection."""
    cells = PolyCollection(corners(fractal, level), **properties)  # type: ignore[arg-type]
    axes.add_collection(cells, autolim=False)
    return cells


def frame_plane(axes: Axes, low: float) -> None:
    """The base square with a little air, equal scales, ticks at its ends and centre."""
    air = 0.03 * (1.0 - low)
    axes.set(xlim=(low - air, 1.0 + air), ylim=(low - air, 1.0 + air), aspect="equal")
    axes.grid(False)
    ticks = [low, (low + 1.0) / 2, 1.0]
    style.ticks_at(axes, ticks, "x")
    style.ticks_at(axes, ticks, "y")


def _draw_plane(
    fractal: Fractal,
    n: int,
    sample: Sample,
    title: str,
    about_sample: str,
    size: style.Inches | None,
) -> Figure:
    low = fractal.geometry().low
    rows = 1 if n == 0 else 2
    columns = ceil((n + 1) / rows)
    side = 1.3
    figure = style.new_figure((side * (columns + rows) + 0.9, side * rows + 1.0), size)
    parts: Any = figure.subfigures(1, 2, width_ratios=(columns, rows + 0.35))
    sets, points = parts
    panels = sets.subplots(rows, columns, squeeze=False).ravel()
    for level, axes in enumerate(panels):
        if level > n:
            axes.set_axis_off()
            continue
        add_cells(
            axes,
            fractal,
            level,
            facecolor=CELL,
            edgecolor="none",
            rasterized=fractal.maps**level > 5000,
        )
        frame_plane(axes, low)
        axes.tick_params(bottom=False, left=False, labelbottom=False, labelleft=False)
        for spine in axes.spines.values():
            spine.set(visible=True, linewidth=0.4, color="#9A9A9A")
        axes.set_title(f"$K_{{{level}}}$")
    axes = points.subplots()
    frame_plane(axes, low)
    area = float(np.clip(4000.0 / len(sample.x), 0.5, 12.0))
    many = len(sample.x) > 20_000
    for label, marker, colour in ((-1, "x", style.NEGATIVE), (1, "o", style.POSITIVE)):
        chosen = sample.x[sample.y == label]
        edge: dict[str, Any] = {"linewidths": 0.6} if marker == "x" else {"edgecolors": "none"}
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=area,
            c=colour,
            marker=marker,
            rasterized=many,
            label=f"$y = {label:+d}$",
            **edge,
        )
    axes.set_xlabel("$x_1$")
    axes.set_ylabel("$x_2$")
    axes.set_title(f"Sample ({about_sample})")
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=2,
        markerscale=max(1.0, 3.3 / area**0.5),
        borderpad=0.4,
    )
    figure.suptitle(title)
    return figure


def _draw_line(
    fractal: Fractal,
    n: int,
    sample: Sample,
    title: str,
    about_sample: str,
    size: style.Inches | None,
) -> Figure:
    low = fractal.geometry().low
    figure = style.new_figure((6.4, 0.3 * (n + 1) + 2.3), size)
    bars, points = figure.subplots(2, 1, sharex=True, height_ratios=(max(n + 1, 3), 2.5))
    for level in range(n + 1):
        ends = np.sort(corners(fractal, level)[:, :, 0], axis=1)
        spans = [(float(a), float(b - a)) for a, b in ends]
        bars.broken_barh(spans, (level - 0.35, 0.7), facecolor=CELL, edgecolor="none", linewidth=0)
    bars.set_ylim(n + 0.6, -0.6)
    bars.set_yticks(range(n + 1), [f"$K_{{{level}}}$" for level in range(n + 1)])
    bars.tick_params(axis="y", length=0)
    bars.grid(False)
    for axes in (bars, points):
        axes.spines["left"].set_visible(False)
    bars.set_title(title)
    for row, (label, colour) in enumerate(((1, style.POSITIVE), (-1, style.NEGATIVE))):
        points.eventplot(
            sample.x[sample.y == label, 0],
            lineoffsets=row,
            linelengths=0.7,
            linewidths=0.3,
            colors=[colour],
            rasterized=len(sample.x) > 20_000,
        )
    points.set_yticks([0, 1], ["$y = +1$", "$y = -1$"])
    points.tick_params(axis="y", length=0)
    points.set_ylim(1.6, -0.6)
    points.grid(False)
    points.set_xlabel("$x$")
    points.set_xlim(low - 0.02 * (1 - low), 1.0 + 0.02 * (1 - low))
    points.set_title(f"Sample ({about_sample})")
    return figure
