"""``fracsim ntk``: the tangent kernel of finite networks, random ones and a trained one."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.machine.cpus import MOST_THREADS
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import label, setting, settings_of

DEFAULTS = {"inputs": 2, "network_depth": 2, "width": (32, 128, 512), "draws": 1000, "points": 1}
"""Of random networks."""
RANDOM = ("inputs", "network_depth", "width", "draws")
"""Keys that describe random networks."""
STORED = ("run", "snapshot")
"""Keys that say which network of FILE is meant."""
POINTS = 500
"""Test points of a trained network."""


@dataclass(frozen=True)
class Settings:
    """Which random networks, and how many; or which trained one."""

    file: str | None = setting(
        None,
        "trajectory file of a trained network",
        str,
        argument=True,
        optional="random networks",
        excludes=RANDOM,
    )
    run: int | None = setting(
        None, "number of the run in FILE", int, low=0, optional="the best one"
    )
    snapshot: str | None = setting(
        None,
        "which stored weights; all: through training",
        str,
        metavar="NUMBER|all",
        optional="last",
    )
    inputs: int | None = setting(None, "input dimension n_0", int, low=1, high=10_000, optional="2")
    network_depth: int | None = setting(None, "hidden layers T", int, low=1, high=100, optional="2")
    width: tuple[int, ...] | None = setting(
        None,
        "widths n of each hidden layer",
        int,
        low=1,
        high=10_000,
        many=True,
        optional="32,128,512",
    )
    draws: int | None = setting(
        None, "random networks of each width", int, low=2, high=1e6, optional="1000"
    )
    points: int | None = setting(
        None,
        "inputs, uniform on the sphere |x|² = n_0, or test points of FILE; the kernel is of all "
        "pairs",
        int,
        low=1,
        high=20_000,
        optional=f"1; {POINTS} of FILE",
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

    def validate(self) -> None:
        """Raise UsageError where settings of random and of trained networks are mixed."""
        known = settings_of(Settings)
        for key in STORED if self.file is None else RANDOM:
            if getattr(self, key) is not None:
                what, needs = (
                    ("a trained network", "a FILE")
                    if self.file is None
                    else ("random networks", "no FILE")
                )
                raise UsageError(f"{label(key, known[key])} is of {what}; it needs {needs}")
        if self.file is not None and self.points is not None and self.points < 2:
            raise UsageError("--points is 1; accepted of a trained network are 2 or more")

    def complete(self) -> RandomSettings:
        """Settings of random networks, with what they leave open."""
        given = {key: getattr(self, key) for key in DEFAULTS if getattr(self, key) is not None}
        return RandomSettings(**{**DEFAULTS, **given}, seed=self.seed, threads=self.threads)


@dataclass(frozen=True)
class RandomSettings:
    """See ``Settings``."""

    inputs: int
    network_depth: int
    width: tuple[int, ...]
    draws: int
    points: int
    seed: int
    threads: int | None


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
    Variable("snapshot", ("snapshot",), "<i8", "1", "optimiser steps done"),
    Variable("test_accuracy", ("snapshot",), "<f8", "1", "accuracy, or R^2, on the test set"),
    Variable(
        "alignment", ("snapshot",), "<f8", "1", "centred alignment of the kernel with the labels"
    ),
    Variable("level", ("level",), "<i8", "1", "level or group of points"),
    Variable("level_points", ("level",), "<i8", "1", "points of the level"),
    Variable(
        "alignment_by_level",
        ("snapshot", "level"),
        "<f8",
        "1",
        "alignment on the points of the level and of classes it lacks (NaN: none)",
    ),
    Variable("moved", ("snapshot",), "<f8", "1", "1 - <K, K_0>/(|K| |K_0|), K_0 the first kernel"),
    Variable("size", ("snapshot",), "<f8", "1", "mean of Theta(x, x) over the points"),
)

STUDY = Study(
    name="ntk",
    about="Draw tangent kernels of finite random networks, beside their exact mean and variance.",
    help="""Draw random ReLU networks without biases and take their tangent kernel Θ_n(x, x'), the
    sum over parameters of products of derivatives, at inputs of |x|² = n_0.

    The mean of Θ_n(x, x) is T + 1 at every width n. Its relative variance times n tends to
    5T - (4/3) T (T+2)/(T+1): how far from a fixed kernel a network of a width starts. --depth
    counts hidden layers, T; the layers L of 'fracsim kernel-spectrum' are T + 1.

    Of FILE, a trajectory file, the tangent kernel of a trained network on its test points (the
    after-kernel), and its alignment with the labels, level by level; --snapshot all: through the
    training, from the weights as they were drawn.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.ntk.compute:compute",
    example=(
        "fracsim ntk --inputs 2 --depth 2 --width 32,128,512 --draws 1000 --seed 0 --json",
        "fracsim ntk --depth 2 --width 32,128,512 -o ntk.h5",
        "fracsim ntk run.h5 --snapshot all -o after.h5",
    ),
    figure=Drawing(
        "fracsim.studies.ntk.figure:draw",
        "Tangent kernels: their spread by width, or their alignment through a training.",
        """How Θ_n(x, x) is spread over random networks, and its variance times n beside the limit,
        from a file of 'fracsim ntk'; of a trained network the alignment of its kernel with the
        labels, level by level, and how far it moved.""",
        ("fracsim-plot ntk ntk.h5 -o ntk.png", "fracsim-plot ntk after.h5 -o after.png"),
    ),
    forms={
        "random": ("width", "mean", "diagonal"),
        "trained": ("snapshot", "alignment", "moved"),
    },
    unit="networks",
    warmup=({"width": (4,), "draws": 2, "points": 2},),
    checks="fracsim.studies.ntk.compute:checks",
)
