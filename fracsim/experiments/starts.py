"""The networks that the runs of a grid start from, pinned and checked.

What a stored start is: ``fracsim.networks.start``.
"""

from collections.abc import Iterable

from fracsim.experiments.grid import Grid
from fracsim.networks.start import load_start, pin
from fracsim.training.run import Run, shape_of


def pin_starts(grid: Grid) -> None:
    """Pin every ``init_from`` of a grid; where it is one for all runs and a size is not set, the
    network's size is.

    Raises FileError where a file holds no network, or no longer the pinned one.
    """
    text = grid.fixed.get("init_from")
    if text is not None:
        grid.fixed["init_from"], network = pin(text)
        depth, width = network.shape.depth, network.width
        if grid.fixed.get("network_depth", depth) != depth:  # refused with its run, by name
            width = network.shape.width
        for key, size in (("network_depth", depth), ("width", width)):
            if key not in {*grid.varied, *grid.open_keys()}:
                grid.fixed.setdefault(key, size)
    for axes in (grid.crossed, *grid.zipped):
        if "init_from" in axes:
            axes["init_from"] = tuple(pin(text)[0] for text in axes["init_from"])


def rounded_starts(runs: Iterable[Run]) -> list[str]:
    """Sentences on the networks of float64 from which runs start in float32."""
    from fracsim.networks.start import path_of

    starts = {
        run.init_from: shape_of(run)
        for run in runs
        if run.init_from is not None and run.precision == "float32"
    }
    return [
        f"warning: {path_of(text)} holds parameters of float64, which this training rounds to "
        f"float32: a written network may err then ('fracsim construct --precision float32' tries "
        f"one); precision (--precision) float64 keeps it as it is"
        for text, shape in starts.items()
        if load_start(text, shape).itemsize > 4
    ]


def check_starts(runs: Iterable[Run]) -> None:
    """Raise UsageError where a run's network has another shape than the one it starts from,
    FileError as above."""
    starts = {(run.init_from, shape_of(run)) for run in runs if run.init_from is not None}
    for text, shape in starts:
        load_start(text, shape)
