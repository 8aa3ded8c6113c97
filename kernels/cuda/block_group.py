"""A block group: the thread blocks that work on one run, what they share, and their barrier.

Blocks take a ticket as they start, and the tickets make the groups: so the blocks of a group start
one after the other, and at most one group of a launch is incomplete. A group whose blocks wait for
each other thus never waits for a block that cannot start, however many blocks a launch has.
Launches on several streams do not lock each other out either, as long as the card holds more blocks
than there are launches with an incomplete group."""

from typing import Any, NamedTuple

from numba import int64

from fracsim.kernels.cuda.layout import LAYER, LAYER_NUMBERS, Layer, Plan
from fracsim.kernels.cuda.product import PANELS
from fracsim.kernels.cuda.struct import read_members, struct_of, write_members
from fracsim.kernels.cuda.target import cuda, device


class BlockState(NamedTuple):
    """What a block has come to, beside its plan; in shared memory. Each is one whole number, and
    the same in all blocks of a group but ``ticket`` and ``rank``."""

    ticket: int
    """Number of the block in the order in which those of the launch started"""
    group: int
    """Number of its block group"""
    rank: int
    """Its number in the group, 0 … blocks - 1"""
    run: int
    """The run, 0 … R - 1, that the group works on"""
    barriers: int
    """Group barriers passed since the start of the launch"""
    step: int
    """Steps or batches done since the start of the launch"""
    rows: int
    """Rows of the batch at hand, at most B"""
    active: int
    """Rows of it whose loss has a slope"""
    correct: int
    """Correct predictions since the start of the launch"""
    finite: int
    """1, or 0 where the batch's sum of losses was not finite"""


BLOCK = struct_of(Plan, BlockState)
"""For ``cuda.shared.array``: the plan and the state of a block, which are read again and again from
there: the compiler would keep all that follows from them in registers."""


class Grid(NamedTuple):
    """How the blocks of a launch become groups; ``arrivals`` and ``tickets`` are zero at its
    start."""

    plan: Plan
    layers: Any
    """(4 (T + 1),) int64, on the card: the table of layers"""
    arrivals: Any
    """(groups,) int32, on the card: how often blocks of a group came to its barrier"""
    tickets: Any
    """(1,) int32, on the card: blocks that have started"""


class Memory(NamedTuple):
    """What the block groups of a launch work on, each array flat and on the card."""

    params: Any
    """(R · Q,)"""
    gradient: Any
    """(R · Q,), or one element where it lies in the workspace"""
    workspace: Any
    """(groups · workspace_size,), or one element where it lies in shared memory"""
    own: Any
    """(blocks · own_size,), or one element where it lies in shared memory"""
    zero: Any
    """In the float type of the parameters"""


class BlockArrays(NamedTuple):
    """A block's part of ``Memory``."""

    rank: int
    """The block's number in its group"""
    shared: Any
    """All dynamic shared memory"""
    own: Any
    """(own_size,), of this block alone"""
    workspace: Any
    """(workspace_size,), of its group, as are the following"""
    params: Any
    """(Q,)"""
    gradient: Any
    """(Q,)"""
    zero: Any
    """In the float type of the parameters"""


class Constants(NamedTuple):
    """The numbers of a training rule in the float type of the parameters, so that no kernel
    computes in another."""

    loss: int
    optimizer: int
    count: Any
    """Samples whose mean is the loss"""
    momentum: Any
    beta1: Any
    other1: Any
    """1 - β₁"""
    beta2: Any
    other2: Any
    epsilon: Any
    tiny: Any
    """What is smaller is set to 0: the least normal number"""
    scaled: int
    """Whether Adam keeps a small v scaled (``needs_scaling``)"""


@device
def plan_of(block):
    """The plan, from a block's struct."""
    return read_members(block, Plan)


@device
def start_block(block, grid):
    """Fill a block's struct and its table of layers, in shared memory: every kernel that trains or
    asks networks begins so, with all threads."""
    if cuda.threadIdx.x == 0:
        plan, ticket = grid.plan, cuda.atomic.add(grid.tickets, 0, 1)
        group = ticket // plan.blocks
        rank, run = ticket - group * plan.blocks, group // plan.groups
        write_members(block, plan)
        write_members(block, BlockState(ticket, group, rank, run, 0, 0, plan.batch, 0, 0, 1))
    numbers, first = cuda.shared.array(0, int64), grid.plan.layers * LAYER_NUMBERS
    i = cuda.threadIdx.x
    while i < grid.layers.size:
        numbers[first + i] = grid.layers[i]
        i += cuda.blockDim.x
    cuda.syncthreads()


@device
def arrays_of(block, memory):
    """What this block works on. Cheap enough to be done anew by all who need it, so that it takes
    no registers."""
    plan = plan_of(block)
    shared = cuda.shared.array(0, memory.params.dtype)
    first, last = block.ticket * plan.own_size, PANELS
    own = memory.own[first : first + plan.own_size]
    if plan.own_shared:
        own = shared[last : last + plan.own_size]
        last += plan.own_size
    first = block.group * plan.workspace_size
    workspace = memory.workspace[first : first + plan.workspace_size]
    if plan.resident:
        workspace = shared[last : last + plan.workspace_size]
    first = block.run * plan.parameters
    params, gradient = (
        memory.params[first : first + plan.parameters],
        memory.gradient[first : first + plan.parameters],
    )
    if plan.resident:
        params = workspace[plan.params_copy : plan.params_copy + plan.parameters]
    if not plan.separate_gradient:
        gradient = workspace[plan.gradient : plan.gradient + plan.parameters]
    return BlockArrays(block.rank, shared, own, workspace, params, gradient, memory.zero)


@device
def group_barrier(block, grid):
    """Wait until all threads of the block group have come here, and see what the others wrote."""
    cuda.syncthreads()
    if block.blocks > 1:
        if cuda.threadIdx.x == 0:
            group, awaited = block.group, (block.barriers + 1) * block.blocks
            block.barriers += 1
            cuda.threadfence()
            cuda.atomic.add(grid.arrivals, group, 1)
            while cuda.atomic.add(grid.arrivals, group, 0) < awaited:
                pass
            cuda.threadfence()
        cuda.syncthreads()


@device
def layer_of(plan, layer):
    """A row of the block's table of layers; the readout is layer T."""
    return read_members(cuda.shared.array(0, LAYER)[plan.layers + layer], Layer)


@device
def activations(plan, arrays, layer):
    """(array, start, row stride) of the activations that go into a layer; the inputs go into layer
    0."""
    if layer == 0:
        return arrays.own, 0, plan.inputs + 1
    it = layer_of(plan, layer)
    return arrays.workspace, it.activations, it.inputs + 1


@device
def dhidden_start(plan, layer):
    """Place of d loss / d pre-activations (B, n_out) of a hidden layer, which lies where that of
    two layers on lay."""
    return plan.dhidden + (layer & 1) * plan.batch * plan.width
