"""What a ReLU network is on each region of a partition: its affine function, the pieces that share
one, areas.

On a region the set of active units is fixed, so every preactivation is an affine function of the
place, propagated layer by layer: z_o = b_o + Σ_i active W_io z_i. Regions that lie in the same
region of an earlier layer share the functions up to there; they are visited in an order that keeps
such relatives together.

Letters: F faces (regions), V corners, T layers, k units, m coordinates.
"""

import math

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.network.shape import N_OUT, greatest, layer_weights
from fracsim.kernels.norms import LEAST, MOST, norm_of
from fracsim.kernels.regions.plane import EDGES, FACE, FACES, HALF, NEXT, ORIGIN

SAME = 1e-9
"""Two functions are one if their gradients differ by at most SAME times the terms that made them
(``scale``)."""


@kernel
def next_maps(weights, biases, maps, active, out):
    """out (m + 1, n_out) = gradients and, last, offsets of the next layer's preactivations on one
    region.

    ``maps`` (m + 1, ≥ n_in): the same of this layer's; ``active`` (≥ n_in,): its units that are
    positive there; ``out`` may be as much wider."""
    last = maps.shape[0] - 1
    rows, count = np.empty(weights.shape[0], np.int64), 0
    for i in range(weights.shape[0]):
        if active[i]:
            rows[count] = i
            count += 1
    for c in range(last + 1):
        for o in range(biases.size):
            out[c, o] = biases[o] if c == last else 0.0
        add_rows(weights, rows[:count], maps[c], out[c])


@kernel
def add_rows(weights, rows, values, out):
    """out (≥ n_out,) += Σ values[i] · weights[i] over ``rows``, term after term; four at a time
    spare the memory."""
    n, whole = weights.shape[1], rows.size - rows.size % 4
    for r in range(0, whole, 4):
        i, j, k, l = rows[r], rows[r + 1], rows[r + 2], rows[r + 3]
        first, second, third, fourth = weights[i], weights[j], weights[k], weights[l]
        a, b, c, d = values[i], values[j], values[k], values[l]
        for o in range(n):
            out[o] = (((out[o] + a * first[o]) + b * second[o]) + c * third[o]) + d * fourth[o]
    for r in range(whole, rows.size):
        row, value = weights[rows[r]], values[rows[r]]
        for o in range(n):
            out[o] += value * row[o]


@kernel
def affine_functions(params, layout, ancestors, active, order, functions, scales):
    """functions (F, 3) = gradient and offset of f on each region; scales (F,) = size of the terms
    of its gradient.

    Args:
        params: (Q,) of a network of T = len(ancestors) ≥ 1 hidden layers on the plane. layout: its
        ``flat_layout``. ancestors: (T, F) row of ``active`` that holds, for each region and layer,
        the units active there. active: (rows, widest k) booleans, as ``active_units`` makes them,
        all layers one below the other. order: (F,) the regions, relatives together.
    """
    layers = len(ancestors)
    maps = np.empty((layers, 3, active.shape[1]))
    first, biases = layer_weights(layout, params, 0)
    for o in range(biases.size):
        maps[0, 0, o], maps[0, 1, o], maps[0, 2, o] = first[0, o], first[1, o], biases[o]
    known = np.empty(layers, np.int64)
    for layer in range(layers):
        known[layer] = -1
    weights, last_bias = layer_weights(layout, params, layers)
    readout = weights.reshape(weights.size)
    for f in order:
        for layer in range(1, layers):
            row = ancestors[layer - 1, f]
            if known[layer] != row:
                known[layer] = row
                for later in range(layer + 1, layers):
                    known[later] = -1
                weights, biases = layer_weights(layout, params, layer)
                next_maps(weights, biases, maps[layer - 1], active[row], maps[layer])
        row = ancestors[layers - 1, f]
        scales[f] = read_out(readout, last_bias[0], maps[layers - 1], active[row], functions[f])


@formula
def read_out(readout, bias, maps, active, function):
    """function (m + 1,) = gradient and offset of f, from the maps (m + 1, k) of the last hidden
    layer.

    Returns the scale of the gradient: the greatest, over its components, of Σ_i |w_i| |∇z_i| over
    the active units."""
    last = function.size - 1
    scale = 0.0
    for c in range(last + 1):
        function[c], size = masked_sum(readout, maps[c], active)
        if c < last:
            scale = max(scale, size)
    function[last] += bias
    return scale


