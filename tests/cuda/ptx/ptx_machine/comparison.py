"""Comparison and selection: PTX instructions as LLVM."""

from ptx_machine.arithmetic import emits, flushed, kind_of
from ptx_machine.emitter import Emitter, llvm_type
from ptx_machine.parser import WIDTHS, Instruction


@emits("testp")
def _testp(e: Emitter, instruction: Instruction) -> None:
    kind = kind_of(instruction)
    classes = {
        "finite": 0x1F8,
        "infinite": 0x204,
        "number": 0x3FC,
        "notanumber": 3,
        "normal": 0x108,
        "subnormal": 0x90,
    }
    argument = f"{llvm_type(kind)} {e.value(instruction.operands[1], kind)}"
    mask = classes[instruction.parts[1]]
    e.set(
        instruction.operands[0],
        "pred",
        e.intrinsic(f"llvm.is.fpclass.{kind}", "i1", argument, f"i32 {mask}"),
    )


_INTEGER_ORDERS = {"lo": "ult", "ls": "ule", "hi": "ugt", "hs": "uge"}


def _compared(e: Emitter, instruction: Instruction, kind: str) -> str:
    order = instruction.parts[1]
    a, b = (
        flushed(e, instruction, kind, e.value(operand, kind))
        for operand in instruction.operands[1:3]
    )
    if kind[0] == "f":
        unordered = order.endswith("u") and order != "nu"
        name = {"num": "ord", "nan": "uno"}.get(order) or (
            "u" + order[:-1] if unordered else "o" + order
        )
        return e.op(f"fcmp {name} {llvm_type(kind)} {a}, {b}")
    if order not in ("eq", "ne"):
        order = _INTEGER_ORDERS.get(order) or ("s" if kind[0] == "s" else "u") + order
    return e.op(f"icmp {order} {llvm_type(kind)} {a}, {b}")


@emits("setp", "set")
def _compare(e: Emitter, instruction: Instruction) -> None:
    kinds = [part for part in instruction.parts if part in WIDTHS]
    result = _compared(e, instruction, kinds[-1])
    opposite = e.op(f"xor i1 {result}, true")
    combine = [part for part in instruction.parts if part in ("and", "or", "xor")]
    if combine:
        third = e.value(instruction.operands[3], "pred")
        result, opposite = (e.op(f"{combine[0]} i1 {one}, {third}") for one in (result, opposite))
    target = instruction.operands[0]
    if instruction.parts[0] == "setp":
        both = target if isinstance(target, tuple) else (target,)
        for one, value in zip(both, (result, opposite), strict=False):
            e.set(one, "pred", value)
    elif kinds[0] == "f32":
        e.set(target, "f32", e.op(f"uitofp i1 {result} to float"))
    else:
        e.set(target, kinds[0], e.op(f"sext i1 {result} to i32"))


@emits("selp", "slct")
def _select(e: Emitter, instruction: Instruction) -> None:
    kind = next(part for part in instruction.parts if part in WIDTHS)
    a, b = (e.value(operand, kind) for operand in instruction.operands[1:3])
    if instruction.parts[0] == "slct":
        order = "fcmp oge float {}, 0.0" if kind_of(instruction) == "f32" else "icmp sge i32 {}, 0"
        condition = e.op(order.format(e.value(instruction.operands[3], kind_of(instruction))))
    else:
        condition = e.value(instruction.operands[3], "pred")
    width = llvm_type(kind)
    e.set(instruction.operands[0], kind, e.op(f"select i1 {condition}, {width} {a}, {width} {b}"))
