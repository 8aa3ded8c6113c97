"""The arguments of a launch in the order and with the types in which numba passes them.

An array is seven numbers and more: meminfo and parent (0), number of items, bytes of an item,
address, shape, strides. A tuple or NamedTuple is its members one after another; a boolean is one
byte."""

import struct
from typing import Any

import numpy as np

from ptx_machine.layout import EMPTY, FILLED, Layout
from ptx_machine.parser import PtxError


class Arguments:
    """Places of the arrays in the memory, and the bytes of the kernel's parameters."""

    def __init__(self, arguments: Any, layout: Layout, start: int, gap: int) -> None:
        self.arrays: list[tuple[int, np.ndarray]] = []
        self.end, self.gap = start, gap
        words: list[Any] = []
        self._flatten(tuple(arguments), words)
        wanted = layout.entry.params
        if len(words) != len(wanted):
            raise PtxError(
                f"the arguments make {len(words)} parameters, the kernel takes {len(wanted)}"
            )
        self.parameters = np.zeros(layout.param_bytes + 8, np.uint8)
        for variable, word in zip(wanted, words, strict=True):
            place = layout.params[variable.name]
            data = np.frombuffer(_packed(word, variable.kind, variable.size), np.uint8)
            self.parameters[place : place + variable.size] = data

    def _flatten(self, value: Any, words: list[Any]) -> None:
        if isinstance(value, tuple):
            for member in value:
                self._flatten(member, words)
        elif isinstance(value, np.ndarray):
            words += [
                0,
                0,
                value.size,
                value.itemsize,
                self._place(value),
                *value.shape,
                *value.strides,
            ]
        else:
            words.append(value)

    def _place(self, array: np.ndarray) -> int:
        """The address of an array, which may be passed more than once, and as parts of one that
        owns the memory."""
        if not array.flags.c_contiguous:
            raise PtxError("arrays must be contiguous, as arrays of the card are")
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        owner = owner if owner.flags.forc else array
        start = array.ctypes.data - owner.ctypes.data
        for place, known in self.arrays:
            if known is owner:
                return place + start
        place = -(-self.end // 256) * 256
        self.arrays.append((place, owner))
        self.end = place + owner.nbytes + self.gap
        return place + start

    def copy_in(self, memory: np.ndarray, states: np.ndarray) -> None:
        """Put the arrays into the memory; of a `CardArray` only what was written is initialised."""
        for place, array in self.arrays:
            memory[place : place + array.nbytes] = _bytes(array)
            states[place : place + array.nbytes] = getattr(array, "states", FILLED)

    def copy_back(self, memory: np.ndarray, states: np.ndarray) -> None:
        """What the kernel left in its arrays."""
        for place, array in self.arrays:
            if array.flags.writeable:
                _bytes(array)[:] = memory[place : place + array.nbytes]
            if hasattr(array, "states"):
                array.states[:] = states[place : place + array.nbytes]


class CardArray(np.ndarray):
    """An array in the memory of the card, which knows which of its bytes were written."""

    states: np.ndarray

    @classmethod
    def new(cls, shape: Any, dtype: Any) -> "CardArray":
        """An array in which nothing was written."""
        array = np.ndarray.__new__(cls, shape, dtype)
        _bytes(array)[:] = 0xA5
        array.states = np.full(array.nbytes, EMPTY, np.uint8)
        return array


def _bytes(array: np.ndarray) -> np.ndarray:
    """The memory of an array as bytes."""
    return np.ndarray(
        array.nbytes, np.uint8, array.data if array.flags.c_contiguous else array.T.data
    )


def _packed(value: Any, kind: str, size: int) -> bytes:
    """A number as a parameter of a PTX type."""
    if kind in ("f32", "f64"):
        return struct.pack("<f" if kind == "f32" else "<d", value)
    if isinstance(value, float | np.floating):
        raise PtxError(f"the float {value} for a parameter of type {kind}")
    return (int(value) % (1 << 8 * size)).to_bytes(size, "little")
