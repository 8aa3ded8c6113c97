"""The regions of a ReLU network in a plane: a window cut into convex polygons, unit by unit, layer
by layer.

Inside one region of the layers before it, the preactivation z of a unit is affine; where it changes
sign, its line z = 0 cuts the polygon in two. The polygons are one mesh that shares its corners. z
is known at the corners, so neighbours agree on where a line crosses their common edge, and the mesh
has no gaps and no slivers between them.

Letters: V corners, E edges, F faces (polygons), k units of a layer. An edge is two half-edges, 2e
and 2e + 1, one for the face on either side; each goes around its face anticlockwise. -1 is the
outside of the window.

A unit counts as zero at a corner where rounding may have made its z (ROUNDING), or where its line
passes nearer than NEARNESS of the window's diameter: lines that meet in one point, or fall on each
other, then stay so."""

import math

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.norms import LEAST, MOST, norm_of

ORIGIN, NEXT, BEFORE, FACE = range(4)
"""Columns of ``halves`` (2 E, 4): corner it leaves, half-edges after and before it around its face,
that face."""

HALF, PARENT, STAMP = range(3)
"""Columns of ``faces`` (F, 3): one of its half-edges, the face of the layer before that it lies in,
last unit met."""

CORNERS, EDGES, FACES = range(3)
"""Places in ``size``: how much of the arrays is in use."""

ROUNDING = 2.0**-49
"""|z| ≤ ROUNDING · (‖w‖ ‖a‖ + |b|) is zero, for the weights w, bias b and activations a of z: 8 ulp
of its terms."""

NEARNESS = 2.0**-46
"""A line nearer to a corner than this part of the window's diameter goes through it."""


@kernel
def put_rectangle(low1, high1, low2, high2, halves, faces, places, size):
    """The mesh of one face, the window."""
    for v in range(4):
        places[v, 0] = high1 if v in (1, 2) else low1
        places[v, 1] = high2 if v >= 2 else low2
        after, before = (v + 1) % 4, (v + 3) % 4
        halves[2 * v, ORIGIN], halves[2 * v, FACE] = v, 0
        halves[2 * v, NEXT], halves[2 * v, BEFORE] = 2 * after, 2 * before
        halves[2 * v + 1, ORIGIN], halves[2 * v + 1, FACE] = after, -1
        halves[2 * v + 1, NEXT], halves[2 * v + 1, BEFORE] = 2 * before + 1, 2 * after + 1
    faces[0, HALF], faces[0, PARENT], faces[0, STAMP] = 0, 0, -1
    size[CORNERS], size[EDGES], size[FACES] = 4, 4, 1


@kernel
def enter_layer(weights, biases, first, places, z, lengths, column_norms, faces, size):
    """z (V, ≥ k) and ``lengths`` (V,), the norms of what came in, for the next layer; every face is
    its own parent.

    ``first``: the layer's inputs are the corners' places, not the ReLU of z, which is overwritten.
    """
    n_in, n_out = weights.shape
    inputs = np.empty(n_in)
    for o in range(n_out):
        total = 0.0
        for i in range(n_in):
            total += weights[i, o] * weights[i, o]
        column_norms[o] = math.sqrt(total)
        if not LEAST <= column_norms[o] <= MOST:
            column_norms[o] = norm_of(weights[:, o])
    for v in range(size[CORNERS]):
        total = 0.0
        for i in range(n_in):
            inputs[i] = places[v, i] if first else max(z[v, i], 0.0)
            total += inputs[i] * inputs[i]
        lengths[v] = math.sqrt(total)
        if not LEAST <= lengths[v] <= MOST:
            lengths[v] = norm_of(inputs)
        row = z[v]
        for o in range(n_out):
            row[o] = biases[o]
        for i in range(n_in):
            value = inputs[i]
            if value != 0.0:
                for o in range(n_out):
                    row[o] += value * weights[i, o]
        for o in range(n_out):
            row[o] = without_noise(row[o], column_norms[o], lengths[v], biases[o])
    for f in range(size[FACES]):
        faces[f, PARENT], faces[f, STAMP] = f, -1


@formula
def without_noise(value, column_norm, length, bias):
    """A preactivation, 0 where it may be rounding alone."""
    return value if abs(value) > ROUNDING * (column_norm * length + abs(bias)) else 0.0


@kernel
def cut_by_units(
    start, biases, nearness, halves, faces, places, z, lengths, column_norms, column, touched, size
):
    """Cut the mesh by the lines of units ``start``, …, k - 1; returns the unit before which the
    arrays are too small.

    It returns k when all are done. ``nearness``: the distance below which a line passes through a
    corner."""
    for unit in range(start, biases.size):
        zeros, crossings = take_column(unit, nearness, halves, places, z, column, size)
        cuts = size[FACES] if zeros else crossings
        if size[CORNERS] + crossings > z.shape[0] or size[FACES] + cuts > faces.shape[0]:
            return unit
        if 2 * (size[EDGES] + crossings + cuts) > halves.shape[0]:
            return unit
        count = 0
        for edge in range(size[EDGES]):
            a, b = halves[2 * edge, ORIGIN], halves[2 * edge + 1, ORIGIN]
            if column[a] * column[b] < 0.0:
                v = add_corner(a, b, unit, biases, places, z, lengths, column_norms, column, size)
                split_edge(edge, v, halves, size)
                count = touch(halves[2 * edge, FACE], unit, faces, touched, count)
                count = touch(halves[2 * edge + 1, FACE], unit, faces, touched, count)
        if zeros:
            for h in range(2 * size[EDGES]):
                if column[halves[h, ORIGIN]] == 0.0:
                    count = touch(halves[h, FACE], unit, faces, touched, count)
        place = 0
        while place < count:
            count = cut_face(touched[place], halves, faces, column, touched, count, size)
            place += 1
    return biases.size


