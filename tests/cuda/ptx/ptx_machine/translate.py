"""A PTX module as one LLVM function that runs one thread until it must wait.

The function of a launch gets the record of a thread (`Slot`) and returns 0 when its budget of
instructions is spent, 1 at the thread's end, 2 at a barrier, 3 after a fault, 4 at an instruction
that a warp executes together; called again it goes on where the record says. The body is cut into
segments, straight pieces that end in a jump or a wait."""

from dataclasses import dataclass, field
from typing import Any

import ptx_machine.bits
import ptx_machine.comparison  # noqa: F401 - they fill EMITS
from ptx_machine.arithmetic import EMITS, unsupported
from ptx_machine.emitter import THREADS, Emitter
from ptx_machine.layout import Fault, Layout, Slot
from ptx_machine.parser import Function, Instruction, Module, PtxError, Symbol
from ptx_machine.transfers import registers_of

_JUMPS = {
    "bra",
    "brx",
    "ret",
    "exit",
    "call",
    "trap",
    "bar",
    "barrier",
    "shfl",
    "vote",
    "activemask",
    "match",
}
WARP_OPERATIONS = ("shfl", "vote", "activemask", "bar", "match")
"""Instructions of whole warps; ``bar`` is bar.warp.sync."""


@dataclass
class _Segment:
    function: Function
    body: list[Instruction] = field(default_factory=list)
    before: list[Any] = field(
        default_factory=list
    )  # what to emit first: results of the wait, returned values

    @property
    def last(self) -> Instruction | None:
        return self.body[-1] if self.body and self.body[-1].parts[0] in _JUMPS else None


def translate(module: Module, entry: str, fuse: bool) -> tuple[str, Layout]:
    """LLVM text with functions ``ptx_thread`` and ``ptx_threads`` for one entry, and the layout it
    assumes."""
    layout = Layout(module, entry)
    return _Translator(module, layout, fuse).text(), layout


