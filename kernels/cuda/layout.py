"""How one network is trained by a team of blocks: which tiles, how many blocks, and what lies where
in memory.

    shared memory of a block   panels of the products, then ``own``: what every block of the team
    has for itself work memory of a team      activations, gradients; of the card, or, where all
    fits, also in shared memory

None of these choices changes a bit of a result (see ``product.py``), so they may depend on the card
and on how many runs there are."""

from typing import NamedTuple

import numpy as np

from fracsim.kernels.backend import BackendError
from fracsim.kernels.cuda.product import BLOCKS, PANELS
from fracsim.kernels.network import Shape, parameter_count

PARTIALS = 32
"""Parts in which sums over a batch are taken."""

PARTS = 8
"""Parts in which a score, the sum over the last layer's units, is taken."""

_NARROW, _MIDDLING = (
    20,
    52,
)  # widths up to which blocks of 5 and of 13 columns of 4 x 4 tiles are best
_ONE_BLOCK, _TWO_BLOCKS = (
    128,
    256,
)  # widths up to which one and two blocks per run are best; beyond, four


class Plan(NamedTuple):
    """A network's sizes and places; places are in elements of the float type."""

    inputs: int
    """d"""
    depth: int
    """T"""
    width: int
    """k"""
    batch: int
    """B, the most rows at a time"""
    parameters: int
    """Q"""
    block: int
    """Place in ``product.BLOCKS`` of the kind of its blocks"""
    blocks: int
    """Blocks of a team"""
    resident: bool
    """Whether work memory and parameters lie in shared memory."""
    own_shared: bool
    """Whether ``own`` lies in shared memory."""
    labels: int
    """Place in ``own`` of y (B,); the inputs with their ones (B, d + 1) come first."""
    parts: int
    """In ``own``: parts of scores (PARTS, B); then, in the first B, the scores"""
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
    """In ``own``: (3, PARTIALS)"""
    own_size: int
    dhidden: int
    """Place in work memory of two of d loss / d pre-activations (B, k); the activations (T, B, k +
    1) come first."""
    gradient: int
    """In work memory: (Q,)"""
    copy: int
    """In work memory, where resident: the parameters (Q,)"""
    work_size: int
    apart: bool
    """Whether gradients go to an array of their own."""
    teams: int
    """Teams that share a run's points; 1 in training."""

    @property
    def numbers(self) -> np.ndarray:
        """All of it, for ``team.recall``."""
        return np.array(self, np.int64)

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return BLOCKS[self.block].threads

    @property
    def shared_size(self) -> int:
        """Elements of shared memory of a block."""
        return PANELS + self.own_size * self.own_shared + self.work_size * self.resident


def make_plan(
    shape: Shape,
    batch: int,
    itemsize: int,
    shared_bytes: int,
    blocks: int | None = None,
    teams: int | None = None,
) -> Plan:
    """Plan for batches of ``batch`` rows of a float type of ``itemsize`` bytes; a block may have
    ``shared_bytes``.

    ``blocks``: of a team, instead of the number that suits the shape. ``teams`` that share a run's
    points, for an evaluation: then parameters stay where they are, and gradients go to an array of
    their own."""
    if not shape.is_even:
        raise BackendError(
            f"backend 'cuda' trains hidden layers of one width; given: {shape}; "
            f"backend 'cpu' takes any widths"
        )
    d, depth, k = shape.inputs, shape.depth, shape.width
    block = 0 if k <= _NARROW else 1 if k <= _MIDDLING else 2
    if blocks is None:
        blocks = 1 if k <= _ONE_BLOCK else 2 if k <= _TWO_BLOCKS else 4
    labels = batch * (d + 1)
    parts = labels + batch
    losses = parts + PARTS * batch
    partials = losses + 5 * batch
    own_size = partials + 3 * PARTIALS
    dhidden = depth * batch * (k + 1)
    gradient = dhidden + 2 * batch * k
    count = parameter_count(shape)
    copy = gradient + count
    most = shared_bytes // itemsize
    own_shared = PANELS + own_size <= most
    resident = (
        teams is None and own_shared and blocks == 1 and PANELS + own_size + copy + count <= most
    )
    return Plan(
        d,
        depth,
        k,
        batch,
        count,
        block,
        blocks,
        resident,
        own_shared,
        labels,
        parts,
        losses,
        losses + batch,
        losses + 2 * batch,
        losses + 3 * batch,
        losses + 4 * batch,
        partials,
        own_size,
        dhidden,
        gradient,
        copy,
        copy + count if resident else copy,
        teams is not None,
        teams or 1,
    )
