"""Blocks of at most 32 threads for numba's simulator, where a thread of the card is a thread of
Python."""

from fracsim.kernels.cuda import evaluate, layout, product
from fracsim.kernels.cuda.backend import CudaBackend
from fracsim.kernels.cuda.target import SIMULATED

SMALL = (product.Block(4, 2, 2), product.Block(2, 4, 3), product.Block(4, 3, 2))
"""Of 8 x 8, 8 x 6 and 12 x 8 elements of a product, so that layers of 9 units take several
parts."""


def shrink(monkeypatch):
    """Take them where kernels are simulated; compiled kernels keep the real ones."""
    if SIMULATED:
        monkeypatch.setattr(evaluate, "THREADS", 16)
        for module in (product, layout):
            monkeypatch.setattr(module, "BLOCKS", SMALL)
        for number, block in enumerate(SMALL):
            monkeypatch.setattr(product, f"parts_{number}", product.make_parts(block))


def with_blocks(monkeypatch, blocks):
    """A backend whose runs are trained by block groups of so many blocks, 1, 2 or 4, whatever the
    width."""
    monkeypatch.setattr(layout, "_ONE_BLOCK", 10**9 if blocks == 1 else -1)
    monkeypatch.setattr(layout, "_TWO_BLOCKS", 10**9 if blocks == 2 else -1)
    return CudaBackend()
