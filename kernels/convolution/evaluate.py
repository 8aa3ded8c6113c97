"""A network of several outputs on given points: scores, and the gradient of the mean loss."""

import functools

from fracsim.kernels.convolution.classes import batch_of_classes
from fracsim.kernels.convolution.layers import (
    backward,
    forward,
    make_work,
    pack_weights,
    unpack_gradient,
)
from fracsim.kernels.convolution.plan import (
    BLOCKS,
    CHANNELS,
    CLASSES,
    DZ,
    GRADIENT,
    HEIGHT,
    LABELS,
    N_OUT,
    PARAMS,
    PIXELS,
    ROW_TABLE,
    SCORES,
    WIDTH,
    Z_PLACES,
    Layout,
    Z,
    make_layout,
)
from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.network.shape import Shape, copy
from fracsim.kernels.vectors import VECTOR_BYTES

BATCH = 128
"""Points that pass together, where the cache holds them."""


@functools.lru_cache(maxsize=64)
def layout_of(shape: Shape, batch: int, itemsize: int) -> Layout:
    """``make_layout`` for the vectors of this machine."""
    return make_layout(shape, batch, itemsize, VECTOR_BYTES // itemsize)


@formula
def load_image(w, at, places, b, image, top, left, width, flipped):
    """Copy the part of an image (rows, columns, channels), flat, that begins at ``top`` and
    ``left``, to place ``b`` of a chunk; ``width``: columns of the image. ``flipped``: its columns
    the other way round."""
    lanes = VECTOR_BYTES // w.itemsize
    columns, channels = places[WIDTH], places[CHANNELS]
    for y in range(places[HEIGHT]):
        target = at[places[ROW_TABLE] + b // lanes * places[HEIGHT] + y] + b % lanes
        source = ((top + y) * width + left) * channels
        if flipped:
            for x in range(columns):
                for c in range(channels):
                    w[target] = image[source + (columns - 1 - x) * channels + c]
                    target += lanes
        else:
            for i in range(columns * channels):
                w[target + i * lanes] = image[source + i]


@formula
def clear_images(w, at, places, first, last):
    """Set the images at places ``first`` … ``last`` - 1 of a chunk to 0."""
    lanes = VECTOR_BYTES // w.itemsize
    for b in range(first, last):
        for y in range(places[HEIGHT]):
            target = at[places[ROW_TABLE] + b // lanes * places[HEIGHT] + y] + b % lanes
            for i in range(places[WIDTH] * places[CHANNELS]):
                w[target + i * lanes] = 0


@formula
def load_points(w, at, places, x, first, points):
    """Copy x[first : first + points] (N, d) into a chunk; how many blocks they fill. What is left
    of the last one is 0."""
    lanes = VECTOR_BYTES // w.itemsize
    blocks = (points + lanes - 1) // lanes
    for b in range(points):
        load_image(w, at, places, b, x[first + b], 0, 0, places[WIDTH], False)
    clear_images(w, at, places, points, blocks * lanes)
    return blocks


@kernel
def scores_of(plan, places, at, params, x, scores):
    """scores (N, classes) of the points x (N, d) under flat parameters (Q,); overwrites."""
    lanes, classes = VECTOR_BYTES // params.itemsize, places[CLASSES]
    w = make_work(places, params)
    copy(params, 0, w, places[PARAMS], params.size)
    pack_weights(plan, places, w, False)
    chunk = places[BLOCKS] * lanes
    for first in range(0, x.shape[0], chunk):
        points = min(chunk, x.shape[0] - first)
        forward(plan, places, at, w, load_points(w, at, places, x, first, points))
        for b in range(points):
            place = places[SCORES] + b // lanes * classes * lanes + b % lanes
            for c in range(classes):
                scores[first + b, c] = w[place + c * lanes]


@formula
def raise_peaks(plan, at, w, points, blocks, peaks):
    """Raise ``peaks`` (units,), layer by layer, to the activations of the ``points`` images of a
    chunk; a channel is a unit, at all its pixels."""
    lanes, first = VECTOR_BYTES // w.itemsize, 0
    for layer in range(plan.shape[0] - 1):
        row = plan[layer]
        for p in range(blocks * row[PIXELS]):
            place = row[Z] + at[row[Z_PLACES] + p]
            filled = min(lanes, points - p // row[PIXELS] * lanes)
            for o in range(row[N_OUT]):
                for lane in range(filled):
                    value = w[place + o * lanes + lane]
                    if value > peaks[first + o]:
                        peaks[first + o] = value
        first += row[N_OUT]


@kernel
def loss_gradient(plan, places, at, params, x, y, dparams, peaks):
    """Mean loss over the points x (N, d), y (N,); ``dparams`` (Q,) = its gradient; overwrites.
    ``peaks`` (units,) are raised to the greatest activations; of length 0, they are left out."""
    lanes = VECTOR_BYTES // params.itemsize
    w = make_work(places, params)
    copy(params, 0, w, places[PARAMS], params.size)
    pack_weights(plan, places, w, True)
    chunk, total = places[BLOCKS] * lanes, 0.0
    for first in range(0, x.shape[0], chunk):
        points = min(chunk, x.shape[0] - first)
        for b in range(points):
            w[places[LABELS] + b] = y[first + b]
        blocks = load_points(w, at, places, x, first, points)
        loss, _ = pass_chunk(plan, places, at, w, points, blocks, x.shape[0])
        total += loss
        if peaks.size > 0:
            raise_peaks(plan, at, w, points, blocks, peaks)
    unpack_gradient(plan, places, at, w)
    copy(w, places[GRADIENT], dparams, 0, dparams.size)
    return total / x.shape[0]


@kernel
def pass_chunk(plan, places, at, w, points, blocks, count):
    """(sum of losses, correct) of the chunk that is loaded; its part of the gradient of the mean
    loss over ``count`` points is added to SUMS and GRADIENT, see ``unpack_gradient``."""
    lanes = VECTOR_BYTES // w.itemsize
    forward(plan, places, at, w, blocks)
    found = batch_of_classes(
        w, places[SCORES], places[LABELS], plan[plan.shape[0] - 1, DZ], places[CLASSES], lanes,
        points, count,
    )  # fmt: skip
    backward(plan, places, at, w, blocks)
    return found
