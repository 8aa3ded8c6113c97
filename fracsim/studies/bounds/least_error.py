"""The exact least error in d = 1: of all classifiers of the line with at most m sign changes, for
every m.

In d = 1 a fractal distribution is a row of intervals: the r^n cells of K_n carry the positives in
equal shares, the gaps the negatives. Neighbours of one label are one piece. *Error* is the 0-1
error Pr[g(x) ≠ y] on D_n."""

import itertools
import math
import operator

import numpy as np

from fracsim.errors import UsageError
from fracsim.fractals.curve import Curve, parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import MOST_DEPTH, Fractal
from fracsim.fractals.overlap import OVERLAP
from fracsim.kernels.points.geometry import GAPS
from fracsim.kernels.points.least_error import merge_costs
from fracsim.values.arguments import FRACTAL, Text, Whole, door

MOST_CELLS = 2**22
"""Cells of K_n up to which the exact least error is computed."""


@door(fractal=FRACTAL, fractal_depth=Whole(1, MOST_DEPTH), gap=Text(GAPS))
def least_errors(
    fractal: Fractal, fractal_depth: int, curve: Curve | str, gap: str | None = None
) -> np.ndarray:
    """Least 0-1 error on D_n of any classifier g: R → {-1, +1} with at most m sign changes, m =
    0..M; shape (M + 1,).

    M is the number of sign changes that an error of 0 needs; the first value, of a constant, is
    1/2. A ReLU network with T hidden layers of width k has at most (k + 1)^T linear pieces on the
    line and so as many sign changes: its error is at least that of m = (k + 1)^T. The hinge loss is
    never less than the error.

    Raises:
        UsageError: d > 1, too many cells, or negatives that have no room.
    """
    mass, first = alternating_pieces(fractal, fractal_depth, curve, gap)
    least = np.full(len(mass) + 2, np.inf)
    signs = first * (1 - 2 * (np.arange(len(mass)) % 2))
    for start, end in itertools.product((-1, 1), repeat=2):
        # Signs fixed at both ends leave one parity of sign changes, for which giving up the
        # cheapest piece is optimal.
        bound = np.concatenate(
            [[np.inf] * int(signs[0] != start), mass, [np.inf] * int(signs[-1] != end)]
        )
        bound[0] = bound[-1] = np.inf
        changes, costs = len(bound) - 1, np.empty(len(bound) // 2)
        costs = np.sort(costs[: merge_costs(bound, costs)])
        at = changes - 2 * np.arange(len(costs) + 1)
        least[at] = np.minimum(least[at], np.concatenate([[0.0], np.cumsum(costs)]))
    return np.minimum.accumulate(least)[: len(mass)]


def alternating_pieces(
    fractal: Fractal, fractal_depth: int, curve: Curve | str, gap: str | None = None
) -> tuple[np.ndarray, int]:
    """Masses (N,) of the pieces of D_n from left to right, whose labels alternate, and the label of
    the first.

    UsageError as for :func:`least_errors`.
    """
    n, r = operator.index(fractal_depth), fractal.maps
    check_negatives(fractal, gap)
    if fractal.dimension != 1:
        raise UsageError(
            f"the exact least error is for fractals on the line, d = 1; {fractal.name} has d = "
            f"{fractal.dimension}"
        )
    if n > MOST_DEPTH or (r > 1 and n * math.log(r) > math.log(MOST_CELLS) + 1e-9):
        accepted = max(depth for depth in range(23) if r**depth <= MOST_CELLS)
        raise UsageError(
            f"fractal_depth is {n}, at which {fractal.name} has {r}^{n} cells; the exact least "
            f"error takes at most "
            f"{MOST_CELLS:,}, a depth up to {accepted}"
        )
    p = parse_curve(curve).values(n)
    order, shares = gap_shares(fractal, gap)
    label, mass = np.ones(1, np.int8), np.array([0.5 * float(r) ** -n])
    for j in range(n - 1, -1, -1):  # from a cell of level j + 1 to one of level j
        labels, masses = [], []
        for place, share in enumerate(shares):
            if share > 0 and p[j + 1] > p[j]:
                labels.append(np.array([-1], np.int8))
                masses.append(np.array([share * (p[j + 1] - p[j]) * float(r) ** -j]))
            if place < r:
                way = 1 if fractal.matrices[order[place], 0, 0] > 0 else -1
                labels.append(label[::way])
                masses.append(mass[::way])
        label, mass = _joined(np.concatenate(labels), np.concatenate(masses))
    return mass, int(label[0])


def gap_shares(fractal: Fractal, gap: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The maps (r,) from left to right, and the shares (r + 1,) of a cell's negatives before,
    between, after them."""
    order = np.argsort(fractal.offsets[:, 0] + fractal.matrices[:, 0, 0] * 0.5 * (fractal.low + 1))
    ends = fractal.offsets + fractal.matrices[:, :, 0] * np.array(
        [[fractal.low, 1.0]]
    )  # (r, 2), either way round
    left, right = ends.min(axis=1)[order], ends.max(axis=1)[order]
    begin, end = np.concatenate([[fractal.low], right]), np.concatenate([left, [1.0]])
    if (
        gap or fractal.gap
    ) == "centre":  # no image reaches into the central third, so that it lies in one gap
        middle = 0.5 * (fractal.low + 1)
        return order, ((begin < middle) & (middle < end)).astype(float)
    lengths = np.where(end - begin > OVERLAP, end - begin, 0.0)  # touching images leave no gap
    return order, lengths / lengths.sum()


def check_negatives(fractal: Fractal, gap: str | None) -> None:
    """UsageError where the gap has no room for negatives; unlike a distribution's, at any depth of
    the fractal."""
    Distribution(fractal, 1, parse_curve([0.5, 1.0]), gap=gap)


def _joined(label: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of one label as one piece."""
    starts = np.flatnonzero(np.concatenate([[True], label[1:] != label[:-1]]))
    return label[starts], np.add.reduceat(mass, starts)
