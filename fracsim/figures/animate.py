"""The film ``animate``: a network through its training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fracsim.data.errors import FileError
from fracsim.data.numbering import Number, Row
from fracsim.data.reader import Trajectory
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.decision import decision_values
from fracsim.figures.film import MOST_FRAMES, Film
from fracsim.figures.fractal import add_cells, check_dimension, corners, drawable_depth, frame_plane
from fracsim.networks.snapshots import Snapshot, snapshots_of
from fracsim.networks.stored import open_trained
from fracsim.problems.registry import PROBLEMS
from fracsim.products.entries import Entry, entries_of, records

SHOWS = ("decision", "levels", "regions")
VARIABLE = "test_accuracy_by_level"
POINTS_PER_SIDE = 243
"""3^5: a pixel in each cell of a fractal of depth 5 with scale 1/3."""
POINTS_ON_LINE = 2000
_LIMIT = 2.0  # of the colours: f of twice what the hinge loss asks for

Pieces = tuple[Sequence[NDArray[np.float64]], NDArray[np.float64]]
"""Polygons (corners, 2) of a network's regions, and the mean of f on each."""

Cut = Callable[[Snapshot], Pieces]


@dataclass(frozen=True)
class _Frames:
    """What the frames show: records of one run, and its networks there."""

    entry: Entry
    steps: NDArray[np.int64]
    snapshots: list[Snapshot]

    def at(self, frame: int, name: str) -> NDArray[np.float64]:
        """A recorded variable at the step of a frame; NaN where there is no such record."""
        series = self.entry.series(name)[: records(self.entry)]
        places = np.flatnonzero(self.entry.steps[: len(series)] == self.steps[frame])
        shape = series.shape[1:]
        return np.asarray(series[places[0]] if len(places) else np.full(shape, np.nan))


def draw(
    path: str,
    run: Number | None = None,
    show: str = "decision",
    frames: int = 60,
    rate: float = 10.0,
    title: str | None = None,
    size: style.Inches | None = None,
    cut: Cut | None = None,
) -> Film:
    """A film of the decision function, of the accuracy by level, or of the linear regions.

    Args:
        path: a trajectory; but for levels one with the weights of all records.
        run: number of the run; None: of those that can be shown, the best.
        show: one of ``SHOWS``.
        frames: at most so many, spread over the records.
        rate: frames per second; the last one stays for two seconds.
        title: replaces the film's own title, whose last line is the step.
        size: width and height in inches, instead of the film's own.
        cut: regions of a network in its fractal's base, for ``regions``.

    Raises:
        FileError: no weights of several records, or no accuracies by level.
        UsageError: an unknown show, more than two dimensions, no fractal, numbers out of range.
    """
    _check(show, frames, rate)
    found = _frames_of(path, run, show, frames)
    makers = {"decision": _decision, "levels": _levels, "regions": _regions}
    if show == "regions" and cut is None:
        raise UsageError("regions need what cuts a network's base into them")
    figure, update = makers[show](found, size, cut)
    heading = _about(found) if title is None else title

    def shown(frame: int) -> None:
        update(frame)
        accuracy = float(found.at(frame, "test_accuracy"))
        said = f": test accuracy {accuracy:.3f}" if np.isfinite(accuracy) else ""
        lines = [heading, f"step {found.steps[frame]:,}{said}"]
        style.head(figure, "\n".join(line for line in lines if line), "")

    return Film(figure, shown, len(found.steps), rate)


def _check(show: str, frames: int, rate: float) -> None:
    if show not in SHOWS:
        raise UsageError(f"--show is '{show}'; accepted is one of {', '.join(SHOWS)}")
    if not 2 <= frames <= MOST_FRAMES:
        raise UsageError(f"--frames is {frames}; accepted is from 2 to {MOST_FRAMES}")
    if not 0.1 <= rate <= 50:
        raise UsageError(f"--rate is {rate:g}; accepted is from 0.1 to 50 frames per second")


def _frames_of(path: str, run: Number | None, show: str, frames: int) -> _Frames:
    trajectory = open_trained(path)
    row = _chosen(trajectory, run, show)
    entry = entries_of(trajectory)[row]
    if show == "levels":
        if VARIABLE not in trajectory.records:
            raise FileError(f"'{path}' has no accuracy by level to show")
        steps = entry.steps[: records(entry)]
        places = _spread(len(steps), frames)
        return _Frames(entry, steps[places], [])
    if len(trajectory.weight_steps(row)) < 2:
        raise FileError(
            f"'{path}' holds the weights of one record, which makes no film; train with --weights "
            f"records"
        )
    snapshots = snapshots_of(path, int(trajectory.numbers[row]), "all")
    kept = [snapshots[place] for place in _spread(len(snapshots), frames)]
    if kept[0].fractal is None:
        raise UsageError(f"'{path}' holds a network that has not learnt a fractal; accepted is one")
    check_dimension(kept[0].fractal, 1 + (show == "decision" or kept[0].fractal.dimension > 1))
    if show == "regions" and kept[0].fractal.dimension != 2:
        raise UsageError("--show regions is for fractals in 2 dimensions; accepted here: decision")
    return _Frames(entry, np.array([one.step for one in kept]), kept)


