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

_LAYER = 1 << 16  # blocks that a layer may use


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

    ``widths`` (T,) int64; ``out`` (T, N) float64; bias_variance is σ_b²."""
    for i in range(out.shape[1]):
        m = start
        for layer in range(widths.size):
            m = 2.0 * kappa * m + bias_variance
            m *= coin_chi_square(seed, np.uint64(first + i), layer, widths[layer]) / widths[layer]
            out[layer, i] = m


@formula
def coin_chi_square(seed, index, layer, n):
    """A draw of χ²_K with K ~ Binomial(n, 1/2); 0 where K = 0."""
    block = layer * _LAYER
    a, b, c, d = random_words(index, CHAIN, block, seed)
    if n <= 32:
        k = heads(a, n)
        if k <= FEW:
            return _few(seed, index, block, k, b, c, d)
    else:
        k, left = 0, n
        while True:
            k += heads(a, min(left, 32)) + heads(b, min(max(left - 32, 0), 32))
            k += heads(c, min(max(left - 64, 0), 32)) + heads(d, min(max(left - 96, 0), 32))
            left -= 128
            if left <= 0:
                break
            block += 1
            a, b, c, d = random_words(index, CHAIN, block, seed)
        if k == 0:
            return 0.0
    return _many(seed, index, block, k)


@formula
def _few(seed, index, block, k, b, c, d):
    """χ²_K as -2 log of K/2 uniforms, and a squared normal where K is odd. The words b, c, d of
    the block are used first."""
    product, used = 1.0, 1
    w0, w1, w2, w3 = b, b, c, d
    for _ in range(k // 2):
        if used == 4:
            block += 1
            w0, w1, w2, w3 = random_words(index, CHAIN, block, seed)
            used = 0
        product *= uniform(w0 if used == 0 else w1 if used == 1 else w2 if used == 2 else w3)
        used += 1
    total = -2.0 * math.log(product)
    if k % 2 == 1:
        if used > 2:
            block += 1
            w0, w1, w2, w3 = random_words(index, CHAIN, block, seed)
            used = 0
        u = uniform(w0 if used == 0 else w1 if used == 1 else w2)
        v = uniform(w1 if used == 0 else w2 if used == 1 else w3)
        total -= 2.0 * math.log(u) * math.cos(2.0 * math.pi * v) ** 2
    return total


@formula
def _many(seed, index, block, k):
    """χ²_K = 2 Gamma(K/2) by rejection, one block for each attempt.

    Source: G. Marsaglia, W. W. Tsang, *A simple method for generating gamma variables*, ACM TOMS
    26, 2000."""
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
