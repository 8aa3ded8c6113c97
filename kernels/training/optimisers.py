"""Optimiser steps for one parameter, and the learning-rate schedules.

    sgd        p ← p - η g momentum   m ← μ m + g,  p ← p - η m adam       Kingma and Ba, Algorithm
    1 (arXiv 1412.6980): m ← β₁ m + (1-β₁) g, v ← β₂ v + (1-β₂) g²,
               p ← p - η m̂ / (√v̂ + ε) with m̂ = m / (1-β₁ᵗ), v̂ = v / (1-β₂ᵗ)

Moments of a unit that is never active again decay for ever; below 1e-30 they are set to 0, since
denormal numbers slow x86 cores a hundredfold. A parameter feels such a moment by less than 1e-22 η.
"""

import math

from fracsim.kernels.jit import formula

OPTIMIZERS = ("sgd", "momentum", "adam")
SCHEDULES = ("constant", "step", "cosine")
"""Names; the position is the code a kernel takes."""

SGD, MOMENTUM, ADAM = range(3)
CONSTANT, STEP, COSINE = range(3)
NEGLIGIBLE = 1e-30


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
def keep_normal(moment, negligible):
    """``moment``, or 0 where it is too small to matter."""
    return moment if abs(moment) > negligible else moment - moment


@formula
def momentum_step(p, m, g, rate, momentum, negligible):
    """New (p, m)."""
    m = keep_normal(momentum * m + g, negligible)
    return p - rate * m, m


@formula
def adam_step(
    p, m, v, g, rate, beta1, one_minus_beta1, beta2, one_minus_beta2, scale, epsilon, negligible
):
    """New (p, m, v); ``rate`` = η / (1-β₁ᵗ) and ``scale`` = 1 / √(1-β₂ᵗ) carry the bias corrections
    of step t."""
    m = keep_normal(beta1 * m + one_minus_beta1 * g, negligible)
    v = keep_normal(beta2 * v + one_minus_beta2 * (g * g), negligible)
    return p - rate * m / (math.sqrt(v) * scale + epsilon), m, v
