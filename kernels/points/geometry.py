"""The arrays that stand for a fractal and for a distribution on it.

Letters: d dimension, r maps, n depth of the fractal. The maps are F_i(x) = A_i x + b_i on the base
[low, 1]^d. The inverses are stored as F_i^-1(u) = M_i u + m_i, so that one step down the tree is
one affine map with a single rounding of its offset. Where the arithmetic of the maps is exact in
float64 (scales 1/2, 1/4; also u → 3u - 2) borders are decided exactly; elsewhere a point on a
border may fall on either side of it."""

from typing import NamedTuple

import numpy as np

from fracsim.kernels.jit import formula
from fracsim.kernels.rounding import add, mul

COMPLEMENT, CENTRE = 0, 1
GAPS = ("complement", "centre")
"""Names of the gaps; index = code."""


class Geometry(NamedTuple):
    """An IFS as arrays."""

    matrices: np.ndarray
    """A, (r, d, d)"""
    offsets: np.ndarray
    """b, (r, d)"""
    inverse_matrices: np.ndarray
    """M = A^-1, (r, d, d)"""
    inverse_offsets: np.ndarray
    """m = -A^-1 b, (r, d)"""
    low: float
    """Lower end of the base cube in every coordinate: -1 or 0; the upper end is 1."""
    touching: bool
    """Whether some images share a border point."""


class Law(NamedTuple):
    """A distribution on an IFS: which level, which gap, which margins. Made by
    ``kernels.sample.make_law``."""

    curve: np.ndarray
    """P(0..n), (n + 1,)"""
    fractal_depth: int
    """n"""
    gap: int
    """COMPLEMENT or CENTRE"""
    positive_margin: float
    """γ, relative to the innermost cell"""
    negative_margin: float
    """δ, relative to the negative's own cell"""
    choices: int
    """How many choices of a map one random word serves."""
    blocks: int
    """Philox blocks of one attempt."""
    certain: bool
    """Whether a point's level can only be the one it was drawn with, so that nothing needs
    checking; of rounded points, unless a word is close."""
    rounded: bool = False
    """Whether points are rounded to float32, and their levels are those of the rounded ones."""
    close: float = 0.0
    """Where words of ``certain`` points are this close to 0 or 1 rounding may move them."""


def make_geometry(
    matrices: np.ndarray, offsets: np.ndarray, low: float, touching: bool
) -> Geometry:
    """Geometry of the maps x → matrices[i] x + offsets[i]; shapes (r, d, d) and (r, d)."""
    # copies: a read-only array is another type to numba, which would compile every kernel again
    matrices = np.array(matrices, dtype=np.float64, order="C")
    offsets = np.array(offsets, dtype=np.float64, order="C")
    inverse = np.linalg.inv(matrices)
    inverse_offsets = -np.einsum("ipq,iq->ip", inverse, offsets)
    return Geometry(matrices, offsets, inverse, inverse_offsets, float(low), bool(touching))


@formula
def affine_row(matrix, offset, i, p, x):
    """Row p of map i at the point x (d,): offset + Σ_q matrix_pq x_q, summed in this order."""
    total = offset[i, p]
    for q in range(x.size):
        total = add(total, mul(matrix[i, p, q], x[q]))
    return total
