"""Where everything of a network on images lies, in one work array, and the tables of its tiles.

Plain networks of several outputs are computed here too: their layers see an image of one pixel.

An activation is (blocks, rows, columns, channels, lanes): a block is as many images of a batch as a
vector has lanes. Images that a convolution sees have a border of zeros, so that its windows need no
care; the slopes of its outputs have one, too, since the gradient of its inputs is a convolution
back. A batch passes in chunks of as many blocks as the cache holds."""

import math
from typing import NamedTuple

import numpy as np

from fracsim.kernels.network.shape import (
    CACHE_LINE,
    POOLED,
    SIDE,
    Image,
    Shape,
    flat_layout,
    images_of,
    parameter_count,
    round_up,
)

CHUNK_BYTES = 1 << 21
"""Activations and slopes of one chunk, unless one block has more."""

CROWDED = 32
"""Where channels are a multiple of this, pixels would lie so many powers of two apart that the same
few sets of a cache hold one channel of all of them: a vector is left free behind each pixel."""

SPAN_BYTES = 1 << 19
"""Of X, that the tiles of the weight gradient go through for all outputs before they go on."""

(
    N_IN,
    N_OUT,
    FLAT_START,
    X,
    Z,
    DZ,
    PIXELS,
    WINDOW,
    X_PLACES,
    Z_PLACES,
    TERMS,
    ROWS,
    DZ_PLACES,
    BACK,
    BACK_OUT,
    BACK_PIXELS,
    BACK_WINDOW,
    BACK_X,
    BACK_TARGET,
    BACK_Z,
    MASK_X,
    HAND_DOWN,
    HANDED,
    POOL_X,
    POOL_Z,
    POOL_DZ,
    POOL_PIXELS,
    Z_DOWN,
    DZ_DOWN,
    SPAN,
    DZ_RIGHT,
) = range(31)
"""Columns of a plan, one row per layer. The first three are a ``flat_layout``.

X, Z, DZ: places of input, outputs before a maximum, and slopes of the outputs. PIXELS: outputs of a
channel in a block. Where tables begin: WINDOW, offsets of the n_in in X; X_PLACES and Z_PLACES, of
windows and outputs; TERMS and ROWS, offsets in X and rows of the weights, in the order of the
weight gradient, channel by channel, and SPAN, how many of them meet so little of X that the cache
keeps it; DZ_PLACES, slopes of the pixels. Where a maximum follows: POOL_X, POOL_Z and
POOL_DZ, of its results in X of the next layer, and of the upper left one of its 2 x 2 pixels in Z
and DZ; POOL_PIXELS, results in a block; Z_DOWN and DZ_DOWN, steps from a row to the next.

Backward, for all layers but the first: BACK, terms of a sum; BACK_OUT, its results; BACK_PIXELS in
a block; tables BACK_WINDOW, offsets in DZ; BACK_X, windows in DZ; BACK_Z, results from BACK_TARGET
on; MASK_X, the activations. HAND_DOWN: how slopes get from there, pixel by pixel (HANDED), to DZ of
the layer below."""

NOTHING, SPREAD, UNPOOL = range(3)
"""Values of HAND_DOWN: results lie in place; are copied, element by element; or go to the first of
2 x 2 pixels that has the maximum."""

(
    PARAMS,
    M,
    V,
    GRADIENT,
    PACKED,
    TURNED,
    SCORES,
    LABELS,
    ONES,
    ZERO,
    TOTAL,
    BLOCKS,
    CLASSES,
    HEIGHT,
    WIDTH,
    CHANNELS,
    ROW_TABLE,
    ZERO_TABLE,
    SUMS,
    COUNT_TABLE,
) = range(20)
"""Places in the work array, up to ZERO; its length, TOTAL; sizes: BLOCKS of a chunk, outputs, and
those of an image; and tables: rows of the images in X of the first layer, zeros, and 0, 1, 2, …

SUMS: the gradient of the weights as its tiles leave it, each layer's from FLAT_START on: a strip
for every few outputs, in it the terms, and of each term these outputs side by side. So it is
written from front to back.

PACKED and TURNED: the weights as the tiles of forward and backward take them, each layer's from
FLAT_START on. SCORES: X of a layer after the readout. LABELS: of a chunk's images."""


class Layout(NamedTuple):
    """plan (T + 1, 31), places (20,) and the tables, all int64."""

    plan: np.ndarray
    places: np.ndarray
    at: np.ndarray


