"""The figure ``shallow``: what one hidden layer costs."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.figures import style


def draw(
    study: StudyContents, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Units of deep networks, of their shallow twins, and Theorem 2's least, by the depth n.

    Args:
        study: a file of ``fracsim shallow --fractal-depth``.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        FileError: the file of one network.
    """
    arrays = study.arrays
    if "deep_units" not in arrays or "params" in arrays:
        raise FileError(
            f"'{study.path}' holds the twin of one network, which `fracsim-plot decision` draws; "
            "accepted is a file of `fracsim shallow --fractal-depth`"
        )
    names = {
        "units": "one hidden layer, same function",
        "deep_units": "deep network (Theorem 1)",
        "least_width": "least of one layer (Theorem 2)",
    }
    handles = [Line2D([], [], label=name, **style.look(i)) for i, name in enumerate(names.values())]
    figure, body = style.page((4.4, 2.8), size, ["Networks for cantor1d."], handles)
    axes = body.subplots()
    n = arrays["fractal_depth"]
    for i, key in enumerate(names):
        axes.plot(n, arrays[key], **style.look(i))
    style.log_axis(axes, np.concatenate([arrays[key] for key in names]))
    style.ticks_at(axes, [float(value) for value in n])
    axes.set_xlabel("depth n of the fractal")
    axes.set_ylabel("units")
    style.head(body, title, "One hidden layer instead of many")
    return figure
