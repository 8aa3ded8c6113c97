"""The figure ``quantise``: what bits are worth."""

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


def draw(
    studies: Sequence[StudyContents], title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Accuracy by bits, a line for each file; of one file, the levels too; or the error of splines.

    Args:
        studies: files of ``fracsim quantise``, all of one form.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: a file of a converted network, or of one without accuracies.
        UsageError: files of different forms.
    """
    forms = {study.form for study in studies}
    if len(forms) > 1:
        raise UsageError(f"accepted are files of one form, and these are {', '.join(forms)}")
    for study in studies:
        if study.form == "converted":
            raise FileError(f"'{study.path}' holds a converted network; accepted are rounded ones")
    if forms == {"distance"}:
        return _draw_distances(studies, title, size)
    of = "accuracy" if all("accuracy" in study.arrays for study in studies) else "largest_change"
    by_level = len(studies) == 1 and "accuracy_by_level" in studies[0].arrays
    handles = _levels(studies[0]) if by_level else _networks(studies)
    note = "Weights and biases rounded to power-of-two grids, layer by layer."
    figure, body = style.page((4.8, 3.0), size, [note], handles)
    axes = body.subplots()
    if by_level:
        _draw_levels(axes, studies[0])
    else:
        for i, study in enumerate(studies):
            axes.plot(study.arrays["bits"], study.arrays[of], **style.look(i))
    if of == "largest_change":
        axes.set_yscale("symlog", linthresh=1e-12)
    _bits_axis(axes)
    axes.set_ylabel(of.replace("_", " "))
    style.head(body, title, "A network rounded to few bits")
    return figure


def _bits_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("bits of each weight")


def _levels(study: StudyContents) -> list[Line2D]:
    n = study.arrays["accuracy_by_level"].shape[1] - 1
    names = [f"negatives at level {j}" for j in range(n)] + ["positives"]
    looks = [
        Line2D([], [], color=style.shade(j, n + 1), label=name) for j, name in enumerate(names)
    ]
    return [Line2D([], [], color="#000000", linewidth=2.4, label="all points"), *looks]


def _networks(studies: Sequence[StudyContents]) -> list[Line2D]:
    abouts = [str(study.attributes.get("about", "")).split(";")[0] for study in studies]
    return [Line2D([], [], label=about, **style.look(i)) for i, about in enumerate(abouts)]


def _draw_levels(axes: Axes, study: StudyContents) -> None:
    bits, by_level = study.arrays["bits"], study.arrays["accuracy_by_level"]
    for j in range(by_level.shape[1]):
        axes.plot(bits, by_level[:, j], color=style.shade(j, by_level.shape[1]), linewidth=1.2)
    whole: dict[str, Any] = {
        "color": "#000000",
        "linewidth": 2.4,
        "zorder": 1.9,
    }  # below the levels
    axes.plot(bits, study.arrays["accuracy"], **whole)
    exact = bits[study.arrays["exact"] == 1]
    if exact.size:
        axes.axvline(exact.min(), color="#808080", linewidth=0.8, linestyle="--")
        axes.annotate(
            "exact",
            (exact.min(), 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(4, 2),
            textcoords="offset points",
            fontsize=7,
        )
    axes.set_ylim(-0.03, 1.03)


def _draw_distances(
    studies: Sequence[StudyContents], title: str | None, size: style.Inches | None
) -> Figure:
    rows = [
        (int(n), study.arrays["bits"], errors)
        for study in studies
        for n, errors in zip(study.arrays["pieces"], study.arrays["sup_error"], strict=True)
    ]
    handles = [
        Line2D([], [], label=f"{n:,} pieces", **style.look(i)) for i, (n, _, _) in enumerate(rows)
    ]
    note = "Interpolants with one hidden layer, all weights and biases on one grid."
    figure, body = style.page((4.4, 3.0), size, [note], handles)
    axes = body.subplots()
    for i, (_, bits, errors) in enumerate(rows):
        axes.plot(bits, errors, **style.look(i))
    style.log_axis(axes, np.concatenate([errors for _, _, errors in rows]))
    _bits_axis(axes)
    axes.set_ylabel("largest error")
    style.head(body, title, "Distance from the Cantor set")
    return figure
