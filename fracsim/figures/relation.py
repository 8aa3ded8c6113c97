"""A long table as a figure: lines with bands, a look for each value, panels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.collect import WORDS, name_values
from fracsim.figures.observations import INDICES, Observations
from fracsim.products.entries import order
from fracsim.products.selection import split_name
from fracsim.products.starts import DERIVED
from fracsim.text import counted

MOST_PANELS = 12
LOGARITHMIC = ("width", "learning_rate", "train_points", "batch_size", "units")
ORDERED = (*INDICES, "snapshot", "step")
ROW = 0.05
"""Height of a row of marks above the data, of the axes'."""

Look = dict[str, Any]
Groups = dict[tuple[Any, ...], dict[Any, list[float]]]


@dataclass(frozen=True)
class Shown:
    """How numbers are shown: None of a logarithmic x axis leaves it to the values."""

    logx: bool | None = None
    logy: bool | None = None
    band: str = "span"


def any_finite(numbers: Sequence[float]) -> bool:
    return bool(np.isfinite(numbers).any()) if numbers else False


def draw_table(
    table: Observations,
    y: str,
    roles: dict[str, str],
    how: Shown,
    notes: list[str],
    about: str,
    title: str | None,
    size: style.Inches | None,
) -> Figure:
    """One figure of a table: lines over x, a look for hue and style, a panel for panel and row.

    Raises UsageError where there is nothing to draw, or more than can be told apart."""
    if not any_finite(table.numbers):
        raise UsageError(f"--y {y}: none of its {len(table.numbers)} values is a finite number")
    shown = {role: _distinct(table.columns[role]) for role in roles}
    roles = {role: name for role, name in roles.items() if role == "x" or len(shown[role]) > 1}
    panels = _panels(roles, shown)
    base = split_name(y)[0]
    groups = _grouped(table, roles, endless=base in DERIVED and DERIVED[base].is_start)
    logx, logy = _logarithmic(table, roles["x"], how.logx, "x"), bool(how.logy)
    notes = [*notes, *_left_out(table, logx, logy, groups)]
    looks = _looks(roles, shown)
    above = _Above(groups, list(looks))
    figure, body = _page(panels, "row" in roles, roles, shown, size, notes)
    grid = body.subplots(*_shape(panels, shown, roles, size), squeeze=False, sharey=True).ravel()
    for axes in grid[len(panels) :]:
        axes.remove()
    for axes, (row, panel) in zip(grid, panels, strict=False):
        for (hue, kind), look in looks.items():
            points = groups.get((row, panel, hue, kind))
            if points:
                _line(axes, points, look, how.band, shown["x"])
                above.draw(axes, points, look, (hue, kind), shown["x"])
        _finish(axes, roles["x"], y, shown["x"], logx, logy)
        heads = [(role, at) for role, at in (("row", row), ("panel", panel)) if role in roles]
        if heads:
            names = [roles[role] for role, _ in heads]
            style.panel_head(axes, name_values(names, [_shown(at) for _, at in heads]))
    if logy:
        heights = [value for value in table.numbers if np.isfinite(value)]
        for axes in figure.axes:
            style.log_axis(axes, heights)
    above.make_room(figure.axes)
    style.outer_labels(figure.axes)
    own = f"{_words(y)} against {_words(roles['x'])}"
    style.head(body, title, f"{own[:1].upper()}{own[1:]}" + (f": {about}" if about else ""))
    return figure


def _panels(roles: Mapping[str, str], shown: Mapping[str, list[Any]]) -> list[tuple[Any, Any]]:
    """(row, panel) of each panel. Raises UsageError for more than fit, and for looks that cannot be
    told apart."""
    for role in ("hue", "style"):
        if role in roles and len(shown[role]) > style.MOST_LOOKS:
            raise UsageError(
                f"--{role} {roles[role]} has {len(shown[role])} values, of which at most "
                f"{style.MOST_LOOKS} can be told apart; choose some with --where"
            )
    rows = shown["row"] if "row" in roles else [None]
    panels = shown["panel"] if "panel" in roles else [None]
    if len(rows) * len(panels) > MOST_PANELS:
        raise UsageError(
            f"{len(rows) * len(panels)} panels are more than the {MOST_PANELS} that fit in a "
            f"figure; choose some with --where"
        )
    return [(row, panel) for row in rows for panel in panels]


def _distinct(values: Sequence[Any]) -> list[Any]:
    return sorted(set(values), key=order)


def _shown(value: Any) -> Any:
    return style.plain(value) if isinstance(value, str) else value


