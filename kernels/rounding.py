"""A multiplication and an addition that round once each, on every device.

The compiler for NVIDIA cards makes one fused operation of a·b + c, which rounds once where two
operations round twice. Where backends must agree bit for bit (levels, coordinates of samples),
formulas write ``add(mul(a, b), c)``. On the CPU these are the plain operators, which numba does not
fuse; ``kernels/cuda/rounding.py`` gives the card's."""

from numba.extending import overload


def mul(a, b):
    """a · b in float64, rounded once."""
    return a * b


def add(a, b):
    """a + b in float64, rounded once."""
    return a + b


@overload(mul)
def _mul(a, b):
    return lambda a, b: a * b


@overload(add)
def _add(a, b):
    return lambda a, b: a + b
