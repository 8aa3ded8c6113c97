"""Networks whose regions are known, for the tests of their counting."""

import numpy as np

from fracsim.networks.initial import Shape, initial_parameters, split_layers


def random_network(inputs, depth, width, seed):
    """He weights and N(0, 0.5²) biases, rounded to float32: in general position. ``width`` may be a
    tuple of T widths."""
    shape = Shape(inputs, width if isinstance(width, tuple) else (width,) * depth)
    assert shape.depth == depth
    return shape, initial_parameters(shape, "he", seed, bias_std=0.5)


def tent_power(k, width=2):
    """Telgarsky's h∘…∘h, k times, h(z) = 2[z]_+ - 4[z - 1/2]_+: 2^k pieces on [0, 1]. Units above 2
    are zero."""
    shape = Shape(1, k, width)
    params = np.zeros(
        sum(
            (n_in + 1) * n_out
            for n_in, n_out in [(1, width), *[(width, width)] * (k - 1), (width, 1)]
        )
    )
    for number, (weights, biases) in enumerate(split_layers(shape, params)):
        if number == 0:
            weights[0, :2] = 1
        elif number < k:
            weights[:2, :2] = [[2, 2], [-4, -4]]
        else:
            weights[:2, 0] = [2, -4]
        if number < k:
            biases[1] = -0.5
    return shape, params


def lines_in_general_position(n):
    """One layer of n units whose zero lines touch the unit circle: all cross within the window
    (-99, 99)²."""
    shape = Shape(2, 1, n)
    angles = np.pi * (np.arange(n) + 0.3) / n * 0.97
    params = np.concatenate(
        [np.cos(angles), np.sin(angles), np.full(n, -1.0), np.linspace(1, 2, n), [0.0]]
    )
    return shape, params


def fold(distance, turn):
    """Two layers in which every zero line is there twice, in opposite directions, at some distance
    and angle."""
    shape = Shape(2, 2, 4)
    params = np.zeros(4 * 3 + 4 * 5 + 5)
    (first, offsets), (second, more), (readout, _) = split_layers(shape, params)
    c, s = np.cos(turn), np.sin(turn)
    first[:] = [[c, -c, s, -s], [s, -s, -c, c]]
    offsets[:] = [-distance, distance, 0, 0]
    second[:] = [
        [1, 0, 0, 3],
        [1, 0, 0, -3],
        [0, 1, 0, 0],
        [0, 1, 0, 0],
    ]  # |u|, |v|, nothing, 3 ([u] - [-u])
    more[:] = [-0.25, -0.25, 0, 0]
    readout[:, 0] = [1, 1, 1, 1]
    return shape, params
