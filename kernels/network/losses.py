"""Losses of a network's score f, and their derivative in f.

hinge      [1 - y f]_+                 y = ±1; the paper's; 0 is taken as the derivative at the kink
logistic   log(1 + exp(-y f))          y = ±1
squared    (f - y)² / 2                any y
"""

import math

import numpy as np

from fracsim.kernels.jit import formula
from fracsim.kernels.vectors import VECTOR_BYTES

LOSSES = ("hinge", "logistic", "squared")
"""Names; the position is the code a kernel takes."""

EVERY_LOSS = (*LOSSES, "cross-entropy")
"""The same, and that of networks with an output for each of several classes, whose kernels are
those of ``kernels.convolution``."""

HINGE, LOGISTIC, SQUARED = range(3)

_TWO = np.float32(2)  # in the narrowest type, so that the type of the score stays


@formula
def loss_and_slope(code, score, label):
    """Loss and d loss / d score of one sample; the type of ``score`` decides the arithmetic. A NaN
    score gives NaN."""
    one = label * label  # in the type of the label
    if code == HINGE:
        margin = one - label * score
        met = margin <= 0
        return (one - one if met else margin), (one - one if met else -label)
    if code == LOGISTIC:
        z = label * score
        decay = math.exp(-abs(z))
        slope = one / (one + decay) if z < 0 else decay / (one + decay)
        excess = -z if z < 0 else one - one
        return excess + math.log1p(decay), -label * slope
    error = score - label
    return error * error / _TWO, error


@formula
def batch_loss(loss, batch, count, w, scores, labels, slope):
    """(sum of losses, correct predictions) of a batch; writes d (sum of losses / count) / d score
    into column 0 at ``slope``."""
    lanes = VECTOR_BYTES // w.itemsize
    total = 0.0
    correct = 0
    for b in range(batch):
        score, label = w[scores + b * lanes], w[labels + b]
        value, derivative = loss_and_slope(loss, score, label)
        w[slope + b * lanes] = derivative / w.dtype.type(count)
        total += value
        correct += score * label > 0
    return total, correct
