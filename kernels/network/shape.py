"""The network: its shape, its parameters as one flat buffer, and the padded working copy that the
tile kernels use.

A ReLU network on d inputs has T hidden layers, of k_1, …, k_T units, and a linear readout. Flat
layout (Q,): per layer the weights (n_in, n_out) row-major, then the biases (n_out); the readout
last. It is spelt here and nowhere else: ``layer_sizes`` and what follows from it for Python,
``flat_layout`` with ``layer_weights`` for kernels.

A convolutional network (family ``cnn``) sees its inputs as an image (height, width, channels).
Its hidden layers are convolutions of SIDE x SIDE pixels that keep the size of the image, k_l
channels, each of the first POOLED followed by the maximum over squares of 2 x 2 pixels. The n_in of
such a layer are (row, column, channel) of its window, those of the readout of the last image.

The working copy pads every row to whole vectors (``lanes`` elements), with the bias row after the
weight rows. The readout, a single column, is kept as one row of its weights, then the bias.
Padding is zero and stays zero: its activations are 0, hence its gradients are 0, hence no optimiser
moves it."""

import itertools
import math
import operator
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from fracsim.kernels.jit import formula, kernel

CACHE_LINE = 64
"""Bytes; also the unit, in elements, in which parts of a work array are placed."""


SIDE = 5
"""Rows, and columns, of the window of a convolution."""

POOLED = 2
"""Convolutions that are followed by a maximum."""

Image = tuple[int, int, int]
"""Height, width and channels."""


class _Sizes(NamedTuple):
    inputs: int
    widths: tuple[int, ...]
    outputs: int = 1
    image: Image | None = None


class Shape(_Sizes):
    """Shape of a network: ``inputs`` d ≥ 1, ``widths`` k_1, …, k_T ≥ 1 of the hidden layers, from
    the input side (none of them: T = 0), and ``outputs`` ≥ 1; of a convolutional network also the
    ``image`` that its inputs are, and the k_l are channels.

    ``Shape(d, T, k)``, three whole numbers, or ``Shape(d, depth=T, width=k)`` is T layers of width
    k. NumPy's whole numbers become int. Raises TypeError for what is no whole number, ValueError
    for a size below 1.
    """

    __slots__ = ()

    def __new__(
        cls,
        inputs: int,
        widths: Iterable[int] | int | None = None,
        outputs: int = 1,
        image: Iterable[int] | None = None,
        *,
        depth: int | None = None,
        width: int | None = None,
    ) -> "Shape":
        if isinstance(widths, Iterable):
            layers = tuple(map(operator.index, widths))
        else:
            if widths is not None:
                depth, width, outputs = widths, outputs, 1
            if depth is None or width is None:
                raise TypeError("a Shape needs the widths of its layers, or depth and width")
            layers = (operator.index(width),) * operator.index(depth)
            if depth < 0:
                raise ValueError(f"a network cannot have {depth} hidden layers")
        size = None if image is None else _image(inputs, image)
        shape = super().__new__(cls, operator.index(inputs), layers, operator.index(outputs), size)
        if min(shape.inputs, *layers, shape.outputs) < 1:
            raise ValueError(f"a network needs sizes of at least 1; given: {shape}")
        if size is not None and min(size[:2]) < 2 ** min(shape.depth, POOLED):
            raise ValueError(f"its image is too small to be halved so often; given: {shape}")
        return shape

    @property
    def family(self) -> str:
        """ "mlp" or "cnn"."""
        return "mlp" if self.image is None else "cnn"

    @property
    def depth(self) -> int:
        """T, the number of hidden layers."""
        return len(self.widths)

    @property
    def width(self) -> int:
        """The width of the widest hidden layer; 1 where there is none, as of a readout alone."""
        return max(self.widths, default=1)

    def __str__(self) -> str:
        """As a phrase for messages: "2 input(s), depth 3, width 100-20-100"."""
        width = self.width if self.is_even else "-".join(map(str, self.widths))
        outputs = f", {self.outputs} outputs" if self.outputs != 1 else ""
        inputs = f"{self.inputs} input(s)"
        if self.image is not None:
            inputs = f"images {'x'.join(map(str, self.image))}"
        return f"{inputs}, depth {self.depth}, width {width}{outputs}"

    @property
    def is_even(self) -> bool:
        """Whether all hidden layers have one width."""
        return len(set(self.widths)) <= 1


