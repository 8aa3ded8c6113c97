"""Training one network on the CPU: a bounded chunk of steps in one call, no allocation inside the
loop.

One step: fill the batch, forward, loss, then per layer from the readout down: gradient of the
inputs (with the old weights), gradient of the weights, optimiser. A gradient is consumed by the
optimiser while it is still in the cache. Nothing depends on how steps are cut into chunks."""

import math
from typing import NamedTuple

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.network.layers import (
    data_gradient,
    drop_inactive,
    forward,
    layer_gradient,
    part_count,
)
from fracsim.kernels.network.losses import batch_loss
from fracsim.kernels.network.shape import (
    DHIDDEN,
    GRADIENT,
    HIDDEN_SIZE,
    INPUTS,
    LABELS,
    N_IN,
    PARAMS,
    SCORES,
    SLOPE,
    M,
    V,
    copy,
    make_work,
    pack,
    unpack,
)
from fracsim.kernels.points.geometry import Geometry, Law
from fracsim.kernels.points.line import Line
from fracsim.kernels.points.sample import sample_kernel
from fracsim.kernels.random.feistel import epoch_key, halves, permute_bits
from fracsim.kernels.random.philox import STREAM
from fracsim.kernels.training.optimisers import (
    ADAM,
    MOMENTUM,
    TINY,
    adam_step,
    learning_rate_at,
    least_moment,
    momentum_step,
    needs_scaling,
    scaled_adam_step,
)
from fracsim.kernels.training.population import loss_and_gradient


class Rule(NamedTuple):
    """How a network is trained; the codes are positions in LOSSES, OPTIMIZERS and SCHEDULES.

    ``period`` counts steps: between two decays by the factor ``decay`` (step), or of the whole
    descent (cosine)."""

    loss: int
    optimizer: int
    schedule: int
    batch: int
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    decay: float = 0.1
    period: int = 1


class State(NamedTuple):
    """R runs in progress; every array is modified in place by ``train``.

    params, m, v (R, Q): parameters and moments. loss_sum (R,) float64, correct (R,) int64 and
    counted (R,) int64: sums over the samples trained on since the caller last zeroed them. diverged
    (R,) int64: the step whose loss was not finite, else -1; such a run stands still."""

    params: np.ndarray
    m: np.ndarray
    v: np.ndarray
    loss_sum: np.ndarray
    correct: np.ndarray
    counted: np.ndarray
    diverged: np.ndarray

    @classmethod
    def start(cls, params: np.ndarray) -> "State":
        """State before the first step, from initial parameters (R, Q), which are copied."""
        runs = len(params)
        return cls(
            params.copy(),
            np.zeros_like(params),
            np.zeros_like(params),
            np.zeros(runs),
            np.zeros(runs, np.int64),
            np.zeros(runs, np.int64),
            np.full(runs, -1, np.int64),
        )


class Dataset(NamedTuple):
    """Training sets drawn once: x (sets, N, d) and labels y = ±1 (sets, N), in the parameters'
    float type."""

    x: np.ndarray
    y: np.ndarray


class Images(NamedTuple):
    """Training sets of images, of which each step sees a part, perhaps the other way round.

    x (sets, N, height · width · channels) and y (sets, N), numbers of classes, in the parameters'
    float type; ``size`` (2,) int64: height and width. A convolutional network sees as much as its
    own image is, at a place drawn anew each time; ``flip`` (1,) int64: 1 where columns are reversed
    half of the times."""

    x: np.ndarray
    y: np.ndarray
    size: np.ndarray
    flip: np.ndarray


class Stream(NamedTuple):
    """Fresh samples in every step, drawn inside the kernel."""

    geometry: Geometry
    law: Law


class Population(NamedTuple):
    """The whole distribution in every step: exact loss and gradient, in d = 1."""

    line: Line


WHOLE = 2**30
"""A step on the whole distribution counts as so many samples: its accuracy is stored as a number of
them."""


@formula
def step_factors(rule, learning_rate, step):
    """(factor of the update, factor of √v) at ``step`` = 1, 2, …: the schedule and Adam's bias
    corrections."""
    rate = learning_rate_at(rule.schedule, learning_rate, step, rule.period, rule.decay)
    if rule.optimizer == ADAM:
        return rate / (1.0 - rule.beta1**step), 1.0 / math.sqrt(1.0 - rule.beta2**step)
    return rate, 1.0


