"""The one place that imports numba.cuda: decorators, launches, memory of the card.

``numba.cuda`` comes with numba, or from the package numba-cuda, which takes its place where it is installed. With
NUMBA_ENABLE_CUDASIM=1 it is numba's simulator, which runs kernels as plain Python: slow, for tests.

In the simulator arrays of the card are NumPy arrays. Kernels take their arrays inside NamedTuples, never bare, because
the simulator replaces bare ones by objects that compiled formulas do not know.
"""

import functools
import threading
from typing import Any, TypeVar

import numpy as np
from numba import config
from numba import cuda as _numba_cuda

from fracsim.kernels import CACHED

SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", 0))
"""Whether kernels run as plain Python in numba's simulator."""

WARP = 32
"""Threads of a warp."""

_Arrays = TypeVar("_Arrays")


class _Running:
    """numba.cuda as seen from inside a simulated kernel, also from device functions in other files."""

    def __getattr__(self, name: str) -> Any:
        from numba.cuda.simulator.kernel import _get_kernel_context

        return getattr(_get_kernel_context() or _numba_cuda, name)


cuda: Any = _Running() if SIMULATED else _numba_cuda
"""``numba.cuda``, for use inside kernels."""

_one_launch = threading.Lock()  # the simulator has no place for two


def kernel(function: Any) -> Any:
    """Decorator of a kernel: a function of NamedTuples and numbers that every thread of a launch runs."""
    return _numba_cuda.jit(function) if SIMULATED else _numba_cuda.jit(function, cache=CACHED)


def device(function: Any) -> Any:
    """Decorator of a function that kernels call and that uses ``cuda`` or arrays; formulas need none."""
    return function if SIMULATED else _numba_cuda.jit(function, device=True)


def launch(function: Any, blocks: int, threads: int, shared_bytes: int, stream: Any, *arguments: Any) -> None:
    """Start a kernel on a stream; in the simulator, run it."""
    if SIMULATED:
        with _one_launch:
            function[blocks, threads, 0, shared_bytes](*arguments)
    else:
        function[blocks, threads, stream, shared_bytes](*arguments)


def new_stream() -> Any:
    """A queue of work on the card, independent of others."""
    return None if SIMULATED else _numba_cuda.stream()


def wait(stream: Any) -> None:
    """Until all work on a stream is done."""
    if not SIMULATED:
        stream.synchronize()


def to_card(array: np.ndarray, stream: Any) -> Any:
    """A copy of an array in the memory of the card."""
    array = np.ascontiguousarray(array)
    return array.copy() if SIMULATED else _numba_cuda.to_device(array, stream=stream)


def new_on_card(shape: Any, dtype: Any, stream: Any) -> Any:
    """A new array in the memory of the card, with anything in it."""
    return np.empty(shape, dtype) if SIMULATED else _numba_cuda.device_array(shape, dtype, stream=stream)


def to_host(array: Any, stream: Any) -> np.ndarray:
    """A copy of an array of the card; waits for it."""
    if SIMULATED:
        return array.copy()
    copy = array.copy_to_host(stream=stream)
    stream.synchronize()
    return copy


@functools.cache
def multiprocessors() -> int:
    """How many multiprocessors the card has."""
    return 1 if SIMULATED else int(_numba_cuda.get_current_device().MULTIPROCESSOR_COUNT)
