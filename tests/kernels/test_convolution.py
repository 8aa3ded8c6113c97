"""Networks of several outputs: tiles against their plain twins, scores and gradients against the
slow reference, training against it and against itself, cut in any way."""

import os
import subprocess
import sys
from itertools import pairwise

import numba
import numpy as np
import pytest
import reference_classes
from places import TOP

from fracsim.kernels.convolution.tiles import patch, plain_patch, plain_weight, weight
from fracsim.kernels.cpu import CpuBackend
from fracsim.kernels.network.losses import EVERY_LOSS
from fracsim.kernels.network.shape import (
    Shape,
    layer_sizes,
    multiplications,
    parameter_count,
    split_layers,
)
from fracsim.kernels.network.tiles import MASK, PLAIN, RELU
from fracsim.kernels.random.feistel import epoch_key, shuffled
from fracsim.kernels.training.optimisers import OPTIMIZERS
from fracsim.kernels.training.train import Dataset, Images, Rule, State
from fracsim.kernels.vectors import VECTOR_BYTES

CODE = EVERY_LOSS.index("cross-entropy")
ONE = np.zeros(1, np.int64)

SHAPES = {
    "mlp": Shape(6, (5, 4), 3),
    "readout": Shape(6, (), 2),
    "one": Shape(36, (1,), 4, (6, 6, 1)),
    "odd": Shape(7 * 9 * 2, (3, 17), 10, (7, 9, 2)),
    "deep": Shape(64, (4, 3, 2, 5), 10, (8, 8, 1)),
    "pixels": Shape(75, (), 10, (5, 5, 3)),
    "smallest": Shape(16, (2, 3, 1), 2, (4, 4, 1)),
    "crowded": Shape(64, (32, 2, 32, 2), 3, (8, 8, 1)),
}


def drawn(generator, shape, count, dtype=np.float64, runs=1):
    """Parameters (R, Q) at which about half of the units work, points (1, N, d), labels (1, N)."""
    params = generator.normal(size=(runs, parameter_count(shape)))
    for row in params:
        for weights, biases in split_layers(shape, row):  # views: written through
            weights /= np.sqrt(len(weights))
            biases *= 0.3
    x = generator.normal(size=(1, count, shape.inputs))
    y = generator.integers(0, shape.outputs, (1, count))
    return params.astype(dtype), x.astype(dtype), y.astype(dtype)


# --- shapes ---------------------------------------------------------------------------------------


def test_sizes_of_layers():
    shape = Shape(28 * 28, (16, 16), 10, (28, 28, 1))
    assert layer_sizes(shape) == [(25, 16), (400, 16), (7 * 7 * 16, 10)]
    assert parameter_count(shape) == 26 * 16 + 401 * 16 + 785 * 10
    assert multiplications(shape) == 784 * 25 * 16 + 196 * 400 * 16 + 784 * 10
    assert (shape.family, Shape(2, (3,)).family) == ("cnn", "mlp")
    assert str(shape) == "images 28x28x1, depth 2, width 16, 10 outputs"
    one = Shape(1728, (64,), 10, (24, 24, 3))
    five = Shape(1728, (128,) * 5, 10, (24, 24, 3))
    assert parameter_count(one) == 76 * 64 + (144 * 64 + 1) * 10  # 97k, as the paper's protocol
    assert round(parameter_count(five) / 1e6, 2) == 1.69


@pytest.mark.parametrize("image", [(3, 3, 1), (2, 2, 2), (0, 9, 1)])
def test_images_that_do_not_fit_are_refused(image):
    with pytest.raises(ValueError, match=r"no image of|too small"):
        Shape(9, (4, 4), 10, image)


# --- tiles ----------------------------------------------------------------------------------------


@numba.njit
def run_patch(w, at, count, mode):
    patch(w, at, 3, 40, 0, count, 500, 50, 4000, 60, 4100, 60, 2000, 2, mode, 4, 3)


@numba.njit
def run_weight(w, at, count):
    weight(w, at, 500, 0, 50, 1500, 60, count, 4000, 70, 30, 5, 2)


@numba.njit
def run_weight_of_one(w, at, count):
    weight(w, at, 500, 0, 50, 1500, 60, count, 4000, 70, 30, 3, 1)


@numba.njit
def run_weight_of_four(w, at, count):
    weight(w, at, 500, 0, 50, 1500, 60, count, 4000, 70, 30, 3, 4)


def tile_arrays(generator, dtype):
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    at = generator.integers(0, 20, 100) * lanes
    at[60:70] = np.arange(10) * 8 * lanes
    at[70:80] = generator.permutation(10)
    return generator.standard_normal(8000).astype(dtype), at


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", [PLAIN, RELU, MASK])
@pytest.mark.parametrize("count", [7, 1, 0])
def test_patches(generator, count, mode, dtype):
    w, at = tile_arrays(generator, dtype)
    truth = w.copy()
    run_patch(w, at, count, mode)
    plain_patch(truth, at, 3, 40, 0, count, 500, 50, 4000, 60, 4100, 60, 2000, 2, mode, 4, 3)
    np.testing.assert_allclose(w, truth, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-5)
    assert (w != tile_arrays(np.random.default_rng(0), dtype)[0]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [7, 1, 0])
