"""``fracsim shallow``: a deep network of one input as one with a single hidden layer, of two inputs
as one with three."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.networks.file import PARAMS
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import label, setting

_STORED = ("run", "snapshot", "window")


@dataclass(frozen=True)
class Settings:
    """Which network, on which interval."""

    file: str | None = setting(
        None,
        "file of a network with one or two inputs",
        str,
        argument=True,
        optional="networks of Theorem 1, for each depth of the fractal",
        excludes=("fractal_depth",),
    )
    run: int | None = setting(
        None, "number of the run in FILE", int, low=0, optional="the best one"
    )
    snapshot: int | None = setting(
        None, "which stored weights, from 0", int, low=0, optional="the last"
    )
    window: tuple[float, ...] | None = setting(
        None,
        "interval, or rectangle, on which both are equal",
        float,
        coordinates=True,
        metavar="LOW,HIGH,…",
        optional="the base",
    )
    points: int = setting(
        100_000, "points, beside the breakpoints, at which both are compared", int, low=2, high=1e8
    )
    steepness: float = setting(
        1000.0,
        "M of the steps of two inputs: 0 to 1 within 1/M; larger ones round worse",
        float,
        low=1,
        high=1e9,
    )
    fractal_depth: tuple[int, ...] | None = setting(
        None,
        "depths n of cantor1d, without FILE",
        int,
        low=1,
        high=12,
        many=True,
        optional="1:4",
        excludes=("file", *_STORED),
    )

    def validate(self) -> None:
        """Raise UsageError for what does not fit together."""
        if self.file is not None and self.fractal_depth is not None:
            raise UsageError(f"FILE and {label('fractal_depth')} exclude each other")
        for key in _STORED:
            if self.file is None and getattr(self, key) is not None:
                raise UsageError(f"{label(key)} is for a network; accepted is one with FILE")


def _of_twins(name: str, about: str, dtype: str = "<i8") -> Variable:
    return Variable(name, ("twin",), dtype, "1", about)


VARIABLES = (
    PARAMS,
    _of_twins("fractal_depth", "depth n of the fractal; 0 where there is none"),
    _of_twins("pieces", "linear pieces of the function on the interval"),
    _of_twins("units", "units of the shallow network"),
    _of_twins("layers", "hidden layers of the shallow network"),
    _of_twins("deep_units", "units of the deep network"),
    _of_twins("deep_layers", "hidden layers of the deep network"),
    _of_twins(
        "largest_error",
        "largest difference of the two off the edges, over the largest value",
        "<f8",
    ),
    _of_twins("rounding", "about how far rounding can take the shallow network", "<f8"),
    _of_twins("least_width", "least width of Theorem 2 for so many layers (NaN: none)", "<f8"),
)

STUDY = Study(
    name="shallow",
    about="Write a deep network of one or two inputs with one hidden layer, or with three.",
    help="""Write the network of FILE, of one input, as a network with a single hidden layer that is
    the same function on an interval: a unit for each linear piece (Villani & Schoots). Of two
    inputs, as one with three hidden layers on a rectangle: indicators of its linear pieces, the
    same function but for points that touch an edge.

    The twin is an ordinary network: draw it, count it, train from it. Without FILE, the networks of
    Theorem 1 for cantor1d and their twins by the depth of the fractal, beside Theorem 2's least
    width.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.shallow.compute:compute",
    example=(
        "fracsim shallow net.h5 -o twin.h5 --json",
        "fracsim shallow --fractal-depth 1:4 -o sizes.h5",
    ),
    figure=Drawing(
        "fracsim.studies.shallow.figure:draw",
        "Units of deep networks and of their shallow twins by the depth of the fractal.",
        example=("fracsim-plot shallow sizes.h5 -o shallow.png",),
    ),
    unit="networks",
    warmup=({"fractal_depth": (1,), "points": 100},),
    checks="fracsim.studies.shallow.compute:checks",
)
