"""The LLVM tiles against their plain twins, and the twins in their place when the JIT is off."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from places import TOP

from fracsim.kernels.network.tiles import (
    MASK,
    PLAIN,
    PRODUCT,
    RELU,
    ROW_SUM,
    plain_tile,
    plain_transpose_block,
    tile,
    transpose_block,
)
from fracsim.kernels.vectors import VECTOR_BYTES

LONG, SHORT, NONE = 23, 1, 0


@numba.njit
def run_product(w, count, resume, mode):
    tile(
        w,
        7,
        40,
        1,
        w,
        900,
        0,
        160,
        count,
        resume,
        w,
        300,
        w,
        5000,
        150,
        w,
        6000,
        170,
        mode,
        PRODUCT,
        5,
        3,
    )


@numba.njit
def run_row_sum(w, count):
    tile(w, 7, 3, 12, w, 900, 100, 400, count, 0, w, 0, w, 0, 0, w, 12000, 0, PLAIN, ROW_SUM, 4, 2)


@numba.njit
def run_transpose(w):
    transpose_block(w, 11, 40, w, 9000, 50)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("resume", [0, 1])
@pytest.mark.parametrize("mode", [PLAIN, RELU, MASK])
@pytest.mark.parametrize("count", [LONG, SHORT, NONE])
def test_product(generator, count, mode, resume, dtype):
    w = generator.standard_normal(14_000).astype(dtype)
    truth = w.copy()
    run_product(w, count, resume, mode)
    plain_tile(
        truth,
        7,
        40,
        1,
        truth,
        900,
        0,
        160,
        count,
        resume,
        truth,
        300,
        truth,
        5000,
        150,
        truth,
        6000,
        170,
        mode,
        PRODUCT,
        5,
        3,
    )
    np.testing.assert_allclose(w, truth, rtol=0, atol=1e-5 if dtype is np.float32 else 1e-13)
    untouched = np.ones(len(w), bool)
    for m in range(5):
        untouched[6000 + 170 * m : 6000 + 170 * m + 3 * VECTOR_BYTES // w.itemsize] = False
    np.testing.assert_array_equal(w[untouched], truth[untouched])


@pytest.mark.parametrize("count", [LONG, NONE])
def test_row_sum(generator, count):
    w = generator.standard_normal(14_000)
    truth = w.copy()
    run_row_sum(w, count)
    plain_tile(
        truth,
        7,
        3,
        12,
        truth,
        900,
        100,
        400,
        count,
        0,
        truth,
        0,
        truth,
        0,
        0,
        truth,
        12000,
        0,
        PLAIN,
        ROW_SUM,
        4,
        2,
    )
    np.testing.assert_allclose(w, truth, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", [PLAIN, RELU])
def test_a_nan_passes(generator, mode):
    w = generator.standard_normal(14_000)
    w[7] = np.nan
    run_product(w, LONG, 0, mode)
    assert np.isnan(w[6000 : 6000 + 3 * VECTOR_BYTES // 8]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transpose(generator, dtype):
    w = generator.standard_normal(14_000).astype(dtype)
    truth = w.copy()
    run_transpose(w)
    plain_transpose_block(truth, 11, 40, truth, 9000, 50)
    np.testing.assert_array_equal(w, truth)


def test_the_twins_train_when_the_jit_is_off():
    script = """
import numpy as np
from fracsim.kernels.backend import get_backend
from fracsim.kernels.network.shape import Shape, parameter_count
from fracsim.kernels.training.train import Dataset, Rule, State
shape = Shape(2, 2, 5)
generator = np.random.default_rng(1)
params = generator.standard_normal((1, parameter_count(shape))) / 2
x = generator.uniform(-1, 1, (1, 12, 2))
source, state = Dataset(x, np.sign(x[:, :, 0])), State.start(params)
rule = Rule(0, 2, 0, 6)
rates, seeds = np.array([0.01]), np.array([3], np.uint64)
get_backend("cpu").train(shape, rule, rates, seeds, state, source, np.zeros(1, int), 0, 4)
print(repr(state.params.sum()), repr(state.loss_sum[0]))
"""
    results = []
    for disabled in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env=environment,
            cwd=TOP,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        results.append(
            [float(word.removeprefix("np.float64(").rstrip(")")) for word in done.stdout.split()]
        )
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
