"""A measure of a network's layers through training, by level of the fractal: the figure that
``lengths``, ``moments`` and ``regions`` share."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fracsim.data.studies import StudyContents
from fracsim.figures import style


def draw_by_level(
    study: StudyContents,
    name: str,
    label: str,
    title: str | None = None,
    size: style.Inches | None = None,
) -> Figure:
    """Left: the variable ``name`` (snapshot, level, layer) in the last layer through training, a
    line for each level, test accuracy dotted; right: by layer at the last snapshot, and at the
    first, dashed. Of a single snapshot only the right one."""
    arrays = study.arrays
    steps, values = arrays["snapshot"], arrays[name]
    levels = values.shape[1]
    several = len(steps) > 1
    handles = [
        Line2D(
            [], [], color=style.shade(j, levels), marker=style.MARKERS[j % 8], label=f"level {j}"
        )
        for j in range(levels)
    ]
    grey = "#606060"
    if several:
        handles.append(Line2D([], [], color=grey, linestyle="--", label="first snapshot"))
    narrow = style.is_narrow(size)
    own = (3.6, 3.2) if not several else (3.4, 5.4) if narrow else (7.2, 3.0)
    accuracy = _accuracy(study)
    notes = [str(study.attributes.get("about", "")), *([accuracy] if accuracy else [])]
    figure, body = style.page(own, size, notes, handles)
    if several:
        through, layers = body.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
        for j in range(levels):
            through.plot(
                steps,
                _positive(values[:, j, -1]),
                color=style.shade(j, levels),
                marker=style.MARKERS[j % 8],
                markersize=3.5,
            )
        through.set(xlabel="step", ylabel=f"{label}, last layer")
        style.log_axis(through, values[:, :, -1].ravel().tolist())
    else:
        layers = body.subplots()
    for j in range(levels):
        look = {"color": style.shade(j, levels), "marker": style.MARKERS[j % 8], "markersize": 3.5}
        layers.plot(arrays["layer"], _positive(values[-1, j]), **look)
        if several:
            layers.plot(arrays["layer"], _positive(values[0, j]), linestyle="--", **look)
    layers.set(xlabel="hidden layer $l$", ylabel=label)
    style.log_axis(layers, values[[0, -1]].ravel().tolist())
    layers.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.head(body, title, ("Through training" if several else "By level of the fractal"))
    return figure


def _accuracy(study: StudyContents) -> str:
    """The test accuracy at the first and the last snapshot."""
    found = study.arrays["test_accuracy"]
    if not np.isfinite(found).any():
        return ""
    known = found[np.isfinite(found)]
    return f"Test accuracy from {known[0]:.4f} to {known[-1]:.4f}, {len(found)} snapshots."


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values > 0, values, np.nan)
