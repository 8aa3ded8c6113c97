"""``fracsim conjecture``: is deep better only where shallow is good? A sweep as a scatter."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import REQUIRED, setting

CORNER = 0.45
"""Error of shallow networks from which on they are taken to be at chance."""


@dataclass(frozen=True)
class Settings:
    """Which runs, and which networks count as shallow."""

    runs: str = setting(
        REQUIRED, "trajectory file of deep and shallow networks", str, argument=True
    )
    sign_changes: tuple[int, ...] = setting(
        (51, 11, 3),
        "sign changes m of shallow networks, d = 1: k + 1 of one hidden layer of width k",
        int,
        low=1,
        high=10**6,
        many=True,
    )
    neighbour_points: int = setting(
        50_000,
        "training points of the nearest neighbour, at most; 0: it is left out",
        int,
        low=0,
        high=1e6,
    )


def _of_points(name: str, about: str, dtype: str = "<f8") -> Variable:
    return Variable(name, ("point",), dtype, "1", about)


VARIABLES = (
    _of_points("fractal", "fractal", "str"),
    _of_points("fractal_depth", "depth n of the fractal", "<i8"),
    _of_points("curve", "approximation curve", "str"),
    _of_points("network_depth", "hidden layers T of the deep networks", "<i8"),
    _of_points("width", "width k of each hidden layer, or 100-20-100", "str"),
    _of_points("deep_error", "least test error over rates, seeds and records"),
    _of_points("deep_mean", "at the rate with the best mean: mean over the seeds"),
    _of_points("deep_worst", "at that rate: the worst seed"),
    _of_points("learning_rate", "that rate"),
    _of_points("rates", "learning rates tried", "<i8"),
    _of_points("seeds", "seeds at that rate", "<i8"),
    _of_points("steps", "training steps", "<i8"),
    _of_points("shallow_trained", "least test error of trained networks of one layer (NaN: none)"),
    _of_points(
        "shallow_own_least", "exact least error of any network of that one's width (NaN: d > 1)"
    ),
    _of_points("constructed", "error of Theorem 3's network of that T and k (NaN: none fits)"),
    _of_points("own_least", "exact least error of any network of that T and k (NaN: d > 1)"),
    _of_points("nearest_neighbour", "error of the nearest neighbour (NaN: left out)"),
    _of_points("upper", "1 where shallow_error is only known to be at most this", "<i8"),
    _of_points("test_points", "points that an error is measured on", "<i8"),
    Variable("sign_changes", ("m",), "<i8", "1", "sign changes m of shallow networks (0: d > 1)"),
    Variable(
        "shallow_error",
        ("point", "m"),
        "<f8",
        "1",
        "least error of any network with m sign changes; d > 1: of the trained shallow ones",
    ),
    Variable("kendall_tau", ("m",), "<f8", "1", "rank correlation of shallow and deep errors"),
    Variable(
        "corner_points", ("m",), "<i8", "1", f"points whose shallow error is above {CORNER:g}"
    ),
    Variable(
        "corner_gain", ("m",), "<f8", "1", "most that a deep error is less, there (NaN: no points)"
    ),
)

STUDY = Study(
    name="conjecture",
    about="Set trained deep networks against the best shallow ones, distribution by distribution.",
    help="""Malach & Shalev-Shwartz conjecture that deep networks are better only where shallow ones
    do well. From RUNS, a trajectory file as of 'fracsim sweep conjecture1d', a point for each
    distribution and deep network: the least error of shallow networks, and what training reached.

    In one dimension the first is exact, for all networks with m sign changes; in more it is that of
    the trained shallow ones, an upper bound. Beside them: Kendall's rank correlation of the two,
    how empty the corner is where shallow fails and deep does not, Theorem 3's construction of the
    deep network's size, and the nearest neighbour.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.conjecture.compute:compute",
    example=("fracsim conjecture runs.h5 -o c.h5 --json",),
    figure=Drawing(
        "fracsim.studies.conjecture.figure:draw",
        "Errors of deep networks against those of the best shallow ones, with the empty corner.",
        example=("fracsim-plot conjecture c.h5 -o conjecture.png",),
    ),
    unit="distributions",
)
