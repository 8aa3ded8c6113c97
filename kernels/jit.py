"""How every CPU kernel of fracsim is compiled: one place for the options.

``error_model="numpy"``: the default's zero-division check stops vectorisation. ``cache``: the
second process on a machine compiles nothing (the folder is chosen in ``cache.py``). Numba finds a
cached kernel again only if no other kernel hangs in its closure, so kernels refer to each other as
module globals, never through factories. What a kernel calls is compiled into it and kept with it
(``linked.py``). No fastmath anywhere: the bits of a run must not depend on how the compiler groups
a sum."""

from collections.abc import Callable
from typing import Any

from numba import config

from fracsim.kernels.cache import guard, use_folder_of
from fracsim.kernels.compiling import watch
from fracsim.kernels.linked import Linked

watch()


def _decorator(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    def decorate(function: Callable[..., Any]) -> Any:
        kept = use_folder_of(function.__module__)
        if getattr(config, "DISABLE_JIT", 0):
            return function
        whole = {"nopython": True, "error_model": "numpy", "no_cfunc_wrapper": True}
        dispatcher = Linked(function, targetoptions=whole | options)
        if kept:
            dispatcher.enable_caching()
        return guard(dispatcher)

    return decorate


formula = _decorator()
"""A scalar formula: plain scalar Python, no allocation, compiled for the CPU here and later for
CUDA."""

kernel = _decorator(nogil=True)
"""A loop over arrays; releases the GIL, so that a pool of threads can train several runs."""

inlined = _decorator(inline="always")
"""A piece of a kernel, copied into its caller: a literal argument (d = 2) then unrolls the loops it
bounds."""
