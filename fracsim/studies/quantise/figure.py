"""The figure ``quantise``: what bits are worth."""

from collections.abc import Mapping, Sequence
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
    """Accuracy by bits, a line for each file; of one file, the levels too; or the error of splines;
    or the bits that networks need by the depth of the fractal.

    Args:
        studies: files of ``fracsim quantise``, all of one form.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: a file of a converted network, or of one without accuracies.
        UsageError: files of different forms, or several of networks by depth.
    """
    forms = {study.form for study in studies}
    if len(forms) > 1:
        raise UsageError(f"accepted are files of one form, and these are {', '.join(forms)}")
    for study in studies:
        if study.form == "converted":
            raise FileError(f"'{study.path}' holds a converted network; accepted are rounded ones")
    if forms == {"distance"}:
        return _draw_distances(studies, title, size)
    if forms == {"depths"}:
        if len(studies) > 1:
            raise UsageError("networks by the depth of the fractal are drawn from one file")
        return _draw_depths(studies[0], title, size)
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
    """A line for each network, with its fractal where they differ in that."""
    facts = [study.attributes for study in studies]
    abouts = [str(fact.get("about", "")).split(";")[0] for fact in facts]
    of = [
        f"{style.plain(fact['fractal'])}, n = {fact['fractal_depth']}: "
        if {"fractal", "fractal_depth"} <= set(fact)
        else ""
        for fact in facts
    ]
    names = [
        f"{one}{about}" if len(set(of)) > 1 else about
        for one, about in zip(of, abouts, strict=True)
    ]
    return [Line2D([], [], label=name, **style.look(i)) for i, name in enumerate(names)]


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
    grey: dict[str, Any] = {"color": "#606060"}
    handles += [
        Line2D([], [], label="without rounding", linewidth=0.8, linestyle=":", **grey),
        Line2D([], [], label="knee: at most 1.25 of that", **_ring("#606060")),
    ]
    note = "Interpolants with one hidden layer, all weights and biases on one grid."
    figure, body = style.page((4.4, 3.2), size, [note], handles)
    axes = body.subplots()
    for i, (_, bits, errors) in enumerate(rows):
        axes.plot(bits, errors, **style.look(i))
    number = 0
    for study in studies:
        number = _draw_knees(axes, study, number)
    style.log_axis(axes, np.concatenate([errors for _, _, errors in rows]))
    _bits_axis(axes)
    axes.set_ylabel("largest error")
    style.head(body, title, "Distance from the Cantor set")
    return figure


def _ring(colour: Any) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": 10,
        "markerfacecolor": "none",
        "markeredgecolor": colour,
        "markeredgewidth": 1.2,
    }


def _draw_knees(axes: Axes, study: StudyContents, number: int) -> int:
    """Errors without rounding, and rings where the rounded ones meet them; files of version 0.1.0
    do not tell them. The number of the next line."""
    arrays = study.arrays
    for row, errors in enumerate(arrays["sup_error"]):
        if "floor" in arrays:
            colour, bits = style.colour(number), arrays["bits"]
            axes.axhline(arrays["floor"][row], color=colour, linewidth=0.8, linestyle=":")
            knee = arrays["knee_bits"][row]
            axes.plot(bits[bits == knee], errors[bits == knee], **_ring(colour))
        number += 1
    return number


def _draw_depths(study: StudyContents, title: str | None, size: style.Inches | None) -> Figure:
    """Bits that deep and shallow networks need, by the depth of the fractal."""
    arrays = study.arrays
    copies = arrays["deep_copy_bits"].shape[1]
    names = {
        "deep_bits": "Theorem 1, as it is",
        "deep_copy_bits": "Theorem 1, moved copies",
        "shallow_copy_bits": "one hidden layer, moved copies",
    }
    handles = [Line2D([], [], label=name, **style.look(i)) for i, name in enumerate(names.values())]
    kept = float(study.attributes.get("accuracy_kept", np.nan))
    notes = [
        f"Least bits from which on {kept:.0%} of the points are right.",
        f"Copies: mean of {copies}, band from the least to the most.",
        *_beyond(arrays),
    ]
    figure, body = style.page((4.6, 3.2), size, notes, handles)
    axes, n = body.subplots(), arrays["fractal_depth"]
    for i, key in enumerate(names):
        values = arrays[key].reshape(len(n), -1)
        axes.plot(n, values.mean(axis=1), **style.look(i))
        if values.shape[1] > 1:
            low, high = values.min(axis=1), values.max(axis=1)
            axes.fill_between(n, low, high, color=style.colour(i), alpha=0.15, linewidth=0)
    style.ticks_at(axes, [float(value) for value in n])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set(xlabel="depth n of the fractal", ylabel="bits of each weight")
    style.head(body, title, "Bits that networks for cantor1d need")
    return figure


def _beyond(arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Which points are left out."""
    keys = ("deep_bits", "deep_copy_bits", "shallow_copy_bits")
    values = [arrays[key].reshape(len(arrays["fractal_depth"]), -1) for key in keys]
    lost = arrays["fractal_depth"][np.isnan(np.hstack(values)).any(axis=1)]
    if not lost.size:
        return []
    where = ", ".join(map(str, lost))
    return [f"Left out: networks that need more than {arrays['bits'].max()} bits (n = {where})."]
