"""Norms and deviations of numbers of any size: squares of what is below 1e-154 vanish, and those of
what is above 1e154 are infinite, long before the numbers themselves do or are.

Where the plain formula does not suffer from that, its bits are kept; elsewhere the numbers are
multiplied by a power of two before they are squared, and the result is divided by it."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fracsim.kernels.jit import formula

LEAST, MOST = 2.0**-450, 2.0**450
"""Norms between which squares, and sums of them, are harmless."""


@formula
def scale_for(largest):
    """A power of two that brings ``largest`` to about 1; 1 where it needs none, is 0 or not
    finite."""
    if LEAST <= largest <= MOST or largest == 0.0 or not math.isfinite(largest):
        return 1.0
    _, exponent = math.frexp(largest)
    return math.ldexp(1.0, min(-exponent, 1000))


@formula
def norm_of(values):
    """‖values‖ of a row (n,) of float64."""
    total = 0.0
    for i in range(values.size):
        total += values[i] * values[i]
    root = math.sqrt(total)
    if LEAST <= root <= MOST:
        return root
    largest = 0.0
    for i in range(values.size):
        largest = max(largest, abs(values[i]))
    scale = scale_for(largest)
    if scale == 1.0:
        return root
    total = 0.0
    for i in range(values.size):
        value = values[i] * scale
        total += value * value
    return math.sqrt(total) / scale


def norms(values: ArrayLike, axis: int | None = None) -> Any:
    """Euclidean norm of an array, or of its rows along ``axis``."""
    found = np.asarray(values, np.float64)
    with np.errstate(over="ignore"):
        plain = np.asarray(np.linalg.norm(found, axis=axis))
    bad = ~((plain >= LEAST) & (plain <= MOST))
    if not bad.any():
        return plain[()]
    scale = scales(np.abs(found).max(axis=axis, keepdims=True, initial=0.0))
    scaled = np.linalg.norm(found * scale, axis=axis) / np.squeeze(scale, axis)
    return np.where(bad, scaled, plain)[()]


def deviation(values: ArrayLike, axis: int | None = None, ddof: int = 0) -> Any:
    """Standard deviation of an array, or along ``axis``."""
    found = np.asarray(values, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        plain = np.asarray(found.std(axis=axis, ddof=ddof))
        bad = ~((plain >= LEAST) & (plain <= MOST))
        if not bad.any():
            return plain[()]
        scale = scales(np.abs(found).max(axis=axis, keepdims=True, initial=0.0))
        scaled = (found * scale).std(axis=axis, ddof=ddof) / np.squeeze(scale, axis)
    return np.where(bad, scaled, plain)[()]


def scales(largest: ArrayLike) -> Any:
    """``scale_for`` of each number."""
    largest = np.asarray(largest)
    _, exponents = np.frexp(largest)
    powers = np.ldexp(1.0, np.minimum(-exponents, 1000))
    fine = ((largest >= LEAST) & (largest <= MOST)) | (largest == 0) | ~np.isfinite(largest)
    return np.where(fine, 1.0, powers)
