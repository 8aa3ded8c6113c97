"""The figure ``shallow``: what one hidden layer costs."""

from matplotlib.figure import Figure

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
    figure = style.new_figure((4.4, 3.0), size)
    axes = figure.add_subplot(title=title or "Deep networks of cantor1d, and one layer instead")
    n = arrays["fractal_depth"]
    names = {
        "units": "one hidden layer, same function",
        "deep_units": "deep network (Theorem 1)",
        "least_width": "least of one layer (Theorem 2)",
    }
    for i, (key, name) in enumerate(names.items()):
        axes.plot(n, arrays[key], label=name, **style.look(i))
    axes.set_yscale("log")
    style.ticks_at(axes, [float(value) for value in n])
    axes.set_xlabel("depth n of the fractal")
    axes.set_ylabel("units")
    axes.legend()
    return figure
