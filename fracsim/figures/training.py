"""The figure ``training``: loss, accuracy, accuracy by level and gradient norms against the step;
of real labels relative errors in place of accuracies."""

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fracsim.figures import style
from fracsim.figures.collect import caveats_of, describe, name_values, real_labels
from fracsim.figures.curves import level_ticks
from fracsim.kernels.norms import norms
from fracsim.problems.registry import DESCRIBED
from fracsim.products.entries import Entry, group, varied
from fracsim.products.runs import Runs

MOST_LINES = 6
MOST_NAMES = 8
"""Names of levels or layers that fit beside a panel."""

THIN: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (1, 1)), "zorder": 2}
"""The look of training, beside the bold lines of the test."""

Series = Callable[[Entry], NDArray[np.float64]]
Look = dict[str, Any]


def draw(runs: Runs, title: str | None = None, size: style.Inches | None = None) -> Figure:
    """Four panels: loss, accuracy, accuracy by level, gradient norm. Of real labels: loss, relative
    error, root mean square error by group where there are groups, gradient norm.

    Runs that differ in their seed only are one line, the mean, with a band from the least to the
    greatest. A single setting shows every level and every layer over the steps; several settings
    show each its accuracy by level at the last record and the norm of the whole gradient.

    Args:
        runs: as :func:`fracsim.products.runs.load_runs` gives them.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: a file lacks a recorded variable.
        UsageError: labels of two kinds.
    """
    real = real_labels(runs)
    keys = varied(runs.entries, without=("seed",))
    groups = group(runs.entries, keys)
    sign, choose = (1, min) if real else (-1, max)
    best = sorted(groups, key=lambda values: sign * choose(one.best() for one in groups[values]))
    left_out = []
    if len(groups) > MOST_LINES:
        what = f"the best by test {'error' if real else 'accuracy'}"
        text = f"{MOST_LINES} of {len(groups)} settings are drawn, {what}"
        left_out.append(f"{text}.")
        runs.notes.append(f"{text}; choose others with --where")
        groups = {
            values: entries for values, entries in groups.items() if values in best[:MOST_LINES]
        }
    lines = list(groups.values())
    looks = [_look(place) for place in style.places(groups).values()]
    by_group = "test_rmse_by_level" if real else "test_accuracy_by_level"
    grouped = all(by_group in entry.trajectory.records for entry in runs.entries)
    count = 4 if grouped else 3
    own = (3.4, 1.75 * count) if style.is_narrow(size) else (7.2, 5.2 if grouped else 3.3)
    notes = [*left_out, *_notes(lines, runs)]
    figure, body = style.page(own, size, notes, _handles(keys, list(groups), looks))
    shape = style.arrange(count, size, 2 if grouped else 3)
    panels = body.subplots(*shape, squeeze=False).ravel()
    loss, quality, *_, gradient = panels[:count]
    for axes in panels[count:]:
        axes.remove()
    if grouped:
        _draw_groups(panels[2], lines, looks, by_group)
    _draw_over_steps(loss, lines, looks, ("train_loss", "test_loss"))
    if real:
        for entries, look in zip(lines, looks, strict=True):
            band(quality, entries, _relative_error, look)
    else:
        _draw_over_steps(quality, lines, looks, ("train_accuracy", "test_accuracy"))
    if len(lines) == 1:
        _draw_each(gradient, lines[0], "gradient_norm", lambda layer: f"layer {layer + 1}")
    else:
        for entries, look in zip(lines, looks, strict=True):
            band(gradient, entries, _whole_gradient, look)
    loss.set(ylabel="loss", title="Loss")
    quality.set(ylabel="accuracy", title="Accuracy")
    if real:
        loss.set(yscale="log")
        quality.set(ylabel="rms / sd", title="Relative test error")
        style.log_axis(quality, np.concatenate([_relative_error(one) for one in chain(*lines)]))
    gradient.set(ylabel="gradient norm ($L_2$)", title="Gradient of the test loss")
    style.log_axis(gradient, _heights(gradient))
    for axes in panels[:count]:
        if not grouped or axes is not panels[2] or len(lines) == 1:
            _step_axis(axes)
    style.head(body, title, _title(runs, keys))
    return figure


def _heights(axes: Axes) -> list[float]:
    """All that the lines of a panel reach."""
    return [float(y) for line in axes.lines for y in np.ravel(line.get_ydata())]


def _draw_groups(axes: Axes, lines: list[list[Entry]], looks: list[Look], name: str) -> None:
    """By level, or by whatever groups there are: over the steps for one setting, else at the last
    record."""
    settings = lines[0][0].settings
    n = settings.get("fractal_depth")
    word = "group" if n is None else "level"
    if len(lines) == 1:
        _draw_each(axes, lines[0], name, lambda j: f"{word} {j}" + (" ($+$)" if j == n else ""))
    else:
        _draw_profiles(axes, lines, looks, name, word)
    what = "root mean square error" if name == "test_rmse_by_level" else "test accuracy"
    axes.set(ylabel=what, title=f"{what[0].upper()}{what[1:]} by {word}")


def _relative_error(entry: Entry) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(1 - entry.series("test_r2"), 0))


def band(axes: Axes, entries: list[Entry], series: Series, look: Look) -> None:
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


