"""The figure ``curves``: approximation curves P(j)."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.fractals.curve import parse_curve

PAPERS = ("1", "2", "3", "4", "5", "6")
MOST = 12


def draw(
    curves: Sequence[str] = PAPERS,
    fractal_depth: int = 5,
    title: str | None = None,
    size: style.Inches | None = None,
) -> Figure:
    """P(j) = 1 - Pr[x ∈ K_j and y = -1] of one or more curves against the level j.

    Args:
        curves: texts as :func:`fracsim.fractals.curve.parse_curve` takes them.
        fractal_depth: n, the number of levels.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        UsageError: an unknown curve, or more curves than a figure can tell apart.
    """
    if not 1 <= len(curves) <= MOST:
        raise UsageError(
            f"curves: between 1 and {MOST} curves can be told apart in one figure, {len(curves)} "
            f"given"
        )
    parsed = [parse_curve(text) for text in curves]
    looks = [style.look(index) for index in range(len(curves))]
    handles = [
        Line2D([], [], label=f"curve {curve_label(text)}", **look)
        for text, look in zip(curves, looks, strict=True)
    ]
    figure, body = style.page((4.8, 3.4), size, (), handles)
    axes = body.subplots()
    levels = range(fractal_depth + 1)
    for curve, look in zip(parsed, looks, strict=True):
        axes.plot(levels, curve.values(fractal_depth), clip_on=False, **look)
    axes.set_xlabel("level $j$")
    axes.set_ylabel("$P(j)$")
    axes.set_xlim(0, fractal_depth)
    axes.set_ylim(0.48, 1.0)
    style.ticks_at(axes, level_ticks(fractal_depth))
    style.head(body, title, f"Approximation curves, fractal depth $n = {fractal_depth}$")
    return figure


def curve_label(text: str) -> str:
    """A curve's name in a legend: the paper's six by their number, ``#4``; the others as they were
    given."""
    return f"#{text}" if text in PAPERS else text


def level_ticks(n: int) -> list[float]:
    """Integer ticks 0..n, thinned so that their numbers do not touch."""
    step = max(1, -(-n // 12))
    return [float(j) for j in range(0, n + 1, step)]
