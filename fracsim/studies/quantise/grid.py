"""Weights on power-of-two grids, layer by layer.

With b bits a layer takes the values k 2^-f, |k| < 2^{b-1}, b = 1 + i + f: a sign, i bits before the
point and f after it, i the least that holds its largest weight or bias. Steps of a power of two
keep what is dyadic: steps of max|w| / (2^{b-1} - 1) would move every weight of a constructed
network."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fracsim.networks.rewriting.layers import Layer, Layers


class Grid(NamedTuple):
    """The grid of a layer: multiples of 2^-fraction below 2^integer."""

    integer: int
    """i; negative where all weights are small"""
    fraction: int
    """f; negative where steps are larger than 1"""

    def round(self, values: np.ndarray) -> np.ndarray:
        """Values on the grid, halves to even."""
        rounded: np.ndarray = np.ldexp(np.rint(np.ldexp(values, self.fraction)), -self.fraction)
        return rounded


def grid_of(largest: float, bits: int) -> Grid:
    """The finest grid of b bits that holds ``largest`` ≥ 0: largest ≤ 2^i - 2^-f."""
    share = 1 - 2.0 ** (1 - bits)
    integer = 0 if largest == 0 else int(np.frexp(largest)[1])  # largest < 2^integer
    if largest > np.ldexp(share, integer):
        integer += 1
    return Grid(integer, bits - 1 - integer)


def rounded(layers: Layers, bits: int, shared: bool = False) -> tuple[Layers, list[Grid]]:
    """The layers with b bits, and the grid of each; ``shared``: one grid for all of them."""
    largest = [max(float(np.abs(part).max(initial=0)) for part in layer) for layer in layers]
    if shared:
        largest = [max(largest)] * len(layers)
    grids = [grid_of(value, bits) for value in largest]
    made = [
        Layer(*(grid.round(part) for part in layer))
        for layer, grid in zip(layers, grids, strict=True)
    ]
    return made, grids


def same(first: Layers, second: Layers) -> bool:
    """Whether two networks of one shape have the same parameters."""
    pairs = zip(first, second, strict=True)
    return all(
        np.array_equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True)
    )


def distinct_values(layers: Layers) -> tuple[int, int]:
    """How many different weights, and biases, there are; -0 is 0."""
    parts = zip(*layers, strict=True)
    weights, biases = (len(np.unique(np.concatenate([p.ravel() for p in part]))) for part in parts)
    return weights, biases


def least_bits(enough: np.ndarray, bits: Sequence[int]) -> float:
    """The least of ``bits`` from which on all are enough (a flag for each); NaN where the most are
    not."""
    order = np.argsort(bits)
    short = np.flatnonzero(~np.asarray(enough)[order])
    first = short[-1] + 1 if short.size else 0
    return float(np.asarray(bits)[order[first]]) if first < len(order) else math.nan
