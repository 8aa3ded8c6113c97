"""The figure ``levels``: which level of detail is learnt when."""

from math import inf
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fracsim.data.errors import FileError
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.collect import caveats_of, describe, name_values, real_labels, steps_text
from fracsim.figures.curves import level_ticks
from fracsim.figures.training import band
from fracsim.problems.registry import DESCRIBED
from fracsim.products.entries import Entry, distinct, group, records, values_text, varied
from fracsim.products.runs import Runs
from fracsim.products.selection import best_choice

SHARE = 0.9
VARIABLE = "test_accuracy_by_level"
MOST_LINES = 8
MOST_PANELS = 6

Look = dict[str, Any]


def draw(
    runs: Runs,
    title: str | None = None,
    size: style.Inches | None = None,
    share: float = SHARE,
) -> Figure:
    """The step from which on a share of each level's test points is right, and the accuracy of each
    level against the step.

    A line for each setting that varies (the median over seeds, a bar from the first seed to the
    last); of several learning rates the best by the mean over seeds. Where two or more settings
    vary there is a panel for each value of all but the first. Levels that are not learnt by the
    last record lie above the line that says so.

    Args:
        runs: as :func:`fracsim.products.runs.load_runs` gives them.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.
        share: of the points of a level, above 0 and at most 1.

    Raises:
        FileError: runs without accuracies by level.
        UsageError: real labels, a share out of range, or more lines or panels than fit.
    """
    _check(runs, share)
    keys = varied(runs.entries, without=("seed", "learning_rate"))
    lines = {at: _best_rate(found) for at, found in group(runs.entries, keys).items()}
    looks = _looks(runs.entries, keys)
    parts = group(runs.entries, keys[1:])
    single = len(parts) == 1
    profiles = lines if single and len(lines) <= MOST_PANELS - 1 else {}
    count = len(parts) + len(profiles)
    _check_panels(runs, keys, count)
    rows, columns = style.arrange(count, size, 2 if count in (2, 4) else 3)
    narrow = style.is_narrow(size)
    own = (3.4, 2.0 * rows) if narrow else (min(2.6 * columns + 0.8, 8.0), 2.5 * rows + 0.2)
    word = "level" if all("fractal_depth" in one.settings for one in runs.entries) else "class"
    handles = [*_handles(keys, looks), *_levels(profiles, word)]
    figure, body = style.page(
        own, size, [_how(runs, lines, share, word), *caveats_of(runs)], handles
    )
    grid = body.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.remove()
    last = max(_last(one) for entries in lines.values() for one in entries)
    for axes, at in zip(grid, parts, strict=False):
        there = {line: found for line, found in lines.items() if line[1:] == at}
        _draw_steps(axes, there, {line: looks[line[:1]] for line in there}, share, last, word)
        head = name_values(keys[1:], at) if at else "When it is learnt"
        style.panel_head(axes, head)
    for axes, (at, entries) in zip(grid[len(parts) :], profiles.items(), strict=False):
        _draw_accuracy(axes, entries, share)
        style.panel_head(axes, name_values(keys, at) if at else "Accuracy by " + word)
    style.head(body, title, _title(runs, keys, word))
    return figure


def learnt_at(entry: Entry, share: float = SHARE) -> NDArray[np.float64]:
    """The step from which on each level's accuracy is at least ``share`` at every record (levels,):
    infinite where it is not at the last one, NaN where there are no such points."""
    table = entry.series(VARIABLE)[: records(entry)]
    steps = entry.steps[: records(entry)]
    found = np.full(table.shape[1], np.nan)
    for level in np.flatnonzero(np.isfinite(table).any(axis=0)):
        below = np.flatnonzero(~(table[:, level] >= share))
        first = int(below[-1]) + 1 if len(below) else 0
        found[level] = steps[first] if first < len(steps) else inf
    return found


def _check(runs: Runs, share: float) -> None:
    if not 0 < share <= 1:
        raise UsageError(f"--share is {share:g}; accepted is a number above 0 and at most 1")
    if real_labels(runs):
        raise UsageError(
            "levels: these runs approximate real numbers; accepted are runs that tell classes "
            "apart, of which a share can be right"
        )
    for entry in runs.entries:
        if VARIABLE not in entry.trajectory.records:
            raise FileError(f"'{entry.trajectory.path}' has no accuracy by level to draw")


def _check_panels(runs: Runs, keys: list[str], count: int) -> None:
    lines = len(distinct(runs.entries, keys[0])) if keys else 1
    if count > MOST_PANELS or lines > MOST_LINES:
        text = "; ".join(values_text(runs.entries, key) for key in keys)
        raise UsageError(
            f"levels: {count} panels of {lines} lines are too many, at most {MOST_PANELS} of "
            f"{MOST_LINES} can be read; choose some with --where ({text})"
        )


def _best_rate(entries: list[Entry]) -> list[Entry]:
    """The runs, one per seed, at the learning rate with the best mean."""
    (rate,) = best_choice(entries, ["learning_rate"]).chosen
    return [entry for entry in entries if entry.settings.get("learning_rate") == rate]


def _looks(entries: list[Entry], keys: list[str]) -> dict[tuple[Any, ...], Look]:
    """Values of the first key that varies -> its look."""
    values = [(value,) for value in distinct(entries, keys[0])] if keys else [()]
    return {at: style.look(place) for at, place in style.places(values).items()}


