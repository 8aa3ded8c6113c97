"""Where the text of a figure stands: what is too small, cut off, written over other text, or not
there, as numbers below a panel."""

from itertools import combinations
from unittest import mock

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

LEAST = 6.0


def drawn_texts(figure: Figure) -> list[tuple[Text, Bbox]]:
    """Every text that is really drawn, ticks and legends too, with its box in pixels."""
    found = []
    draw = Text.draw

    def noting(self, renderer, *arguments, **options):
        if self.get_visible() and self.get_text().strip():
            found.append((self, Text.get_window_extent(self, renderer)))
        return draw(self, renderer, *arguments, **options)

    canvas = FigureCanvasAgg(figure)
    with mock.patch.object(Text, "draw", noting):
        canvas.draw()
    return found


def without_numbers(figure: Figure) -> list[Axes]:
    """Panels with ticks that leave their numbers to the panel below them, where there is none or
    one with other numbers."""
    places = [
        (axes, place.get_gridspec(), place.colspan.start, place.rowspan.stop)
        for axes in figure.axes
        if axes.get_visible() and axes.axison and (place := axes.get_subplotspec()) is not None
    ]
    found = []
    for axes, grid, column, row in places:
        shown = axes.xaxis.get_tick_params()
        below = [
            other
            for other, of, at, beneath in places
            if (of, at) == (grid, column) and beneath > row
        ]
        left_to_it = below and below[0].get_xlim() == axes.get_xlim()
        if shown["bottom"] and not shown["labelbottom"] and not left_to_it:
            found.append(axes)
    return found


def complaints(figure: Figure) -> list[str]:
    """What is wrong with the text of a figure, each in a phrase; nothing where all is well."""
    found = drawn_texts(figure)
    whole = figure.bbox
    said = [f"no numbers below {axes.get_title()!r}" for axes in without_numbers(figure)]
    for text, box in found:
        shown = repr(text.get_text())
        if text.get_fontsize() < LEAST - 1e-6:
            said.append(f"{shown} is of {text.get_fontsize():.2g} points")
        if box.x0 < -1 or box.y0 < -1 or box.x1 > whole.width + 1 or box.y1 > whole.height + 1:
            said.append(f"{shown} is cut off")
    for (one, a), (other, b) in combinations(found, 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        # boxes hold ascenders and descenders that most lines do not have
        if wide > 1 and high > 0.2 * min(a.height, b.height):
            said.append(f"{one.get_text()!r} lies over {other.get_text()!r}")
    return said
