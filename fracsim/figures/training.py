"""The figure ``training``: loss, accuracy, accuracy by level and gradient norms against the
step."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fracsim.figures import style
from fracsim.figures.collect import Entry, Runs, describe, group, name_values, varied
from fracsim.figures.curves import level_ticks

MOST_LINES = 6

THIN: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (1, 1)), "zorder": 2}
"""The look of training, beside the bold lines of the test."""

Series = Callable[[Entry], NDArray[np.float64]]


def draw(runs: Runs, title: str | None = None, size: style.Inches | None = None) -> Figure:
    """Four panels: loss, accuracy, accuracy by level, gradient norm.

    Runs that differ in their seed only are one line, the mean, with a band from the least to the
    greatest. A single setting shows every level and every layer over the steps; several settings
    show each its accuracy by level at the last record and the norm of the whole gradient.

    Args:
        runs: as :func:`fracsim.figures.collect.load_runs` gives them.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: a file lacks a recorded variable.
    """
    keys = varied(runs.entries, without=("seed",))
    groups = group(runs.entries, keys)
    best = sorted(groups, key=lambda values: -max(entry.best() for entry in groups[values]))
    if len(groups) > MOST_LINES:
        runs.notes.append(
            f"{MOST_LINES} of {len(groups)} settings are drawn, the best by test accuracy; choose "
            f"others with --where"
        )
        groups = {
            values: entries for values, entries in groups.items() if values in best[:MOST_LINES]
        }
    lines = list(groups.values())
    figure, body = style.page((7.2, 5.2), size, _notes(lines, runs), _handles(keys, list(groups)))
    (loss, accuracy), (by_level, gradient) = panels = body.subplots(2, 2)
    _draw_over_steps(loss, lines, ("train_loss", "test_loss"))
    _draw_over_steps(accuracy, lines, ("train_accuracy", "test_accuracy"))
    if len(lines) == 1:
        n = lines[0][0].settings.get("fractal_depth")
        _draw_each(
            by_level,
            lines[0],
            "test_accuracy_by_level",
            lambda j: f"level {j}" + (" ($+$)" if j == n else ""),
        )
        _draw_each(gradient, lines[0], "gradient_norm", lambda layer: f"layer {layer + 1}")
    else:
        _draw_profiles(by_level, lines)
        for index, entries in enumerate(lines):
            band(gradient, entries, _whole_gradient, _look(index))
    loss.set(ylabel="loss", title="Loss")
    accuracy.set(ylabel="accuracy", title="Accuracy")
    by_level.set(ylabel="test accuracy", title="Test accuracy by level")
    gradient.set(ylabel="gradient norm ($L_2$)", title="Gradient of the test loss", yscale="log")
    for axes in panels.ravel():
        if axes is not by_level or len(lines) == 1:
            _step_axis(axes)
    body.suptitle(title or _title(runs, keys))
    return figure


def band(axes: Axes, entries: list[Entry], series: Series, look: dict) -> None:
    """The mean over runs against the step, with a band from the least to the greatest run.

    Runs that have not got as far (running or diverged) drop out where they end.
    """
    steps = np.unique(np.concatenate([entry.steps for entry in entries]))
    table = np.full((len(entries), len(steps)), np.nan)
    for row, entry in zip(table, entries, strict=True):
        row[np.searchsorted(steps, entry.steps)] = series(entry)
    there = np.isfinite(table).any(axis=0)
    steps, table = steps[there], table[:, there]
    axes.plot(steps, np.nanmean(table, axis=0), **look)
    if len(entries) > 1:
        axes.fill_between(
            steps,
            np.nanmin(table, axis=0),
            np.nanmax(table, axis=0),
            color=look["color"],
            alpha=0.15,
            linewidth=0,
        )


def _look(index: int, count: int = 12) -> dict:
    # A marker on each of a hundred records would hide the line: about a dozen, shifted from line to
    # line.
    return style.look(index) | {"markevery": (0.01 + 0.013 * index, 1.0 / count), "markersize": 4.5}


def _draw_over_steps(axes: Axes, lines: list[list[Entry]], names: tuple[str, str]) -> None:
    """Training thin and dotted, test bold: the same two styles in every panel."""
    train, test = names
    for index, entries in enumerate(lines):
        look = _look(index)
        band(axes, entries, lambda entry: entry.series(train), {"color": look["color"], **THIN})
        band(axes, entries, lambda entry: entry.series(test), look)


def _draw_each(axes: Axes, entries: list[Entry], name: str, label: Callable[[int], str]) -> None:
    """Every level, or every layer, of one setting; dark to light from the coarsest level, the first
    layer."""
    count = min(entry.series(name).shape[-1] for entry in entries)
    there = [
        c
        for c in range(count)
        if any(np.isfinite(entry.series(name)[:, c]).any() for entry in entries)
    ]
    for place, c in enumerate(there):
        # Solid and thin: half a dozen dashed, scattering lines would be a thicket. Grey print has
        # markers and shades.
        look = _look(place) | {
            "color": style.shade(place, len(there)),
            "linestyle": "-",
            "linewidth": 1.0,
        }
        band(axes, entries, partial(_column, name, c), look | {"label": label(c)})
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), handlelength=2.0)


def _column(name: str, c: int, entry: Entry) -> NDArray[np.float64]:
    return entry.series(name)[:, c]


def _draw_profiles(axes: Axes, lines: list[list[Entry]]) -> None:
    """Test accuracy at the last record against the level, a line per setting; the positives stand
    apart."""
    deepest = 0
    for index, entries in enumerate(lines):
        table = np.stack([entry.last("test_accuracy_by_level") for entry in entries])
        there = np.flatnonzero(np.isfinite(table).any(axis=0))
        middle, least, greatest = (
            f(table[:, there], axis=0) for f in (np.nanmean, np.nanmin, np.nanmax)
        )
        look = _look(index) | {"markevery": None}
        negatives = there < int(entries[0].settings["fractal_depth"])
        for part in (negatives, ~negatives):
            axes.plot(there[part], middle[part], **look)
            if len(entries) > 1:
                span = (there[part], least[part], greatest[part])
                axes.fill_between(*span, color=look["color"], alpha=0.15, linewidth=0)
                axes.vlines(*span, color=look["color"], linewidth=0.6)
        deepest = max(deepest, int(there[-1]))
    style.ticks_at(axes, level_ticks(deepest))
    axes.set_xlabel("level $j$ (at the last record)")


def _whole_gradient(entry: Entry) -> NDArray[np.float64]:
    norms = entry.series("gradient_norm")
    whole = np.sqrt(np.nansum(norms**2, axis=-1))
    return np.where(np.isfinite(norms).any(axis=-1), whole, np.nan)


def _step_axis(axes: Axes) -> None:
    axes.set_xlabel("step")
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useMathText=True)
    axes.set_xlim(left=0)


def _handles(keys: list[str], groups: list[tuple[Any, ...]]) -> list[Line2D]:
    """The legend: the settings where there are several, and what is bold and what is dotted."""
    names = [name_values(keys, values) for values in groups] if len(groups) > 1 else []
    grey: dict[str, Any] = {"color": "#404040"}
    return [
        *(Line2D([], [], label=name, **style.look(index)) for index, name in enumerate(names)),
        Line2D([], [], label="test", **grey),
        Line2D([], [], label="training", **grey | THIN),
    ]


def _notes(lines: list[list[Entry]], runs: Runs) -> list[str]:
    seeds = max(len(entries) for entries in lines)
    spread = f" Mean and span of {seeds} seeds." if seeds > 1 else ""
    levels = "Level $j < n$: negatives in $K_j$ but not $K_{j+1}$; level $n$ ($+$): positives."
    return [f"Training: the mean since the record before. {levels}{spread}", *runs.caveats]


def _title(runs: Runs, keys: list[str]) -> str:
    settings = runs.entries[0].settings
    same = not {"fractal", "fractal_depth", "curve"} & set(keys)
    text = f"Training on {describe(settings)}" if same else "Training"
    shape = [
        key
        for key in ("network_depth", "width", "learning_rate")
        if key not in keys and key in settings
    ]
    return text + (": " + name_values(shape, [settings[key] for key in shape]) if shape else "")
