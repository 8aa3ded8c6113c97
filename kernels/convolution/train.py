"""Training one network of several outputs on the CPU: a bounded chunk of steps in one call.

One step: the batch passes forward and backward, a chunk of images at a time; then the optimiser
changes all parameters. Nothing depends on how steps are cut into calls."""

import numpy as np

from fracsim.kernels.convolution.evaluate import clear_images, load_image, pass_chunk
from fracsim.kernels.convolution.layers import (
    clear_gradient,
    make_work,
    pack_weights,
    unpack_gradient,
)
from fracsim.kernels.convolution.plan import BLOCKS, GRADIENT, HEIGHT, LABELS, PARAMS, WIDTH, M, V
from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.network.shape import copy
from fracsim.kernels.random.feistel import epoch_key, shuffled
from fracsim.kernels.random.philox import AUGMENT, random_words
from fracsim.kernels.training.train import keep_count, step_factors, update
from fracsim.kernels.vectors import VECTOR_BYTES


@formula
def draw_place(seed, step, batch, b, free_rows, free_columns, flip):
    """(top, left, flipped) of image b of a step's batch: a function of the seed and its number."""
    number = np.uint64((step - 1) * batch + b)
    down, right, turned, _ = random_words(number, AUGMENT, 0, seed)
    top = np.int64((np.uint64(down) * np.uint64(free_rows + 1)) >> np.uint64(32))
    left = np.int64((np.uint64(right) * np.uint64(free_columns + 1)) >> np.uint64(32))
    return top, left, flip == 1 and turned >= np.uint32(2**31)


@kernel
def load_batch(places, at, w, batch, seed, x, y, size, flip, step, first, points, blocks):
    """Images ``first`` … of the batch of ``step`` = 1, 2, …, in its epoch's order, to a chunk.

    A batch that would cross the end of an epoch is dropped."""
    lanes, count = VECTOR_BYTES // w.itemsize, len(y)
    epoch = (step - 1) // (count // batch)
    start = (step - 1 - epoch * (count // batch)) * batch + first
    key = epoch_key(seed, epoch)
    free_rows, free_columns = size[0] - places[HEIGHT], size[1] - places[WIDTH]
    top, left, flipped = np.int64(0), np.int64(0), False
    for b in range(points):
        index = shuffled(start + b, count, key)
        w[places[LABELS] + b] = y[index]
        if free_rows + free_columns + flip[0] > 0:
            top, left, flipped = draw_place(
                seed, step, batch, first + b, free_rows, free_columns, flip[0]
            )
        load_image(w, at, places, b, x[index], top, left, size[1], flipped)
    clear_images(w, at, places, points, blocks * lanes)


@kernel
def train_on_images(
    plan, places, at, rule, learning_rate, seed, state, run, x, y, size, flip, start, stop
):
    """Steps start+1 … stop of one run on images x (N, …), y (N,), see ``Images``; modifies
    ``state`` in place. Stops before the update where the loss is not finite."""
    w = make_work(places, state.params[run])
    lanes, count = VECTOR_BYTES // w.itemsize, state.params.shape[1]
    copy(state.params[run], 0, w, places[PARAMS], count)
    copy(state.m[run], 0, w, places[M], count)
    copy(state.v[run], 0, w, places[V], count)
    chunk = places[BLOCKS] * lanes
    for step in range(start + 1, stop + 1):
        clear_gradient(places, w, count)
        pack_weights(plan, places, w, True)
        total, correct = 0.0, 0
        for first in range(0, rule.batch, chunk):
            points = min(chunk, rule.batch - first)
            blocks = (points + lanes - 1) // lanes
            load_batch(
                places, at, w, rule.batch, seed, x, y, size, flip, step, first, points, blocks
            )
            loss, right = pass_chunk(plan, places, at, w, points, blocks, rule.batch)
            total += loss
            correct += right
        if not keep_count(state, run, step, rule.batch, total, correct):
            break
        unpack_gradient(plan, places, at, w)
        rate, scale = step_factors(rule, learning_rate, step)
        update(rule, rate, scale, count, w, places[PARAMS], places[M], places[V], places[GRADIENT])
    copy(w, places[PARAMS], state.params[run], 0, count)
    copy(w, places[M], state.m[run], 0, count)
    copy(w, places[V], state.v[run], 0, count)
