"""The sampler on the card: sample ``index`` of (seed, purpose), the same as the CPU's
(``kernels/points/sample.py``).

A thread draws one sample at a time. It makes the random words of an attempt as it needs them, four
at a time, so that nothing but the point has to be kept. ``draw`` is for kernels that need a sample
here and now, such as training on a stream; the kernel of the verb goes on to the thread's next
sample as soon as one is accepted, so that the threads of a warp do not wait for the one that is
refused most often."""

import functools
from typing import Any, NamedTuple

import numpy as np

from fracsim.kernels.cuda.level import Work, chunks, grid_for, new_stacks, place, point_level
from fracsim.kernels.cuda.target import (
    cuda,
    device,
    kernel,
    launch,
    new_on_card,
    new_stream,
    to_host,
)
from fracsim.kernels.jit import formula
from fracsim.kernels.points.geometry import Geometry, Law, affine_row
from fracsim.kernels.points.level import in_image
from fracsim.kernels.points.sample import (
    coordinate,
    draw_level,
    enlarged,
    is_close,
    reach,
    to_float32,
)
from fracsim.kernels.random.philox import random_words, uniform
from fracsim.kernels.rounding import add, mul


class Samples(NamedTuple):
    """Where samples go."""

    x: Any
    """(N, d) float64"""
    y: Any
    """(N,) int8, +1 or -1"""
    level: Any
    """(N,) int16"""


@formula
def word_of(words, place):
    """The uniform number ``place`` modulo 4 of four random words."""
    low = words[0] if place & 1 == 0 else words[1]
    high = words[2] if place & 1 == 0 else words[3]
    return uniform(low if place & 2 == 0 else high)


@formula
def near_image(geometry, law, u):
    """Whether u (d,) lies in an image enlarged by 1 + δ, δ the margin of negatives."""
    matrix, offset = geometry.inverse_matrices, geometry.inverse_offsets
    below, above = enlarged(geometry.low, law.negative_margin)
    near = False
    for i in range(offset.shape[0]):
        near = near | in_image(matrix, offset, i, below, above, u)
    return near


@formula
def descend(geometry, law, seed, purpose, index, block, words, target, u, v):
    """u ← F_{i_1} … F_{i_j} u, j = target; overwrites u, v (d,). ``words`` are those that hold the
    last coordinate."""
    matrix, offset = geometry.matrices, geometry.offsets
    maps = float(offset.shape[0])
    place, left, fraction = u.size, 0, 0.0
    for _ in range(target):
        if left == 0:  # a word serves for so many choices
            place += 1
            if place & 3 == 0:
                words = random_words(index, purpose, block + (place >> 2), seed)
            fraction, left = word_of(words, place), law.choices
        left -= 1
        digits = mul(fraction, maps)
        i = np.uint64(digits)
        fraction = add(digits, -float(i))
        for p in range(u.size):
            v[p] = affine_row(matrix, offset, i, p, u)
        for p in range(u.size):
            u[p] = v[p]


@formula
def propose(geometry, law, seed, purpose, index, block, target, point, work):
    """One attempt at sample ``index``, with the blocks from ``block``: (its level, whether
    ``point`` is that sample).

    The first attempt, block 0, draws the level; later ones are given it as ``target``. Overwrites
    point and work."""
    words = random_words(index, purpose, block, seed)
    if block == 0:
        target = draw_level(law.curve, word_of(words, 0))
    half, close = reach(geometry.low, law, target == law.fractal_depth), False
    for q in range(point.size):
        if (1 + q) & 3 == 0:
            words = random_words(index, purpose, block + ((1 + q) >> 2), seed)
        word = word_of(words, 1 + q)
        point[q] = coordinate(geometry.low, half, word)
        close = close | is_close(law, word)
    if (
        law.negative_margin > 0.0
        and target < law.fractal_depth
        and near_image(geometry, law, point)
    ):
        return target, False
    descend(geometry, law, seed, purpose, index, block, words, target, point, work.v)
    if law.rounded:
        for q in range(point.size):
            point[q] = to_float32(point[q])
    if law.certain and not (law.rounded and close):
        return target, True
    matrix, offset = geometry.inverse_matrices, geometry.inverse_offsets
    return target, point_level(
        matrix, offset, geometry.low, law.fractal_depth, point, work
    ) == target


@device
def draw(geometry, law, seed, purpose, index, point, work):
    """Level of sample ``index`` of the stream (seed, purpose); overwrites point (d,) with it. n for
    a positive.

    For one thread of any kernel; the threads of a block need not come here together. seed and index
    are uint64, geometry and law are placed on the card. ``point`` and the u, v, w of ``work`` are
    local arrays of the constant size d; its others and marks are this thread's part of
    ``new_stacks(threads, law.fractal_depth, d, stream)``, with anything in it::

        point, u = cuda.local.array(d, np.float64), cuda.local.array(d, np.float64)
        v, w = cuda.local.array(d, np.float64), cuda.local.array(d, np.float64)
        work = Work(u, v, w, stacks.others[thread], stacks.marks[thread])
        level = draw(geometry, law, seed, STREAM, index, point, work)
    """
    block, target, accepted = 0, 0, False
    while not accepted:
        target, accepted = propose(geometry, law, seed, purpose, index, block, target, point, work)
        block += law.blocks
    return target


@functools.cache
def sample_kernel(d: int) -> Any:
    """The kernel for d dimensions: (geometry, law, seed, purpose, first, samples, stacks)
    overwrites samples with the samples first, first + 1, …; seed and first are uint64."""

    @kernel
    def draw_samples(geometry, law, seed, purpose, first, samples, stacks):
        k, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        point, u = cuda.local.array(d, np.float64), cuda.local.array(d, np.float64)
        v, w = cuda.local.array(d, np.float64), cuda.local.array(d, np.float64)
        work = Work(u, v, w, stacks.others[k], stacks.marks[k])
        block, target, accepted = 0, 0, False
        while k < np.uint64(samples.x.shape[0]):
            target, accepted = propose(
                geometry, law, seed, purpose, first + k, block, target, point, work
            )
            block += law.blocks
            if accepted:
                for q in range(d):
                    samples.x[k, q] = point[q]
                samples.y[k] = 1 if target == law.fractal_depth else -1
                samples.level[k] = target
                k, block = k + threads, 0

    return draw_samples


def sample(
    geometry: Geometry, law: Law, seed: int, purpose: int, first: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (count, d) float64, y (count,) int8 of ±1, level (count,) int16 of samples first … first +
    count - 1."""
    n, d = law.fractal_depth, geometry.offsets.shape[1]
    whole = Samples(np.empty((count, d)), np.empty(count, np.int8), np.empty(count, np.int16))
    stream = new_stream()
    blocks, threads = grid_for(count, n, d)
    placed, placed_law = place(geometry, stream), place(law, stream)
    stacks = new_stacks(blocks * threads, n, d, stream)
    for start, beyond in chunks(count, d):
        part = Samples(
            *[new_on_card(array[start:beyond].shape, array.dtype, stream) for array in whole]
        )
        arguments = (np.uint64(seed), purpose, np.uint64(first + start), part, stacks)
        launch(sample_kernel(d), blocks, threads, 0, stream, placed, placed_law, *arguments)
        for array, piece in zip(whole, part, strict=True):
            array[start:beyond] = to_host(piece, stream)
    return whole.x, whole.y, whole.level
