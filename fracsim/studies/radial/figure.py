"""The figure ``radial``: what one and two hidden layers pay for a function of the distance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.figures import style

_NEEDED = ("dimension", "units", "relative_error")
_NAMES = {
    "depth3": "two hidden layers",
    "ridge": "one, directions of ridge averages",
    "learnt": "one, learnt outer weights",
}


def draw(
    studies: Sequence[StudyContents], title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Relative error against units, a colour for each dimension and dashes for one hidden layer;
    beside it, where an error was asked for, the units that it needs against the dimension.

    Args:
        studies: files of ``fracsim radial``.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: a file without the errors.
    """
    for study in studies:
        if any(name not in study.arrays for name in _NEEDED):
            raise FileError(f"'{study.path}' is not a valid fracsim file: it holds no errors")
    dimensions = sorted({int(d) for study in studies for d in study.arrays["dimension"]})
    names = [str(study.attributes.get("construction", "")) for study in studies]
    asked = [study for study in studies if "error" in study.attributes]
    handles = [
        Line2D([], [], color=style.colour(i), label=f"d = {d}", linewidth=2)
        for i, d in enumerate(dimensions)
    ] + [
        Line2D([], [], color="#404040", label=_NAMES.get(name, name), **_dash(name))
        for name in dict.fromkeys(names)
    ]
    profiles = " and ".join(sorted({str(s.attributes.get("profile", "")) for s in studies}))
    note = "Radius uniform on [0, 1]; relative error: rms error over the function's deviation."
    both = bool(asked) and len(dimensions) > 1
    own = (4.4, 3.0) if not both else (3.4, 4.8) if style.is_narrow(size) else (6.8, 3.0)
    figure, body = style.page(own, size, [note], handles)
    shape = style.arrange(2 if both else 1, size, 2)
    grid = body.subplots(*shape, squeeze=False).ravel()
    for study, name in zip(studies, names, strict=True):
        _draw_errors(grid[0], study, name, dimensions)
    if both:
        for study in asked:
            _draw_needed(grid[1], study)
        style.ticks_at(grid[1], [float(d) for d in dimensions])
        style.log_axis(grid[1], np.concatenate([study.arrays["units"] for study in asked]))
        errors = sorted({float(study.attributes["error"]) for study in asked})
        grid[1].set_ylabel(f"units for error {' and '.join(f'{e:g}' for e in errors)}")
    style.head(body, title, f"Function of the distance, {profiles}")
    return figure


def _dash(name: str) -> dict[str, Any]:
    return {
        "linestyle": {"depth3": "-", "learnt": "--"}.get(name, ":"),
        "marker": {"depth3": "o", "learnt": "s"}.get(name, "^"),
    }


def _draw_errors(axes: Axes, study: StudyContents, name: str, dimensions: list[int]) -> None:
    arrays = study.arrays
    tried = "size" in arrays
    of, units, error = (
        arrays[key]
        for key in (
            ("size_dimension", "size", "size_error")
            if tried
            else ("dimension", "units", "relative_error")
        )
    )
    for d in np.unique(of):
        there = np.flatnonzero(of == d)
        there = there[np.argsort(units[there])]
        look = {"color": style.colour(dimensions.index(int(d))), "markersize": 3.5, **_dash(name)}
        axes.plot(units[there], error[there], **look)
    if "error" in study.attributes:
        axes.axhline(float(study.attributes["error"]), color="#808080", linewidth=0.8, zorder=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("units")
    axes.set_ylabel("relative error")


def _draw_needed(axes: Axes, study: StudyContents) -> None:
    arrays, name = study.arrays, str(study.attributes.get("construction", ""))
    reached = arrays["relative_error"] <= float(study.attributes["error"])
    look = {"color": "#404040", **_dash(name)}
    axes.plot(arrays["dimension"][reached], arrays["units"][reached], **look)
    beyond = ~reached
    axes.plot(
        arrays["dimension"][beyond],
        arrays["units"][beyond],
        linestyle="none",
        marker="^",
        markerfacecolor="none",
        color="#404040",
    )
    if beyond.any():
        axes.annotate(
            "not reached",
            (arrays["dimension"][beyond][0], arrays["units"][beyond][0]),
            textcoords="offset points",
            xytext=(-4, 6),
            ha="right",
            fontsize=7,
        )
    axes.set_xscale("log", base=2)
    axes.set_xlabel("dimension $d$")
