"""Random ReLU networks by the million, drawn, asked and forgotten in one kernel: their squared
lengths by layer, and their gradients.

Network i has the parameters that ``random/initial.py`` draws for the seed ``seed + i``, in float64;
nothing else decides them. Its input is √n_0 times a direction: all ones, or one drawn for each
network."""

import math

import numpy as np

from fracsim.kernels.jit import kernel
from fracsim.kernels.network.shape import N_IN, N_OUT, copy, greatest, layer_weights
from fracsim.kernels.random.initial import fill_normal, fill_uniform
from fracsim.kernels.random.philox import DIRECTION, random_words, uniform

UNIFORM, NORMAL = range(2)
"""Laws of weights: U(±scale); N(0, scale²) truncated at ± bound · scale."""


@kernel
def draw_parameters(seed, layout, laws, scales, bound, bias, bias_std, params):
    """Flat parameters (Q,) of one seed: ``laws`` and ``bound`` as above, ``scales`` (T+1,); biases
    are ``bias``, or N(bias, bias_std²) where bias_std ≥ 0."""
    first = 0
    for layer in range(layout.shape[0]):
        n_in, n_out = layout[layer, N_IN], layout[layer, N_OUT]
        weights = params[first : first + n_in * n_out]
        if laws == NORMAL:
            fill_normal(seed, first, scales[layer], bound, weights)
        else:
            fill_uniform(seed, first, -scales[layer], scales[layer], weights)
        first += n_in * n_out
        biases = params[first : first + n_out]
        if bias_std >= 0.0:  # a bias is drawn at its own place: no number serves twice
            fill_normal(seed, first, bias_std, math.inf, biases)
            biases += bias
        else:
            biases[:] = bias
        first += n_out


@kernel
def draw_direction(seed, x):
    """x (d,) = a uniformly random vector of length √d."""
    total = 0.0
    for i in range(x.size):
        a, b, _, _ = random_words(np.uint64(i), DIRECTION, 0, seed)
        x[i] = math.sqrt(-2.0 * math.log(uniform(a))) * math.cos(2.0 * math.pi * uniform(b))
        total += x[i] * x[i]
    x *= math.sqrt(x.size / total)


@kernel
def forward_relu(layout, params, x, h):
    """h (T+1, widest) = x_0 = x and the activations of every hidden layer, in the first n_l places
    of row l."""
    copy(x, 0, h[0], 0, x.size)
    for layer in range(layout.shape[0] - 1):
        weights, biases = layer_weights(layout, params, layer)
        z = h[layer + 1, : biases.size]
        copy(biases, 0, z, 0, biases.size)
        for i in range(weights.shape[0]):
            if h[layer, i] != 0.0:
                for o in range(biases.size):
                    z[o] += h[layer, i] * weights[i, o]
        for o in range(biases.size):
            z[o] = max(z[o], 0.0)


@kernel
def input_gradient(layout, params, h, back, gradient):
    """gradient (d,) = ∂f/∂x, from the activations of ``forward_relu``; overwrites back
    (2, widest)."""
    last = layout.shape[0] - 1
    weights, _ = layer_weights(layout, params, last)
    for i in range(weights.shape[0]):
        back[last % 2, i] = weights[i, 0]
    for layer in range(last - 1, -1, -1):
        weights, biases = layer_weights(layout, params, layer)
        above, below = back[(layer + 1) % 2], back[layer % 2]
        for o in range(biases.size):
            if not h[layer + 1, o] > 0.0:
                above[o] = 0.0
        for i in range(weights.shape[0]):
            total = 0.0
            for o in range(biases.size):
                total += weights[i, o] * above[o]
            below[i] = total
    copy(back[0], 0, gradient, 0, gradient.size)


@kernel
def sample_networks(
    seed, first, layout, laws, scales, bound, bias, bias_std, ones, lengths, gradients
):
    """Of networks ``first``, … : lengths[l, i] = ‖x_{l+1}‖²/n_{l+1}, and gradients (N, d), where
    that has any columns, = ∂f/∂x; at an input with ‖x‖²/d = 1, all ones or random."""
    layers = layout.shape[0] - 1
    last = layout.shape[0] - 1
    size = layout[last, 2] + (layout[last, N_IN] + 1) * layout[last, N_OUT]
    widest = max(greatest(layout, layers + 1, N_IN), greatest(layout, layers + 1, N_OUT))
    params, x = np.empty(size), np.ones(layout[0, N_IN])
    h, back = np.empty((layers + 1, widest)), np.empty((2, widest))
    for i in range(lengths.shape[1]):
        key = np.uint64(seed + np.uint64(first + i))
        draw_parameters(key, layout, laws, scales, bound, bias, bias_std, params)
        if not ones:
            draw_direction(key, x)
        forward_relu(layout, params, x, h)
        for layer in range(layers):
            n, total = layout[layer, N_OUT], 0.0
            for o in range(n):
                total += h[layer + 1, o] * h[layer + 1, o]
            lengths[layer, i] = total / n
        if gradients.shape[1] > 0:
            input_gradient(layout, params, h, back, gradients[i])
