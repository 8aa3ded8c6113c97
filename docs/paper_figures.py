"""The figures of docs/paper.md; docs/paper.py chooses what they show."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fracsim.figures import style

IMAGES = Path(__file__).resolve().parent / "images"
GREY = "#404040"

Cells = Mapping[int, Sequence[float]]
"""A width or curve -> the best test accuracy of each seed."""


def depth_width_figure(
    cells: Mapping[int, Cells], theirs: Mapping[int, Mapping[int, float]], name: str
) -> None:
    """Accuracy against width, a line and a band of seeds for each depth (``cells[depth][width]``);
    the paper's points hollow."""
    with style.styled():
        figure, axes = _started()
        for index, (depth, found) in enumerate(cells.items()):
            look = style.look(index)
            _band(axes, found, f"T = {depth}", look)
            points = {w: theirs[depth][w] for w in found if w in theirs.get(depth, {})}
            hollow = {"marker": look["marker"], "mfc": "none", "ms": 7.5, "ls": "none"}
            axes.plot(list(points), list(points.values()), color=look["color"], **hollow)
        axes.set_xscale("log")
        widths = sorted({width for found in cells.values() for width in found})
        style.ticks_at(axes, [float(width) for width in widths])
        axes.set_xlabel("width k")
        axes.plot([], [], "o", mfc="none", mec=GREY, ms=7.5, label="the paper's")
        _ended(figure, axes, name)


def curve_figure(
    cells: Mapping[str, Cells],
    dead: Mapping[str, Cells],
    theirs: Cells,
    controls: Mapping[str, Mapping[int, float]],
    name: str,
) -> None:
    """Accuracy against the approximation curve, a line and a band of the seeds that live for each
    kind of network (``cells[label][curve]``), a cross for each that died, the controls in grey."""
    with style.styled():
        figure, axes = _started(3.6)
        for index, (label, found) in enumerate(cells.items()):
            look = style.look(index)
            _band(axes, found, label, look)
            for curve, values in dead.get(label, {}).items():
                axes.plot([curve] * len(values), values, "x", color=look["color"])
        if any(values for found in dead.values() for values in found.values()):
            axes.plot([], [], "x", color=GREY, label="died")
        means = [statistics.fmean(values) for values in theirs.values()]
        axes.plot(list(theirs), means, "o", mfc="none", mec=GREY, ms=7.5, label="the paper's")
        for (label, shares), line in zip(controls.items(), ("--", ":"), strict=False):
            axes.plot(list(shares), list(shares.values()), line, color="#808080", label=label)
        style.ticks_at(axes, [float(curve) for curve in theirs])
        axes.set_xlabel("approximation curve, from coarse to fine")
        _ended(figure, axes, name, columns=2)


def _started(height: float = 3.3) -> tuple[Figure, Axes]:
    figure = style.new_figure((3.4, height))
    return figure, figure.subplots()


def _band(axes: Axes, found: Cells, label: str, look: dict[str, object]) -> None:
    there = {key: values for key, values in found.items() if values}
    means = [statistics.fmean(values) for values in there.values()]
    axes.plot(list(there), means, label=label, **look)
    low, high = ([side(values) for values in there.values()] for side in (min, max))
    axes.fill_between(list(there), low, high, color=look["color"], alpha=0.18, lw=0)


def _ended(figure: Figure, axes: Axes, name: str, columns: int = 3) -> None:
    axes.set_ylabel("best test accuracy")
    figure.legend(ncols=columns, loc="outside lower center")
    style.save(figure, IMAGES / name)
