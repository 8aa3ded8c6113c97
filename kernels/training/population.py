"""The hinge loss of a ReLU network over a whole distribution on a line, and its gradient: exact, no
sampling.

    L = E[1 - y f(x)]_+   over a distribution of ``line.py``, in d = 1 and float64

The network is affine between its breakpoints, so it is walked piece by piece from left to right,
and depth first: a piece on which layers 1 … l are affine is cut where units of layer l + 1 change
sign, and so on up to the readout. There the hinge is active on one interval per label, whose mass
m0 and first moment m1 are known in closed form. With z = A x + B on a piece,

    L = Σ_pieces (p m0 + q m1),   1 - y f(x) = p + q x;     dL/dz(x) = D(x),  E[D] = d0,  E[x D] =
    d1

and the gradient of a layer's weights on its parent piece h = α x + β is α d1 + β d0, where d0 and
d1 are sums over all pieces within. They are carried back through the weights once per piece of each
layer, not once per finest piece.

Where |f| < 1 everywhere the hinge is active everywhere, and the loss is E[1 - y f(x)], whose
gradient is -E[y ∂f/∂θ]: how the label correlates with what a parameter can change. Without the
hinge (``hinged`` false) that is the loss."""

import functools

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.network.shape import (
    FLAT_START,
    N_IN,
    N_OUT,
    Shape,
    flat_layout,
    greatest,
    parameter_count,
)
from fracsim.kernels.points.line import Line, below

_layout = functools.lru_cache(maxsize=64)(flat_layout)  # a gradient may take 30 µs, a layout 3


@formula
def part_of(layer, layout):
    """(place in the flat parameters, n_in, n_out) of layer 1 … T + 1, readout last; the input is
    layer 0 here."""
    return layout[layer - 1, FLAT_START], layout[layer - 1, N_IN], layout[layer - 1, N_OUT]


@kernel
def carry_forward(layer, layout, params, h, z):
    """Slopes and offsets z[layer] = W h[layer - 1] + b of the layer's pre-activations on the
    current piece."""
    place, n_in, n_out = part_of(layer, layout)
    slope, offset = z[layer, 0], z[layer, 1]
    for j in range(n_out):
        slope[j], offset[j] = 0.0, params[place + n_in * n_out + j]
    for i in range(n_in):
        a, b = h[layer - 1, 0, i], h[layer - 1, 1, i]
        if a != 0.0 or b != 0.0:  # a unit that sleeps on this piece adds nothing
            row = params[place + i * n_out : place + (i + 1) * n_out]
            for j in range(n_out):
                slope[j] += a * row[j]
                offset[j] += b * row[j]


@kernel
def carry_back(layer, layout, params, h, d, dparams):
    """Add the gradient of a layer on the current piece of the layer before; hand d0 and d1 on to
    that layer."""
    place, n_in, n_out = part_of(layer, layout)
    d0, d1 = d[layer, 0], d[layer, 1]
    for i in range(n_in):
        a, b = h[layer - 1, 0, i], h[layer - 1, 1, i]
        if a != 0.0 or b != 0.0:
            first, last = place + i * n_out, place + (i + 1) * n_out
            row, drow = params[first:last], dparams[first:last]
            back0 = back1 = 0.0
            for j in range(n_out):
                drow[j] += a * d1[j] + b * d0[j]
                back0 += row[j] * d0[j]
                back1 += row[j] * d1[j]
            d[layer - 1, 0, i] += back0
            d[layer - 1, 1, i] += back1
    for j in range(n_out):
        dparams[place + n_in * n_out + j] += d0[j]


@kernel
def cut(units, z, lo, hi, cuts):
    """Cut [lo, hi] where the pre-activations z (2, ≥ units) of a layer change sign: fills ``cuts``,
    ascending; returns the pieces."""
    cuts[0] = lo
    count = 1
    for j in range(units):
        slope, offset = z[0, j], z[1, j]
        if (slope * lo + offset) * (slope * hi + offset) < 0.0:
            x = min(max(-offset / slope, lo), hi)
            i = count
            while cuts[i - 1] > x:
                cuts[i] = cuts[i - 1]
                i -= 1
            cuts[i] = x
            count += 1
    cuts[count] = hi
    return count


@kernel
def rectify(units, z, x, h):
    """h (2, ≥ units) = slopes and offsets of the units that are active at x, 0 for the others; z
    likewise."""
    for j in range(units):
        active = z[0, j] * x + z[1, j] > 0.0
        h[0, j] = z[0, j] if active else 0.0
        h[1, j] = z[1, j] if active else 0.0


