"""The training kernels: trajectories against the NumPy reference, bit-identity, divergence,
evaluation."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference
from problems import random_parameters
from trainings import CLOSE, RATES, batches_of, check, dataset_of, rule_of, same_bits, train

from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.random.philox import STREAM
from fracsim.kernels.training.optimisers import OPTIMIZERS
from fracsim.kernels.training.train import Dataset, Stream


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_hundred_steps_match_the_reference(backend, generator, loss, optimizer, dtype):
    shape, seed = Shape(2, 3, 17), 2**40 + 5
    source = dataset_of(generator, 2, 333, dtype=dtype)
    params = random_parameters(generator, shape, dtype=dtype)
    rule = rule_of(loss, optimizer)
    state = train(backend, shape, rule, [RATES[optimizer]], [seed], params, source)
    truth = reference.train(
        shape, rule, RATES[optimizer], params[0], batches_of(source, 0, 20, seed), 100
    )
    assert state.params.dtype == dtype
    check(state, 0, truth, 100, 20, CLOSE[dtype])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "shape",
    [
        *(Shape(1, 0, 1), Shape(3, 1, 1), Shape(2, 2, 33), Shape(2, 4, 90)),
        *(Shape(2, (9, 4, 17)), Shape(3, (1, 20)), Shape(1, (33, 1, 5)), Shape(20, (7, 120))),
    ],
    ids=str,
)
def test_every_width_matches_the_reference(backend, generator, shape, dtype):
    source = dataset_of(generator, shape.inputs, 200, dtype=dtype)
    params = random_parameters(generator, shape, dtype=dtype)
    rule, steps = rule_of(batch=25), 40
    state = train(backend, shape, rule, [0.003], [1], params, source, chunks=(0, steps))
    truth = reference.train(shape, rule, 0.003, params[0], batches_of(source, 0, 25, 1), steps)
    check(state, 0, truth, steps, 25, CLOSE[dtype])


@pytest.mark.parametrize(
    ("count", "batch"), [(10, 3), (10, 1), (37, 37), (1, 1), (50, 49), (1000, 7), (64, 16)]
)
def test_any_batch_of_any_data_set(backend, generator, count, batch):
    # B that does not divide N, B = 1, B = N, N not a power of two; several epochs, schedules on
    shape, rule = (
        Shape(2, 1, 7),
        rule_of("logistic", "momentum", "step", batch=batch, decay=0.5, period=30),
    )
    source = dataset_of(generator, 2, count)
    params = random_parameters(generator, shape)
    state = train(backend, shape, rule, [0.01], [3], params, source)
    truth = reference.train(shape, rule, 0.01, params[0], batches_of(source, 0, batch, 3), 100)
    check(state, 0, truth, 100, batch, CLOSE[np.float64])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["cantor", "sierpinski"])
def test_stream_draws_fresh_samples(backend, generator, name, dtype):
    fractal = load_fractal(name)
    law, geometry = Distribution(fractal, 4, parse_curve("2")).law(), fractal.geometry()
    shape, rule, seed = (
        Shape(2, (17, 8)),
        rule_of("hinge", "adam", "cosine", batch=12, period=100),
        77,
    )
    params = random_parameters(generator, shape, dtype=dtype)

    def batch_of(t):
        x, y, _ = backend.sample(geometry, law, seed, STREAM, (t - 1) * 12, 12)
        return x.astype(dtype), y.astype(dtype)

    state = train(backend, shape, rule, [0.003], [seed], params, Stream(geometry, law))
    truth = reference.train(shape, rule, 0.003, params[0], batch_of, 100)
    check(state, 0, truth, 100, 12, CLOSE[dtype])
    again = train(
        backend,
        shape,
        rule,
        [0.003],
        [seed],
        params,
        Stream(geometry, law),
        chunks=(0, 1, 2, 60, 100),
    )
    same_bits(state, again)


def ensemble(generator, runs=5):
    """Arguments of ``train`` for runs that differ in everything that a run may differ in."""
    shape = Shape(2, 3, 21)
    params = random_parameters(generator, shape, runs, np.float32)
    source = dataset_of(generator, 2, 150, sets=2, dtype=np.float32)
    rates, seeds = (
        0.001 * np.arange(1, runs + 1),
        np.arange(runs, dtype=np.uint64) + np.uint64(2**63),
    )
    return shape, rule_of(batch=40), rates, seeds, params, source, np.arange(runs) % 2


@pytest.mark.compiled
def test_bits_do_not_depend_on_the_ensemble(backend, generator):
    shape, rule, rates, seeds, params, source, sets = ensemble(generator)
    together = train(backend, shape, rule, rates, seeds, params, source, sets)
    assert len({row.tobytes() for row in together.params}) == 5
    for run in range(5):
        one = slice(run, run + 1)
        alone = train(backend, shape, rule, rates[one], seeds[one], params[one], source, sets[one])
        same_bits(together, alone, runs=one)
    turned = train(backend, shape, rule, rates[::-1], seeds[::-1], params[::-1], source, sets[::-1])
    same_bits(together, turned, others=slice(None, None, -1))


@pytest.mark.compiled
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_bits_do_not_depend_on_chunks(backend, generator, optimizer):
    shape, rule, rates, seeds, params, source, sets = ensemble(generator)
    rule = rule._replace(optimizer=OPTIMIZERS.index(optimizer))
    straight = train(backend, shape, rule, rates, seeds, params, source, sets)
    for chunks in ((0, 1, 2, 3, 50, 100), (0, 0, 99, 99, 100), tuple(range(101))):
        same_bits(
            straight, train(backend, shape, rule, rates, seeds, params, source, sets, chunks=chunks)
        )


@pytest.mark.compiled
def test_bits_do_not_depend_on_threads(backend, generator):
    shape, rule, rates, seeds, params, source, sets = ensemble(generator, runs=8)
    together = train(backend, shape, rule, rates, seeds, params, source, sets)

    def alone(run):
        one = slice(run, run + 1)
        return train(
            backend,
            shape,
            rule,
            rates[one],
            seeds[one],
            params[one],
            source,
            sets[one],
            chunks=(0, 30, 100),
        )

    for threads in (1, 3):
        with ThreadPoolExecutor(threads) as pool:
            for run, state in enumerate(pool.map(alone, range(8))):
                same_bits(together, state, runs=slice(run, run + 1))


@pytest.mark.compiled
def test_training_leaves_its_inputs_alone(backend, generator):
    shape, rule, rates, seeds, params, source, sets = ensemble(generator)
    kept = [array.copy() for array in (rates, seeds, params, source.x, source.y, sets)]
    train(backend, shape, rule, rates, seeds, params, source, sets)
    for before, after in zip(kept, (rates, seeds, params, source.x, source.y, sets), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.compiled
def test_running_sums_go_on_until_the_caller_zeroes_them(backend, generator):
    shape, rule, rates, seeds, params, source, sets = ensemble(generator)
    whole = train(backend, shape, rule, rates, seeds, params, source, sets)
    half = train(backend, shape, rule, rates, seeds, params, source, sets, chunks=(0, 50))
    first = half.loss_sum.copy(), half.correct.copy(), half.counted.copy()
    for sums in (half.loss_sum, half.correct, half.counted):
        sums[:] = 0
    backend.train(shape, rule, rates, seeds.astype(np.uint64), half, source, sets, 50, 100)
    np.testing.assert_allclose(first[0] + half.loss_sum, whole.loss_sum, rtol=1e-12)
    np.testing.assert_array_equal(first[1] + half.correct, whole.correct)
    np.testing.assert_array_equal(first[2] + half.counted, whole.counted)
    assert whole.counted.tolist() == [4000] * 5


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_diverged_run_is_marked_and_stops_while_others_go_on(
    backend, generator, optimizer, dtype
):
    shape, huge = Shape(2, 2, 9), 1e30 if dtype == np.float32 else 1e200
    params = random_parameters(generator, shape, 3, dtype)
    source = dataset_of(generator, 2, 100, dtype=dtype)
    rule, seeds, rates = rule_of("squared", optimizer, batch=10), [0, 1, 2], [0.001, huge, 0.001]
    state = train(backend, shape, rule, rates, seeds, params, source)
    for run in (0, 2):
        one = slice(run, run + 1)
        same_bits(
            state, train(backend, shape, rule, [0.001], seeds[one], params[one], source), runs=one
        )
        assert state.diverged[run] == -1
    with np.errstate(all="ignore"):
        truth = reference.train(shape, rule, huge, params[1], batches_of(source, 0, 10, 1), 100)
    assert state.diverged[1] == truth[-1]
    assert 1 < state.diverged[1] < 100
    assert state.counted[1] == 10 * state.diverged[1]
    kept = [array[1].copy() for array in state]
    backend.train(
        shape,
        rule,
        np.array(rates),
        np.array(seeds, np.uint64),
        state,
        source,
        np.zeros(3, np.int64),
        100,
        120,
    )
    for before, array in zip(kept, state, strict=True):
        np.testing.assert_array_equal(before, array[1])
    assert state.counted.tolist() == [1200, kept[5], 1200]


def test_a_slowly_diverging_run_keeps_chunk_independence(backend, generator):
    shape, rule = Shape(2, 1, 5), rule_of("squared", "sgd", batch=10)
    params = random_parameters(generator, shape, dtype=np.float32)
    source = dataset_of(generator, 2, 100, dtype=np.float32)
    straight = train(backend, shape, rule, [30.0], [0], params, source)
    assert straight.diverged[0] > 1
    same_bits(
        straight, train(backend, shape, rule, [30.0], [0], params, source, chunks=tuple(range(101)))
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "shape", [Shape(1, 0, 1), Shape(2, 1, 1), Shape(3, 3, 33), Shape(3, (5, 40, 2))], ids=str
)
@pytest.mark.parametrize("loss", LOSSES)
def test_evaluation_by_level(backend, generator, loss, shape, dtype):
    runs, count, n = 3, 517, 6
    params = random_parameters(generator, shape, runs)
    x = generator.uniform(-1, 1, (2, count, shape.inputs))
    level = generator.choice([0, 1, 3, 4, 6], (2, count)).astype(np.int16)  # none at 2 and 5
    y = np.where(level == n, 1.0, -1.0)
    sets = np.array([1, 0, 1])
    params, x, y = params.astype(dtype), x.astype(dtype), y.astype(dtype)
    values, accuracies, by_level = backend.evaluate(
        shape, LOSSES.index(loss), params, x, y, level, n, sets
    )
    assert by_level.shape == (runs, n + 1)
    for run, chosen in enumerate(sets):
        truth = reference.evaluate(shape, loss, params[run], x[chosen], y[chosen], level[chosen], n)
        np.testing.assert_allclose(
            values[run], truth[0], rtol=1e-11 if dtype == np.float64 else 1e-4
        )
        tolerance = 0 if dtype == np.float64 else 2 / 40
        np.testing.assert_allclose(accuracies[run], truth[1], rtol=0, atol=1e-15 + tolerance / 10)
        np.testing.assert_allclose(by_level[run], truth[2], rtol=0, atol=1e-15 + tolerance)
    np.testing.assert_array_equal(
        np.isnan(by_level), [[False, False, True, False, False, True, False]] * runs
    )


def test_a_score_of_zero_is_wrong(backend):
    shape = Shape(2, 1, 4)
    x, y = np.ones((1, 6, 2)), np.array([[1.0, -1.0] * 3])
    level = np.where(y > 0, 2, 0).astype(np.int16)
    params = np.zeros((1, 17))
    loss, accuracy, by_level = backend.evaluate(
        shape, 0, params, x, y, level, 2, np.zeros(1, np.int64)
    )
    assert loss[0] == 1
    assert accuracy[0] == 0
    np.testing.assert_array_equal(by_level[0], [0, np.nan, 0])
    state = train(
        backend, shape, rule_of(batch=6), [0.001], [0], params, Dataset(x, y), chunks=(0, 1)
    )
    assert state.correct[0] == 0


@pytest.mark.compiled
def test_training_learns(backend, generator):
    # the end to which all this is there: the loss falls, in float32, with the paper's optimiser
    shape, rule = Shape(2, 2, 32), rule_of(batch=50)
    x = generator.uniform(-1, 1, (1, 1000, 2)).astype(np.float32)
    source = Dataset(x, np.where(x[..., 0] * x[..., 1] > 0, 1, -1).astype(np.float32))
    params = random_parameters(generator, shape, dtype=np.float32)
    state = train(backend, shape, rule, [0.005], [0], params, source, chunks=(0, 2000))
    _, accuracy, _ = backend.evaluate(
        shape,
        0,
        state.params,
        source.x,
        source.y,
        np.zeros((1, 1000), np.int16),
        0,
        np.zeros(1, np.int64),
    )
    assert accuracy[0] > 0.97
