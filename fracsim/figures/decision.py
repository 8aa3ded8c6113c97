"""The figure ``decision``: the decision function f(x) of a stored network, with the fractal's
cells."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.collect import describe
from fracsim.figures.fractal import add_cells, check_dimension, corners, drawable_depth, frame_plane
from fracsim.fractals.fractal import Fractal
from fracsim.kernels.backend import get_backend
from fracsim.kernels.network.shape import Shape
from fracsim.networks.stored import StoredNetwork

POINTS_PER_SIDE = 729
"""3^6: three pixels in each cell of a fractal of depth 5 with scale 1/3."""

POINTS_ON_LINE = 8000

Decision = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""x (N, d) -> f (N,)"""


def draw(
    network: StoredNetwork, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """f(x) over the base: d = 2 as colours with the contour f = 0 and the cells of K_n, d = 1 as a
    line.

    Args:
        network: as :func:`fracsim.networks.stored.load_network` gives it.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        UsageError: d > 2, or a network that has learnt something else than a fractal.
    """
    fractal = network.fractal
    if fractal is None:
        raise UsageError(
            f"'{network.path}' holds a network that has not learnt a fractal; decision draws f(x) "
            f"over a fractal's cells"
        )
    check_dimension(fractal)
    painter = _draw_line if fractal.dimension == 1 else _draw_plane
    function = partial(decision_values, network.shape, network.params)
    figure = painter(function, fractal, network.fractal_depth, size)
    style.head(figure, title, _title(network, fractal))
    return figure


def decision_values(
    shape: Shape, parameters: NDArray[Any], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """f(x) (N,) of one network at the points x (N, d)."""
    values = get_backend("cpu").forward(
        shape, parameters[None, :], x.astype(parameters.dtype)[None], np.zeros(1, dtype=np.int64)
    )
    return np.asarray(values[0], dtype=np.float64)


def _draw_plane(f_of: Decision, fractal: Fractal, n: int, size: style.Inches | None) -> Figure:
    low = fractal.geometry().low
    # Centres of pixels, so that no point lies on a border of a cell.
    side = low + (1.0 - low) * (np.arange(POINTS_PER_SIDE) + 0.5) / POINTS_PER_SIDE
    x1, x2 = np.meshgrid(side, side)
    f = f_of(np.column_stack((x1.ravel(), x2.ravel()))).reshape(x1.shape)
    figure = style.new_figure((5.6, 5.2), size)
    axes = figure.add_subplot()
    limit = _colour_limit(f)
    image = axes.imshow(
        f,
        origin="lower",
        extent=(low, 1.0, low, 1.0),
        cmap=style.DIVERGING,
        vmin=-limit,
        vmax=limit,
        interpolation="nearest",
    )
    depth = drawable_depth(fractal, n)
    cell = float(np.ptp(corners(fractal, depth)[0], axis=0).max()) / (1.0 - low)
    outline: dict[str, Any] = {"facecolor": "none", "edgecolor": "#202020"}
    add_cells(axes, fractal, depth, linewidth=float(np.clip(40 * cell, 0.2, 0.8)), **outline)
    handles: list[Any] = [Patch(linewidth=0.8, label=f"cells of $K_{{{depth}}}$", **outline)]
    if f.min() < 0 < f.max():
        axes.contour(x1, x2, f, levels=[0.0], colors=["#000000"], linewidths=1.0)
        handles.append(Line2D([], [], color="#000000", linewidth=1.0, label="$f(x) = 0$"))
    frame_plane(axes, low)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    figure.colorbar(
        image,
        ax=axes,
        label="decision function $f(x)$",
        shrink=0.85,
        extend="both" if np.abs(f).max() > limit else "neither",
    )
    style.legend_below(figure, handles)
    return figure


def _draw_line(f_of: Decision, fractal: Fractal, n: int, size: style.Inches | None) -> Figure:
    low = fractal.geometry().low
    x = low + (1.0 - low) * (np.arange(POINTS_ON_LINE) + 0.5) / POINTS_ON_LINE
    f = f_of(x[:, None])
    figure = style.new_figure((6.4, 3.4), size)
    axes = figure.add_subplot()
    depth = drawable_depth(fractal, n)
    _shade_cells(axes, fractal, depth)
    axes.axhline(0.0, color="#000000", linewidth=0.8)
    axes.plot(x, f, color=style.colour(1), linewidth=1.0, label="$f(x)$")
    axes.set(xlabel="$x$", ylabel="decision function $f(x)$", xlim=(low, 1.0))
    axes.grid(False)
    style.legend_below(figure)
    return figure


def _shade_cells(axes: Axes, fractal: Fractal, depth: int) -> None:
    ends = np.sort(corners(fractal, depth)[:, :, 0], axis=1)
    axes.broken_barh(
        [(float(a), float(b - a)) for a, b in ends],
        (0, 1),
        transform=axes.get_xaxis_transform(),
        facecolor="#BFD9EA",
        edgecolor="none",
        linewidth=0,
        label=f"cells of $K_{{{depth}}}$",
    )


def _colour_limit(f: NDArray[np.float64]) -> float:
    """±2 shows what the hinge loss asks for (|f| ≥ 1); less where the network never gets there."""
    return float(min(2.0, max(np.abs(f).max(), 1e-6)))


def _title(network: StoredNetwork, fractal: Fractal) -> str:
    settings = {
        "fractal": fractal.name,
        "fractal_depth": network.fractal_depth,
        "curve": network.curve,
    }
    what = describe(settings, without=() if network.curve else ("curve",))
    return f"{what}: {network.sizes}\n{network.about}"
