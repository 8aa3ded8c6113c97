"""Kernel matrices of infinitely wide networks, in loops that the compiler turns into vectors.

``wide_kernel`` (dual.py) says what they hold; here are no biases, so that a kernel is ‖x‖ ‖y‖ times
a function of the cosine u, and a layer maps u to u' = κ1(u). acos is the hard part: the machine's
own is a call for each number. It is written as a polynomial of one piece and a choice of
arguments, which hold for all of [-1, 1]."""

import math

import numpy as np

from fracsim.kernels.jit import inlined, kernel
from fracsim.kernels.wide.dual import LAPLACE, NTK

_COLUMNS, _AXES = 128, 32
"""Columns, and axes, that are worked on at once: they stay in the first cache."""

_ASIN = (
    0.16666666666666669,
    0.07499999999998433,
    0.04464285714635543,
    0.030381944138531247,
    0.02237217294214989,
    0.017352392720869973,
    0.013971212973552933,
    0.011479177415184906,
    0.01032281435018578,
    0.005457506718640358,
    0.01740087944269402,
    -0.014851887071247204,
    0.028757851367421566,
)
"""(asin(s)/s - 1)/s² = Σ c_i s^(2i) for s² ≤ 1/4: interpolated at Chebyshev's nodes in 60 digits;
asin is then exact to 6e-18 of itself."""


@inlined
def left_of(u):
    """π - acos(u) of |u| ≤ 1, to about 2e-16 of itself."""
    size = abs(u)
    far = size > 0.5
    square = 0.5 * (1.0 - size) if far else size * size
    s = math.sqrt(square) if far else size
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12 = _ASIN
    sum_ = c10 + square * (c11 + square * c12)
    sum_ = c7 + square * (c8 + square * (c9 + square * sum_))
    sum_ = c4 + square * (c5 + square * (c6 + square * sum_))
    sum_ = c0 + square * (c1 + square * (c2 + square * (c3 + square * sum_)))
    asin = s + s * square * sum_
    near = 0.5 * math.pi + (asin if u > 0.0 else -asin)
    at_end = math.pi - 2.0 * asin if u > 0.0 else 2.0 * asin
    return at_end if far else near


@kernel
def angles_left(u, out):
    """out[i] = π - acos(u[i]), (N,) float64."""
    for i in range(u.size):
        out[i] = left_of(u[i])


@kernel
def squared_lengths(x, out):
    """out[i] = ‖x_i‖² of x (N, d), summed in the order of ``kernel_matrix``."""
    for i in range(x.shape[0]):
        total = 0.0
        for axis in range(x.shape[1]):
            total += x[i, axis] * x[i, axis]
        out[i] = total


@kernel
def kernel_matrix(kind, layers, scale, x, x_squared, y, y_squared, rows, first_column, out):
    """out[i, j] = K(x_i, y_j) of the rows ``rows[0]`` ≤ i < ``rows[1]`` and of the columns from
    ``first_column`` on, float64, of x (N, d) and of y by its axes, (d, M).

    ``kind``: NTK, RF or LAPLACE; ``x_squared`` (N,), ``y_squared`` (M,): squared lengths. K(x, x)
    is exact, as x·x is summed like the squared length."""
    cosine, tangent = np.empty(_COLUMNS), np.empty(_COLUMNS)
    packed = np.empty((_AXES, _COLUMNS))
    for first in range(first_column, y.shape[1], _COLUMNS):
        last = min(first + _COLUMNS, y.shape[1])
        _products(x, y, rows, first, last, packed, out)
        lengths = y_squared[first:last]
        for i in range(rows[0], rows[1]):
            row = out[i, first:last]
            if kind == LAPLACE:
                _laplace(scale, x_squared[i], lengths, row)
            else:
                _networks(kind == NTK, layers, x_squared[i], lengths, cosine, tangent, row)


@kernel
def _products(x, y, rows, first, last, packed, out):
    """out[i, j] = x_i·y_j for the rows, and the columns first ≤ j < last, summed in the order of
    the axes: some of them at a time, of which y is copied to where it is near."""
    d, n = x.shape[1], last - first
    for i in range(rows[0], rows[1]):
        for j in range(first, last):
            out[i, j] = 0.0
    for axis in range(0, d, _AXES):
        count = min(_AXES, d - axis)
        for a in range(count):
            for j in range(n):
                packed[a, j] = y[axis + a, first + j]
        for i in range(rows[0], rows[1]):
            _add_products(x[i, axis : axis + count], packed, out[i, first:last])


@kernel
def _add_products(x, y, out):
    """out[j] += Σ x[a] y[a, j], four of them at a time."""
    count, n = x.size, out.size
    for a in range(0, count - 3, 4):
        x0, x1, x2, x3 = x[a], x[a + 1], x[a + 2], x[a + 3]
        y0, y1, y2, y3 = y[a], y[a + 1], y[a + 2], y[a + 3]
        for j in range(n):
            out[j] = (((out[j] + x0 * y0[j]) + x1 * y1[j]) + x2 * y2[j]) + x3 * y3[j]
    for a in range(count - count % 4, count):
        one, along = x[a], y[a]
        for j in range(n):
            out[j] += one * along[j]


@kernel
def _laplace(scale, a, b, row):
    """row[j]: x·y -> K."""
    for j in range(row.size):
        row[j] = math.exp(-scale * math.sqrt(max(a + b[j] - 2.0 * row[j], 0.0)))


@kernel
def _networks(all_layers, layers, a, b, cosine, tangent, row):
    """row[j]: x·y -> K."""
    n = row.size
    for j in range(n):
        length = math.sqrt(a * b[j])
        u = row[j] / length if length > 0.0 else 0.0
        u = u if u < 1.0 else 1.0
        u = u if u > -1.0 else -1.0
        cosine[j], tangent[j] = u, u
    for _ in range(layers - 1):
        for j in range(n):
            u = cosine[j]
            left = left_of(u)
            after = (u * left + math.sqrt((1.0 - u) * (1.0 + u))) / math.pi
            after = after if after < 1.0 else 1.0
            cosine[j] = after
            tangent[j] = tangent[j] * (left / math.pi) + after
    for j in range(n):
        row[j] = math.sqrt(a * b[j]) * (tangent[j] if all_layers else cosine[j])
