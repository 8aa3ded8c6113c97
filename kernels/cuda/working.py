"""Does CUDA work here? What is missing where it does not, each thing in a sentence that says how to
mend it."""

import functools
from typing import Any, NamedTuple

import numpy as np

from fracsim.kernels.cuda import driver
from fracsim.kernels.cuda.driver import Lack
from fracsim.kernels.errors import BackendError

OLDEST = (5, 0)
"""The least compute capability of a card: of float64 and shuffles, kernels need nothing newer."""

_GET_TOOLKIT = (
    "install one for fracsim with  pip install '.[cuda12]'  in its checkout, or set "
    "CUDA_HOME to one"
)


class _Tried(NamedTuple):
    out: Any
    """(1,) float32"""


def simulator_is_on() -> bool:
    """Whether CUDA kernels run in numba's simulator, in this process."""
    from numba import config

    return bool(getattr(config, "ENABLE_CUDASIM", 0))


@functools.cache
def missing() -> Lack | None:
    """What keeps CUDA kernels from working here, found once and by trying; None where they work."""
    if simulator_is_on():
        return None
    from numba import config

    if getattr(config, "DISABLE_CUDA", 0):
        return Lack("NUMBA_DISABLE_CUDA switches CUDA off", "unset it")
    if getattr(config, "DISABLE_JIT", 0):
        return Lack("NUMBA_DISABLE_JIT keeps kernels from being compiled", "unset it")
    return driver.lack() or _toolkit() or _trial()


def _toolkit() -> Lack | None:
    """Whether kernels could be compiled, for this driver and card."""
    try:
        from fracsim.kernels.cuda import target

        toolkit = target.toolkit_version()
    except ImportError as error:  # numba's CudaSupportError is one
        return Lack(f"no CUDA toolkit was found ({_line(error)})", _GET_TOOLKIT)
    supported, toolkit_name = driver.version(), ".".join(map(str, toolkit))
    if supported[0] < toolkit[0]:
        return Lack(
            f"the NVIDIA driver supports CUDA {supported[0]}.{supported[1]} and is too old for "
            f"the installed toolkit "
            f"{toolkit_name}",
            f"update the driver or install a toolkit of CUDA {supported[0]}",
        )
    capability = driver.compute_capability()
    if capability < OLDEST:
        return Lack(
            f"the card's compute capability {capability[0]}.{capability[1]} is below 5.0",
            "use a newer card",
        )
    return None


def _trial() -> Lack | None:
    """Compile the least of kernels and run it."""
    from fracsim.kernels.cuda import target

    try:
        stream = target.new_stream()
        arrays = _Tried(target.to_card(np.zeros(1, np.float32), stream))
        target.launch(_kernel(), 1, target.WARP, 0, stream, arrays)
        right = target.to_host(arrays.out, stream)[0] == 1
    except BackendError as error:
        return Lack(str(error), "")
    except ImportError as error:
        return Lack(f"no CUDA toolkit was found ({_line(error)})", _GET_TOOLKIT)
    except Exception as error:  # what numba and NVIDIA's libraries raise has no common base
        return Lack(
            f"a first kernel fails with {type(error).__name__}: {_line(error)}",
            "run  fracsim doctor",
        )
    return (
        None
        if right
        else Lack("the card computes something wrong", "see what nvidia-smi -q says of its memory")
    )


@functools.cache
def _kernel() -> Any:
    from fracsim.kernels.cuda.target import cuda, kernel

    @kernel
    def count_one(arrays):
        if cuda.grid(1) == 0:
            arrays.out[0] += 1

    return count_one


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
