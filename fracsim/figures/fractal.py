"""The figure ``fractal``: the sets K_0 ⊃ K_1 ⊃ … ⊃ K_n, and a labelled sample of the
distribution."""

from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.figures import space, style
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
    """K_0..K_n and ``count`` labelled points; d = 1 as stacked bars, d = 2 as polygons, d = 3 as
    projected cells.

    Args:
        distribution: on a fractal with d = 1, 2 or 3.
        count: points of the sample.
        seed: of the sample.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        UsageError: d > 3, or too many cells or points to draw.
    """
    fractal, n = distribution.fractal, distribution.fractal_depth
    check_drawable(fractal, n)
    if count > MOST_POINTS:
        raise UsageError(
            f"--count {count}: a figure of so many points shows nothing; accepted: at most "
            f"{MOST_POINTS}"
        )
    sample = distribution.sample(count, seed)
    about = f"{count:,} points, curve {curve_label(distribution.curve.name)}"
    painter = _draw_line if fractal.dimension == 1 else _draw_sets
    figure = painter(fractal, n, sample, about, size)
    style.head(figure, title, f"{style.plain(fractal.name)}, fractal depth $n = {n}$")
    return figure


def check_drawable(fractal: Fractal, fractal_depth: int) -> None:
    """Raise UsageError unless the sets K_0..K_n can be drawn."""
    check_dimension(fractal, 3)
    deepest = drawable_depth(fractal, fractal_depth)
    if deepest < fractal_depth:
        raise UsageError(
            f"--fractal-depth {fractal_depth}: K_{fractal_depth} of {fractal.name} has "
            f"{fractal.maps}^{fractal_depth} cells, too fine to draw; accepted: at most {deepest}"
        )


def check_dimension(fractal: Fractal, most: int = 2) -> None:
    """Raise UsageError unless d is at most ``most``."""
    if fractal.dimension > most:
        raise UsageError(
            f"{fractal.name} lies in {fractal.dimension} dimensions; only fractals in at most "
            f"{most} dimensions can be drawn"
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


def _draw_sets(
    fractal: Fractal, n: int, sample: Sample, about_sample: str, size: style.Inches | None
) -> Figure:
    """Two or three dimensions: a panel for each set, and a larger one for the sample."""
    flat = fractal.dimension == 2
    narrow = style.is_narrow(size)
    rows = 1 if n == 0 else ceil((n + 1) / 3) if narrow else 2
    columns = ceil((n + 1) / rows)
    side = 1.3
    own = (3.4, 1.15 * rows + 3.0) if narrow else (side * (columns + rows) + 0.9, side * rows + 0.8)
    figure, body = style.page(own, size, (), _labels())
    if narrow:
        parts: Any = body.subfigures(2, 1, height_ratios=(1.15 * rows, 3.0))
    else:
        parts = body.subfigures(1, 2, width_ratios=(columns, rows + 0.35))
    sets, points = parts
    for level, axes in enumerate(sets.subplots(rows, columns, squeeze=False).ravel()):
        if level > n:
            axes.set_axis_off()
        elif flat:
            _draw_level(axes, fractal, level)
        else:
            many = fractal.maps**level > 1000
            space.add_cells(axes, fractal, level, edgecolor="none", rasterized=many)
            space.frame(axes, fractal.geometry().low)
        axes.set_title(f"$K_{{{level}}}$" if level <= n else "")
    axes = points.subplots()
    if flat:
        frame_plane(axes, fractal.geometry().low)
        axes.set(xlabel="$x_1$", ylabel="$x_2$")
    else:
        space.frame(axes, fractal.geometry().low)
    _scatter(axes, sample.x if flat else space.project(sample.x), sample.y)
    style.panel_head(axes, f"Sample ({about_sample})")
    return figure


def _draw_level(axes: Axes, fractal: Fractal, level: int) -> None:
    look: dict[str, Any] = {"facecolor": CELL, "edgecolor": "none"}
    add_cells(axes, fractal, level, rasterized=fractal.maps**level > 5000, **look)
    frame_plane(axes, fractal.geometry().low)
    axes.tick_params(bottom=False, left=False, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.4, color="#9A9A9A")


_LABELS = ((-1, "x", style.NEGATIVE), (1, "o", style.POSITIVE))


def _labels() -> list[Line2D]:
    look: dict[str, Any] = {"linestyle": "none", "markersize": 4}
    return [
        Line2D([], [], color=colour, marker=marker, label=f"$y = {label:+d}$", **look)
        for label, marker, colour in _LABELS
    ]


def _scatter(axes: Axes, places: NDArray[np.float64], y: NDArray[Any]) -> None:
    """Points (N, 2) by their labels."""
    area = float(np.clip(4000.0 / len(places), 0.5, 12.0))
    for label, marker, colour in _LABELS:
        chosen = places[y == label]
        edge: dict[str, Any] = {"linewidths": 0.6} if marker == "x" else {"edgecolors": "none"}
        many = len(places) > 20_000
        look: dict[str, Any] = {"c": colour, "marker": marker, "rasterized": many, **edge}
        axes.scatter(chosen[:, 0], chosen[:, 1], s=area, clip_on=False, **look)


def _draw_line(
    fractal: Fractal, n: int, sample: Sample, about_sample: str, size: style.Inches | None
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
    style.panel_head(points, f"Sample ({about_sample})")
    return figure
