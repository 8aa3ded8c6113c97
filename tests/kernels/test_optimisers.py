"""Optimisers and schedules against closed forms, through the training verb on one linear unit f = w
x + b."""

import numpy as np
import pytest

from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.training.optimisers import OPTIMIZERS, SCHEDULES
from fracsim.kernels.training.train import Dataset, Rule, State

LINEAR = Shape(1, 0, 1)


def rule_of(loss, optimizer, schedule="constant", **numbers):
    return Rule(
        LOSSES.index(loss),
        OPTIMIZERS.index(optimizer),
        SCHEDULES.index(schedule),
        batch=1,
        **numbers,
    )


def train(backend, rule, rate, state, source, start, stop):
    seeds, sets = np.zeros(1, np.uint64), np.zeros(1, np.int64)
    backend.train(LINEAR, rule, np.array([rate]), seeds, state, source, sets, start, stop)


def path(backend, rule, rate, start, x=0.0, y=1.0, steps=12, dtype=np.float64):
    """(w, b) after 0, 1, …, steps steps on the one sample (x, y): (steps + 1, 2)."""
    state = State.start(np.array([start], dtype))
    source = Dataset(np.full((1, 1, 1), x, dtype), np.full((1, 1), y, dtype))
    points = [state.params[0].copy()]
    for step in range(steps):
        train(backend, rule, rate, state, source, step, step + 1)
        points.append(state.params[0].copy())
    return np.array(points)


def test_sgd_contracts_a_parabola_geometrically(backend):
    b = path(backend, rule_of("squared", "sgd"), 0.1, (0.0, 3.0))[:, 1]
    np.testing.assert_allclose(b, 1 + 2 * 0.9 ** np.arange(13), rtol=1e-14)


def test_sgd_follows_the_gradient_of_weight_and_bias(backend):
    # the error f - y contracts by 1 - rate (1 + x²) a step; w moves x times as far as b
    points = path(backend, rule_of("squared", "sgd"), 0.1, (0.5, 3.0), x=2.0)
    error = (0.5 * 2 + 3 - 1) * 0.5 ** np.arange(13)
    np.testing.assert_allclose(points @ [2, 1] - 1, error, rtol=1e-12)
    np.testing.assert_allclose(np.diff(points[:, 0]), 2 * np.diff(points[:, 1]), rtol=1e-12)


def test_momentum_follows_its_linear_recursion(backend):
    # (error, m) -> m' = μ m + error, error' = error - η m': a 2 × 2 matrix power
    mu, rate = 0.8, 0.3
    matrix = np.array([[1 - rate, -rate * mu], [1, mu]])
    expected = [(np.linalg.matrix_power(matrix, t) @ [2.0, 0.0])[0] for t in range(13)]
    b = path(backend, rule_of("squared", "momentum", momentum=mu), rate, (0.0, 3.0))[:, 1]
    np.testing.assert_allclose(b - 1, expected, rtol=1e-12, atol=1e-14)


def test_momentum_under_a_constant_force(backend):
    # hinge far inside: d loss / d b = -1; the speed after t steps is Σ_{s<t} μ^s
    b = path(backend, rule_of("hinge", "momentum", momentum=0.5), 0.01, (0.0, -9.0))[:, 1]
    speed = (1 - 0.5 ** np.arange(1, 13)) / 0.5
    np.testing.assert_allclose(b, -9 + 0.01 * np.append(0, np.cumsum(speed)), rtol=1e-13)


