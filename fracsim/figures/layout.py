"""Where things stand on a figure of any size: text that fits a column of a journal, a foot for the
legend and the notes, titles that wrap, panels side by side or one under the other.

``fracsim.figures.style`` passes these names on, beside colours and styles."""

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from fracsim.errors import UsageError

rc: Any = matplotlib.rcParams  # its type stubs know every key by name, which ours need not

Inches = tuple[float, float | None]
"""Width and height; without a height, that which suits the figure at this width."""

COLUMN, PAGE = 3.4, 7.0
"""Widths of a column and of a page of a journal, in inches."""

NARROW = 5.0
"""Figures less wide put their panels one under the other."""

_SMALL = 4.2
"""Figures less wide write smaller."""

LEAST_TEXT = 6.0
"""Points; no text is smaller."""

LEAST_PANEL = (0.45, 0.3)
"""Inches; a panel that is smaller shows nothing."""

_HINTED = 1.05  # letters on a grid of pixels are up to this much wider
_SHRINK = 0.8  # text and markers of a narrow figure
_SCALED = (
    "font.size",
    "axes.titlesize",
    "axes.labelsize",
    "xtick.labelsize",
    "ytick.labelsize",
    "legend.fontsize",
    "legend.title_fontsize",
    "figure.titlesize",
    "lines.linewidth",
    "lines.markersize",
)

_own: ContextVar[dict[str, Any] | None] = ContextVar("own", default=None)
_notes: ContextVar[bool] = ContextVar("notes", default=True)


@contextmanager
def laid_out(notes: bool = True) -> Iterator[None]:
    """Inside this, figures of any width are made from the sizes that the style has now; ``notes``:
    whether their feet say what a reader must know."""
    sizes = _own.set({key: rc[key] for key in _SCALED})
    shown = _notes.set(notes)
    try:
        yield
    finally:
        _own.reset(sizes)
        _notes.reset(shown)


def is_narrow(size: Inches | None) -> bool:
    """Whether a figure of this size is a column of a page."""
    return size is not None and size[0] < NARROW


def arrange(count: int, size: Inches | None, columns: int) -> tuple[int, int]:
    """Rows and columns of ``count`` panels: ``columns`` of them side by side; in a narrow figure
    one under the other, or two where it is too low for that."""
    if is_narrow(size):
        height = size[1] if size is not None else None
        columns = 1 if height is None or height >= 1.35 * count + 0.6 else min(2, count)
    columns = min(columns, count)
    return ceil(count / columns), columns


def new_figure(own: tuple[float, float], size: Inches | None = None) -> Figure:
    """An empty figure of ``size`` inches, or of its ``own``; laid out without overlaps."""
    width, height = _full(own, size)
    _write_for(width)
    return Figure(figsize=(width, height), layout="constrained")


def page(
    own: tuple[float, float],
    size: Inches | None = None,
    notes: Sequence[str] = (),
    handles: Sequence[Artist] = (),
) -> tuple[Figure, SubFigure]:
    """A figure with a foot, and its body to draw in.

    Args:
        own, size: as in :func:`new_figure`; without a height in ``size`` the foot is added to that
            of ``own``.
        notes: what the figure's reader must know (how rates were chosen, that a run goes on),
            small and grey; plain text, never mathematics.
        handles: a legend above the notes.
    """
    width, height = _full(own, size)
    _write_for(width)
    small = max(LEAST_TEXT, 7.0 * _factor(width))
    lines = [
        line
        for note in (notes if _notes.get() else ())
        for line in wrapped(note, width - 0.2, small, math=False).split("\n")
    ]
    columns, legend = _legend_room(handles, width)
    foot = legend + 1.3 * small / 72 * len(lines) + 0.08
    if size is None or size[1] is None:
        height += foot
    figure = Figure(figsize=(width, height), layout="constrained")
    body, below = _parts(figure, max(height - foot, 0.1 * height), foot)
    if handles:
        below.legend(
            handles=handles,
            loc="upper center",
            ncols=columns,
            handlelength=3.0,
            borderpad=0.0,
            borderaxespad=0.1,
            labelspacing=0.35,
            columnspacing=1.6,
        )
    below.text(
        0.1 / width,
        0.05 / foot,
        "\n".join(lines),
        fontsize=small,
        color="#555555",
        va="bottom",
        linespacing=1.25,
        parse_math=False,
    )
    return figure, body


def legend_below(figure: Figure, handles: Sequence[Artist] = ()) -> None:
    """A legend under everything else, of ``handles`` or of all that is labelled, in as many
    columns as there is room for."""
    labelled = [handle for axes in figure.axes for handle in axes.get_legend_handles_labels()[0]]
    shown = handles or labelled
    columns, _ = _legend_room(shown, figure.get_size_inches()[0])
    figure.legend(handles=shown, loc="outside lower center", ncols=columns, columnspacing=1.6)


def head(figure: Figure | SubFigure, title: str | None, own: str) -> None:
    """Over a figure: its own title, or the one asked for; none where that is empty."""
    text = own if title is None else title
    if not text.strip():
        return
    width = figure.bbox.width / figure.dpi - 0.2
    figure.suptitle(wrapped(text, width, points_of("figure.titlesize")))


def panel_head(axes: Axes, text: str) -> None:
    """Over one panel, no wider than its part of the figure."""
    figure: Any = axes.figure
    place = axes.get_subplotspec()
    columns = 1 if place is None else place.get_gridspec().ncols
    width = figure.bbox.width / figure.dpi / columns - 0.25
    axes.set_title(wrapped(text, width, points_of("axes.titlesize")))