@kernel
def fill_factors(rule, start, factors):
    """factors (2, steps) = ``step_factors`` of the steps from start + 1 on, for a learning rate of
    1."""
    for at in range(factors.shape[1]):
        factors[0, at], factors[1, at] = step_factors(rule, 1.0, start + at + 1)


@kernel
def update(rule, rate, scale, size, w, p0, m0, v0, g0):
    """One optimiser step for ``size`` parameters at p0 with moments at m0, v0 and gradient at g0,
    in place.

    ``rate`` and ``scale`` are those of ``step_factors``.
    """
    p, m, v, g = w[p0 : p0 + size], w[m0 : m0 + size], w[v0 : v0 + size], w[g0 : g0 + size]
    real = w.dtype.type
    normal = TINY[0] if w.itemsize == 4 else TINY[1]
    least, tiny = real(least_moment(rate, normal)), real(normal)
    rate, scale = real(rate), real(scale)
    if rule.optimizer == ADAM:
        beta1, beta2, epsilon = real(rule.beta1), real(rule.beta2), real(rule.epsilon)
        other1, other2 = real(1.0 - rule.beta1), real(1.0 - rule.beta2)
        if w.itemsize == 4 and needs_scaling(rule.epsilon, rule.beta2, normal):
            for q in range(size):
                p[q], m[q], v[q] = scaled_adam_step(
                    p[q], m[q], v[q], g[q], rate, beta1, other1, beta2, other2, scale, epsilon
                )
            return
        for q in range(size):
            p[q], m[q], v[q] = adam_step(
                p[q],
                m[q],
                v[q],
                g[q],
                rate,
                beta1,
                other1,
                beta2,
                other2,
                scale,
                epsilon,
                least,
                tiny,
            )
    elif rule.optimizer == MOMENTUM:
        friction = real(rule.momentum)
        for q in range(size):
            p[q], m[q] = momentum_step(p[q], m[q], g[q], rate, friction, least)
    else:
        for q in range(size):
            p[q] -= rate * g[q]


@formula
def gather(x, y, step, batch, seed, order, outside, w, inputs, labels):
    """Copy the batch of ``step`` = 1, 2, … out of a data set x (N, d), y (N,), in its epoch's
    order, to inputs and labels.

    A batch that would cross the end of an epoch is dropped. order and outside (B,) uint32 are work
    arrays."""
    count, d = x.shape
    per_epoch = count // batch
    epoch = (step - 1) // per_epoch
    first = ((step - 1) - epoch * per_epoch) * batch
    key = epoch_key(seed, epoch)
    low_bits, high_mask, low_mask = halves(count)
    left = 0
    for b in range(batch):  # free of branches, so that LLVM vectorises it
        order[b] = permute_bits(np.uint32(first + b), low_bits, high_mask, low_mask, key)
    for b in range(batch):
        outside[left] = b
        left += order[b] >= count
    while (
        left > 0
    ):  # cycle walking, as in ``feistel.shuffled``, of all that are still outside 0..N-1
        still = 0
        for i in range(left):
            b = outside[i]
            order[b] = permute_bits(order[b], low_bits, high_mask, low_mask, key)
            outside[still] = b
            still += order[b] >= count
        left = still
    for b in range(batch):
        index = order[b]
        w[labels + b] = y[index]
        for i in range(d):
            w[inputs + b * d + i] = x[index, i]


@kernel
def descend(plan, places, w, rule, learning_rate, step, rows):
    """One step on the batch in the work array: (sum of losses, correct) under the old parameters;
    updates PARAMS, M, V.

    Overwrites rows (B,), int64. Stops before the update where the loss is not finite.
    """
    batch = rule.batch
    forward(plan, places, w, batch)
    total, correct = batch_loss(
        rule.loss, batch, batch, w, places[SCORES], places[LABELS], places[SLOPE]
    )
    if not math.isfinite(total):
        return total, correct
    active = drop_inactive(plan, places, w, batch, rows)
    rate, scale = step_factors(rule, learning_rate, step)
    dout, dinput = places[SLOPE], places[DHIDDEN]
    other = dinput + places[HIDDEN_SIZE]
    for layer in range(plan.shape[0] - 1, -1, -1):
        if layer > 0:
            data_gradient(plan, places, w, layer, active, dout, dinput)
        for part in range(part_count(plan, layer)):
            start, size = layer_gradient(plan, places, w, layer, part, active, dout)
            update(
                rule,
                rate,
                scale,
                size,
                w,
                places[PARAMS] + start,
                places[M] + start,
                places[V] + start,
                places[GRADIENT],
            )
        dout, dinput, other = dinput, other, dinput
    return total, correct


