"""How one network is trained by a block group: which tiles, how many blocks, and what lies where in
memory.

    shared memory of a block    panels of the products; ``own``, what every block of the group has
                                for itself; the table of layers
    workspace of a group        activations, gradients; on the card, or, where all fits, also in
                                shared memory

None of these choices changes a bit of a result (see ``product.py``), so they may depend on the card
and on how many runs there are."""

from typing import NamedTuple

import numpy as np

from fracsim.kernels.cuda.product import BLOCKS, PANELS
from fracsim.kernels.cuda.struct import struct_of
from fracsim.kernels.network.shape import Shape, flat_layout, parameter_count

PARTIALS = 32
"""Partial sums of a reduction over a batch."""

PARTS = 8
"""Partial sums of a score, the sum over the last layer's units."""

_NARROW, _MIDDLING = (
    20,
    52,
)  # widths up to which blocks of 5 and of 13 columns of 4 x 4 tiles are best
_ONE_BLOCK, _TWO_BLOCKS = (
    128,
    256,
)  # widths up to which one and two blocks per run are best; beyond, four


class Layer(NamedTuple):
    """Sizes of a layer, and where what belongs to it lies; the readout is layer T."""

    inputs: int
    """n_in"""
    outputs: int
    """n_out"""
    weights: int
    """Place in the flat parameters, and in their gradient, of weights and biases (n_in + 1,
    n_out)"""
    activations: int
    """Place in the workspace of what goes into the layer (B, n_in + 1). What goes into the first,
    the points, lies at 0 in ``own``."""


LAYER = struct_of(Layer)
"""For ``cuda.shared.array``: a row of the table of layers."""

LAYER_NUMBERS = len(Layer._fields)
"""Members of a row, int64"""

LAYER_BYTES = 8 * LAYER_NUMBERS


class Plan(NamedTuple):
    """A network's sizes and places; places are in elements of the float type."""

    inputs: int
    """d"""
    depth: int
    """T"""
    width: int
    """k of the widest hidden layer"""
    batch: int
    """B, the most rows at a time"""
    parameters: int
    """Q"""
    tiling: int
    """Place in ``product.BLOCKS`` of the kind of its blocks"""
    blocks: int
    """Thread blocks of a block group"""
    groups: int
    """Block groups that share a run's points; 1 in training."""
    resident: bool
    """Whether workspace and parameters lie in shared memory."""
    own_shared: bool
    """Whether ``own`` lies in shared memory."""
    separate_gradient: bool
    """Whether gradients go to an array of their own, and not into the workspace."""

    labels: int
    """Place in ``own`` of y (B,); the inputs with their ones (B, d + 1) come first."""
    parts: int
    """In ``own``: partial sums of scores (PARTS, B); then, in the first B, the scores"""
    losses: int
    """In ``own``: (B,)"""
    slopes: int
    """In ``own``: d loss / d score (B,)"""
    right: int
    """In ``own``: 1 where a prediction is correct (B,)"""
    active_slopes: int
    """In ``own``: the slopes that are not 0 (B,)"""
    active_rows: int
    """In ``own``: the rows that they belong to, as floats (B,)"""
    partials: int
    """In ``own``: partial sums of losses, correct predictions, active rows (3, PARTIALS)"""
    own_size: int

    dhidden: int
    """Place in the workspace of two of d loss / d pre-activations (B, k of the widest layer); the
    activations of the hidden layers come first."""
    gradient: int
    """In the workspace: (Q,)"""
    params_copy: int
    """In the workspace, where resident: the parameters (Q,)"""
    workspace_size: int

    layers: int
    """Place in shared memory, in elements of LAYER, of the table of layers (T + 1,)"""

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return BLOCKS[self.tiling].threads

    @property
    def shared_bytes(self) -> int:
        """Bytes of shared memory of a block."""
        return (self.layers + self.depth + 1) * LAYER_BYTES


def make_plan(
    shape: Shape,
    batch: int,
    itemsize: int,
    shared_bytes: int,
    blocks: int | None = None,
    groups: int | None = None,
) -> Plan:
    """Plan for batches of ``batch`` rows of a float type of ``itemsize`` bytes; a block may have
    ``shared_bytes``.

    ``blocks``: of a group, instead of the number that suits the shape. ``groups`` that share a
    run's points, for an evaluation: then parameters stay where they are, and gradients go to an
    array of their own."""
    if shape.outputs != 1:
        raise ValueError(f"a network of {shape.outputs} outputs cannot be computed; accepted is 1")
    d, depth, k = shape.inputs, shape.depth, shape.width
    count = parameter_count(shape)
    if blocks is None:
        blocks = 1 if k <= _ONE_BLOCK else 2 if k <= _TWO_BLOCKS else 4
    own = _places(
        batch * (d + 1),
        labels=batch,
        parts=PARTS * batch,
        losses=batch,
        slopes=batch,
        right=batch,
        active_slopes=batch,
        active_rows=batch,
        partials=3 * PARTIALS,
        own_size=0,
    )
    activations = batch * sum(width + 1 for width in shape.widths)
    workspace = _places(
        activations, dhidden=2 * batch * k, gradient=count, params_copy=count, workspace_size=0
    )
    most = (shared_bytes - (depth + 2) * LAYER_BYTES) // itemsize - PANELS
    own_shared = own["own_size"] <= most
    resident = (
        groups is None and blocks == 1 and own["own_size"] + workspace["workspace_size"] <= most
    )
    if not resident:
        workspace["workspace_size"] = workspace["params_copy"]
    before = PANELS + own["own_size"] * own_shared + workspace["workspace_size"] * resident
    return Plan(
        inputs=d,
        depth=depth,
        width=k,
        batch=batch,
        parameters=count,
        tiling=0 if k <= _NARROW else 1 if k <= _MIDDLING else 2,
        blocks=blocks,
        groups=groups or 1,
        resident=resident,
        own_shared=own_shared,
        separate_gradient=groups is not None,
        **own,
        **workspace,
        layers=-(-before * itemsize // LAYER_BYTES),
    )


def layer_table(shape: Shape, batch: int) -> np.ndarray:
    """(T + 1, 4) int64: a ``Layer`` in each row, for batches of so many rows."""
    sizes = flat_layout(shape)
    activations = np.cumsum([0, 0, *(batch * (width + 1) for width in shape.widths)])
    return np.column_stack([sizes, activations[: len(sizes)]])


def _places(first: int, **sizes: int) -> dict[str, int]:
    """Where each part starts, one behind the other from ``first`` on; a last one of size 0 is the
    end."""
    places = {}
    for name, size in sizes.items():
        places[name] = first
        first += size
    return places
