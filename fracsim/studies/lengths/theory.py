"""What theory says about the length of a curve in a random network.

ReLU with Gaussian weights: exact at every width, whatever the curve and the biases of mean 0 are.
Bounded activations: the limit of wide layers (Poole et al. 2016), where squared lengths of small
differences grow by σ_w² E f'(√q z)², which is χ₁ at q*."""

import itertools
import math
from typing import NamedTuple

from fracsim.networks.random import RandomNetwork
from fracsim.studies.meanfield.maps import fixed_length, length_map, slope


class Theory(NamedTuple):
    """By layer; None where none applies."""

    growth: list[float | None]
    z_growth: list[float | None]

    def ratios(self) -> list[float | None]:
        """Products of the growths."""
        found: list[float | None] = []
        total: float | None = 1.0
        for growth in self.growth:
            total = None if total is None or growth is None else total * growth
            found.append(total)
        return found


def relu_growth(n_in: int, n: int, kappa: float) -> float:
    """m_l = √(2κ/n_in) E χ_K, K ~ Binomial(n, 1/2): the mean of |J_l u| / |J_{l-1} u|."""
    total = 0.0
    for k in range(1, n + 1):
        log_share = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        log_share -= n * math.log(2)
        total += math.exp(log_share + math.lgamma((k + 1) / 2) - math.lgamma(k / 2))
    return math.sqrt(2 * kappa / n_in) * math.sqrt(2) * total


def theory(network: RandomNetwork, activation: str, square: float | None, from_z: bool) -> Theory:
    """Growths for networks of one law. ``square``: mean square of the input's entries, all along
    the curve, or with ``from_z`` of the preactivation z_0 that the input comes from; None where it
    varies, so that for bounded activations there is no theory."""
    widths, kappas = network.shape.widths, network.kappas
    sizes = [network.shape.inputs, *widths]
    nothing: list[float | None] = [None] * len(widths)
    if activation == "relu" and network.is_gaussian:
        growth: list[float | None] = [
            relu_growth(n_in, n, kappa)
            for n_in, n, kappa in zip(sizes, widths, kappas, strict=False)
        ]
        return Theory(growth, _wide(sizes, kappas, [0.5] * (len(widths) + 1), from_z))
    if not network.is_gaussian or square is None:
        return Theory(nothing, nothing)
    weight_std, bias_std = math.sqrt(2 * kappas[0]), math.sqrt(network.bias_variance)
    first = (
        length_map(activation, weight_std, bias_std, square)
        if from_z
        else weight_std**2 * square + bias_std**2
    )
    squares = [square, first]
    for _ in widths[1:]:
        squares.append(length_map(activation, weight_std, bias_std, squares[-1]))
    slopes = [slope(activation, 1.0, q) for q in squares]
    z_growth = _wide(sizes, kappas, slopes, from_z)
    growth = [
        math.sqrt(2 * kappa * n / n_in * after)
        for n_in, n, kappa, after in zip(sizes, widths, kappas, slopes[1:], strict=False)
    ]
    return Theory(growth, z_growth)


def _wide(
    sizes: list[int], kappas: list[float], slopes: list[float], from_z: bool
) -> list[float | None]:
    """√(σ_w² n_l/n_{l-1} E f'²) for preactivations; none for layer 1 where the input is no f(z)."""
    found: list[float | None] = []
    for layer, (n_in, n) in enumerate(itertools.pairwise(sizes)):
        known = layer > 0 or from_z
        found.append(math.sqrt(2 * kappas[layer] * n / n_in * slopes[layer]) if known else None)
    return found


def start_square(network: RandomNetwork, activation: str) -> float | None:
    """q* of a network's law where it is positive, else None."""
    if network.scheme != "he":
        return None
    weight_std = math.sqrt(2 * network.kappas[0])
    q = fixed_length(activation, weight_std, math.sqrt(network.bias_variance))
    return q if q else None
