"""Small trainings and what they must come to, for the tests of every backend."""

import itertools

import numba
import numpy as np
import reference

from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.random.feistel import epoch_key, shuffled
from fracsim.kernels.training.optimisers import OPTIMIZERS, SCHEDULES
from fracsim.kernels.training.train import Dataset, Rule, State

RATES = {"sgd": 0.05, "momentum": 0.01, "adam": 0.003}
CLOSE = {np.float64: {"rtol": 1e-8, "atol": 1e-10}, np.float32: {"rtol": 1e-3, "atol": 1e-4}}


@numba.njit
def index_of(position, count, seed, epoch):
    return shuffled(position, count, epoch_key(seed, epoch))


def rule_of(loss="hinge", optimizer="adam", schedule="constant", batch=20, epsilon=1e-4, **numbers):
    # with the usual ε = 1e-8, Adam moves a parameter whose gradient is rounding noise by its full
    # rate, either way
    numbers["epsilon"] = epsilon
    return Rule(
        LOSSES.index(loss),
        OPTIMIZERS.index(optimizer),
        SCHEDULES.index(schedule),
        batch=batch,
        **numbers,
    )


def dataset_of(generator, d, count, sets=1, dtype=np.float64):
    x = generator.uniform(-1, 1, (sets, count, d))
    y = np.where((np.abs(x) % 0.5 < 0.25).sum(axis=2) % 2 == 0, 1.0, -1.0)
    return Dataset(x.astype(dtype), y.astype(dtype))


def train(backend, shape, rule, rates, seeds, params, source, sets=None, chunks=(0, 100)):
    """State of the runs after training from chunks[0] to chunks[-1] with a stop at each."""
    state = State.start(params)
    sets = np.zeros(len(params), np.int64) if sets is None else np.asarray(sets, np.int64)
    rates, seeds = np.asarray(rates, np.float64), np.asarray(seeds, np.uint64)
    for start, stop in itertools.pairwise(chunks):
        backend.train(shape, rule, rates, seeds, state, source, sets, start, stop)
    return state


def batches_of(source, chosen, batch, seed):
    """``batch_of(t)`` for the reference, in data set mode."""
    x, y = source.x[chosen], source.y[chosen]

    def batch_of(t):
        indices = reference.dataset_batch(
            t, len(y), batch, lambda p, e: index_of(p, len(y), np.uint64(seed), e)
        )
        return x[indices], y[indices]

    return batch_of


def check(state, run, truth, steps, batch, close):
    """One run of a state against ``reference.train``'s result."""
    params, m, v, loss_sum, correct, diverged = truth
    np.testing.assert_allclose(state.params[run], params, **close)
    np.testing.assert_allclose(state.m[run], m, **close)
    np.testing.assert_allclose(state.v[run], v, **close)
    np.testing.assert_allclose(state.loss_sum[run], loss_sum, rtol=close["rtol"])
    assert abs(state.correct[run] - correct) <= (0 if close is CLOSE[np.float64] else 2)
    assert state.counted[run] == steps * batch
    assert state.diverged[run] == diverged == -1


def same_bits(one, other, runs=slice(None), others=slice(None)):
    for name, a, b in zip(State._fields, one, other, strict=True):
        np.testing.assert_array_equal(a[runs], b[others], err_msg=name)