def _chosen(trajectory: Trajectory, run: Number | None, show: str) -> Row:
    """The run with this number, else the best of those that can be shown."""
    rows = trajectory.rows
    if run is not None:
        if run not in rows or not trajectory.records_done[rows[run]]:
            there = ", ".join(
                str(number) for number, row in rows.items() if trajectory.records_done[row]
            )
            raise UsageError(f"--run {run}: there is no such run with records; accepted: {there}")
        return rows[run]
    usable = [
        row
        for row in rows.values()
        if trajectory.records_done[row] and (show == "levels" or len(trajectory.weight_steps(row)))
    ]
    if not usable:
        raise FileError(
            f"'{trajectory.path}' holds no weights, so there is no network to show: train with "
            f"--weights records"
        )
    best = np.nan_to_num(trajectory.best(), nan=-np.inf)
    return max(usable, key=lambda row: float(best[row]))


def _spread(count: int, most: int) -> list[int]:
    places = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [int(place) for place in dict.fromkeys(places.tolist())]


def _about(found: _Frames) -> str:
    settings = found.entry.settings
    what = PROBLEMS[str(settings.get("problem", "fractal"))].describe(settings)
    width = found.entry.setting("width")
    return f"{what}: depth {settings.get('network_depth')}, width {width}"


def _stage(found: _Frames, size: style.Inches | None, ratio: float) -> tuple[Figure, Axes, Any]:
    """A figure with a panel for the network and one for the accuracy by level."""
    narrow = style.is_narrow(size)
    own = (3.4, 3.4 / ratio + 1.6) if narrow else (7.2, 4.2)
    figure = style.new_figure(own, size)
    shape: dict[str, Any] = (
        {"nrows": 2, "height_ratios": (2.4, 1)} if narrow else {"ncols": 2, "width_ratios": (2, 1)}
    )
    main, side = figure.subplots(**shape)
    return figure, main, _bars(side, found)


def _bars(axes: Axes, found: _Frames) -> Callable[[int], None]:
    """Accuracy by level as bars that move."""
    if VARIABLE not in found.entry.trajectory.records:
        axes.set_axis_off()
        return lambda frame: None
    last = found.at(len(found.steps) - 1, VARIABLE)
    there = np.flatnonzero(np.isfinite(last))
    colours = [style.shade(place, len(there)) for place in range(len(there))]
    bars = axes.bar(there, np.zeros(len(there)), color=colours)
    axes.set(xlabel="level $j$", ylabel="test accuracy", ylim=(0, 1.02))
    style.ticks_at(axes, [float(j) for j in there])
    axes.grid(axis="x", visible=False)

    def update(frame: int) -> None:
        for bar, height in zip(bars, np.nan_to_num(found.at(frame, VARIABLE)[there]), strict=True):
            bar.set_height(float(height))

    return update


Made = tuple[Figure, Callable[[int], None]]


def _decision(found: _Frames, size: style.Inches | None, cut: Cut | None) -> Made:
    fractal = found.snapshots[0].fractal
    assert fractal is not None
    return (_line if fractal.dimension == 1 else _plane)(found, size)


def _plane(found: _Frames, size: style.Inches | None) -> Made:
    low, x = _pixels(found.snapshots[0])
    values = [decision_values(one.shape, one.params, x) for one in found.snapshots]
    limit = min(_LIMIT, max(float(np.abs(f).max()) for f in values)) or 1.0
    figure, axes, bars = _stage(found, size, 0.9)
    side = (POINTS_PER_SIDE, POINTS_PER_SIDE)
    image = axes.imshow(
        np.zeros(side),
        origin="lower",
        extent=(low, 1.0, low, 1.0),
        cmap=style.DIVERGING,
        vmin=-limit,
        vmax=limit,
        interpolation="nearest",
    )
    _outline(axes, found.snapshots[0])
    figure.colorbar(image, ax=axes, label="decision function $f(x)$", shrink=0.8)
    drawn: list[Any] = []

    def update(frame: int) -> None:
        f = values[frame].reshape(side)
        image.set_data(f)
        while drawn:
            drawn.pop().remove()
        if f.min() < 0 < f.max():
            centres = x[:, 0].reshape(side), x[:, 1].reshape(side)
            drawn.append(
                axes.contour(*centres, f, levels=[0.0], colors=["#000000"], linewidths=1.0)
            )
        bars(frame)

    return figure, update