class _Grid(NamedTuple):
    """An activation in memory: rows, columns and channels with a border around it."""

    height: int
    width: int
    channels: int
    border: int
    lanes: int
    free: int = 0
    """vectors behind the channels of a pixel"""

    @property
    def pixel(self) -> int:
        """Elements from a pixel to the next."""
        return (self.channels + self.free) * self.lanes

    @property
    def size(self) -> int:
        """Elements of a block."""
        rows, columns = self.height + 2 * self.border, self.width + 2 * self.border
        return rows * columns * self.pixel

    def dense(self) -> "_Grid":
        """The same without a border, and with nothing free."""
        return self._replace(border=0, free=0)

    def places(self, blocks: int, border: int | None = None) -> np.ndarray:
        """Of channel 0 of every pixel, block by block; with ``border`` 0 of the window's corner."""
        border = self.border if border is None else border
        block, y, x = np.ogrid[:blocks, : self.height, : self.width]
        columns = self.width + 2 * self.border
        inside = ((y + border) * columns + x + border) * self.pixel
        return (block * self.size + inside).ravel()

    def window(self, side: int, channels: int) -> np.ndarray:
        """Offsets (side, side, channels) from the corner of a window."""
        y, x, c = np.ogrid[:side, :side, :channels]
        columns = self.width + 2 * self.border
        return (y * columns + x) * self.pixel + c * self.lanes


class _Tables:
    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []
        self.end = 0

    def add(self, values: np.ndarray) -> int:
        """Where values begin from now on."""
        first = self.end
        self.parts.append(values.ravel().astype(np.int64))
        self.end += values.size
        return first


class _Places:
    def __init__(self) -> None:
        self.end = 0

    def add(self, size: int) -> int:
        """Where so many elements begin."""
        first = self.end
        self.end += round_up(size, CACHE_LINE)
        return first


def _free(channels: int, border: int) -> int:
    """Vectors that are left free behind a pixel of an image with a border."""
    return int(border > 0 and channels % CROWDED == 0)


