"""The arguments of a launch in the order and with the types in which numba passes them.

An array is seven numbers and more: meminfo and parent (0), number of items, bytes of an item, address, shape, strides.
A tuple or NamedTuple is its members one after another; a boolean is one byte.
"""

import struct
from typing import Any

import numpy as np

from ptx_machine.layout import Layout
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
            raise PtxError(f"the arguments make {len(words)} parameters, the kernel takes {len(wanted)}")
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
            words += [0, 0, value.size, value.itemsize, self._place(value), *value.shape, *value.strides]
        else:
            words.append(value)

    def _place(self, array: np.ndarray) -> int:
        """The address of an array, which may be passed more than once."""
        for place, known in self.arrays:
            if known is array:
                return place
        if not array.flags.c_contiguous:
            raise PtxError("arrays must be contiguous, as arrays of the card are")
        place = -(-self.end // 256) * 256
        self.arrays.append((place, array))
        self.end = place + array.nbytes + self.gap
        return place

    def copy_back(self, memory: np.ndarray) -> None:
        """What the kernel left in its arrays."""
        for place, array in self.arrays:
            data = memory[place : place + array.nbytes].view(array.dtype).reshape(array.shape)
            if array.flags.writeable:
                array[...] = data


def _packed(value: Any, kind: str, size: int) -> bytes:
    """A number as a parameter of a PTX type."""
    if kind in ("f32", "f64"):
        return struct.pack("<f" if kind == "f32" else "<d", value)
    if isinstance(value, float | np.floating):
        raise PtxError(f"the float {value} for a parameter of type {kind}")
    return (int(value) % (1 << 8 * size)).to_bytes(size, "little")
