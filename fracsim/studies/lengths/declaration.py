"""``fracsim lengths``: the length of a curve, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.machine.cpus import MOST_THREADS
from fracsim.networks.settings import NetworkKeys
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import setting


@dataclass(frozen=True)
class Settings(NetworkKeys):
    """Which networks, and which curve."""

    random: bool = setting(
        False, "random networks instead of FILE", bool, excludes=("file", "run", "snapshot")
    )
    activation: str | None = setting(
        None, "activation: relu, tanh, erf or hardtanh", str, optional="relu"
    )
    along: str = setting(
        "circle",
        "the curve; cells: borders of the fractal's cells, level by level",
        str,
        choices=("circle", "segment", "polyline", "cells"),
    )
    path: tuple[float, ...] | None = setting(
        None,
        "vertices of a segment or polyline, d coordinates each",
        float,
        coordinates=True,
        metavar="X1,Y1,X2,Y2,…",
        optional="a diagonal of the base (segment)",
    )
    radius: float | None = setting(
        None,
        "radius of the circle",
        float,
        above=0,
        high=1e6,
        optional="1; see above without --inputs",
    )
    scale: float | None = setting(
        None,
        "blow the borders of cells up about their centres, as a control",
        float,
        above=0,
        high=1000,
        optional="1: the borders themselves",
    )
    points: int = setting(
        20_001, "vertices of the circle, or of each smooth piece", int, low=3, high=1e8
    )
    exact: bool | None = setting(
        None,
        "make every kink of relu and hardtanh a vertex",
        bool,
        optional="on a polyline yes, on a circle no",
    )
    draws: int | None = setting(None, "random networks", int, low=1, high=1e6, optional="100")
    seed: int = setting(0, "network i is that of seed + i", int, low=0, high=10**18)
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
        """Raise UsageError where settings do not fit together."""
        if self.random == (self.file is not None):
            both = ", not both" if self.random else ""
            raise UsageError(f"give either a FILE with a network or --random{both}")
        self.validate_network()
        if not self.random:
            for name, value in (("--draws", self.draws), ("--activation", self.activation)):
                if value is not None:
                    raise UsageError(f"{name} describes random networks; it needs --random")
        if self.along == "cells" and self.random:
            raise UsageError("--along cells: a random network has no fractal; it needs a FILE")
        if (self.path is not None) != (self.along in ("polyline", "segment")):
            if self.along == "segment":
                return
            needs = "needs --path" if self.along == "polyline" else "takes no --path"
            raise UsageError(f"--along {self.along} {needs}")
        if self.scale is not None and self.along != "cells":
            raise UsageError(f"--scale is that of --along cells; --along is {self.along}")
        if self.radius is not None and self.along != "circle":
            raise UsageError(f"--radius is that of a circle; --along is {self.along}")


_LAYER = (
    ("ratio", "mean length of the activations' curve over the input's"),
    ("ratio_theory", "its mean in theory (NaN: none applies)"),
    ("growth", "mean ratio to the length a layer before"),
    ("growth_theory", "its mean in theory (NaN: none applies)"),
    ("z_growth", "mean ratio of preactivations to those of the layer before (NaN: none)"),
    ("z_growth_theory", "its mean in wide layers, sqrt(chi_1) (NaN: none applies)"),
    ("standard_error", "standard error of ratio"),
    ("chord_error", "how much chords are estimated to lack, relative"),
    ("length_per_unit", "mean length over the width of the layer"),
)

VARIABLES = (
    Variable("layer", ("layer",), "<i8", "1", "hidden layer, from 1"),
    Variable("units", ("layer",), "<i8", "1", "width n_l of the layer"),
    *(Variable(name, ("layer",), "<f8", "1", about) for name, about in _LAYER),
    Variable("length", ("draw", "layer"), "<f8", "1", "length of activations, each network"),
    Variable("z_length", ("draw", "layer"), "<f8", "1", "length of preactivations, each network"),
    Variable("angle", ("angle",), "<f8", "radian", "difference of angles on the circle"),
    Variable(
        "autocorrelation",
        ("layer", "angle"),
        "<f8",
        "1",
        "mean of z(θ) · z(θ + Δ) over that of |z|² along the circle, preactivations",
    ),
    Variable(
        "autocorrelation_theory",
        ("layer", "angle"),
        "<f8",
        "1",
        "the same in wide layers, by the correlation map (NaN: none applies)",
    ),
    Variable(
        "place",
        ("layer", "vertex", "component"),
        "<f8",
        "1",
        "the circle's image z in the first network, along its principal components",
    ),
    Variable(
        "variance_share",
        ("layer", "component"),
        "<f8",
        "1",
        "share of the variance of that image along each component",
    ),
    Variable("snapshot", ("snapshot",), "<i8", "1", "optimiser steps done"),
    Variable("test_accuracy", ("snapshot",), "<f8", "1", "accuracy on the test set"),
    Variable("level", ("level",), "<i8", "1", "level j of the cells whose borders are the curve"),
    Variable("input_length", ("level",), "<f8", "1", "length of the curve"),
    Variable(
        "ratio_by_level",
        ("snapshot", "level", "layer"),
        "<f8",
        "1",
        "length of the activations' curve over the input's",
    ),
)

STUDY = Study(
    name="lengths",
    about="Measure how long a curve becomes, layer by layer.",
    help="""Send a curve through random networks (--random) or the network in FILE and measure its
    length after every hidden layer, beside what theory says.

    ReLU and hardtanh are piecewise linear: on a polyline every kink is made a vertex, and lengths
    are exact. A circle, and smooth activations, are measured by chords, with an estimate of what
    they lack. Random networks: --init, or --weight-std and --bias-std. Without --inputs the circle
    is the pre-activation z_0 of radius √(n_0 q*), of as many units as layer 1, and the input is
    f(z_0); where there is no q*, it is the input, of radius √n_0. With --inputs it is the input, of
    radius 1.""",
    settings=Settings,
    variables=VARIABLES,
    forms={
        "random": ("layer", "ratio", "growth", "length"),
        "stored": ("layer", "level", "snapshot", "input_length", "ratio_by_level"),
    },
    compute="fracsim.studies.lengths.compute:compute",
    example=(
        "fracsim lengths --random --activation hardtanh --weight-std 4 --bias-std 0.3 "
        "--width 200 --depth 6 --draws 6 -o l.h5",
        "fracsim lengths --random --inputs 2 --width 30-30-30-30-30 --draws 300",
        "fracsim lengths run.h5 --snapshot all --along cells -o trained.h5",
        "fracsim lengths run.h5 --snapshot all --along cells --scale 1.5 -o control.h5",
    ),
    figure=Drawing(
        "fracsim.studies.lengths.figure:draw",
        "The length of curves by layer that `fracsim lengths` measured.",
        """Length over the input's by layer, theory dotted, a line for each file of random
        networks; of one file of circles also their autocorrelation, and their image in planes of
        principal components; or, of one stored network, by level of the cells and through
        training.""",
        ("fracsim-plot lengths relu.h5 tanh.h5 -o lengths.png",),
        most=8,
    ),
    unit="networks",
    warmup=(
        {"random": True, "width": "4-4", "draws": 1, "points": 11},
        {"random": True, "width": "4-4", "draws": 1, "inputs": 2, "along": "segment"},
        {
            "random": True,
            "width": "4-4",
            "draws": 1,
            "points": 11,
            "activation": "tanh",
            "weight_std": 2.0,
        },
    ),
    checks="fracsim.studies.lengths.compute:checks",
)
