"""Randomness by counter: Philox4x32-10.

Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, *Parallel random numbers: as easy as 1,
2, 3*, SC 2011. Four random words are a pure function of a counter (four words) and a key (two
words): nothing to seed, nothing to carry along, nothing that depends on threads. fracsim's key is
the 64-bit seed; its counter is (index low, index high, purpose, block)."""

import numpy as np

from fracsim.kernels.jit import formula, inlined

TRAIN, TEST, SAMPLE, STREAM, INIT, ORDER, PLACES, SPLIT = 1, 2, 3, 4, 5, 6, 7, 8
CHAIN, DIRECTION = 16, 17
AUGMENT = 18
"""Purposes: streams of one seed that never meet."""

RADIAL = 256
"""Added to a purpose by the points of radial functions, so that they meet no fractal's."""

PRODUCT = 512
"""Added to a purpose by the points of products."""

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _WORD = np.uint64(0xFFFFFFFF), np.uint64(32)
_TO_UNIT = 2.0**-32


@inlined
def philox(c0, c1, c2, c3, k0, k1):
    """Four random uint32 of the counter (c0, c1, c2, c3) and the key (k0, k1)."""
    # 64-bit words throughout: numba turns uint32 products into uint64 anyway, and `uint64 + 1` into
    # int64
    a, b, c, d = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    key0, key1 = np.uint64(k0), np.uint64(k1)
    for _ in range(10):
        p = _MULTIPLIER_0 * a
        q = _MULTIPLIER_1 * c
        a, b, c, d = (q >> _WORD) ^ b ^ key0, q & _LOW, (p >> _WORD) ^ d ^ key1, p & _LOW
        key0 = (key0 + _WEYL_0) & _LOW
        key1 = (key1 + _WEYL_1) & _LOW
    return np.uint32(a), np.uint32(b), np.uint32(c), np.uint32(d)


@inlined
def random_words(index, purpose, block, seed):
    """Four random uint32 of one block of (seed, purpose, index); index and seed are uint64."""
    index, seed = np.uint64(index), np.uint64(seed)
    return philox(index & _LOW, index >> _WORD, purpose, block, seed & _LOW, seed >> _WORD)


@formula
def uniform(word):
    """A uniform in (0, 1), never on its ends: (word + 1/2) · 2^-32."""
    return (np.float64(word) + 0.5) * _TO_UNIT
