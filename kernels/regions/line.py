"""The regions of a ReLU network along a segment: its affine functions, cut where units change sign,
layer by layer.

A point of the segment from a to b is a + t (b - a), 0 ≤ t ≤ 1. On an interval of t every
preactivation is z = s t + c; where it changes sign, the interval is cut, and the parts have other
functions in the layers that follow. Each function is a sum over the active units in their order, so
equal sets of active units give equal bits.

Letters: n intervals, N segments, T layers, k units of a layer, d coordinates of the space that the
segment lies in."""

import math

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.network.shape import N_OUT, STRIDE, copy, layer_weights
from fracsim.kernels.norms import LEAST, MOST, norm_of
from fracsim.kernels.regions.affine import read_out, same_gradient
from fracsim.kernels.regions.plane import NEARNESS, ROUNDING
from fracsim.kernels.regions.rows import (
    AFTER,
    BEFORE,
    BLOCK,
    pack_rows,
    through_layer,
    weight_norms,
)


@kernel
def cut_segment(params, plan, rows, norms, w, a, b, most):
    """The intervals of one segment, for flat parameters (Q,), ``rows_plan``, ``weight_norms`` (T,
    widest k), T ≥ 1, and ``pack_rows``.

    Returns ends (n + 1,) of the intervals; crossed (n + 1, 2), the layer and unit that change sign
    there (-1, -1 at both ends of the segment); functions (n, 2), slope and offset of f in t; scales
    (n,), the size of the terms of each slope. All are empty if there are more than ``most``
    intervals."""
    inputs, layers = a.size, norms.shape[0]
    weights, biases = layer_weights(plan, params, 0)
    width = biases.size
    maps = np.empty((1, 2, width))
    maps[0, 0, :], maps[0, 1, :] = 0.0, biases
    for i in range(inputs):
        for o in range(width):
            maps[0, 0, o] += (b[i] - a[i]) * weights[i, o]
            maps[0, 1, o] += a[i] * weights[i, o]
    lengths = np.full(1, np.sqrt(np.sum(a * a) + np.sum(b * b)))
    if not LEAST <= lengths[0] <= MOST:
        lengths[0] = math.hypot(norm_of(a), norm_of(b))
    ends, crossed = np.array([0.0, 1.0]), np.full((2, 2), -1, np.int32)
    owners, active = np.zeros(1, np.int64), np.zeros((1, width), np.bool_)
    for layer in range(layers):
        if layer > 0:
            maps, lengths = enter_intervals(plan, rows, w, layer, maps, owners, active)
        _, biases = layer_weights(plan, params, layer)
        ends, crossed, owners = cut_intervals(
            layer, biases, norms[layer], maps, lengths, ends, crossed
        )
        if owners.size > most:
            break
        active = active_on_intervals(maps, owners, ends)
    n = owners.size if owners.size <= most else 0
    functions, scales = np.empty((n, 2)), np.empty(n)
    weights, bias = layer_weights(plan, params, layers)
    readout = weights.reshape(weights.size)
    for p in range(n):
        scales[p] = read_out(readout, bias[0], maps[owners[p]], active[p], functions[p])
    return ends[: n + 1], crossed[: n + 1], functions, scales


