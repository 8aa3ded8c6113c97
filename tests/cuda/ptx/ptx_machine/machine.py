"""Launches of PTX kernels on the CPU: memory, threads, barriers, faults.

    result = run(ptx, grid=2, block=64, arguments=(Things(x, y), 5), shared_bytes=1 << 16,
    races=True)

Arrays among the arguments are copied into the machine's memory and back, like numba's launches do
with host arrays. All blocks of a launch are live: each thread runs until it must wait or its slice
of instructions is spent, in the order "forward", "reverse" or "random" (with a seed). Memory is
sequentially consistent: what a missing fence does on the card is not seen in the values; with
``races=True`` it is reported as a race."""

import ctypes
import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import binding

from ptx_machine import memory, warps
from ptx_machine.arguments import Arguments
from ptx_machine.layout import CONSTANT, EMPTY, FILLED, Field, Layout, Slot
from ptx_machine.parser import Module, PtxError, parse
from ptx_machine.translate import translate

_READY, _DONE, _BARRIER, _FAULT, _WARP = range(5)
_GAP = 64  # bytes between two allocations, never valid


class PtxFault(PtxError):
    """A kernel did what the card does not allow; says what, where and in which thread."""


@dataclass
class Result:
    """What a launch took."""

    instructions: int
    barriers: int


