"""What the threads of a warp do together, and what is said of a fault."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ptx_machine.layout import Fault, Field, Slot
from ptx_machine.parser import PtxError

_FULL = 0xFFFFFFFF


def together(
    records: np.ndarray, states: np.ndarray, threads: int, lanes: np.ndarray, ptx: str
) -> None:
    """Carry out the instructions of whole warps, among ``lanes`` that wait for one, for which all
    their threads are there."""
    for line in np.unique(records[lanes, Slot.WAIT]) if len(lanes) else ():
        at_line = lanes[records[lanes, Slot.WAIT] == line]
        text = " ".join(ptx.split("\n")[int(line) - 1].replace(",", " ").replace(";", " ").split())
        opcode = next(word for word in text.split() if not word.startswith("@"))
        for group in _groups(records, at_line, states, threads, opcode):
            _carry_out(records, group, opcode, threads)
            states[group] = 0


def _groups(
    records: np.ndarray, lanes: np.ndarray, states: np.ndarray, threads: int, opcode: str
) -> Any:
    """The warps of which all threads of the member mask that have not ended wait at one
    instruction."""
    warp = lanes // threads * (-(-threads // 32)) + lanes % threads // 32
    for number in np.unique(warp):
        group = lanes[warp == number]
        if opcode == "activemask.b32":
            yield group
            continue
        place = {"bar": 0, "vote": 1, "shfl": 3}[opcode.split(".")[0]]
        mask = int(records[group[0], Slot.OPERANDS + place]) & _FULL
        first = group[0] - group[0] % threads % 32
        bits = 1 << (group - first)
        missing = [
            lane
            for lane in range(first, min(first + 32, (group[0] // threads + 1) * threads))
            if mask >> (lane - first) & 1 and lane not in group and states[lane] != 1
        ]
        if any(not mask & int(bit) for bit in bits):
            raise PtxError(f"a thread at {opcode} is not in its member mask {mask:#x}")
        if not missing:
            yield group


def _carry_out(records: np.ndarray, group: np.ndarray, opcode: str, threads: int) -> None:
    parts = opcode.split(".")
    thread = group % threads
    lane = thread % 32
    operands = [records[group, Slot.OPERANDS + i] & _FULL for i in range(4)]
    results = records[group][:, [Slot.RESULTS, Slot.RESULTS + 1]]
    if parts[0] == "activemask":
        results[:, 0] = int((1 << lane).sum())
    elif parts[0] == "vote":
        yes = operands[0] != 0
        results[:, 0] = {
            "all": yes.all(),
            "any": yes.any(),
            "uni": yes.all() or not yes.any(),
            "ballot": (yes << lane).sum(),
        }[parts[2]]
    elif parts[0] == "shfl":
        source, inside = _source(parts[2], lane, operands[1], operands[2])
        source = np.where(inside, source, lane)
        values = dict(zip(lane.tolist(), operands[0].tolist(), strict=True))
        if not set(source.tolist()) <= values.keys():
            raise PtxError(f"{opcode} reads from a thread that does not take part")
        results[:, 0] = [values[one] for one in source.tolist()]
        results[:, 1] = inside
    for column in range(2):
        records[group, Slot.RESULTS + column] = results[:, column]


def _source(
    mode: str, lane: np.ndarray, b: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The lane that each lane reads from, and whether it lies in the segment (PTX ISA,
    shfl.sync)."""
    clamp, segment, b = c & 31, c >> 8 & 31, b & 31
    low = lane & segment
    high = low | (clamp & ~segment)
    if mode == "up":
        return lane - b, lane - b >= high
    if mode == "down":
        return lane + b, lane + b <= high
    source = lane ^ b if mode == "bfly" else low | (b & ~segment)
    return source, source <= high


_REASONS = {
    Fault.OUTSIDE: "accesses memory that is not there",
    Fault.MISALIGNED: "accesses memory with the wrong alignment",
    Fault.UNINITIALISED: "reads memory that was never written",
    Fault.READ_ONLY: "writes to constant memory",
    Fault.NOT_MINE: "accesses shared memory of another block or local memory of another thread",
    Fault.RACE: "races with {other}, PTX line {other_line}: {other_text}",
    Fault.DIVISION: "divides by the integer zero",
    Fault.TRAP: "meets a trap",
    Fault.SYNCS: "uses more places of atomic operations than the search for races can hold",
}


def describe(
    fields: np.ndarray,
    allocations: list[tuple[int, int, str]],
    ptx: str,
    sources: dict[int, int],
    where: Callable[[int], str],
) -> str:
    """One sentence on the fault in the fields."""
    rows = ptx.split("\n")
    line, other_line = int(fields[Field.LINE]), int(fields[Field.OTHER_LINE])
    fault, address, size = (
        int(fields[number]) for number in (Field.FAULT, Field.ADDRESS, Field.SIZE)
    )
    reason = _REASONS[fault]
    if fault == Fault.RACE:
        other = where(int(fields[Field.OTHER_LANE]))
        reason = reason.format(
            other=other, other_line=other_line, other_text=rows[other_line - 1].strip()
        )
    place = ""
    if fault not in (Fault.DIVISION, Fault.TRAP):
        start, length, name = min(
            allocations, key=lambda one: max(one[0] - address, address - one[0] - one[1] + 1, 0)
        )
        place = f"; {size} bytes at offset {address - start} of {name[-60:]} ({length} bytes)"
    python = f" (Python line {sources[line]})" if line in sources else ""
    return (
        f"{where(int(fields[Field.LANE]))} {reason}; PTX line {line}{python}: "
        f"{rows[line - 1].strip()}{place}"
    )
