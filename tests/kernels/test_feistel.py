"""The order of an epoch: a bijection for every N, new for every seed and epoch, and random
enough."""

import numba
import numpy as np
import pytest
from scipy import stats

from fracsim.kernels.random.feistel import epoch_key, shuffled


@numba.njit
def order(count, seed, epoch):
    """The whole order of an epoch, (N,)."""
    key = epoch_key(seed, epoch)
    result = np.empty(count, np.int64)
    for position in range(count):
        result[position] = shuffled(position, count, key)
    return result


def order_of(count, seed, epoch):
    return order(count, np.uint64(seed), epoch)


@pytest.mark.parametrize(
    "count", [*range(1, 41), 63, 64, 65, 127, 1000, 1023, 1024, 1025, 4097, 50_000]
)
def test_bijection(count):
    for seed, epoch in ((0, 0), (7, 3), (2**64 - 1, 10**6)):
        np.testing.assert_array_equal(np.sort(order_of(count, seed, epoch)), np.arange(count))


def test_pure_function_of_seed_and_epoch():
    np.testing.assert_array_equal(order_of(1000, 5, 2), order_of(1000, 5, 2))


def test_seeds_and_epochs_give_unrelated_orders():
    count = 4000
    orders = [
        order_of(count, seed, epoch) for seed in (0, 1, 2**32, 2**63) for epoch in (0, 1, 500)
    ]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            # agreements of two random permutations: Poisson with mean 1
            assert np.sum(one == other) < 9
            assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(count)


def test_small_orders_reach_every_permutation():
    seen = {tuple(order_of(4, seed, 0)) for seed in range(1000)}
    assert len(seen) == 24


def cells_chi_square(first, second, bins, count, repeats):
    """p-value for (first, second), each 0..N-1, filling bins × bins cells evenly."""
    table = np.histogram2d(first, second, bins=bins, range=[[0, count]] * 2)[0]
    return stats.chisquare(table.ravel(), np.full(bins * bins, repeats / bins**2)).pvalue


@pytest.mark.parametrize("count", [60, 1000, 50_000])
def test_positions_and_neighbours_are_spread_evenly(count):
    # Where a position goes, and where two neighbours in the order lie, over many epochs. The
    # p-values are fixed, since the orders are: the thresholds say that nothing is grossly uneven.
    epochs = 200_000 // count
    orders = np.array([order_of(count, 11, epoch) for epoch in range(epochs)])
    positions = np.tile(np.arange(count), epochs)
    assert cells_chi_square(positions, orders.ravel(), 10, count, orders.size) > 1e-4
    pairs = orders[:, :-1].ravel(), orders[:, 1:].ravel()
    table = np.histogram2d(*pairs, bins=10, range=[[0, count]] * 2)[0]
    same = (
        (count / 10) * (count / 10 - 1) / (count * (count - 1))
    )  # both in one tenth: without replacement
    other = (count / 10) ** 2 / (count * (count - 1))
    expected = (np.full((10, 10), other) + np.eye(10) * (same - other)) * len(pairs[0])
    assert stats.chisquare(table.ravel(), expected.ravel()).pvalue > 1e-4


def test_single_positions_are_uniform_over_epochs():
    count, epochs = 50, 5000
    orders = np.array([order_of(count, 3, epoch) for epoch in range(epochs)])
    for position in (0, 1, 31, 32, 49):
        assert stats.chisquare(np.bincount(orders[:, position], minlength=count)).pvalue > 1e-4


def test_batches_of_neighbouring_indices_do_not_stay_together():
    # the gap between neighbours of the order, modulo N, must be uniform too: a lazy bijection keeps
    # i and i + 1 close
    count = 50_000
    one = order_of(count, 0, 0)
    gaps = np.diff(one) % count
    assert stats.chisquare(np.histogram(gaps, bins=50, range=(0, count))[0]).pvalue > 1e-4
