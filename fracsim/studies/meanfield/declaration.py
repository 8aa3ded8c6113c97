"""``fracsim meanfield``: order and chaos in wide random networks."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import setting


@dataclass(frozen=True)
class Settings:
    """Which activation, which spread of weights and biases."""

    activation: str = setting(
        "tanh", "activation", str, choices=("relu", "tanh", "erf", "hardtanh")
    )
    weight_std: float = setting(
        1.5, "σ_w: weights have variance σ_w²/fan-in", float, above=0, high=100
    )
    bias_std: float = setting(0.3, "σ_b: standard deviation of biases", float, low=0, high=100)


VARIABLES = (
    Variable("q", ("q",), "<f8", "1", "mean square q of preactivations"),
    Variable("q_next", ("q",), "<f8", "1", "that of the next layer, the length map"),
    Variable("c", ("c",), "<f8", "1", "correlation c of two inputs at q*"),
    Variable("c_next", ("c",), "<f8", "1", "that after one layer, the correlation map"),
    Variable("bias_stds", ("bias_stds",), "<f8", "1", "standard deviation of biases"),
    Variable("critical", ("bias_stds",), "<f8", "1", "sigma_w at which chi_1 = 1 for these biases"),
    Variable("weight_stds", ("weight_stds",), "<f8", "1", "sigma_w of weights"),
    Variable(
        "chis", ("bias_stds", "weight_stds"), "<f8", "1", "chi_1 at the fixed point (NaN: none)"
    ),
)

STUDY = Study(
    name="meanfield",
    about="Find order or chaos of wide random networks: q*, χ₁, c*.",
    help="""Iterate the length map and the correlation map of wide random networks of one activation
    (relu, tanh, erf or hardtanh) to their fixed points.

    χ₁ is what a layer multiplies small squared differences by: below 1 there is order, and nearby
    inputs become one; above 1 there is chaos. critical_weight_std is the σ_w between them.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.meanfield.compute:compute",
    example=(
        "fracsim meanfield --activation tanh --weight-std 4 --bias-std 0.3",
        "fracsim meanfield --activation hardtanh --weight-std 2.5 -o meanfield.h5",
    ),
    figure=Drawing(
        "fracsim.studies.meanfield.figure:draw",
        "Length map, correlation map and phases of wide random networks.",
        """Both maps with their fixed points, and χ₁ over (σ_w, σ_b) with χ₁ = 1 marked, from a
        file of 'fracsim meanfield'.""",
        ("fracsim-plot meanfield meanfield.h5 -o meanfield.png",),
    ),
    warmup=(),
    checks="fracsim.studies.meanfield.compute:checks",
)
