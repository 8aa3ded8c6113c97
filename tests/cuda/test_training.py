"""Training on the card: in numba's simulator, and compiled (tests/cuda/test_compiled.py), against
CPU and reference."""

import numpy as np
import pytest
import reference
from problems import random_parameters
from small_blocks import shrink, with_blocks
from trainings import CLOSE, RATES, batches_of, check, dataset_of, rule_of, same_bits, train

from fracsim.kernels.cuda import launch, layout, target
from fracsim.kernels.cuda.backend import CudaBackend
from fracsim.kernels.cuda.target import SIMULATED
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.training.optimisers import OPTIMIZERS
from fracsim.kernels.training.train import State

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(overflow|invalid value):RuntimeWarning"
)  # NumPy, in the simulator

STEPS = 4 if SIMULATED else 50
"""The simulator takes about a tenth of a second for a step."""


@pytest.fixture(autouse=True)
def blocks(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture
def card():
    return CudaBackend()


def agree(found, wanted, tolerance=1e-4):
    """Parameters and moments close, counts equal; loss sums to 1e-5."""
    for name in ("params", "m", "v"):
        a, b = getattr(found, name), getattr(wanted, name)
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max(), err_msg=name)
    np.testing.assert_allclose(found.loss_sum, wanted.loss_sum, rtol=min(tolerance, 1e-5))
    for name in ("correct", "counted", "diverged"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


def small(generator, shape, runs=2, dtype=np.float32, count=37, batch=8, sets=1):
    """Arguments of ``train`` after the rule, for runs that differ in all they may."""
    params = random_parameters(generator, shape, runs, dtype)
    rates, seeds = (
        0.002 * np.arange(1, runs + 1),
        np.arange(runs, dtype=np.uint64) + np.uint64(2**63),
    )
    source = dataset_of(generator, shape.inputs, count, sets, dtype)
    return rates, seeds, params, source, np.arange(runs) % sets


def both(card, backend, shape, rule, arguments, steps=STEPS, tolerance=1e-4):
    found, wanted = (
        train(each, shape, rule, *arguments, chunks=(0, steps)) for each in (card, backend)
    )
    agree(found, wanted, tolerance)
    return found


@pytest.mark.parametrize(
    ("loss", "optimizer", "schedule"),
    [
        (loss, optimizer, ("constant", "step", "cosine")[(i + j) % 3])
        for i, loss in enumerate(LOSSES)
        for j, optimizer in enumerate(OPTIMIZERS)
    ],
)
def test_steps_are_those_of_the_cpu(card, backend, generator, loss, optimizer, schedule):
    rule = rule_of(loss, optimizer, schedule, batch=8, period=STEPS - 2, decay=0.5)
    rates, *rest = small(generator, Shape(2, 2, 7), sets=2)
    state = both(card, backend, Shape(2, 2, 7), rule, (rates * RATES[optimizer] / 0.003, *rest))
    assert np.abs(state.params - rest[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("shape", "batch"),
    [
        (Shape(1, 0, 1), 5),
        (Shape(3, 0, 4), 8),
        (Shape(3, 1, 1), 8),
        (Shape(1, 1, 9), 1),
        pytest.param(Shape(2, 3, 5), 11, marks=pytest.mark.slow),
        pytest.param(Shape(2, 2, 9), 13, marks=pytest.mark.slow),
        (Shape(2, (9, 1, 5)), 11),
        (Shape(1, (3, 10)), 8),
        pytest.param(Shape(3, (10, 2, 7, 4)), 6, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_every_shape_and_batch(card, backend, generator, shape, batch):
    """One row, more rows than a block has, batches that do not divide the epoch; no hidden layer
    and one to four, of equal and unequal widths, wider and narrower than what goes into them."""
    both(card, backend, shape, rule_of(batch=batch), small(generator, shape))


@pytest.mark.parametrize(
    "optimizer", ["adam", *(pytest.param(name, marks=pytest.mark.slow) for name in OPTIMIZERS[:2])]
)
def test_float64_against_the_reference(card, backend, generator, optimizer):
    shape, seed, rule = Shape(2, 2, 6), 2**40 + 5, rule_of("logistic", optimizer, batch=6)
    source, params = (
        dataset_of(generator, 2, 20, dtype=np.float64),
        random_parameters(generator, shape),
    )
    found = both(
        card, backend, shape, rule, ([RATES[optimizer]], [seed], params, source), tolerance=1e-12
    )
    truth = reference.train(
        shape, rule, RATES[optimizer], params[0], batches_of(source, 0, 6, seed), STEPS
    )
    check(found, 0, truth, STEPS, 6, CLOSE[np.float64])


def test_bits_depend_neither_on_chunks_nor_on_the_ensemble(card, generator, monkeypatch):
    shape, rule = Shape(2, 1, 5), rule_of("logistic", batch=5)
    steps = 3 if SIMULATED else 50
    rates, seeds, params, source, sets = small(generator, shape, 3, count=12, sets=2)
    together = train(card, shape, rule, rates, seeds, params, source, sets, chunks=(0, steps))
    cut = train(
        card, shape, rule, rates, seeds, params, source, sets, chunks=(0, 1, min(7, steps), steps)
    )
    same_bits(together, cut)
    monkeypatch.setattr(launch, "MOST_STEPS", steps - 1)
    last = slice(2, 3)
    alone = train(
        card,
        shape,
        rule,
        rates[last],
        seeds[last],
        params[last],
        source,
        sets[last],
        chunks=(0, steps),
    )
    same_bits(together, alone, runs=last)


def planned(monkeypatch, elements):
    """Plans as for a card with so many elements of shared memory beside the panels."""
    made = []

    def plan(shape, batch, itemsize, shared_bytes, *rest, **options):
        most = min(shared_bytes, (layout.PANELS + elements) * itemsize)
        made.append(layout.make_plan(shape, batch, itemsize, most, *rest, **options))
        return made[-1]

    monkeypatch.setattr(launch, "make_plan", plan)
    return made


@pytest.mark.parametrize(
    "widths",
    [pytest.param((9, 9), marks=pytest.mark.slow), (9, 3)]
    if SIMULATED
    else [(5, 5), (20, 20), (30, 30), (60, 60), (20, 3, 30), (60, 1, 20)],
    ids=lambda widths: "-".join(map(str, widths)),
)
def test_bits_depend_neither_on_block_groups_nor_on_where_memory_is(
    backend, generator, widths, monkeypatch
):
    """Block groups of one block, all in shared memory or none; of two and four blocks. With narrow,
    middling, wide ones."""
    shape, rule, steps = Shape(2, widths), rule_of(batch=11 if SIMULATED else 37), 2
    arguments = small(generator, shape, count=60)
    kinds, states = [], []
    places = [(1, 10**6), (1, 4000), (1, 0), (2, 10**6), (4, 10**6)]
    if SIMULATED:
        places = places[
            :3
        ]  # the simulator runs one block after the other: they cannot wait for each other
    for blocks, elements in places:
        with monkeypatch.context() as patch:
            made = planned(patch, elements)
            card = with_blocks(patch, blocks)
            states.append(train(card, shape, rule, *arguments, chunks=(0, steps)))
            kinds.append((made[-1].blocks, made[-1].resident, made[-1].own_shared))
    assert kinds[0] == (1, True, True)
    assert kinds[2] == (1, False, False)
    assert [kind[0] for kind in kinds] == [blocks for blocks, _ in places]
    for state in states[1:]:
        same_bits(states[0], state)
    agree(states[0], train(backend, shape, rule, *arguments, chunks=(0, steps)))


def test_nothing_comes_back_to_the_host_while_the_card_trains(card, generator, monkeypatch):
    """Neither learning rates nor state: what the trainer has placed once stays there."""
    shape, rule = Shape(2, 1, 3), rule_of(batch=4)
    arguments = small(generator, shape)
    rates, seeds, params, source, sets = arguments
    wanted = train(card, shape, rule, *arguments, chunks=(0, 2))
    state, source = card.place(State.start(params)), card.place(source)
    placed = [card.place(array) for array in (rates, seeds, sets)]
    with monkeypatch.context() as patch:
        for module in (target, launch):
            patch.setattr(module, "to_host", lambda *_: pytest.fail("an array came to the host"))
        for start in (0, 1):
            card.train(
                shape, rule, placed[0], placed[1], state, source, placed[2], start, start + 1
            )
    same_bits(card.fetch(state), wanted)


def test_real_labels(card, backend, generator):
    """The squared loss of any number; where labels are no classes, nobody reads what is correct."""
    shape, rule = Shape(2, (6, 3)), rule_of("squared", batch=8)
    rates, seeds, params, source, sets = small(generator, shape)
    source = source._replace(y=generator.normal(0, 3, source.y.shape).astype(np.float32))
    both(card, backend, shape, rule, (rates, seeds, params, source, sets))


@pytest.mark.parametrize(
    "optimizer", ["adam", *(pytest.param(name, marks=pytest.mark.slow) for name in OPTIMIZERS[:2])]
)
def test_a_diverged_run_stops_while_others_go_on(card, backend, generator, optimizer):
    shape, rule = Shape(2, 1, 4), rule_of("squared", optimizer, batch=4)
    _, seeds, params, source, sets = small(generator, shape, 3)
    rates = [0.001, 1e30, 0.001]
    found, wanted = (
        train(each, shape, rule, rates, seeds, params, source, sets, (0, 2, 4))
        for each in (card, backend)
    )
    assert found.diverged.tolist() == wanted.diverged.tolist()
    assert found.diverged.tolist()[::2] == [-1, -1]
    assert 1 < found.diverged[1] < 4
    assert found.counted.tolist() == wanted.counted.tolist() == [16, 4 * found.diverged[1], 16]
    assert found.correct.tolist() == wanted.correct.tolist()
    np.testing.assert_allclose(found.params[::2], wanted.params[::2], atol=1e-5)
    healthy = train(
        card, shape, rule, rates[::2], seeds[::2], params[::2], source, sets[::2], chunks=(0, 4)
    )
    same_bits(healthy, found, others=slice(None, None, 2))


def test_where_all_margins_are_met_nothing_moves(card, backend, generator):
    """A hinge has no slope there: no row is active."""
    shape = Shape(2, 2, 5)
    rates, seeds, params, source, sets = small(generator, shape)
    params[:, -1] = 1e3
    source = source._replace(y=np.ones_like(source.y))
    state = both(
        card,
        backend,
        shape,
        rule_of("hinge", "adam", batch=8),
        (rates, seeds, params, source, sets),
        3,
    )
    np.testing.assert_array_equal(state.params, params)
    assert state.loss_sum.tolist() == [0, 0]
    assert state.correct.tolist() == [24, 24]
