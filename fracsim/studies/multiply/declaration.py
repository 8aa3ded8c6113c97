"""``fracsim multiply``: products of n numbers, shallow and deep, counted, built and tried."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.fractals.settings import seed_setting
from fracsim.networks.file import PARAMS
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import label, setting

TREES = ("relu", "softplus", "tanh")
WRITTEN = ("relu", "spline")
"""The constructions that are ReLU networks."""
_OWN = {"order": ("relu",), "scale": ("softplus", "tanh", "exponential"), "pieces": ("spline",)}
"""Setting -> the constructions that it is for."""


@dataclass(frozen=True)
class Settings:
    """How many numbers, and which construction."""

    factors: int = setting(4, "numbers n to multiply", int, low=2, high=256)
    construction: str | None = setting(
        None,
        "what is built and tried: a tree of ReLU sawteeth, or of smooth gates, or one hidden "
        "layer of 2^n exponential units, or of ReLU splines",
        str,
        choices=(*TREES, "exponential", "spline"),
        optional="nothing, neurons are counted only",
    )
    order: int | None = setting(
        None, "sawteeth m of each product (relu)", int, low=1, high=25, optional="8"
    )
    scale: float | None = setting(
        None, "λ of the smooth units, small for accuracy", float, above=0, high=1, optional="0.01"
    )
    pieces: int | None = setting(
        None, "pieces of each half of a spline", int, low=1, high=1_000_000, optional="16"
    )
    count: int = setting(20_000, "random points on which it is tried", int, low=1, high=1e8)
    seed: int = seed_setting("seed of these points")

    def validate(self) -> None:
        """Raise UsageError for a setting of another construction."""
        for key, constructions in _OWN.items():
            if getattr(self, key) is not None and self.construction not in constructions:
                given = self.construction or "not given"
                raise UsageError(
                    f"{label(key)} is for {label('construction')} {' or '.join(constructions)}, "
                    f"which is {given} here"
                )


VARIABLES = (
    PARAMS,
    Variable("hidden_layers", ("hidden_layers",), "<i8", "1", "hidden layers k"),
    Variable(
        "neurons",
        ("hidden_layers",),
        "<f8",
        "1",
        "neurons of the best split into equal groups (NaN: there is none)",
    ),
    Variable(
        "unequal_neurons",
        ("hidden_layers",),
        "<f8",
        "1",
        "neurons of the best tree with groups of any size",
    ),
    Variable("units", ("units",), "<i8", "1", "ReLU units of one product of two numbers"),
    Variable(
        "deep_error", ("units",), "<f8", "1", "its error by composed sawteeth (NaN: other sizes)"
    ),
    Variable(
        "shallow_error", ("units",), "<f8", "1", "by splines in one hidden layer (NaN: others)"
    ),
)

STUDY = Study(
    name="multiply",
    about="Multiply n numbers by networks, shallow and deep: neurons and errors.",
    help="""Count the neurons that a product of n numbers takes with k hidden layers (Rolnick &
    Tegmark 2018), and build one with its error bound.

    relu is a tree of Yarotsky's sawteeth, exact to 4^(-m-1) a product; softplus and tanh are trees
    of four smooth units a product; exponential has one hidden layer of 2^n units, spline one of
    ReLU units. All are tried on random points of [-1, 1]^n and on corners. With --output, relu and
    spline are kept as networks (fracsim train --init-from, fracsim regions).""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.multiply.compute:compute",
    example=(
        "fracsim multiply --factors 64",
        "fracsim multiply --factors 16 --construction relu --order 8 -o net.h5",
        "fracsim multiply --factors 8 --construction softplus --scale 0.01 --json",
    ),
    figure=Drawing(
        "fracsim.studies.multiply.figure:draw",
        "Neurons against hidden layers, and the error of a product against its units.",
    ),
    unit="points",
    warmup=({"factors": 2, "construction": "relu", "order": 1, "count": 10},),
    checks="fracsim.studies.multiply.compute:checks",
)
