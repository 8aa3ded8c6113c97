"""Checks of every access to the memory, and of races: what the compiled code calls.

Each byte has a state; a thread may read what is initialised and write what is not read-only, in its
own block's shared and its own local memory. Races are found by vector clocks: what a thread does is
ordered before what another does later if a barrier of the block lies between, or a fence and a
strong access (atomic, volatile, release) here, a strong access of the same place that saw it and a
fence there. C. Flanagan and S. N. Freund, "FastTrack", PLDI 2009, DOI 10.1145/1542476.1542490. Not
seen are: a strong load beside a plain store that comes later, and what a warp's own instructions
(shfl, bar.warp) order, so that memory handed over by bar.warp.sync alone is called a race."""

import functools
from typing import Any

import numpy as np
from llvmlite import binding
from numba import carray, cfunc, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from ptx_machine.layout import CONSTANT, EMPTY, FILLED, FIRST, NOTHING, Fault, Field

_READ, _WRITE, _ATOMIC, _SEEN, _SAID = range(5)
_MANY = -1
_FIELDS = Field.COUNT
SYNCS = 4096
"""Places of strong accesses that one launch can have while it looks for races."""

# module constants, so that numba compiles them in
_MEMORY, _STATE, _LIMIT, _SHARED, _LOCAL, _BLOCK = (
    Field.MEMORY,
    Field.STATE,
    Field.LIMIT,
    Field.SHARED,
    Field.LOCAL,
    Field.BLOCK,
)
_SHARED_STRIDE, _LOCAL_STRIDE = Field.SHARED_STRIDE, Field.LOCAL_STRIDE
_FAULT, _LANE, _ADDRESS, _SIZE, _LINE = (
    Field.FAULT,
    Field.LANE,
    Field.ADDRESS,
    Field.SIZE,
    Field.LINE,
)
_OTHER_LANE, _OTHER_LINE = Field.OTHER_LANE, Field.OTHER_LINE
_LANES, _BLOCKS, _RACES, _CLOCKS, _WRITES, _READS = (
    Field.LANES,
    Field.BLOCKS,
    Field.RACES,
    Field.CLOCKS,
    Field.WRITES,
    Field.READS,
)
_FENCED, _KNOWN, _SYNCS, _SYNC_CLOCKS, _EPOCHS = (
    Field.FENCED,
    Field.SEEN,
    Field.SYNCS,
    Field.SYNC_CLOCKS,
    Field.EPOCHS,
)
_OUTSIDE, _MISALIGNED, _UNINITIALISED, _READ_ONLY = (
    Fault.OUTSIDE,
    Fault.MISALIGNED,
    Fault.UNINITIALISED,
    Fault.READ_ONLY,
)
_NOT_MINE, _RACE, _TOO_MANY = Fault.NOT_MINE, Fault.RACE, Fault.SYNCS


