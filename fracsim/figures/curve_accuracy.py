"""The figure ``curve-accuracy``: best test accuracy for each curve, beside P(j) (the paper's figure
5)."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fracsim.data.errors import FileError
from fracsim.figures import paper, style
from fracsim.figures.collect import heading, name_values, panels
from fracsim.figures.curves import curve_label
from fracsim.figures.depth_width import draw_line, hollow, panel_grid, title_panels
from fracsim.fractals.curve import parse_curve
from fracsim.products.entries import Entry, distinct, group, varied
from fracsim.products.runs import Runs
from fracsim.products.selection import best_choice

INSIDE = ("curve", "network_depth", "width", "learning_rate", "seed")
CHOSEN = ("width", "learning_rate")

GREYS = (("#9A9A9A", (0, (1, 1.5))), ("#6E6E6E", (0, (4, 2))), ("#3C3C3C", (0, (8, 2))))


def draw(runs: Runs, title: str | None = None, size: style.Inches | None = None) -> Figure:
    """Best test accuracy per curve, a line per depth, with P(n-2), P(n-1) and P(n) for comparison.

    A network that resolves the details of level j only can reach accuracy P(j). Where several
    widths or learning rates were trained, each point is the pair with the highest mean over seeds.

    Args:
        runs: as :func:`fracsim.products.runs.load_runs` gives them.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

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
    figure, body, grid = panel_grid(len(parts), size, [_how(runs.entries), *runs.caveats])
    depths = distinct(runs.entries, "network_depth")
    for axes, entries in zip(grid, parts.values(), strict=True):
        _draw_panel(axes, entries, depths, runs.notes)
    headings = [heading(runs, INSIDE, entries) for entries in parts.values()]
    title_panels(body, grid, headings, "Best test accuracy by approximation curve", title)
    handles = {
        text: handle
        for axes in grid
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    body.legend(list(handles.values()), list(handles), loc="outside right upper", handlelength=2.8)
    return figure


def _draw_panel(axes: Axes, entries: list[Entry], depths: list[int], notes: list[str]) -> None:
    names = [str(curve) for curve in distinct(entries, "curve")]
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
        look = style.look(depths.index(depth)) | {"label": f"depth {depth}"}
        draw_line(axes, points, look)
        if depth == 5 and paper.is_papers(entries[0], curve=None):
            theirs = {
                places[name]: value for name, value in paper.curve_table().items() if name in places
            }
            axes.plot(
                list(theirs),
                list(theirs.values()),
                label=f"depth 5, {paper.SOURCE}",
                **hollow(look),
            )
    axes.set_xticks(range(len(names)), [curve_label(name) for name in names])
    axes.set_xlim(-0.4, len(names) - 0.6)
    axes.set_ylim(0.48, 1.015)
    axes.set_xlabel("approximation curve")
    axes.set_ylabel("best test accuracy")
    axes.label_outer(remove_inner_ticks=False)


def _draw_levels(axes: Axes, names: list[str], n: int) -> None:
    """P(n-2), P(n-1), P(n) of each curve in grey behind the results."""
    values = [parse_curve(name).values(n) for name in names]
    for j, (grey, dashes) in zip(range(max(n - 2, 0), n + 1), GREYS[-min(n + 1, 3) :], strict=True):
        axes.plot(
            range(len(names)),
            [p[j] for p in values],
            color=grey,
            linestyle=dashes,
            marker="_",
            markersize=9,
            linewidth=1.1,
            label=f"$P({j})$",
            zorder=1,
        )


def _how(entries: list[Entry]) -> str:
    chosen = [key for key in CHOSEN if len(distinct(entries, key)) > 1]
    seeds = len(distinct(entries, "seed"))
    text = "Best: the maximum over the recorded steps; "
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