@kernel
def take_column(unit, nearness, halves, places, z, column, size):
    """``column`` (V,) = signs of a unit's z at the corners, scaled; returns (any zeros, edges that
    may be crossed)."""
    zeros = False
    for v in range(size[CORNERS]):
        column[v] = z[v, unit]
        zeros |= column[v] == 0.0
    crossings = 0
    for edge in range(size[EDGES]):
        a, b = halves[2 * edge, ORIGIN], halves[2 * edge + 1, ORIGIN]
        if (column[a] < 0.0 < column[b]) or (column[b] < 0.0 < column[a]):
            crossings += 1
            share = z[a, unit] / (z[a, unit] - z[b, unit])
            length = math.hypot(places[b, 0] - places[a, 0], places[b, 1] - places[a, 1])
            if min(share, 1.0 - share) * length < nearness:
                near = a if share < 0.5 else b
                column[near], z[near, unit], zeros = 0.0, 0.0, True
    for v in range(
        size[CORNERS]
    ):  # only signs are needed from here on, and products of them must not underflow
        column[v] = int(column[v] > 0.0) - int(column[v] < 0.0)
    return zeros, crossings


@formula
def add_corner(a, b, unit, biases, places, z, lengths, column_norms, column, size):
    """A corner where the unit's line crosses the edge from corner a to b; returns its number."""
    v = size[CORNERS]
    size[CORNERS] = v + 1
    share = z[a, unit] / (z[a, unit] - z[b, unit])
    for i in range(2):
        places[v, i] = places[a, i] + share * (places[b, i] - places[a, i])
    lengths[v] = lengths[a] + share * (lengths[b] - lengths[a])
    here, there, new = z[a], z[b], z[v]
    for o in range(biases.size):
        value = here[o] + share * (there[o] - here[o])
        new[o] = without_noise(value, column_norms[o], lengths[v], biases[o])
    new[unit] = 0.0
    column[v] = 0.0
    return v


@formula
def split_edge(edge, v, halves, size):
    """Put corner v on an edge; its second part becomes a new edge."""
    forth, back = 2 * edge, 2 * edge + 1
    new = 2 * size[EDGES]
    size[EDGES] += 1
    halves[new, ORIGIN], halves[new + 1, ORIGIN] = v, halves[back, ORIGIN]
    halves[back, ORIGIN] = v
    halves[new, FACE], halves[new + 1, FACE] = halves[forth, FACE], halves[back, FACE]
    link(new, halves[forth, NEXT], halves)
    link(forth, new, halves)
    link(halves[back, BEFORE], new + 1, halves)
    link(new + 1, back, halves)


@formula
def link(first, second, halves):
    """Let half-edge ``second`` follow ``first``."""
    halves[first, NEXT] = second
    halves[second, BEFORE] = first


@formula
def touch(face, unit, faces, touched, count):
    """Add a face, once for each unit, to those the unit's line may cut; returns how many there
    are."""
    if face >= 0 and faces[face, STAMP] != unit:
        faces[face, STAMP] = unit
        touched[count] = face
        count += 1
    return count


@kernel
def cut_face(face, halves, faces, column, touched, count, size):
    """Cut a face between the corners where the sign of ``column`` changes; returns how many faces
    are to be cut.

    Rounding can make more than two changes of sign in thin faces; what is left is then cut in its
    turn."""
    start = faces[face, HALF]
    while column[halves[start, ORIGIN]] == 0.0:
        start = halves[start, NEXT]
        if start == faces[face, HALF]:
            return count  # the unit is constant here
    sign = column[halves[start, ORIGIN]]
    h, zero, first, second, changes = halves[start, NEXT], -1, -1, -1, 0
    while True:
        value = column[halves[h, ORIGIN]]
        if value == 0.0:
            if zero < 0:
                zero = h
        else:
            if value != sign:
                changes += 1
                if changes == 1:
                    first = zero
                elif changes == 2:
                    second = zero
            sign, zero = value, -1
        if h == start:
            break
        h = halves[h, NEXT]
    if changes < 2:
        return count
    new = join(face, first, second, halves, faces, size)
    if changes > 2:
        touched[count], touched[count + 1] = face, new
        count += 2
    return count


@formula
def join(face, first, second, halves, faces, size):
    """Cut a face along a new edge between the corners that two of its half-edges leave; returns the
    new face."""
    new, f = 2 * size[EDGES], size[FACES]
    size[EDGES] += 1
    size[FACES] += 1
    halves[new, ORIGIN], halves[new + 1, ORIGIN] = halves[second, ORIGIN], halves[first, ORIGIN]
    before_first, before_second = halves[first, BEFORE], halves[second, BEFORE]
    link(before_second, new, halves)
    link(new, first, halves)
    link(before_first, new + 1, halves)
    link(new + 1, second, halves)
    halves[new, FACE] = face
    faces[face, HALF], faces[f, HALF] = first, second
    faces[f, PARENT], faces[f, STAMP] = faces[face, PARENT], faces[face, STAMP]
    h = second
    while True:
        halves[h, FACE] = f
        h = halves[h, NEXT]
        if h == second:
            return f


@kernel
def active_units(halves, faces, z, size, units, active):
    """active (F, ≥ units) = whether each unit of a layer is positive on each face, once all of them
    have cut."""
    for f in range(size[FACES]):
        row = active[f]
        row[:units] = False
        h = start = faces[f, HALF]
        while True:
            values = z[halves[h, ORIGIN]]
            for o in range(units):
                row[o] |= values[o] > 0.0
            h = halves[h, NEXT]
            if h == start:
                break
