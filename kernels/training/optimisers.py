"""Optimiser steps for one parameter, and the learning-rate schedules.

    sgd        p ← p - η g
    momentum   m ← μ m + g,  p ← p - η m
    adam       Kingma and Ba, Algorithm 1 (arXiv 1412.6980):
               m ← β₁ m + (1-β₁) g,  v ← β₂ v + (1-β₂) g²,
               p ← p - η m̂ / (√v̂ + ε)  with  m̂ = m / (1-β₁ᵗ),  v̂ = v / (1-β₂ᵗ)

Moments of a unit that is never active again decay for ever, and denormal numbers slow x86 cores a
hundredfold. So v is set to 0 below the least normal number, and m where it, or the rate times it,
would be below that (``least_moment``).

In float32 the squares of gradients below 1e-18 are no normal numbers. They do not matter beside the
usual ε; where ε is so small that they do (``needs_scaling``), ``scaled_adam_step`` keeps a small v
times 2^150, and its sign says so. No entry ever moves by more than the rate in the first step."""

import math
from typing import Any

import numpy as np

from fracsim.kernels.jit import formula

OPTIMIZERS = ("sgd", "momentum", "adam")
SCHEDULES = ("constant", "step", "cosine")
"""Names; the position is the code a kernel takes."""

SGD, MOMENTUM, ADAM = range(3)
CONSTANT, STEP, COSINE = range(3)

TINY = (float(np.finfo(np.float32).tiny), float(np.finfo(np.float64).tiny))
"""The least normal numbers, of float32 and of float64."""

_SLOWEST = 1e-7  # a rate below it is taken for it when moments are dropped, so that it may rise
# in the narrowest type, so that the type of the moments stays
_UP: Any = np.float32(2.0**75)
_DOWN: Any = np.float32(2.0**-75)
_SMALL: Any = np.float32(2.0**-80)


@formula
def learning_rate_at(schedule, base, step, period, decay):
    """Rate of step 1, 2, …: constant; ``base · decay^⌊(step-1)/period⌋``; or half a cosine that
    ends at ``period``."""
    if schedule == STEP:
        return base * decay ** ((step - 1) // period)
    if schedule == COSINE:
        return 0.5 * base * (1.0 + math.cos(math.pi * min(step - 1, period) / period))
    return base


@formula
def least_moment(rate, tiny):
    """The least m that is a normal number, and the rate times it, too."""
    return tiny / min(1.0, max(rate, _SLOWEST))


@formula
def needs_scaling(epsilon, beta2, tiny):
    """Whether a v below ``tiny`` would be felt beside ε: √v̂ may be a 2^-26th of it, or more."""
    return epsilon < math.sqrt(tiny / (1.0 - beta2)) * 2.0**26


@formula
def keep_normal(moment, least):
    """``moment``, or 0 where it is too small to matter."""
    return moment if abs(moment) > least else moment - moment


@formula
def momentum_step(p, m, g, rate, momentum, least):
    """New (p, m); an m below ``least`` becomes 0."""
    m = keep_normal(momentum * m + g, least)
    return p - rate * m, m


@formula
def adam_step(
    p, m, v, g, rate, beta1, one_minus_beta1, beta2, one_minus_beta2, scale, epsilon, least, tiny
):
    """New (p, m, v); ``rate`` = η / (1-β₁ᵗ) and ``scale`` = 1 / √(1-β₂ᵗ) carry the bias corrections
    of step t. An m below ``least`` and a v below ``tiny`` become 0."""
    m = keep_normal(beta1 * m + one_minus_beta1 * g, least)
    v = keep_normal(beta2 * v + one_minus_beta2 * (g * g), tiny)
    return p - rate * m / (math.sqrt(v) * scale + epsilon), m, v


@formula
def scaled_adam_step(
    p, m, v, g, rate, beta1, one_minus_beta1, beta2, one_minus_beta2, scale, epsilon
):
    """``adam_step`` for an ε that is small beside what float32 can square. A v below 2^-80 is kept
    as -2^150 v."""
    m = beta1 * m + one_minus_beta1 * g
    before = v if v >= 0 else -(v * _DOWN) * _DOWN
    after = beta2 * before + one_minus_beta2 * (g * g)
    root = math.sqrt(after)
    if not after >= _SMALL:
        before, large = (v * _UP) * _UP if v >= 0 else -v, g * _UP
        after = -(beta2 * before + one_minus_beta2 * (large * large))
        root = math.sqrt(-after) * _DOWN
    return p - rate * (m / (root * scale + epsilon)), m, after