def _draw_steps(
    axes: Axes,
    lines: dict[tuple[Any, ...], list[Entry]],
    looks: dict[tuple[Any, ...], Look],
    share: float,
    last: int,
    word: str,
) -> None:
    """Step against level; what is not learnt stands above the last step, hollow."""
    never = last * 1.6
    deepest, least = 0, last
    for place, (at, entries) in enumerate(lines.items()):
        size = max(len(entry.series(VARIABLE)[0]) for entry in entries)
        table = np.full((len(entries), size), np.nan)
        for row, entry in zip(table, entries, strict=True):
            found = learnt_at(entry, share)
            row[: len(found)] = found
        level = np.flatnonzero(np.isfinite(table).any(axis=0) | np.isposinf(table).any(axis=0))
        table = np.sort(table[:, level], axis=0)
        middle = table[len(table) // 2]
        shift = 0.07 * (place - (len(lines) - 1) / 2)
        top = np.minimum(table, never * (1 + 0.06 * place))
        shown = np.minimum(middle, never * (1 + 0.06 * place))
        look = looks[at]
        if len(entries) > 1:
            axes.vlines(level + shift, top[0], top[-1], color=look["color"], linewidth=0.8)
        reached = np.where(np.isfinite(middle), shown, np.nan)
        axes.plot(level + shift, reached, **look)
        hollow = {"markerfacecolor": "none", "markeredgecolor": look["color"]}
        missed = ~np.isfinite(middle)
        axes.plot(
            (level + shift)[missed],
            shown[missed],
            **look | hollow | {"linestyle": "none", "markeredgewidth": 1.0},
        )
        deepest = max(deepest, int(level[-1]))
        positive = table[np.isfinite(table) & (table > 0)]
        least = min(least, int(positive.min(initial=last)))
    axes.set_yscale("symlog", linthresh=least, linscale=0.3)
    ticks = [0.0] + [by * 10.0**p for p in range(19) for by in (1, 2, 5)]
    style.ticks_at(axes, [t for t in ticks if t == 0 or least <= t <= last], "y")
    axes.axhline(last * 1.15, color="#808080", linewidth=0.8, linestyle=":")
    axes.set_ylim(-0.25 * least, never * 1.75)
    axes.annotate(
        f"not by step {last:,}",
        (0.02, 1.0),
        xycoords="axes fraction",
        va="top",
        fontsize=style.rc["legend.fontsize"],
        color="#606060",
    )
    axes.set(xlabel=f"{word} $j$", ylabel="step", xlim=(-0.4, deepest + 0.4))
    style.ticks_at(axes, level_ticks(deepest))


def _draw_accuracy(axes: Axes, entries: list[Entry], share: float) -> None:
    """Accuracy of each level against the step."""
    table = entries[0].series(VARIABLE)
    there = np.flatnonzero(np.isfinite(table).any(axis=0))
    for place, level in enumerate(there):
        look = _level_look(place, len(there)) | {"markevery": (0.01 + 0.013 * place, 0.1)}
        band(axes, entries, lambda entry, j=level: entry.series(VARIABLE)[:, j], look)  # type: ignore[misc]
    axes.axhline(share, color="#808080", linewidth=0.8, linestyle="--")
    axes.set(xlabel="step", ylabel="test accuracy", ylim=(-0.03, 1.03))
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useMathText=True)
    axes.set_xlim(left=0)


def _level_look(place: int, count: int) -> Look:
    return {
        "color": style.shade(place, count),
        "marker": style.MARKERS[place % len(style.MARKERS)],
        "markersize": 3.5,
        "linewidth": 1.0,
    }


def _handles(keys: list[str], looks: dict[tuple[Any, ...], Look]) -> list[Line2D]:
    if not keys:
        return []
    return [Line2D([], [], label=name_values(keys[:1], at), **look) for at, look in looks.items()]


def _levels(profiles: dict[tuple[Any, ...], list[Entry]], word: str) -> list[Line2D]:
    if not profiles:
        return []
    entry = next(iter(profiles.values()))[0]
    there = np.flatnonzero(np.isfinite(entry.series(VARIABLE)).any(axis=0))
    n = entry.settings.get("fractal_depth")
    labels = [f"{word} {j}" + (" (+)" if j == n else "") for j in there]
    return [
        Line2D([], [], label=label, **_level_look(i, len(there))) for i, label in enumerate(labels)
    ]


def _last(entry: Entry) -> int:
    return int(entry.steps[records(entry) - 1])


def _how(runs: Runs, lines: dict[tuple[Any, ...], list[Entry]], share: float, word: str) -> str:
    shown = [entry for entries in lines.values() for entry in entries]
    rates = distinct(runs.entries, "learning_rate")
    counts = sorted({len(entries) for entries in lines.values()})
    text = (
        f"Learnt: at least {100 * share:g} % of the {word}'s test points are right at this record "
        f"and all later ones; trained to {steps_text(shown)}; hollow: not learnt"
    )
    if len(rates) > 1:
        text += f"; of {len(rates)} learning rates the one with the best accuracy"
        text += " by the mean over seeds" if counts[-1] > 1 else ""
    seeds = " to ".join(map(str, sorted({counts[0], counts[-1]})))
    text += f"; median and span of {seeds} seeds." if counts[-1] > 1 else "; one seed."
    if word == "level":
        text += " Level j < n: negatives in K_j but not K_(j+1); level n (+): positives."
    return text


def _title(runs: Runs, keys: list[str], word: str) -> str:
    own = f"Which {word} is learnt when"
    return own if {*DESCRIBED} & {*keys} else f"{own}: {describe(runs.entries[0].settings)}"
