"""The figure ``kernel-learning``: accuracy by points, or through the gradient flow."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.figures.collect import caveats_of, describe, steps_text
from fracsim.products.entries import distinct
from fracsim.products.runs import Runs
from fracsim.studies.kernel_learning.trained import Lines, trained_lines

Row = tuple[str, int]
"""Kernel and layers."""
NAMES = {"ntk": "NTK", "rf": "RF", "laplace": "Laplace"}
GREY = "#606060"
_TRAINED: dict[str, Any] = {"linestyle": (0, (4, 1.5)), "markeredgecolor": "white", "zorder": 3}


def draw(
    studies: Sequence[StudyContents],
    runs: Runs,
    title: str | None = None,
    size: style.Inches | None = None,
) -> Figure:
    """A panel for each file: accuracy against training points, a line for each kernel and number of
    layers; against time where the file has a gradient flow. The nearest neighbour is the dotted
    line; trained networks are dashed, a line for each depth.

    Args:
        studies: what the files hold. runs: trained networks, laid over the file that learns the
        same. title: replaces the figure's own. size: in inches.

    Raises:
        UsageError: none of the runs learns what a file's kernels learn.
    """
    looks = _looks({row for study in studies for row in _rows(study)})
    trained = trained_lines(studies, runs)
    depths = sorted({depth for lines in trained for depth in lines})
    handles = [Line2D([], [], label=_name(row), **look) for row, look in looks.items()]
    handles.append(Line2D([], [], label="nearest neighbour", color=GREY, linestyle=":"))
    deep = {depth: _depth_look(depth, depths) for depth in depths}
    handles += [Line2D([], [], label=f"trained, T = {T}", **look) for T, look in deep.items()]
    rows, columns = style.arrange(len(studies), size, 2)
    own = (5.0, 3.2) if len(studies) == 1 else (3.5 * columns, 2.7 * rows)
    figure, body = style.page(own, size, _notes(studies, runs), handles)
    panels = body.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(studies) :]:
        axes.remove()
    for axes, study, lines in zip(panels, studies, trained, strict=False):
        if "flow_accuracy" in study.arrays:
            _draw_flow(axes, study, looks)
        else:
            _draw_points(axes, study, looks, lines, deep)
        axes.set_ylabel("test accuracy")
        if len(studies) > 1:
            style.panel_head(axes, describe(study.attributes))
    about = f" on {describe(studies[0].attributes)}" if len(studies) == 1 else " of every depth"
    style.head(body, title, f"Kernels{' and trained networks' if depths else ''}{about}")
    return figure


def _notes(studies: Sequence[StudyContents], runs: Runs) -> list[str]:
    draws, tests = (
        sorted({int(study.attributes[key]) for study in studies})
        for key in ("draws", "test_points")
    )
    several = [" to ".join(f"{n:,}" for n in sorted({n[0], n[-1]})) for n in (draws, tests)]
    notes = [
        f"Kernels: {'one draw' if draws == [1] else f'mean of {several[0]} draws'}, {several[1]} "
        "test points; λ by validation. Layers count the output, L = T + 1."
    ]
    if runs.entries:
        widths = " or ".join(map(str, distinct(runs.entries, "width")))
        how = f"width {widths}, up to {steps_text(runs.entries)}"
        notes.append(f"Trained networks: {how}; {runs.selected()}.")
    return [*notes, *caveats_of(runs)]


def _rows(study: StudyContents) -> list[Row]:
    kernels, layers = study.arrays["kernel"], study.arrays["layers"]
    return [(str(kernel), int(count)) for kernel, count in zip(kernels, layers, strict=True)]


def _looks(rows: set[Row]) -> dict[Row, dict[str, Any]]:
    """Kernel and layers -> its look, in every figure the same."""
    order = {kernel: place for place, kernel in enumerate(NAMES)}
    ordered = sorted(rows, key=lambda row: (order.get(row[0], len(order)), row))
    return {row: style.look(place) for row, place in style.places(ordered).items()}


def _name(row: Row) -> str:
    kernel, layers = row
    return NAMES.get(kernel, kernel) + (f", L = {layers}" if layers else "")


def _depth_look(depth: int, depths: list[int]) -> dict[str, Any]:
    place = depths.index(depth)
    colour = style.shade(place, len(depths))
    return {**_TRAINED, "color": colour, "marker": style.MARKERS[place % len(style.MARKERS)]}


def _draw_points(
    axes: Axes,
    study: StudyContents,
    looks: dict[Row, dict[str, Any]],
    lines: Lines,
    deep: dict[int, dict[str, Any]],
) -> None:
    arrays, own = study.arrays, _rows(study)
    for one in dict.fromkeys(own):
        rows = [row for row, other in enumerate(own) if other == one]
        axes.plot(arrays["train_points"][rows], arrays["accuracy"][rows].mean(1), **looks[one])
    control = arrays["nearest_neighbour"].mean(1)
    axes.plot(arrays["control_points"], control, color=GREY, linestyle=":", marker=".")
    for depth, points in lines.items():
        axes.plot(*zip(*points, strict=True), **deep[depth])
    axes.set(xscale="log", xlabel="training points $m$")
    every = {float(m) for m in arrays["control_points"]}
    every |= {float(m) for points in lines.values() for m, _ in points}
    style.ticks_at(axes, sorted(every))
    axes.margins(0.08)


def _draw_flow(axes: Axes, study: StudyContents, looks: dict[Row, dict[str, Any]]) -> None:
    arrays = study.arrays
    for row, one in enumerate(_rows(study)):
        look = {**looks[one], "marker": None}
        axes.plot(arrays["time"], arrays["flow_accuracy"][row].mean(0), **look)
    for accuracy in arrays["nearest_neighbour"].mean(1):
        axes.axhline(float(accuracy), color=GREY, linestyle=":")
    axes.set(xscale="log", xlabel="time $t$ of the gradient flow")
