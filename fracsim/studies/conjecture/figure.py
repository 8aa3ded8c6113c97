"""The figure ``conjecture``: deep against shallow, with the corner that should be empty."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.fractals.curve import parse_curve
from fracsim.studies.conjecture.declaration import CORNER
from fracsim.studies.study import notes_of
from fracsim.text import counted

_CHANCE = 0.5
_MOST_PANELS = 3
_LONGEST = 16
"""Characters of a curve in the legend."""
_MOST_CURVES = 12
"""Curves that the legend names; of more, colours are told apart by their scale."""
_SCALE = ("negatives of level 0", "¼ (n - 1)", "½ (n - 1)", "¾ (n - 1)", "level n - 1")
"""Places on that scale: the mean level of the negatives, in equal steps."""
_COUNTED = (("seeds", "seed"), ("rates", "learning rate"))
_NEEDED = ("shallow_error", "deep_error", "deep_mean", "network_depth", "curve", "fractal")


def draw(
    study: StudyContents, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """A panel for each m: error of trained deep networks against the least error of shallow ones.
    Colour: the curve; marker: fractal and depth; hollow: less than the deepest networks.

    Args:
        study: the file of ``fracsim conjecture``.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: a file that holds no points.
    """
    arrays = study.arrays
    if any(name not in arrays for name in _NEEDED):
        raise FileError(f"'{study.path}' is not a valid fracsim file: it holds no points to draw")
    columns = min(len(arrays["sign_changes"]), _MOST_PANELS)
    distributions = list(dict.fromkeys(_names(arrays)))
    rows, across = style.arrange(columns, size, _MOST_PANELS)
    own = (3.6, 3.2) if columns == 1 else (2.35 * columns + 0.5, 2.75)
    if style.is_narrow(size):
        own = (3.4, 2.4 * rows)
    handles = _handles(arrays, distributions)
    figure, body = style.page(own, size, [_how(arrays), *notes_of(study)], handles)
    all_axes = body.subplots(rows, across, sharey=True, squeeze=False).ravel()
    for column, axes in enumerate(all_axes[:columns]):
        _panel(axes, arrays, column, distributions)
        if column % across == 0:
            axes.set_ylabel("error of trained deep networks")
    for axes in all_axes[columns:]:
        axes.remove()
    style.head(body, title, "Is deep better only where shallow is good?")
    return figure


def _panel(
    axes: Axes, arrays: dict[str, np.ndarray], column: int, distributions: list[str]
) -> None:
    axes.add_patch(
        Rectangle((CORNER, 0), _CHANCE - CORNER + 0.02, 0.4, color="#F3C6C0", linewidth=0, zorder=0)
    )
    axes.plot([0, _CHANCE], [0, _CHANCE], color="#909090", linewidth=0.8, linestyle=":", zorder=1)
    deepest = _deepest(arrays)
    x, names = arrays["shallow_error"][:, column], _names(arrays)
    for i in np.lexsort((np.arange(len(x)), deepest)):
        colour = _colour(arrays["curve"][i], int(arrays["fractal_depth"][i]))
        marker = style.MARKERS[distributions.index(names[i]) % len(style.MARKERS)]
        best, mean = arrays["deep_error"][i], arrays["deep_mean"][i]
        if arrays["seeds"][i] > 1:
            axes.vlines(x[i], best, mean, color=colour, linewidth=0.9, zorder=2)
        look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 5.5}
        if not deepest[i]:
            look |= {"markerfacecolor": "none", "markersize": 4.0, "markeredgewidth": 0.8}
        axes.plot([x[i]], [best], linestyle="none", zorder=3, **look)
        if arrays["upper"][i]:
            axes.plot([x[i] - 0.014], [best], "<", color=colour, markersize=2.2, zorder=3)
    m = int(arrays["sign_changes"][column])
    axes.set(xlim=(-0.02, 0.52), ylim=(-0.02, 0.54))
    axes.set_xlabel(f"least error, {m} sign changes" if m else "trained shallow networks")
    tau = arrays["kendall_tau"][column]
    if np.isfinite(tau):
        axes.set_title(f"Kendall's τ = {tau:.2f}", fontsize=8.5)


def _deepest(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Points of the deepest networks of their distribution."""
    keys = list(zip(_names(arrays), arrays["curve"], strict=True))
    depth = arrays["network_depth"]
    most = {key: max(d for k, d in zip(keys, depth, strict=True) if k == key) for key in keys}
    return np.array([d == most[key] for key, d in zip(keys, depth, strict=True)])


def _names(arrays: dict[str, np.ndarray]) -> list[str]:
    pairs = zip(arrays["fractal"], arrays["fractal_depth"], strict=True)
    return [f"{fractal}, n = {n}" for fractal, n in pairs]


def fineness(curve: str, n: int) -> float:
    """Mean level of the negatives over n - 1: 0 where all are of the coarsest, 1 of the finest."""
    shares = np.diff(parse_curve(curve).values(n))
    return float(shares @ np.arange(n)) / (0.5 * max(n - 1, 1))


def _colour(curve: str, n: int) -> Any:
    """A colour of its own for each curve, from coarse, dark, to fine, light."""
    return _at(fineness(curve, n))


def _at(fine: float) -> Any:
    return style.shade(round(1000 * fine), 1001)


def _handles(arrays: dict[str, np.ndarray], distributions: list[str]) -> list[Line2D]:
    pairs = zip(arrays["curve"].tolist(), arrays["fractal_depth"].tolist(), strict=True)
    curves = sorted(dict.fromkeys(pairs), key=lambda pair: fineness(*pair))
    several = len({n for _, n in curves}) > 1
    found = [
        Line2D(
            [],
            [],
            label=name,
            color="#404040",
            linestyle="none",
            marker=style.MARKERS[i % len(style.MARKERS)],
        )
        for i, name in enumerate(distributions)
    ]
    if len(curves) > _MOST_CURVES:
        places = np.linspace(0, 1, len(_SCALE))
        named = zip(_SCALE, places, strict=True)
        return [
            *found,
            *(Line2D([], [], label=name, color=_at(x), linewidth=4) for name, x in named),
        ]
    for curve, n in curves:
        label = f"curve {curve}" if len(curve) <= _LONGEST else f"{curve[: _LONGEST - 1]}…"
        label += f", n = {n}" if several else ""
        found.append(Line2D([], [], label=label, color=_colour(curve, n), linewidth=4))
    return found


def _how(arrays: dict[str, np.ndarray]) -> str:
    seeds, rates = (_range(arrays[key], noun) for key, noun in _COUNTED)
    depths = ", ".join(str(depth) for depth in sorted({*arrays["network_depth"].tolist()}))
    said = (
        f"Least test error of T = {depths} hidden layers over {rates}, {seeds} and the records of "
        f"{_range(arrays['steps'], 'step')}"
    )
    if arrays["seeds"].max() > 1:
        said += "; lines end at the mean over seeds at the best rate"
    said += (
        ". Filled: the deepest. Colour: mean level of the negatives, from coarse, dark, to fine. "
        "Red: shallow networks at chance and deep ones not."
    )
    if arrays["upper"].any():
        said += " In the plane shallow errors are upper bounds (arrows)."
    return said


def _range(values: np.ndarray, noun: str) -> str:
    low, high = int(values.min()), int(values.max())
    return counted(high, noun) if low == high else f"{low:,} to {counted(high, noun)}"
