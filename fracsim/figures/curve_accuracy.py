"""The figure ``curve-accuracy``: best test accuracy for each curve, beside P(j) (the paper's figure
5)."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.errors import FileError
from fracsim.figures import paper, style
from fracsim.figures.collect import caveats_of, heading, name_values, panels, steps_text
from fracsim.figures.curves import curve_label
from fracsim.figures.depth_width import draw_line, hollow, looks_of, panel_grid, title_panels
from fracsim.fractals.curve import parse_curve
from fracsim.products.entries import Entry, distinct, group, varied
from fracsim.products.runs import Runs
from fracsim.products.selection import best_choice

INSIDE = ("curve", "network_depth", "width", "learning_rate", "seed")
CHOSEN = ("width", "learning_rate")

GREYS = (("#9A9A9A", (0, (1, 1.5))), ("#6E6E6E", (0, (4, 2))), ("#3C3C3C", (0, (8, 2))))


def draw(
    runs: Runs,
    title: str | None = None,
    size: style.Inches | None = None,
    papers: bool = True,
) -> Figure:
    """Best test accuracy per curve, a line per depth, with P(n-2), P(n-1) and P(n) for comparison.

    A network that resolves the details of level j only can reach accuracy P(j). Where several
    widths or learning rates were trained, each point is the pair with the highest mean over seeds.

    Args:
        runs: as :func:`fracsim.products.runs.load_runs` gives them.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.
        papers: whether the paper's points are laid over ours on its distribution.

    Raises:
        FileError: a run has no curve, or all have the same curve, while depth or width varies.
        UsageError: more combinations of other settings than panels fit.
    """
    if not all(entry.settings.get("curve") for entry in runs.entries):
        raise FileError("curve-accuracy: not all runs learn a fractal by a curve: use depth-width")
    keys = varied(runs.entries, without=("learning_rate", "seed"))
    if "curve" not in keys and {"network_depth", "width"} & set(keys):
        raise FileError(
            "curve-accuracy: all runs have the same curve, depth or width varies: use depth-width"
        )
    parts = panels(runs, INSIDE)
    looks = looks_of(distinct(runs.entries, "network_depth"))
    shown = papers and any(map(_papers_points, parts.values()))
    notes = [_how(runs.entries), *([paper.protocol("cantor5-curves")] if shown else [])]
    handles = _handles(looks, shown, int(runs.entries[0].settings["fractal_depth"]))
    figure, body, grid = panel_grid(len(parts), size, [*notes, *caveats_of(runs)], handles)
    for axes, entries in zip(grid, parts.values(), strict=True):
        _draw_panel(axes, entries, looks, runs.notes)
        if shown and (theirs := _papers_points(entries)):
            axes.plot(list(theirs), list(theirs.values()), **hollow(looks[5]))
    style.outer_labels(grid)
    headings = [heading(runs, INSIDE, entries) for entries in parts.values()]
    title_panels(body, grid, headings, "Best test accuracy by approximation curve", title)
    return figure


def _names(entries: list[Entry]) -> list[str]:
    return [str(curve) for curve in distinct(entries, "curve")]


def _draw_panel(
    axes: Axes, entries: list[Entry], looks: dict[int, dict[str, Any]], notes: list[str]
) -> None:
    names = _names(entries)
    places = {name: place for place, name in enumerate(names)}
    _draw_levels(axes, names, int(entries[0].settings["fractal_depth"]))
    for (depth,), line in group(entries, ["network_depth"]).items():
        points = {}
        for (curve,), runs in group(line, ["curve"]).items():
            best = best_choice(runs, CHOSEN)
            points[places[str(curve)]] = best
            if varied(runs, without=("seed",)):
                notes.append(
                    f"curve {curve}, depth {depth}: best {name_values(CHOSEN, best.chosen)}"
                )
        draw_line(axes, points, looks[depth])
    labels = [curve_label(name) for name in names]
    rotation = 0 if max(map(len, labels)) * len(labels) < 30 else 45
    axes.set_xticks(
        range(len(names)), labels, rotation=rotation, ha="right" if rotation else "center"
    )
    axes.set_xlim(-0.4, len(names) - 0.6)
    axes.set_ylim(0.48, 1.015)
    axes.set_xlabel("approximation curve")
    axes.set_ylabel("best test accuracy")


def _papers_points(entries: list[Entry]) -> dict[int, float]:
    """Place of a curve -> the paper's accuracy, where these runs are of its distribution and some
    have its depth."""
    if 5 not in distinct(entries, "network_depth") or not paper.is_papers(entries[0], curve=None):
        return {}
    table = paper.curve_table()
    return {place: table[name] for place, name in enumerate(_names(entries)) if name in table}


def _handles(looks: dict[int, dict[str, Any]], papers: bool, n: int) -> list[Line2D]:
    handles = [Line2D([], [], label=f"depth {depth}", **look) for depth, look in looks.items()]
    if papers:
        handles.append(Line2D([], [], label=f"depth 5, {paper.SOURCE}", **hollow(looks[5])))
    return handles + [Line2D([], [], label=f"$P({j})$", **look) for j, look in _greys(n).items()]


def _greys(n: int) -> dict[int, dict[str, Any]]:
    """Level -> the look of P(j): the last three."""
    shown = range(max(n - 2, 0), n + 1)
    common: dict[str, Any] = {"marker": "_", "markersize": 9, "linewidth": 1.1, "zorder": 1}
    return {
        j: {"color": grey, "linestyle": dashes, **common}
        for j, (grey, dashes) in zip(shown, GREYS[-len(shown) :], strict=True)
    }


def _draw_levels(axes: Axes, names: list[str], n: int) -> None:
    """P(n-2), P(n-1), P(n) of each curve in grey behind the results."""
    values = [parse_curve(name).values(n) for name in names]
    for j, look in _greys(n).items():
        axes.plot(range(len(names)), [p[j] for p in values], **look)


def _how(entries: list[Entry]) -> str:
    chosen = [key for key in CHOSEN if len(distinct(entries, key)) > 1]
    seeds = len(distinct(entries, "seed"))
    text = f"Best: the maximum over the recorded steps, up to {steps_text(entries)}; "
    fixed = [key for key in CHOSEN if key not in chosen]
    parts = [name_values(fixed, [entries[0].settings[key] for key in fixed])] if fixed else []
    if chosen:
        parts.append(
            f"best {' and '.join(key.replace('_', ' ') for key in chosen)} for each point"
            + (" by the mean over seeds" if seeds > 1 else "")
        )
    return (
        text
        + "; ".join(parts)
        + (f"; mean and span of {seeds} seeds." if seeds > 1 else "; one seed.")
    )
