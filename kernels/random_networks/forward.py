"""A forward pass that keeps every layer, in float64, for any of the four activations; and the
length of a curve as it goes from layer to layer.

A curve is a list of vertices; vertex i and i + 1 are joined where both belong to the same piece.
Rows go through a layer in blocks of ``regions_rows.BLOCK``, by the tile kernels: the terms of a sum
are added in the order of the units, wherever a row stands."""

import math

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.network.shape import N_IN, N_OUT, STRIDE, Shape, copy
from fracsim.kernels.norms import LEAST, MOST, norm_of
from fracsim.kernels.random_networks.activations import activation
from fracsim.kernels.regions.rows import AFTER, BEFORE, BLOCK, pack_rows, rows_plan, through_layer

CHORDS = BLOCK - 2
"""Chords of a block in ``chord_lengths``; even, so that every other vertex of one block is one of
the next."""


def every_layer(shape: Shape, params, code: int, x, *, z: bool = False) -> list[np.ndarray]:
    """Activations (N, n_l), or preactivations with ``z``, of all hidden layers at points x
    (N, n_0)."""
    found: list[np.ndarray] = []
    h = np.ascontiguousarray(x, np.float64)
    if not shape.depth:
        return found
    plan, rows = rows_plan(shape)
    work = pack_rows(plan, rows, np.ascontiguousarray(params, np.float64))
    for layer, width in enumerate(shape.widths):
        before = np.empty((len(h), width))
        layer_forward(plan, rows, work, layer, h, before)
        h = np.empty_like(before)
        activate(code, before, h)
        found.append(before if z else h)
    return found


@kernel
def layer_forward(plan, rows, w, layer, h, z):
    """z (N, n_out) = preactivations of a layer at rows h (N, n_in)."""
    n_in, n_out, stride = plan[layer, N_IN], plan[layer, N_OUT], plan[layer, STRIDE]
    for first in range(0, h.shape[0], BLOCK):
        count = min(BLOCK, h.shape[0] - first)
        for p in range(count):
            row = rows[BEFORE] + p * (n_in + 1)
            copy(h[first + p], 0, w, row, n_in)
            w[row + n_in] = 1.0
        through_layer(plan, rows, w, layer, count)
        for p in range(count):
            row = rows[AFTER] + p * stride
            copy(w, row, z[first + p], 0, n_out)


@kernel
def activate(code, z, h):
    """h = f(z), elementwise, of matrices (N, k)."""
    for p in range(z.shape[0]):
        for o in range(z.shape[1]):
            h[p, o] = activation(code, z[p, o])


@kernel
def chord_lengths(plan, rows, w, code, x, lengths):
    """Add up the chords of one piece x (N, n_0), layer by layer; vertices are not kept.

    lengths (T, 3): [layer, chords of z, of activations, of activations at every other vertex]. N
    must be odd where the last are wanted. Overwrites the rows of the work array."""
    layers = lengths.shape[0]
    for first in range(0, x.shape[0] - 1, CHORDS):
        count = min(CHORDS + 1, x.shape[0] - first)
        for p in range(count):
            row, n_in = rows[BEFORE] + p * (plan[0, N_IN] + 1), plan[0, N_IN]
            copy(x[first + p], 0, w, row, n_in)
            w[row + n_in] = 1.0
        for layer in range(layers):
            through_layer(plan, rows, w, layer, count)
            n_out, stride = plan[layer, N_OUT], plan[layer, STRIDE]
            lengths[layer, 0] += chords_between(w, rows[AFTER], stride, n_out, count, 1)
            for p in range(count):
                source, target = rows[AFTER] + p * stride, rows[BEFORE] + p * (n_out + 1)
                z, h = w[source : source + n_out], w[target : target + n_out]
                for o in range(n_out):
                    h[o] = activation(code, z[o])
                w[target + n_out] = 1.0
            lengths[layer, 1] += chords_between(w, rows[BEFORE], n_out + 1, n_out, count, 1)
            lengths[layer, 2] += chords_between(w, rows[BEFORE], n_out + 1, n_out, count, 2)


@kernel
def chords_between(w, place, stride, width, count, every):
    """Σ of the chords between every ``every``-th of the ``count`` rows at ``place``."""
    total = 0.0
    for p in range(0, count - every, every):
        total += distance(w, place + p * stride, place + (p + every) * stride, width)
    return total


@formula
def distance(w, a, b, width):
    """Euclidean distance of two rows, in eight partial sums that need not wait for each other.

    Rows are slices, whose indices are seen to be in range: the compiler then takes whole vectors of
    them."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    x, y = w[a : a + width], w[b : b + width]
    whole = width - width % 8
    for i in range(0, whole, 8):
        d0, d1 = x[i] - y[i], x[i + 1] - y[i + 1]
        d2, d3 = x[i + 2] - y[i + 2], x[i + 3] - y[i + 3]
        d4, d5 = x[i + 4] - y[i + 4], x[i + 5] - y[i + 5]
        d6, d7 = x[i + 6] - y[i + 6], x[i + 7] - y[i + 7]
        s0, s1, s2, s3 = s0 + d0 * d0, s1 + d1 * d1, s2 + d2 * d2, s3 + d3 * d3
        s4, s5, s6, s7 = s4 + d4 * d4, s5 + d5 * d5, s6 + d6 * d6, s7 + d7 * d7
    for i in range(whole, width):
        s0 += (x[i] - y[i]) ** 2
    root = math.sqrt(((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)))
    if LEAST <= root <= MOST:
        return root
    return norm_of(x - y)


@kernel
def path_length(values, piece):
    """Σ |values[i + 1] - values[i]| over joined vertices; values (N, k), piece (N,)."""
    total, flat, k = 0.0, values.reshape(values.size), values.shape[1]
    for i in range(values.shape[0] - 1):
        if piece[i] == piece[i + 1]:
            total += distance(flat, i * k, (i + 1) * k, k)
    return total


@kernel
def count_kinks(z, piece, kinks, counts):
    """counts[i] (N,) = vertices that ``insert_kinks`` puts behind vertex i of z (N, k)."""
    places = np.empty(z.shape[1] * kinks.size)
    for i in range(z.shape[0]):
        joined = i + 1 < z.shape[0] and piece[i] == piece[i + 1]
        counts[i] = kinks_between(z[i], z[i + 1], kinks, places) if joined else 0


@kernel
def insert_kinks(z, piece, kinks, counts, new, owner):
    """Vertices where any unit passes a kink, put between those that there are: new z (N', k), and
    owner (N',), their pieces; N' = N + Σ counts. z is linear between joined vertices."""
    n, k = z.shape
    places, at = np.empty(k * kinks.size), 0
    for i in range(n):
        copy(z[i], 0, new[at], 0, k)
        owner[at] = piece[i]
        at += 1
        if counts[i] == 0:
            continue
        found = kinks_between(z[i], z[i + 1], kinks, places)
        inside = np.sort(places[:found])
        for j in range(found):
            t = inside[j]
            for o in range(k):
                new[at, o] = z[i, o] + t * (z[i + 1, o] - z[i, o])
            owner[at] = piece[i]
            at += 1


@formula
def kinks_between(a, b, kinks, places):
    """Shares t of the way from a to b (k,) at which a unit passes a kink; returns how many."""
    found = 0
    for o in range(a.size):
        for kink in kinks:
            if (a[o] - kink) * (b[o] - kink) < 0.0:
                places[found] = (kink - a[o]) / (b[o] - a[o])
                found += 1
    return found
