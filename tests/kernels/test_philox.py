"""Philox4x32-10 against the published known-answer vectors and against Python's integers."""

import numpy as np
import pytest
import reference

from fracsim.kernels.jit import kernel
from fracsim.kernels.random.philox import philox, random_words, uniform

# kat_vectors of the Random123 distribution (D. E. Shaw Research), the lines "philox4x32 10":
# counter, key, answer
KNOWN_ANSWERS = [
    "00000000 00000000 00000000 00000000 00000000 00000000 6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    "ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 408f276d 41c83b0e a20bc7c6 6d5451fd",
    "243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 d16cfe09 94fdcceb 5001e420 24126ea1",
]


@kernel
def _many(c, k, words):
    for row in range(len(c)):
        w = philox(c[row, 0], c[row, 1], c[row, 2], c[row, 3], k[row, 0], k[row, 1])
        words[row, 0], words[row, 1], words[row, 2], words[row, 3] = w


@kernel
def _block(index, purpose, block, seed):
    return random_words(index, purpose, block, seed)


@pytest.mark.parametrize("line", KNOWN_ANSWERS)
def test_known_answers(line):
    numbers = [int(word, 16) for word in line.split()]
    counter, key, answer = numbers[:4], numbers[4:6], numbers[6:]
    assert list(philox(*np.array(counter + key, dtype=np.uint32))) == answer
    assert reference.philox(counter, key) == answer


def test_vector_code_gives_the_same_words():
    rng = np.random.default_rng(0)
    counters, keys = (
        rng.integers(0, 2**32, (100, 4), np.uint32),
        rng.integers(0, 2**32, (100, 2), np.uint32),
    )
    words = np.empty((100, 4), dtype=np.uint32)
    _many(counters, keys, words)
    expected = [
        reference.philox(c, k) for c, k in zip(counters.tolist(), keys.tolist(), strict=True)
    ]
    assert words.tolist() == expected


def test_seed_and_index_use_all_64_bits():
    seed, index = 0x0123456789ABCDEF, 0xFEDCBA9876543210
    words = _block(np.uint64(index), 3, 7, np.uint64(seed))
    assert list(words) == reference.philox(
        [index % 2**32, index >> 32, 3, 7], [seed % 2**32, seed >> 32]
    )


def test_uniforms_stay_off_the_ends():
    assert uniform(np.uint32(0)) == 2.0**-33
    assert uniform(np.uint32(2**32 - 1)) == 1 - 2.0**-33
