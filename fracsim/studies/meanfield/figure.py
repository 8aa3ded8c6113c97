"""The figure ``meanfield``: both maps and the phases, as ``fracsim meanfield`` stored them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.studies import StudyContents
from fracsim.figures import style


def draw(
    study: StudyContents, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Left: the length map; middle: the correlation map at q*; right: χ₁ over (σ_w, σ_b).

    Args:
        study: what the file holds. title: replaces the figure's own. size: in inches.
    """
    facts = study.attributes
    handles = [
        Line2D([], [], color=style.colour(0), label="one layer's map"),
        Line2D([], [], color="#808080", linestyle=":", label="as before"),
        Line2D(
            [], [], color=style.colour(1), marker="o", linestyle="none", label="fixed point, here"
        ),
        Line2D([], [], color="#000000", label="χ₁ = 1: order left of it, chaos right"),
    ]
    notes = [
        "Limit of wide layers; weights N(0, σ_w²/fan-in), biases N(0, σ_b²). "
        "The correlation map is at q*, or at q = 1 where there is none."
    ]
    own = (3.4, 6.6) if style.is_narrow(size) else (7.2, 2.7)
    figure, body = style.page(own, size, notes, handles)
    panels = body.subplots(*style.arrange(3, size, 3), squeeze=False).ravel()
    lengths, correlations, phases, *spare = panels
    for axes in spare:
        axes.remove()
    _draw_map(lengths, study, "q", float(facts["q_star"]), "mean square $q$")
    _draw_map(correlations, study, "c", float(facts["c_star"]), "correlation $c$")
    _draw_phases(phases, study)
    style.head(body, title, _title(study))
    return figure


def _title(study: StudyContents) -> str:
    facts = study.attributes
    chi = float(facts["chi"])
    return (
        f"{facts['activation']}, σ_w = {facts['weight_std']:g}, σ_b = {facts['bias_std']:g}: "
        f"{facts['regime']}, χ₁ = {chi:.4g}"
    )


def _draw_map(axes: Axes, study: StudyContents, name: str, fixed: float, label: str) -> None:
    x, y = study.arrays[name], study.arrays[f"{name}_next"]
    axes.plot(x, x, color="#808080", linestyle=":", linewidth=1.0)
    axes.plot(x, y, color=style.colour(0))
    if np.isfinite(fixed):
        axes.plot([fixed], [fixed], color=style.colour(1), marker="o", clip_on=False, zorder=5)
    axes.set(xlabel=f"{label} of a layer", ylabel="of the next", xlim=(x[0], x[-1]))
    axes.set_ylim(bottom=0.0)


def _draw_phases(axes: Axes, study: StudyContents) -> None:
    arrays, facts = study.arrays, study.attributes
    chis = np.ma.masked_invalid(np.log10(np.maximum(arrays["chis"], 1e-3)))
    limit = float(max(np.abs(chis).max(), 0.1))
    image = axes.pcolormesh(
        arrays["weight_stds"],
        arrays["bias_stds"],
        chis,
        cmap=style.DIVERGING.reversed(),
        vmin=-limit,
        vmax=limit,
        shading="gouraud",
        rasterized=True,
    )
    axes.plot(arrays["critical"], arrays["bias_stds"], color="#000000")
    axes.plot(
        [float(facts["weight_std"])],
        [float(facts["bias_std"])],
        color=style.colour(1),
        marker="o",
        clip_on=False,
        zorder=5,
    )
    axes.set(
        xlabel="σ_w of weights",
        ylabel="σ_b of biases",
        xlim=(arrays["weight_stds"][0], arrays["weight_stds"][-1]),
        ylim=(arrays["bias_stds"][0], arrays["bias_stds"][-1]),
    )
    axes.grid(False)
    axes.figure.colorbar(image, ax=axes, label="log₁₀ χ₁")
