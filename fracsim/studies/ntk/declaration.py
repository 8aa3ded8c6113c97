"""``fracsim ntk``: the tangent kernel of finite random networks."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.machine.cpus import MOST_THREADS
from fracsim.settings import setting
from fracsim.studies.study import Drawing, Study


@dataclass(frozen=True)
class Settings:
    """Which random networks, and how many."""

    inputs: int = setting(2, "input dimension n_0", int, low=1, high=10_000)
    network_depth: int = setting(2, "hidden layers T", int, low=1, high=100)
    width: tuple[int, ...] = setting(
        (32, 128, 512), "widths n of each hidden layer", int, low=1, high=10_000, many=True
    )
    draws: int = setting(1000, "random networks of each width", int, low=2, high=1e6)
    points: int = setting(
        1,
        "inputs, uniform on the sphere |x|² = n_0; the kernel is of all pairs",
        int,
        low=1,
        high=2000,
    )
    seed: int = setting(0, "networks and inputs are those of the seed", int, low=0, high=10**18)
    threads: int | None = setting(
        None,
        "threads",
        int,
        low=1,
        high=MOST_THREADS,
        optional="all this process may use",
        kept=False,
    )


_WIDTH = (
    ("mean", "mean of Theta_n(x, x) over draws"),
    ("mean_exact", "its exact mean, T + 1"),
    ("standard_error", "standard error of the mean"),
    ("variance_times_width", "n Var/mean^2 of Theta_n(x, x)"),
    ("variance_error", "standard error of variance_times_width"),
    ("limit", "limit of variance_times_width for n -> infinity"),
)

VARIABLES = (
    Variable("width", ("width",), "<i8", "1", "width n of each hidden layer"),
    *(Variable(name, ("width",), "<f8", "1", about) for name, about in _WIDTH),
    Variable("diagonal", ("width", "draw"), "<f8", "1", "Theta_n(x, x) of the first input"),
    Variable("x", ("point", "dim"), "<f8", "1", "inputs"),
    Variable("mean_kernel", ("width", "point", "point_2"), "<f8", "1", "mean of Theta_n(x, x')"),
    Variable("wide_kernel", ("point", "point_2"), "<f8", "1", "its limit of wide layers"),
)

STUDY = Study(
    name="ntk",
    about="Draw tangent kernels of finite random networks, beside their exact mean and variance.",
    help="""Draw random ReLU networks without biases and take their tangent kernel Θ_n(x, x'), the
    sum over parameters of products of derivatives, at inputs of |x|² = n_0.

    The mean of Θ_n(x, x) is T + 1 at every width n. Its relative variance times n tends to
    5T - (4/3) T (T+2)/(T+1): how far from a fixed kernel a network of a width starts. --depth
    counts hidden layers, T; the layers L of 'fracsim kernel-spectrum' are T + 1.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.ntk.compute:compute",
    example=(
        "fracsim ntk --inputs 2 --depth 2 --width 32,128,512 --draws 1000 --seed 0 --json",
        "fracsim ntk --depth 2 --width 32,128,512 -o ntk.h5",
    ),
    figure=Drawing(
        "fracsim.studies.ntk.figure:draw",
        "Tangent kernels of finite random networks: their spread by width.",
        """How Θ_n(x, x) is spread over random networks, and its variance times n beside the limit,
        from a file of 'fracsim ntk'.""",
        ("fracsim-plot ntk ntk.h5 -o ntk.png",),
    ),
    unit="networks",
    warmup=({"width": (4,), "draws": 2, "points": 2},),
    checks="fracsim.studies.ntk.compute:checks",
)
