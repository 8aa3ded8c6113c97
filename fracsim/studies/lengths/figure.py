"""The figure ``lengths``: length of a curve by layer, as ``fracsim lengths`` stored it."""

from collections.abc import Sequence

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
    """Of random networks: length over the input's by layer, and per unit against the width of one
    layer where the files have one each. Of a stored network, one file: by level of the cells.

    Raises UsageError (more files than can be told apart, or a stored network beside others),
    FileError (nothing to draw)."""
    if len(studies) > MOST:
        raise UsageError(
            f"lengths: at most {MOST} files can be told apart in one figure, {len(studies)} given"
        )
    if any(study.form == "stored" for study in studies):
        if len(studies) > 1:
            raise UsageError("lengths: a stored network is drawn alone; accepted is one such file")
        label = "length / the curve's own"
        return draw_by_level(studies[0], "ratio_by_level", label, title, size)
    for study in studies:
        if study.form != "random":
            raise FileError(f"'{study.path}' holds no lengths that could be drawn")
    names = [str(study.attributes.get("about", "")) for study in studies]
    handles = [
        Line2D([], [], label=name, **{**style.look(index), "linestyle": "-"})
        for index, name in enumerate(names)
    ]
    handles.append(Line2D([], [], color="#000000", linestyle=":", label="theory"))
    draws = " or ".join(sorted({f"{int(study.attributes['draws']):,}" for study in studies}))
    notes = [f"Means over {draws} networks; bars: two standard errors.", *_chords(studies)]
    shallow = len(studies) > 1 and all(len(study.arrays["layer"]) == 1 for study in studies)
    figure, body = style.page((5.2, 3.4), size, notes, handles)
    axes = body.subplots()
    if shallow:
        _draw_shallow(axes, studies)
    else:
        _draw_layers(axes, studies)
    along = " and ".join(sorted({str(study.attributes["along"]) for study in studies}))
    style.head(body, title, f"Length of a {along} by layer")
    return figure


def _draw_layers(axes: Axes, studies: Sequence[StudyContents]) -> None:
    drawn = []
    for index, study in enumerate(studies):
        arrays = study.arrays
        layer = np.concatenate([[0], arrays["layer"]])
        ratio = np.concatenate([[1.0], arrays["ratio"]])
        error = np.concatenate([[0.0], 2 * np.nan_to_num(arrays["standard_error"])])
        look = {**style.look(index), "linestyle": "-"}
        axes.errorbar(layer, ratio, yerr=error, **look)
        theory = np.concatenate([[1.0], arrays["ratio_theory"]])
        axes.plot(layer, theory, color="#000000", linestyle=":", linewidth=1.2, zorder=5)
        drawn += [float(value) for value in ratio]
    style.log_axis(axes, drawn)
    axes.set(xlabel="hidden layer (0: the input)", ylabel="length / the input's")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_shallow(axes: Axes, studies: Sequence[StudyContents]) -> None:
    for index, study in enumerate(studies):
        width, value = study.arrays["units"], study.arrays["length_per_unit"]
        axes.plot(width, value, **{**style.look(index), "linestyle": "none"})
    if all(study.attributes["activation"] != "relu" for study in studies):
        axes.axhline(4.0, color="#000000", linestyle=":")
    axes.set_xscale("log")
    axes.set(xlabel="width of the layer", ylabel="length / width", ylim=(0, None))


def _chords(studies: Sequence[StudyContents]) -> list[str]:
    worst = max(float(study.arrays["chord_error"].max()) for study in studies)
    return [f"Chords lack at most about {100 * worst:.2g} %."] if worst > 0 else []
