"""How many neurons products of n numbers need with k hidden layers (Rolnick & Tegmark 2018).

One layer multiplies b numbers by 2^b neurons, so a layer that turns n numbers into m products of b
= n / m of them has m 2^b; a number that waits for a later layer is carried by 2. Whole numbers, of
any size."""

import functools
import math

MOST_FACTORS = 256


@functools.cache
def equal_split(factors: int, layers: int) -> tuple[int, tuple[int, ...]] | None:
    """(neurons, b_1, …, b_k) of the cheapest split b_1 ⋯ b_k = n into numbers of at least 2:
    Σ_i (n / Π_{j ≤ i} b_j) 2^{b_i}. None where n has no such split."""
    if layers == 1:
        return 2**factors, (factors,)
    found = []
    for b in range(2, factors):
        if factors % b == 0 and (rest := equal_split(factors // b, layers - 1)):
            found.append((factors // b * 2**b + rest[0], (b, *rest[1])))
    return min(found, default=None)


def equal_splits(factors: int) -> dict[int, int]:
    """Hidden layers -> neurons of the best equal split, for as many layers as n has prime
    factors."""
    found = {}
    for layers in range(1, factors.bit_length() + 1):
        if (best := equal_split(factors, layers)) is not None:
            found[layers] = best[0]
    return found


@functools.cache
def unequal_tree(factors: int, layers: int) -> int:
    """Neurons of the best tree whose groups may differ in size, a group of one being carried by
    two."""
    if layers == 1:
        return 1 << factors
    return min(
        _layer(factors, groups) + unequal_tree(groups, layers - 1)
        for groups in range(layers, factors)
    )


def unequal_trees(factors: int) -> dict[int, int]:
    """Hidden layers -> neurons of the best tree with groups of any size, up to ⌈log₂ n⌉ layers:
    beyond those every number would only be carried longer."""
    deepest = max(1, math.ceil(math.log2(factors)))
    found = {1: 2**factors}
    for layers in range(2, deepest + 1):
        found[layers] = unequal_tree(factors, layers)
    return found


def binary_tree(factors: int) -> int:
    """Neurons of a tree of products of two, four each, a number without a partner carried by two:
    4 (n - 1) where n is a power of two."""
    neurons, left = 0, factors
    while left > 1:
        pairs, odd = divmod(left, 2)
        neurons, left = neurons + 4 * pairs + 2 * odd, pairs + odd
    return neurons


def _layer(numbers: int, groups: int) -> int:
    """Neurons of one layer: 2^b is convex in b, so that groups as equal as can be are best."""
    size, larger = divmod(numbers, groups)
    return (larger << size + 1) + (groups - larger << size)