def _pixels(one: Snapshot) -> tuple[float, NDArray[np.float64]]:
    """The low end of the base, and the centres of pixels (N, 2)."""
    side = one.low + (1.0 - one.low) * (np.arange(POINTS_PER_SIDE) + 0.5) / POINTS_PER_SIDE
    x1, x2 = np.meshgrid(side, side)
    return one.low, np.column_stack((x1.ravel(), x2.ravel()))


def _outline(axes: Axes, one: Snapshot) -> None:
    """The cells of the fractal, and the frame of its base."""
    assert one.fractal is not None
    depth = drawable_depth(one.fractal, one.fractal_depth)
    cell = float(np.ptp(corners(one.fractal, depth)[0], axis=0).max()) / (1.0 - one.low)
    width = float(np.clip(40 * cell, 0.2, 0.8))
    add_cells(axes, one.fractal, depth, linewidth=width, facecolor="none", edgecolor="#202020")
    frame_plane(axes, one.low)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")


def _line(found: _Frames, size: style.Inches | None) -> Made:
    one = found.snapshots[0]
    assert one.fractal is not None
    x = one.low + (1.0 - one.low) * (np.arange(POINTS_ON_LINE) + 0.5) / POINTS_ON_LINE
    values = [decision_values(each.shape, each.params, x[:, None]) for each in found.snapshots]
    figure, axes, bars = _stage(found, size, 1.6)
    depth = drawable_depth(one.fractal, one.fractal_depth)
    ends = np.sort(corners(one.fractal, depth)[:, :, 0], axis=1)
    spans = [(float(a), float(b - a)) for a, b in ends]
    place = axes.get_xaxis_transform()
    axes.broken_barh(spans, (0, 1), transform=place, facecolor="#BFD9EA", edgecolor="none")
    axes.axhline(0.0, color="#000000", linewidth=0.8)
    (line,) = axes.plot(x, values[0], color=style.colour(1), linewidth=1.2)
    reach = 1.05 * max(1.0, float(np.quantile(np.abs(values), 0.995)))
    axes.set(xlabel="$x$", ylabel="decision function $f(x)$", xlim=(one.low, 1.0))
    axes.set_ylim(-reach, reach)
    axes.grid(False)

    def update(frame: int) -> None:
        line.set_ydata(values[frame])
        bars(frame)

    return figure, update


def _regions(found: _Frames, size: style.Inches | None, cut: Cut | None) -> Made:
    assert cut is not None
    pieces = [cut(one) for one in found.snapshots]
    limit = min(_LIMIT, max(float(np.abs(means).max()) for _, means in pieces)) or 1.0
    figure, axes, bars = _stage(found, size, 0.9)
    shown = PolyCollection(
        [], cmap=style.DIVERGING, clim=(-limit, limit), edgecolor="#404040B0", rasterized=True
    )
    axes.add_collection(shown)
    _outline(axes, found.snapshots[0])
    figure.colorbar(shown, ax=axes, label="mean of $f(x)$ on the region", shrink=0.8)

    def update(frame: int) -> None:
        polygons, means = pieces[frame]
        shown.set_verts(list(polygons))
        shown.set_array(means)
        shown.set_linewidth(float(np.clip(9 / np.sqrt(len(polygons)), 0.0, 0.4)))
        axes.set_title(f"{len(polygons):,} activation regions")
        bars(frame)

    return figure, update


def _levels(found: _Frames, size: style.Inches | None, cut: Cut | None) -> Made:
    narrow = style.is_narrow(size)
    figure = style.new_figure((3.4, 4.4) if narrow else (7.2, 3.4), size)
    left, right = figure.subplots(*style.arrange(2, size, 2), squeeze=False).ravel()
    bars = _bars(left, found)
    entry = found.entry
    steps, accuracy = entry.steps[: records(entry)], entry.series("test_accuracy")[: records(entry)]
    right.plot(steps, accuracy, color="#B0B0B0", linewidth=1.2)
    (line,) = right.plot([], [], color=style.colour(0))
    (dot,) = right.plot([], [], color=style.colour(0), marker="o", linestyle="none")
    right.set(xlabel="step", ylabel="test accuracy (all points)")
    right.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useMathText=True)

    def update(frame: int) -> None:
        bars(frame)
        until = steps <= found.steps[frame]
        line.set_data(steps[until], accuracy[until])
        dot.set_data(steps[until][-1:], accuracy[until][-1:])

    return figure, update