def corners(places: np.ndarray) -> np.ndarray:
    """Of all whole squares of 2 x 2 among (blocks, rows, columns), the upper left one."""
    _, height, width = places.shape
    return places[:, : height // 2 * 2 : 2, : width // 2 * 2 : 2]


def _images(shape: Shape) -> list[Image]:
    """What each layer sees, and one pixel of the outputs."""
    if shape.image is not None:
        return [*images_of(shape), (1, 1, shape.outputs)]
    return [(1, 1, k) for k in (shape.inputs, *shape.widths, shape.outputs)]


def make_layout(shape: Shape, batch: int, itemsize: int, lanes: int) -> Layout:
    """Of a network for batches of ``batch`` images and vectors of ``lanes``."""
    depth, convolutional = shape.depth, shape.image is not None
    images, margin = _images(shape), SIDE // 2
    borders = [margin if convolutional and layer < depth else 0 for layer in range(depth + 2)]
    inputs = [
        _Grid(*image, border, lanes, _free(image[2], border) if layer else 0)
        for layer, (image, border) in enumerate(zip(images, borders, strict=True))
    ]
    outputs = []
    for layer in range(depth + 1):
        size = images[layer][:2] if borders[layer] else (1, 1)
        channels, border = images[layer + 1][2], borders[layer]
        outputs.append(_Grid(*size, channels, border, lanes, _free(channels, border)))
    pooled = [convolutional and layer < min(depth, POOLED) for layer in range(depth + 1)]
    unpooled = [grid.dense() for grid in outputs]
    sizes = [grid.size for grid in (*inputs, *outputs)]
    sizes += [grid.size for grid, halved in zip(unpooled, pooled, strict=True) if halved]
    blocks = max(1, min(math.ceil(batch / lanes), CHUNK_BYTES // (sum(sizes) * itemsize)))
    plan, place, tables = np.zeros((depth + 1, 31), np.int64), _Places(), _Tables()
    plan[:, :3] = flat_layout(shape)
    places = np.zeros(20, np.int64)
    count = parameter_count(shape)
    for part in (PARAMS, M, V, GRADIENT, PACKED, TURNED, SUMS):
        places[part] = place.add(count)
    places[LABELS] = place.add(blocks * lanes)
    places[ONES], places[ZERO] = place.add(lanes), place.add(1)
    where = [place.add(blocks * grid.size) for grid in inputs]
    spare = place.add(blocks * max(grid.size for grid in inputs))
    places[SCORES], places[BLOCKS] = where[-1], blocks
    places[CLASSES], places[HEIGHT : CHANNELS + 1] = shape.outputs, images[0]
    pixels = inputs[0].places(blocks).reshape(blocks, *images[0][:2])
    places[ROW_TABLE] = tables.add(where[0] + pixels[:, :, 0])
    places[ZERO_TABLE] = tables.add(
        np.zeros(blocks * max(grid.height * grid.width for grid in outputs))
    )
    places[COUNT_TABLE] = tables.add(np.arange(plan[:, N_IN].max()))
    for layer in range(depth + 1):
        grid, out, row = inputs[layer], outputs[layer], plan[layer]
        row[X], row[DZ] = where[layer], place.add(blocks * out.size)
        target = unpooled[layer] if pooled[layer] else inputs[layer + 1]
        row[Z] = place.add(blocks * target.size) if pooled[layer] else where[layer + 1]
        row[PIXELS] = out.height * out.width
        row[Z_PLACES], row[DZ_PLACES] = (tables.add(each.places(blocks)) for each in (target, out))
        if borders[layer]:
            window = grid.window(SIDE, grid.channels)
            row[X_PLACES] = tables.add(grid.places(blocks, 0))
        else:
            window = (np.arange(math.prod(images[layer])) * lanes).reshape(1, 1, -1)
            row[X_PLACES] = tables.add(np.arange(blocks) * grid.size)
        row[WINDOW] = tables.add(window)
        # the places of a window share what they read of a channel: they come one after another
        rows = np.arange(window.size).reshape(window.shape)
        row[TERMS], row[ROWS] = (tables.add(each.transpose(2, 0, 1)) for each in (window, rows))
        channels = window.shape[2]
        kept = SPAN_BYTES // (blocks * (grid.size // channels) * itemsize)
        row[SPAN] = SIDE * max(1, kept * (window.size // channels) // SIDE)
        if pooled[layer]:
            squares = unpooled[layer].places(blocks).reshape(blocks, out.height, out.width)
            slopes = out.places(blocks).reshape(squares.shape)
            row[POOL_Z], row[POOL_DZ] = tables.add(corners(squares)), tables.add(corners(slopes))
            row[POOL_X] = tables.add(inputs[layer + 1].places(blocks))
            row[POOL_PIXELS] = inputs[layer + 1].height * inputs[layer + 1].width
            row[Z_DOWN], row[DZ_DOWN] = squares[0, 1, 0], slopes[0, 1, 0] - slopes[0, 0, 0]
            row[DZ_RIGHT] = out.pixel
    for layer in range(1, depth + 1):
        grid, out, row = inputs[layer], outputs[layer], plan[layer]
        flat = grid.dense()
        if borders[layer]:
            row[BACK], row[BACK_OUT] = SIDE * SIDE * out.channels, grid.channels
            row[BACK_PIXELS] = grid.height * grid.width
            row[BACK_WINDOW] = tables.add(out.window(SIDE, out.channels))
            row[BACK_X], row[MASK_X] = (
                tables.add(out.places(blocks, 0)),
                tables.add(grid.places(blocks)),
            )
        else:
            row[BACK], row[BACK_OUT], row[BACK_PIXELS] = out.channels, math.prod(images[layer]), 1
            row[BACK_WINDOW] = tables.add(np.arange(out.channels) * lanes)
            row[BACK_X] = tables.add(np.arange(blocks) * out.size)
            row[MASK_X] = tables.add(np.arange(blocks) * grid.size)
        if pooled[layer - 1]:
            row[HAND_DOWN] = UNPOOL
        elif convolutional and not borders[layer]:
            row[HAND_DOWN] = SPREAD
        in_place = row[HAND_DOWN] == NOTHING
        row[BACK_TARGET] = plan[layer - 1, DZ] if in_place else spare
        target = outputs[layer - 1] if in_place else flat
        row[BACK_Z] = tables.add(
            target.places(blocks) if borders[layer] else np.arange(blocks) * target.size
        )
        row[HANDED] = tables.add(flat.places(blocks))
    places[TOTAL] = place.end
    return Layout(plan, places, np.concatenate(tables.parts))
