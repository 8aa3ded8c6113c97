"""The figure ``lengths``: length of a curve by layer, as ``fracsim lengths`` stored it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

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
    layer where the files have one each; of one file of circles, unless it is low, their pictures
    too. Of a stored network, one file: by level of the cells.

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
        scale = float(studies[0].attributes.get("scale", 1.0))
        if scale != 1:
            label = f"length / its own, borders × {scale:g}"
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
    if len(studies) == 1 and len(studies[0].arrays["layer"]) > 1 and _has_room(studies[0], size):
        return _draw_circle(studies[0], handles, notes, title, size)
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


def _has_room(study: StudyContents, size: style.Inches | None) -> bool:
    """Whether a file has a circle's pictures, and the figure height for them: a low one shows
    lengths alone."""
    height = None if size is None else size[1]
    least = 7.5 if style.is_narrow(size) else 5.5
    return "place" in study.arrays and (height is None or height >= least)


def _draw_circle(
    study: StudyContents,
    handles: list[Line2D],
    notes: list[str],
    title: str | None,
    size: style.Inches | None,
) -> Figure:
    """Of one file: the length, the circle's autocorrelation in each layer, and its image in the
    plane of the first two principal components, of some layers."""
    arrays = study.arrays
    layers, narrow = arrays["layer"], style.is_narrow(size)
    shown = _some(len(layers), 3 if narrow else 4)
    handles = [*handles, *_layer_handles(shown, layers)]
    notes = [*notes, "Below: the circle in one network, with its share of the variance."]
    figure, body = style.page((3.4, 6.6) if narrow else (7.0, 4.8), size, notes, handles)
    rows = body.add_gridspec(3 if narrow else 2, 1, height_ratios=(2, 2, 1) if narrow else (3, 2))
    above = rows if narrow else rows[0].subgridspec(1, 2)
    length, correlation = (body.add_subplot(above[place]) for place in (0, 1))
    _draw_layers(length, [study])
    for index in shown:
        look = _layer_look(index, len(layers))
        correlation.plot(arrays["angle"], arrays["autocorrelation"][index], **look)
        limit = arrays["autocorrelation_theory"][index]
        correlation.plot(arrays["angle"], limit, color="#000000", linestyle=":", linewidth=0.9)
    correlation.set(xlabel="difference of angles", ylabel="autocorrelation")
    style.ticks_at(correlation, [0.0, 1.0, 2.0, 3.0])
    below = rows[-1].subgridspec(1, len(shown))
    for place, index in enumerate(shown):
        axes = body.add_subplot(below[place])
        x = np.vstack([arrays["place"][index], arrays["place"][index][:1]])
        axes.plot(x[:, 0], x[:, 1], linewidth=0.7, color=_layer_look(index, len(layers))["color"])
        share = 100 * float(arrays["variance_share"][index, :2].sum())
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xticks=[], yticks=[], xlabel=f"layer {int(layers[index])}: {share:.0f} %")
        axes.grid(False)
    style.head(body, title, "A circle by layer: length, autocorrelation, principal components")
    return figure


def _some(count: int, most: int) -> list[int]:
    """At most so many of 0 … count - 1, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(most, count))})


def _layer_look(index: int, count: int) -> dict[str, Any]:
    return {"color": style.shade(index, count), "linewidth": 1.2}


def _layer_handles(shown: Sequence[int], layers: NDArray[np.int64]) -> list[Line2D]:
    return [
        Line2D([], [], label=f"layer {int(layers[index])}", **_layer_look(index, len(layers)))
        for index in shown
    ]


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
