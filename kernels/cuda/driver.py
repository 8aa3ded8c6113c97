"""What NVIDIA's driver says of the cards here, asked without numba.

It answers at once, also where numba.cuda could not be imported, and has the few calls that numba
lacks. Numbers of errors and attributes are those of CUDA's driver API (cuda.h), which never change.
"""

import ctypes
import functools
import os
from typing import Any, NamedTuple

NO_DEVICE, STUB_LIBRARY, NOT_READY, MISMATCH = 100, 34, 802, 803

MULTIPROCESSORS, COMPUTE_MODE, SHARED_PER_MULTIPROCESSOR, SHARED_PER_BLOCK = 16, 20, 81, 97
"""Attributes of a card; SHARED_PER_BLOCK with the kernel's opt-in (``allow_shared``)."""
_MAJOR, _MINOR = 75, 76
_EXCLUSIVE, _PROHIBITED = 3, 2  # compute modes
_MAX_DYNAMIC_SHARED = 8  # attribute of a kernel


class Lack(NamedTuple):
    """Something that is missing, as two halves of a sentence."""

    what: str
    cure: str
    """How to mend it; empty where ``what`` says it."""


BUSY = Lack(
    "the card is in exclusive mode and another process uses it",
    "wait for that process (nvidia-smi names it)",
)


@functools.cache
def library() -> Any:
    """The driver's library, initialised or not; None where there is none."""
    from numba import config

    chosen = getattr(
        config, "CUDA_DRIVER", ""
    )  # numba's own way to say where it lies; "0" says nowhere
    for name in (
        [chosen]
        if chosen
        else ["nvcuda.dll"]
        if os.name == "nt"
        else ["libcuda.so.1", "libcuda.so"]
    ):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def lack() -> Lack | None:
    """What keeps the driver from finding a card that is free; None where there is one."""
    driver = library()
    if driver is None:
        return Lack("no NVIDIA driver was found", "install the driver of your card")
    code = driver.cuInit(0)
    count = ctypes.c_int(0)
    if code == 0:
        code = driver.cuDeviceGetCount(ctypes.byref(count))
    if code == NO_DEVICE or (code == 0 and count.value == 0):
        return _no_card()
    if code == STUB_LIBRARY:
        return Lack(
            "only the toolkit's stub of the NVIDIA driver was found",
            "install the driver of your card",
        )
    if code == MISMATCH:
        return Lack(
            "parts of the NVIDIA driver differ in version",
            "restart the machine to finish the driver's update",
        )
    if code == NOT_READY:
        return Lack("the driver says that its cards are not ready", "start NVIDIA's fabric manager")
    if code:
        return Lack(
            f"the NVIDIA driver fails with {error_name(code)}", "see whether nvidia-smi works"
        )
    return _occupied()


def _no_card() -> Lack:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return Lack(
            "the NVIDIA driver finds no card",
            "take a machine or a job with a card (Slurm: --gres=gpu:1)",
        )
    return Lack(
        f"the NVIDIA driver shows no card, as CUDA_VISIBLE_DEVICES is '{visible}'",
        "unset it or name a card, such as 0",
    )


def _occupied() -> Lack | None:
    """The card refuses a second process, and has a first: asked by taking it for a moment."""
    mode = attribute(COMPUTE_MODE)
    if mode == _PROHIBITED:
        return Lack(
            "the card's compute mode prohibits its use", "let the administrator set it to 'default'"
        )
    if mode == _EXCLUSIVE:
        context = ctypes.c_void_p()
        if library().cuDevicePrimaryCtxRetain(ctypes.byref(context), 0):
            return BUSY
        library().cuDevicePrimaryCtxRelease_v2(0)
    return None


def attribute(number: int, card: int = 0) -> int:
    """An attribute of a card; 0 where the driver does not know it."""
    value = ctypes.c_int(0)
    library().cuDeviceGetAttribute(ctypes.byref(value), ctypes.c_int(number), ctypes.c_int(card))
    return value.value


def version() -> tuple[int, int]:
    """The newest version of CUDA that the driver supports."""
    value = ctypes.c_int(0)
    library().cuDriverGetVersion(ctypes.byref(value))
    return value.value // 1000, value.value % 1000 // 10


def compute_capability(card: int = 0) -> tuple[int, int]:
    """(major, minor) of what a card understands."""
    return attribute(_MAJOR, card), attribute(_MINOR, card)


def error_name(code: int) -> str:
    """CUDA's name of an error."""
    text = ctypes.c_char_p()
    library().cuGetErrorName(ctypes.c_int(code), ctypes.byref(text))
    return text.value.decode() if text.value else f"CUDA_ERROR_{code}"


def allow_shared(function: Any, shared_bytes: int, card: int) -> int:
    """Let a loaded kernel use so much dynamic shared memory (above 48 KiB a card wants to be
    asked); CUDA's error or 0.

    ``function`` is numba's object for a loaded kernel: its handle is a CUfunction, in numba-cuda a
    CUkernel."""
    handle = function.handle
    address = ctypes.c_void_p(handle.value if isinstance(handle, ctypes.c_void_p) else int(handle))
    kind, size = ctypes.c_int(_MAX_DYNAMIC_SHARED), ctypes.c_int(shared_bytes)
    if hasattr(function, "kernel"):
        return int(library().cuKernelSetAttribute(kind, size, address, ctypes.c_int(card)))
    return int(library().cuFuncSetAttribute(address, kind, size))
