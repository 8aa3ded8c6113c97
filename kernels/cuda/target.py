"""The one place that imports numba.cuda: decorators, launches, memory of the card.

``numba.cuda`` comes with numba, or from the package numba-cuda, which takes its place where it is
installed. With NUMBA_ENABLE_CUDASIM=1 it is numba's simulator, which runs kernels as plain Python:
slow, for tests.

In the simulator arrays of the card are NumPy arrays. Kernels take their arrays inside NamedTuples,
never bare, because the simulator replaces bare ones by objects that compiled formulas do not know.
"""

import functools
import importlib
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba import config as _config

from fracsim.kernels.cache import use_folder_of
from fracsim.kernels.cuda import driver
from fracsim.kernels.cuda.failures import told
from fracsim.kernels.errors import BackendError

config: Any = _config


SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", 0))
"""Whether kernels run as plain Python in numba's simulator."""


@contextmanager
def _older_numpy() -> Iterator[None]:
    """numba-cuda 0.30 asks NumPy for row_stack, which 2.5 no longer has, and for units that it
    warns of."""
    lacking = not hasattr(np, "row_stack")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that numba.cuda in numba is deprecated, too
        if lacking:
            setattr(np, "row_stack", lambda arrays: np.vstack(arrays))  # noqa: B010  (in some NumPys' types only)
        try:
            yield
        finally:
            if lacking:
                delattr(np, "row_stack")


with _older_numpy():
    _numba_cuda: Any = importlib.import_module("numba.cuda")
    if not SIMULATED and _numba_cuda.implementation != "Built-in":
        importlib.import_module(
            "numba.cuda.np.arrayobj"
        )  # else it would be when the first kernel is compiled

libdevice: Any = None if SIMULATED else importlib.import_module("numba.cuda.libdevice")
"""The card's mathematical functions; none in the simulator."""

WARP = 32
"""Threads of a warp."""

_UNASKED_SHARED = 48 * 1024  # dynamic shared memory, in bytes, that every kernel may use
_SIMULATED_SHARED = 227 * 1024  # as on an H100


class _Running:
    """numba.cuda as seen from inside a simulated kernel, also from device functions in other
    files."""

    def __getattr__(self, name: str) -> Any:
        from numba.cuda.simulator.kernel import _get_kernel_context

        return getattr(_get_kernel_context() or _numba_cuda, name)


cuda: Any = _Running() if SIMULATED else _numba_cuda
"""``numba.cuda``, for use inside kernels."""

_one_launch = threading.Lock()  # where there is no place for two
_allowed: dict[int, int] = {}  # loaded kernel -> bytes of shared memory that it may use


def kernel(function: Any = None, *, registers: int | None = None) -> Any:
    """Decorator of a kernel: a function of NamedTuples and numbers that every thread of a launch
    runs.

    ``registers``: at most so many for a thread, so that more blocks run side by side.
    """
    if function is None:
        return functools.partial(kernel, registers=registers)
    if SIMULATED:
        return _numba_cuda.jit(function)
    kept = use_folder_of(function.__module__)
    return _numba_cuda.jit(function, cache=kept, max_registers=registers)


def device(function: Any) -> Any:
    """Decorator of a function that kernels call and that uses ``cuda`` or arrays; formulas need
    none."""
    return function if SIMULATED else _numba_cuda.jit(function, device=True)


def launch(
    function: Any, blocks: int, threads: int, shared_bytes: int, stream: Any, *arguments: Any
) -> None:
    """Run a kernel on a stream, to its end: what it works on may then go, and a failure is told
    here.

    This and all below raise BackendError where the driver reports an error, OutOfDeviceMemory where
    memory is short."""
    if SIMULATED:
        with _one_launch:
            function[blocks, threads, 0, shared_bytes](*arguments)
        return
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # few blocks are often right for small networks
    with told(memory=memory):
        # two threads would both load the kernel, and one form of it would not be allowed its memory
        with _one_launch:
            function.compile(tuple(function.typeof_pyval(argument) for argument in arguments))
            allow_shared(function, shared_bytes)
        function[blocks, threads, stream, shared_bytes](*arguments)
        stream.synchronize()


