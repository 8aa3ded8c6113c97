"""The figure ``ntk``: how tangent kernels of random networks are spread, or how that of a trained
one is aligned with the labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.figures.collect import describe
from fracsim.studies.study import notes_of

ALIGNED = "alignment with the labels"
BLACK: dict[str, Any] = {"color": "#000000", "linestyle": ":"}


def draw(
    study: StudyContents, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Of random networks: the distribution of Θ_n(x, x), a line for each width, and n Var/mean² by
    width and its limit. Of a trained one: alignment with the labels, by level, and how far the
    kernel moved, through the training.

    Args:
        study: what the file holds. title: replaces the figure's own. size: in inches.
    """
    if study.form == "trained":
        return _draw_trained(study, title, size)
    arrays, facts = study.arrays, study.attributes
    depth, widths = int(facts["network_depth"]), arrays["width"]
    handles = [
        Line2D([], [], label=f"n = {width}", color=style.shade(row, len(widths)))
        for row, width in enumerate(widths)
    ]
    handles.append(Line2D([], [], label="exact mean, and limit", **BLACK))
    notes = [
        f"{int(facts['draws']):,} random networks of each width, Gaussian weights, no biases; "
        "|x|² = n_0. Bars: ± 2 standard errors."
    ]
    figure, body, left, right = _two_panels(notes, handles, size)
    style.head(body, title, f"Tangent kernels at random weights, T = {depth}")
    top = float(np.quantile(arrays["diagonal"], 0.995))
    for row in range(len(widths)):
        heights, edges = np.histogram(arrays["diagonal"][row], 40, (0, top), density=True)
        left.stairs(heights, edges, color=style.shade(row, len(widths)), linewidth=1.2)
    left.axvline(depth + 1, **BLACK)
    left.set(xlabel="tangent kernel $Θ_n(x, x)$", ylabel="density", xlim=(0, top))
    right.axhline(float(arrays["limit"][0]), **BLACK)
    for row, width in enumerate(widths):
        value, error = arrays["variance_times_width"][row], arrays["variance_error"][row]
        look = {"color": style.shade(row, len(widths)), "marker": "o", "capsize": 2}
        right.errorbar([width], [value], [2 * error], **look)
    right.set(xscale="log", xlabel="width $n$", ylabel="$n$ · variance / mean²")
    style.ticks_at(right, [float(width) for width in widths])
    right.margins(0.15)
    right.set_ylim(bottom=0)
    return figure


def _draw_trained(study: StudyContents, title: str | None, size: style.Inches | None) -> Figure:
    arrays, facts = study.arrays, study.attributes
    levels = len(arrays.get("level", ()))
    by_level = arrays["alignment_by_level"] if levels else np.empty((0, 0))
    looks = [
        {
            "color": style.shade(j, levels),
            "marker": style.MARKERS[j % len(style.MARKERS)],
            "markersize": 3.5,
        }
        for j in range(levels)
    ]
    handles = [Line2D([], [], label=f"level {j}", **look) for j, look in enumerate(looks)]
    handles.append(Line2D([], [], label="all points", **BLACK))
    notes = [
        f"{int(facts['points']):,} test points. A level: its points and all of the class that it "
        "lacks, both classes weighing alike.",
        *notes_of(study),
    ]
    notes = notes if levels else notes[1:]
    steps, about = arrays["snapshot"], f"The tangent kernel of a network trained on {_name(facts)}"
    if len(steps) == 1:
        figure, body = style.page((3.8, 2.8), size, notes, handles[-1:])
        axes = body.subplots()
        for j, look in enumerate(looks):
            axes.plot([j], [by_level[0, j]], **look)
        axes.axhline(float(arrays["alignment"][0]), **BLACK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="level $j$", ylabel=ALIGNED)
        style.head(body, title, f"{about}, step {steps[0]:,}")
        return figure
    figure, body, left, right = _two_panels(notes, handles, size)
    for j, look in enumerate(looks):
        left.plot(steps, by_level[:, j], **look)
    left.plot(steps, arrays["alignment"], **BLACK)
    right.plot(steps, arrays["moved"], **style.look(0))
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(4))
    left.set_ylabel(ALIGNED)
    right.set(ylabel="$1 - ⟨Θ, Θ_0⟩ / (‖Θ‖ ‖Θ_0‖)$", ylim=(0, None))
    style.head(body, title, about)
    return figure


def _name(facts: Mapping[str, Any]) -> str:
    known = "fractal" in facts or "problem" in facts
    return describe(facts) if known else "its problem"


def _two_panels(
    notes: Sequence[str], handles: Sequence[Line2D], size: style.Inches | None
) -> tuple[Figure, SubFigure, Axes, Axes]:
    own = (3.4, 4.8) if style.is_narrow(size) else (7.2, 2.8)
    figure, body = style.page(own, size, notes, handles)
    left, right = body.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
    return figure, body, left, right
