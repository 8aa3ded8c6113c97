"""The figure ``depth-width``: best test accuracy against width, one line per depth of the network;
of real labels the relative error in its place."""

from collections.abc import ItemsView
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from fracsim.data.errors import FileError
from fracsim.figures import paper, style
from fracsim.figures.collect import caveats_of, describe, heading, panels, real_labels, steps_text
from fracsim.problems.registry import DESCRIBED
from fracsim.products.entries import Entry, distinct, group, varied
from fracsim.products.runs import Runs
from fracsim.products.selection import Point, best_choice

INSIDE = ("network_depth", "width", "learning_rate", "seed")
"""What one panel shows; every other setting that varies makes panels."""


def draw(
    runs: Runs,
    title: str | None = None,
    size: style.Inches | None = None,
    papers: bool = True,
) -> Figure:
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
        papers: whether the paper's points are laid over ours on its distribution.

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
    along_depth = _widths_of_depths(runs.entries)
    looks = looks_of(distinct(runs.entries, "network_depth"))
    tables = {paper.table_of(part[0]) for part in parts.values() if _papers_points(part)}
    shown = sorted(tables) if papers and not along_depth else []
    notes = [_how(runs.entries), *map(paper.protocol, shown)]
    handles = [] if along_depth else _handles(looks, shown, real)
    figure, body, grid = panel_grid(len(parts), size, [*notes, *caveats_of(runs)], handles)
    for axes, entries in zip(grid, parts.values(), strict=True):
        if along_depth:
            _draw_along_depth(axes, entries, along_depth, runs.notes)
        else:
            _draw_panel(axes, entries, looks, runs.notes)
            if shown:
                _draw_papers(axes, entries, looks)
        axes.set_ylabel("relative error (rms / sd)" if real else "best test accuracy")
        if real:
            style.log_axis(axes, [entry.best() for entry in runs.entries])
    style.outer_labels(grid)
    headings = [heading(runs, INSIDE, entries) for entries in parts.values()]
    what = "Relative test error" if real else "Best test accuracy"
    against = "depth, at equal size" if along_depth else "width"
    title_panels(body, grid, headings, f"{what} against {against}", title)
    return figure


def looks_of(depths: list[int]) -> dict[int, dict[str, Any]]:
    """Depth -> its look, the same in every figure."""
    return {depth: style.look(place) for depth, place in style.places(depths).items()}


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
    count: int, size: style.Inches | None, notes: list[str], handles: list[Line2D]
) -> tuple[Figure, SubFigure, list[Axes]]:
    """A figure with ``count`` panels that share their accuracy axis, legend and notes below."""
    rows, columns = style.arrange(count, size, {1: 1, 2: 2, 4: 2}.get(count, 3))
    width, height = 5.2 if columns == 1 else 3.2, 3.1 if rows == 1 else 2.5
    if style.is_narrow(size):
        width, height = 3.4 / columns, 2.3 if rows == 1 else 1.9
    own = (width * columns, 0.4 + height * rows)
    figure, body = style.page(own, size, notes, handles)
    grid = list(body.subplots(rows, columns, squeeze=False, sharey=True).ravel())
    for axes in grid[count:]:
        axes.remove()
    return figure, body, grid[:count]


def title_panels(
    body: SubFigure, grid: list[Axes], headings: list[str], own: str, title: str | None
) -> None:
    """What a figure shows: above a single panel, or above all with each panel's part over it."""
    if len(grid) == 1:
        style.head(body, title, f"{own}\n{headings[0]}")
        return
    style.head(body, title, own)
    for axes, text in zip(grid, headings, strict=True):
        style.panel_head(axes, text)


def _draw_panel(
    axes: Axes, entries: list[Entry], looks: dict[int, dict[str, Any]], notes: list[str]
) -> None:
    """One distribution; adds the chosen rates to ``notes``."""
    for (depth,), line in _by_depth(entries):
        points: dict[int, Point] = {
            width: best_choice(runs, ["learning_rate"])
            for (width,), runs in group(line, ["width"]).items()
        }
        draw_line(axes, points, looks[depth])
        if len(distinct(line, "learning_rate")) > 1:
            where = describe(entries[0].settings).replace("$", "")
            notes.append(f"{where}, depth {depth}: the best learning rate is {_rates(points)}")
    axes.set_xscale("log")
    style.ticks_at(axes, [float(width) for width in distinct(entries, "width")])
    axes.set_xlabel("width $k$")


def _papers_points(entries: list[Entry]) -> dict[int, dict[int, float]]:
    """Depth -> width -> the paper's accuracy, where these runs are of its distribution."""
    # the paper has no networks of unequal layers
    table = paper.table_of(entries[0])
    if entries[0].settings["widths"] != "equal" or not table:
        return {}
    depths = distinct(entries, "network_depth")
    return {depth: row for depth, row in paper.depth_width_table(table).items() if depth in depths}


def _draw_papers(axes: Axes, entries: list[Entry], looks: dict[int, dict[str, Any]]) -> None:
    theirs = _papers_points(entries)
    for depth, row in theirs.items():
        axes.plot(list(row), list(row.values()), **hollow(looks[depth]))
    widths = {*distinct(entries, "width"), *(width for row in theirs.values() for width in row)}
    style.ticks_at(axes, [float(width) for width in sorted(widths)])


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


def _handles(looks: dict[int, dict[str, Any]], papers: list[str], real: bool) -> list[Line2D]:
    handles = [Line2D([], [], label=f"depth {depth}", **look) for depth, look in looks.items()]
    if not real:
        handles.reverse()  # deep above shallow, as the lines lie
    if papers:
        look = hollow({"color": "#404040", "marker": "o"})
        label = " or ".join(map(paper.source_of, papers))
        handles.append(Line2D([], [], label=f"hollow: {label}", **look))
    return handles


def _how(entries: list[Entry]) -> str:
    rates = distinct(entries, "learning_rate")
    point = (*DESCRIBED, "network_depth", "width", "learning_rate")
    counts = sorted({len(distinct(runs, "seed")) for runs in group(entries, point).values()})
    text = f"Best: the maximum over the recorded steps, up to {steps_text(entries)}"
    if entries[0].real:
        text = (
            "Root mean square error over the standard deviation of the labels, √(1 - R²); the "
            f"least over the recorded steps, up to {steps_text(entries)}"
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
