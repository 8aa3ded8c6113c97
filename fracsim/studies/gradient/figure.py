"""The figure ``gradient``: what random networks feel of each level of detail, and Theorem 5's
bound."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fracsim.data.studies import StudyContents
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.curves import curve_label

MOST = 6
BAND = (0.05, 0.95)
LEAST = 1e-16
"""What is smaller is rounding, and drawn as nothing."""

_FACTS = (
    "fractal",
    "fractal_depth",
    "network_depth",
    "width",
    "initialisation",
    "bias",
    "bias_std",
    "seed",
    "samples",
)
_LETTERS = {
    "fractal_depth": "n",
    "network_depth": "T",
    "width": "k",
    "bias": "b",
    "bias_std": "σ_b",
}


def draw(
    studies: Sequence[StudyContents], title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Left: the largest entry of E[y ∂f/∂θ] by level of the negatives, and of the hinge loss's
    gradient; right: over how many networks the gradient on each curve is how small, with Theorem
    5's bound.

    Args:
        studies: contents of study files of kind "gradient".
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        UsageError: more files, or more pairs of file and curve, than a figure can tell apart.
    """
    if len(studies) > MOST:
        raise UsageError(
            f"gradient: at most {MOST} files can be told apart in one figure, {len(studies)} given"
        )
    names = _names(studies)
    own = (3.4, 5.0) if style.is_narrow(size) else (7.2, 3.3)
    figure, body = style.page(own, size, _notes(studies), _handles(names))
    levels, shares = body.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
    for index, study in enumerate(studies):
        _draw_levels(levels, study, index)
    _finish_levels(levels, studies)
    _draw_shares(shares, studies, names)
    style.head(body, title, f"Gradients of random networks: {_common(studies)}")
    return figure