def _image(inputs: int, image: Iterable[int]) -> Image:
    height, width, channels = map(operator.index, image)
    if min(height, width, channels) < 1 or height * width * channels != inputs:
        raise ValueError(f"{inputs} inputs are no image of {height} x {width} x {channels}")
    return height, width, channels


def images_of(shape: Shape) -> list[Image]:
    """The images that the T hidden layers and the readout of a convolutional network see."""
    assert shape.image is not None
    images = [shape.image]
    for layer, channels in enumerate(shape.widths):
        height, width, _ = images[-1]
        halved = 2 if layer < POOLED else 1
        images.append((height // halved, width // halved, channels))
    return images


def layer_sizes(shape: Shape) -> list[tuple[int, int]]:
    """(n_in, n_out) of the T hidden layers and the readout, in this order."""
    if shape.image is None:
        return list(itertools.pairwise([shape.inputs, *shape.widths, shape.outputs]))
    *seen, last = images_of(shape)
    n_in = [SIDE * SIDE * channels for _, _, channels in seen] + [math.prod(last)]
    return list(zip(n_in, [*shape.widths, shape.outputs], strict=True))


def fans_out(shape: Shape) -> list[int]:
    """How many units each unit of a layer's input reaches: n_out, of a convolution SIDE² n_out."""
    window = 1 if shape.image is None else SIDE * SIDE
    return [window * k for k in shape.widths] + [shape.outputs]


def multiplications(shape: Shape) -> int:
    """Of the weights of a network with one point."""
    pixels = [1] * (shape.depth + 1)
    if shape.image is not None:
        pixels = [height * width for height, width, _ in images_of(shape)[:-1]] + [1]
    return sum(
        each * n_in * n_out for each, (n_in, n_out) in zip(pixels, layer_sizes(shape), strict=True)
    )


def parameter_count(shape: Shape) -> int:
    """Q, the number of weights and biases."""
    return sum((n_in + 1) * n_out for n_in, n_out in layer_sizes(shape))


def split_layers(shape: Shape, params: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """[(weights (n_in, n_out), biases (n_out,)), …] of flat parameters (Q,), the readout last;
    views, no copies."""
    layers = []
    first = 0
    for n_in, n_out in layer_sizes(shape):
        middle, end = first + n_in * n_out, first + (n_in + 1) * n_out
        layers.append((params[first:middle].reshape(n_in, n_out), params[middle:end]))
        first = end
    return layers


N_IN, N_OUT, FLAT_START, STRIDE, START, BACK_STRIDE = range(6)
"""Columns of a plan, one row per layer: sizes, and first element in the flat buffer (these three
are a ``flat_layout``); of the working copy the row stride and first element; row stride of the
transposed weights."""


def flat_layout(shape: Shape) -> np.ndarray:
    """layout (T+1, 3) int64 for kernels: N_IN, N_OUT and FLAT_START of each layer."""
    layout = np.zeros((shape.depth + 1, 3), np.int64)
    start = 0
    for layer, (n_in, n_out) in enumerate(layer_sizes(shape)):
        layout[layer] = n_in, n_out, start
        start += (n_in + 1) * n_out
    return layout


@kernel
def layer_weights(layout, params, layer):
    """Weights (n_in, n_out) and biases (n_out,) of a layer, 0 … T: views of flat parameters (Q,).

    ``layout``: a plan or a ``flat_layout``. The kernels' twin of ``split_layers``."""
    n_in, n_out, start = layout[layer, N_IN], layout[layer, N_OUT], layout[layer, FLAT_START]
    middle = start + n_in * n_out
    return params[start:middle].reshape((n_in, n_out)), params[middle : middle + n_out]


(
    PARAMS,
    M,
    V,
    TURNED,
    INPUTS,
    LABELS,
    HIDDEN,
    HIDDEN_SIZE,
    SCORES,
    SLOPE,
    DHIDDEN,
    GRADIENT,
    ONE,
    ZEROS,
    TOTAL,
) = range(15)
"""Places in the work array of one run: where each part starts.

PARAMS, M, V: working copies of parameters and moments. TURNED: one layer's weights, transposed.
INPUTS (B, d), LABELS ±1 (B,). HIDDEN (T, B, stride): activations; HIDDEN_SIZE: elements of one
layer's. SCORES and SLOPE (B, lanes): f and d loss / d f in column 0. DHIDDEN: two of (B, stride)
that take turns. GRADIENT: of one layer. ONE: a single 1. ZEROS: a tile's row of zeros. TOTAL:
elements of all. """

SLACK_ROWS = 16
"""Rows behind every part's end: tiles work on whole groups of rows, and the surplus must have a
place."""


def round_up(number: int, unit: int) -> int:
    """The least multiple of ``unit`` that is ≥ ``number``."""
    return -(-number // unit) * unit


def make_plan(shape: Shape, batch: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Plan (T+1, 6) and places (15,), both int64, of a network for batches of ``batch`` rows and
    vectors of ``lanes``."""
    if shape.outputs != 1 or shape.image is not None:
        raise ValueError(f"these kernels are of plain networks with one output; given: {shape}")
    plan = np.zeros((shape.depth + 1, 6), np.int64)
    plan[:, : FLAT_START + 1] = flat_layout(shape)
    start = 0
    for layer, (n_in, n_out) in enumerate(layer_sizes(shape)):
        stride, back_stride = round_up(n_out, lanes), round_up(n_in, lanes)
        plan[layer, STRIDE:] = stride, start, back_stride
        start += back_stride + lanes if layer == shape.depth else (n_in + 1) * stride
    rows, most_units = batch + SLACK_ROWS, max(shape.width, shape.inputs)
    widest = round_up(most_units, lanes)
    slack = SLACK_ROWS * widest
    sizes = {
        PARAMS: start + slack,
        M: start,
        V: start,
        TURNED: widest * widest,
        INPUTS: rows * (shape.inputs + SLACK_ROWS),
        LABELS: batch,
        HIDDEN: shape.depth * rows * widest,
        SCORES: rows * lanes,
        SLOPE: rows * lanes,
        DHIDDEN: 2 * rows * widest,
        GRADIENT: (most_units + 1 + SLACK_ROWS) * widest,
        ONE: 1,
        ZEROS: 4 * lanes,
    }
    places = np.zeros(15, np.int64)
    end = 0
    for part, size in sizes.items():
        places[part] = end
        end += round_up(size, CACHE_LINE)
    places[HIDDEN_SIZE], places[TOTAL] = rows * widest, end
    return plan, places


@formula
def copy(source, first, target, place, count):
    """target[place : place + count] = source[first : first + count].

    (The assignment of slices would compile numba's broadcasting and the texts of its errors, a
    tenth of all that a training compiles.)"""
    for i in range(count):
        target[place + i] = source[first + i]


@formula
def greatest(layout, layers, column):
    """The greatest number of a column (N_IN or N_OUT) of a layout's first ``layers`` rows. (As with
    ``copy``: the method ``max`` of a slice compiles much more.)"""
    found = layout[0, column]
    for layer in range(1, layers):
        found = max(found, layout[layer, column])
    return found


@kernel
def pack(plan, flat, work, place):
    """Copy flat parameters (Q,) into the zeroed working copy at ``place``."""
    last = plan.shape[0] - 1
    for layer in range(last):
        n_out = plan[layer, N_OUT]
        for i in range(plan[layer, N_IN] + 1):
            source, target = (
                plan[layer, FLAT_START] + i * n_out,
                place + plan[layer, START] + i * plan[layer, STRIDE],
            )
            copy(flat, source, work, target, n_out)
    k, source, target = plan[last, N_IN], plan[last, FLAT_START], place + plan[last, START]
    copy(flat, source, work, target, k)
    work[target + plan[last, BACK_STRIDE]] = flat[source + k]


@kernel
def unpack(plan, work, place, flat):
    """Copy the working copy at ``place`` back into flat parameters (Q,)."""
    last = plan.shape[0] - 1
    for layer in range(last):
        n_out = plan[layer, N_OUT]
        for i in range(plan[layer, N_IN] + 1):
            target, source = (
                plan[layer, FLAT_START] + i * n_out,
                place + plan[layer, START] + i * plan[layer, STRIDE],
            )
            copy(work, source, flat, target, n_out)
    k, target, source = plan[last, N_IN], plan[last, FLAT_START], place + plan[last, START]
    copy(work, source, flat, target, k)
    flat[target + k] = work[source + plan[last, BACK_STRIDE]]


@kernel
def make_work(places, like):
    """Zeroed work array in the float type of the array ``like``; starts on a cache line.

    A vector that straddles two lines costs two loads; numba's own arrays start on any multiple of
    32 bytes."""
    surplus = CACHE_LINE // like.itemsize
    block = np.zeros(places[TOTAL] + surplus, like.dtype)
    skip = (-(block.ctypes.data // like.itemsize)) % surplus
    work = block[skip : skip + places[TOTAL]]
    work[places[ONE]] = 1
    return work
