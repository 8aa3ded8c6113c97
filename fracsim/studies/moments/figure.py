"""The figure ``moments``: the length of activations by layer, or by level through training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.by_level import draw_by_level

MOST = 8


def draw(
    studies: Sequence[StudyContents], title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Of random networks: M_l by layer, mean, median and band, with the exact mean; and the
    variance over layers against Σ 1/n_l. Of a training, one file: M_l by level of the points.

    Raises UsageError (more files than can be told apart, or a training beside others), FileError
    (nothing to draw)."""
    if len(studies) > MOST:
        raise UsageError(
            f"moments: at most {MOST} files can be told apart in one figure, {len(studies)} given"
        )
    if any(study.form == "training" for study in studies):
        if len(studies) > 1:
            raise UsageError("moments: a training is drawn alone; accepted is one such file")
        return draw_by_level(
            studies[0], "mean_by_level", "mean of $M_l = |x_l|^2/n_l$", title, size
        )
    for study in studies:
        if study.form != "layers":
            raise FileError(f"'{study.path}' holds no moments that could be drawn")
    names = [str(study.attributes.get("about", "")) for study in studies]
    handles = [Line2D([], [], label=name, **style.look(index)) for index, name in enumerate(names)]
    grey: dict[str, Any] = {"color": "#606060"}
    handles += [
        Line2D([], [], label="mean, exact (or its limit in wide layers)", linestyle=":", **grey),
        Line2D([], [], label="median", linestyle=(0, (4, 1.5)), linewidth=1.0, **grey),
    ]
    notes = [_draws(studies), "Band: 5 to 95 % of the draws. M_0 = 1."]
    figure, body = style.page(
        (3.4, 5.0) if style.is_narrow(size) else (7.2, 3.0), size, notes, handles
    )
    left, right = body.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
    drawn: list[float] = []
    for index, study in enumerate(studies):
        drawn += _draw_layers(left, study, index)
    style.log_axis(left, drawn)
    left.set(xlabel="hidden layer $l$", ylabel="$M_l = |x_l|^2/n_l$")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    _draw_variance(right, studies)
    style.head(body, title, "Length of activations in random networks")
    return figure


def _draws(studies: Sequence[StudyContents]) -> str:
    said = sorted(
        {
            f"{int(study.attributes['draws']):,} "
            + ("χ² chains" if study.attributes["law"] == "chain" else "whole networks")
            for study in studies
        }
    )
    return f"Each: {' or '.join(said)}."


def _draw_layers(axes: Axes, study: StudyContents, index: int) -> list[float]:
    arrays, look = study.arrays, style.look(index)
    layer = arrays["layer"]
    low = np.where(arrays["low"] > 0, arrays["low"], np.nan)
    axes.fill_between(layer, low, arrays["high"], color=look["color"], alpha=0.13, linewidth=0)
    axes.plot(layer, arrays["mean"], **{**look, "linestyle": "-"})
    axes.plot(
        layer,
        np.where(arrays["median"] > 0, arrays["median"], np.nan),
        color=look["color"],
        linestyle=(0, (4, 1.5)),
        linewidth=1.0,
    )
    for name in ("mean_exact", "mean_limit"):
        if np.isfinite(arrays[name]).any():
            axes.plot(layer, arrays[name], color="#000000", linestyle=":", linewidth=1.2, zorder=5)
    values = np.concatenate([low, arrays["high"], arrays["mean"]])
    return [float(value) for value in values if np.isfinite(value) and value > 0]


def _draw_variance(axes: Axes, studies: Sequence[StudyContents]) -> None:
    """Sampled, filled; exact, a ring."""
    drawn = []
    for index, study in enumerate(studies):
        beta = float((1 / study.arrays["units"]).sum())
        look = {**style.look(index), "linestyle": "none"}
        sampled = float(study.attributes["layer_variance_sampled"])
        exact = float(study.attributes["layer_variance_exact"])
        axes.plot([beta], [sampled], **look)
        drawn.append(sampled)
        if np.isfinite(exact):
            axes.plot(
                [beta],
                [exact],
                marker="o",
                markersize=10,
                markerfacecolor="none",
                markeredgecolor="#000000",
                markeredgewidth=0.8,
                linestyle="none",
            )
            drawn.append(exact)
    style.log_axis(axes, drawn)
    axes.margins(0.2)
    axes.set(xlabel="Σ 1/n_l over layers", ylabel="variance over layers (ring: exact)")
