"""The regions of a ReLU network in a box of two or three dimensions: convex polytopes, cut unit by
unit, layer by layer.

The box and what is cut from it are kept one by one, on a stack: the part in which the unit is
negative waits while the other is cut further. So the memory is that of one way through the tree of
cuts, however many regions there are. A polytope is its corners, each with the set of walls that it
lies on, as bits: the units, then the sides of the box. Two corners are joined by an edge if they
share d - 1 walls: so many different planes meet in a line, and a line meets a convex polytope in
two corners at most.

Letters: N units of all layers, V corners, W words of 64 bits, d = 2 or 3 coordinates. A unit counts
as zero at a corner where rounding may have made its z, or nearer than ``nearness``, as in
``plane.py``."""

import math

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.network.shape import N_OUT, greatest, layer_weights
from fracsim.kernels.regions.affine import next_maps, read_out, root, same_gradient
from fracsim.kernels.regions.plane import ROUNDING

LAYER, UNIT, COUNT = range(3)
"""Columns of ``at`` (stack, 3): the next unit to cut a polytope, and its corners."""

ONE = np.uint64(1)


@kernel
def put_box(low, high, units, at, places, walls, patterns):
    """The box of low (d,) and high (d,) as the first polytope of the stack, before unit 0 of layer
    0; ``units`` is N."""
    d = low.size
    at[0, LAYER], at[0, UNIT], at[0, COUNT] = 0, 0, 1 << d
    patterns[0, :] = np.uint64(0)
    for v in range(1 << d):
        walls[0, v, :] = np.uint64(0)
        for c in range(d):
            side = (v >> c) & 1
            places[0, v, c] = high[c] if side else low[c]
            put(walls[0, v], units + 2 * c + side)


@kernel
def cut_box(
    params, layout, norms, nearness, size, at, places, walls, patterns, functions, found, measures
):
    """Cut the ``size[0]`` polytopes of the stack until none is left or the results are full;
    returns how many regions were found.

    Args:
        params, layout: (Q,) of a network of T ≥ 1 hidden layers, its ``flat_layout``. norms: (N,)
        of each unit's weights.
        at, places, walls, patterns: the stack (N + 2, …): LAYER, UNIT and COUNT; corners (V, d);
        their walls (V, W); units that are active (W,).
        functions: (F, d + 1) gradient and offset of f on each region, (F,) more: ``measures`` are
        the scale of its gradient and the volume (F, 2); found: (F, 2, W) its active units, and
        those that are its walls.
    """
    d, layers = places.shape[2], layout.shape[0] - 1
    width = greatest(layout, layers, N_OUT)
    maps, following = np.empty((d + 1, width)), np.empty((d + 1, width))
    active, values = np.empty(width, np.bool_), np.empty(places.shape[1])
    more, more_walls = np.empty(places.shape[1:]), np.empty(walls.shape[1:], np.uint64)
    centres = np.empty((layout[:layers, N_OUT].sum() + 2 * d, 4))
    weights, last_bias = layer_weights(layout, params, layers)
    readout = weights.reshape(weights.size)
    count, reach = 0, 0.0
    while size[0] > 0 and count < len(functions):
        s, first, start = size[0] - 1, 0, at[size[0] - 1, LAYER]
        for layer in range(layers):
            weights, biases = layer_weights(layout, params, layer)
            if layer == 0:
                for o in range(biases.size):
                    for c in range(d):
                        maps[c, o] = weights[c, o]
                    maps[d, o] = biases[o]
            else:
                next_maps(weights, biases, maps, active, following)
            if layer >= start:
                reach = greatest_input(layer, maps, active, places[s, : at[s, COUNT]], weights)
            if layer:
                maps, following = following, maps
            if layer >= start:
                for unit in range(at[s, UNIT] if layer == start else 0, biases.size):
                    noise = ROUNDING * (norms[first + unit] * reach + abs(biases[unit]))
                    cuts = take_values(maps, unit, places[s], at[s, COUNT], noise, nearness, values)
                    if cuts:
                        at[s, LAYER], at[s, UNIT] = layer, unit + 1
                        if cut(s, first + unit, values, at, places, walls, more, more_walls):
                            patterns[s + 1] = patterns[s]
                            s += 1
                            size[0] += 1
                    if is_positive(values, at[s, COUNT]):
                        put(patterns[s], first + unit)
            for unit in range(biases.size):
                active[unit] = has(patterns[s], first + unit)
            first += biases.size
        measures[count, 0] = read_out(readout, last_bias[0], maps, active, functions[count])
        found[count, 0] = patterns[s]
        measures[count, 1] = volume(
            places[s, : at[s, COUNT]], walls[s, : at[s, COUNT]], first, centres, found[count, 1]
        )
        count += 1
        size[0] = s
    return count


@formula
def put(words, bit):
    """Set a bit."""
    words[bit >> 6] |= ONE << np.uint64(bit & 63)


@formula
def has(words, bit):
    """Whether a bit is set."""
    return (words[bit >> 6] >> np.uint64(bit & 63)) & ONE != np.uint64(0)


@formula
def is_positive(values, count):
    """Whether a unit is active on a polytope that it does not cut."""
    found = False
    for v in range(count):
        found |= values[v] > 0.0
    return found


@kernel
def greatest_input(layer, maps, active, corners, weights):
    """The greatest norm of what goes into a layer, over the corners (V, d) of a polytope: for the
    rounding of its preactivations. ``maps`` and ``active`` are those of the layer before."""
    d = corners.shape[1]
    most = 0.0
    for v in range(len(corners)):
        total = 0.0
        for i in range(weights.shape[0]):
            value = 0.0
            if layer == 0:
                value = corners[v, i]
            elif active[i]:
                value = maps[d, i]
                for c in range(d):
                    value += maps[c, i] * corners[v, c]
            total += value * value
        most = max(most, total)
    return math.sqrt(most)


