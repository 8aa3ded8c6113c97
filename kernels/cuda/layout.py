"""How one network is trained by a block group: which tiles, how many blocks, and what lies where in
memory.

    shared memory of a block    panels of the products, then ``own``: what every block of the group
                                has for itself
    workspace of a group        activations, gradients; on the card, or, where all fits, also in
                                shared memory

None of these choices changes a bit of a result (see ``product.py``), so they may depend on the card
and on how many runs there are."""

from typing import NamedTuple

from fracsim.kernels.cuda.product import BLOCKS, PANELS
from fracsim.kernels.errors import BackendError
from fracsim.kernels.network import Shape, parameter_count

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
    """Place in the workspace of two of d loss / d pre-activations (B, k); the activations (T, B, k
    + 1) come first."""
    gradient: int
    """In the workspace: (Q,)"""
    params_copy: int
    """In the workspace, where resident: the parameters (Q,)"""
    workspace_size: int

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return BLOCKS[self.tiling].threads

    @property
    def shared_size(self) -> int:
        """Elements of shared memory of a block."""
        return PANELS + self.own_size * self.own_shared + self.workspace_size * self.resident


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
    if not shape.is_even:
        raise BackendError(
            f"backend 'cuda' trains hidden layers of one width; given: {shape}; "
            f"backend 'cpu' takes any widths"
        )
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
    activations = depth * batch * (k + 1)
    workspace = _places(
        activations, dhidden=2 * batch * k, gradient=count, params_copy=count, workspace_size=0
    )
    most = shared_bytes // itemsize - PANELS
    own_shared = own["own_size"] <= most
    resident = (
        groups is None and blocks == 1 and own["own_size"] + workspace["workspace_size"] <= most
    )
    if not resident:
        workspace["workspace_size"] = workspace["params_copy"]
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
    )


def _places(first: int, **sizes: int) -> dict[str, int]:
    """Where each part starts, one behind the other from ``first`` on; a last one of size 0 is the
    end."""
    places = {}
    for name, size in sizes.items():
        places[name] = first
        first += size
    return places
