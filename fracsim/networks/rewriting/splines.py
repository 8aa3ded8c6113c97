"""Continuous piecewise linear functions of one number, exactly, by one hidden layer."""

from collections.abc import Callable

import numpy as np

from fracsim.networks.rewriting.layers import Layer, Layers


def spline(knots: np.ndarray, values: np.ndarray) -> Layers:
    """The interpolant of ``values`` (p + 1,) at ascending ``knots`` (p + 1,): p units, one for each
    piece. Constant to the left of the first knot, and linear on to the right of the last."""
    knots, values = np.asarray(knots, float), np.asarray(values, float)
    slopes = np.diff(values) / np.diff(knots)
    return kinks(knots[:-1], np.diff(slopes, prepend=0.0), float(values[0]))


def kinks(at: np.ndarray, change: np.ndarray, constant: float = 0.0) -> Layers:
    """t ↦ constant + Σ_i change[i] [t - at[i]]_+."""
    change = np.asarray(change, float)
    first = Layer(np.ones((1, len(change))), -np.asarray(at, float))
    return [first, Layer(change[:, None], np.array([constant]))]


def two_sided(function: Callable[[np.ndarray], np.ndarray], pieces: int) -> Layers:
    """The interpolant of a function on [-1, 1] at the knots i / pieces: 2 · pieces units
    [±t - i / pieces]_+, so that an even function gets an even spline, to the last bit."""
    knots = np.linspace(0, 1, pieces + 1)
    right, left = function(knots), function(-knots)
    change = [np.diff(np.diff(side) * pieces, prepend=0.0) for side in (right, left)]
    first = Layer(np.repeat([[1.0, -1.0]], pieces, axis=1), -np.tile(knots[:-1], 2))
    return [first, Layer(np.concatenate(change)[:, None], np.array([float(right[0])]))]


def absolute(count: int = 1) -> Layers:
    """|x_i| of ``count`` numbers: two units of each, [x_i]_+ and [-x_i]_+."""
    eye = np.eye(count)
    first = Layer(np.hstack([eye, -eye]), np.zeros(2 * count))
    return [first, Layer(np.vstack([eye, eye]), np.zeros(count))]
