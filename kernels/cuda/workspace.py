"""Memory of the card that is used again: to give it back would make every launch on the card
wait."""

from typing import Any

import numpy as np

from fracsim.kernels.cuda.target import copy_to_card, new_on_card


class Workspace:
    """The arrays that the launches of one thread of the host work in, and its stream.

    What an earlier call left under a name is overwritten by the next: nothing here may be kept
    beyond a call of a verb."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._rows: dict[tuple[str, str], Any] = {}

    def empty(self, name: str, shape: Any, dtype: Any) -> Any:
        """An array with anything in it. Raises OutOfDeviceMemory, after which the
        workspace is empty."""
        size, dtype = int(np.prod(shape)), np.dtype(dtype)
        key = (name, dtype.str)
        if key not in self._rows or self._rows[key].shape[0] < size:
            try:
                self._rows.pop(key, None)
                self._rows[key] = new_on_card(max(size, 1), dtype, self.stream)
            except Exception:
                self._rows.clear()
                raise
        return self._rows[key][:size].reshape(shape)

    def copy(self, name: str, array: np.ndarray) -> Any:
        """A copy of an array of the host."""
        there = self.empty(name, array.shape, array.dtype)
        copy_to_card(np.ascontiguousarray(array), there, self.stream)
        return there