@pytest.mark.parametrize(
    ("run", "terms", "outputs"),
    [(run_weight, 5, 2), (run_weight_of_one, 3, 1), (run_weight_of_four, 3, 4)],
)
def test_weights(generator, count, dtype, run, terms, outputs):
    w, at = tile_arrays(generator, dtype)
    if outputs > VECTOR_BYTES // w.itemsize:
        pytest.skip("a vector has fewer lanes, and no tile so many outputs")
    truth = w.copy()
    run(w, at, count)
    plain_weight(truth, at, 500, 0, 50, 1500, 60, count, 4000, 70, 30, terms, outputs)
    np.testing.assert_allclose(w, truth, rtol=1e-4 if dtype is np.float32 else 1e-12, atol=1e-5)
    assert (w != tile_arrays(np.random.default_rng(20190303), dtype)[0]).any() == (count > 0)
    assert (w != truth).sum() < 13


def test_a_nan_shows(generator):
    w, at = tile_arrays(generator, np.float64)
    w[500:3500] = np.nan
    run_patch(w, at, 3, RELU)
    assert np.isnan(w[4000 + at[60]])


# --- networks on points ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", SHAPES)
def test_scores_at_every_width(generator, name, dtype):
    shape = SHAPES[name]
    params, x, _ = drawn(generator, shape, 37, dtype, runs=2)
    found = CpuBackend().forward(shape, params, x, np.array([0, 0]))
    assert found.shape == (2, 37, shape.outputs)
    for run in range(2):
        truth = reference_classes.scores(shape, params[run], x[0])
        scale = 1e-12 if dtype is np.float64 else 3e-5
        np.testing.assert_allclose(found[run], truth, rtol=scale, atol=scale)


@pytest.mark.parametrize("name", SHAPES)
def test_every_gradient_at_every_width(generator, name):
    """By central differences, of every parameter or 60 of them in every layer."""
    shape = SHAPES[name]
    params, x, y = drawn(generator, shape, 9)
    found, loss = CpuBackend().gradient(shape, CODE, params, x, y, ONE)
    truth = reference_classes.cross_entropy(shape, params[0], x[0], y[0])
    assert loss[0] == pytest.approx(truth, rel=1e-12)
    ends = np.cumsum([0, *((n_in + 1) * n_out for n_in, n_out in layer_sizes(shape))])
    for first, last in pairwise(ends):
        places = np.unique([*generator.integers(first, last, 25), last - 1])
        wanted = reference_classes.gradient(shape, params[0], x[0], y[0], places)
        np.testing.assert_allclose(found[0][places], wanted, rtol=1e-6, atol=2e-9)
    single, _ = CpuBackend().gradient(
        shape, CODE, *(a.astype(np.float32) for a in (params, x, y)), ONE
    )
    np.testing.assert_allclose(single[0], found[0], rtol=2e-3, atol=2e-5)


def test_many_points_pass_in_chunks(generator):
    shape = SHAPES["odd"]
    params, x, y = drawn(generator, shape, 300)
    found, loss = CpuBackend().gradient(shape, CODE, params, x, y, ONE)
    parts = [
        CpuBackend().gradient(shape, CODE, params, x[:, i : i + 100], y[:, i : i + 100], ONE)
        for i in (0, 100, 200)
    ]
    np.testing.assert_allclose(found, sum(part[0] for part in parts) / 3, rtol=1e-9, atol=1e-13)
    assert loss[0] == pytest.approx(sum(part[1][0] for part in parts) / 3, rel=1e-12)


def test_accuracy_by_class(generator):
    shape = SHAPES["mlp"]
    params, x, y = drawn(generator, shape, 80)
    y[y == 1] = 0
    losses, accuracy, by_class = CpuBackend().evaluate(
        shape, CODE, params, x, y, y.astype(np.int16), 2, ONE
    )
    predicted = reference_classes.scores(shape, params[0], x[0]).argmax(1)
    assert losses[0] == pytest.approx(reference_classes.cross_entropy(shape, params[0], x[0], y[0]))
    assert accuracy[0] == (predicted == y[0]).mean()
    for label in (0, 2):
        assert by_class[0, label] == (predicted == label)[y[0] == label].mean()
    assert np.isnan(by_class[0, 1])


