"""The truth about linear regions, slowly: exact rational arithmetic, and dense sampling of
activation patterns.

A float is a rational number, so for given weights all of this is exact: no tolerance anywhere.
"""

from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import reference


def exact_layers(shape, params):
    """[(weights as n_out rows of n_in fractions, biases), …], the readout last."""
    return [
        (
            [[Fraction(float(weight)) for weight in column] for column in weights.T],
            [Fraction(float(b)) for b in biases],
        )
        for weights, biases in reference.layers(shape, np.asarray(params, np.float64))
    ]


def following(layer, maps, active):
    """The affine maps (gradient…, offset) of a layer, where the units ``active`` of the one before
    it are positive."""
    weights, biases = layer
    result = []
    for row, bias in zip(weights, biases, strict=True):
        terms = [
            sum(
                (w * form[c] for w, form, on in zip(row, maps, active, strict=True) if on),
                Fraction(0),
            )
            for c in range(len(maps[0]))
        ]
        terms[-1] += bias
        result.append(tuple(terms))
    return result


def line_regions(shape, params, start, end):
    """[(t0, t1, activation pattern, (slope, offset) of f)] along a segment, in exact fractions of t
    in [0, 1]."""
    *hidden, readout = exact_layers(shape, params)
    a, b = ([Fraction(float(x)) for x in point] for point in (start, end))
    maps = [(y - x, x) for x, y in zip(a, b, strict=True)]
    intervals = [(Fraction(0), Fraction(1), (), maps, [True] * len(maps))]
    for layer in hidden:
        cut = []
        for low, high, pattern, maps, active in intervals:
            forms = following(layer, maps, active)
            zeros = {-offset / slope for slope, offset in forms if slope}
            for left, right in pairwise(sorted({low, high, *(t for t in zeros if low < t < high)})):
                middle = (left + right) / 2
                signs = [slope * middle + offset > 0 for slope, offset in forms]
                cut.append((left, right, (*pattern, *signs), forms, signs))
        intervals = cut
    return [
        (low, high, pattern, *following(readout, maps, active))
        for low, high, pattern, maps, active in intervals
    ]


def line_counts(shape, params, start, end):
    """(activation regions, linear pieces) of :func:`line_regions`.

    Cuts where two units switch without a change of pattern (none is known) would be counted twice.
    """
    regions = line_regions(shape, params, start, end)
    assert all(one[2] != other[2] for one, other in pairwise(regions))
    return len(regions), 1 + sum(one[3] != other[3] for one, other in pairwise(regions))


def meet(one, other):
    """The point in which two lines a x + b y + c = 0 meet."""
    (a, b, c), (d, e, f) = one, other
    determinant = a * e - b * d
    return (b * f - c * e) / determinant, (c * d - a * f) / determinant


def plane_regions(shape, params, window):
    """[(corners anticlockwise, activation pattern, (gradient, offset) of f)] in a window of the
    plane, exactly."""
    *hidden, readout = exact_layers(shape, params)
    low1, high1, low2, high2 = (Fraction(float(side)) for side in window)
    sides = [
        (Fraction(0), Fraction(1), -low2),
        (Fraction(1), Fraction(0), -high1),
        (Fraction(0), Fraction(1), -high2),
        (Fraction(1), Fraction(0), -low1),
    ]
    corners = [(low1, low2), (high1, low2), (high1, high2), (low1, high2)]
    one, none = Fraction(1), Fraction(0)
    # a polygon: corner i, and the line of the side from corner i to the next
    polygons = [(corners, sides, (), [(one, none, none), (none, one, none)], [True, True])]
    for layer in hidden:
        cut = []
        for corners, sides, pattern, maps, active in polygons:
            forms = following(layer, maps, active)
            parts = [(corners, sides, ())]
            for form in forms:
                parts = [new for part in parts for new in split(part, form)]
            cut += [(c, s, pattern + signs, forms, signs) for c, s, signs in parts]
        polygons = cut
    return [
        (corners, pattern, *following(readout, maps, active))
        for corners, _, pattern, maps, active in polygons
    ]


