"""Arithmetic of integers and floats: PTX instructions as LLVM.

Floats are computed exactly as the card does (fma with one rounding; rounded down, up or to zero in
float32 only); the ``.approx`` functions, whose last bits the ISA leaves open, are those of the C
library."""

from typing import Any

from ptx_machine.emitter import Emitter, llvm_type
from ptx_machine.layout import Fault
from ptx_machine.parser import WIDTHS, Instruction, PtxError, Register

EMITS: dict[str, Any] = {}
"""opcode -> function (emitter, instruction)."""


def emits(*names: str) -> Any:
    """Decorator: this function translates these opcodes."""

    def register(function: Any) -> Any:
        EMITS.update(dict.fromkeys(names, function))
        return function

    return register


def kind_of(instruction: Instruction) -> str:
    """The type of an instruction: the last modifier that is one."""
    return next(part for part in reversed(instruction.parts) if part in WIDTHS)


def unsupported(instruction: Instruction) -> PtxError:
    """What to raise for an instruction that the machine does not know."""
    return PtxError(f"PTX line {instruction.line}: the machine does not know {instruction.text}")


def refuse_roundings(instruction: Instruction, *names: str) -> None:
    """These are not there, by default none but round to nearest even."""
    if set(instruction.parts) & set(names or ("rz", "rm", "rp", "sat")):
        raise unsupported(instruction)


def flushed(e: Emitter, instruction: Instruction, kind: str, value: str) -> str:
    """With .ftz: subnormal float32 become zeros of their sign."""
    if "ftz" not in instruction.parts or kind != "f32":
        return value
    bits = e.op(f"bitcast float {value} to i32")
    exponent = e.op(f"and i32 {bits}, 2139095040")
    zero = e.op(f"bitcast i32 {e.op(f'and i32 {bits}, 2147483648')} to float")
    return e.op(f"select i1 {e.op(f'icmp eq i32 {exponent}, 0')}, float {zero}, float {value}")


def floats(e: Emitter, instruction: Instruction, kind: str) -> list[str]:
    """The source operands as floats."""
    return [
        flushed(e, instruction, kind, e.value(operand, kind))
        for operand in instruction.operands[1:]
    ]


def finish(e: Emitter, instruction: Instruction, kind: str, value: str) -> None:
    """Set the destination to a float result."""
    e.set(instruction.operands[0], kind, flushed(e, instruction, kind, value))