def allow_shared(function: Any, shared_bytes: int) -> None:
    """Let all compiled forms of a kernel use so many bytes of dynamic shared memory (numba-cuda
    issue 94)."""
    for compiled in function.overloads.values():
        loaded = compiled._codelibrary.get_cufunc()
        if _allowed.get(id(loaded), _UNASKED_SHARED) >= shared_bytes:
            continue
        code = driver.allow_shared(loaded, shared_bytes, _card())
        if code:
            raise BackendError(
                f"a kernel needs {shared_bytes} bytes of shared memory in a block, this card has "
                f"{shared_per_block()} "
                f"({driver.error_name(code)})"
            )
        _allowed[id(loaded)] = shared_bytes  # numba keeps it loaded, so no other takes its id


def new_stream() -> Any:
    """A queue of work on the card, independent of others."""
    if SIMULATED:
        return None
    with told():
        return _numba_cuda.stream()


def wait(stream: Any) -> None:
    """Until all work on a stream is done."""
    if not SIMULATED:
        with told():
            stream.synchronize()


def to_card(array: np.ndarray, stream: Any) -> Any:
    """A copy of an array in the memory of the card."""
    array = np.ascontiguousarray(array)
    if SIMULATED:
        return array.copy()
    with told(array.nbytes, memory):
        copy = _numba_cuda.to_device(array, stream=stream)
        stream.synchronize()  # the array may go
    return copy


def new_on_card(shape: Any, dtype: Any, stream: Any) -> Any:
    """A new array in the memory of the card, with anything in it."""
    if SIMULATED:
        return np.empty(shape, dtype)
    with told(math.prod(np.atleast_1d(shape).tolist()) * np.dtype(dtype).itemsize, memory):
        return _numba_cuda.device_array(shape, dtype, stream=stream)


def copy_to_card(array: np.ndarray, target: Any, stream: Any) -> None:
    """Copy an array of the host over one of the card."""
    if SIMULATED:
        target[...] = array
    else:
        with told():
            target.copy_to_device(array, stream=stream)
            stream.synchronize()


def to_host(array: Any, stream: Any) -> np.ndarray:
    """A copy of an array of the card; waits for it."""
    if SIMULATED:
        return array.copy()
    with told():
        copy = array.copy_to_host(stream=stream)
        stream.synchronize()
    return copy


def memory() -> tuple[int, int]:
    """Free and total bytes of the card's memory; the simulator has all that one could wish."""
    if SIMULATED:
        return 2**40, 2**40
    with told():
        free, total = _numba_cuda.current_context().get_memory_info()
    return int(free), int(total)


def free_memory() -> int:
    """Bytes of the card's memory that are free."""
    return memory()[0]


def _card() -> int:
    return int(_numba_cuda.get_current_device().id)


def _attribute(number: int) -> int:
    with told():
        return driver.attribute(number, _card())


@functools.cache
def multiprocessors() -> int:
    """How many multiprocessors the card has."""
    return 1 if SIMULATED else _attribute(driver.MULTIPROCESSORS)


@functools.cache
def shared_per_block() -> int:
    """Bytes of shared memory that one block can have at most."""
    return _SIMULATED_SHARED if SIMULATED else _attribute(driver.SHARED_PER_BLOCK)


@functools.cache
def shared_per_multiprocessor() -> int:
    """Bytes of shared memory that the blocks of a multiprocessor share; each takes 1 KiB more than
    it asks for."""
    return _SIMULATED_SHARED + 1024 if SIMULATED else _attribute(driver.SHARED_PER_MULTIPROCESSOR)


def device_name() -> str:
    """The card, in words."""
    if SIMULATED:
        return "numba's CUDA simulator (for tests)"
    with told():
        name = _numba_cuda.get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


def compute_capability() -> tuple[int, int]:
    """(major, minor) of what the card understands; the simulator claims an H100's."""
    if SIMULATED:
        return 9, 0
    with told():
        major, minor = _numba_cuda.get_current_device().compute_capability
    return int(major), int(minor)


def toolkit_version() -> tuple[int, int]:
    """Version of the CUDA toolkit that compiles kernels. Raises ImportError where there is none."""
    major, minor = _numba_cuda.runtime.get_version()
    return int(major), int(minor)


def implementation() -> str:
    """Which numba.cuda this is."""
    from importlib.metadata import PackageNotFoundError, version

    if SIMULATED:
        return "numba's CUDA simulator"
    if _numba_cuda.implementation == "Built-in":
        return f"numba.cuda of numba {version('numba')}"
    try:
        return f"numba-cuda {version('numba-cuda')}"
    except PackageNotFoundError:
        return "numba-cuda"
