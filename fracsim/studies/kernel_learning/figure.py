"""The figure ``kernel-learning``: accuracy by points, or through the gradient flow."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.problems.images import ImagesProblem


def draw(
    study: StudyContents, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Accuracy against training points, a line for each kernel and number of layers; against time
    where the file has a gradient flow. The nearest neighbour is the dotted line.

    Args:
        study: what the file holds. title: replaces the figure's own. size: in inches.
    """
    arrays, facts = study.arrays, study.attributes
    names = list(dict.fromkeys(_name(study, row) for row in range(len(arrays["layers"]))))
    handles = [Line2D([], [], label=name, **style.look(i)) for i, name in enumerate(names)]
    grey: dict[str, Any] = {"color": "#606060", "linestyle": ":"}
    handles.append(Line2D([], [], label="nearest neighbour", **grey))
    notes = [
        f"Mean of {int(facts['draws'])} draws, {int(facts['test_points']):,} test points; λ by "
        "validation. Layers count the output, L = T + 1."
    ]
    figure, body = style.page((5.0, 3.2), size, notes, handles)
    axes = body.subplots()
    if "flow_accuracy" in arrays:
        _draw_flow(axes, study, names)
    else:
        _draw_points(axes, study, names)
    axes.set_ylabel("test accuracy")
    about = ImagesProblem.describe(facts)
    if "fractal" in facts:
        about = f"{facts['fractal']}, n = {facts['fractal_depth']}, curve {facts['curve']}"
    style.head(body, title, f"Kernels on {about}")
    return figure


def _name(study: StudyContents, row: int) -> str:
    kernel, layers = str(study.arrays["kernel"][row]), int(study.arrays["layers"][row])
    shown = {"ntk": "NTK", "rf": "RF"}.get(kernel, "Laplace")
    return f"{shown}, L = {layers}" if layers else shown


def _draw_points(axes: Axes, study: StudyContents, names: list[str]) -> None:
    arrays = study.arrays
    for index, name in enumerate(names):
        rows = [row for row in range(len(arrays["layers"])) if _name(study, row) == name]
        look = style.look(index)
        axes.plot(arrays["train_points"][rows], arrays["accuracy"][rows].mean(1), **look)
    control = arrays["nearest_neighbour"].mean(1)
    axes.plot(arrays["control_points"], control, color="#606060", linestyle=":", marker=".")
    axes.set(xscale="log", xlabel="training points $m$")
    style.ticks_at(axes, sorted({float(m) for m in arrays["control_points"]}))
    axes.margins(0.08)


def _draw_flow(axes: Axes, study: StudyContents, names: list[str]) -> None:
    arrays = study.arrays
    for row in range(len(arrays["layers"])):
        look = {**style.look(names.index(_name(study, row))), "marker": None}
        axes.plot(arrays["time"], arrays["flow_accuracy"][row].mean(0), **look)
    for accuracy in arrays["nearest_neighbour"].mean(1):
        axes.axhline(float(accuracy), color="#606060", linestyle=":")
    axes.set(xscale="log", xlabel="time $t$ of the gradient flow")
