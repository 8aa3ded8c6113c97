"""The slow twin of the exact population gradient: every interval of the distribution is listed, and
cut at every breakpoint of the network and of the hinge. On what is left the integrands are affine,
so a midpoint is exact."""

import itertools

import numpy as np
import reference


def intervals(fractal, curve, gap="complement", positive_margin=0.0, negative_margin=0.0):
    """[(left, right, mass, label)] of all r^j cells and gaps of a fractal in d = 1; curve =
    P(0..n)."""
    low, n = fractal.low, len(curve) - 1
    centre, half = (low + 1) / 2, (1 - low) / 2
    maps = [
        (float(a[0, 0]), float(b[0]))
        for a, b in zip(fractal.matrices, fractal.offsets, strict=True)
    ]
    free = _free(maps, centre, half, gap, negative_margin)
    length = sum(right - left for left, right in free)
    found, cells = [], [(1.0, 0.0)]
    for j in range(n):
        for slope, offset in cells:
            for left, right in free:
                mass = (curve[j + 1] - curve[j]) * (right - left) / length / len(cells)
                found.append((*sorted((slope * left + offset, slope * right + offset)), mass, -1.0))
        cells = [(slope * a, slope * b + offset) for slope, offset in cells for a, b in maps]
    reach = half * (1 - positive_margin)
    for slope, offset in cells:
        ends = slope * (centre - reach) + offset, slope * (centre + reach) + offset
        found.append((*sorted(ends), 0.5 / len(cells), 1.0))
    return [interval for interval in found if interval[2] > 0]


def _free(maps, centre, half, gap, margin):
    """The intervals of the base in which negatives of level 0 lie: cut at all ends of images, keep
    what is free."""
    reach = half * min(1 / 3 if gap == "centre" else 1.0, 1 - margin)
    images = [(a * centre + b, abs(a) * half * (1 + margin)) for a, b in maps]
    ends = [c + side * h for c, h in images for side in (-1, 1)] + [centre - reach, centre + reach]
    ends = sorted(min(max(x, centre - reach), centre + reach) for x in ends)
    pairs = [(left, right) for left, right in itertools.pairwise(ends) if right - left > 1e-12]
    return [
        (left, right)
        for left, right in pairs
        if all(abs((left + right) / 2 - c) > h for c, h in images)
    ]


def breakpoints(shape, params, low):
    """Where any unit of any layer changes sign on [low, 1], and where f is -1, 0 or 1; with both
    ends."""
    points = np.array([low, 1.0])
    for layer in range(shape.depth + 1):
        z = reference.activations(shape, params, points[:, None])[layer]
        levels = np.array([0.0]) if layer < shape.depth else np.array([-1.0, 0.0, 1.0])
        new = [points]
        for level in levels:
            first, last = z[:-1] - level, z[1:] - level
            piece, unit = np.nonzero(first * last < 0)
            share = first[piece, unit] / (first - last)[piece, unit]
            new.append(points[piece] + share * (points[piece + 1] - points[piece]))
        points = np.unique(np.concatenate(new))
    return points


def loss_and_gradient(shape, params, found, low):
    """(hinge loss, accuracy, gradient (Q,)) over the intervals [(left, right, mass, label)]."""
    points = breakpoints(shape, params, low)
    x, y, mass = [], [], []
    for left, right, whole, label in found:
        ends = np.concatenate([[left], points[(points > left) & (points < right)], [right]])
        x.append((ends[1:] + ends[:-1]) / 2)
        mass.append(np.diff(ends) / (right - left) * whole)
        y.append(np.full(len(ends) - 1, label))
    x, y, mass = np.concatenate(x), np.concatenate(y), np.concatenate(mass)
    z, parts = reference.activations(shape, params, x[:, None]), reference.layers(shape, params)
    f = z[-1][:, 0]
    dz = (mass * reference.slopes("hinge", f, y))[:, None]
    dparts = []
    for layer in range(len(parts) - 1, -1, -1):
        h = x[:, None] if layer == 0 else np.maximum(z[layer - 1], 0)
        dparts.append(np.concatenate([(h.T @ dz).ravel(), dz.sum(axis=0)]))
        if layer > 0:
            dz = (dz @ parts[layer][0].T) * (z[layer - 1] > 0)
    loss, accuracy = mass @ reference.losses("hinge", f, y), mass[f * y > 0].sum()
    return loss, accuracy, np.concatenate(dparts[::-1])
