"""How wide the vectors of the tile kernels are on this machine: one constant, known before anything
is compiled."""

import functools
import os

import llvmlite.binding

from fracsim.kernels.errors import VariableError

VARIABLE = "FRACSIM_VECTOR_BYTES"
"""Environment variable that sets the width by hand, for tests and measurements: sums keep their
order at every width."""


@functools.cache
def host_features() -> frozenset[str]:
    """Instruction sets of this CPU, by LLVM's names; empty where LLVM cannot tell."""
    try:
        return frozenset(
            name for name, present in llvmlite.binding.get_host_cpu_features().items() if present
        )
    except RuntimeError:
        return frozenset()


def _vector_bytes() -> int:
    wanted = os.environ.get(VARIABLE, "")
    if wanted:
        if wanted not in ("16", "32", "64"):
            raise VariableError(f"{VARIABLE} is {wanted!r}; accepted is 16, 32 or 64")
        return int(wanted)
    return 64 if "avx512f" in host_features() else 32 if "avx2" in host_features() else 16


VECTOR_BYTES = _vector_bytes()
"""64 (AVX-512), 32 (AVX2) or 16."""
