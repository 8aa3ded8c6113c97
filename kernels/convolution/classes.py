"""Several classes: the softmax cross-entropy of a network's scores, one for each class.

    p = exp(f) / Σ exp(f),   loss = -log p[y],   d loss / d f = p - (1 where it is y)

A label y is the number of its class, from 0."""

import math

import numpy as np

from fracsim.kernels.jit import formula, kernel

CROSS_ENTROPY = 3
"""Its place in ``losses.EVERY_LOSS``."""


@formula
def largest_of(w, scores, step, classes):
    """The largest of the scores of one point, every ``step`` from ``scores`` on; NaN where one
    is."""
    best = w[scores]
    for c in range(1, classes):
        score = w[scores + c * step]
        best = score if score > best or score != score else best
    return best


@formula
def loss_of_classes(w, scores, step, classes, label):
    """(loss, whether the label's score is the largest) of one point. A tie counts as wrong."""
    best, total, own = largest_of(w, scores, step, classes), 0.0, w[scores + label * step]
    others = 0
    for c in range(classes):
        score = w[scores + c * step]
        total += math.exp(np.float64(score - best))
        others += c != label and not score < own
    return math.log(total) - np.float64(own - best), others == 0


@formula
def slopes_of_classes(w, scores, slopes, step, classes, label, count):
    """Write d (loss / count) / d scores of one point, every ``step`` from ``slopes`` on."""
    best, total = largest_of(w, scores, step, classes), 0.0
    for c in range(classes):
        total += math.exp(np.float64(w[scores + c * step] - best))
    for c in range(classes):
        share = math.exp(np.float64(w[scores + c * step] - best)) / total
        w[slopes + c * step] = (share - (c == label)) / count


@kernel
def batch_of_classes(w, scores, labels, slopes, classes, lanes, points, count):
    """(sum of losses, correct predictions) of the ``points`` first of a chunk of blocks, and the
    slopes of the mean loss over ``count`` points, 0 in lanes without a point."""
    loss, correct = 0.0, 0
    size = classes * lanes
    for b in range(-(-points // lanes) * lanes):
        place = b // lanes * size + b % lanes
        if b < points:
            label = int(w[labels + b])
            value, right = loss_of_classes(w, scores + place, lanes, classes, label)
            loss += value
            correct += right
            slopes_of_classes(w, scores + place, slopes + place, lanes, classes, label, count)
        else:
            for c in range(classes):
                w[slopes + place + c * lanes] = 0
    return loss, correct


@kernel
def summarise_classes(scores, y, group, loss_of_group, correct_of_group, count_of_group):
    """Add each point's loss, correctness and presence to its group's sums; scores (N, classes)."""
    flat, classes = scores.reshape(scores.size), scores.shape[1]
    for b in range(len(y)):
        value, right = loss_of_classes(flat, b * classes, 1, classes, int(y[b]))
        loss_of_group[group[b]] += value
        correct_of_group[group[b]] += right
        count_of_group[group[b]] += 1