@emits("add", "sub", "mul", "div")
def _four(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    name = instruction.parts[0]
    if kind[0] == "f":
        a, b = floats(e, instruction, kind)
        if _directed(instruction, kind, ("add", "mul")):
            one = "1.0" if name == "add" else b
            return finish(
                e,
                instruction,
                kind,
                _rounded(e, instruction, a, one, b if name == "add" else "-0.0"),
            )
        refuse_roundings(instruction)
        fused = _fused(e, instruction, kind, a, b) if e.fuse else ""
        finish(e, instruction, kind, fused or e.op(f"f{name} {llvm_type(kind)} {a}, {b}"))
        if name == "mul" and "rn" not in instruction.parts:
            e.products[e.read(instruction.operands[0])] = (a, b)
        return None
    if name == "mul":
        return e.set(instruction.operands[0], *_product(e, instruction, kind))
    if name == "div":
        return _quotient(e, instruction)
    if "cc" in instruction.parts:
        return _carrying(e, instruction)
    refuse_roundings(instruction)
    a, b = (e.value(operand, kind) for operand in instruction.operands[1:])
    return e.set(instruction.operands[0], kind, e.op(f"{name} {llvm_type(kind)} {a}, {b}"))


def _fused(e: Emitter, instruction: Instruction, kind: str, a: str, b: str) -> str:
    """A sum of which one part is a product, as ptxas may make it: one fma, unless .rn forbids
    it."""
    name, width = instruction.parts[0], llvm_type(kind)
    if name not in ("add", "sub") or "rn" in instruction.parts:
        return ""
    factors = [
        e.products.get(e.read(one)) if isinstance(one, Register) else None
        for one in instruction.operands[1:]
    ]
    if factors[0]:
        p, q = factors[0]
        r = b if name == "add" else e.op(f"fneg {width} {b}")
    elif factors[1]:
        (p, q), r = factors[1], a
        p = p if name == "add" else e.op(f"fneg {width} {p}")
    else:
        return ""
    return e.intrinsic(f"llvm.fma.{kind}", width, *(f"{width} {one}" for one in (p, q, r)))


def _directed(instruction: Instruction, kind: str, names: tuple[str, ...]) -> bool:
    """Whether it is one of these operations of float32 and rounds down, up or to zero."""
    modifiers = set(instruction.parts)
    return kind == "f32" and instruction.parts[0] in names and bool(modifiers & {"rm", "rp", "rz"})


def _rounded(e: Emitter, instruction: Instruction, a: str, b: str, c: str) -> str:
    """a b + c, rounded down, up or to zero.

    The product is exact in float64, and the sum is known with its error; so one sees on which side
    of it the nearest float32 lies."""
    refuse_roundings(instruction, "sat")
    p, q, r = (e.op(f"fpext float {one} to double") for one in (a, b, c))
    p = e.op(f"fmul double {p}, {q}")
    total = e.op(f"fadd double {p}, {r}")
    back = e.op(f"fsub double {total}, {p}")
    lost = (
        e.op(f"fsub double {p}, {e.op(f'fsub double {total}, {back}')}"),
        e.op(f"fsub double {r}, {back}"),
    )
    error = e.op(f"fadd double {lost[0]}, {lost[1]}")
    nearest = e.op(f"fptrunc double {total} to float")
    beyond = e.op(f"fsub double {e.op(f'fpext float {nearest} to double')}, {total}")
    above, below = (
        e.op(f"fcmp ogt double {beyond}, {error}"),
        e.op(f"fcmp olt double {beyond}, {error}"),
    )
    if "rz" in instruction.parts:
        above = e.op(f"and i1 {above}, {e.op(f'fcmp ogt double {total}, 0.0')}")
        below = e.op(f"and i1 {below}, {e.op(f'fcmp olt double {total}, 0.0')}")
    if "rp" not in instruction.parts:
        down = e.intrinsic("nextafterf", "float", f"float {nearest}", "float 0xFFF0000000000000")
        nearest = e.op(f"select i1 {above}, float {down}, float {nearest}")
    if "rm" not in instruction.parts:
        up = e.intrinsic("nextafterf", "float", f"float {nearest}", "float 0x7FF0000000000000")
        nearest = e.op(f"select i1 {below}, float {up}, float {nearest}")
    return nearest


@emits("addc", "subc")
def _carrying(e: Emitter, instruction: Instruction) -> None:
    """Sums and differences that write or read the carry."""
    kind = kind_of(instruction)
    a, b = (e.value(operand, kind) for operand in instruction.operands[1:])
    how = instruction.parts[0][:3]
    result, carry = _with_carry(e, how, f"i{WIDTHS[kind]}", a, b)
    if instruction.parts[0].endswith("c"):
        if not e.carry:
            raise unsupported(instruction)
        extra = e.op(f"zext i1 {e.carry} to i{WIDTHS[kind]}")
        result, second = _with_carry(e, how, f"i{WIDTHS[kind]}", result, extra)
        carry = e.op(f"or i1 {carry}, {second}")
    e.set(instruction.operands[0], kind, result)
    if "cc" in instruction.parts:
        e.carry = carry


def _with_carry(e: Emitter, how: str, kind: str, a: str, b: str) -> tuple[str, str]:
    pair = e.op(f"call {{{kind}, i1}} @llvm.u{how}.with.overflow.{kind}({kind} {a}, {kind} {b})")
    e.intrinsics.add(f"declare {{{kind}, i1}} @llvm.u{how}.with.overflow.{kind}({kind}, {kind})")
    return e.op(f"extractvalue {{{kind}, i1}} {pair}, 0"), e.op(
        f"extractvalue {{{kind}, i1}} {pair}, 1"
    )


def _product(e: Emitter, instruction: Instruction, kind: str) -> tuple[str, str]:
    """(type, value) of a product of integers: .lo, .hi, .wide, or of 24 bits."""
    bits = WIDTHS[kind]
    a, b = (e.value(operand, kind) for operand in instruction.operands[1:3])
    if instruction.parts[0].endswith("24"):
        shift = "ashr" if kind[0] == "s" else "lshr"
        a, b = (e.op(f"{shift} i32 {e.op(f'shl i32 {one}, 8')}, 8") for one in (a, b))
    elif not {"lo", "hi", "wide"} & set(instruction.parts):
        raise unsupported(instruction)
    if "lo" in instruction.parts:
        return kind, e.op(f"mul i{bits} {a}, {b}")
    if instruction.parts[0].endswith("24"):
        raise unsupported(instruction)
    a, b = (e.resize(one, bits, 2 * bits, kind[0] == "s") for one in (a, b))
    product = e.op(f"mul i{2 * bits} {a}, {b}")
    if "wide" in instruction.parts:
        return f"{kind[0]}{2 * bits}", product
    return kind, e.resize(e.op(f"lshr i{2 * bits} {product}, {bits}"), 2 * bits, bits, False)


@emits("mul24")
def _mul24(e: Emitter, instruction: Instruction) -> None:
    e.set(instruction.operands[0], *_product(e, instruction, kind_of(instruction)))


@emits("mad", "madc", "mad24", "fma")
def _mad(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    if kind[0] == "f":
        if _directed(instruction, kind, ("fma",)):
            return finish(
                e, instruction, kind, _rounded(e, instruction, *floats(e, instruction, kind))
            )
        refuse_roundings(instruction)
        width = llvm_type(kind)
        arguments = [f"{width} {one}" for one in floats(e, instruction, kind)]
        return finish(e, instruction, kind, e.intrinsic(f"llvm.fma.{kind}", width, *arguments))
    kind, product = _product(e, instruction, kind)
    width = f"i{WIDTHS[kind]}"
    result, carry = _with_carry(e, "add", width, product, e.value(instruction.operands[3], kind))
    if instruction.parts[0] == "madc":
        result, second = _with_carry(e, "add", width, result, e.op(f"zext i1 {e.carry} to {width}"))
        carry = e.op(f"or i1 {carry}, {second}")
    if "cc" in instruction.parts:
        e.carry = carry
    return e.set(instruction.operands[0], kind, result)


@emits("rem")
def _quotient(e: Emitter, instruction: Instruction) -> None:
    """Integer quotient or remainder; a division by zero, of which the card makes nonsense, is a
    fault."""
    kind = kind_of(instruction)
    width = llvm_type(kind)
    a, b = (e.value(operand, kind) for operand in instruction.operands[1:])
    e.trap(e.op(f"icmp eq {width} {b}, 0"), str(Fault.DIVISION))
    name = ("s" if kind[0] == "s" else "u") + instruction.parts[0]
    if kind[0] == "s":  # the least number divided by -1 wraps on the card and stops the CPU
        minus = e.op(f"icmp eq {width} {b}, -1")
        usual = e.op(f"{name} {width} {a}, {e.op(f'select i1 {minus}, {width} 1, {width} {b}')}")
        special = e.op(f"sub {width} 0, {a}") if "div" in name else "0"
        return e.set(
            instruction.operands[0],
            kind,
            e.op(f"select i1 {minus}, {width} {special}, {width} {usual}"),
        )
    return e.set(instruction.operands[0], kind, e.op(f"{name} {width} {a}, {b}"))


@emits("min", "max")
def _least(e: Emitter, instruction: Instruction) -> None:
    """Of two floats the one that is no NaN (with .NaN: a NaN); -0 is less than +0."""
    kind = kind_of(instruction)
    width, name = llvm_type(kind), instruction.parts[0]
    if kind[0] == "f":
        a, b = (f"{width} {one}" for one in floats(e, instruction, kind))
        result = e.intrinsic(f"llvm.{name}imum.{kind}", width, a, b)
        if "NaN" not in instruction.parts:
            result = e.op(
                f"select i1 {e.op(f'fcmp uno {a}, {b.split()[1]}')}, {width} "
                f"{e.intrinsic(f'llvm.{name}num.{kind}', width, a, b)}, {width} {result}"
            )
        return finish(e, instruction, kind, result)
    a, b = (e.value(operand, kind) for operand in instruction.operands[1:])
    order = ("s" if kind[0] == "s" else "u") + ("lt" if name == "min" else "gt")
    chosen = e.op(f"select i1 {e.op(f'icmp {order} {width} {a}, {b}')}, {width} {a}, {width} {b}")
    return e.set(instruction.operands[0], kind, chosen)


@emits("abs", "neg")
def _sign(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    width, name = llvm_type(kind), instruction.parts[0]
    if kind[0] == "f":
        (a,) = floats(e, instruction, kind)
        value = (
            e.op(f"fneg {width} {a}")
            if name == "neg"
            else e.intrinsic(f"llvm.fabs.{kind}", width, f"{width} {a}")
        )
        return finish(e, instruction, kind, value)
    a = e.value(instruction.operands[1], kind)
    value = e.op(f"sub {width} 0, {a}")
    if name == "abs":
        value = e.op(f"select i1 {e.op(f'icmp slt {width} {a}, 0')}, {width} {value}, {width} {a}")
    return e.set(instruction.operands[0], kind, value)


@emits("copysign")
def _copysign(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    sign, size = (f"{llvm_type(kind)} {one}" for one in floats(e, instruction, kind))
    finish(e, instruction, kind, e.intrinsic(f"llvm.copysign.{kind}", llvm_type(kind), size, sign))


_FUNCTIONS = {
    "sqrt": "llvm.sqrt",
    "sin": "llvm.sin",
    "cos": "llvm.cos",
    "ex2": "llvm.exp2",
    "lg2": "llvm.log2",
}


@emits("sqrt", "rsqrt", "rcp", "ex2", "lg2", "sin", "cos", "tanh")
def _function(e: Emitter, instruction: Instruction) -> None:
    refuse_roundings(instruction)
    kind, name = kind_of(instruction), instruction.parts[0]
    width = llvm_type(kind)
    (a,) = floats(e, instruction, kind)
    if name == "tanh":
        value = e.intrinsic("tanhf", width, f"{width} {a}")
    elif name in _FUNCTIONS:
        value = e.intrinsic(f"{_FUNCTIONS[name]}.{kind}", width, f"{width} {a}")
    else:
        root = e.intrinsic(f"llvm.sqrt.{kind}", width, f"{width} {a}") if name == "rsqrt" else a
        value = e.op(f"fdiv {width} 1.0, {root}")
    if kind == "f64" and "approx" in instruction.parts:  # the card gives the upper 32 bits only
        bits = e.op(f"and i64 {e.op(f'bitcast double {value} to i64')}, -4294967296")
        value = e.op(f"bitcast i64 {bits} to double")
    finish(e, instruction, kind, value)