def test_a_tie_counts_as_wrong_and_large_scores_are_no_overflow():
    shape = Shape(1, (), 3)
    params = np.array([[0.0, 0, 0, 5, 5, 1], [0.0, 0, 0, 900, 0, -900]])
    x, y = np.zeros((1, 2, 1)), np.array([[0.0, 1.0]])
    losses, accuracy, _ = CpuBackend().evaluate(
        shape, CODE, params, x, y, np.zeros((1, 2), np.int16), 0, np.zeros(2, np.int64)
    )
    assert accuracy.tolist() == [0.0, 0.5]
    assert losses[1] == pytest.approx(450)


# --- training -------------------------------------------------------------------------------------


def trained(shape, params, source, seed, cuts, batch=10, optimizer="adam", rate=0.01):
    """State of one run after steps cut into these calls."""
    state, rule = State.start(params), Rule(CODE, OPTIMIZERS.index(optimizer), 0, batch)
    for start, stop in pairwise(cuts):
        CpuBackend().train(
            shape, rule, np.full(len(params), rate), np.full(len(params), seed, np.uint64), state,
            source, np.zeros(len(params), np.int64), start, stop,
        )  # fmt: skip
    return state


def batches_of(x, y, seed, steps, batch):
    per_epoch = len(y) // batch
    for step in range(steps):
        key = epoch_key(np.uint64(seed), step // per_epoch)
        first = step % per_epoch * batch
        rows = [shuffled(first + b, len(y), key) for b in range(batch)]
        yield x[rows], y[rows]


@pytest.mark.parametrize("name", ["mlp", "one"])
def test_steps_of_adam(generator, name):
    shape = SHAPES[name]
    params, x, y = drawn(generator, shape, 33)

    def gradient_of(p, some_x, some_y):
        return reference_classes.gradient(shape, p, some_x, some_y, range(len(p)))

    state = trained(shape, params, Dataset(x, y), 5, [0, 8])
    batches = list(batches_of(x[0], y[0], 5, 8, 10))
    wanted = reference_classes.adam(shape, params[0], batches, 0.01, gradient_of)
    np.testing.assert_allclose(state.params[0], wanted, rtol=1e-4, atol=1e-5)
    assert state.counted[0] == 80


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["mlp", "odd"])
def test_bits_do_not_depend_on_slices_nor_on_runs_beside(generator, name, dtype):
    shape = SHAPES[name]
    params, x, y = drawn(generator, shape, 50, dtype, runs=2)
    whole = trained(shape, params, Dataset(x, y), 3, [0, 12])
    cut = trained(shape, params, Dataset(x, y), 3, [0, 1, 5, 12])
    alone = trained(shape, params[1:], Dataset(x, y), 3, [0, 7, 12])
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(whole.params[1:], alone.params)
    assert whole.correct.tolist() == cut.correct.tolist()


def test_what_is_not_finite_stands_still(generator):
    shape = SHAPES["one"]
    params, x, y = drawn(generator, shape, 50)
    x[0, :, 0] = np.inf
    state = trained(shape, params, Dataset(x, y), 3, [0, 4])
    assert state.diverged[0] == 1
    np.testing.assert_array_equal(state.params, params)


def test_parts_of_images_and_their_mirror_images(generator):
    """A readout of pixels learns which ones it saw: every place, turned or not, and no other."""
    side, seen = 5, 3
    shape = Shape(seen * seen, (), 2, (seen, seen, 1))
    x = np.arange(1.0, 26).reshape(1, 1, 25).repeat(4, 1)
    y, params = np.zeros((1, 4)), np.zeros((1, parameter_count(shape)))
    found = set()
    for flip in (0, 1):
        source = Images(x, y, np.array([side, side]), np.array([flip]))
        before = params
        for step in range(200):
            state = State(*(np.array(a) for a in State.start(before)))
            rule = Rule(CODE, OPTIMIZERS.index("sgd"), 0, 1)
            CpuBackend().train(
                shape, rule, np.ones(1), np.array([7], np.uint64), state, source, ONE, step,
                step + 1,
            )  # fmt: skip
            seen_now = (
                2 * state.params[0].reshape(-1, 2)[:9, 0]
            )  # slope 1/2 of the class that it is
            found.add((flip, *np.rint(seen_now).astype(int).tolist()))
    grid = x[0, 0].reshape(side, side)
    parts = [grid[i : i + seen, j : j + seen] for i in range(3) for j in range(3)]
    whole = {tuple(part.ravel().astype(int)) for part in parts}
    turned = {tuple(part[:, ::-1].ravel().astype(int)) for part in parts}
    assert {row[1:] for row in found if row[0] == 0} == whole
    assert {row[1:] for row in found if row[0] == 1} == whole | turned


@pytest.mark.compiled
@pytest.mark.slow
def test_plain_twins_give_the_same_when_the_jit_is_off():
    tests = "test_scores_at_every_width and (mlp or smallest)"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", tests, __file__],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    assert "passed" in result.stdout