def _look(index: int, count: int = 12) -> Look:
    # A marker on each of a hundred records would hide the line: about a dozen, shifted from line to
    # line.
    return style.look(index) | {"markevery": (0.01 + 0.013 * index, 1.0 / count), "markersize": 4.5}


def _draw_over_steps(
    axes: Axes, lines: list[list[Entry]], looks: list[Look], names: tuple[str, str]
) -> None:
    """Training thin and dotted, test bold: the same two styles in every panel."""
    train, test = names
    for entries, look in zip(lines, looks, strict=True):
        band(axes, entries, lambda entry: entry.series(train), {"color": look["color"], **THIN})
        band(axes, entries, lambda entry: entry.series(test), look)


def _draw_each(axes: Axes, entries: list[Entry], name: str, label: Callable[[int], str]) -> None:
    """Every level, or every layer, of one setting; dark to light from the coarsest level, the first
    layer. Of many some have a name, the first and the last among them."""
    count = min(entry.series(name).shape[-1] for entry in entries)
    there = [
        c
        for c in range(count)
        if any(np.isfinite(entry.series(name)[:, c]).any() for entry in entries)
    ]
    named = set(np.linspace(0, len(there) - 1, min(len(there), MOST_NAMES)).round().tolist())
    for place, c in enumerate(there):
        # Solid and thin: half a dozen dashed, scattering lines would be a thicket. Grey print has
        # markers and shades.
        look = _look(place) | {
            "color": style.shade(place, len(there)),
            "linestyle": "-",
            "linewidth": 1.0,
        }
        label_of = {"label": label(c)} if place in named else {}
        band(axes, entries, partial(_column, name, c), look | label_of)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), handlelength=2.0)


def _column(name: str, c: int, entry: Entry) -> NDArray[np.float64]:
    return entry.series(name)[:, c]


def _draw_profiles(
    axes: Axes, lines: list[list[Entry]], looks: list[Look], name: str, word: str
) -> None:
    """A variable by level at the last record against the level, a line per setting; the positives
    stand apart."""
    deepest = 0
    for entries, shown in zip(lines, looks, strict=True):
        table = np.stack([entry.last(name) for entry in entries])
        there = np.flatnonzero(np.isfinite(table).any(axis=0))
        middle, least, greatest = (
            f(table[:, there], axis=0) for f in (np.nanmean, np.nanmin, np.nanmax)
        )
        look = shown | {"markevery": None}
        n = entries[0].settings.get("fractal_depth")
        negatives = there < (there.size + there.max() if n is None else int(n))
        for part in (negatives, ~negatives):
            axes.plot(there[part], middle[part], **look)
            if len(entries) > 1:
                span = (there[part], least[part], greatest[part])
                axes.fill_between(*span, color=look["color"], alpha=0.15, linewidth=0)
                axes.vlines(*span, color=look["color"], linewidth=0.6)
        deepest = max(deepest, int(there[-1]))
    style.ticks_at(axes, level_ticks(deepest))
    axes.set_xlabel(f"{word} $j$ (at the last record)")


def _whole_gradient(entry: Entry) -> NDArray[np.float64]:
    layers = entry.series("gradient_norm")
    whole = norms(np.nan_to_num(layers, posinf=np.inf, neginf=-np.inf), axis=-1)
    return np.where(np.isfinite(layers).any(axis=-1), whole, np.nan)


def _step_axis(axes: Axes) -> None:
    axes.set_xlabel("step")
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useMathText=True)
    axes.set_xlim(left=0)


def _handles(keys: list[str], groups: list[tuple[Any, ...]], looks: list[Look]) -> list[Line2D]:
    """The legend: the settings where there are several, and what is bold and what is dotted."""
    names = [name_values(keys, values) for values in groups] if len(groups) > 1 else []
    shown = [{key: value for key, value in look.items() if key != "markevery"} for look in looks]
    grey: Look = {"color": "#404040"}
    return [
        *(Line2D([], [], label=name, **look) for name, look in zip(names, shown, strict=False)),
        Line2D([], [], label="test", **grey),
        Line2D([], [], label="training", **grey | THIN),
    ]


def _notes(lines: list[list[Entry]], runs: Runs) -> list[str]:
    seeds = max(len(entries) for entries in lines)
    spread = f" Mean and span of {seeds} seeds." if seeds > 1 else ""
    fractal = lines[0][0].settings.get("fractal_depth") is not None
    levels = (
        " Level j < n: negatives in K_j but not K_(j+1); level n (+): positives." if fractal else ""
    )
    if lines[0][0].real:
        levels = " Relative error: root mean square error / sd of the labels, √(1 - R²)."
    return [f"Training: the mean since the record before.{levels}{spread}", *caveats_of(runs)]


def _title(runs: Runs, keys: list[str]) -> str:
    settings = runs.entries[0].settings
    same = not {*DESCRIBED} & set(keys)
    text = f"Training on {describe(settings)}" if same else "Training"
    width = () if "width" in keys else ("width", "widths")
    shape = [
        key
        for key in ("network_depth", *width, "learning_rate")
        if key in settings and key not in keys
    ]
    return text + (": " + name_values(shape, [settings[key] for key in shape]) if shape else "")