def _words(name: str) -> str:
    return WORDS.get(name, name.replace("_", " "))


def _grouped(table: Observations, roles: Mapping[str, str], endless: bool) -> Groups:
    """(row, panel, hue, dashes) -> x -> numbers; ``endless``: infinite ones, which say that
    something has not happened, are among them."""
    size = len(table.numbers)
    columns = [
        table.columns[role] if role in roles else [None] * size
        for role in ("row", "panel", "hue", "dashes")
    ]
    groups: Groups = {}
    for at, x, number in zip(
        zip(*columns, strict=True), table.columns["x"], table.numbers, strict=True
    ):
        there = np.isfinite(number) or (endless and number == np.inf)
        if there and x is not None and x == x:
            groups.setdefault(at, {}).setdefault(x, []).append(number)
    return groups


def _logarithmic(table: Observations, name: str, asked: bool | None, axis: str) -> bool:
    values = [value for value in table.columns[axis] if isinstance(value, (int, float))]
    if len(values) < len(table.columns[axis]):
        if asked:
            raise UsageError(f"--log{axis}: {name} has values that are no numbers")
        return False
    if asked is None:
        return name in LOGARITHMIC and min(values) > 0 and max(values) >= 8 * min(values)
    if asked and not any(value > 0 for value in values):
        raise UsageError(f"--log{axis}: no value of {name} is above 0")
    return asked


class _Above:
    """What has happened in no run of a point: hollow marks above the data, a row for each look."""

    def __init__(self, groups: Groups, looks: list[tuple[Any, Any]]) -> None:
        never = [
            at[2:]
            for at, points in groups.items()
            if not all(any_finite(values) for values in points.values())
        ]
        self.rows = [look for look in looks if look in never]

    def draw(
        self, axes: Axes, points: dict[Any, list[float]], look: Look, at: Any, every: list[Any]
    ) -> None:
        """The marks of one line."""
        x = [one for one, values in points.items() if not any_finite(values)]
        if x:
            place = 1 - ROW * (self.rows.index(at) + 0.7)
            axes.plot(
                _places(x, every),
                [place] * len(x),
                transform=axes.get_xaxis_transform(),
                **_hollow(look),
            )

    def make_room(self, every: Sequence[Axes]) -> None:
        """Lift the top of all axes, which share it, above the data; a line marks where it was."""
        if not self.rows:
            return
        share = 1 - ROW * (len(self.rows) + 0.4)
        low, high = every[0].get_ylim()
        logarithmic = every[0].get_yscale() == "log"
        top = low * (high / low) ** (1 / share) if logarithmic else low + (high - low) / share
        every[0].set_ylim(low, top)
        for axes in every:
            axes.axhline(high, color="#808080", linewidth=0.8, linestyle=":")


def _hollow(look: Look) -> Look:
    edge = {"markeredgecolor": look["color"], "markeredgewidth": 1.0}
    return look | edge | {"markerfacecolor": "white", "linestyle": "none", "zorder": 4}


def _places(x: Sequence[Any], every: list[Any]) -> list[float]:
    """Where values lie on the x axis: texts one after the other."""
    texts = any(isinstance(one, str) for one in every)
    return [float(every.index(one) if texts else one) for one in x]


def _left_out(table: Observations, logx: bool, logy: bool, groups: Groups) -> list[str]:
    said = []
    means = [numbers for points in groups.values() for numbers in points.values()]
    late = sum(number == float("inf") for numbers in means for number in numbers)
    if late:
        said.append(
            f"{late:,} of {len(table.numbers):,} values are not reached by the last record. "
            "Hollow: some of a point's are not, the mean is that of the others; above the dotted "
            "line: none is."
        )
    if missing := int(np.sum(~np.isfinite(table.numbers))) - late:
        said.append(f"{missing:,} of {len(table.numbers):,} values are not there or not finite.")
    for axis, log, values in (("x", logx, table.columns["x"]), ("y", logy, table.numbers)):
        low = sum(1 for value in values if log and np.isfinite(value) and value <= 0)
        if low:
            left_out = f"{counted(low, 'value')} at or below 0"
            said.append(f"A logarithmic {axis} axis cannot show {left_out}.")
    return said


def _looks(roles: Mapping[str, str], shown: Mapping[str, list[Any]]) -> dict[tuple[Any, Any], Look]:
    """(hue, dashes) -> look: one of the two says all; both share it, colour and form."""
    hues = _hues(roles, shown)
    if "dashes" not in roles:
        return {(hue, None): look for hue, look in hues.items()}
    forms = {at: style.look(place) for at, place in style.places(shown["dashes"]).items()}
    return {
        (hue, kind): look | {key: form[key] for key in ("marker", "linestyle")}
        for hue, look in hues.items()
        for kind, form in forms.items()
    }


