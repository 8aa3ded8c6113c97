"""Training one network on the CPU: a bounded chunk of steps in one call, no allocation inside the loop.

One step: fill the batch, forward, loss, then per layer from the readout down: gradient of the inputs (with the old
weights), gradient of the weights, optimiser, refreshed transpose. The gradient of a layer is consumed by the optimiser
while it is still in the cache. Nothing depends on how steps are cut into chunks.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from fracsim.kernels.feistel import epoch_key, halves, permute_bits
from fracsim.kernels.geometry import Geometry, Law
from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.layers import make_layers
from fracsim.kernels.losses import batch_loss
from fracsim.kernels.network import (
    DHIDDEN,
    GRADIENT,
    HIDDEN_SIZE,
    INPUTS,
    LABELS,
    N_IN,
    PARAMS,
    SCORES,
    SIZE,
    SLOPE,
    START,
    M,
    V,
    make_work,
    pack,
    unpack,
)
from fracsim.kernels.optimisers import ADAM, MOMENTUM, NEGLIGIBLE, adam_step, learning_rate_at, momentum_step
from fracsim.kernels.philox import STREAM
from fracsim.kernels.sample import sample_kernel


class Rule(NamedTuple):
    """How a network is trained; the codes are positions in LOSSES, OPTIMIZERS and SCHEDULES.

    ``period`` counts steps: between two decays by the factor ``decay`` (step), or of the whole descent (cosine).
    """

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

    params, m, v (R, Q): parameters and moments. loss_sum (R,) float64, correct (R,) int64 and counted (R,) int64: sums
    over the samples trained on since the caller last zeroed them. diverged (R,) int64: the step whose loss was not
    finite, else -1; such a run stands still.
    """

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
            params.copy(), np.zeros_like(params), np.zeros_like(params), np.zeros(runs), np.zeros(runs, np.int64),
            np.zeros(runs, np.int64), np.full(runs, -1, np.int64),
        )  # fmt: skip


class Dataset(NamedTuple):
    """Training sets drawn once: x (sets, N, d) and labels y = ±1 (sets, N), in the parameters' float type."""

    x: np.ndarray
    y: np.ndarray


class Stream(NamedTuple):
    """Fresh samples in every step, drawn inside the kernel."""

    geometry: Geometry
    law: Law


@formula
def step_factors(rule, learning_rate, step):
    """(factor of the update, factor of √v) at ``step`` = 1, 2, …: the schedule and Adam's bias corrections."""
    rate = learning_rate_at(rule.schedule, learning_rate, step, rule.period, rule.decay)
    if rule.optimizer == ADAM:
        return rate / (1.0 - rule.beta1**step), 1.0 / math.sqrt(1.0 - rule.beta2**step)
    return rate, 1.0


@kernel
def update(rule, rate, scale, size, w, p0, m0, v0, g0):
    """One optimiser step for ``size`` parameters at p0 with moments at m0, v0 and gradient at g0, in place.

    ``rate`` and ``scale`` are those of ``step_factors``.
    """
    p, m, v, g = w[p0 : p0 + size], w[m0 : m0 + size], w[v0 : v0 + size], w[g0 : g0 + size]
    real = w.dtype.type
    rate, scale, negligible = real(rate), real(scale), real(NEGLIGIBLE)
    if rule.optimizer == ADAM:
        beta1, beta2, epsilon = real(rule.beta1), real(rule.beta2), real(rule.epsilon)
        other1, other2 = real(1.0 - rule.beta1), real(1.0 - rule.beta2)
        for q in range(size):
            p[q], m[q], v[q] = adam_step(
                p[q], m[q], v[q], g[q], rate, beta1, other1, beta2, other2, scale, epsilon, negligible
            )
    elif rule.optimizer == MOMENTUM:
        friction = real(rule.momentum)
        for q in range(size):
            p[q], m[q] = momentum_step(p[q], m[q], g[q], rate, friction, negligible)
    else:
        for q in range(size):
            p[q] -= rate * g[q]


class Aid(NamedTuple):
    """What filling a batch needs: the order of its samples (B,) uint32, or their points (B, d) float64 and levels (B,)."""

    order: np.ndarray
    points: np.ndarray
    levels: np.ndarray


