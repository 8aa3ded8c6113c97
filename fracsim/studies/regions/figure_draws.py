"""The figures of counts in many random networks, and by level of the fractal."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fracsim.data.studies import StudyContents
from fracsim.figures import style


def draw_draws(study: StudyContents, size: style.Inches | None) -> Figure:
    """Left: regions of the single networks, their mean and what is expected; right: switches by
    layer, or distances to the nearest boundary."""
    arrays, facts = study.arrays, study.attributes
    own = (3.4, 4.6) if style.is_narrow(size) else (6.8, 3.0)
    handles = [
        Line2D([], [], color=style.colour(1), label="mean"),
        Line2D([], [], color="#000000", linestyle=":", label="expected"),
    ]
    figure, body = style.page(own, size, [], handles)
    left, right = body.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
    _histogram(left, arrays["draw_regions"], facts.get("expected_regions"), "activation regions")
    if "switches" in arrays:
        _draw_switches(right, arrays)
    else:
        distances = arrays["draw_distance"]
        label = "mean distance to a boundary"
        _histogram(right, distances, facts.get("expected_distance"), label)
    return figure


def _histogram(axes: Axes, values: Any, expected: Any, label: str) -> None:
    axes.hist(values, bins="auto", color=style.colour(0), edgecolor="white", linewidth=0.3)
    axes.axvline(float(values.mean()), color=style.colour(1))
    if expected is not None:
        axes.axvline(float(expected), color="#000000", linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set(xlabel=label, ylabel="networks")


def _draw_switches(axes: Axes, arrays: dict[str, Any]) -> None:
    layer = arrays["layer"]
    error = 2 * np.nan_to_num(arrays["switches_error"])
    look = {**style.look(1), "linestyle": "-"}
    axes.errorbar(layer, arrays["switches"], yerr=error, **look)
    if "switches_expected" in arrays:
        axes.plot(layer, arrays["switches_expected"], color="#000000", linestyle=":", zorder=5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="hidden layer", ylabel="switches ± 2 standard errors", ylim=(0, None))


def draw_levels(study: StudyContents, size: style.Inches | None) -> Figure:
    """Breakpoints per unit length through training, a line for each level, and anywhere."""
    arrays = study.arrays
    steps, rates = arrays["snapshot"], arrays["rate_by_level"]
    levels = rates.shape[1]
    handles = [
        Line2D([], [], label=f"across borders, level {j}", **_look(j, levels))
        for j in range(levels)
    ]
    anywhere: dict[str, Any] = {"color": "#000000", "linestyle": ":"}
    handles.append(Line2D([], [], label="anywhere in the window", **anywhere))
    notes = [f"{int(study.attributes['lines']):,} segments each."]
    figure, body = style.page((5.4, 3.0), size, notes, handles)
    axes = body.subplots()
    if len(steps) > 1:
        for j in range(levels):
            axes.plot(steps, rates[:, j], **_look(j, levels))
        axes.plot(steps, arrays["rate"], **anywhere)
        axes.set(xlabel="step")
        axes.xaxis.set_major_locator(MaxNLocator(5))
    else:
        axes.plot(arrays["level"], rates[0], **style.look(0))
        axes.axhline(float(arrays["rate"][0]), **anywhere)
        axes.set(xlabel="level $j$ of the cells")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(ylabel="breakpoints per unit length", ylim=(0, None))
    return figure


def draw_distances(study: StudyContents, size: style.Inches | None) -> Figure:
    """Density of boundaries against the distance to the cells, a panel for each level: at the last
    snapshot and, dashed, at the first."""
    arrays = study.arrays
    distance, levels = arrays["nearness"], arrays["level"]
    shown = {int(step): row for row, step in enumerate(arrays["snapshot"])}
    steps = sorted({min(shown), max(shown)})
    looks = {steps[-1]: style.look(1) | {"linestyle": "-"}}
    if len(steps) > 1:
        looks[steps[0]] = style.look(0) | {"linestyle": "--"}
    handles = [Line2D([], [], label=f"step {step:,}", **looks[step]) for step in steps]
    anywhere: dict[str, Any] = {"linestyle": ":", "linewidth": 1.0, "zorder": 1}
    handles.append(Line2D([], [], color="#606060", label="anywhere", **anywhere))
    notes = [
        f"{int(study.attributes['lines']):,} short segments. Distance to the nearest border of a "
        "cell, in sides of a cell; left of 0: inside. Bars: two standard errors."
    ]
    rows, columns = style.arrange(len(levels), size, min(3, len(levels)))
    own = (3.4, 2.2 * rows) if style.is_narrow(size) else (2.4 * columns + 0.6, 2.3 * rows)
    figure, body = style.page(own, size, notes, handles)
    grid = body.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in grid[len(levels) :]:
        axes.remove()
    for column, (axes, level) in enumerate(zip(grid, levels, strict=False)):
        axes.axvspan(float(distance[0]), 0.0, color="#E8E8E8", linewidth=0, zorder=0)
        for step, look in looks.items():
            values = arrays["density_by_distance"][shown[step], column]
            error = 2 * np.nan_to_num(arrays["density_error"][shown[step], column])
            axes.errorbar(distance, values, yerr=error, **look)
            mean = float(arrays["density"][shown[step]])
            axes.axhline(mean, color=look["color"], **anywhere)
        style.panel_head(axes, f"cells of $K_{{{int(level)}}}$")
        axes.set(xlabel="distance / side", ylabel="boundaries per unit")
    style.outer_labels(grid[: len(levels)])
    grid[0].set_ylim(bottom=0)  # of all, which share it: after the last has been drawn
    return figure


def _look(level: int, levels: int) -> dict[str, Any]:
    return {
        "color": style.shade(level, levels),
        "marker": style.MARKERS[level % len(style.MARKERS)],
        "markersize": 3.5,
    }