def _hues(roles: Mapping[str, str], shown: Mapping[str, list[Any]]) -> dict[Any, Look]:
    if "hue" not in roles:
        return {None: style.look(0)}
    found = {at: style.look(place) for at, place in style.places(shown["hue"]).items()}
    if roles["hue"] in ORDERED:
        count = len(found)
        for place, look in enumerate(found.values()):
            look |= {"color": style.shade(place, count), "linestyle": "-"}
    return found


def _page(
    panels: list[tuple[Any, Any]],
    rows: bool,
    roles: Mapping[str, str],
    shown: Mapping[str, list[Any]],
    size: style.Inches | None,
    notes: list[str],
) -> tuple[Figure, SubFigure]:
    down, across = _shape(panels, shown, roles, size)
    width, height = (4.8, 3.2) if across == 1 else (2.5, 2.3)
    if style.is_narrow(size):
        width, height = 3.4 / across, 2.3 if down == 1 else 1.9
    handles = []
    if "hue" in roles:
        for at, look in _hues(roles, shown).items():
            kept = {"marker": "", "linestyle": "-", "linewidth": 3.0} if "dashes" in roles else {}
            label = name_values([roles["hue"]], [_shown(at)])
            handles.append(Line2D([], [], label=label, **look | kept))
    if "dashes" in roles:
        for at, place in style.places(shown["dashes"]).items():
            look = style.look(place) | {"color": "#404040"}
            label = name_values([roles["dashes"]], [_shown(at)])
            handles.append(Line2D([], [], label=label, **look))
    return style.page((width * across + 0.4, height * down), size, notes, handles)


def _shape(
    panels: list[tuple[Any, Any]],
    shown: Mapping[str, list[Any]],
    roles: Mapping[str, str],
    size: style.Inches | None,
) -> tuple[int, int]:
    """Rows and columns: those asked for; panels alone are wrapped."""
    across = len(shown["panel"]) if "panel" in roles else 1
    if "row" in roles and not style.is_narrow(size) and across <= 4:
        return len(shown["row"]), across
    return style.arrange(len(panels), size, 2 if len(panels) in (2, 4) else min(3, len(panels)))


def _line(
    axes: Axes, points: dict[Any, list[float]], look: Look, band: str, every: list[Any]
) -> None:
    """Means, in the order of x, and how far the values reach."""
    texts = any(isinstance(x, str) for x in every)
    reached = {one: [v for v in points[one] if np.isfinite(v)] for one in sorted(points, key=order)}
    at = [one for one, values in reached.items() if values]
    if not at:
        return
    x = np.array(_places(at, every))
    means = np.array([np.mean(reached[one]) for one in at])
    low, high = np.array([_reach(reached[one], band) for one in at]).T
    marks = {"markevery": max(1, len(x) // 12)}
    axes.plot(x, means, zorder=3, **look | marks | ({"linestyle": "none"} if texts else {}))
    some = [i for i, one in enumerate(at) if len(reached[one]) < len(points[one])]
    if some:
        axes.plot(x[some], means[some], **_hollow(look))
    if band == "none" or np.array_equal(low, high):
        return
    if len(x) > 1 and not texts:
        axes.fill_between(x, low, high, color=look["color"], alpha=0.18, linewidth=0, zorder=1)
    if len(x) <= 12:
        axes.vlines(x, low, high, color=look["color"], linewidth=0.8, zorder=2)


def _reach(values: list[float], band: str) -> tuple[float, float]:
    if band == "sd" and len(values) > 1:
        mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
        return mean - deviation, mean + deviation
    return min(values), max(values)


def _finish(axes: Axes, x: str, y: str, every: list[Any], logx: bool, logy: bool) -> None:
    axes.set(xlabel=style.plain(_words(x)), ylabel=style.plain(_words(y)))
    if any(isinstance(value, str) for value in every):
        labels = [str(_shown(value)) for value in every]
        long = sum(map(len, labels)) > 24
        turned: dict[str, Any] = {"rotation": 45, "ha": "right"} if long else {}
        axes.set_xticks(range(len(every)), labels, **turned)
        axes.set_xlim(-0.5, len(every) - 0.5)
        return
    numbers = [float(value) for value in every if value is not None and np.isfinite(value)]
    if logx:
        axes.set_xscale("log")
    if len(numbers) <= 10:
        style.ticks_at(axes, numbers)
    elif x == "step":
        axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useMathText=True)
