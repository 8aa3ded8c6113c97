"""Where everything lies: the record of a thread, the numbers of a launch, the variables of a
module."""

from typing import ClassVar

from ptx_machine.parser import Module, Register, Variable

FIRST = 1 << 12
"""The first address of the memory: what lies below is never valid, so that a null pointer is
seen."""

NOTHING, EMPTY, CONSTANT, FILLED = 0, 1, 2, 3
"""States of a byte of the memory."""


class Field:
    """Numbers of a launch that the compiled code and the memory checks share (an int64 array)."""

    MEMORY, STATE, LIMIT, SHARED, SHARED_STRIDE, LOCAL, LOCAL_STRIDE, PARAMS, BLOCK, DYNAMIC = (
        range(10)
    )
    FAULT, LANE, ADDRESS, SIZE, LINE, OTHER_LANE, OTHER_LINE = range(10, 17)
    LANES, BLOCKS, RACES, CLOCKS, WRITES, READS, FENCED, SEEN, SYNCS, SYNC_CLOCKS, EPOCHS = range(
        17, 28
    )
    COUNT = 28


class Slot:
    """The record of a thread: int64 slots, then its registers and the parameters of its function
    calls."""

    PC, BUDGET, LANE, SHARED, LOCAL, THREAD, WAIT = range(7)
    OPERANDS = 7  # 7..10 of an instruction that a warp executes together
    RESULTS = 11  # 11 and 12
    SPECIAL: ClassVar = {
        f"%{name}.{axis}": 13 + 3 * i + j
        for i, name in enumerate(("tid", "ntid", "ctaid", "nctaid"))
        for j, axis in enumerate("xyz")
    }
    COUNT = 25


class Fault:
    """Why a launch ended: codes of ``Field.FAULT``."""

    OUTSIDE, MISALIGNED, UNINITIALISED, READ_ONLY, NOT_MINE, RACE, DIVISION, TRAP, SYNCS = range(
        1, 10
    )


def _aligned(offset: int, align: int) -> int:
    return -(-offset // align) * align


class Layout:
    """Addresses of the variables of a module and slots of the registers for one of its entries."""

    def __init__(self, module: Module, entry: str) -> None:
        self.entry = module.functions[entry]
        self.module = module
        self.addresses: dict[str, int] = {}
        self.registers: dict[str, int] = {}
        self.params: dict[str, int] = {}
        self.entry_params = {variable.name for variable in self.entry.params}
        self.slots = Slot.COUNT
        self.static_shared = self.local = 0
        self.end = FIRST
        functions = module.functions.values()
        variables = [
            *module.variables,
            *(one for function in functions for one in function.variables),
        ]
        for variable in variables:
            self._place(variable)
        self.static_shared = _aligned(self.static_shared, 16)
        for variable in variables:
            if variable.space == "shared" and not variable.size:
                self.addresses[variable.name] = self.static_shared
        self.param_bytes = self._fields(self.entry.params)
        for function in functions:
            if function is not self.entry:
                self._on_record([*function.params, *function.returns])
            self._on_record(
                [variable for variable in function.variables if variable.space == "param"]
            )

    def _place(self, variable: Variable) -> None:
        size, align = variable.size, max(variable.align, 1)
        if variable.space in ("global", "const"):
            self.addresses[variable.name] = _aligned(self.end, max(align, 16))
            self.end = (
                self.addresses[variable.name] + size + 16
            )  # nothing is valid between two variables
        elif variable.space == "shared" and size:
            self.addresses[variable.name] = _aligned(self.static_shared, align)
            self.static_shared = self.addresses[variable.name] + size
        elif variable.space == "local":
            self.addresses[variable.name] = _aligned(self.local, max(align, 16))
            self.local = self.addresses[variable.name] + size

    def _fields(self, variables: list[Variable]) -> int:
        end = 0
        for variable in variables:
            self.params[variable.name] = _aligned(end, variable.align)
            end = self.params[variable.name] + variable.size
        return end

    def _on_record(self, variables: list[Variable]) -> None:
        for variable in variables:
            self.slots = _aligned(self.slots, 2)
            self.params[variable.name] = 8 * self.slots
            self.slots += -(-variable.size // 8)

    def keep(self, register: Register) -> None:
        """Give a register a slot in the record of its thread."""
        if register.name not in self.registers:
            self.registers[register.name] = self.slots
            self.slots += 1