@formula
def positive_part(p, q, lo, hi):
    """The interval of [lo, hi] on which p + q x > 0, which may be empty. All of it where p + q x is
    not a number."""
    first, last = p + q * lo, p + q * hi
    if first <= 0.0 and last <= 0.0:
        return lo, lo
    if not (first < 0.0 or last < 0.0):
        return lo, hi
    x = min(max(-p / q, lo), hi)
    return (x, hi) if first < 0.0 else (lo, x)


@formula
def mass_within(line, label, part, piece, at_ends):
    """(mass, first moment) of a label on the interval ``part`` of a ``piece``, at whose two ends
    ``below`` is known."""
    place = 0 if label > 0.0 else 2
    m0 = m1 = 0.0
    for end in range(2):
        known = at_ends[0] if part[end] == piece[0] else at_ends[1]
        if part[end] != piece[0] and part[end] != piece[1]:
            known = below(line, part[end])
        sign = 2 * end - 1
        m0 += sign * known[place]
        m1 += sign * known[place + 1]
    return m0, m1


@formula
def loss_on_piece(line, hinged, slope, offset, lo, hi, at_ends):
    """(loss, mass of correct predictions, d0, d1) where f = slope · x + offset on [lo, hi]."""
    loss = right = d0 = d1 = 0.0
    for label in (1.0, -1.0):
        p, q = 1.0 - label * offset, -label * slope
        part = positive_part(p, q, lo, hi) if hinged else (lo, hi)
        m0, m1 = mass_within(line, label, part, (lo, hi), at_ends)
        loss += p * m0 + q * m1
        d0 -= label * m0
        d1 -= label * m1
        if slope != 0.0 or offset != 0.0:  # a score of 0 counts as wrong
            right += mass_within(
                line, label, positive_part(1.0 - p, -q, lo, hi), (lo, hi), at_ends
            )[0]
    return loss, right, d0, d1


@kernel
def loss_and_gradient(layout, params, line, hinged, dparams):
    """(loss, accuracy) of the network with flat params (Q,) over the whole distribution; overwrites
    dparams (Q,). ``layout``: its ``flat_layout``, with one input."""
    depth = layout.shape[0] - 1
    width = greatest(layout, depth + 1, N_IN)  # the widest hidden layer, and the one input
    h, z = np.zeros((depth + 1, 2, width)), np.zeros((depth + 2, 2, width))
    d = np.zeros((depth + 2, 2, width))
    cuts, pieces, place = (
        np.zeros((depth + 1, width + 2)),
        np.zeros(depth + 1, np.int64),
        np.zeros(depth + 1, np.int64),
    )
    dparams[:] = 0.0
    h[0, 0, 0] = 1.0  # the input itself
    loss = right = 0.0
    layer, lo, hi = 1, line.low, 1.0
    at_lo = below(line, lo)
    while True:
        carry_forward(layer, layout, params, h, z)
        if layer <= depth:
            units = layout[layer - 1, N_OUT]
            pieces[layer], place[layer] = cut(units, z[layer], lo, hi, cuts[layer]), 0
            d[layer] = 0.0
        else:
            at_hi = below(line, hi)
            more, correct, d[layer, 0, 0], d[layer, 1, 0] = loss_on_piece(
                line, hinged, z[layer, 0, 0], z[layer, 1, 0], lo, hi, (at_lo, at_hi)
            )
            loss, right, at_lo = loss + more, right + correct, at_hi
            carry_back(layer, layout, params, h, d, dparams)
            layer -= 1
            while layer > 0 and place[layer] == pieces[layer]:
                carry_back(layer, layout, params, h, d, dparams)
                layer -= 1
            if layer == 0:
                return loss, right
        lo, hi = cuts[layer, place[layer]], cuts[layer, place[layer] + 1]
        place[layer] += 1
        rectify(layout[layer - 1, N_OUT], z[layer], 0.5 * (lo + hi), h[layer])
        layer += 1


def population_gradient(
    shape: Shape, params: np.ndarray, line: Line, hinged: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dparams (R, Q) = gradient of the mean loss, that loss (R,) and the accuracy (R,) of params
    (R, Q) float64."""
    if (shape.inputs, shape.outputs) != (1, 1) or params.shape[1:] != (parameter_count(shape),):
        raise ValueError(
            f"parameters {params.shape} are not those of networks of {shape}; one input and one "
            f"output are accepted"
        )
    layout = _layout(shape)
    dparams, losses, accuracy = np.empty_like(params), np.empty(len(params)), np.empty(len(params))
    for run in range(len(params)):
        losses[run], accuracy[run] = loss_and_gradient(
            layout, params[run], line, hinged, dparams[run]
        )
    return dparams, losses, accuracy