class _Translator:
    def __init__(self, module: Module, layout: Layout, fuse: bool) -> None:
        self.module, self.layout = module, layout
        self.segments: list[_Segment] = []
        self.labels: dict[str, int] = {}
        self.entries: dict[str, int] = {}
        self.calls: dict[str, list[int]] = {}  # function -> segments to return to
        self.returns: dict[str, int] = {}  # function -> slot of the return address
        functions = sorted(module.functions.values(), key=lambda one: one is not layout.entry)
        for function in functions:
            if function is layout.entry or not function.entry:
                self._cut(function)
        for function in module.functions.values():
            self.returns[function.name] = layout.slots
            layout.slots += 1
        self._refuse_recursion()
        self._keep_registers()
        self.e = Emitter(layout, fuse)

    def _cut(self, function: Function) -> None:
        """Segments of a function."""
        self.entries[function.name] = len(self.segments)
        self.segments.append(_Segment(function))
        for item in function.body:
            alone = (
                isinstance(item, Instruction)
                and item.predicate is not None
                and item.parts[0] != "bra"
            )
            if (isinstance(item, str) or alone) and self.segments[-1].body:
                self.segments.append(_Segment(function))
            if isinstance(item, str):
                self.labels[item] = len(self.segments) - 1
                continue
            self.segments[-1].body.append(item)
            if alone or item.parts[0] in _JUMPS:
                self.segments.append(_Segment(function))

    def _refuse_recursion(self) -> None:
        called: dict[str, set[str]] = {}
        for number, segment in enumerate(self.segments):
            if segment.last and segment.last.parts[0] == "call":
                name = _callee(segment.last)
                called.setdefault(segment.function.name, set()).add(name)
                self.calls.setdefault(name, []).append(number + 1)
        while called:
            ends = [name for name, others in called.items() if not others & called.keys()]
            if not ends:
                raise PtxError(f"the machine has no recursion: {', '.join(called)}")
            for name in ends:
                del called[name]

    def _keep_registers(self) -> None:
        """A register of more than one segment, or read before it is written, needs a slot."""
        where: dict[str, int] = {}
        for number, segment in enumerate(self.segments):
            for instruction in segment.body:
                late = instruction.parts[0] in (
                    *WARP_OPERATIONS,
                    "call",
                )  # results come in the next segment
                for register in registers_of(instruction):
                    if (
                        where.setdefault(register.name, number) != number
                        or late
                        or instruction.predicate
                    ):
                        self.layout.keep(register)
            written: set[str] = set()
            for instruction in segment.body:
                target = instruction.operands[0] if instruction.operands else None
                targets = target if isinstance(target, tuple) else (target,)
                stores = instruction.parts[0] in ("st", "red")
                inside = registers_of(instruction)
                sources = (
                    inside
                    if stores
                    else [one for one in inside if one not in targets or inside.count(one) > 1]
                )
                for register in sources:
                    if register.name not in written:
                        self.layout.keep(register)
                if not stores:
                    written |= {one.name for one in targets if hasattr(one, "bits")}

    def text(self) -> str:
        """The LLVM module."""
        e = self.e
        for number in range(len(self.segments)):
            self._segment(number)
        body = e.rows
        e.rows = []
        targets = " ".join(
            f"i64 {number}, label %s{number}" for number in range(len(self.segments))
        )
        head = f"""
declare i64 @ptx_access(ptr, i64, i64, i64, i64, i64)
declare void @ptx_trap(ptr, i64, i64, i64)
declare void @ptx_fence(ptr, i64)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
{chr(10).join(sorted(e.intrinsics))}

define i64 @ptx_thread(ptr %T, ptr %M) {{
  %budget = getelementptr i64, ptr %T, i64 {Slot.BUDGET}
  %lane.slot = getelementptr i64, ptr %T, i64 {Slot.LANE}
  %lane = load i64, ptr %lane.slot
  %pc = load i64, ptr %T
  switch i64 %pc, label %lost [{targets}]
lost:
  ret i64 3
"""
        return head + "\n".join(body) + "\n}\n" + THREADS

    def _segment(self, number: int) -> None:
        e, segment = self.e, self.segments[number]
        e.emit(f"s{number}:")
        left = e.op("load i64, ptr %budget")
        e.emit(f"  store i64 {e.op(f'sub i64 {left}, {max(len(segment.body), 1)}')}, ptr %budget")
        for emit in segment.before:
            emit()
        if segment.body and segment.body[0].predicate and segment.body[0].parts[0] != "bra":
            e.flush()
            self._guard(segment.body[0], number)
        last = segment.last
        for instruction in segment.body[:-1] if last else segment.body:
            e.start(instruction)
            if instruction.parts[0] not in EMITS:
                raise unsupported(instruction)
            EMITS[instruction.parts[0]](e, instruction)
        if last:
            e.start(last)
            self._jump(last, number)
        else:
            e.flush()
            self._go(number + 1, number)

    def _guard(self, instruction: Instruction, number: int) -> None:
        """Skip an instruction whose predicate does not hold."""
        condition = self._condition(instruction)
        self.e.emit(f"  br i1 {condition}, label %do{number}, label %s{number + 1}")
        self.e.emit(f"do{number}:")

    def _condition(self, instruction: Instruction) -> str:
        value = self.e.read(instruction.predicate)
        return self.e.op(f"xor i1 {value}, true") if instruction.negated else value

    def _go(self, target: int, number: int) -> None:
        """Jump to a segment; backwards only while there is budget."""
        if target >= len(self.segments):
            self.e.emit("  ret i64 3")
        elif target > number:
            self.e.emit(f"  br label %s{target}")
        else:
            spent = self.e.op(f"icmp slt i64 {self.e.op('load i64, ptr %budget')}, 0")
            self.e.emit(f"  br i1 {spent}, label %y{number}.{target}, label %s{target}")
            self.e.emit(f"y{number}.{target}:")
            self._leave(target, 0)

    def _leave(self, target: int, why: int) -> None:
        self.e.emit(f"  store i64 {target}, ptr %T")
        self.e.emit(f"  ret i64 {why}")

    def _jump(self, last: Instruction, number: int) -> None:
        name, e = last.parts[0], self.e
        if name == "bra":
            self._branch(last, number)
        elif name == "brx":
            self._table(last, number)
        elif name == "call":
            self._call(last, number)
        elif name in ("exit", "ret"):
            e.flush()
            callee = self.segments[number].function
            if name == "exit" or callee is self.layout.entry:
                return self._leave(number, 1)
            back = self.calls.get(callee.name, [])
            targets = " ".join(f"i64 {one}, label %s{one}" for one in back)
            e.emit(
                f"  switch i64 {e.load_slot(self.returns[callee.name])}, label %lost [{targets}]"
            )
        elif name == "trap":
            e.trap("true", str(Fault.TRAP))
            e.flush()
            e.emit("  ret i64 3")
        elif name in WARP_OPERATIONS and (name != "bar" or "warp" in last.parts):
            self._together(last, number)
        elif name in ("bar", "barrier") and "sync" in last.parts and len(last.operands) == 1:
            e.store_slot(Slot.WAIT, e.value(last.operands[0], "u64"))
            e.flush()
            self._leave(number + 1, 2)
        else:
            raise unsupported(last)
        return None

    def _branch(self, last: Instruction, number: int) -> None:
        e = self.e
        target = self.labels[last.operands[0].name]
        condition = self._condition(last) if last.predicate else ""
        e.flush()
        if condition:
            e.emit(f"  br i1 {condition}, label %b{number}, label %s{number + 1}")
            e.emit(f"b{number}:")
        self._go(target, number)

    def _table(self, last: Instruction, number: int) -> None:
        """brx.idx: one of the labels of a table."""
        e = self.e
        labels = self.segments[number].function.tables[last.operands[1].name]
        targets = " ".join(
            f"i32 {place}, label %s{self.labels[label]}" for place, label in enumerate(labels)
        )
        value = e.value(last.operands[0], "b32")
        e.flush()
        e.emit(f"  switch i32 {value}, label %lost [{targets}]")

    def _call(self, last: Instruction, number: int) -> None:
        e, name = self.e, _callee(last)
        if name not in self.entries:
            raise PtxError(f"PTX line {last.line}: {name} has no body")
        function = self.module.functions[name]
        groups = [one for one in last.operands if isinstance(one, tuple)]
        results = groups.pop(0) if function.returns else ()
        params = self.layout.params
        for actual, formal in zip(groups[0] if groups else (), function.params, strict=True):
            e.copy(params[formal.name], params[actual.name], formal.size)
        for actual, formal in zip(results, function.returns, strict=True):
            where = (params[actual.name], params[formal.name], formal.size)
            self.segments[number + 1].before.append(lambda where=where: e.copy(*where))
        e.store_slot(self.returns[name], str(number + 1))
        e.flush()
        e.emit(f"  br label %s{self.entries[name]}")

    def _together(self, last: Instruction, number: int) -> None:
        """Leave the operands where the machine finds them; the next segment takes the results."""
        e = self.e
        e.store_slot(Slot.WAIT, str(last.line))
        has_result = last.parts[0] != "bar"
        for place, operand in enumerate(last.operands[has_result:]):
            predicate = isinstance(operand, tuple) or getattr(operand, "bits", 0) == 1
            value = e.value(operand, "pred" if predicate else "b32")
            e.store_slot(Slot.OPERANDS + place, e.resize(value, 1 if predicate else 32, 64, False))
        if has_result:
            targets = (
                last.operands[0] if isinstance(last.operands[0], tuple) else (last.operands[0],)
            )
            self.segments[number + 1].before.append(lambda: self._results(targets))
        e.flush()
        self._leave(number + 1, 4)

    def _results(self, targets: tuple) -> None:
        for place, target in enumerate(targets):
            value = self.e.load_slot(Slot.RESULTS + place)
            kind, width = ("pred", 1) if getattr(target, "bits", 32) == 1 else ("b32", 32)
            self.e.set(target, kind, self.e.resize(value, 64, width, False))


def _callee(last: Instruction) -> str:
    return next(one.name for one in last.operands if isinstance(one, Symbol))
