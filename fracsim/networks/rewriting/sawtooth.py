"""Squares by composed sawteeth (Yarotsky 2017), and products of them.

h(t) = 2 [t]_+ - 4 [t - 1/2]_+ folds [0, 1] onto itself as a fractal's fold does with two maps, and

    S_m(t) = t - Σ_{i ≤ m} h^{∘i}(t) / 4^i

is the interpolant of t² at the multiples of 2^-m: 0 ≤ S_m - t² ≤ 4^{-m-1}, attained midway between
two of them. Polarisation gives u v = ((u + v) / 2)² - ((u - v) / 2)²; both errors have one sign,
so that a product errs by no more than a square."""

import numpy as np

from fracsim.networks.rewriting.layers import Layer, Layers, affine, composed, identity, shared
from fracsim.networks.rewriting.splines import absolute

MOST_ORDER = 25
"""4^{-26} is the unit roundoff of float64: more sawteeth add nothing."""


def squares(count: int, order: int) -> Layers:
    """S_m of ``count`` numbers of [0, 1], m = ``order``: m hidden layers, of two units of each
    number in the first and of three, two for the fold and one for the sum, in the others."""
    eye, none = np.eye(count), np.zeros(count)
    parts = []
    for i in range(1, order + 1):
        # what arrives is (h, s), the last fold and the sum so far, at first both t
        if i == 1:
            first = Layer(np.hstack([eye, eye]), np.concatenate([none, none - 0.5]))
            fold, kept = [2 * eye, -4 * eye], [eye, 0 * eye]
        else:
            columns = np.block([[eye, eye, 0 * eye], [0 * eye, 0 * eye, eye]])
            first = Layer(columns, np.concatenate([none, none - 0.5, none]))
            fold, kept = [2 * eye, -4 * eye, 0 * eye], [0 * eye, 0 * eye, eye]
        sums = [kept_part - part / 4**i for kept_part, part in zip(kept, fold, strict=True)]
        readout = np.vstack(sums) if i == order else np.hstack([np.vstack(fold), np.vstack(sums)])
        parts.append([first, Layer(readout, np.zeros(readout.shape[1]))])
    return composed(*parts)


def products(pairs: int, order: int) -> Layers:
    """(u_1, v_1, u_2, v_2, …) ↦ (u_1 v_1, …) for numbers of [-1, 1]: order + 1 hidden layers, of
    four units of each pair in the first two and of six in the others. Each errs by at most
    4^{-order-1}, and lies in [-1, 1]."""
    halves = np.kron(np.eye(pairs), [[0.5, 0.5], [0.5, -0.5]])
    difference = np.kron(np.eye(pairs), [[1.0], [-1.0]])
    return composed(
        affine(halves), absolute(2 * pairs), squares(2 * pairs, order), affine(difference)
    )


def product_tree(factors: int, order: int) -> Layers:
    """The product of n numbers of [-1, 1] by a tree of products: ⌈log₂ n⌉ (order + 1) hidden
    layers; a number without a partner is carried, by a unit a layer. The error is at most
    (n - 1) 4^{-order-1}: each product adds its own, and multiplies by numbers of [-1, 1]."""
    layers, left = affine(np.eye(factors)), factors
    while left > 1:
        pairs, odd = divmod(left, 2)
        stage = products(pairs, order)
        if odd:
            stage = _carried(stage, left, order + 1)
        layers, left = composed(layers, stage), pairs + odd
    return layers


def _carried(stage: Layers, inputs: int, depth: int) -> Layers:
    """A stage on all inputs but the last, which goes on beside it."""
    eye = np.eye(inputs)
    return shared(
        composed(affine(eye[:, :-1]), stage),
        composed(affine(eye[:, -1:]), identity([1.0], depth)),
    )
