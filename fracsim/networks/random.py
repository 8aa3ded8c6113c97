"""A random network: its shape and the law of its parameters, and what is exactly known of them."""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.kernels.network.shape import Shape, flat_layout
from fracsim.kernels.random_networks.networks import NORMAL, UNIFORM
from fracsim.networks.initial import WeightLaw, initial_bias, initial_parameters, weight_law
from fracsim.networks.settings import NetworkKeys


class KernelLaw(NamedTuple):
    """The law of parameters as ``kernels.random_networks`` takes it."""

    layout: NDArray[np.int64]
    law: int
    scales: NDArray[np.float64]
    bound: float
    bias: float
    bias_std: float
    """-1 where biases are equal"""


class RandomNetwork(NamedTuple):
    """T hidden layers of a shape, weights by a scheme, scaled where ``weight_std`` is given; biases
    equal, or N(bias, bias_std²)."""

    shape: Shape
    scheme: str
    weight_std: float | None
    bias: float
    bias_std: float | None

    @property
    def laws(self) -> list[WeightLaw]:
        """Of the T hidden layers and the readout."""
        sizes = [self.shape.inputs, *self.shape.widths, self.shape.outputs]
        return [
            weight_law(self.scheme, n_in, n_out, self.weight_std)
            for n_in, n_out in itertools.pairwise(sizes)
        ]

    @property
    def kappas(self) -> list[float]:
        """κ = n_in Var(W)/2 of the T hidden layers and the readout; 1 for he."""
        return [law.variance / 2 for law in self.laws]

    @property
    def is_gaussian(self) -> bool:
        """Whether all weights are Gaussian and all biases Gaussian of mean 0, so that laws, not
        only means, are exact."""
        return self.scheme == "he" and self.bias == 0

    @property
    def bias_variance(self) -> float:
        """σ_b²"""
        return 0.0 if self.bias_std is None else self.bias_std**2

    def parameters(self, seed: int) -> NDArray[np.float64]:
        """Flat parameters (Q,) in float64 of one seed."""
        bias = self.bias
        return initial_parameters(
            self.shape, self.scheme, seed, bias, np.float64, self.bias_std, self.weight_std
        )

    def kernel_law(self) -> KernelLaw:
        """The same for kernels."""
        laws = self.laws
        return KernelLaw(
            flat_layout(self.shape),
            NORMAL if laws[0].normal else UNIFORM,
            np.array([law.scale for law in laws]),
            laws[0].bound,
            self.bias,
            -1.0 if self.bias_std is None else self.bias_std,
        )

    @property
    def about(self) -> str:
        """As a phrase: "width 10-20-40, he, biases N(0, 0.3²)"."""
        widths = self.shape.widths
        width = f"{widths[0]} × {len(widths)}" if self.shape.is_even else "-".join(map(str, widths))
        weights = (
            self.scheme if self.weight_std is None else f"{self.scheme}, σ_w {self.weight_std:g}"
        )
        biases = f", bias {self.bias:g}" if self.bias else ""
        if self.bias_std is not None:
            biases = f", biases N({self.bias:g}, {self.bias_std:g}²)"
        return f"width {width}, {weights}{biases}"

    def attributes(self) -> dict[str, Any]:
        """What a study file says of it."""
        return {
            "about": self.about,
            "input_dimension": self.shape.inputs,
            "network_depth": self.shape.depth,
            "widths": "-".join(map(str, self.shape.widths)),
            "initialisation": self.scheme,
            "weight_std": math.sqrt(2 * self.kappas[0]),
            "bias": self.bias,
            "bias_std": math.sqrt(self.bias_variance),
        }


def random_network(settings: NetworkKeys) -> RandomNetwork:
    """The random network that settings describe. Raises UsageError."""
    widths = settings.widths
    inputs = widths[0] if settings.inputs is None else settings.inputs
    scheme = settings.initialisation or "he"
    bias = initial_bias(scheme, settings.bias, settings.bias_std)
    made = RandomNetwork(
        Shape(inputs, widths), scheme, settings.weight_std, bias, settings.bias_std
    )
    _ = made.laws  # refuses an unknown scheme
    return made