@formula
def masked_sum(readout, values, active):
    """Σ_i w_i z_i over the active units, and the same of the terms' absolute values; each in two
    partial sums."""
    a = b = size_a = size_b = 0.0
    whole = readout.size - readout.size % 2
    for i in range(
        0, whole, 2
    ):  # products, not branches: which units are active is hard to predict
        term, other = (
            readout[i] * values[i] * active[i],
            readout[i + 1] * values[i + 1] * active[i + 1],
        )
        a, b = a + term, b + other
        size_a, size_b = size_a + abs(term), size_b + abs(other)
    for i in range(whole, readout.size):
        term = readout[i] * values[i] * active[i]
        a, size_a = a + term, size_a + abs(term)
    return a + b, size_a + size_b


@kernel
def merge_pieces(halves, size, functions, scales, pieces):
    """pieces (F,) = number of the linear piece of each region; returns how many pieces there are.

    Regions on either side of an edge are one piece if f has the same gradient on both; it is
    continuous, so then it is one affine function."""
    faces = size[FACES]
    for f in range(faces):
        pieces[f] = f
    for edge in range(size[EDGES]):
        f, g = halves[2 * edge, FACE], halves[2 * edge + 1, FACE]
        if (
            f >= 0
            and g >= 0
            and same_gradient(functions[f], functions[g], max(scales[f], scales[g]))
        ):
            f, g = root(pieces, f), root(pieces, g)
            pieces[max(f, g)] = min(f, g)
    count = 0
    for f in range(
        faces
    ):  # a root is the least of its regions, so it has its number before the others ask
        if pieces[f] == f:
            pieces[f] = count
            count += 1
        else:
            pieces[f] = pieces[pieces[f]]
    return count


@formula
def same_gradient(one, other, scale):
    """Whether two affine functions (m + 1,) have the same gradient, to within rounding."""
    apart = 0.0
    for c in range(one.size - 1):
        apart = max(apart, abs(one[c] - other[c]))
    return apart <= SAME * scale


@formula
def root(pieces, f):
    """The least region joined to f so far; shortens the way there."""
    while pieces[f] != f:
        pieces[f] = pieces[pieces[f]]
        f = pieces[f]
    return f


@kernel
def polygons(halves, faces, places, size, first_corner, corners, areas):
    """Regions as lists of corners, anticlockwise, and their areas (F,).

    The corners of region f are ``corners[first_corner[f] : first_corner[f + 1]]``; ``corners`` (2
    E,) is longer than all lists together. Returns how much of it is used."""
    count = 0
    for f in range(size[FACES]):
        first_corner[f] = count
        h = start = faces[f, HALF]
        a = halves[start, ORIGIN]
        total = 0.0
        while True:
            corners[count] = halves[h, ORIGIN]
            count += 1
            b, c = halves[h, ORIGIN], halves[halves[h, NEXT], ORIGIN]
            total += (places[b, 0] - places[a, 0]) * (places[c, 1] - places[a, 1])
            total -= (places[b, 1] - places[a, 1]) * (places[c, 0] - places[a, 0])
            h = halves[h, NEXT]
            if h == start:
                break
        areas[f] = total / 2
    first_corner[size[FACES]] = count
    return count


@kernel
def boundary_distances(params, layout, x, distances):
    """distances (N,) from the points x (N, d) to the nearest boundary of a region, in any
    dimension. ``layout``: the ``flat_layout`` of a network of T ≥ 1 hidden layers.

    All preactivations are affine on the region of a point, and the region is where they keep their
    signs there: so the nearest of its walls is min |z| / ‖∇z‖ over all units (Hanin and Rolnick
    2019). Infinite where no unit has a gradient."""
    d, layers = x.shape[1], layout.shape[0] - 1
    width = greatest(layout, layers, N_OUT)
    maps, following = np.empty((d + 1, width)), np.empty((d + 1, width))
    active = np.empty(width, np.bool_)
    for p in range(x.shape[0]):
        distances[p] = math.inf
        for layer in range(layers):
            weights, biases = layer_weights(layout, params, layer)
            if layer == 0:
                for o in range(biases.size):
                    for c in range(d):
                        maps[c, o] = weights[c, o]
                    maps[d, o] = biases[o]
            else:
                next_maps(weights, biases, maps, active, following)
                maps, following = following, maps
            for o in range(biases.size):
                value, square = maps[d, o], 0.0
                for c in range(d):
                    value += maps[c, o] * x[p, c]
                    square += maps[c, o] * maps[c, o]
                active[o] = value > 0.0
                slope = math.sqrt(square)
                if not LEAST <= slope <= MOST:
                    slope = norm_of(maps[:d, o])
                if slope > 0.0:
                    distances[p] = min(distances[p], abs(value) / slope)