def _draw_levels(axes: Axes, study: StudyContents, index: int) -> None:
    """Median and band of the correlation, and the median with the hinge, of one file."""
    look, level = style.look(index), study.arrays["level"]
    values = study.arrays["correlation_by_level"]
    low, high = np.quantile(values, BAND, axis=1)
    axes.fill_between(
        level,
        _visible(low, LEAST),
        _visible(high, LEAST),
        where=high > LEAST,
        color=look["color"],
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(level, _visible(np.median(values, axis=1)), **{**look, "linestyle": "-"})
    hinge = np.median(study.arrays["max_abs_gradient_by_level"], axis=1)
    axes.plot(level, _visible(hinge), color=look["color"], linestyle=(0, (2, 1.5)), linewidth=1.1)
    if "correlation_error_by_level" in study.arrays:
        noise = np.median(study.arrays["correlation_error_by_level"], axis=1)
        axes.plot(level, _visible(noise), color=look["color"], linestyle=(0, (1, 1)), linewidth=0.9)


def _visible(values: np.ndarray, instead: float = np.nan) -> np.ndarray:
    """Values with those at the level of rounding replaced."""
    return np.where(values > LEAST, values, instead)


def _finish_levels(axes: Axes, studies: Sequence[StudyContents]) -> None:
    axes.set_xlabel("level $j$ of all negatives")
    axes.set_ylabel("largest entry, of all parameters")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    drawn = [
        study.arrays[name]
        for study in studies
        for name in ("correlation_by_level", "max_abs_gradient_by_level")
    ]
    if not any((values > LEAST).any() for values in drawn):
        _say_zero(axes)
        return
    axes.set_yscale("log")
    floor = min(
        np.median(values, axis=1)[np.median(values, axis=1) > LEAST].min(initial=1.0)
        for values in drawn
    )
    axes.set_ylim(bottom=floor / 10)


def _draw_shares(axes: Axes, studies: Sequence[StudyContents], names: Sequence[str]) -> None:
    """Share of the networks whose largest entry is at most so large, a line per curve of each
    file."""
    pairs = [(i, c) for i, study in enumerate(studies) for c in range(len(study.arrays["curve"]))]
    if len(pairs) > 2 * MOST:
        raise UsageError(
            f"gradient: at most {2 * MOST} curves can be told apart in one figure, {len(pairs)} "
            f"given"
        )
    axes.set_xlabel(r"largest entry $|\nabla L|_\infty$ on a curve")
    axes.set_ylabel("share of networks with less")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(-0.03, 1.03)
    largest = max(float(study.arrays["max_abs_gradient"].max()) for study in studies)
    if largest <= LEAST:
        _say_zero(axes)
        return
    smallest = min(_least(study.arrays["max_abs_gradient"]) for study in studies)
    axes.set_xscale("log")
    axes.set_xlim(smallest / 3, _right_end(studies, largest))
    for index, curve in pairs:
        arrays = studies[index].arrays
        ordered = np.sort(np.maximum(arrays["max_abs_gradient"][curve], smallest / 10))
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        own = index if len(studies) > 1 else curve
        label = curve_label(str(arrays["curve"][curve])) + (
            f", {names[index]}" if len(studies) > 1 else ""
        )
        dashes = style.DASHES[curve % len(style.DASHES)]
        axes.step(
            [smallest / 10, *ordered, 1e9],
            [0, *share, 1],
            where="post",
            label=label,
            color=style.colour(own),
            linestyle=dashes,
        )
        if arrays["bound"][curve] > 0:
            axes.axvline(
                arrays["bound"][curve],
                color=style.colour(own),
                linewidth=1.0,
                linestyle=(0, (1, 1.5)),
            )
    axes.legend(loc="best", title="curve", alignment="left")


def _least(values: np.ndarray) -> float:
    return float(values[values > LEAST].min(initial=1.0))


def _right_end(studies: Sequence[StudyContents], largest: float) -> float:
    bounds = np.concatenate([study.arrays["bound"] for study in studies])
    return float(3 * max(largest, bounds[~np.isnan(bounds)].max(initial=0.0)))


def _say_zero(axes: Axes) -> None:
    axes.text(
        0.5,
        0.5,
        "every entry is 0, to rounding",
        transform=axes.transAxes,
        ha="center",
        va="center",
        color="#555555",
    )
    axes.set_yticks([])
    axes.set_xticks([])


def _names(studies: Sequence[StudyContents]) -> list[str]:
    """What tells the files apart."""
    differ = [
        key for key in _FACTS if len({str(study.attributes.get(key)) for study in studies}) > 1
    ]
    return [
        ", ".join(_fact(study, key) for key in differ if key in study.attributes)
        for study in studies
    ]


def _common(studies: Sequence[StudyContents]) -> str:
    """What they share, but for the seed."""
    keys = [
        key
        for key in _FACTS[:-2]
        if len({str(study.attributes.get(key)) for study in studies}) == 1
    ]
    return ", ".join(_fact(studies[0], key) for key in keys if key in studies[0].attributes)


def _fact(study: StudyContents, key: str) -> str:
    value = study.attributes[key]
    if key in _LETTERS:
        return f"${_LETTERS[key]} = {value:g}$".replace("σ_b", r"\sigma_b")
    if key == "samples":
        return f"{value:,} points" if value else "exact"
    return f"seed {value}" if key == "seed" else str(value)


def _handles(names: Sequence[str]) -> list[Line2D]:
    files = [
        Line2D([], [], label=name, **{**style.look(i), "linestyle": "-"})
        for i, name in enumerate(names)
        if name
    ]
    grey = style.PALETTE[6]
    return [
        *files,
        Line2D([], [], color=grey, label="E[y ∂f/∂θ]: median, 5 to 95 %"),
        Line2D(
            [],
            [],
            color=grey,
            linestyle=(0, (2, 1.5)),
            linewidth=1.1,
            label="gradient of the hinge loss: median",
        ),
    ]


def _notes(studies: Sequence[StudyContents]) -> list[str]:
    bounds = np.concatenate([study.arrays["bound"] for study in studies])
    draws = " and ".join(sorted({f"{len(study.arrays['draw']):,}" for study in studies}))
    notes = [
        f"{draws} networks; biases included. Entries below 1e-16 are 0 to rounding and not drawn."
    ]
    if any("correlation_error_by_level" in study.arrays for study in studies):
        notes.append(
            "Finely dotted on the left: standard error of the sampled entries, below which they "
            "are noise."
        )
    if (bounds > 0).any():
        notes.append("Dotted on the right: Theorem 5's bound.")
    if (bounds == 0).any():
        notes.append("Theorem 5's bound is 0 on curves that are flat down to its level n'.")
    return notes
