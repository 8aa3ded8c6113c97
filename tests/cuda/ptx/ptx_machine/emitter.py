"""Values of PTX registers as values of LLVM, and the few pieces of code that every instruction
needs.

A register is an integer of its width (i1, i16, i32, i64), whatever is kept in it; floats are
bitcast where they are used. Registers that live in one segment (straight piece of code) are plain
LLVM values, all others have a place in the record of their thread."""

import struct
from typing import Any

from ptx_machine.layout import Field, Layout, Slot
from ptx_machine.parser import (
    WIDTHS,
    Address,
    Immediate,
    Instruction,
    PtxError,
    Register,
    Symbol,
    Variable,
)

_FLOATS = {"f16": "half", "f32": "float", "f64": "double"}


def llvm_type(kind: str) -> str:
    """The LLVM type in which values of a PTX type are computed."""
    return _FLOATS.get(kind) or f"i{WIDTHS[kind]}"


class Emitter:
    """Writes the LLVM text of one module."""

    def __init__(self, layout: Layout, fuse: bool) -> None:
        self.layout, self.fuse = layout, fuse
        self.products: dict[
            str, tuple[str, str]
        ] = {}  # value of a register -> the factors it is the product of
        self.rows: list[str] = []
        self.intrinsics: set[str] = set()
        self.count = 0
        self.known: dict[str, str] = {}  # registers whose value is at hand in this segment
        self.changed: dict[str, Register] = {}
        self.carry = ""
        self.line = 0

    def emit(self, row: str) -> None:
        """One row of LLVM."""
        self.rows.append(row)

    def op(self, text: str) -> str:
        """A new value."""
        self.count += 1
        self.emit(f"  %v{self.count} = {text}")
        return f"%v{self.count}"

    def intrinsic(self, name: str, result: str, *arguments: str) -> str:
        """A call of an LLVM intrinsic or function of the C library; arguments with their types."""
        types = ", ".join(argument.split()[0] for argument in arguments)
        self.intrinsics.add(f"declare {result} @{name}({types})")
        return self.op(f"call {result} @{name}({', '.join(arguments)})")

    # -- the thread's record

    def slot(self, number: int) -> str:
        """Pointer to a slot of the thread's record."""
        return self.op(f"getelementptr i64, ptr %T, i64 {number}")

    def load_slot(self, number: int) -> str:
        """The i64 of a slot."""
        return self.op(f"load i64, ptr {self.slot(number)}")

    def store_slot(self, number: int, value: str) -> None:
        """Put an i64 into a slot."""
        self.emit(f"  store i64 {value}, ptr {self.slot(number)}")

    def read(self, register: Register) -> str:
        """The value of a register."""
        if register.name not in self.known:
            pointer = self.slot(self.layout.registers[register.name])
            self.known[register.name] = self.op(f"load i{register.bits}, ptr {pointer}")
        return self.known[register.name]

    def write(self, register: Register, value: str) -> None:
        """Give a register a new value."""
        self.known[register.name] = value
        self.changed[register.name] = register

    def flush(self) -> None:
        """Store what other segments may read; the end of a segment."""
        for name, register in self.changed.items():
            if name in self.layout.registers:
                self.emit(
                    f"  store i{register.bits} {self.known[name]}, ptr "
                    f"{self.slot(self.layout.registers[name])}"
                )
        self.known, self.changed, self.carry = {}, {}, ""

    # -- operands

    def value(self, operand: Any, kind: str) -> str:
        """An operand as a value of a PTX type."""
        bits = WIDTHS[kind]
        if isinstance(operand, Immediate):
            return self._constant(operand, kind)
        if isinstance(operand, Register):
            value = self.resize(self.read(operand), operand.bits, bits, False)
        elif isinstance(operand, tuple) and operand[0] == "not":
            return self.op(f"xor i1 {self.value(operand[1], 'pred')}, true")
        elif isinstance(operand, tuple):
            value = self._packed(operand, bits)
        else:
            value = self.resize(self._named(operand), 64, bits, False)
        return (
            self.op(f"bitcast i{bits} {value} to {llvm_type(kind)}") if kind in _FLOATS else value
        )

    def set(self, operand: Any, kind: str, value: str) -> None:
        """Give the destination operand a value of a PTX type."""
        bits = WIDTHS[kind]
        if kind in _FLOATS:
            value = self.op(f"bitcast {llvm_type(kind)} {value} to i{bits}")
        if isinstance(operand, tuple):
            self._unpack(operand, value, bits)
        elif isinstance(operand, Register):
            self.write(operand, self.resize(value, bits, operand.bits, kind[0] == "s"))
        elif not (isinstance(operand, Symbol) and operand.name == "_"):
            raise PtxError(f"PTX line {self.line}: no destination: {operand}")

    def resize(self, value: str, bits: int, wanted: int, signed: bool) -> str:
        """An integer in another width."""
        if bits == wanted:
            return value
        how = "trunc" if wanted < bits else "sext" if signed else "zext"
        return self.op(f"{how} i{bits} {value} to i{wanted}")

    def _constant(self, operand: Immediate, kind: str) -> str:
        bits, value = WIDTHS[kind], operand.value
        if kind in _FLOATS and operand.kind != kind:
            number = (
                struct.unpack("<d", struct.pack("<Q", value))[0]
                if operand.kind == "f64"
                else float(value)
            )
            value = int.from_bytes(struct.pack("<f" if kind == "f32" else "<d", number), "little")
        if kind == "pred":
            return "true" if value else "false"
        value &= (1 << bits) - 1
        return (
            self.op(f"bitcast i{bits} {value} to {llvm_type(kind)}")
            if kind in _FLOATS
            else str(value)
        )

    def _packed(self, parts: tuple, bits: int) -> str:
        """{low, …, high} as one integer."""
        each = bits // len(parts)
        total = "0"
        for number, part in enumerate(parts):
            wide = self.resize(self.value(part, f"b{each}"), each, bits, False)
            total = self.op(
                f"or i{bits} {total}, {self.op(f'shl i{bits} {wide}, {number * each}')}"
            )
        return total

    def _unpack(self, parts: tuple, value: str, bits: int) -> None:
        each = bits // len(parts)
        for number, part in enumerate(parts):
            piece = self.op(f"lshr i{bits} {value}, {number * each}")
            self.set(part, f"b{each}", self.resize(piece, bits, each, False))

    def _named(self, operand: Any) -> str:
        """The address of a variable in its space, or a special register, as i64."""
        if isinstance(operand, Variable) and operand.name in self.layout.addresses:
            return str(self.layout.addresses[operand.name])
        name = operand.name
        if name in self.layout.addresses:
            return str(self.layout.addresses[name])
        if name in Slot.SPECIAL:
            return self.load_slot(Slot.SPECIAL[name])
        if name == "%dynamic_smem_size":
            return self.field(Field.DYNAMIC)
        if name == "%total_smem_size":
            return self.op(f"add i64 {self.field(Field.DYNAMIC)}, {self.layout.static_shared}")
        if name in ("%laneid", "%warpid"):
            thread = self.load_slot(Slot.THREAD)
            return self.op(
                f"and i64 {thread}, 31" if name == "%laneid" else f"lshr i64 {thread}, 5"
            )
        if name.startswith("%lanemask_"):
            return self._lane_mask(name[10:])
        if name in ("%clock", "%clock64", "%globaltimer"):
            return self.op("load i64, ptr %budget")
        raise PtxError(f"PTX line {self.line}: the machine has no {name}")

    def _lane_mask(self, which: str) -> str:
        one = self.op(f"shl i64 1, {self.op(f'and i64 {self.load_slot(Slot.THREAD)}, 31')}")
        less = self.op(f"sub i64 {one}, 1")
        equal = {"eq": one, "lt": less, "le": self.op(f"or i64 {one}, {less}")}
        above = {"ge": less, "gt": equal["le"]}
        return equal.get(which) or self.op(f"xor i64 {above[which]}, 4294967295")

    # -- memory

    def field(self, number: int) -> str:
        """A number of the launch."""
        return self.op(f"load i64, ptr {self.op(f'getelementptr i64, ptr %M, i64 {number}')}")

    def address(self, operand: Address, space: str) -> str:
        """The generic address of [base + offset] in a space."""
        value = self.value(
            operand.base, f"b{operand.base.bits}" if isinstance(operand.base, Register) else "b64"
        )
        if isinstance(operand.base, Register):
            value = self.resize(value, operand.base.bits, 64, False)
        if operand.offset:
            value = self.op(f"add i64 {value}, {operand.offset}")
        return self.to_generic(value, space)

    def to_generic(self, value: str, space: str) -> str:
        """A generic address from one of a space's window."""
        if space not in ("shared", "local"):
            return value
        return self.op(
            f"add i64 {value}, {self.load_slot(Slot.SHARED if space == 'shared' else Slot.LOCAL)}"
        )

    def access(self, address: str, size: int, use: int) -> str:
        """Pointer for a checked access; a fault ends the launch."""
        arguments = f"ptr %M, i64 %lane, i64 {address}, i64 {size}, i64 {use}, i64 {self.line}"
        place = self.op(f"call i64 @ptx_access({arguments})")
        self.trap(self.op(f"icmp eq i64 {place}, 0"), "")
        return self.op(f"inttoptr i64 {place} to ptr")

    def param(self, operand: Address) -> str:
        """Pointer to a parameter of the kernel or of a function."""
        variable = operand.base
        if not isinstance(variable, Variable):
            raise PtxError(f"PTX line {self.line}: parameters are only read by their names")
        start = self.layout.params[variable.name] + operand.offset
        if variable.name in self.layout.entry_params:
            base = self.op(f"inttoptr i64 {self.field(Field.PARAMS)} to ptr")
            return self.op(f"getelementptr i8, ptr {base}, i64 {start}")
        return self.op(f"getelementptr i8, ptr %T, i64 {start}")

    def copy(self, target: int, source: int, size: int) -> None:
        """Copy parameters of a call from one place of the thread's record to another."""
        pointers = [self.op(f"getelementptr i8, ptr %T, i64 {place}") for place in (target, source)]
        self.emit(
            f"  call void @llvm.memcpy.p0.p0.i64(ptr {pointers[0]}, ptr {pointers[1]}, i64 "
            f"{size}, i1 false)"
        )

    def trap(self, condition: str, reason: str) -> None:
        """End the launch if the condition holds; the reason is said by the access, or is a code of
        `Fault`."""
        self.count += 1
        here = self.count
        self.emit(f"  br i1 {condition}, label %bad{here}, label %good{here}")
        self.emit(f"bad{here}:")
        if reason:
            self.emit(f"  call void @ptx_trap(ptr %M, i64 %lane, i64 {reason}, i64 {self.line})")
        self.emit("  ret i64 3")
        self.emit(f"good{here}:")

    def start(self, instruction: Instruction) -> None:
        """Say which instruction comes next."""
        self.line = instruction.line


THREADS = f"""
define i64 @ptx_threads(
    ptr %records, i64 %stride, ptr %lanes, i64 %count, i64 %steps, ptr %states, ptr %M
) {{
start:
  br label %loop
loop:
  %i = phi i64 [0, %start], [%next, %done]
  %at = getelementptr i64, ptr %lanes, i64 %i
  %lane = load i64, ptr %at
  %offset = mul i64 %lane, %stride
  %T = getelementptr i64, ptr %records, i64 %offset
  %budget = getelementptr i64, ptr %T, i64 {Slot.BUDGET}
  store i64 %steps, ptr %budget
  %state = call i64 @ptx_thread(ptr %T, ptr %M)
  %into = getelementptr i64, ptr %states, i64 %lane
  store i64 %state, ptr %into
  %next = add i64 %i, 1
  %failed = icmp eq i64 %state, 3
  %all = icmp eq i64 %next, %count
  %stop = or i1 %failed, %all
  br i1 %stop, label %end, label %done
done:
  br label %loop
end:
  ret i64 %next
}}
"""
"""ptx_threads: run some threads one after another until each waits, or one has a fault; how many
ran."""
