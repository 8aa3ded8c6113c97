"""The exact law of the length of activations in a random ReLU network, as a chain of χ² draws.

With Gaussian weights of variance 2κ/n_in and biases N(0, σ_b²) the gates of a layer are fair coins,
independent of how long its preactivations are. Hence M_l = ‖x_l‖²/n_l obeys, at every width,
M_l = (2κ M_{l-1} + σ_b²) χ²_K / n_l with K ~ Binomial(n_l, 1/2), layers independent. No weights are
needed: a draw of a layer costs one χ².

Draw i of layer l is a pure function of (seed, CHAIN, i, l)."""

import math

import numpy as np

from fracsim.kernels.jit import formula, inlined, kernel
from fracsim.kernels.random.philox import CHAIN, random_words, uniform

FEW = 12
"""Up to so many degrees of freedom a χ² is made of uniforms, above by rejection."""

SELDOM = 20
"""Of so many coins or fewer, more than FEW heads are too seldom to draw them side by side."""

AT_ONCE = 256
"""Draws that are made side by side; results do not depend on it."""

_LAYER = 1 << 16  # blocks that a layer may use

ARTANHS = np.array([1 / power for power in range(21, 0, -2)])
"""Coefficients of artanh(s)/s in s², the highest first: enough for |s| ≤ 0.172."""

