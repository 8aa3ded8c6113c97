"""The figure ``bounds``: what Theorems 2, 3 and 4 say of depth and width, and what training
reached."""

import json
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.collect import caveats_of, describe
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.fractal import Fractal
from fracsim.products.entries import Entry
from fracsim.products.runs import Runs
from fracsim.studies.study import notes_of
from fracsim.text import counted

MOST_LINES = 6
UPPER: dict[str, Any] = {"linewidth": 2.0, "marker": ""}
LOWER: dict[str, Any] = {"linewidth": 1.1, "marker": "v", "markersize": 4.5}
EXACT: dict[str, Any] = {"linewidth": 1.1, "marker": "x", "markersize": 4.5}
NAMES = {
    "upper_error": ("Theorem 3:\nreached", UPPER),
    "lower_error": ("Theorem 4:\nnone below", LOWER),
    "least_error": ("exact for\n$(k+1)^T$ pieces", EXACT),
}
MARKER: dict[str, Any] = {
    "marker": "o",
    "markersize": 5.5,
    "markeredgecolor": "white",
    "markeredgewidth": 0.6,
    "zorder": 4,
}
GREY = "#404040"


def draw(
    study: StudyContents,
    runs: Runs | None = None,
    title: str | None = None,
    size: style.Inches | None = None,
) -> Figure:
    """Error against depth T and against width k: Theorem 3 above, Theorem 4 and the exact least
    error below, training.

    A third panel has Theorem 2's least width against T; in d = 1 a fourth has the exact least error
    by sign changes. Errors are 0-1 errors; a trained one is 1 - best test accuracy over the records
    and over all other settings.

    Args:
        study: what a file of kind "bounds" holds. runs: trained
        networks; those of another distribution than the bounds' are left out, which the notes say.
        title: replaces the figure's own title. size: width and height in inches, instead of the
        figure's own.

    Raises:
        UsageError: none of the runs has the bounds' distribution.
        FileError: the study does not say what its distribution is.
    """
    runs = runs or Runs([])
    arrays, trained = study.arrays, _trained(study, runs)
    caveats = [_how(arrays, trained), *_notes(study), *caveats_of(runs)]
    more = [
        panel
        for name, panel in (("least_width", _widths), ("changes_least_error", _changes))
        if name in arrays
    ]
    rows, columns = style.arrange(2 + len(more), size, 2)
    height = 2.1 if columns == 1 else 2.7
    own = (3.4 if columns == 1 else 7.6, height * rows)
    figure, body = style.page(own, size, caveats)
    grid = body.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[2 + len(more) :]:
        axes.remove()
    _errors(grid[0], arrays, trained, across=0)
    _errors(grid[1], arrays, trained, across=1)
    for axes, panel in zip(grid[2:], more, strict=False):
        panel(axes, arrays)
    style.head(body, title, f"What depth and width can do: {describe(study.attributes)}")
    return figure


def _trained(study: StudyContents, runs: Runs) -> dict[tuple[int, int], float]:
    """(T, k) → 1 - the best test accuracy of the runs on the study's distribution."""
    ours = [entry for entry in runs.entries if _alike(study, entry)]
    if runs.entries and not ours:
        entry = runs.entries[0].settings
        raise UsageError(
            f"bounds: the bounds are of {_name(study.attributes)}, without margins, but no run is; "
            f"the first is of {_name(entry)}, margins {entry.get('positive_margin')} and "
            f"{entry.get('negative_margin')}"
        )
    if left := len(runs.entries) - len(ours):
        runs.notes.append(
            f"{left} of {len(runs.entries)} runs are of another distribution and left out"
        )
    equal = [run for run in ours if run.settings["widths"] == "equal"]
    if left := len(ours) - len(equal):
        runs.notes.append(
            f"left out: {counted(left, 'run')} of networks whose layers differ in width"
        )
    best: dict[tuple[int, int], float] = {}
    for run in equal:
        at = int(run.settings["network_depth"]), int(run.settings["width"])
        best[at] = min(best.get(at, 1.0), 1 - run.best())
    there = {
        at: error
        for at, error in best.items()
        if at[0] in study.arrays["network_depth"] and at[1] in study.arrays["width"]
    }
    if missing := sorted(best.keys() - there.keys()):
        names = "; ".join(f"depth {depth}, width {width}" for depth, width in missing)
        runs.notes.append(
            f"the bounds' file does not have, so that these networks are left out: {names}"
        )
    return there


