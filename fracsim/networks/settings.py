"""The settings that describe a random network, and those that name a stored one, for the studies
that take either. Nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fracsim.errors import UsageError
from fracsim.values.grammar import MOST_LAYERS, layer_widths
from fracsim.values.settings import label, setting, settings_of

SCHEMES = "paper|he|he-uniform|glorot|uniform"

RANDOM = ("inputs", "network_depth", "width", "initialisation", "weight_std", "bias", "bias_std")
"""Keys that describe a random network."""
STORED = ("file", "run", "snapshot")
"""Keys that name a stored one."""


@dataclass(frozen=True)
class NetworkKeys:
    """A FILE, or a random network; which of them, ``is_random`` says."""

    file: str | None = setting(
        None, "file of a network", str, argument=True, optional="a random network", excludes=RANDOM
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
    inputs: int | None = setting(
        None, "input dimension", int, low=1, high=10_000, optional="the width of layer 1"
    )
    network_depth: int | None = setting(
        None, "hidden layers T", int, low=1, high=MOST_LAYERS, optional="as many as --width says"
    )
    width: int | str | None = setting(
        None,
        "width of each hidden layer",
        int,
        low=1,
        high=100_000,
        layers=True,
        optional="100-100-100-100-100",
    )
    initialisation: str | None = setting(
        None, "initial weights", str, short="--init", metavar=SCHEMES, optional="he"
    )
    weight_std: float | None = setting(
        None,
        "scale the weights to the variance σ_w²/fan-in; κ is σ_w²/2",
        float,
        above=0,
        high=1000,
        optional="the initialisation's",
    )
    bias: float | None = setting(
        None,
        "biases, or the mean of normal ones",
        float,
        low=-1e6,
        high=1e6,
        optional="the initialisation's",
    )
    bias_std: float | None = setting(
        None,
        "standard deviation σ_b of normal biases",
        float,
        low=0,
        high=1e6,
        optional="all biases are equal",
    )

    @property
    def is_random(self) -> bool:
        """Whether a random network is meant."""
        return self.file is None

    @property
    def widths(self) -> tuple[int, ...]:
        """n_1, …, n_T of the random network."""
        width = 100 if self.width is None else self.width
        if isinstance(width, str):
            return layer_widths(width)
        return (width,) * (5 if self.network_depth is None else self.network_depth)

    def validate_network(self) -> None:
        """Raise UsageError where settings of a random and a stored network are mixed, or the depth
        is not that of the widths."""
        for key in STORED[1:] if self.is_random else RANDOM:
            if getattr(self, key) is not None:
                named = label(key, settings_of(type(self))[key])
                what, needs = (
                    ("a stored network", "a FILE")
                    if self.is_random
                    else ("a random network", "no FILE")
                )
                raise UsageError(f"{named} describes {what}; it needs {needs}")
        depth: Any = self.network_depth
        if isinstance(self.width, str) and depth not in (None, len(self.widths)):
            raise UsageError(
                f"width (--width) is {self.width}, of {len(self.widths)} hidden layers, and "
                f"network_depth (--depth) is {depth}; accepted is {len(self.widths)}, or none"
            )