def split(part, form):
    """The one or two parts of a convex polygon on either side of a line, with the unit's sign
    appended."""
    corners, sides, signs = part
    values = [form[0] * x + form[1] * y + form[2] for x, y in corners]
    if not (min(values) < 0 < max(values)):
        return [(corners, sides, (*signs, max(values) > 0))]
    parts = []
    for sign in (1, -1):
        kept, borders = [], []
        for i, (corner, side, value) in enumerate(zip(corners, sides, values, strict=True)):
            here, there = sign * value, sign * values[(i + 1) % len(values)]
            if here >= 0:
                kept.append(corner)
                borders.append(side if here > 0 or there > 0 else form)
            if here > 0 > there:
                kept.append(meet(side, form))
                borders.append(form)
            elif here < 0 < there:
                kept.append(meet(side, form))
                borders.append(side)
        parts.append((kept, borders, (*signs, sign > 0)))
    return parts


def area(corners):
    """Area of a polygon."""
    return (
        sum(
            (
                x * v - u * y
                for (x, y), (u, v) in zip(corners, corners[1:] + corners[:1], strict=True)
            ),
            Fraction(0),
        )
        / 2
    )


def plane_counts(shape, params, window):
    """(activation regions, linear pieces) of :func:`plane_regions`, pieces joined through common
    edges."""
    regions = plane_regions(shape, params, window)
    sides: dict = {}
    for number, (corners, _, _) in enumerate(regions):
        for edge in zip(corners, corners[1:] + corners[:1], strict=True):
            sides.setdefault(frozenset(edge), []).append(number)
    piece = list(range(len(regions)))

    def root(number):
        while piece[number] != number:
            number = piece[number]
        return number

    for neighbours in sides.values():
        assert len(neighbours) <= 2
        if len(neighbours) == 2 and regions[neighbours[0]][2] == regions[neighbours[1]][2]:
            piece[root(neighbours[0])] = root(neighbours[1])
    return len(regions), sum(root(number) == number for number in range(len(regions)))


def sampled_patterns(shape, params, points):
    """How many different activation patterns the points (N, d) see: no more than there are
    regions."""
    values, patterns = np.asarray(points, np.float64), []
    for weights, biases in reference.layers(shape, np.asarray(params, np.float64))[:-1]:
        values = np.maximum(values @ weights + biases, 0)
        patterns.append(values > 0)
    return len(np.unique(np.concatenate(patterns, axis=1), axis=0))


def box_regions(shape, params, box):
    """[(activation pattern, (gradient, offset) of f)] in a box of three dimensions, exactly: a
    region is a list of half-spaces, its corners are where three of their planes meet in it."""
    *hidden, readout = exact_layers(shape, params)
    sides = [Fraction(float(side)) for side in box]
    one, none = Fraction(1), Fraction(0)
    axes = [tuple(one if c == i else none for c in range(4)) for i in range(3)]
    spaces = []
    for i, axis in enumerate(axes):
        spaces.append((*axis[:3], -sides[2 * i]))
        spaces.append((*(-value for value in axis[:3]), sides[2 * i + 1]))
    cells = [(spaces, (), axes, [True] * 3)]
    for layer in hidden:
        cut = []
        for spaces, pattern, maps, active in cells:
            forms = following(layer, maps, active)
            parts = [(spaces, polytope_corners(spaces), ())]
            for form in forms:
                parts = [new for part in parts for new in split_polytope(part, form)]
            cut += [(s, pattern + signs, forms, signs) for s, _, signs in parts]
        cells = cut
    return [(pattern, *following(readout, maps, active)) for _, pattern, maps, active in cells]


def split_polytope(part, form):
    """The one or two parts of a polytope on either side of a plane, with the unit's sign
    appended."""
    spaces, corners, signs = part
    values = [sum(a * x for a, x in zip(form, (*corner, 1), strict=True)) for corner in corners]
    if not (min(values) < 0 < max(values)):
        return [(spaces, corners, (*signs, max(values) > 0))]
    parts = []
    for sign in (1, -1):
        own = [*spaces, tuple(sign * value for value in form)]
        parts.append((own, polytope_corners(own), (*signs, sign > 0)))
    return parts


def polytope_corners(spaces):
    """The corners of {x : a · x + c ≥ 0 for all (a, c)} in three dimensions."""
    found = set()
    for planes in combinations(spaces, 3):
        rows = [plane[:3] for plane in planes]
        whole = determinant(rows)
        if not whole:
            continue
        ends = [-plane[3] for plane in planes]
        corner = tuple(
            determinant(
                [(*row[:c], end, *row[c + 1 :]) for row, end in zip(rows, ends, strict=True)]
            )
            / whole
            for c in range(3)
        )
        if all(a * corner[0] + b * corner[1] + c * corner[2] + e >= 0 for a, b, c, e in spaces):
            found.add(corner)
    return list(found)


def determinant(rows):
    """Of three rows of three fractions."""
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g)