def _alike(study: StudyContents, entry: Entry) -> bool:
    """Whether a run was trained on the distribution of the bounds."""
    facts, settings = study.attributes, entry.settings
    try:
        fractal, curve = (
            Fractal.from_dict(json.loads(str(facts["fractal_definition"]))),
            study.arrays["curve_values"],
        )
        n, gap = int(facts["fractal_depth"]), str(facts["gap"])
    except (KeyError, ValueError, TypeError) as error:
        raise FileError(f"the bounds' distribution is not described ({error})") from error
    other = entry.fractal()
    return (
        fractal.base == other.base
        and np.array_equal(fractal.matrices, other.matrices)
        and np.array_equal(fractal.offsets, other.offsets)
        and settings["fractal_depth"] == n
        and np.allclose(parse_curve(str(settings["curve"])).values(n), curve, atol=1e-12)
        and (settings.get("gap") or other.gap) == gap
        and not (settings.get("positive_margin") or settings.get("negative_margin"))
    )


def _name(settings: object) -> str:
    return describe(settings).replace("$", "")  # type: ignore[arg-type]


def _chosen(values: np.ndarray, wanted: set[int]) -> list[int]:
    """At most MOST_LINES indices, spread over the range; of values that were trained before
    others."""
    chosen: list[int] = []
    for places in (
        np.flatnonzero(np.isin(values, list(wanted))),
        np.flatnonzero(~np.isin(values, list(wanted))),
    ):
        room = min(MOST_LINES - len(chosen), len(places))
        # a single further line is the last one, which has the most layers or units
        chosen += [int(places[round(i)]) for i in np.linspace(len(places) - 1, 0, room)]
    return sorted(chosen)


def _errors(
    axes: Axes, arrays: dict[str, np.ndarray], trained: dict[tuple[int, int], float], across: int
) -> None:
    """Error against T, a line for each width (``across`` 0), or against k, a line for each depth
    (1)."""
    names = ("network_depth", "width")
    x, lines = arrays[names[across]], arrays[names[1 - across]]
    chosen = _chosen(lines, {at[1 - across] for at in trained})
    colours = [style.shade(place, len(chosen)) for place in range(len(chosen))]
    handles = [
        Line2D([], [], color=colour, linewidth=3, label=f"${'kT'[across]} = {lines[i]}$")
        for colour, i in zip(colours, chosen, strict=True)
    ]
    for name, (label, look) in NAMES.items():
        if name in arrays:
            values = np.take(arrays[name], chosen, axis=1 - across)
            draw_together(axes, x, values if across else values.T, colours, look)
            handles.append(Line2D([], [], color=GREY, label=label, **look))
    for colour, i in zip(colours, chosen, strict=True):
        points = sorted(
            (at[across], error) for at, error in trained.items() if at[1 - across] == lines[i]
        )
        if points:
            axes.plot(*np.array(points).T, color=colour, linestyle="none", **MARKER)
    if trained:
        look = {"color": GREY, "linestyle": "none", **MARKER}
        handles.append(Line2D([], [], label="trained, best", **look))
    style.panel_head(axes, ("Error by depth", "Error by width")[across])
    if across:
        axes.set_xlabel("width $k$")
        axes.set_xscale("log")
        axes.set_xlim(x[0] / 1.15, x[-1] * 1.15)
        style.ticks_at(axes, [float(k) for k in x])
    else:
        _depth_axis(axes, x)
    axes.set_ylim(-0.012, 0.53)
    axes.set_ylabel("0-1 error")
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.03),
        handlelength=1.4,
        labelspacing=0.3,
        borderaxespad=0.2,
    )


