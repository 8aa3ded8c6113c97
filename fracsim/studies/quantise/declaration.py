"""``fracsim quantise``: networks of few bits, and the same networks deeper with simpler weights."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.fractals.settings import CURVES, seed_setting
from fracsim.networks.file import PARAMS
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import label, setting

_OF_FILES = ("run", "snapshot", "convert", "curve")
_WITHOUT_FILE = ("pieces", "fractal_depth", "copies")


@dataclass(frozen=True)
class Settings:
    """Which network, with how many bits."""

    file: str | None = setting(
        None,
        "file of a network",
        str,
        argument=True,
        optional="splines of a function, or networks by the depth of a fractal",
        excludes=("pieces", "fractal_depth", "copies"),
    )
    run: int | None = setting(
        None, "number of the run in FILE", int, low=0, optional="the best one"
    )
    snapshot: int | None = setting(
        None, "which stored weights, from 0", int, low=0, optional="the last"
    )
    bits: tuple[int, ...] = setting(
        tuple(range(2, 25)), "bits b of each weight and bias", int, low=2, high=64, many=True
    )
    convert: int | None = setting(
        None,
        "make the deeper network of weights -1, 0, 1/2, 1, 2 that equals FILE with so many bits",
        int,
        low=2,
        high=32,
        optional="rounding only",
        excludes=("bits",),
    )
    grid: str = setting(
        "layer",
        "whether each layer has a grid of its own, or one holds the whole network",
        str,
        choices=("layer", "network"),
    )
    curve: str | None = setting(
        None, f"approximation curve of the points: {CURVES}", str, optional="the network's own"
    )
    count: int | None = setting(
        None,
        "points on which it is tried",
        int,
        low=100,
        high=1e7,
        optional="20,000; by depth 2,000",
    )
    seed: int = seed_setting("seed of the points")
    pieces: tuple[int, ...] | None = setting(
        None,
        "pieces N of the splines of the distance, without FILE",
        int,
        low=1,
        high=100_000,
        many=True,
        optional="16,64,256",
        excludes=("file", "fractal_depth", "copies", *_OF_FILES[:3]),
    )
    fractal_depth: tuple[int, ...] | None = setting(
        None,
        "depths n of cantor1d, without FILE: the bits that deep and shallow networks need",
        int,
        low=1,
        high=10,
        many=True,
        optional="splines of the distance",
        excludes=("file", "pieces", *_OF_FILES[:3]),
    )
    copies: int | None = setting(
        None,
        "moved copies of each of these networks",
        int,
        low=1,
        high=1000,
        optional="20",
    )

    def validate(self) -> None:
        """Raise UsageError for what does not fit together."""
        for key in _WITHOUT_FILE:
            if self.file is not None and getattr(self, key) is not None:
                raise UsageError(f"FILE and {label(key)} exclude each other; accepted is one")
        if self.pieces is not None and self.fractal_depth is not None:
            raise UsageError(
                f"{label('pieces')} and {label('fractal_depth')} exclude each other; accepted is "
                "one: splines, or networks by the depth of the fractal"
            )
        if self.copies is not None and self.fractal_depth is None:
            raise UsageError(
                f"{label('copies')} is for networks by depth; accepted is it with "
                f"{label('fractal_depth')}"
            )
        for key in _OF_FILES:
            if self.file is None and getattr(self, key) is not None:
                raise UsageError(f"{label(key)} is for a network; accepted is one with FILE")


def _of_bits(name: str, about: str, dtype: str = "<f8") -> Variable:
    return Variable(name, ("bits",), dtype, "1", about)


def _by_depth(name: str, network: str) -> tuple[Variable, ...]:
    enough = f"least bits from which on it keeps .95 of the decisions (NaN: more): {network}"
    return (
        Variable(f"{name}_units", ("fractal_depth",), "<i8", "1", f"units: {network}"),
        Variable(f"{name}_bits", ("fractal_depth",), "<f8", "1", enough),
        Variable(f"{name}_copy_bits", ("fractal_depth", "copy"), "<f8", "1", f"{enough}, moved"),
    )


VARIABLES = (
    _of_bits("bits", "bits b of each weight and bias", "<i8"),
    _of_bits("fraction_bits", "bits after the point, least over the layers", "<i8"),
    _of_bits("exact", "1 where rounding changes no parameter", "<i8"),
    _of_bits("accuracy", "share of the points on which the sign is right"),
    Variable(
        "accuracy_by_level", ("bits", "level"), "<f8", "1", "the same by level (NaN: no points)"
    ),
    _of_bits("largest_change", "largest change of the network's output on the points"),
    _of_bits("distinct_weights", "different weights, over all layers", "<i8"),
    _of_bits("distinct_biases", "different biases, over all layers", "<i8"),
    Variable("pieces", ("pieces",), "<i8", "1", "pieces N of each spline"),
    Variable(
        "sup_error", ("pieces", "bits"), "<f8", "1", "largest error against the distance itself"
    ),
    Variable("floor", ("pieces",), "<f8", "1", "the same without rounding"),
    Variable(
        "knee_bits", ("pieces",), "<f8", "1", "bits from which on it is at most 1.25 times that"
    ),
    Variable("fractal_depth", ("fractal_depth",), "<i8", "1", "depth n of the fractal"),
    *_by_depth("deep", "Theorem 1's network"),
    *_by_depth("shallow", "a trapezoid over each cell, one hidden layer"),
    PARAMS,
)

STUDY = Study(
    name="quantise",
    about="Round a network to few bits, or make it deeper with weights -1, 0, 1/2, 1, 2.",
    help="""Round the weights and biases of FILE, layer by layer, to power-of-two grids of b bits,
    and try each network: accuracy by level, change of the output, least bits that change nothing.

    --convert b writes the network of b bits as a deeper one of weights -1, 0, 1/2, 1 and 2, the
    same function exactly (Horner's rule), an ordinary network: count it, draw it, train from it.
    Without FILE, splines of N pieces of a 1-Lipschitz function, the distance from the Cantor set,
    show the regimes of Ou, Schenkel & Bölcskei; --fractal-depth tells the bits that Theorem 1's
    networks and shallow ones need by the depth of the fractal.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.quantise.compute:compute",
    example=(
        "fracsim quantise net.h5 --bits 2:24 -o q.h5 --json",
        "fracsim quantise net.h5 --convert 8 -o deep.h5 --json",
        "fracsim quantise --pieces 16,64,256 --bits 4:19 -o distance.h5",
        "fracsim quantise --fractal-depth 1:6 -o depths.h5",
    ),
    figure=Drawing(
        "fracsim.studies.quantise.figure:draw",
        "Accuracy, or error, against the bits of each weight.",
        """From files of 'fracsim quantise --bits': accuracy by bits, a line for each network, and
        by level where there is one; or the error of splines, a line for each number of pieces; or
        the bits that deep and shallow networks need by the depth of the fractal.""",
        ("fracsim-plot quantise q.h5 -o quantise.png",),
        most=6,
    ),
    forms={
        "network": ("bits", "fraction_bits", "exact", "largest_change"),
        "distance": ("bits", "fraction_bits", "pieces", "sup_error"),
        "depths": ("fractal_depth", "deep_bits", "deep_copy_bits", "shallow_copy_bits"),
        "converted": ("params",),
    },
    unit="networks",
    warmup=(
        {"pieces": (4,), "bits": (4, 8)},
        {"fractal_depth": (1,), "bits": (14,), "copies": 1, "count": 100},
    ),
    checks="fracsim.studies.quantise.compute:checks",
)
