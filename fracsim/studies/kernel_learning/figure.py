"""The figure ``kernel-learning``: accuracy by points, or through the gradient flow."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.figures.collect import caveats_of, describe
from fracsim.products.runs import Runs
from fracsim.studies.kernel_learning.trained import trained_lines

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
    names = list(dict.fromkeys(name for study in studies for name in _names(study)))
    trained = trained_lines(studies, runs)
    depths = sorted({depth for lines in trained for depth in lines})
    handles = [Line2D([], [], label=name, **style.look(i)) for i, name in enumerate(names)]
    handles.append(Line2D([], [], label="nearest neighbour", color=GREY, linestyle=":"))
    looks = {depth: _depth_look(depth, depths) for depth in depths}
    handles += [Line2D([], [], label=f"trained, T = {T}", **look) for T, look in looks.items()]
    rows, columns = style.arrange(len(studies), size, 2)
    own = (5.0, 3.2) if len(studies) == 1 else (3.5 * columns, 2.7 * rows)
    figure, body = style.page(own, size, _notes(studies, runs), handles)
    panels = body.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(studies) :]:
        axes.remove()
    for axes, study, lines in zip(panels, studies, trained, strict=False):
        if "flow_accuracy" in study.arrays:
            _draw_flow(axes, study, names)
        else:
            _draw_points(axes, study, names, lines, looks)
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
        notes.append(f"Trained: {runs.selected()}; the same numbers of training points.")
    return [*notes, *caveats_of(runs)]


def _names(study: StudyContents) -> list[str]:
    """The name of each row: kernel and layers."""
    kernels = {"ntk": "NTK", "rf": "RF"}
    return [
        kernels.get(str(kernel), "Laplace") + (f", L = {layers}" if layers else "")
        for kernel, layers in zip(study.arrays["kernel"], study.arrays["layers"], strict=True)
    ]


def _depth_look(depth: int, depths: list[int]) -> dict[str, Any]:
    place = depths.index(depth)
    colour = style.shade(place, len(depths))
    return {**_TRAINED, "color": colour, "marker": style.MARKERS[place % len(style.MARKERS)]}


def _draw_points(
    axes: Axes,
    study: StudyContents,
    names: list[str],
    lines: dict[int, list[tuple[int, float]]],
    looks: dict[int, dict[str, Any]],
) -> None:
    arrays, own = study.arrays, _names(study)
    for name in dict.fromkeys(own):
        rows = [row for row, other in enumerate(own) if other == name]
        look = style.look(names.index(name))
        axes.plot(arrays["train_points"][rows], arrays["accuracy"][rows].mean(1), **look)
    control = arrays["nearest_neighbour"].mean(1)
    axes.plot(arrays["control_points"], control, color=GREY, linestyle=":", marker=".")
    for depth, points in lines.items():
        axes.plot(*zip(*points, strict=True), **looks[depth])
    axes.set(xscale="log", xlabel="training points $m$")
    every = {float(m) for m in arrays["control_points"]}
    every |= {float(m) for points in lines.values() for m, _ in points}
    style.ticks_at(axes, sorted(every))
    axes.margins(0.08)


def _draw_flow(axes: Axes, study: StudyContents, names: list[str]) -> None:
    arrays = study.arrays
    for row, name in enumerate(_names(study)):
        look = {**style.look(names.index(name)), "marker": None}
        axes.plot(arrays["time"], arrays["flow_accuracy"][row].mean(0), **look)
    for accuracy in arrays["nearest_neighbour"].mean(1):
        axes.axhline(float(accuracy), color=GREY, linestyle=":")
    axes.set(xscale="log", xlabel="time $t$ of the gradient flow")
