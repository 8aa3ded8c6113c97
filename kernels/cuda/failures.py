"""What a card's failures mean, in sentences for users; numba and NVIDIA's libraries each raise
errors of their own."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from fracsim.kernels.cuda import driver
from fracsim.kernels.errors import BackendError, OutOfDeviceMemory

_OLD = (
    "the NVIDIA driver is too old for the installed CUDA toolkit: update the driver, or take "
    "an older toolkit"
)
_BROKEN = "the card failed while it computed; what was recorded is kept, so give the command again"
_SENTENCES = {
    "DEVICE_UNAVAILABLE": f"{driver.BUSY.what}: {driver.BUSY.cure}",
    "INVALID_DEVICE": "the card is gone: see whether nvidia-smi still shows it",
    "UNSUPPORTED_PTX_VERSION": _OLD,
    "JIT_COMPILER_NOT_FOUND": _OLD,
    "INVALID_PTX": "the CUDA toolkit and this card do not fit: install the newest one that the "
    "driver supports",
    "NO_BINARY_FOR_GPU": "the CUDA toolkit and this card do not fit: install the newest one that "
    "the driver supports",
    "LAUNCH_OUT_OF_RESOURCES": "a kernel needs more registers or shared memory than this card has",
    "LAUNCH_TIMEOUT": "the driver stopped a long kernel: use a card that drives no display",
    "ILLEGAL_ADDRESS": _BROKEN,
    "LAUNCH_FAILED": _BROKEN,
    "HARDWARE_STACK_ERROR": _BROKEN,
    "ILLEGAL_INSTRUCTION": _BROKEN,
    "MISALIGNED_ADDRESS": _BROKEN,
    "ECC_UNCORRECTABLE": _BROKEN,
    "CONTEXT_IS_DESTROYED": _BROKEN,
}


def name_of(error: BaseException) -> str | None:
    """CUDA's name of what the driver reported, without CUDA_ERROR_; None where ``error`` is not of
    the driver.

    numba raises CudaAPIError, CudaSupportError or LinkerError, numba-cuda also CUDAError of
    cuda.core; all have the name in their text, but for errors that numba does not know."""
    text = str(error)
    if (
        type(error).__name__ == "CudaAPIError" and "UNKNOWN_CUDA_ERROR" in text
    ):  # numba lacks some, even 700
        text = driver.error_name(int(error.args[0]))
    found = re.search(r"CUDA_ERROR_([A-Z0-9_]*[A-Z0-9])", text)
    if found is not None:
        return found[1]
    if "Driver missing function" in str(error):
        return "UNSUPPORTED_PTX_VERSION"
    return None


def sentence(name: str) -> str:
    """What a failure means, CUDA's name for it included."""
    meaning = _SENTENCES.get(name)
    return f"{meaning} ({name})" if meaning else f"the CUDA driver reports {name}"


@contextmanager
def told(wanted: int = 0, memory: Callable[[], tuple[int, int]] | None = None) -> Iterator[None]:
    """Turn what the driver reports within into BackendError, or OutOfDeviceMemory with the sizes.

    ``wanted``: bytes that are asked for within; ``memory``: gives the card's free and total bytes.
    """
    try:
        yield
    except Exception as error:
        name = None if isinstance(error, BackendError) else name_of(error)
        if name is None:
            raise
        if name == "OUT_OF_MEMORY":
            raise OutOfDeviceMemory(_too_little(wanted, memory)) from error
        raise BackendError(sentence(name)) from error


def _too_little(wanted: int, memory: Callable[[], tuple[int, int]] | None) -> str:
    parts = [f"{gibibytes(wanted)} more are needed"] if wanted else []
    if memory is not None:
        with suppress(BackendError):  # a card without memory for a context cannot tell
            free, total = memory()
            parts.append(f"{gibibytes(free)} of {gibibytes(total)} are free")
    return ": ".join(["the card's memory is too small", *([", ".join(parts)] if parts else [])])


def gibibytes(count: int) -> str:
    """A number of bytes for users."""
    return f"{count / 2**30:.3g} GiB"
