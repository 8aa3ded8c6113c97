"""The figure ``depth-width``: best test accuracy against width, one line per depth of the network;
of real labels the relative error in its place."""

from collections.abc import ItemsView
from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from fracsim.data.errors import FileError
from fracsim.figures import paper, style
from fracsim.figures.collect import describe, heading, panels, real_labels
from fracsim.problems.registry import DESCRIBED
from fracsim.products.entries import Entry, distinct, group, varied
from fracsim.products.runs import Runs
from fracsim.products.selection import Point, best_choice

INSIDE = ("network_depth", "width", "learning_rate", "seed")
"""What one panel shows; every other setting that varies makes panels."""


def draw(runs: Runs, title: str | None = None, size: style.Inches | None = None) -> Figure:
    """Best test accuracy (the maximum over records) against width, a line per depth.

    Of real labels it is the least relative error, √(1 - R²), on a logarithmic axis. Where each
    depth has a width of its own, as in networks of equal size, the axis is the depth. Where
    several learning rates were trained, each point is the rate with the highest mean over
    seeds; the band spans the seeds at that rate. On the paper's distribution the paper's points are
    laid over.

    Args:
        runs: as :func:`fracsim.products.runs.load_runs` gives them.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: depth and width are the same in all runs, while the curve varies.
        UsageError: more combinations of other settings than panels fit, or labels of two kinds.
    """
    keys = varied(runs.entries, without=("learning_rate", "seed"))
    real = real_labels(runs)
    if "curve" in keys and not {"network_depth", "width"} & set(keys):
        raise FileError(
            "depth-width: depth and width are the same in all runs, the curve varies: use "
            "curve-accuracy"
        )
    parts = panels(runs, INSIDE)
    figure, body, grid = panel_grid(len(parts), size, [_how(runs.entries), *runs.caveats])
    depths = distinct(runs.entries, "network_depth")
    along_depth = _widths_of_depths(runs.entries)
    papers = False
    for axes, entries in zip(grid, parts.values(), strict=False):
        if along_depth:
            _draw_along_depth(axes, entries, along_depth, runs.notes)
        else:
            papers |= _draw_panel(axes, entries, depths, runs.notes)
        axes.set_ylabel("relative error (rms / sd)" if real else "best test accuracy")
        if real:
            style.log_axis(axes, [entry.best() for entry in runs.entries])
        axes.label_outer(remove_inner_ticks=False)
    headings = [heading(runs, INSIDE, entries) for entries in parts.values()]
    what = "Relative test error" if real else "Best test accuracy"
    against = "depth, at equal size" if along_depth else "width"
    title_panels(body, grid, headings, f"{what} against {against}", title)
    if not along_depth:
        _legend(body, depths, papers, real)
    return figure


def _widths_of_depths(entries: list[Entry]) -> dict[int, int]:
    """Depth -> width where each depth has one width, and not all the same; else nothing."""
    widths = {depth: distinct(runs, "width") for (depth,), runs in _by_depth(entries)}
    if all(len(found) == 1 for found in widths.values()):
        of_depth = {depth: found[0] for depth, found in widths.items()}
        if len(set(of_depth.values())) > 1:
            return of_depth
    return {}


def _by_depth(entries: list[Entry]) -> ItemsView[tuple[Any, ...], list[Entry]]:
    return group(entries, ["network_depth"]).items()


def panel_grid(
    count: int, size: style.Inches | None, notes: list[str]
) -> tuple[Figure, SubFigure, list[Axes]]:
    """A figure with ``count`` panels that share their accuracy axis, room for a legend at the
    right, notes below."""
    columns = {1: 1, 2: 2, 4: 2}.get(count, 3)
    rows = ceil(count / columns)
    width, height = 4.0 if columns == 1 else 2.9, 3.1 if rows == 1 else 2.6
    figure, body = style.page((1.7 + width * columns, 0.6 + height * rows), size, notes)
    grid = list(body.subplots(rows, columns, squeeze=False, sharey=True).ravel())
    for axes in grid[count:]:
        axes.set_axis_off()
    return figure, body, grid[:count]


def title_panels(
    body: SubFigure, grid: list[Axes], headings: list[str], own: str, title: str | None
) -> None:
    """What a figure shows: above a single panel, or above all with each panel's part over it."""
    if len(grid) == 1:
        grid[0].set_title(title or f"{own}\n{headings[0]}")
        return
    body.suptitle(title or own)
    for axes, text in zip(grid, headings, strict=True):
        axes.set_title(text)


