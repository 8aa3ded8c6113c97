"""The tangent kernel of finite random ReLU networks.

z_l = √(2/n_(l-1)) W_l x_(l-1), x_l = relu(z_l), f = v·x_T/√n_T, all entries of W and v being
N(0, 1), no biases: Θ_n(x, x') = Σ over parameters θ of ∂f(x)/∂θ ∂f(x')/∂θ. With inputs of
‖x‖² = n_0 the mean of Θ_n(x, x) is T + 1 at every width, because gates are fair coins, independent
of lengths."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def tangent_kernel(x: Floats, weights: list[Floats], readout: Floats) -> Floats:
    """Θ_n (N, N) over inputs x (N, n_0); weights of layer l (n_l, n_{l-1}), readout (n_T,)."""
    layers, gates, here = [x], [], x
    for w in weights:
        z = (here @ w.T) * np.sqrt(2 / w.shape[1])
        gates.append(z > 0)
        here = np.maximum(z, 0)
        layers.append(here)
    width = len(readout)
    kernel = (here @ here.T) / width
    back = np.broadcast_to(readout / np.sqrt(width), here.shape)
    for w, gate, below in zip(weights[::-1], gates[::-1], layers[-2::-1], strict=True):
        delta = back * gate
        kernel += (2 / w.shape[1]) * (delta @ delta.T) * (below @ below.T)
        back = (delta @ w) * np.sqrt(2 / w.shape[1])
    return kernel


def random_network(
    seed: int, draw: int, inputs: int, depth: int, width: int
) -> tuple[list[Floats], Floats]:
    """Weights and readout of a draw, a pure function of the arguments."""
    rng = np.random.Generator(np.random.Philox(key=[seed, draw], counter=[0, 0, width, depth]))
    ends = [inputs] + [width] * depth
    weights = [rng.standard_normal((ends[i + 1], ends[i])) for i in range(depth)]
    return weights, rng.standard_normal(width)


def inputs_on_sphere(seed: int, count: int, inputs: int) -> Floats:
    """x (count, n_0) of ‖x‖² = n_0, directions uniform."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 1 << 63]))
    x = rng.standard_normal((count, inputs))
    return np.asarray(x * np.sqrt(inputs / (x**2).sum(1, keepdims=True)))


def variance_limit(depth: int) -> float:
    """The limit of n Var Θ_n(x, x) / mean², equal at every width for T = 1."""
    return 5 * depth - 4 / 3 * depth * (depth + 2) / (depth + 1)