@kernel
def enter_intervals(plan, rows, w, layer, maps, owners, active):
    """Maps (n, 2, k) of a layer ≥ 1 on each interval, and the norms (n,) of what went into them,
    from the maps and the active units of the layer before."""
    n, width, units = owners.size, maps.shape[2], plan[layer, N_OUT]
    following, lengths = np.empty((n, 2, units)), np.empty(n)
    before, after, stride = rows[BEFORE], rows[AFTER], plan[layer, STRIDE]
    for first in range(0, n, BLOCK // 2):
        count = min(BLOCK // 2, n - first)
        for p in range(count):
            source, present = maps[owners[first + p]], active[first + p]
            slopes, offsets = before + 2 * p * (width + 1), before + (2 * p + 1) * (width + 1)
            for i in range(
                width
            ):  # a product, not a branch: which units are active is hard to predict
                w[slopes + i] = source[0, i] * present[i]
                w[offsets + i] = source[1, i] * present[i]
            w[slopes + width], w[offsets + width] = 0.0, 1.0
            lengths[first + p] = norm(w[slopes : slopes + width]) + norm(
                w[offsets : offsets + width]
            )
        through_layer(plan, rows, w, layer, 2 * count)
        for p in range(count):
            for c in range(2):
                row = after + (2 * p + c) * stride
                copy(w, row, following[first + p, c], 0, units)
    return following, lengths


@formula
def norm(values):
    """Euclidean norm, in four partial sums that need not wait for each other."""
    a = b = c = d = 0.0
    whole = values.size - values.size % 4
    for i in range(0, whole, 4):
        a += values[i] * values[i]
        b += values[i + 1] * values[i + 1]
        c += values[i + 2] * values[i + 2]
        d += values[i + 3] * values[i + 3]
    for i in range(whole, values.size):
        a += values[i] * values[i]
    root = math.sqrt((a + b) + (c + d))
    return root if LEAST <= root <= MOST else norm_of(values)


@kernel
def cut_intervals(layer, biases, norms, maps, lengths, ends, crossed):
    """Cut every interval where a unit changes sign: new ends, what crossed there, and the interval
    each came from."""
    n, k = lengths.size, biases.size
    places, units = np.empty(k), np.empty(k, np.int32)
    room = 2 * n + k + 1
    new_ends, new_crossed, owners = (
        np.empty(room),
        np.empty((room, 2), np.int32),
        np.empty(room, np.int64),
    )
    count = 0
    for p in range(n):
        found = crossings(maps[p], norms, biases, lengths[p], ends[p], ends[p + 1], places, units)
        if count + found + 2 > new_ends.size:
            room = 2 * (count + found + 2)
            new_ends, new_crossed, owners = (
                grown(new_ends, room),
                grown_rows(new_crossed, room),
                grown(owners, room),
            )
        new_ends[count], owners[count], new_crossed[count] = ends[p], p, crossed[p]
        count += 1
        for j in range(found):
            if places[j] - new_ends[count - 1] > NEARNESS:
                new_ends[count], owners[count] = places[j], p
                new_crossed[count, 0], new_crossed[count, 1] = layer, units[j]
                count += 1
    new_ends[count], new_crossed[count] = ends[n], crossed[n]
    return new_ends[: count + 1], new_crossed[: count + 1], owners[:count]


@kernel
def crossings(maps, norms, biases, length, low, high, places, units):
    """Sorted ``places`` strictly between two ends where ``units`` change sign; returns how many."""
    found = 0
    for o in range(biases.size):
        left, right = maps[0, o] * low + maps[1, o], maps[0, o] * high + maps[1, o]
        if (left < 0.0) == (right < 0.0):
            continue
        if min(abs(left), abs(right)) <= ROUNDING * (norms[o] * length + abs(biases[o])):
            continue
        place = low + left / (left - right) * (high - low)
        if place - low <= NEARNESS or high - place <= NEARNESS:
            continue
        j = found
        while j > 0 and places[j - 1] > place:
            places[j], units[j] = places[j - 1], units[j - 1]
            j -= 1
        places[j], units[j] = place, o
        found += 1
    return found


@kernel
def grown(values, room):
    """A longer copy of a vector; what is new is not set."""
    longer = np.empty(room, values.dtype)
    copy(values, 0, longer, 0, values.size)
    return longer


@kernel
def grown_rows(values, room):
    """A copy of a matrix with more rows; what is new is not set."""
    longer = np.empty((room, values.shape[1]), values.dtype)
    for row in range(values.shape[0]):
        copy(values[row], 0, longer[row], 0, values.shape[1])
    return longer


@kernel
def active_on_intervals(maps, owners, ends):
    """active (n, k): whether each unit is positive in the middle of each interval."""
    n, k = owners.size, maps.shape[2]
    active = np.empty((n, k), np.bool_)
    for p in range(n):
        middle = (ends[p] + ends[p + 1]) / 2
        source = maps[owners[p]]
        for o in range(k):
            active[p, o] = source[0, o] * middle + source[1, o] > 0.0
    return active


@kernel
def number_pieces(functions, scales, pieces):
    """pieces (n,) = number of the linear piece of each interval: neighbours of one slope are one;
    returns how many."""
    count = 0
    for p in range(functions.shape[0]):
        if p > 0 and not same_gradient(
            functions[p], functions[p - 1], max(scales[p], scales[p - 1])
        ):
            count += 1
        pieces[p] = count
    return count + 1


@kernel
def count_on_segments(params, plan, rows, starts, stops, most, counts):
    """counts (N, 2) = activation regions and linear pieces on each of the segments from ``starts``
    to ``stops`` (N, d). ``plan`` and ``rows``: ``rows_plan`` of a network of T ≥ 1 hidden layers.

    A segment with more than ``most`` regions is counted as 0, 0.
    """
    norms, w = weight_norms(plan, params), pack_rows(plan, rows, params)
    for segment in range(starts.shape[0]):
        _, _, functions, scales = cut_segment(
            params, plan, rows, norms, w, starts[segment], stops[segment], most
        )
        counts[segment, 0] = functions.shape[0]
        counts[segment, 1] = (
            number_pieces(functions, scales, np.empty(scales.size, np.int64)) if scales.size else 0
        )