def _draw_panel(axes: Axes, entries: list[Entry], depths: list[int], notes: list[str]) -> bool:
    """One distribution; adds the chosen rates to ``notes``, returns whether the paper's points were
    drawn."""
    equal = entries[0].settings["widths"] == "equal"  # the paper has no others
    theirs = paper.depth_width_table() if equal and paper.is_papers(entries[0]) else {}
    widths: set[int] = set()
    for (depth,), line in _by_depth(entries):
        look = style.look(depths.index(depth))
        points: dict[int, Point] = {
            width: best_choice(runs, ["learning_rate"])
            for (width,), runs in group(line, ["width"]).items()
        }
        draw_line(axes, points, look)
        if theirs.get(depth):
            axes.plot(list(theirs[depth]), list(theirs[depth].values()), **hollow(look))
        widths |= points.keys() | theirs.get(depth, {}).keys()
        if len(distinct(line, "learning_rate")) > 1:
            where = describe(entries[0].settings).replace("$", "")
            notes.append(f"{where}, depth {depth}: the best learning rate is {_rates(points)}")
    axes.set_xscale("log")
    style.ticks_at(axes, [float(width) for width in sorted(widths)])
    axes.set_xlabel("width $k$")
    return bool(theirs.keys() & set(depths))


def _draw_along_depth(
    axes: Axes, entries: list[Entry], widths: dict[int, int], notes: list[str]
) -> None:
    """One problem, networks of equal size: a point per depth, whose width is written under it."""
    points: dict[int, Point] = {}
    for (depth,), runs in _by_depth(entries):
        points[depth] = best_choice(runs, ["learning_rate"])
        if len(distinct(runs, "learning_rate")) > 1:
            where = describe(entries[0].settings).replace("$", "")
            notes.append(
                f"{where}, depth {depth}: the best learning rate is {points[depth].chosen[0]:g}"
            )
    draw_line(axes, points, style.look(0))
    axes.set_xticks(list(widths), [f"{depth}\n$k={width}$" for depth, width in widths.items()])
    axes.set_xlabel("hidden layers $T$, each of width $k$")


def draw_line(axes: Axes, points: dict[int, Point], look: dict[str, Any]) -> None:
    """A line through the means, and the span of the seeds: a band, or a bar where a single point
    has no area."""
    x = list(points)
    axes.plot(x, [best.mean for best in points.values()], zorder=3, **look)
    least, greatest = (
        [best.least for best in points.values()],
        [best.greatest for best in points.values()],
    )
    if least == greatest:
        return
    if len(x) > 1:
        axes.fill_between(
            x, least, greatest, color=look["color"], alpha=0.18, linewidth=0, zorder=1
        )
    axes.vlines(x, least, greatest, color=look["color"], linewidth=0.8, zorder=2)


def hollow(look: dict[str, Any]) -> dict[str, Any]:
    """The paper's points: the same marker as ours, larger, hollow, without a line."""
    return {
        "color": look["color"],
        "marker": look["marker"],
        "linestyle": "none",
        "markerfacecolor": "none",
        "markersize": 7.5,
        "markeredgewidth": 1.0,
        "zorder": 4,
    }


def _rates(points: dict[int, Point]) -> str:
    """``0.001 at width 10, 20; 0.005 at width 50``."""
    widths: dict[float, list[str]] = {}
    for width, best in points.items():
        widths.setdefault(best.chosen[0], []).append(str(width))
    return "; ".join(
        f"{rate:g} at width {', '.join(where)}" for rate, where in sorted(widths.items())
    )


def _legend(body: SubFigure, depths: list[int], papers: bool, real: bool) -> None:
    handles = [
        Line2D([], [], label=f"depth {depth}", **style.look(i)) for i, depth in enumerate(depths)
    ]
    if not real:
        handles.reverse()  # deep above shallow, as the lines lie
    if papers:
        handles.append(
            Line2D(
                [],
                [],
                label=f"hollow: {paper.SOURCE}",
                **hollow({"color": "#404040", "marker": "o"}),
            )
        )
    body.legend(handles=handles, loc="outside right upper", handlelength=2.8)


def _how(entries: list[Entry]) -> str:
    rates = distinct(entries, "learning_rate")
    point = (*DESCRIBED, "network_depth", "width", "learning_rate")
    counts = sorted({len(distinct(runs, "seed")) for runs in group(entries, point).values()})
    text = "Best: the maximum over the recorded steps"
    if entries[0].real:
        text = (
            "Root mean square error over the standard deviation of the labels, √(1 - R²); the "
            "least over the recorded steps"
        )
    if len(rates) > 1:
        text += (
            f"; learning rate: for each point the best of "
            f"{', '.join(f'{rate:g}' for rate in rates)}"
        )
        text += " by the mean over seeds" if counts[-1] > 1 else ""
    else:
        text += f"; learning rate {rates[0]:g}"
    if counts[-1] == 1:
        return f"{text}; one seed."
    return (
        f"{text}; mean and span of {' to '.join(map(str, sorted({counts[0], counts[-1]})))} seeds."
    )
