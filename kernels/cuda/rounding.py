"""The card's ``mul`` and ``add``: instructions that its compiler never fuses. Imported for that
effect."""

from numba.extending import overload

from fracsim.kernels.cuda.target import SIMULATED, libdevice
from fracsim.kernels.rounding import add, mul

if not SIMULATED:  # the simulator calls formulas that were compiled for the CPU
    _multiply, _sum = libdevice.dmul_rn, libdevice.dadd_rn

    @overload(mul, target="cuda")
    def _mul(a, b):
        return lambda a, b: _multiply(a, b)

    @overload(add, target="cuda")
    def _add(a, b):
        return lambda a, b: _sum(a, b)
