"""The order of an epoch: a keyed bijection of 0..N-1 with random access, instead of a shuffled
array.

A Feistel network permutes the numbers below 2^bits, the least power of two (from 4 on) that holds
N; values outside 0..N-1 are sent through again until they fall inside (cycle walking), which keeps
it a bijection. Black and Rogaway, "Ciphers with arbitrary finite domains" (2002), DOI
10.1007/3-540-45760-7_9. The round function is a multiply-xorshift hash."""

import numpy as np

from fracsim.kernels.jit import formula, kernel
from fracsim.kernels.random.philox import ORDER, SPLIT, philox

ROUNDS = 4
_MULTIPLIER = np.uint64(0x9E3779B1)  # odd, close to 2^32 / golden ratio
_MIXER = np.uint64(0x85EBCA6B)
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint32(15)
_ONE = np.uint32(1)


@formula
def epoch_key(seed, epoch):
    """Key of one epoch's order: four uint32 from (seed, ORDER, epoch)."""
    low = np.uint32(np.uint64(epoch) & _MASK)
    high = np.uint32(np.uint64(epoch) >> np.uint64(32))
    seed_low = np.uint32(np.uint64(seed) & _MASK)
    seed_high = np.uint32(np.uint64(seed) >> np.uint64(32))
    return philox(low, high, np.uint32(ORDER), np.uint32(0), seed_low, seed_high)


@formula
def _mix(value, key):
    value = np.uint32((np.uint64(value ^ key) * _MULTIPLIER) & _MASK)
    value = np.uint32((np.uint64(value ^ (value >> _SHIFT)) * _MIXER) & _MASK)
    return np.uint32(value ^ (value >> _SHIFT))


@formula
def permute_bits(value, low_bits, high_mask, low_mask, key):
    """One pass of the network over ``value`` (uint32): the two parts are changed in turn, each by
    the other."""
    low = np.uint32(value & low_mask)
    high = np.uint32(value >> low_bits)
    even, odd = np.uint64(key[0]), np.uint64(key[2])
    for _ in range(ROUNDS // 2):
        high = np.uint32(high ^ (_mix(low, np.uint32(even & _MASK) ^ key[1]) & high_mask))
        low = np.uint32(low ^ (_mix(high, np.uint32(odd & _MASK) ^ key[3]) & low_mask))
        # keys of different rounds must lie far apart: with neighbours the orders were visibly
        # uneven
        even += _MULTIPLIER
        odd += _MIXER
    return np.uint32((high << low_bits) | low)


@formula
def halves(count):
    """(low_bits, high_mask, low_mask) of the network for 0..count-1, count ≤ 2^32."""
    bits = 2
    while (1 << bits) < count:
        bits += 1
    low_bits = np.uint32(bits // 2)
    high_bits = np.uint32(bits - bits // 2)
    return low_bits, np.uint32((_ONE << high_bits) - _ONE), np.uint32((_ONE << low_bits) - _ONE)


@formula
def shuffled(position, count, key):
    """Index of the sample at ``position`` of the epoch with this key; a bijection of 0..count-1."""
    low_bits, high_mask, low_mask = halves(count)
    value = permute_bits(np.uint32(position), low_bits, high_mask, low_mask, key)
    while value >= count:
        value = permute_bits(value, low_bits, high_mask, low_mask, key)
    return value


@kernel
def fill_split(seed, first, step, count, out):
    """out (N,) int64 = indices at positions first, first + step, … of the seed's own order of
    0..count-1, by which a table is split into training and test points."""
    low, high = np.uint32(seed & _MASK), np.uint32(seed >> np.uint64(32))
    zero = np.uint32(0)
    key = philox(zero, zero, np.uint32(SPLIT), zero, low, high)
    for i in range(out.size):
        out[i] = shuffled(first + i * step, count, key)
