"""Small random networks and data for the tests of the kernels."""

import numpy as np
import reference

from fracsim.kernels.network.shape import parameter_count
from fracsim.kernels.points.geometry import GAPS
from fracsim.kernels.points.line import make_line
from fracsim.kernels.points.sample import make_law


def random_parameters(generator, shape, runs=1, dtype=np.float64):
    """(R, Q) of a size at which about half of the units are active."""
    params = generator.normal(0.0, 1.0, (runs, parameter_count(shape)))
    for row in params:
        for weights, biases in reference.layers(shape, row):  # views: written through
            weights /= np.sqrt(len(weights))
            biases *= 0.3
    return params.astype(dtype)


def labels_for(generator, count):
    """Random labels ±1, (N,) float64."""
    return generator.choice([-1.0, 1.0], count)


def away_from_kinks(generator, shape, params, count, distance=1e-3):
    """x (count, d) and y (count,) at which no unit of the network and no hinge is within
    ``distance`` of its kink."""
    xs, ys = np.empty((0, shape.inputs)), np.empty(0)
    while len(xs) < count:
        x = generator.uniform(-1, 1, (20 * count, shape.inputs))
        y = labels_for(generator, len(x))
        *hidden, score = reference.activations(shape, params, x)
        near = np.min(
            [np.abs(z).min(axis=1) for z in hidden] + [np.abs(1 - y * score[:, 0])], axis=0
        )
        xs, ys = np.vstack([xs, x[near > distance]]), np.append(ys, y[near > distance])
    return xs[:count], ys[:count]


def steep_networks(generator, shape, count):
    """(count, Q): breakpoints all over the base, some scores beyond the hinge's kinks."""
    params = random_parameters(generator, shape, count)
    for row in params:
        reference.layers(shape, row)[-1][0][:] *= 2.0
        row[-1] *= 2.0
    return params


def line_of(fractal, curve, gap="complement", positive_margin=0.0, negative_margin=0.0):
    """The kernels' arrays for P(0..n) = curve, whatever n."""
    geometry = fractal.geometry()
    law = make_law(
        geometry, np.asarray(curve, float), GAPS.index(gap), positive_margin, negative_margin
    )
    return make_line(geometry, law)
