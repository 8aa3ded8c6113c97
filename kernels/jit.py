"""How every CPU kernel of fracsim is compiled: one place for the options.

``error_model="numpy"``: the default's zero-division check stops vectorisation. ``cache``: the
second process on a machine compiles nothing (the folder is chosen in ``cache.py``). Numba finds a
cached kernel again only if no other kernel hangs in its closure, so kernels refer to each other as
module globals, never through factories. No fastmath anywhere: the bits of a run must not depend on
how the compiler groups a sum."""

from collections.abc import Callable
from typing import Any

from numba import njit

from fracsim.kernels.cache import guard, use_folder_of


def _decorator(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    def decorate(function: Callable[..., Any]) -> Any:
        kept = use_folder_of(function.__module__)
        return guard(njit(error_model="numpy", cache=kept, **options)(function))

    return decorate


formula = _decorator()
"""A scalar formula: plain scalar Python, no allocation, compiled for the CPU here and later for
CUDA."""

kernel = _decorator(nogil=True)
"""A loop over arrays; releases the GIL, so that a pool of threads can train several runs."""

inlined = _decorator(inline="always")
"""A piece of a kernel, copied into its caller: a literal argument (d = 2) then unrolls the loops it
bounds."""