def test_adam_under_a_constant_force_moves_by_its_rate(backend):
    # m̂ = g and v̂ = g² exactly at every step, thanks to the bias corrections
    x, epsilon = 0.25, 0.125
    points = path(backend, rule_of("hinge", "adam", epsilon=epsilon), 0.01, (0.0, -9.0), x=x)
    t = np.arange(13)
    np.testing.assert_allclose(points[:, 0], 0.01 * t * x / (x + epsilon), rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(points[:, 1], -9 + 0.01 * t / (1 + epsilon), rtol=1e-12)


def test_adam_without_memory_takes_steps_of_the_rate_by_sign(backend):
    rule = rule_of("squared", "adam", beta1=0.0, beta2=0.0, epsilon=1e-12)
    b = path(backend, rule, 0.5, (0.0, 2.75), steps=6)[:, 1]
    np.testing.assert_allclose(b, [2.75, 2.25, 1.75, 1.25, 0.75, 1.25, 0.75], rtol=1e-10)


def test_adam_second_step_by_hand(backend):
    # Kingma and Ba, Algorithm 1, written out for the gradients 2 and then 2 - rate'
    rule = rule_of("squared", "adam", beta1=0.6, beta2=0.7, epsilon=0.01)
    b = path(backend, rule, 0.5, (0.0, 3.0), steps=2)[:, 1]
    first = 3 - 0.5 * 2 / (2 + 0.01)
    g = first - 1
    m, v = 0.6 * 0.4 * 2 + 0.4 * g, 0.7 * 0.3 * 4 + 0.3 * g * g
    second = first - 0.5 * (m / (1 - 0.36)) / (np.sqrt(v / (1 - 0.49)) + 0.01)
    np.testing.assert_allclose(b, [3, first, second], rtol=1e-13)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_float32_follows_float64(backend, optimizer):
    rule = rule_of("squared", optimizer)
    single = path(backend, rule, 0.05, (0.5, 3.0), x=0.7, dtype=np.float32)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, path(backend, rule, 0.05, (0.5, 3.0), x=0.7), rtol=1e-5)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", np.ones(12)),
        ("step", 0.1 ** np.repeat([0, 1, 2], 4)),
        # half a cosine over 4 steps: rates of steps 1..4, then 0
        ("cosine", np.append((1 + np.cos(np.pi * np.arange(4) / 4)) / 2, np.zeros(8))),
    ],
)
def test_schedules_scale_the_steps(backend, schedule, expected):
    rule = rule_of("hinge", "sgd", schedule, decay=0.1, period=4)
    b = path(backend, rule, 0.01, (0.0, -9.0))[:, 1]
    np.testing.assert_allclose(np.diff(b), 0.01 * expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_apply_to_adam_and_momentum_too(backend, schedule):
    sgd = np.diff(
        path(backend, rule_of("hinge", "sgd", schedule, decay=0.5, period=3), 0.01, (0.0, -9.0))[
            :, 1
        ]
    )
    adam = rule_of("hinge", "adam", schedule, decay=0.5, period=3, epsilon=1e-12)
    np.testing.assert_allclose(
        np.diff(path(backend, adam, 0.01, (0.0, -9.0))[:, 1]), sgd, rtol=1e-6, atol=1e-14
    )
    still = rule_of("hinge", "momentum", schedule, decay=0.5, period=3, momentum=0.0)
    np.testing.assert_allclose(
        np.diff(path(backend, still, 0.01, (0.0, -9.0))[:, 1]), sgd, rtol=1e-12, atol=1e-15
    )


def test_moments_of_a_dead_unit_do_not_become_denormal(backend):
    # one step with a gradient, then none for ever: m and v must fade to 0 and not linger below
    # 1e-38 (slow on x86)
    rule = rule_of("hinge", "adam")
    state = State.start(np.array([[0.0, 0.999]], np.float32))
    source = Dataset(np.ones((1, 1, 1), np.float32), np.ones((1, 1), np.float32))
    train(backend, rule, 0.1, state, source, 0, 120_000)
    assert state.m[0, 1] == 0
    tiny = np.finfo(np.float32).tiny
    for moments in (state.m, state.v):
        assert ((moments == 0) | (np.abs(moments) >= tiny)).all()
    assert np.isfinite(state.params).all()


def adam_twin(start, gradients, rate, epsilon, beta2=0.999):
    """Algorithm 1 of Kingma and Ba in float64: the parameter after each step."""
    p, m, v, points = start, 0.0, 0.0, []
    for t, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * g, beta2 * v + (1 - beta2) * g * g
        p -= rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
        points.append(p)
    return np.array(points)


GRADIENTS = 10.0 ** np.arange(-40, 11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("epsilon", [1e-30, 1e-22, 1e-16, 1e-12, 1e-10, 1e-9, 1e-8, 1e-4, 1.0])
def test_adam_follows_a_twin_whatever_epsilon_and_gradient(backend, dtype, epsilon):
    # hinge far inside: the gradient of the weight is -x, whatever the weight
    rule, rate = rule_of("hinge", "adam", epsilon=epsilon), 2.0**-10
    gradients = GRADIENTS if backend.name == "cpu" else GRADIENTS[::5]
    state = State.start(np.tile(np.array([0.0, -1e30], dtype), (len(gradients), 1)))
    x = gradients.astype(dtype)[:, None, None]
    source = Dataset(x, np.ones((len(gradients), 1), dtype))
    points = []
    for step in range(4):
        backend.train(
            LINEAR,
            rule,
            np.full(len(gradients), rate),
            np.zeros(len(gradients), np.uint64),
            state,
            source,
            np.arange(len(gradients)),
            step,
            step + 1,
        )
        points.append(state.params[:, 0].astype(float))
    points = np.array(points).T
    twin = np.array([adam_twin(0.0, [-float(g)] * 4, rate, epsilon) for g in x[:, 0, 0]])
    assert np.abs(points[:, 0]).max() <= rate * (1 + 4 * np.finfo(dtype).eps)
    close = 20 * np.finfo(dtype).eps
    # where rate times moment is no normal number of float32 it has few digits, or is dropped
    atol = 1e-37 / min(epsilon, 1.0) if dtype == np.float32 else 0.0
    np.testing.assert_allclose(points, twin, rtol=close, atol=atol)


@pytest.mark.parametrize("epsilon", [1e-30, 1e-16, 1e-8])
def test_adam_follows_a_twin_from_large_gradients_to_small_ones_and_back(backend, epsilon):
    rule, rate = rule_of("hinge", "adam", epsilon=epsilon, beta2=0.9), 2.0**-10
    gradients = [1e3, 1e-3, *[1e-12] * 60, *[1e-25] * 200, 1e-20, 1e-14, 1e-6, 1.0]
    gradients = gradients if backend.name == "cpu" else gradients[::12]
    state = State.start(np.array([[0.0, -1e30]], np.float32))
    points = []
    for step, g in enumerate(gradients):
        source = Dataset(np.full((1, 1, 1), g, np.float32), np.ones((1, 1), np.float32))
        train(backend, rule, rate, state, source, step, step + 1)
        points.append(float(state.params[0, 0]))
    exact = [-float(np.float32(g)) for g in gradients]
    twin = adam_twin(0.0, exact, rate, epsilon, beta2=0.9)
    np.testing.assert_allclose(points, twin, rtol=1e-4)


def test_momentum_of_tiny_gradients_is_kept(backend):
    # the force is 1e-33 in float32: the least normal number is 1.2e-38
    state = State.start(np.array([[0.0, -9.0]], np.float32))
    source = Dataset(np.full((1, 1, 1), 1e-33, np.float32), np.ones((1, 1), np.float32))
    train(backend, rule_of("hinge", "momentum", momentum=0.5), 0.5, state, source, 0, 2)
    np.testing.assert_allclose(state.params[0, 0], 0.5 * (1 + 1.5) * 1e-33, rtol=1e-5)
