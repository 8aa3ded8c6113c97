"""The algebra of written networks: layers after one another and beside one another.

A network is a list of layers with a ReLU after each but the last, the readout, which is an affine
map. So a network may end in several numbers, and the next may begin with them: ``composed`` merges
the readout with the first layer of what follows, which costs no unit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fracsim.networks.initial import Shape

_PART = 2**20
"""Numbers of one hidden layer's outputs at once."""


class Layer(NamedTuple):
    """One layer of a network."""

    weights: np.ndarray
    """(n_in, n_out)"""
    biases: np.ndarray
    """(n_out,)"""


Layers = list[Layer]
"""Hidden layers, then a readout of one or more numbers."""


def affine(weights: np.ndarray, biases: np.ndarray | None = None) -> Layers:
    """x ↦ x · weights + biases for weights (n_in, n_out), without a hidden layer."""
    weights = np.asarray(weights, float)
    return [Layer(weights, np.zeros(weights.shape[1]) if biases is None else np.array(biases))]


def composed(*parts: Layers) -> Layers:
    """The parts one after the other: the first takes the inputs."""
    layers = list(parts[0])
    for part in parts[1:]:
        readout, first = layers.pop(), part[0]
        merged = Layer(
            readout.weights @ first.weights, readout.biases @ first.weights + first.biases
        )
        layers += [merged, *part[1:]]
    return layers


def beside(*parts: Layers) -> Layers:
    """Parts of equal depth, each with inputs of its own: (x, y, …) ↦ (f(x), g(y), …)."""
    return [
        Layer(_diagonal([one.weights for one in row]), np.concatenate([one.biases for one in row]))
        for row in zip(*parts, strict=True)
    ]


def shared(*parts: Layers) -> Layers:
    """Parts of equal depth on the same inputs: x ↦ (f(x), g(x), …)."""
    inputs = len(parts[0][0].weights)
    copies = affine(np.hstack([np.eye(inputs)] * len(parts)))
    return composed(copies, beside(*parts))


def identity(bounds: Sequence[float], depth: int) -> Layers:
    """Numbers x_i ≥ -bounds[i] carried through ``depth`` hidden layers, one unit
    [x_i + bounds[i]]_+ of each: exact, but for the rounding of that sum."""
    shift, eye = np.asarray(bounds, float), np.eye(len(bounds))
    layers = composed(affine(eye, shift), *[[Layer(eye, 0 * shift)] * 2] * depth)
    return composed(layers, affine(eye, -shift))


def units_of(layers: Layers) -> list[int]:
    """Units of each hidden layer."""
    return [len(layer.biases) for layer in layers[:-1]]


def evaluate(layers: Layers, x: np.ndarray) -> np.ndarray:
    """Outputs (N, n_out) at points x (N, n_in), in float64."""
    for layer in layers[:-1]:
        x = np.maximum(x @ layer.weights + layer.biases, 0)
    outputs: np.ndarray = x @ layers[-1].weights + layers[-1].biases
    return outputs


def evaluate_in_parts(layers: Layers, x: np.ndarray) -> np.ndarray:
    """The same as ``evaluate``, in parts of which a hidden layer's outputs take 8 MiB."""
    step = max(1, _PART // max(len(layer.biases) for layer in layers))
    return np.concatenate([evaluate(layers, x[i : i + step]) for i in range(0, len(x), step)])


def network_of(layers: Layers) -> tuple[Shape, np.ndarray]:
    """An ordinary network of one output: its shape, a width for each hidden layer, and flat
    parameters (Q,) float64."""
    shape = Shape(len(layers[0].weights), tuple(units_of(layers)))
    flat = [part.ravel() for layer in layers for part in layer]
    return shape, np.concatenate(flat)


def _diagonal(blocks: Sequence[np.ndarray]) -> np.ndarray:
    ends = np.cumsum([(0, 0), *(block.shape for block in blocks)], axis=0)
    whole = np.zeros(ends[-1])
    for block, (row, column) in zip(blocks, ends, strict=False):
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
    return whole