def _machine_code(text: str) -> Any:
    """An LLVM engine with the compiled text."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    memory.register()
    module = binding.parse_assembly(text)
    module.verify()
    # fused multiply-add must be one rounding: with the features of this CPU it is one instruction,
    # else a call of libm
    features = binding.get_host_cpu_features().flatten()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=features, opt=1, jit=True
    )
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


@functools.lru_cache(maxsize=16)
def _compiled(ptx: str, entry: str | None, fuse: bool) -> tuple[Module, Layout, Any]:
    module = parse(ptx)
    entries = [name for name, function in module.functions.items() if function.entry]
    chosen = [name for name in entries if entry is None or name == entry or entry in name]
    if len(chosen) != 1:
        raise PtxError(f"which kernel? the PTX has {', '.join(entries) or 'none'}")
    text, layout = translate(module, chosen[0], fuse)
    return module, layout, _machine_code(text)


def run(
    ptx: str,
    grid: int | tuple[int, ...],
    block: int | tuple[int, ...],
    arguments: Any,
    *,
    shared_bytes: int = 0,
    entry: str | None = None,
    races: bool = False,
    fuse: bool = False,
    order: str = "forward",
    seed: int = 0,
    limit: int = 10**10,
) -> Result:
    """Run one kernel (``entry``: its name or a part of it) until all threads have ended; changes
    the argument arrays.

    ``fuse``: make one fma of each product and sum of floats, as ptxas may; what must not depend on
    it comes out the same. Raises `PtxFault` for an access outside of the memory, misaligned or of
    uninitialised memory, a write to constants, a race (``races=True``), a barrier that not all
    threads reach, a deadlock, or more than ``limit`` instructions in all; `PtxError` for PTX that
    the machine does not know and for arguments that do not fit."""
    module, layout, engine = _compiled(ptx, entry, fuse)
    launch = _Launch(ptx, module, layout, _triple(grid), _triple(block), shared_bytes)
    places = launch.fill(arguments, races)
    result = launch.run(engine, order, np.random.default_rng(seed), limit)
    places.copy_back(launch.memory, launch.state)
    return result


def _triple(size: int | tuple[int, ...]) -> tuple[int, int, int]:
    sizes = (size,) if isinstance(size, int) else tuple(size)
    return (*sizes, 1, 1, 1)[:3]


class _Launch:
    """Memory and threads of one launch."""

    def __init__(
        self, ptx: str, module: Module, layout: Layout, grid: Any, block: Any, shared_bytes: int
    ) -> None:
        self.ptx, self.module, self.layout, self.grid, self.block = ptx, module, layout, grid, block
        self.blocks, self.threads = math.prod(grid), math.prod(block)
        self.lanes = self.blocks * self.threads
        self.shared_bytes = shared_bytes
        if not 1 <= self.threads <= 1024 or self.blocks < 1:
            raise PtxError(f"a launch of {self.blocks} blocks of {self.threads} threads")
        if layout.static_shared + shared_bytes > 227 * 1024:
            raise PtxError(
                f"{layout.static_shared + shared_bytes} bytes of shared memory: a block of sm_90 "
                f"has 232448"
            )
        self.fields = np.zeros(Field.COUNT, np.int64)
        self.kept: list[np.ndarray] = []  # arrays whose addresses are in the fields
        self.allocations: list[tuple[int, int, str]] = []

    def fill(self, arguments: Any, races: bool) -> Arguments:
        """Lay out the memory: variables, arguments, shared memory of all blocks, local memory of
        all threads."""
        places = Arguments(arguments, self.layout, self.layout.end + _GAP, _GAP)
        f, layout = self.fields, self.layout
        shared = layout.static_shared + self.shared_bytes
        f[Field.SHARED_STRIDE] = -(-(shared + _GAP) // 256) * 256
        f[Field.LOCAL_STRIDE] = -(-(layout.local + _GAP) // 256) * 256
        f[Field.SHARED] = -(-(places.end + _GAP) // 256) * 256
        f[Field.LOCAL] = f[Field.SHARED] + self.blocks * f[Field.SHARED_STRIDE]
        f[Field.LIMIT] = f[Field.LOCAL] + self.lanes * f[Field.LOCAL_STRIDE]
        f[Field.BLOCK], f[Field.DYNAMIC] = self.threads, self.shared_bytes
        f[Field.LANES], f[Field.BLOCKS] = self.lanes, self.blocks
        self.memory = self._keep(Field.MEMORY, np.zeros(f[Field.LIMIT], np.uint8))
        self.state = self._keep(Field.STATE, np.zeros(f[Field.LIMIT], np.uint8))
        self._keep(Field.PARAMS, places.parameters)
        for variable in self.module.variables:
            if variable.space in ("global", "const"):
                self._variable(variable)
        places.copy_in(self.memory, self.state)
        for place, array in places.arrays:
            self.allocations.append(
                (place, array.nbytes, f"argument array {array.dtype}{array.shape}")
            )
        for number, (first, stride, size, count) in enumerate(
            (
                (f[Field.SHARED], f[Field.SHARED_STRIDE], shared, self.blocks),
                (f[Field.LOCAL], f[Field.LOCAL_STRIDE], layout.local, self.lanes),
            )
        ):
            self.state[first : first + stride * count].reshape(count, stride)[:, :size] = EMPTY
            name = ("shared memory of block", "local memory of thread")[number]
            self.allocations += [(first + i * stride, size, f"{name} {i}") for i in range(count)]
        self._clocks(races)
        self._records()
        return places

    def _keep(self, field: int, array: np.ndarray) -> np.ndarray:
        self.kept.append(array)
        self.fields[field] = array.ctypes.data
        return array

    def _variable(self, variable: Any) -> None:
        place, size = self.layout.addresses[variable.name], variable.size
        if variable.values:
            self.memory[place : place + size] = np.frombuffer(variable.values, np.uint8)
        constant = variable.space == "const"
        self.state[place : place + size] = CONSTANT if constant else FILLED
        self.allocations.append((place, size, variable.name))

    def _clocks(self, races: bool) -> None:
        self.fields[Field.RACES] = races
        lanes, blocks, tracked = self.lanes, self.blocks, int(self.fields[Field.LOCAL])
        if not races:
            return
        self.clocks = self._keep(Field.CLOCKS, np.eye(lanes, dtype=np.int32))
        self.epochs = self._keep(Field.EPOCHS, np.ones(blocks, np.int32))
        self._keep(Field.WRITES, np.zeros((tracked, 3), np.int32))
        self._keep(Field.READS, np.zeros((tracked, blocks, 3), np.int32))
        self._keep(Field.FENCED, np.zeros((lanes, lanes), np.int32))
        self._keep(Field.SEEN, np.zeros((lanes, lanes), np.int32))
        self._keep(Field.SYNCS, np.zeros(memory.SYNCS, np.int64))
        self._keep(Field.SYNC_CLOCKS, np.zeros((memory.SYNCS, lanes), np.int32))

    def _records(self) -> None:
        """Records of all threads, where their special registers are set."""
        self.records = np.zeros((self.lanes, self.layout.slots), np.int64)
        lane = np.arange(self.lanes)
        thread, block = lane % self.threads, lane // self.threads
        r = self.records
        r[:, Slot.LANE], r[:, Slot.THREAD] = lane, thread
        r[:, Slot.SHARED] = self.fields[Field.SHARED] + block * self.fields[Field.SHARED_STRIDE]
        r[:, Slot.LOCAL] = self.fields[Field.LOCAL] + lane * self.fields[Field.LOCAL_STRIDE]
        for number, sizes in ((thread, self.block), (block, self.grid)):
            names = ("tid", "ntid") if number is thread else ("ctaid", "nctaid")
            places = (
                number % sizes[0],
                number // sizes[0] % sizes[1],
                number // (sizes[0] * sizes[1]),
            )
            for axis, place, size in zip("xyz", places, sizes, strict=True):
                r[:, Slot.SPECIAL[f"%{names[0]}.{axis}"]] = place
                r[:, Slot.SPECIAL[f"%{names[1]}.{axis}"]] = size

    def run(self, engine: Any, order: str, generator: Any, limit: int) -> Result:
        """Run all threads to their ends."""
        kinds = [ctypes.c_void_p, ctypes.c_int64] * 2 + [
            ctypes.c_int64,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        threads = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(
            engine.get_function_address("ptx_threads")
        )
        states = np.zeros(self.lanes, np.int64)
        spent = barriers = 0
        while True:
            barriers += self._release(states)
            ready = np.flatnonzero(states == _READY)
            if not len(ready):
                break
            steps = 20_000
            if order == "reverse":
                ready = ready[::-1].copy()
            elif order == "random":
                ready = generator.permutation(ready)[: generator.integers(1, len(ready) + 1)]
                steps = int(generator.integers(1, 2000))
            count = threads(
                self.records.ctypes.data,
                self.layout.slots,
                ready.ctypes.data,
                len(ready),
                steps,
                states.ctypes.data,
                self.fields.ctypes.data,
            )
            ran = ready[:count]
            spent += count * steps - int(self.records[ran, Slot.BUDGET].sum())
            if states[ran[-1]] == _FAULT:
                raise PtxFault(self._fault())
            if spent > limit:
                waiting = ", ".join(
                    sorted({self._where(lane) for lane in np.flatnonzero(states == _READY)[:3]})
                )
                raise PtxFault(f"more than {limit} instructions, no end: running are {waiting} …")
        return Result(spent, barriers)

    def _release(self, states: np.ndarray) -> int:
        """Let threads go on whose whole block waits, though others may wait for it; how many
        barriers were passed."""
        idle = (states.reshape(self.blocks, self.threads) != _READY).all(axis=1)
        lanes = np.flatnonzero((states == _WARP) & idle.repeat(self.threads))
        warps.together(self.records, states, self.threads, lanes, self.ptx)
        released = 0
        for block in np.flatnonzero(idle):
            lanes = np.arange(block * self.threads, (block + 1) * self.threads)
            waiting = lanes[states[lanes] == _BARRIER]
            if len(waiting) and np.isin(states[lanes], (_BARRIER, _DONE)).all():
                if len(np.unique(self.records[waiting][:, [Slot.PC, Slot.WAIT]], axis=0)) > 1:
                    raise PtxFault(f"threads of block {block} wait at different barriers")
                released += 1
                states[waiting] = _READY
                if self.fields[Field.RACES]:
                    self.epochs[block] = memory.meet(
                        self.clocks, block * self.threads, self.threads
                    )
        if (states != _DONE).any() and not (states == _READY).any():
            stuck = np.flatnonzero(states != _DONE)
            raise PtxFault(
                f"deadlock: {len(stuck)} threads wait for ever, the first is "
                f"{self._where(int(stuck[0]))}"
            )
        return released

    def _where(self, lane: int) -> str:
        thread = self.records[lane, [Slot.SPECIAL[f"%tid.{axis}"] for axis in "xyz"]]
        block = self.records[lane, [Slot.SPECIAL[f"%ctaid.{axis}"] for axis in "xyz"]]
        return f"thread {tuple(map(int, thread))} of block {tuple(map(int, block))}"

    def _fault(self) -> str:
        return warps.describe(
            self.fields, self.allocations, self.ptx, self.module.sources, self._where
        )
