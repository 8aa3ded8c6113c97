"""How every CPU kernel of fracsim is compiled: one place for the options.

``error_model="numpy"``: the default's zero-division check stops vectorisation. ``cache``: the
second process on a machine compiles nothing (the folder is chosen in ``cache.py``). Numba finds a
cached kernel again only if no other kernel hangs in its closure, so kernels refer to each other as
module globals, never through factories. No fastmath anywhere: the bits of a run must not depend on
how the compiler groups a sum."""

from numba import njit

from fracsim.kernels import CACHED

formula = njit(error_model="numpy", cache=CACHED)
"""A scalar formula: plain scalar Python, no allocation, compiled for the CPU here and later for
CUDA."""

kernel = njit(error_model="numpy", cache=CACHED, nogil=True)
"""A loop over arrays; releases the GIL, so that a pool of threads can train several runs."""

inlined = njit(error_model="numpy", cache=CACHED, inline="always")
"""A piece of a kernel, copied into its caller: a literal argument (d = 2) then unrolls the loops it
bounds."""