@formula
def gather(source, chosen, step, batch, seed, aid, w, inputs, labels):
    """Copy the batch of ``step`` (counted from 1) out of data set ``chosen`` in its epoch's order to inputs and labels."""
    x, y = source.x[chosen], source.y[chosen]
    count, d = x.shape
    per_epoch = count // batch
    epoch = (step - 1) // per_epoch
    first = ((step - 1) - epoch * per_epoch) * batch
    key = epoch_key(seed, epoch)
    low_bits, high_mask, low_mask = halves(count)
    order = aid.order
    for b in range(batch):  # branch-free, so that LLVM vectorises it; the few outside 0..N-1 walk on below
        order[b] = permute_bits(np.uint32(first + b), low_bits, high_mask, low_mask, key)
    for b in range(batch):
        index = order[b]
        while index >= count:
            index = permute_bits(index, low_bits, high_mask, low_mask, key)
        w[labels + b] = y[index]
        for i in range(d):
            w[inputs + b * d + i] = x[index, i]


@formula
def draw(source, chosen, step, batch, seed, aid, w, inputs, labels):
    """Draw samples (step - 1) · batch … of the seed's STREAM to inputs and labels."""
    sample_kernel(source.geometry, source.law, seed, STREAM, np.uint64((step - 1) * batch), aid.points, aid.levels)
    d = aid.points.shape[1]
    for b in range(batch):
        w[labels + b] = 1 if aid.levels[b] == source.law.fractal_depth else -1
        for i in range(d):
            w[inputs + b * d + i] = aid.points[b, i]


@functools.cache
def make_descend(lanes):
    """Kernel of one training step on the batch in the work array."""
    layers = make_layers(lanes)
    forward, layer_gradient = layers.forward, layers.layer_gradient
    data_gradient, transpose = layers.data_gradient, layers.transpose

    @kernel
    def descend(plan, places, w, rule, rate, scale):
        """(sum of losses, correct) of the batch under the old parameters; updates PARAMS, M, V and TRANSPOSED.

        Stops before the update where the loss is not finite.
        """
        batch = rule.batch
        forward(plan, places, w, batch)
        total, correct = batch_loss(rule.loss, batch, batch, lanes, w, places[SCORES], places[LABELS], places[SLOPE])
        if not math.isfinite(total):
            return total, correct
        dout, dinput = places[SLOPE], places[DHIDDEN]
        other = dinput + places[HIDDEN_SIZE]
        for layer in range(plan.shape[0] - 1, -1, -1):
            if layer > 0:
                data_gradient(plan, places, w, layer, batch, dout, dinput)
            layer_gradient(plan, places, w, layer, batch, dout)
            update(rule, rate, scale, plan[layer, SIZE], w, places[PARAMS] + plan[layer, START],
                   places[M] + plan[layer, START], places[V] + plan[layer, START], places[GRADIENT])  # fmt: skip
            transpose(plan, places, w, layer)
            dout, dinput, other = dinput, other, dinput
        return total, correct

    return descend


@functools.cache
def make_train(lanes, stream):
    """Kernel that trains one run through steps start+1..stop on a Dataset, or (``stream``) on a Stream."""
    transpose, descend = make_layers(lanes).transpose, make_descend(lanes)
    fill = draw if stream else gather

    @kernel
    def train(plan, places, rule, learning_rate, seed, state, run, source, chosen, start, stop):
        w = make_work(places, state.params)
        pack(plan, state.params[run], w, places[PARAMS])
        pack(plan, state.m[run], w, places[M])
        pack(plan, state.v[run], w, places[V])
        for layer in range(plan.shape[0]):
            transpose(plan, places, w, layer)
        batch = rule.batch
        aid = Aid(np.zeros(batch, np.uint32), np.zeros((batch, plan[0, N_IN])), np.zeros(batch, np.int16))
        loss_sum, correct, counted = state.loss_sum[run], state.correct[run], state.counted[run]
        for step in range(start + 1, stop + 1):
            fill(source, chosen, step, batch, seed, aid, w, places[INPUTS], places[LABELS])
            rate, scale = step_factors(rule, learning_rate, step)
            total, right = descend(plan, places, w, rule, rate, scale)
            loss_sum += total
            correct += right
            counted += batch
            if not math.isfinite(total):
                state.diverged[run] = step
                break
        state.loss_sum[run], state.correct[run], state.counted[run] = loss_sum, correct, counted
        unpack(plan, w, places[PARAMS], state.params[run])
        unpack(plan, w, places[M], state.m[run])
        unpack(plan, w, places[V], state.v[run])

    return train