def outer_labels(panels: Iterable[Axes]) -> None:
    """Names of axes and numbers at the left of each row of panels, which share that axis, and below
    each panel that has none with the same numbers beneath it."""
    above: dict[tuple[Any, int], Axes] = {}
    for axes in panels:
        name, place = axes.get_xlabel(), axes.get_subplotspec()
        assert place is not None, "a panel of a grid"
        axes.label_outer(remove_inner_ticks=False)
        _number_below(axes, name, True)
        key = place.get_gridspec(), place.colspan.start
        if key in above and _numbers_below(above[key]) == _numbers_below(axes):
            _number_below(above[key], "", False)
        above[key] = axes


def _number_below(axes: Axes, name: str, shown: bool) -> None:
    axes.set_xlabel(name)
    axes.tick_params(axis="x", which="both", labelbottom=shown)
    axes.xaxis.offsetText.set_visible(shown)


def _numbers_below(axes: Axes) -> tuple[Any, ...]:
    """Where an x axis begins and ends, and what is written along it."""
    return axes.get_xlim(), [text.get_text() for text in axes.get_xticklabels()]


def plain(name: object) -> str:
    """A name (a fractal's, a file's) for a title or a label: what looks like mathematics in it is
    text."""
    return drawable(str(name)).replace("$", r"\$")


def drawable(text: str) -> str:
    """A text whose letters, and ends of lines, a font may have: others are question marks, as those
    of a file's name that is no text."""
    return "".join(
        one if one.isprintable() or one == "\n" else " " if one.isspace() else "?" for one in text
    )


def wrapped(text: str, width: float, points: float, math: bool = True) -> str:
    """A text in lines of at most ``width`` inches, broken between words, never inside mathematics;
    a longer word without any is broken where it must be."""
    lines = []
    for given in drawable(text).split("\n"):
        line = ""
        for word in _WORD.findall(given) if math else given.split():
            for part in _pieces(word, width, points, math):
                longer = f"{line} {part}" if line else part
                if line and text_width(longer, points, math) > width:
                    lines.append(line)
                    line = part
                else:
                    line = longer
        lines.append(line)
    return "\n".join(lines)


def text_width(text: str, points: float, math: bool = True) -> float:
    """How wide one line of text is, in inches."""
    ismath = math and is_math_text(text)
    shown = text if ismath else text.replace(r"\$", "$")
    font = FontProperties(size=points)
    width = text_to_path.get_text_width_height_descent(shown, font, ismath)[0]
    return _HINTED * float(width) / 72


def check_room(figure: Figure) -> None:
    """UsageError where a figure's size leaves too little for its panels."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    if any("collapsed" in str(one.message) for one in told):
        raise UsageError(f"--size {width:g}x{height:g} is too small for this figure; {_MORE_ROOM}")
    for axes in figure.axes:
        box = axes.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
        if axes.get_label() == "<colorbar>" or not (axes.axison and axes.get_visible()):
            continue
        if box.width < LEAST_PANEL[0] or box.height < LEAST_PANEL[1]:
            raise UsageError(
                f"--size {width:g}x{height:g} leaves a panel of {max(box.width, 0):.2g} by "
                f"{max(box.height, 0):.2g} inches; {_MORE_ROOM}"
            )


_MORE_ROOM = "accepted is more height, as --size column finds it, or --no-notes beside it"

_WORD = re.compile(r"(?:\\\$|\$(?:\\.|[^$\\])*\$|[^\s$]|\$)+")
"""Words, of which the mathematics between two dollar signs is a part."""


def _pieces(word: str, width: float, points: float, math: bool) -> list[str]:
    if (math and "$" in word) or len(word) < 8 or text_width(word, points, math) <= width:
        return [word]
    fit = max(4, int(len(word) * width / text_width(word, points, math)))
    return [word[i : i + fit] for i in range(0, len(word), fit)]


def _full(own: tuple[float, float], size: Inches | None) -> tuple[float, float]:
    """Width and height; where only a width is asked for, in the proportions of its own."""
    if size is None:
        return own
    width, height = size
    if height is not None:
        return width, height
    return width, max(own[1] * min(width / own[0], 1.25), 1.9)


def _factor(width: float) -> float:
    return _SHRINK if width < _SMALL else 1.0


def _write_for(width: float) -> None:
    """Set the sizes of text and lines for a figure of this width (inside ``laid_out``)."""
    for key, own in (_own.get() or {}).items():
        if isinstance(own, (int, float)):
            least = 0.0 if key.startswith("lines") else LEAST_TEXT
            rc[key] = max(own * _factor(width), min(least, own))


def points_of(key: str) -> float:
    """A size of text in points: styles also say "large"."""
    return float(FontProperties(size=rc[key]).get_size_in_points())


def _legend_room(handles: Sequence[Artist], width: float) -> tuple[int, float]:
    """Columns of a legend of ``handles``, and its height; labels that are too long are wrapped."""
    if not handles:
        return 1, 0.0
    points = points_of("legend.fontsize")
    around = 5.6 * points / 72  # the line beside a label, and air
    for handle in handles:
        handle.set_label(wrapped(str(handle.get_label()), width - around - 0.1, points))
    labels = [str(handle.get_label()).split("\n") for handle in handles]
    longest = max(text_width(line, points) for lines in labels for line in lines)
    columns = max(1, min(len(handles), int((width - 0.1) / (longest + around))))
    rows = ceil(len(handles) / columns)
    columns = ceil(len(handles) / rows)
    lines = sum(max(len(one) for one in labels[row::rows]) for row in range(rows))
    return columns, (1.3 * lines + 0.4 * rows) * points / 72 + 0.04


def _parts(figure: Figure, body: float, foot: float) -> Any:
    return figure.subfigures(2, 1, height_ratios=(body, foot))