@kernel
def take_values(maps, unit, places, count, noise, nearness, values):
    """values (count,) = a unit's z at the corners, 0 where it may be rounding or its plane passes
    nearer than ``nearness``; whether it has both signs."""
    d = places.shape[1]
    square = 0.0
    for c in range(d):
        square += maps[c, unit] * maps[c, unit]
    least = max(noise, nearness * math.sqrt(square))
    low = high = False
    for v in range(count):
        value = maps[d, unit]
        for c in range(d):
            value += maps[c, unit] * places[v, c]
        values[v] = value if abs(value) > least else 0.0
        low |= values[v] < 0.0
        high |= values[v] > 0.0
    return low and high


@kernel
def cut(s, bit, values, at, places, walls, more, more_walls):
    """Cut polytope s of the stack where ``values`` change sign: its negative part stays, the
    positive one is put on top, with values that are then at its corners; whether it was cut.

    Where rounding leaves no polygon between the two, it is not, and ``values`` keep the sign of the
    greatest of them."""
    d, count = places.shape[2], at[s, COUNT]
    new = zeros = 0
    for i in range(count):
        zeros += values[i] == 0.0
        for j in range(i):
            if values[i] * values[j] < 0.0 and are_joined(walls[s, i], walls[s, j], d - 1):
                share = values[i] / (values[i] - values[j])
                for c in range(d):
                    more[new, c] = places[s, i, c] + share * (places[s, j, c] - places[s, i, c])
                for w in range(more_walls.shape[1]):
                    more_walls[new, w] = walls[s, i, w] & walls[s, j, w]
                put(more_walls[new], bit)
                new += 1
    if new + zeros < d:
        keep_sign(values, count)
        return False
    kept = above = 0
    for v in range(count):
        if values[v] == 0.0:
            put(walls[s, v], bit)
        if values[v] >= 0.0:
            places[s + 1, above], walls[s + 1, above] = places[s, v], walls[s, v]
            above += 1
        if values[v] <= 0.0:
            places[s, kept], walls[s, kept] = places[s, v], walls[s, v]
            kept += 1
    for v in range(new):
        places[s, kept + v], walls[s, kept + v] = more[v], more_walls[v]
        places[s + 1, above + v], walls[s + 1, above + v] = more[v], more_walls[v]
    at[s, COUNT], at[s + 1, COUNT] = kept + new, above + new
    at[s + 1, LAYER], at[s + 1, UNIT] = at[s, LAYER], at[s, UNIT]
    values[0] = 1.0  # the part on top is positive
    return True


@formula
def are_joined(one, other, least):
    """Whether two corners share at least so many walls."""
    for w in range(one.size):
        common = one[w] & other[w]
        while common != np.uint64(0):
            common &= common - ONE
            least -= 1
            if least == 0:
                return True
    return False


@formula
def keep_sign(values, count):
    """Leave the values of the sign that is further from 0."""
    low = high = 0.0
    for v in range(count):
        low, high = min(low, values[v]), max(high, values[v])
    for v in range(count):
        if (values[v] > 0.0) != (high > -low):
            values[v] = 0.0


@kernel
def volume(corners, walls, units, centres, sides):
    """The volume (d = 3) or area (d = 2) of a polytope of corners (V, d); ``sides`` (W,) = the
    units that are walls of it: those on which d of its corners lie.

    It is cut into simplices: over each edge, with the centres of the polytope and of a wall."""
    count, d = corners.shape
    from_middle = np.zeros((count, 3))
    centres[:] = 0.0
    for c in range(d):
        middle = corners[:, c].sum() / count
        for v in range(count):
            from_middle[v, c] = corners[v, c] - middle
    for v in range(count):
        for bit in range(len(centres)):
            if has(walls[v], bit):
                centres[bit, 3] += 1.0
                for c in range(d):
                    centres[bit, c] += from_middle[v, c]
    sides[:] = np.uint64(0)
    for bit in range(len(centres)):
        if centres[bit, 3] > 0.0:
            for c in range(d):
                centres[bit, c] /= centres[bit, 3]
            if bit < units and centres[bit, 3] >= d:
                put(sides, bit)
    total = 0.0
    for v in range(count):
        for w in range(v):
            a, b = from_middle[v], from_middle[w]
            if not are_joined(walls[v], walls[w], d - 1):
                continue
            if d == 2:
                total += abs(a[0] * b[1] - a[1] * b[0]) / 2
                continue
            for bit in range(len(centres)):
                if has(walls[v], bit) and has(walls[w], bit):
                    total += abs(determinant(a, b, centres[bit])) / 6
    return total


@formula
def determinant(a, b, c):
    """Of three vectors (≥ 3,)."""
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


@kernel
def join_regions(neighbours, functions, scales, pieces):
    """pieces (F,) = number of the linear piece of each region: ``neighbours`` (M, 2) of the same
    gradient are one."""
    for f in range(pieces.size):
        pieces[f] = f
    for m in range(len(neighbours)):
        f, g = neighbours[m, 0], neighbours[m, 1]
        if same_gradient(functions[f], functions[g], max(scales[f], scales[g])):
            f, g = root(pieces, f), root(pieces, g)
            pieces[max(f, g)] = min(f, g)
    count = 0
    for f in range(pieces.size):  # a root is the least of its regions
        if pieces[f] == f:
            pieces[f] = count
            count += 1
        else:
            pieces[f] = pieces[pieces[f]]
