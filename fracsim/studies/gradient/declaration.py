"""``fracsim gradient``: Theorem 5 by numbers, exact in one dimension, sampled in any."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.fractals.settings import CURVES, depth_setting, fractal_setting, seed_setting
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import setting


@dataclass(frozen=True)
class Settings:
    """Which distributions, and which random networks."""

    fractal: str = fractal_setting()
    fractal_depth: int = depth_setting(20)
    curve: tuple[str, ...] = setting(
        ("6",), f"approximation curves: {CURVES}; several by commas or repeated", str, many=True
    )
    network_depth: int = setting(2, "hidden layers T", int, low=0, high=1000)
    width: int = setting(20, "width k of each hidden layer", int, low=1, high=100_000)
    initialisation: str = setting(
        "uniform",
        "initial weights; uniform is the theorem's",
        str,
        short="--init",
        metavar="paper|he|glorot|uniform",
    )
    bias: float | None = setting(
        None,
        "initial biases",
        float,
        low=-1e6,
        high=1e6,
        optional="the initialisation's; uniform needs one",
    )
    bias_std: float | None = setting(
        None,
        "draw the biases from N(bias, bias-std²)",
        float,
        low=0,
        high=1e6,
        optional="all biases are equal",
    )
    draws: int = setting(1000, "random networks", int, low=1, high=1e6)
    seed: int = seed_setting("network i is that of seed + i")
    delta: float = setting(0.05, "δ of Theorem 5, which fixes n'", float, above=0, below=1)
    samples: int | None = setting(
        None, "estimate from so many points", int, low=200, high=1e9, optional="exact, for d = 1"
    )
    fractal_definition: str | None = None


VARIABLES = (
    Variable("curve", ("curve",), "str", "1", "approximation curve"),
    Variable("level", ("level",), "<i8", "1", "level j of all negatives; E_(j+1) in the paper"),
    Variable(
        "draw",
        ("draw",),
        "<i8",
        "1",
        "number of the random network: its seed is the study's seed + draw",
    ),
    Variable(
        "max_abs_gradient",
        ("curve", "draw"),
        "<f8",
        "1",
        "largest entry of the gradient of the hinge loss over the distribution",
    ),
    Variable(
        "max_abs_gradient_error",
        ("curve", "draw"),
        "<f8",
        "1",
        "standard error of that entry, if sampled",
    ),
    Variable("loss", ("curve", "draw"), "<f8", "1", "hinge loss over the distribution"),
    Variable("loss_error", ("curve", "draw"), "<f8", "1", "standard error of the loss, if sampled"),
    Variable("bound", ("curve",), "<f8", "1", "Theorem 5's bound on the largest entry (NaN: none)"),
    Variable(
        "loss_bound", ("curve",), "<f8", "1", "Theorem 5's lower bound on the loss (NaN: none)"
    ),
    Variable(
        "max_abs_gradient_by_level",
        ("level", "draw"),
        "<f8",
        "1",
        "largest entry of the gradient of the hinge loss, all negatives of one level",
    ),
    Variable(
        "correlation_by_level",
        ("level", "draw"),
        "<f8",
        "1",
        "largest entry of E[y df/dparams], all negatives of one level",
    ),
    Variable(
        "correlation_error_by_level",
        ("level", "draw"),
        "<f8",
        "1",
        "standard error of that entry, if sampled",
    ),
)

STUDY = Study(
    name="gradient",
    about="Take gradients of random networks over a whole distribution (Theorem 5).",
    help="""Take loss and gradient of random networks over the whole distribution on FRACTAL (a name
    or a TOML file).

    In one dimension both are exact, for depths n up to 60. Each network is tried on every curve,
    and on the negatives of every single level; Theorem 5 of Malach & Shalev-Shwartz bounds gradient
    and loss on the Cantor distribution.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.gradient.compute:compute",
    example=(
        "fracsim gradient cantor1d --fractal-depth 40 --curve 6 --bias 0.5 --draws 1000 -o g.h5",
        "fracsim gradient cantor1d --curve 1,6 --init he --bias-std 0.5 -o he.h5",
        "fracsim gradient vicsek --fractal-depth 4 --init he --samples 100000 --draws 20 -o "
        "vicsek.h5",
    ),
    figure=Drawing(
        "fracsim.studies.gradient.figure:draw",
        "Gradients of random networks by level, against Theorem 5.",
        """What random networks feel of each level of detail, and of whole curves, from files of
        'fracsim gradient'.""",
        (
            "fracsim-plot gradient g.h5 -o gradient.pdf",
            "fracsim-plot gradient shallow.h5 deep.h5 -o both.png",
        ),
        most=6,
    ),
    needs_output=True,
    unit="networks",
    warmup=(
        {"fractal": "cantor1d", "fractal_depth": 2, "bias": 0.1, "draws": 1},
        {"fractal": "cantor", "fractal_depth": 2, "bias": 0.1, "draws": 1, "samples": 200},
    ),
)
