"""The figure ``ntk``: how tangent kernels of finite random networks are spread."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.studies import StudyContents
from fracsim.figures import style


def draw(
    study: StudyContents, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Left: the distribution of Θ_n(x, x), a line for each width; right: n Var/mean² by width and
    its limit.

    Args:
        study: what the file holds. title: replaces the figure's own. size: in inches.
    """
    arrays, facts = study.arrays, study.attributes
    depth, widths = int(facts["network_depth"]), arrays["width"]
    handles = [
        Line2D([], [], label=f"n = {width}", color=style.shade(row, len(widths)))
        for row, width in enumerate(widths)
    ]
    handles.append(Line2D([], [], color="#000000", linestyle=":", label="exact mean, and limit"))
    notes = [
        f"{int(facts['draws']):,} random networks of each width, Gaussian weights, no biases; "
        "|x|² = n_0. Bars: ± 2 standard errors."
    ]
    figure, body = style.page(
        (3.4, 4.8) if style.is_narrow(size) else (7.2, 2.8), size, notes, handles
    )
    left, right = body.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
    top = float(np.quantile(arrays["diagonal"], 0.995))
    for row in range(len(widths)):
        heights, edges = np.histogram(arrays["diagonal"][row], 40, (0, top), density=True)
        left.stairs(heights, edges, color=style.shade(row, len(widths)), linewidth=1.2)
    left.axvline(depth + 1, color="#000000", linestyle=":")
    left.set(xlabel="tangent kernel $Θ_n(x, x)$", ylabel="density", xlim=(0, top))
    right.axhline(float(arrays["limit"][0]), color="#000000", linestyle=":")
    for row, width in enumerate(widths):
        value, error = arrays["variance_times_width"][row], arrays["variance_error"][row]
        look = {"color": style.shade(row, len(widths)), "marker": "o", "capsize": 2}
        right.errorbar([width], [value], [2 * error], **look)
    right.set(xscale="log", xlabel="width $n$", ylabel="$n$ · variance / mean²")
    style.ticks_at(right, [float(width) for width in widths])
    right.margins(0.15)
    right.set_ylim(bottom=0)
    style.head(body, title, f"Tangent kernels at random weights, T = {depth}")
    return figure