@intrinsic
def _pointer(context: Any, number: Any) -> Any:
    """An address as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(number), generate


@njit
def _ordered(clocks, lane, reader, time, first, count, epoch):
    """Whether reads in the block of threads first..first+count-1 come before what thread ``lane``
    does now.

    Of many readers only the latest time is known, and ``epoch``, the time since the block's last
    barrier."""
    if reader != _MANY:
        return clocks[lane, reader - 1] >= time
    if first <= lane < first + count:
        return time < epoch
    for other in range(first, first + count):  # noqa: SIM110 - numba compiles loops faster than generators
        if clocks[lane, other] < time:
            return False
    return True


@njit
def _races(f, lane, address, size, use):
    """0, or 1 + the other thread of a race of this access, whose line is then in the fields; notes
    the access."""
    lanes, block, blocks = f[_LANES], f[_BLOCK], f[_BLOCKS]
    clocks = carray(_pointer(f[_CLOCKS]), (lanes, lanes), np.int32)
    writes = carray(
        _pointer(f[_WRITES]), (f[_LOCAL], 3), np.int32
    )  # thread + 1, its time, line (< 0: strong)
    reads = carray(_pointer(f[_READS]), (f[_LOCAL], blocks, 3), np.int32)
    epochs = carray(_pointer(f[_EPOCHS]), (blocks,), np.int32)
    now, mine = clocks[lane, lane], lane // block
    strong = use >= _ATOMIC
    for byte in range(address, address + size):
        writer = writes[byte, 0] - 1
        both_strong = strong and writes[byte, 2] < 0
        if (
            writer >= 0
            and writer != lane
            and clocks[lane, writer] < writes[byte, 1]
            and not both_strong
        ):
            f[_OTHER_LINE] = abs(writes[byte, 2])
            return writer + 1
        if use == _READ:
            last, time = reads[byte, mine, 0], reads[byte, mine, 1]
            if (
                last == 0
                or last == lane + 1
                or _ordered(clocks, lane, last, time, mine * block, block, epochs[mine])
            ):
                reads[byte, mine, 0], reads[byte, mine, 1] = lane + 1, now
            else:
                reads[byte, mine, 0], reads[byte, mine, 1] = _MANY, max(now, time)
            reads[byte, mine, 2] = f[_LINE]
        elif use != _SEEN:
            for other in range(blocks):
                reader, time = reads[byte, other, 0], reads[byte, other, 1]
                if reader == 0 or reader == lane + 1:
                    continue
                if not _ordered(clocks, lane, reader, time, other * block, block, epochs[other]):
                    f[_OTHER_LINE] = reads[byte, other, 2]
                    return (
                        reader
                        if reader != _MANY
                        else other * block + (2 if other * block == lane else 1)
                    )
            writes[byte, 0] = lane + 1
            writes[byte, 1] = now
            writes[byte, 2] = -f[_LINE] if strong else f[_LINE]
    return 0


@njit
def _strong(f, lane, address, use):
    """A strong access hands on what was fenced before it, and takes note of what others handed on;
    False: no room."""
    lanes = f[_LANES]
    places = carray(_pointer(f[_SYNCS]), (SYNCS,), np.int64)
    messages = carray(_pointer(f[_SYNC_CLOCKS]), (SYNCS, lanes), np.int32)
    fenced = carray(_pointer(f[_FENCED]), (lanes, lanes), np.int32)
    known = carray(_pointer(f[_KNOWN]), (lanes, lanes), np.int32)
    at = address * 40503 % SYNCS
    for _ in range(SYNCS):
        if places[at] == 0 or places[at] == address:
            break
        at = (at + 1) % SYNCS
    else:
        return False
    places[at] = address
    for other in range(lanes):
        if use != _SAID:
            known[lane, other] = max(known[lane, other], messages[at, other])
        if use != _SEEN:
            messages[at, other] = max(messages[at, other], fenced[lane, other])
    return True


@njit
def _check(f, lane, address, size, use):
    """0 or the code of the fault of an access."""
    if address < FIRST or address + size > f[_LIMIT]:
        return _OUTSIDE
    if address % size != 0:
        return _MISALIGNED
    if address >= f[_SHARED]:
        if address >= f[_LOCAL]:
            if (address - f[_LOCAL]) // f[_LOCAL_STRIDE] != lane:
                return _NOT_MINE
        elif (address - f[_SHARED]) // f[_SHARED_STRIDE] != lane // f[_BLOCK]:
            return _NOT_MINE
    state = carray(_pointer(f[_STATE]), (f[_LIMIT],), np.uint8)
    for byte in range(address, address + size):
        now = state[byte]
        if now == NOTHING:
            return _OUTSIDE
        if now == EMPTY and use != _WRITE and use != _SAID:
            return _UNINITIALISED
        if now == CONSTANT and use != _READ and use != _SEEN:
            return _READ_ONLY
    if use != _READ and use != _SEEN:
        state[address : address + size] = FILLED
    return 0


def _access(fields, lane, address, size, use, line):  # pragma: no cover - compiled
    f = carray(fields, (_FIELDS,))
    f[_LINE] = line
    fault, other = _check(f, lane, address, size, use), 0
    if fault == 0 and f[_RACES] != 0 and address < f[_LOCAL]:
        other = _races(f, lane, address, size, use)
        if other != 0:
            fault = _RACE
        elif use >= _ATOMIC and not _strong(f, lane, address, use):
            fault = _TOO_MANY
    if fault == 0:
        return f[_MEMORY] + address
    f[_FAULT], f[_LANE], f[_ADDRESS], f[_SIZE], f[_OTHER_LANE] = (
        fault,
        lane,
        address,
        size,
        other - 1,
    )
    return 0


def _trap(fields, lane, fault, line):  # pragma: no cover - compiled
    f = carray(fields, (_FIELDS,))
    f[_FAULT], f[_LANE], f[_LINE] = fault, lane, line


def _fence(fields, lane):  # pragma: no cover - compiled
    f = carray(fields, (_FIELDS,))
    if f[_RACES] != 0:
        lanes = f[_LANES]
        clocks = carray(_pointer(f[_CLOCKS]), (lanes, lanes), np.int32)
        fenced = carray(_pointer(f[_FENCED]), (lanes, lanes), np.int32)
        known = carray(_pointer(f[_KNOWN]), (lanes, lanes), np.int32)
        for other in range(lanes):
            clocks[lane, other] = max(clocks[lane, other], known[lane, other])
            fenced[lane, other] = clocks[lane, other]
        clocks[lane, lane] += 1


@njit
def meet(clocks, first, count):
    """A barrier of the threads first..first+count-1: what each did or knew is known to all; their
    time after it."""
    last = first + count
    for other in range(clocks.shape[1]):
        if other < first or other >= last:
            time = 0
            for lane in range(first, last):
                time = max(time, clocks[lane, other])
            for lane in range(first, last):
                clocks[lane, other] = time
    time = 0
    for lane in range(first, last):
        time = max(time, clocks[lane, lane])
    for lane in range(first, last):
        for other in range(first, last):
            clocks[lane, other] = time
        clocks[lane, lane] = time + 1
    return time + 1


@functools.cache
def register() -> tuple[Any, ...]:
    """Compile the checks and tell LLVM where they are."""
    compiled = []
    for name, function, signature in (
        ("ptx_access", _access, "int64(CPointer(int64), int64, int64, int64, int64, int64)"),
        ("ptx_trap", _trap, "void(CPointer(int64), int64, int64, int64)"),
        ("ptx_fence", _fence, "void(CPointer(int64), int64)"),
    ):
        compiled.append(cfunc(signature)(function))
        binding.add_symbol(name, compiled[-1].address)
    return tuple(compiled)