def draw_together(
    axes: Axes, x: np.ndarray, values: np.ndarray, colours: list[Any], look: dict[str, Any]
) -> None:
    """Lines (lines, points) over x; where some lie on each other, each shows as dashes between
    those of the others."""
    shown = {"linewidths": look["linewidth"]}
    for place, (line, colour) in enumerate(zip(values, colours, strict=True)):
        same = np.isclose(values, line, rtol=0, atol=1e-12)
        segments, dashes = [], []
        for i in range(len(x) - 1):
            if np.isfinite(line[i : i + 2]).all():
                alike = np.flatnonzero(same[:, i] & same[:, i + 1])
                rank, others = int(np.searchsorted(alike, place)), len(alike) - 1
                segments.append([(x[i], line[i]), (x[i + 1], line[i + 1])])
                dashes.append((_DASH * rank, (_DASH, _DASH * others)) if others else "solid")
        parts = LineCollection(segments, colors=[colour], linestyles=dashes, **shown)
        axes.add_collection(parts)
        there = np.isfinite(np.concatenate([[np.nan], line, [np.nan]]))
        alone = there[1:-1] & ~there[:-2] & ~there[2:]
        if alone.any():  # a point without neighbours has no line
            single: dict[str, Any] = {
                "linestyle": "none",
                "marker": "_",
                "markersize": 9,
                "markeredgewidth": 2,
            }
            axes.plot(x[alone], line[alone], color=colour, **single)
        if not look["marker"]:
            continue
        marks = {key: value for key, value in look.items() if key.startswith("marker")}
        every = np.flatnonzero(
            (same.sum(axis=0) == 1) | ((np.arange(len(x)) + place) % len(values) == 0)
        )
        axes.plot(x[every], line[every], color=colour, linestyle="none", **marks)


_DASH = 3.0


def _depth_axis(axes: Axes, depths: np.ndarray) -> None:
    axes.set_xlabel("hidden layers $T$")
    style.ticks_at(axes, [float(t) for t in depths])


def _widths(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    """Theorem 2: the least width against T, logarithmic."""
    axes.set_ylabel("width $k$")
    style.panel_head(axes, "Theorem 2: least width")
    depths, least = arrays["network_depth"], arrays["least_width"]
    _depth_axis(axes, depths)
    there = np.isfinite(least)
    if not there.any():
        axes.set_yticks([])
        axes.text(0.5, 0.5, "says nothing here", transform=axes.transAxes, ha="center")
        return
    bottom = 0.8 * float(least[there].min())
    axes.set_yscale("log")
    axes.plot(depths, least, marker="o", markersize=3.5, color=style.colour(0))
    axes.fill_between(depths, bottom, least, color=style.colour(0), alpha=0.12, linewidth=0)
    axes.set_ylim(bottom=bottom)
    axes.text(0.04, 0.05, "too narrow", transform=axes.transAxes, color=style.colour(0))


def _changes(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    """d = 1: the exact least error by sign changes, and Theorem 4 for as many linear pieces."""
    m = arrays["sign_changes"]
    exact: dict[str, Any] = {"color": GREY, "linewidth": 1.6}
    axes.plot(m, arrays["changes_least_error"], label="exact: reached", **exact)
    if "changes_lower_error" in arrays:
        look: dict[str, Any] = {"linestyle": (0, (5, 2)), "drawstyle": "steps-post"}
        bound = {"color": style.colour(1), "linewidth": 1.3, **look}
        axes.plot(m, arrays["changes_lower_error"], label="Theorem 4: none below", **bound)
    axes.set_xscale("log")
    axes.set_xlim(left=m[0])
    axes.set_xlabel("sign changes $m$")
    axes.set_ylabel("0-1 error")
    axes.set_ylim(-0.012, 0.53)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), handlelength=1.4)
    style.panel_head(axes, "Least error of any classifier")


def _how(arrays: dict[str, np.ndarray], trained: dict[tuple[int, int], float]) -> str:
    text = (
        "Errors are 0-1 errors, Pr[sign f(x) ≠ y]; the hinge loss is never less. Lines in dashes "
        "of several colours lie upon each other."
    )
    if np.isnan(arrays.get("upper_error", np.nan)).any():
        text += " Theorem 3 needs a width of at least 5dr."
    if trained:
        text += (
            " Trained: the best over the recorded steps and over all other settings, on a "
            "finite test set."
        )
    return text


def _notes(study: StudyContents) -> list[str]:
    return [f"{note[0].upper()}{note[1:]}." for note in notes_of(study)]
