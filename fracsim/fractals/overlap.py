"""Do the images of an IFS overlap, touch, or keep apart? Decided by a small linear program, in any
dimension.

The image of the cube [-1,1]^d under v → c + H v is the set |H^-1 (x - c)| ≤ 1 in every coordinate:
2d half-spaces. The *penetration* of two images is the diameter 2t of the largest ball in both (with
unit normals a_k: maximise t subject to a_k · x + t ≤ c_k; t < 0 where they keep apart). More than
``OVERLAP`` = 1e-12 is an overlap; within ±1e-12 they touch. How far images keep apart is told in
their own measure: the factor by which all of them could grow (``separation``)."""

import numpy as np

OVERLAP = 1e-12
"""In units of the base; the linear program itself errs by some 1e-15, coordinates by 1e-16."""


def penetrations(half_axes: np.ndarray, centres: np.ndarray) -> list[tuple[int, int, float]]:
    """Pairs (i, i', penetration) of the parallelepipeds c + H [-1,1]^d that overlap or touch.

    half_axes H (r, d, d), centres c (r, d). Bounding boxes settle most pairs, and all pairs of
    upright boxes."""
    reach = np.abs(half_axes).sum(axis=2)
    upright = (np.count_nonzero(half_axes, axis=2) == 1).all(axis=1)
    found = []
    for i in range(len(centres) - 1):
        common = (reach[i] + reach[i + 1 :] - np.abs(centres[i] - centres[i + 1 :])).min(axis=1)
        for k in np.flatnonzero(common >= -OVERLAP):
            other = i + 1 + int(k)
            if upright[i] and upright[other]:
                smallest = 2 * min(reach[i].min(), reach[other].min())
                depth = min(float(common[k]), smallest)
            else:
                depth = penetration(half_axes[[i, other]], centres[[i, other]])
            if depth >= -OVERLAP:
                found.append((i, other, depth))
    return found


def penetration(half_axes: np.ndarray, centres: np.ndarray) -> float:
    """Diameter of the largest ball in the intersection of several parallelepipeds; negative where
    it is empty.

    half_axes (m, d, d), centres (m, d).
    """
    d = centres.shape[1]
    inverse = np.linalg.inv(half_axes).reshape(-1, d)
    length = np.linalg.norm(inverse, axis=1)
    normals = inverse / length[:, None]
    middle = np.einsum("kq,kq->k", normals, np.repeat(centres, d, axis=0))
    a = np.concatenate((normals, -normals))
    c = np.concatenate((middle + 1 / length, -middle + 1 / length))
    # shift the unknowns so that they are not negative and 0 is feasible: x = corner + z, t = τ -
    # deepest
    corner = (centres - np.abs(half_axes).sum(axis=2)).min(axis=0) - 1.0
    slack = c - a @ corner
    deepest = max(0.0, -float(slack.min())) + 1.0
    objective = np.zeros(d + 1)
    objective[-1] = 1.0
    best = _maximise(objective, np.column_stack((a, np.ones(len(a)))), slack + deepest)
    return 2 * (best - deepest)


def separation(half_axes: np.ndarray, centres: np.ndarray) -> float:
    """The greatest s such that the parallelepipeds c + s H [-1,1]^d, grown about their centres, do
    not overlap.

    half_axes H (r, d, d), centres c (r, d); infinite for r = 1. Bounding boxes bound each pair from
    below, so only pairs that could be the closest need the linear program."""
    reach = np.abs(half_axes).sum(axis=2)
    upright = (np.count_nonzero(half_axes, axis=2) == 1).all(axis=1)
    best = np.inf
    for i in range(len(centres) - 1):
        boxes = (np.abs(centres[i] - centres[i + 1 :]) / (reach[i] + reach[i + 1 :])).max(axis=1)
        for k in np.argsort(boxes, kind="stable"):
            if boxes[k] >= best:
                break
            pair = [i, i + 1 + int(k)]
            exact = (
                float(boxes[k])
                if upright[pair].all()
                else _separation(half_axes[pair], centres[pair])
            )
            best = min(best, exact)
    return best


def _separation(half_axes: np.ndarray, centres: np.ndarray) -> float:
    """``separation`` of two: minimise s subject to |H^-1 (x - c)| ≤ s for both, in every
    coordinate."""
    d = centres.shape[1]
    inverse = np.linalg.inv(half_axes)
    between = np.abs(inverse @ (centres[1] - centres[0])).max(axis=1)
    enough = (
        between.prod() / between.sum()
    )  # where both reach the same point of the line between the centres
    corner = (centres - (enough + 1) * np.abs(half_axes).sum(axis=2)).min(axis=0)
    a = np.concatenate((inverse, -inverse)).reshape(-1, d)
    at_corner = np.einsum("ipq,iq->ip", inverse, corner - centres).ravel()
    at_corner = np.concatenate((at_corner, -at_corner))
    start = float(at_corner.max())  # x = corner + z, s = start - t: z = 0 and t = 0 are feasible
    objective = np.zeros(d + 1)
    objective[-1] = 1.0
    return start - _maximise(objective, np.column_stack((a, np.ones(len(a)))), start - at_corner)


def _maximise(objective: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """max objective · z subject to a z ≤ b, z ≥ 0, for b ≥ 0: the simplex method; Bland's rule, so
    it cannot cycle."""
    rows, columns = a.shape
    table = np.zeros((rows + 1, columns + rows + 1))
    table[:rows, :columns], table[:rows, -1] = a, b
    table[:rows, columns:-1] = np.eye(rows)
    table[-1, :columns] = -objective
    basis = np.arange(columns, columns + rows)
    while True:
        entering = np.flatnonzero(table[-1, :-1] < -1e-13)
        if not len(entering):
            return float(table[-1, -1])
        column = entering[0]
        usable = np.flatnonzero(table[:rows, column] > 1e-12)
        ratio = table[usable, -1] / table[usable, column]
        tied = usable[ratio <= ratio.min() + 1e-15]
        row = tied[np.argmin(basis[tied])]
        table[row] /= table[row, column]
        factor = table[:, column].copy()
        factor[row] = 0.0
        table -= np.outer(factor, table[row])
        basis[row] = column
