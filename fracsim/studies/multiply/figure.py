"""The figure ``multiply``: what depth saves where numbers are multiplied."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.studies.multiply.counts import MOST_FACTORS, binary_tree, unequal_trees

_NEEDED = ("units", "deep_error", "shallow_error")
_MOST_DRAWN = 100_000
"""Neurons, beyond which a line ends."""


def draw(
    study: StudyContents, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Neurons of a product against how many numbers it multiplies, up to those of the file, a line
    for each number of hidden layers; beside it the error of a product of two against its ReLU
    units, composed or in one hidden layer.

    Args:
        study: a file of ``fracsim multiply``.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: a file without the counts.
    """
    arrays = study.arrays
    if any(name not in arrays for name in _NEEDED) or "factors" not in study.attributes:
        raise FileError(f"'{study.path}' is not a valid fracsim file: it holds no counts to draw")
    factors = min(max(int(study.attributes["factors"]), 2), MOST_FACTORS)
    note = (
        "Neurons: smooth units, groups of any size, a number that waits carried by 2 a layer. "
        "Error: ReLU units, two numbers of [-1, 1], the largest error."
    )
    own = (3.4, 4.8) if style.is_narrow(size) else (6.8, 3.0)
    figure, body = style.page(own, size, [note])
    left, right = body.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
    _draw_counts(left, factors)
    _draw_errors(right, arrays)
    style.head(body, title, "Multiplying numbers: what depth saves")
    return figure


def _draw_counts(axes: Axes, factors: int) -> None:
    """Neurons of the best tree against n, a line for each number of hidden layers."""
    numbers = range(2, factors + 1)
    trees = {n: unequal_trees(n) for n in numbers}
    for index, layers in enumerate(range(1, min(max(trees[factors]), 4) + 1)):
        there = [n for n in numbers if layers in trees[n] and trees[n][layers] <= _MOST_DRAWN]
        look = {**style.look(index), "marker": "", "linewidth": 1.8}
        label = f"$k = {layers}$"
        axes.plot(there, [float(trees[n][layers]) for n in there], label=label, **look)
    tree = [float(binary_tree(n)) for n in numbers]
    axes.plot(numbers, tree, color="#606060", linewidth=0.8, zorder=1, label="binary tree")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    style.ticks_at(axes, [2.0**i for i in range(1, 9) if 2**i <= factors])
    axes.set_xlabel("numbers $n$ to multiply")
    axes.set_ylabel("neurons")
    axes.legend(loc="upper left", title="hidden layers")


def _draw_errors(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    lines = (("deep_error", "composed sawteeth"), ("shallow_error", "one hidden layer"))
    for number, (name, label) in enumerate(lines):
        there = np.isfinite(arrays[name]) & (arrays[name] > 0)
        axes.plot(arrays["units"][there], arrays[name][there], label=label, **style.look(number))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    style.ticks_at(axes, [4.0, 16.0, 64.0, 256.0])
    axes.set_xlabel("ReLU units of one product")
    axes.set_ylabel("largest error")
    axes.legend(loc="lower left")