SINES = np.array([(-1) ** (i // 2) / math.factorial(i) for i in range(23, 0, -2)])
"""Coefficients of sin(x)/x in x², the highest first: enough for |x| ≤ π/2."""

_NORMALS = np.array([1, 2, 4, 4, 5, 6])
"""The first of the two words of the normal, by the number of uniforms before it."""

_LOG2_HIGH, _LOG2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
"""log 2 in two parts, of which the first times a small whole number is exact."""


@inlined
def ones(word):
    """How many bits of a word of 32 are set."""
    bits = np.uint32(word)
    bits = bits - ((bits >> np.uint32(1)) & np.uint32(0x55555555))
    bits = (bits & np.uint32(0x33333333)) + ((bits >> np.uint32(2)) & np.uint32(0x33333333))
    bits = (bits + (bits >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
    return np.int64(np.uint32(bits * np.uint32(0x01010101)) >> np.uint32(24))


@inlined
def heads(word, coins):
    """Heads of the first ``coins`` ≤ 32 coins of a word."""
    return ones(np.uint32(word) >> np.uint32(32 - coins)) if coins > 0 else 0


@kernel
def chi_square_chain(seed, first, widths, kappa, bias_variance, start, out):
    """out[l, i] = M_{l+1} of draw ``first + i``, from M_0 = ``start``.

    ``widths`` (T,) int64; ``out`` (T, N) float64; bias_variance is σ_b². AT_ONCE draws at a time,
    so that words, logarithms and sines are computed by vectors."""
    draws, drawn = np.empty(AT_ONCE), np.empty(AT_ONCE)
    words, degrees = np.empty((8, AT_ONCE), np.uint32), np.empty(AT_ONCE, np.int64)
    accepted = np.empty(AT_ONCE, np.bool_)
    for begin in range(0, out.shape[1], AT_ONCE):
        count, index = min(AT_ONCE, out.shape[1] - begin), np.uint64(first + begin)
        draws[:count] = start
        for layer in range(widths.size):
            n = widths[layer]
            block = toss_coins(seed, index, layer * _LAYER, n, count, words, degrees)
            take_words(seed, index, block + 1, count, words[4:])
            fewer, accepted[:] = FEW if n <= 32 else 0, False
            if n > SELDOM:
                many_degrees(words[4:], degrees, count, drawn, accepted)
            if n > fewer:
                for i in range(count):
                    if degrees[i] > fewer and not accepted[i]:
                        drawn[i] = one_draw(seed, index + np.uint64(i), block, degrees[i])
            if fewer > 0:
                few_degrees(words, degrees, min(n, FEW), count, drawn)
            for i in range(count):
                draws[i] = (2.0 * kappa * draws[i] + bias_variance) * (drawn[i] / n)
                out[layer, begin + i] = draws[i]


@kernel
def toss_coins(seed, index, block, n, count, words, degrees):
    """degrees = heads of n coins, of so many draws from ``index`` on; returns the last block that
    was used, whose words are words 0 to 3. Blocks begin at ``block``."""
    degrees[:count] = 0
    for start in range(0, n, 128):
        take_words(seed, index, block + start // 128, count, words[:4])
        for word in range(4):
            coins = min(n - start - 32 * word, 32)
            if coins > 0:
                for i in range(count):
                    degrees[i] += heads(words[word, i], coins)
    return block + (n - 1) // 128


@kernel
def take_words(seed, index, block, count, words):
    """words (4, ≥ count) = the words of one block of so many draws, from ``index`` on."""
    for i in range(count):
        a, b, c, d = random_words(index + np.uint64(i), CHAIN, block, seed)
        words[0, i], words[1, i], words[2, i], words[3, i] = a, b, c, d


@kernel
def few_degrees(words, degrees, most, count, drawn):
    """drawn = χ²_K where K = degrees ≤ FEW: -2 log of the product of K/2 uniforms and, where K is
    odd, a squared normal -2 log(u) cos²(2π v).

    ``words`` (8, AT_ONCE) of two blocks: word 0 was the coins, uniforms are words 1, 2, …, then u
    and v, in one block."""
    products, radii, turns = np.ones(AT_ONCE), np.ones(AT_ONCE), np.zeros(AT_ONCE)
    for j in range(1, most // 2 + 1):
        for i in range(count):
            factor = uniform(words[j, i])
            products[i] *= factor if j <= degrees[i] // 2 else 1.0
    for i in range(count):
        if degrees[i] & 1 and degrees[i] <= FEW:
            place = _NORMALS[degrees[i] // 2]
            radii[i], turns[i] = uniform(words[place, i]), uniform(words[place + 1, i])
    take_logs(products, count)
    take_logs(radii, count)
    for i in range(count):
        cosine = cosine_of_turn(turns[i])
        few = -2.0 * (products[i] + radii[i] * (cosine * cosine))
        drawn[i] = few if degrees[i] <= FEW else drawn[i]


@kernel
def many_degrees(words, degrees, count, drawn, accepted):
    """drawn = χ²_K of K = degrees by the first attempt of ``one_draw``, whose words are these
    (4, AT_ONCE); ``accepted`` where its quick test lets it pass: others are left to ``one_draw``.
    """
    radii = np.empty(AT_ONCE)
    for i in range(count):
        radii[i] = uniform(words[0, i])
    take_logs(radii, count)
    for i in range(count):
        k = degrees[i]
        shape = 0.5 * max(k, 2) - 1.0 / 3.0
        x = math.sqrt(-2.0 * radii[i]) * cosine_of_turn(uniform(words[1, i]))
        v = 1.0 + x / math.sqrt(9.0 * shape)
        quick = uniform(words[2, i]) < 1.0 - 0.0331 * x * x * x * x
        accepted[i] = (k > 1) & (v > 0.0) & quick
        drawn[i] = 2.0 * shape * (v * v * v)


@inlined
def cosine_of_turn(turn):
    """cos(2π turn), to about 1e-16."""
    quarter = 0.25 - abs(turn - np.floor(turn + 0.5))
    x = 2.0 * math.pi * quarter  # cos(2π turn) = sin x, in ± π/2
    y, sine = x * x, 0.0
    for c in range(SINES.size):
        sine = sine * y + SINES[c]
    return x * sine


@kernel
def take_logs(values, count):
    """log of the first ``count`` normal numbers in (0, 1], in place, to about 1e-16 of the result:
    log(2^e m) = e log 2 + 2 artanh((m - 1)/(m + 1)), by its series."""
    bits = values.view(np.int64)
    exponents = np.empty(AT_ONCE)
    for i in range(count):
        exponents[i] = np.float64((bits[i] >> 52) - 1023)
        bits[i] = (bits[i] & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000
    for i in range(count):
        large = values[i] > 1.4142135623730951
        m = 0.5 * values[i] if large else values[i]
        e = exponents[i] + 1.0 if large else exponents[i]
        s = (m - 1.0) / (m + 1.0)
        z, series = s * s, 0.0
        for c in range(ARTANHS.size):
            series = series * z + ARTANHS[c]
        values[i] = e * _LOG2_HIGH + (2.0 * s * series + e * _LOG2_LOW)


@formula
def one_draw(seed, index, block, k):
    """χ²_K = 2 Gamma(K/2) by rejection, one block for each attempt; 0 where K = 0.

    Source: G. Marsaglia, W. W. Tsang, *A simple method for generating gamma variables*, ACM TOMS
    26, 2000."""
    if k == 0:
        return 0.0
    shape = 0.5 * k - 1.0 / 3.0 if k > 1 else 0.5 + 1.0 - 1.0 / 3.0
    scale = 1.0 / math.sqrt(9.0 * shape)
    while True:
        block += 1
        a, b, c, d = random_words(index, CHAIN, block, seed)
        x = math.sqrt(-2.0 * math.log(uniform(a))) * math.cos(2.0 * math.pi * uniform(b))
        v = 1.0 + scale * x
        if v <= 0.0:
            continue
        v, u = v * v * v, uniform(c)
        if u < 1.0 - 0.0331 * x * x * x * x or (
            math.log(u) < 0.5 * x * x + shape * (1.0 - v + math.log(v))
        ):
            # Gamma(1/2) is Gamma(3/2) U²
            return 2.0 * shape * v if k > 1 else 2.0 * shape * v * uniform(d) ** 2
