"""What is exactly known of M_l = ‖x_l‖²/n_l in a random ReLU network, and of its gradients.

Means hold for all symmetric weights and biases of mean 0. Second moments need Gaussian ones: then a
layer multiplies by an independent χ²_K, K ~ Binomial(n, 1/2). Derived for this program; B. Hanin
and D. Rolnick (*How to start training*, NeurIPS 2018) bound the same quantities."""

import math
from collections.abc import Sequence


def means(kappas: Sequence[float], bias_variance: float, start: float = 1.0) -> list[float]:
    """E M_l of layers 1, …, T: κ E M_{l-1} + σ_b²/2."""
    found = []
    for kappa in kappas:
        start = kappa * start + bias_variance / 2
        found.append(start)
    return found


def second_moments(
    widths: Sequence[int], kappas: Sequence[float], bias_variance: float, start: float = 1.0
) -> list[float]:
    """E M_l²: (1 + 5/n_l) (κ² E M_{l-1}² + κ σ_b² E M_{l-1} + σ_b⁴/4)."""
    mean, second, found = start, start**2, []
    for n, kappa in zip(widths, kappas, strict=True):
        second = (1 + 5 / n) * (
            kappa**2 * second + kappa * bias_variance * mean + bias_variance**2 / 4
        )
        mean = kappa * mean + bias_variance / 2
        found.append(second)
    return found


def layer_variance(
    widths: Sequence[int], kappas: Sequence[float], bias_variance: float, start: float = 1.0
) -> float:
    """Mean over networks of the variance of M_1, …, M_T within one network.

    Given M_l, a later M_m has the mean g M_l + c, so E M_l M_m = g E M_l² + c E M_l."""
    layers = len(widths)
    mean = means(kappas, bias_variance, start)
    second = second_moments(widths, kappas, bias_variance, start)
    products = 0.0
    for first in range(layers):
        gain, shift = 1.0, 0.0
        for later in range(first, layers):
            if later > first:
                gain, shift = kappas[later] * gain, kappas[later] * shift + bias_variance / 2
            pair = gain * second[first] + shift * mean[first]
            products += pair if later == first else 2 * pair
    return sum(second) / layers - products / layers**2


def constant_bias_limit(kappas: Sequence[float], bias: float, start: float = 1.0) -> list[float]:
    """M_l in the limit of wide layers, all biases b: E (b + s g)_+² = (b² + s²) Φ(b/s) + b s ϕ(b/s)
    with s² = 2κ M_{l-1}."""
    found = []
    for kappa in kappas:
        s = math.sqrt(2 * kappa * start)
        ratio = bias / s
        below = (1 + math.erf(ratio / math.sqrt(2))) / 2
        density = math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
        start = (bias**2 + s**2) * below + bias * s * density
        found.append(start)
    return found


def gradient_moments(
    inputs: int, widths: Sequence[int], kappas: Sequence[float]
) -> dict[str, float]:
    """Of Z_p = ∂f/∂x_p: E Z_p², E Z_p⁴, E Z_p² Z_q² for p ≠ q, and the mean of the variance of
    the squared entries of one gradient. ``kappas``: of the T layers and the readout.

    A = E ‖J e_p‖² ‖J e_q‖² and B = E (J e_p · J e_q)² obey two linear recursions."""
    a, b, fourth, second, before = 1.0, 0.0, 1.0, 1.0, inputs
    for n, kappa in zip(widths, kappas[:-1], strict=True):
        factor = (kappa * n / before) ** 2
        a, b = factor * ((1 + 1 / n) * a + 4 / n * b), factor * ((1 + 3 / n) * b + 2 / n * a)
        fourth *= factor * (1 + 5 / n)
        second *= kappa * n / before
        before = n
    readout = 2 * kappas[-1] / before
    fourth, product = 3 * readout**2 * fourth, readout**2 * (a + 2 * b)
    return {
        "second_exact": readout * second,
        "fourth_exact": fourth,
        "product_exact": product if inputs > 1 else math.nan,
        "variance_exact": (1 - 1 / inputs) * (fourth - product) if inputs > 1 else 0.0,
    }
