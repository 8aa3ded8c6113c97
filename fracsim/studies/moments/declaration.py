"""``fracsim moments``: the length of activations by layer, its exact moments and its law."""

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
    """Which networks, and how many."""

    draws: int | None = setting(
        None, "chains or random networks", int, low=2, high=1e8, optional="100000"
    )
    networks: bool = setting(
        False, "draw whole networks also where the χ² chain is their exact law", bool
    )
    gradient: bool = setting(False, "gradients of the output, too, of whole networks", bool)
    direction: str = setting("random", "the input, of ‖x‖² = n_0", str, choices=("random", "ones"))
    points: int = setting(2000, "points of each level (FILE)", int, low=1, high=1e7)
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
        self.validate_network()
        if not self.is_random and (self.gradient or self.networks or self.draws is not None):
            raise UsageError(
                "--gradient, --networks and --draws describe random networks; they need no FILE"
            )


_LAYER = (
    ("mean", "mean of M_l = |x_l|^2 / n_l over draws"),
    ("mean_exact", "its exact mean (NaN: weights or biases are not symmetric)"),
    ("mean_limit", "its mean in wide layers with constant biases (NaN: biases have mean 0)"),
    ("second", "mean of M_l^2"),
    ("second_exact", "the exact one (NaN: weights are not Gaussian)"),
    ("median", "median of M_l"),
    ("low", "5 % quantile of M_l"),
    ("high", "95 % quantile of M_l"),
    ("log_mean", "mean of log M_l over draws in which the layer is not dead"),
    ("log_variance", "variance of log M_l over those draws"),
    ("standard_error", "standard error of the mean"),
    ("dead", "share of draws in which M_l is 0"),
)

VARIABLES = (
    Variable("layer", ("layer",), "<i8", "1", "hidden layer, from 1"),
    Variable("units", ("layer",), "<i8", "1", "width n_l of the layer"),
    *(Variable(name, ("layer",), "<f8", "1", about) for name, about in _LAYER),
    Variable("snapshot", ("snapshot",), "<i8", "1", "optimiser steps done"),
    Variable("test_accuracy", ("snapshot",), "<f8", "1", "accuracy on the test set"),
    Variable("level", ("level",), "<i8", "1", "level j of the points; n: in the fractal K_n"),
    Variable(
        "mean_by_level",
        ("snapshot", "level", "layer"),
        "<f8",
        "1",
        "mean of M_l over points of the level",
    ),
    Variable(
        "variance_by_level",
        ("snapshot", "level", "layer"),
        "<f8",
        "1",
        "variance of M_l over points of the level",
    ),
)

STUDY = Study(
    name="moments",
    about="Measure how long activations are, layer by layer, beside their exact law.",
    help="""Take M_l = ‖x_l‖²/n_l of random ReLU networks with M_0 = 1, layer by layer: mean, second
    moment, median, and the variance over the layers of one network, beside exact formulas.

    With Gaussian weights and biases of mean 0 the law is a chain of χ² draws, which needs no
    weights. Other laws (paper, glorot, uniform, he-uniform, constant biases) are drawn as whole
    networks. FILE: a stored network, or with --snapshot all a training, by level of the points.""",
    settings=Settings,
    variables=VARIABLES,
    forms={
        "layers": ("layer", "mean", "second", "median", "low", "high"),
        "training": ("snapshot", "level", "layer", "mean_by_level"),
    },
    compute="fracsim.studies.moments.compute:compute",
    example=(
        "fracsim moments --width 10-10-10-10-10 --draws 2e6",
        "fracsim moments --width 100-20-100 --init paper -o paper.h5",
        "fracsim moments --width 10-10-10 --inputs 4 --gradient --draws 1e5",
        "fracsim moments run.h5 --snapshot all -o training.h5",
    ),
    figure=Drawing(
        "fracsim.studies.moments.figure:draw",
        "The length of activations by layer that `fracsim moments` measured.",
        """Mean, median and band by layer beside the exact mean, and the variance over layers
        against Σ 1/n_l, a mark for each file; or M_l by level through training.""",
        ("fracsim-plot moments paper.h5 he.h5 -o moments.png",),
        most=8,
    ),
    unit="draws",
    warmup=(
        {"width": "4-4", "draws": 10, "gradient": True},
        {"width": "4-4", "draws": 10, "initialisation": "paper"},
    ),
    checks="fracsim.studies.moments.compute:checks",
)
