"""Scores, gradients, evaluations and norms on the card: in numba's simulator, compiled, against CPU
and reference."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import reference
from problems import random_parameters
from small_blocks import shrink, with_blocks

from fracsim.kernels.cuda import evaluate
from fracsim.kernels.cuda.backend import CudaBackend
from fracsim.kernels.cuda.struct import read_members, struct_of, write_members
from fracsim.kernels.cuda.target import (
    SIMULATED,
    cuda,
    kernel,
    launch,
    new_on_card,
    new_stream,
    to_host,
)
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape

SHAPES = [
    Shape(1, 0, 1),
    Shape(3, 1, 1),
    Shape(2, 2, 9),
    Shape(2, 3, 5),
    Shape(2, (7, 1, 10)),
    Shape(3, (2, 9)),
]
CLOSE = {np.float32: 1e-5, np.float64: 1e-12}
DTYPES = [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)]


@pytest.fixture(autouse=True)
def blocks(monkeypatch):
    shrink(monkeypatch)
    if SIMULATED:
        monkeypatch.setattr(evaluate, "BATCH_ROWS", 10)


@pytest.fixture
def card():
    return CudaBackend()


def asked(generator, shape, dtype, runs=2, count=23 if SIMULATED else 130):
    """params (R, Q), x (2, N, d), y (2, N) and the set of each run; more points than a batch
    holds."""
    x = generator.uniform(-1, 1, (2, count, shape.inputs)).astype(dtype)
    y = generator.choice([-1.0, 1.0], (2, count)).astype(dtype)
    return random_parameters(generator, shape, runs, dtype), x, y, np.arange(runs)[::-1] % 2


def close(found, wanted, tolerance):
    np.testing.assert_allclose(
        found, wanted, rtol=0, atol=tolerance * max(1e-30, np.abs(wanted).max())
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward(card, generator, shape, dtype):
    params, x, _, sets = asked(generator, shape, dtype)
    scores = card.forward(shape, params, x, sets)
    assert scores.dtype == dtype
    for run, chosen in enumerate(sets):
        close(
            scores[run],
            reference.forward(shape, params[run].astype(float), x[chosen].astype(float)),
            CLOSE[dtype],
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("loss", "shape"), [(LOSSES[i % 3], shape) for i, shape in enumerate(SHAPES)], ids=str
)
def test_gradient(card, backend, generator, loss, shape, dtype):
    params, x, y, sets = asked(generator, shape, dtype)
    raised, peaks = (np.zeros((len(sets), sum(shape.widths)), dtype) for _ in range(2))
    dparams, losses = card.gradient(shape, LOSSES.index(loss), params, x, y, sets, raised)
    again, same = backend.gradient(shape, LOSSES.index(loss), params, x, y, sets, peaks)
    if peaks.size:
        close(raised, peaks, CLOSE[dtype])
    assert dparams.dtype == dtype
    close(dparams, again, CLOSE[dtype])
    close(losses, same, CLOSE[dtype])
    for run, chosen in enumerate(sets):
        truth, mean = reference.gradient(
            shape, loss, params[run].astype(float), *(a[chosen].astype(float) for a in (x, y))
        )
        close(dparams[run], truth, CLOSE[dtype])
        close(losses[run], mean, CLOSE[dtype])
    norms = card.layer_norms(shape, dparams)
    np.testing.assert_allclose(norms, backend.layer_norms(shape, dparams), rtol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_squared_loss_of_real_labels(card, backend, generator, dtype):
    """Of labels other than ±1, 0 among them: half the square, and its slope is the error."""
    shape, squared = Shape(2, (7, 3)), LOSSES.index("squared")
    params, x, y, sets = asked(generator, shape, dtype)
    y[:] = generator.normal(0.0, 3.0, y.shape)
    y[:, :5] = 0
    dparams, losses = card.gradient(shape, squared, params, x, y, sets)
    group = np.zeros(y.shape, np.int16)
    means, _, _ = card.evaluate(shape, squared, params, x, y, group, 0, sets)
    for run, chosen in enumerate(sets):
        f = reference.forward(shape, params[run].astype(float), x[chosen].astype(float))
        mean = ((f - y[chosen]) ** 2 / 2).mean()
        close([losses[run], means[run]], [mean, mean], 10 * CLOSE[dtype])
    again, same = backend.gradient(shape, squared, params, x, y, sets)
    close(dparams, again, CLOSE[dtype])
    close(losses, same, CLOSE[dtype])


def test_more_outputs_than_one_are_refused(card, generator):
    shape = Shape(2, (3,), 2)
    params, x, y, sets = asked(generator, shape, np.float32)
    with pytest.raises(ValueError, match="a network of 2 outputs cannot be computed"):
        card.forward(shape, params, x, sets)
    with pytest.raises(ValueError, match="a network of 2 outputs cannot be computed"):
        card.gradient(shape, 0, params, x, y, sets)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_evaluation_by_level(card, backend, generator, loss, dtype):
    shape, n = Shape(2, 1, 4), 6
    params, x, _, sets = asked(generator, shape, dtype, count=40)
    level = generator.choice([0, 1, 3, 4, 6], (2, 40)).astype(np.int16)  # none at 2 and 5
    y = np.where(level == n, 1, -1).astype(dtype)
    found, wanted = (
        each.evaluate(shape, LOSSES.index(loss), params, x, y, level, n, sets)
        for each in (card, backend)
    )
    close(found[0], wanted[0], CLOSE[dtype])
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-15)
    np.testing.assert_allclose(found[2], wanted[2], rtol=1e-15)
    assert np.isnan(found[2]).any(axis=0).tolist() == [
        False,
        False,
        True,
        False,
        False,
        True,
        False,
    ]


def test_a_score_of_zero_is_wrong(card):
    shape, x, y = Shape(2, 1, 4), np.ones((1, 6, 2)), np.array([[1.0, -1.0] * 3])
    level = np.where(y > 0, 2, 0).astype(np.int16)
    loss, accuracy, by_level = card.evaluate(
        shape, 0, np.zeros((1, 17)), x, y, level, 2, np.zeros(1, np.int64)
    )
    assert (loss[0], accuracy[0]) == (1, 0)
    np.testing.assert_array_equal(by_level[0], [0, np.nan, 0])


@pytest.mark.slow
@pytest.mark.parametrize("width", [9] if SIMULATED else [5, 20, 30, 60])
def test_bits_do_not_depend_on_block_groups_or_the_ensemble(generator, width, monkeypatch):
    """A gradient by groups of one, two and four blocks; scores by one block group of a run and by
    many."""
    shape = Shape(2, 2, width)
    params, x, y, sets = asked(generator, shape, np.float32, count=12 if SIMULATED else 130)
    gradients, scores = [], []
    for blocks in (1, 2, 4):
        card = with_blocks(
            monkeypatch, 1 if SIMULATED else blocks
        )  # simulated blocks run one after the other
        gradients.append(card.gradient(shape, 1, params, x, y, sets)[0])
        monkeypatch.setattr(
            "fracsim.kernels.cuda.launch.multiprocessors", lambda blocks=blocks: blocks
        )
        scores.append(card.forward(shape, params, x, sets))
    last = card.gradient(shape, 1, params[1:], x, y, sets[1:])[0]
    np.testing.assert_array_equal(last[0], gradients[0][1])
    for answers in (gradients, scores):
        for other in answers[1:]:
            np.testing.assert_array_equal(answers[0], other)


def test_no_active_row_has_no_gradient(card, generator):
    shape = Shape(2, 2, 5)
    params, x, y, sets = asked(generator, shape, np.float32)
    params[:, -1] = 1e3
    dparams, losses = card.gradient(shape, LOSSES.index("hinge"), params, x, np.ones_like(y), sets)
    assert not dparams.any()
    assert not losses.any()


class Place(NamedTuple):
    row: int
    column: int


class Flags(NamedTuple):
    known: bool


PLACE_AND_FLAGS = struct_of(Place, Flags)


class Answer(NamedTuple):
    out: Any
    """(4,) int64"""


@kernel
def _pass_a_struct(answer, place, flags):
    struct = cuda.shared.array(1, PLACE_AND_FLAGS)[0]
    if cuda.threadIdx.x == 0:
        write_members(struct, flags)
        write_members(struct, place)
        struct.column += 1
    cuda.syncthreads()
    if cuda.threadIdx.x == 1:
        read = read_members(struct, Place)
        answer.out[0], answer.out[1] = read.row, read.column
        answer.out[2], answer.out[3] = struct.known, struct.row


def test_a_struct_in_shared_memory(card):
    """What one thread writes another reads, each member in its place."""
    answer = Answer(new_on_card(4, np.int64, None))
    launch(_pass_a_struct, 1, 2, 0, new_stream(), answer, Place(2**40, 6), Flags(True))
    assert to_host(answer.out, None).tolist() == [2**40, 7, 1, 2**40]


class Odd(NamedTuple):
    shape: int


@pytest.mark.parametrize("declarations", [(Place, Place), (Odd,)])
def test_members_of_a_struct_have_names_of_their_own(declarations):
    with pytest.raises(ValueError, match=r"column, row|shape"):
        struct_of(*declarations)
