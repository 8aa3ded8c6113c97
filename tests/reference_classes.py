"""Networks of several outputs, convolutional ones among them, as slowly and plainly as can be.

Windows by SciPy's correlation, maxima by reshaping, the softmax by its definition: all in float64.
"""

import numpy as np
from scipy.signal import correlate

from fracsim.kernels.network.shape import split_layers


def convolution(x, weights, biases):
    """Images (N, h, w, c) and weights (25 c, k), rows (row, column, channel) -> (N, h, w, k)."""
    count, height, width, channels = x.shape
    window = weights.reshape(5, 5, channels, -1)
    out = np.empty((count, height, width, window.shape[3]))
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    for i in range(count):
        for k in range(window.shape[3]):
            out[i, :, :, k] = correlate(padded[i], window[..., k], "valid")[:, :, 0] + biases[k]
    return out


def maxima(x):
    """Over whole squares of 2 x 2 pixels."""
    count, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    whole = x[:, : 2 * rows, : 2 * columns]
    return whole.reshape(count, rows, 2, columns, 2, channels).max((2, 4))


def scores(shape, params, x):
    """f (N, outputs) of points x (N, d)."""
    *hidden, (weights, biases) = split_layers(shape, np.asarray(params, np.float64))
    h = np.asarray(x, np.float64)
    if shape.image is not None:
        h = h.reshape(len(h), *shape.image)
    for layer, one in enumerate(hidden):
        z = h @ one[0] + one[1] if shape.image is None else convolution(h, *one)
        h = np.maximum(z, 0)
        if shape.image is not None and layer < 2:
            h = maxima(h)
    return h.reshape(len(h), -1) @ weights + biases


def cross_entropy(shape, params, x, y):
    """Mean over the points of -log softmax(f)[y]."""
    f = scores(shape, params, x)
    f = f - f.max(1, keepdims=True)
    return float((np.log(np.exp(f).sum(1)) - f[np.arange(len(y)), y.astype(int)]).mean())


def gradient(shape, params, x, y, places, distance=1e-6):
    """Central differences of the mean cross-entropy at these places of the parameters."""
    found = []
    for q in places:
        around = []
        for sign in (1, -1):
            moved = np.array(params, np.float64)
            moved[q] += sign * distance
            around.append(cross_entropy(shape, moved, x, y))
        found.append((around[0] - around[1]) / (2 * distance))
    return np.array(found)


def adam(shape, params, batches, rate, gradient_of, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Parameters after Adam's steps on ``batches`` of (x, y); ``gradient_of``(params, x, y)."""
    p, m, v = (np.array(params, np.float64), *np.zeros((2, len(params))))
    for t, (x, y) in enumerate(batches, start=1):
        g = gradient_of(p, x, y)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        p = p - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return p
