"""A team: the blocks of threads that work on one run, what they share, and how they wait for each
other.

Blocks take a ticket as they start, and the tickets make the teams: so the blocks of a team start
one after the other, and at most one team of a launch is incomplete. A team whose blocks wait for
each other thus never waits for a block that cannot start, however many blocks a launch has.
Launches on several streams do not lock each other out either, as long as the card holds more blocks
than there are launches with an incomplete team."""

from typing import Any, NamedTuple

from fracsim.kernels.cuda.layout import Plan
from fracsim.kernels.cuda.product import PANELS
from fracsim.kernels.cuda.target import cuda, device

NOTES = len(Plan._fields) + 10
"""Numbers that a block keeps in shared memory: its plan and, in the places that follow, what it has
come to."""

DEPTH, BATCH, BLOCKS_OF_TEAM, TEAMS = (
    Plan._fields.index(name) for name in ("depth", "batch", "blocks", "teams")
)
"""Places in the plan of what is asked for most: T, B, the blocks of a team and the teams of a
run."""

TICKET, TEAM, RANK, RUN, MET, STEP, ROWS, ACTIVE, CORRECT, FINITE = range(NOTES - 10, NOTES)
"""Its ticket; its team, its number in it, their run; how often its team has met; steps or batches
done; rows of the batch, and those active; correct predictions since the start of the launch;
whether the batch's sum of losses was finite."""


class Queue(NamedTuple):
    """How the blocks of a launch become teams: plan, its numbers, int64; meetings (teams,) and
    tickets (1,), int32, zeros at the start."""

    plan: Any
    meetings: Any
    tickets: Any


class Memory(NamedTuple):
    """What the teams of a launch work on, all teams in one row: params (R · Q,), gradient (R · Q,)
    or one element, work (teams · work_size,) and own (blocks · own_size,), each one element where
    it lies in shared memory; ``zero`` in the float type of the parameters."""

    params: Any
    gradient: Any
    work: Any
    own: Any
    zero: Any


class Team(NamedTuple):
    """A block's view of its team's part of every array; ``rank``: its number in the team."""

    rank: int
    shared: Any
    own: Any
    work: Any
    params: Any
    gradient: Any
    zero: Any


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
    negligible: Any


@device
def recall(notes):
    """The plan, from a block's notes."""
    return Plan(
        notes[0],
        notes[1],
        notes[2],
        notes[3],
        notes[4],
        notes[5],
        notes[6],
        notes[7] != 0,
        notes[8] != 0,
        notes[9],
        notes[10],
        notes[11],
        notes[12],
        notes[13],
        notes[14],
        notes[15],
        notes[16],
        notes[17],
        notes[18],
        notes[19],
        notes[20],
        notes[21],
        notes[22] != 0,
        notes[23],
    )


@device
def take_notes(notes, queue):
    """Note, (NOTES,) in shared memory, the plan and the ticket of this block: its number in the
    order of their start.

    There they are read again and again: the compiler would keep all that follows from them in
    registers."""
    if cuda.threadIdx.x == 0:
        for i in range(queue.plan.size):
            notes[i] = queue.plan[i]
        ticket = cuda.atomic.add(queue.tickets, 0, 1)
        plan = recall(notes)
        team = ticket // plan.blocks
        notes[TICKET], notes[TEAM], notes[RANK] = ticket, team, ticket - team * plan.blocks
        notes[RUN] = team // plan.teams
        notes[MET], notes[STEP], notes[ROWS], notes[ACTIVE], notes[CORRECT], notes[FINITE] = (
            0,
            0,
            plan.batch,
            0,
            0,
            1,
        )
    cuda.syncthreads()


@device
def assemble(notes, memory):
    """What this block works on. Cheap enough to be done anew by all who need it, so that it takes
    no registers."""
    plan = recall(notes)
    shared = cuda.shared.array(0, memory.params.dtype)
    first, last = notes[TICKET] * plan.own_size, PANELS
    own = memory.own[first : first + plan.own_size]
    if plan.own_shared:
        own = shared[last : last + plan.own_size]
        last += plan.own_size
    first = notes[TEAM] * plan.work_size
    work = memory.work[first : first + plan.work_size]
    if plan.resident:
        work = shared[last : last + plan.work_size]
    first = notes[RUN] * plan.parameters
    params, gradient = (
        memory.params[first : first + plan.parameters],
        memory.gradient[first : first + plan.parameters],
    )
    if plan.resident:
        params = work[plan.copy : plan.copy + plan.parameters]
    if not plan.apart:
        gradient = work[plan.gradient : plan.gradient + plan.parameters]
    return Team(notes[RANK], shared, own, work, params, gradient, memory.zero)


@device
def meet(notes, queue):
    """Wait until all threads of the team have come here, and see what the others wrote."""
    cuda.syncthreads()
    if notes[BLOCKS_OF_TEAM] > 1:
        if cuda.threadIdx.x == 0:
            number, awaited = notes[TEAM], (notes[MET] + 1) * notes[BLOCKS_OF_TEAM]
            notes[MET] += 1
            cuda.threadfence()
            cuda.atomic.add(queue.meetings, number, 1)
            while cuda.atomic.add(queue.meetings, number, 0) < awaited:
                pass
            cuda.threadfence()
        cuda.syncthreads()


@device
def layer_start(plan, layer):
    """Place of a layer's matrix in the flat parameters; the readout is layer T."""
    if layer == 0:
        return 0
    return (plan.inputs + 1) * plan.width + (layer - 1) * (plan.width + 1) * plan.width


@device
def activations(plan, team, layer):
    """(array, start, row stride) of the activations that go into a layer; the inputs go into layer
    0."""
    if layer == 0:
        return team.own, 0, plan.inputs + 1
    return team.work, (layer - 1) * plan.batch * (plan.width + 1), plan.width + 1


@device
def dhidden_start(plan, layer):
    """Place of d loss / d pre-activations (B, k) of a hidden layer, which lies where that of two
    layers on lay."""
    return plan.dhidden + (layer & 1) * plan.batch * plan.width
