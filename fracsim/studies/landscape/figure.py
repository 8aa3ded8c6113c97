"""The figure ``landscape``: contours of the loss, a training among them, or curves on a line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.errors import UsageError
from fracsim.figures import style

_LEVELS = 24
"""Contours between the least and the greatest loss, in equal ratios."""
_FLOOR = 1e-3
"""Losses below this share of the greatest one have one colour."""


def draw(
    studies: Sequence[StudyContents], title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Contours of one file, a panel for all points and one for each level; or a curve for each file
    of a line.

    Args:
        studies: files of ``fracsim landscape``; of planes, one.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        UsageError: several files, of which one is a plane. FileError: one of an unfinished grid.
    """
    for study in studies:
        if study.form == "partial":
            raise FileError(
                f"'{study.path}' holds the finished places of a landscape; accepted is the file "
                "that --output writes"
            )
    if all(study.form == "line" for study in studies):
        return _draw_lines(studies, title, size)
    if len(studies) > 1:
        planes = ", ".join(f"'{one.path}'" for one in studies if one.form != "line")
        raise UsageError(f"one figure holds one plane, or several lines; planes are {planes}")
    return _draw_plane(studies[0], title, size)


def _draw_plane(study: StudyContents, title: str | None, size: style.Inches | None) -> Figure:
    arrays = study.arrays
    parts = [("all points", arrays["loss"]), *_by_level(arrays)]
    walk, narrow = "path_a" in arrays, style.is_narrow(size)
    rows, columns = style.arrange(len(parts), size, 3)
    if narrow:  # maps need less room than curves
        columns = min(len(parts), 2)
        rows = -(-len(parts) // columns)
    side = 1.4 if narrow and columns > 1 else 2.2
    own = (3.4, 2.9) if len(parts) == 1 else (side * columns + 0.9, 0.88 * side * rows + 0.3)
    if walk:
        own = (own[0], own[1] + 2.2) if narrow else (own[0] + 2.3, max(own[1], 3.0))
    figure, body = style.page(own, size, [_measured(study)], _path_handles() if walk else ())
    inner: Any = body
    if walk:
        parted: Any = (
            body.subfigures(2, 1, height_ratios=(own[1] - 2.2, 2.2))
            if narrow
            else body.subfigures(1, 2, width_ratios=(own[0] - 2.3, 2.3))
        )
        inner, beside = parted
        _draw_explained(beside.subplots(), arrays)
    all_axes = np.atleast_1d(inner.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    norm = _norm([values for _, values in parts])
    for axes, (name, values) in zip(all_axes, parts, strict=False):
        drawn = _contours(axes, arrays, values, norm)
        if len(parts) > 1:
            axes.set_title(name)
        if walk:
            _draw_path(axes, arrays)
    for axes in all_axes[len(parts) :]:
        axes.set_visible(False)
    style.outer_labels(all_axes[: len(parts)])
    _label(inner, list(all_axes[: len(parts)]), walk, arrays)
    bar = inner.colorbar(drawn, ax=list(all_axes), label="loss", aspect=28, pad=0.02)
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    name = "Loss in the plane of a training" if walk else "Loss around a network"
    style.head(body, title, name)
    return figure


def _by_level(arrays: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    if "loss_by_level" not in arrays:
        return []
    last = len(arrays["level"]) - 1
    names = [f"negatives, level {j}" if j < last else "positives" for j in range(last + 1)]
    losses = arrays["loss_by_level"]
    return [(name, losses[:, :, j]) for j, name in enumerate(names) if arrays["share"][j] > 0]


def _norm(parts: list[np.ndarray]) -> LogNorm:
    values = np.concatenate([part.ravel() for part in parts])
    finite = values[np.isfinite(values)]
    high = float(finite.max(initial=0.0)) or 1.0
    low = max(float(finite.min(initial=high)), _FLOOR * high)
    return LogNorm(low if low < high else 0.5 * high, high)


def _contours(axes: Axes, arrays: dict[str, np.ndarray], values: np.ndarray, norm: LogNorm) -> Any:
    low, high = float(norm.vmin or 0), float(norm.vmax or 1)
    levels = np.geomspace(low, high, _LEVELS)
    levels[0], levels[-1] = low, high
    shown = np.clip(np.where(np.isnan(values), np.inf, values), low, high).T
    a, b = arrays["a"], arrays["b"]
    drawn = axes.contourf(a, b, shown, levels=levels, norm=norm, cmap="viridis_r")
    axes.contour(a, b, shown, levels=levels[1:-1:2], colors="white", linewidths=0.35, alpha=0.7)
    axes.grid(visible=False)
    return drawn


def _label(body: SubFigure, axes: list[Axes], walk: bool, arrays: dict[str, np.ndarray]) -> None:
    first, second = "first direction", "second direction"
    if walk:
        shares = arrays["explained"]
        first, second = (f"component {i + 1} ({shares[i]:.0%} of the variance)" for i in range(2))
    else:
        for one in axes:
            one.plot([0], [0], "+", color="black", markersize=6, markeredgewidth=1.0)
    if len(axes) == 1:
        axes[0].set(xlabel=first, ylabel=second)
    else:
        points = style.rc["axes.labelsize"]
        body.supxlabel(first, fontsize=points)
        body.supylabel(second, fontsize=points)


def _path_handles() -> list[Line2D]:
    look: dict[str, Any] = {"color": style.PALETTE[1], "marker": "o", "markersize": 3}
    return [
        Line2D([], [], label="training, a dot for each record", **look),
        Line2D([], [], label="its start", color="black", marker="s", linestyle="none"),
        Line2D([], [], label="its end", color="black", marker="*", linestyle="none"),
    ]


def _draw_path(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    x, y = arrays["path_a"], arrays["path_b"]
    axes.plot(x, y, color=style.PALETTE[1], marker="o", markersize=2.2, linewidth=1.0)
    axes.plot(x[:1], y[:1], "s", color="black", markersize=4)
    axes.plot(x[-1:], y[-1:], "*", color="black", markersize=7)


def _draw_explained(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    shares, null = arrays["explained"], arrays["explained_null"]
    i = np.arange(1, len(shares) + 1)
    axes.plot(i, np.maximum(shares, 1e-6), **style.look(0), label="training")
    axes.plot(i, null, **style.look(1), label="random walk")
    axes.set(xlabel="principal component", ylabel="explained variance", yscale="log")
    axes.set_ylim(max(float(shares.min()), 1e-4) / 2, 1.5)
    style.ticks_at(axes, [float(value) for value in i[:: max(1, len(i) // 5)]])
    axes.legend()


def _draw_lines(
    studies: Sequence[StudyContents], title: str | None, size: style.Inches | None
) -> Figure:
    one = len(studies) == 1 and "loss_by_level" in studies[0].arrays
    lines = _lines_of_levels(studies[0].arrays) if one else _lines_of_files(studies)
    handles = [Line2D([], [], label=name, **look) for name, _, _, look in lines]
    notes = list(dict.fromkeys(_measured(study) for study in studies))
    between = any("to" in study.attributes for study in studies)
    figure, body = style.page((4.4, 2.8), size, notes, handles)
    axes = body.subplots()
    every = np.concatenate([loss[np.isfinite(loss)] for _, _, loss, _ in lines])
    floor = _FLOOR * float(every.max(initial=0.0)) or 1e-6
    for _, a, loss, look in lines:
        shown = np.where(np.isfinite(loss), np.maximum(loss, floor), np.nan)
        axes.plot(a, shown, **(look | {"marker": None}))
    style.log_axis(axes, np.maximum(every, floor))
    axes.set_ylabel("loss")
    axes.set_xlabel(
        "from one network (0) to the other (1)" if between else "along a random direction"
    )
    if between:
        for end in (0.0, 1.0):
            axes.axvline(end, color="#909090", linewidth=0.8, linestyle=":")
    own_title = "Loss between two networks" if between else "Loss along a line"
    style.head(body, title, own_title)
    return figure


Line = tuple[str, np.ndarray, np.ndarray, dict[str, Any]]


def _lines_of_files(studies: Sequence[StudyContents]) -> list[Line]:
    return [
        (
            style.plain(Path(study.path).stem),
            study.arrays["a"],
            study.arrays["loss"][:, 0],
            _look(i),
        )
        for i, study in enumerate(studies)
    ]


def _lines_of_levels(arrays: dict[str, np.ndarray]) -> list[Line]:
    levels = _by_level(arrays)
    lines = [("all points", arrays["a"], arrays["loss"][:, 0], {"color": "black"})]
    for i, (name, loss) in enumerate(levels):
        look = {"color": style.shade(i, len(levels)), "linestyle": style.DASHES[i % 6]}
        lines.append((name, arrays["a"], loss[:, 0], look))
    return lines


def _look(index: int) -> dict[str, Any]:
    return {key: value for key, value in style.look(index).items() if "marker" not in key}


def _measured(study: StudyContents) -> str:
    facts = study.attributes
    how = f"; directions scaled by {facts['normalise']}" if "normalise" in facts else ""
    about, measured = str(facts.get("about", "")), str(facts.get("measured", ""))
    return f"{about}. {measured[:1].upper()}{measured[1:]}{how}."
