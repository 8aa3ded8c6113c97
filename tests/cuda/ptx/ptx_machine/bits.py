"""Moves, logic, shifts, fields of bits and conversions: PTX instructions as LLVM."""

from ptx_machine.arithmetic import emits, flushed, kind_of, refuse_roundings, unsupported
from ptx_machine.emitter import Emitter, llvm_type
from ptx_machine.parser import WIDTHS, Instruction


@emits("mov")
def _mov(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    e.set(instruction.operands[0], kind, e.value(instruction.operands[1], kind))


@emits("and", "or", "xor")
def _logic(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    a, b = (e.value(operand, kind) for operand in instruction.operands[1:])
    e.set(instruction.operands[0], kind, e.op(f"{instruction.parts[0]} i{WIDTHS[kind]} {a}, {b}"))


@emits("not", "cnot")
def _not(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    a, width = e.value(instruction.operands[1], kind), f"i{WIDTHS[kind]}"
    if instruction.parts[0] == "not":
        return e.set(
            instruction.operands[0],
            kind,
            e.op(f"xor {width} {a}, {'true' if kind == 'pred' else -1}"),
        )
    zero = e.op(f"icmp eq {width} {a}, 0")
    return e.set(instruction.operands[0], kind, e.op(f"zext i1 {zero} to {width}"))


@emits("lop3")
def _lop3(e: Emitter, instruction: Instruction) -> None:
    """Any logic of three words, given by its table of eight bits."""
    words = [e.value(operand, "b32") for operand in instruction.operands[1:4]]
    inverse = [e.op(f"xor i32 {word}, -1") for word in words]
    total = "0"
    for row in range(8):
        if instruction.operands[4].value >> row & 1:
            a, b, c = (words[i] if row >> (2 - i) & 1 else inverse[i] for i in range(3))
            both = e.op(f"and i32 {a}, {b}")
            total = e.op(f"or i32 {total}, {e.op(f'and i32 {both}, {c}')}")
    e.set(instruction.operands[0], "b32", total)


@emits("shl", "shr")
def _shift(e: Emitter, instruction: Instruction) -> None:
    """Shifts by the width or more give zeros, or the sign."""
    kind = kind_of(instruction)
    bits = WIDTHS[kind]
    a, amount = e.value(instruction.operands[1], kind), e.value(instruction.operands[2], "u32")
    far = e.op(f"icmp ugt i32 {amount}, {bits - 1}")
    near = e.resize(e.op(f"select i1 {far}, i32 {bits - 1}, i32 {amount}"), 32, bits, False)
    name = "shl" if instruction.parts[0] == "shl" else "ashr" if kind[0] == "s" else "lshr"
    result = e.op(f"{name} i{bits} {a}, {near}")
    if name != "ashr":
        result = e.op(f"select i1 {far}, i{bits} 0, i{bits} {result}")
    e.set(instruction.operands[0], kind, result)


@emits("shf")
def _funnel(e: Emitter, instruction: Instruction) -> None:
    """The middle of two words: shf.l gives the upper one of (high, low) << n, shf.r the lower one
    of >> n."""
    low, high, amount = (e.value(operand, "u32") for operand in instruction.operands[1:])
    if "clamp" in instruction.parts:
        far = e.op(f"icmp ugt i32 {amount}, 32")
        amount = e.op(f"select i1 {far}, i32 32, i32 {amount}")
    else:
        amount = e.op(f"and i32 {amount}, 31")
    wide = e.op(f"shl i64 {e.resize(high, 32, 64, False)}, 32")
    wide = e.op(f"or i64 {wide}, {e.resize(low, 32, 64, False)}")
    amount = e.resize(amount, 32, 64, False)
    if "l" in instruction.parts:
        shifted = e.op(f"lshr i64 {e.op(f'shl i64 {wide}, {amount}')}, 32")
    else:
        shifted = e.op(f"lshr i64 {wide}, {amount}")
    e.set(instruction.operands[0], "b32", e.resize(shifted, 64, 32, False))


def _field(e: Emitter, operands: tuple, bits: int) -> tuple[str, str, str]:
    """(position, length, mask) of a field of bits, the mask not yet shifted."""
    position, length = (e.op(f"and i32 {e.value(operand, 'u32')}, 255") for operand in operands)
    wide = [e.resize(one, 32, 128, False) for one in (position, length)]
    mask = e.op(f"sub i128 {e.op(f'shl i128 1, {_capped(e, wide[1])}')}, 1")
    return _capped(e, wide[0]), _capped(e, wide[1]), mask


def _capped(e: Emitter, amount: str) -> str:
    return e.op(f"select i1 {e.op(f'icmp ugt i128 {amount}, 64')}, i128 64, i128 {amount}")


@emits("bfe")
def _bfe(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    bits, signed = WIDTHS[kind], kind[0] == "s"
    position, length, mask = _field(e, instruction.operands[2:4], bits)
    wide = e.resize(e.value(instruction.operands[1], kind), bits, 128, signed)
    how = "ashr" if signed else "lshr"
    part = e.op(f"and i128 {e.op(f'{how} i128 {wide}, {position}')}, {mask}")
    if signed:
        left = e.op(f"and i128 {e.op(f'sub i128 128, {length}')}, 127")
        part = e.op(f"ashr i128 {e.op(f'shl i128 {part}, {left}')}, {left}")
    e.set(instruction.operands[0], kind, e.resize(part, 128, bits, False))


@emits("bfi")
def _bfi(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    bits = WIDTHS[kind]
    position, _, mask = _field(e, instruction.operands[3:5], bits)
    new, old = (
        e.resize(e.value(operand, kind), bits, 128, False) for operand in instruction.operands[1:3]
    )
    hole = e.op(f"xor i128 {e.op(f'shl i128 {mask}, {position}')}, -1")
    new = e.op(f"shl i128 {e.op(f'and i128 {new}, {mask}')}, {position}")
    merged = e.op(f"or i128 {new}, {e.op(f'and i128 {old}, {hole}')}")
    e.set(instruction.operands[0], kind, e.resize(merged, 128, bits, False))


@emits("prmt")
def _prmt(e: Emitter, instruction: Instruction) -> None:
    """Four bytes chosen from eight."""
    if len(instruction.parts) != 2:
        raise unsupported(instruction)
    low, high, chosen = (
        e.resize(e.value(operand, "b32"), 32, 64, False) for operand in instruction.operands[1:]
    )
    both = e.op(f"or i64 {low}, {e.op(f'shl i64 {high}, 32')}")
    total = "0"
    for byte in range(4):
        nibble = e.op(f"lshr i64 {chosen}, {4 * byte}")
        shift = e.op(f"shl i64 {e.op(f'and i64 {nibble}, 7')}, 3")
        value = e.resize(e.op(f"lshr i64 {both}, {shift}"), 64, 8, False)
        sign = e.op(f"icmp ne i64 {e.op(f'and i64 {nibble}, 8')}, 0")
        value = e.op(f"select i1 {sign}, i8 {e.op(f'ashr i8 {value}, 7')}, i8 {value}")
        total = e.op(
            f"or i32 {total}, {e.op(f'shl i32 {e.resize(value, 8, 32, False)}, {8 * byte}')}"
        )
    e.set(instruction.operands[0], "b32", total)


@emits("popc", "clz", "brev")
def _counts(e: Emitter, instruction: Instruction) -> None:
    kind, name = kind_of(instruction), instruction.parts[0]
    width = f"i{WIDTHS[kind]}"
    a = f"{width} {e.value(instruction.operands[1], kind)}"
    if name == "clz":
        value = e.intrinsic(f"llvm.ctlz.{width}", width, a, "i1 false")
    else:
        value = e.intrinsic(f"llvm.{'ctpop' if name == 'popc' else 'bitreverse'}.{width}", width, a)
    result = kind if name == "brev" else "u32"
    e.set(instruction.operands[0], result, e.resize(value, WIDTHS[kind], WIDTHS[result], False))


@emits("bfind")
def _bfind(e: Emitter, instruction: Instruction) -> None:
    """Position of the highest bit (of the highest that differs from the sign), -1 if none."""
    kind = kind_of(instruction)
    width = f"i{WIDTHS[kind]}"
    a = e.value(instruction.operands[1], kind)
    if kind[0] == "s":
        a = e.op(f"xor {width} {a}, {e.op(f'ashr {width} {a}, {WIDTHS[kind] - 1}')}")
    zeros = e.resize(
        e.intrinsic(f"llvm.ctlz.{width}", width, f"{width} {a}", "i1 false"),
        WIDTHS[kind],
        32,
        False,
    )
    place = e.op(f"sub i32 {WIDTHS[kind] - 1}, {zeros}")
    if "shiftamt" in instruction.parts:
        place = e.op(f"select i1 {e.op(f'icmp eq {width} {a}, 0')}, i32 -1, i32 {zeros}")
    e.set(instruction.operands[0], "u32", place)


_TO_INTEGRAL = {"rni": "rint", "rzi": "trunc", "rmi": "floor", "rpi": "ceil"}


@emits("cvt")
def _cvt(e: Emitter, instruction: Instruction) -> None:
    target, source = [part for part in instruction.parts if part in WIDTHS]
    value = e.value(instruction.operands[1], source)
    mode = next((part for part in instruction.parts if part in _TO_INTEGRAL), "")
    if target[0] == "f" and source[0] == "f":
        value = _float_to_float(
            e, instruction, target, source, flushed(e, instruction, source, value), mode
        )
        value = flushed(e, instruction, target, value)
    elif target[0] == "f":
        refuse_roundings(instruction)
        how = "sitofp" if source[0] == "s" else "uitofp"
        value = e.op(f"{how} i{WIDTHS[source]} {value} to {llvm_type(target)}")
    elif source[0] == "f":
        width = llvm_type(source)
        value = flushed(e, instruction, source, value)
        value = e.intrinsic(f"llvm.{_TO_INTEGRAL[mode]}.{source}", width, f"{width} {value}")
        how = "s" if target[0] == "s" else "u"
        name = f"llvm.fpto{how}i.sat.i{WIDTHS[target]}.{source}"
        value = e.intrinsic(name, f"i{WIDTHS[target]}", f"{width} {value}")
    else:
        refuse_roundings(instruction)
        value = e.resize(value, WIDTHS[source], WIDTHS[target], source[0] == "s")
    e.set(instruction.operands[0], target, value)


def _float_to_float(
    e: Emitter, instruction: Instruction, target: str, source: str, value: str, mode: str
) -> str:
    if mode:
        width = llvm_type(source)
        value = e.intrinsic(f"llvm.{_TO_INTEGRAL[mode]}.{source}", width, f"{width} {value}")
    refuse_roundings(instruction, "rz", "rm", "rp")
    if target != source:
        how = "fpext" if WIDTHS[target] > WIDTHS[source] else "fptrunc"
        value = e.op(f"{how} {llvm_type(source)} {value} to {llvm_type(target)}")
    if "sat" in instruction.parts:  # into [0, 1]; a NaN becomes 0
        width = llvm_type(target)
        value = e.intrinsic(f"llvm.maxnum.{target}", width, f"{width} {value}", f"{width} 0.0")
        value = e.intrinsic(f"llvm.minnum.{target}", width, f"{width} {value}", f"{width} 1.0")
    return value