@formula
def begin(plan, places, state, run):
    """Work array of a run, from its state."""
    w = make_work(places, state.params[run])
    pack(plan, state.params[run], w, places[PARAMS])
    pack(plan, state.m[run], w, places[M])
    pack(plan, state.v[run], w, places[V])
    return w


@formula
def keep_count(state, run, step, batch, total, correct):
    """Add a step's sums to the state; False where its loss was not finite, and the run has
    diverged."""
    state.loss_sum[run] += total
    state.correct[run] += correct
    state.counted[run] += batch
    if math.isfinite(total):
        return True
    state.diverged[run] = step
    return False


@formula
def finish(plan, places, w, state, run):
    """Copy the parameters and moments of a run back into its state."""
    unpack(plan, w, places[PARAMS], state.params[run])
    unpack(plan, w, places[M], state.m[run])
    unpack(plan, w, places[V], state.v[run])


@kernel
def train_on_dataset(plan, places, rule, learning_rate, seed, state, run, x, y, start, stop):
    """Steps start+1 … stop of one run on a data set x (N, d), y (N,); modifies ``state`` in
    place."""
    w = begin(plan, places, state, run)
    order, outside = np.zeros(rule.batch, np.uint32), np.zeros(rule.batch, np.uint32)
    rows = np.zeros(rule.batch, np.int64)
    for step in range(start + 1, stop + 1):
        gather(x, y, step, rule.batch, seed, order, outside, w, places[INPUTS], places[LABELS])
        total, correct = descend(plan, places, w, rule, learning_rate, step, rows)
        if not keep_count(state, run, step, rule.batch, total, correct):
            break
    finish(plan, places, w, state, run)


@kernel
def train_on_stream(
    plan, places, rule, learning_rate, seed, state, run, geometry, law, start, stop
):
    """Steps start+1 … stop of one run on fresh samples: number (step - 1) · B … of the seed's
    STREAM."""
    w = begin(plan, places, state, run)
    points, levels = np.zeros((rule.batch, plan[0, N_IN])), np.zeros(rule.batch, np.int16)
    rows = np.zeros(rule.batch, np.int64)
    for step in range(start + 1, stop + 1):
        sample_kernel(
            geometry, law, seed, STREAM, np.uint64((step - 1) * rule.batch), points, levels, True
        )
        for b in range(rule.batch):
            w[places[LABELS] + b] = 1 if levels[b] == law.fractal_depth else -1
            for i in range(points.shape[1]):
                w[places[INPUTS] + b * points.shape[1] + i] = points[b, i]
        total, correct = descend(plan, places, w, rule, learning_rate, step, rows)
        if not keep_count(state, run, step, rule.batch, total, correct):
            break
    finish(plan, places, w, state, run)


@kernel
def train_on_population(layout, rule, learning_rate, state, run, line, start, stop):
    """Steps start+1 … stop of one run on the exact hinge loss; float64 gradients, rounded to the
    parameters' type. ``layout``: a ``flat_layout``, or the plan."""
    count = state.params.shape[1]
    w = np.zeros(4 * count, state.params.dtype)
    copy(state.params[run], 0, w, 0, count)
    copy(state.m[run], 0, w, count, count)
    copy(state.v[run], 0, w, 2 * count, count)
    params, dparams = np.zeros(count), np.zeros(count)
    for step in range(start + 1, stop + 1):
        copy(w, 0, params, 0, count)
        loss, accuracy = loss_and_gradient(layout, params, line, True, dparams)
        correct = np.int64(np.rint(accuracy * WHOLE)) if math.isfinite(loss) else 0
        if not keep_count(state, run, step, WHOLE, loss * WHOLE, correct):
            break
        copy(dparams, 0, w, 3 * count, count)
        rate, scale = step_factors(rule, learning_rate, step)
        update(rule, rate, scale, count, w, 0, count, 2 * count, 3 * count)
    copy(w, 0, state.params[run], 0, count)
    copy(w, count, state.m[run], 0, count)
    copy(w, 2 * count, state.v[run], 0, count)
