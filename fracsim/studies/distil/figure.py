"""The figure ``distil``: students of a teacher beside the same networks taught by labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.figures.collect import caveats_of
from fracsim.products.runs import Runs
from fracsim.studies.distil.compute import METHODS, Distilled, students_of
from fracsim.studies.distil.declaration import Settings

_NEEDED = ("method", "teachers", "network_depth", "width", "train_points", "accuracy", "seeds")
_SIDE_BY_SIDE = 3
"""Sizes that are named side by side in the width of a column."""
_BAR: dict[str, Any] = {"color": "#404040", "linewidth": 2}


@dataclass(frozen=True)
class _Point:
    place: str
    method: str
    seeds: int
    accuracy: float
    least: float
    greatest: float
    ceiling: float
    r2: float
    r2_ceiling: float


def draw(
    studies: Sequence[StudyContents],
    runs: Runs,
    title: str | None = None,
    size: style.Inches | None = None,
) -> Figure:
    """Best test accuracy of each size of student, a mark for each method, with the span of the
    seeds; in one dimension the exact ceilings as bars above, of the accuracy and, in a panel of its
    own, of the R² of the teacher's outputs.

    Args:
        studies: files of ``fracsim distil``.
        runs: students and controls of trajectory files.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: a study that holds no students. UsageError: runs without a teacher.
    """
    points = [point for study in studies for point in _points(study.arrays, study.path)]
    if runs.entries:
        found = students_of(runs, Settings.pieces_points)
        points += _points(Distilled(found).arrays(), "")
    places = list(dict.fromkeys(point.place for point in points))
    methods = list(dict.fromkeys(point.method for point in points))
    looks = {method: style.look(_number(method)) | {"linestyle": "none"} for method in methods}
    handles = [Line2D([], [], label=method, **looks[method]) for method in methods]
    if any(np.isfinite(point.ceiling) for point in points):
        handles.append(Line2D([], [], label="exact ceiling", **_BAR))
    bounded = any(np.isfinite(point.r2_ceiling) for point in points)
    own = (max(4.2, 1.6 + 0.8 * len(places)), 5.0 if bounded else 3.2)
    if style.is_narrow(size):
        own = (3.4, 5.4 if bounded else 3.6)
    notes = [_note(points, bounded), *caveats_of(runs)]
    figure, body = style.page(own, size, notes, handles)
    panels = body.subplots(1 + bounded, sharex=True, squeeze=False)[:, 0]
    shift = 0.6 / max(len(methods), 1)
    for point in points:
        place, look = places.index(point.place), looks[point.method]
        at = place + shift * (methods.index(point.method) - (len(methods) - 1) / 2)
        panels[0].vlines(
            at, point.least, point.greatest, color=look["color"], linewidth=1.2, zorder=2
        )
        panels[0].plot([at], [point.accuracy], zorder=3, **look)
        _bar(panels[0], place, point.ceiling)
        if bounded and np.isfinite(point.r2):
            panels[1].plot([at], [point.r2], zorder=3, **look)
            _bar(panels[1], place, point.r2_ceiling)
    panels[0].set_ylabel("best test accuracy")
    if bounded:
        panels[1].set_ylabel("R² of the teacher")
    _name_places(panels[-1], places, style.is_narrow(size))
    panels[-1].set_xlim(-0.6, len(places) - 0.4)
    for axes in panels:
        axes.grid(axis="x", visible=False)
    style.head(body, title, "Taught by a deep network, or by labels")
    return figure


def _name_places(axes: Axes, places: Sequence[str], narrow: bool) -> None:
    """The sizes below the axis; upright where a column has no room for them side by side."""
    if narrow and len(places) > _SIDE_BY_SIDE:
        upright = [place.replace("\n", ", ") for place in places]
        axes.set_xticks(range(len(places)), upright, rotation=90)
    else:
        axes.set_xticks(range(len(places)), places)


def _bar(axes: Axes, place: int, ceiling: float) -> None:
    if np.isfinite(ceiling):
        axes.hlines(ceiling, place - 0.4, place + 0.4, zorder=1, **_BAR)


def _note(points: Sequence[_Point], bounded: bool) -> str:
    seeds = sorted({point.seeds for point in points})
    count = " to ".join(map(str, sorted({seeds[0], seeds[-1]})))
    note = (
        "Best test accuracy over the records; of each method the learning rate with the best mean; "
        + (f"mean and span of {count} seeds." if seeds[-1] > 1 else "one seed.")
    )
    if bounded:
        note += (
            " R² at those records. Ceilings: no function of as many sign changes, and none of as "
            "many lines, is better, the latter on the first test points."
        )
    return note


def _number(method: str) -> int:
    """A look of its own for each method, in every figure."""
    return METHODS.index(method) if method in METHODS else len(METHODS)


def _points(arrays: dict[str, np.ndarray], path: str) -> list[_Point]:
    if any(name not in arrays for name in _NEEDED):
        raise FileError(f"'{path}' is not a valid fracsim file: it holds no students to draw")
    many = len(set(arrays["train_points"].tolist())) > 1
    found = []
    for i, method in enumerate(arrays["method"]):
        teachers = int(arrays["teachers"][i])
        place = f"T = {arrays['network_depth'][i]}\nk = {arrays['width'][i]}"
        if many:
            place += f"\n{int(arrays['train_points'][i]):,}"
        names = ("accuracy", "least", "greatest", "ceiling", "r2", "r2_ceiling")
        numbers = (float(arrays[name][i]) if name in arrays else float("nan") for name in names)
        name = str(method) if teachers < 2 else f"mean of {teachers} teachers"
        found.append(_Point(place, name, int(arrays["seeds"][i]), *numbers))
    return found
