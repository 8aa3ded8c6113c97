"""A network of b-bit weights as a deeper one of weights -1, 0, 1/2, 1 and 2, exactly.

A weight is Σ_p bit_p 2^p. Horner's rule adds one bit in each layer, the lowest first, to a positive
and a negative sum Y of each unit, while the units x before are carried on:

    p < 0    Y ← (Y + bit_p x) / 2                  p ≥ 0    Y ← Y + bit_p x,  x ← 2x

and [Y⁺ - Y⁻]_+ is the unit. Biases are weights of a unit that is always 1; inputs, which may be
negative, are carried as [x]_+ and [-x]_+."""

from collections.abc import Sequence

import numpy as np

from fracsim.networks.rewriting.layers import Layer, Layers
from fracsim.studies.quantise.grid import Grid

WEIGHTS = (-1.0, 0.0, 0.5, 1.0, 2.0)
"""Weights that a converted network has; its biases are 0 and 1."""


def positions(grid: Grid) -> range:
    """The places p of bits that are added, lowest first; all on one side of the point, or reaching
    it, since sums are kept at their true scale there."""
    return range(min(-grid.fraction, 0), max(grid.integer, 0))


def widths(layers: Layers, grids: Sequence[Grid]) -> list[int]:
    """Units of each hidden layer of the converted network, before it is built."""
    carried = 2 * len(layers[0].weights)
    found = [carried + 1]
    for number, (layer, grid) in enumerate(zip(layers, grids, strict=True)):
        units, steps = len(layer.biases), len(positions(grid))
        found += [carried + 1 + 2 * units] * (steps - 1) + [2 * units]
        if number < len(layers) - 1:
            found.append(units + 1)
        carried = units
    return found


def converted(layers: Layers, grids: Sequence[Grid]) -> Layers:
    """The network in ``WEIGHTS``. ``layers`` lie on their ``grids``."""
    inputs = len(layers[0].weights)
    eye = np.eye(inputs)
    made = [_with_one(np.hstack([eye, -eye]))]
    for number, (layer, grid) in enumerate(zip(layers, grids, strict=True)):
        weights = layer.weights if number else np.vstack([layer.weights, -layer.weights])
        made += _sums(np.vstack([weights, layer.biases]), grid)
        units = np.eye(len(layer.biases))
        difference = np.vstack([units, -units])
        last = number == len(layers) - 1
        made.append(Layer(difference, np.zeros(len(units))) if last else _with_one(difference))
    return made


def _with_one(weights: np.ndarray) -> Layer:
    """A layer with a unit more that is always 1."""
    n_in, n_out = weights.shape
    return Layer(np.hstack([weights, np.zeros((n_in, 1))]), np.append(np.zeros(n_out), 1.0))


def _sums(weights: np.ndarray, grid: Grid) -> Layers:
    """From the units x (n_in) to Y⁺ and Y⁻ (2 n_out): a layer for each bit of weights (n_in,
    n_out)."""
    n_in, n_out = weights.shape
    low = min(-grid.fraction, 0)
    numbers = np.ldexp(np.hstack([np.maximum(weights, 0), np.maximum(-weights, 0)]), -low)
    numbers = numbers.astype(np.uint64)
    made = []
    steps = positions(grid)
    for place, p in enumerate(steps):
        first, last = place == 0, place == len(steps) - 1
        bits = ((numbers >> np.uint64(place)) & np.uint64(1)).astype(float)
        kept, scale = (0.5, 1.0) if p < 0 else (1.0, 2.0)
        columns = [kept * bits]
        if not first:
            columns = [np.vstack([kept * bits, kept * np.eye(2 * n_out)])]
        if not last:
            rows = len(columns[0])
            columns.insert(0, np.eye(rows, n_in) * scale)
        matrix = np.hstack(columns)
        made.append(Layer(matrix, np.zeros(matrix.shape[1])))
    return made


def identical(first: Layers, second: Layers, x: np.ndarray, places: int) -> bool:
    """Whether two networks of dyadic weights are equal at x 2^-places, x (N, d) whole numbers:
    computed in whole numbers, without rounding."""
    one, scale_one = _exactly(first, x, places)
    other, scale_other = _exactly(second, x, places)
    pairs = zip(one, other, strict=True)
    return all(a << scale_other == b << scale_one for a, b in pairs)


def _exactly(layers: Layers, x: np.ndarray, places: int) -> tuple[list[int], int]:
    """Outputs 2^scale f at each point, and the scale."""
    scale, values = places, [[int(v) for v in point] for point in x]
    for number, layer in enumerate(layers):
        shift = max(_fraction_bits(part) for part in layer)
        scale += shift
        columns = [
            [(int(row), int(np.ldexp(column[row], shift))) for row in np.flatnonzero(column)]
            for column in layer.weights.T
        ]
        biases = [int(np.ldexp(bias, shift)) << (scale - shift) for bias in layer.biases]
        sums = [
            [b + sum(z[row] * w for row, w in c) for c, b in zip(columns, biases, strict=True)]
            for z in values
        ]
        hidden = number < len(layers) - 1
        values = [[max(s, 0) for s in row] for row in sums] if hidden else sums
    return [row[0] for row in values], scale


def _fraction_bits(values: np.ndarray) -> int:
    """The least f ≥ 0 for which all values are multiples of 2^-f."""
    shift = 0
    while not np.array_equal(scaled := np.ldexp(values, shift), np.rint(scaled)):
        shift += 1
    return shift
