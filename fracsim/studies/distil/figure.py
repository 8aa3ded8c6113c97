"""The figure ``distil``: students of a teacher beside the same networks taught by labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.figures.collect import caveats_of
from fracsim.products.runs import Runs
from fracsim.studies.distil.compute import METHODS, Distilled, students_of

_NEEDED = ("method", "teachers", "network_depth", "width", "train_points", "accuracy", "seeds")


@dataclass(frozen=True)
class _Point:
    place: str
    method: str
    mean: float
    least: float
    greatest: float
    ceiling: float
    seeds: int


def draw(
    studies: Sequence[StudyContents],
    runs: Runs,
    title: str | None = None,
    size: style.Inches | None = None,
) -> Figure:
    """Best test accuracy of each size of student, a mark for each method, with the span of the
    seeds; in one dimension the exact ceiling as a bar above.

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
        points += _points(Distilled(students_of(runs)).arrays(), "")
    places = list(dict.fromkeys(point.place for point in points))
    methods = list(dict.fromkeys(point.method for point in points))
    looks = {method: style.look(_number(method)) | {"linestyle": "none"} for method in methods}
    handles = [Line2D([], [], label=method, **looks[method]) for method in methods]
    if any(np.isfinite(point.ceiling) for point in points):
        handles.append(Line2D([], [], color="#404040", linewidth=2, label="exact ceiling"))
    seeds = sorted({point.seeds for point in points})
    count = " to ".join(map(str, sorted({seeds[0], seeds[-1]})))
    note = (
        "Best test accuracy over the records; of each method the learning rate with the best mean; "
        + (f"mean and span of {count} seeds." if seeds[-1] > 1 else "one seed.")
    )
    own = (max(4.2, 1.6 + 0.8 * len(places)), 3.2)
    figure, body = style.page(own, size, [note, *caveats_of(runs)], handles)
    axes = body.subplots()
    shift = 0.6 / max(len(methods), 1)
    for point in points:
        at = places.index(point.place) + shift * (methods.index(point.method) - len(methods) / 2)
        at += shift / 2
        look = looks[point.method]
        axes.vlines(at, point.least, point.greatest, color=look["color"], linewidth=1.2, zorder=2)
        axes.plot([at], [point.mean], zorder=3, **look)
        if np.isfinite(point.ceiling):
            x = places.index(point.place)
            axes.hlines(point.ceiling, x - 0.4, x + 0.4, color="#404040", linewidth=2, zorder=1)
    axes.set_xticks(range(len(places)), places)
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.set_ylabel("best test accuracy")
    axes.grid(axis="x", visible=False)
    style.head(body, title, "Taught by a deep network, or by labels")
    return figure


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
        mean, least, greatest, ceiling = (
            float(arrays[name][i]) if name in arrays else float("nan")
            for name in ("accuracy", "least", "greatest", "ceiling")
        )
        name = str(method) if teachers < 2 else f"mean of {teachers} teachers"
        found.append(_Point(place, name, mean, least, greatest, ceiling, int(arrays["seeds"][i])))
    return found
