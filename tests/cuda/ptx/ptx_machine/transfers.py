"""Loads, stores, atomics, addresses and fences: PTX instructions as LLVM, every access checked."""

from ptx_machine.arithmetic import emits, kind_of, unsupported
from ptx_machine.emitter import Emitter, llvm_type
from ptx_machine.layout import Field
from ptx_machine.parser import WIDTHS, Address, Instruction, Register


class Use:
    """What an access does with the memory."""

    READ, WRITE, ATOMIC, SEEN, SAID = range(5)


_STRONG = {"volatile", "acquire", "release", "relaxed", "mmio"}


def _space(instruction: Instruction) -> str:
    parts = [part.split("_")[0] for part in instruction.parts]
    return next(
        (part for part in parts if part in ("param", "global", "shared", "local", "const")),
        "generic",
    )


def _lanes(instruction: Instruction) -> int:
    return next((int(part[1]) for part in instruction.parts if part in ("v2", "v4", "v8")), 1)


@emits("ld", "ldu")
def _load(e: Emitter, instruction: Instruction) -> None:
    kind, count = kind_of(instruction), _lanes(instruction)
    size, space = WIDTHS[kind] // 8, _space(instruction)
    if space == "param":
        pointer = e.param(instruction.operands[1])
    else:
        use = Use.SEEN if _STRONG & set(instruction.parts) else Use.READ
        pointer = e.access(e.address(instruction.operands[1], space), size * count, use)
        _ordered(e, instruction, "acquire")
    targets = instruction.operands[0] if count > 1 else (instruction.operands[0],)
    for number, target in enumerate(targets):
        place = e.op(f"getelementptr i8, ptr {pointer}, i64 {number * size}")
        e.set(target, kind, e.op(f"load {llvm_type(kind)}, ptr {place}, align 1"))


@emits("st")
def _store(e: Emitter, instruction: Instruction) -> None:
    kind, count = kind_of(instruction), _lanes(instruction)
    size, space = WIDTHS[kind] // 8, _space(instruction)
    sources = instruction.operands[1] if count > 1 else (instruction.operands[1],)
    values = [e.value(source, kind) for source in sources]
    if space == "param":
        pointer = e.param(instruction.operands[0])
    else:
        use = Use.SAID if _STRONG & set(instruction.parts) else Use.WRITE
        _ordered(e, instruction, "release")
        pointer = e.access(e.address(instruction.operands[0], space), size * count, use)
    for number, value in enumerate(values):
        place = e.op(f"getelementptr i8, ptr {pointer}, i64 {number * size}")
        e.emit(f"  store {llvm_type(kind)} {value}, ptr {place}, align 1")


@emits("cvta")
def _cvta(e: Emitter, instruction: Instruction) -> None:
    """Between the generic address and the one in a space; they differ for shared and local memory
    only."""
    space = _space(instruction)
    value = e.value(instruction.operands[1], "u64")
    if space in ("shared", "local"):
        base = e.to_generic("0", space)
        value = e.op(f"{'sub' if 'to' in instruction.parts else 'add'} i64 {value}, {base}")
    e.set(instruction.operands[0], "u64", value)


@emits("isspacep")
def _isspacep(e: Emitter, instruction: Instruction) -> None:
    address = e.value(instruction.operands[1], "u64")
    shared, local = (
        e.op(f"icmp uge i64 {address}, {e.field(n)}") for n in (Field.SHARED, Field.LOCAL)
    )
    opposite = [e.op(f"xor i1 {one}, true") for one in (shared, local)]
    results = {
        "local": local,
        "shared": e.op(f"and i1 {shared}, {opposite[1]}"),
        "global": opposite[0],
    }
    e.set(instruction.operands[0], "pred", results[_space(instruction)])


def _updated(e: Emitter, instruction: Instruction, kind: str, old: str) -> str:
    """What an atomic operation puts in the place of the old value."""
    width = llvm_type(kind)
    place = next(
        i for i, operand in enumerate(instruction.operands) if isinstance(operand, Address)
    )
    operands = [e.value(operand, kind) for operand in instruction.operands[place + 1 :]]
    name, b = next(part for part in instruction.parts[1:] if part in _ATOMICS), operands[-1]
    if name == "exch":
        return b
    if name == "cas":
        return e.op(
            f"select i1 {e.op(f'icmp eq {width} {old}, {operands[0]}')}, {width} {b}, {width} {old}"
        )
    if name in ("min", "max") and kind[0] != "f":
        order = ("s" if kind[0] == "s" else "u") + ("lt" if name == "min" else "gt")
        return e.op(
            f"select i1 {e.op(f'icmp {order} {width} {old}, {b}')}, {width} {old}, {width} {b}"
        )
    if name in ("inc", "dec"):
        next_one = e.op(f"{'add' if name == 'inc' else 'sub'} {width} {old}, 1")
        wraps = e.op(f"icmp uge {width} {old}, {b}")
        if name == "dec":
            wraps = e.op(
                f"or i1 {e.op(f'icmp eq {width} {old}, 0')}, {e.op(f'icmp ugt {width} {old}, {b}')}"
            )
        return e.op(f"select i1 {wraps}, {width} {'0' if name == 'inc' else b}, {width} {next_one}")
    if name in ("min", "max"):
        raise unsupported(instruction)
    return e.op(f"{'fadd' if kind[0] == 'f' else name} {width} {old}, {b}")


_ATOMICS = {"add", "exch", "cas", "min", "max", "and", "or", "xor", "inc", "dec"}


@emits("atom", "red")
def _atomic(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    returns = instruction.parts[0] == "atom"
    address = e.address(instruction.operands[1 if returns else 0], _space(instruction))
    _ordered(e, instruction, "release", "acq_rel")
    pointer = e.access(address, WIDTHS[kind] // 8, Use.ATOMIC)
    _ordered(e, instruction, "acquire", "acq_rel")
    old = e.op(f"load {llvm_type(kind)}, ptr {pointer}, align 1")
    new = _updated(e, instruction, kind, old)
    e.emit(f"  store {llvm_type(kind)} {new}, ptr {pointer}, align 1")
    if returns:
        e.set(instruction.operands[0], kind, old)


@emits("membar", "fence")
def _fence(e: Emitter, instruction: Instruction) -> None:
    e.emit("  call void @ptx_fence(ptr %M, i64 %lane)")


def _ordered(e: Emitter, instruction: Instruction, *orders: str) -> None:
    """An access with one of these orders is one beside a fence."""
    if set(orders) & set(instruction.parts):
        _fence(e, instruction)


@emits("prefetch", "prefetchu", "nanosleep", "pmevent", "griddepcontrol", "applypriority")
def _nothing(e: Emitter, instruction: Instruction) -> None:
    """Of no effect on values."""


def registers_of(instruction: Instruction) -> list[Register]:
    """All registers that an instruction names."""
    found: list[Register] = []
    pending = [instruction.predicate, *instruction.operands]
    while pending:
        one = pending.pop()
        if isinstance(one, tuple):
            pending.extend(one)
        elif isinstance(one, Register):
            found.append(one)
        elif hasattr(one, "base"):
            pending.append(one.base)
    return found
