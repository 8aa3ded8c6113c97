"""Activations f and their slopes f', once, as scalar formulas in float64.

The studies of random networks know four; training knows the ReLU alone."""

import math

import numpy as np

from fracsim.kernels.jit import formula, kernel

RELU, TANH, ERF, HARDTANH = range(4)
ACTIVATIONS = ("relu", "tanh", "erf", "hardtanh")
"""Names; index = code."""

KINKS = (np.array([0.0]), np.empty(0), np.empty(0), np.array([-1.0, 1.0]))
"""Where each is not differentiable; between, those that have kinks are linear."""


@formula
def activation(code, z):
    """f(z): max(z, 0), tanh z, erf z, or z clipped to [-1, 1]."""
    if code == RELU:
        return max(z, 0.0)
    if code == TANH:
        return math.tanh(z)
    if code == ERF:
        return math.erf(z)
    return min(max(z, -1.0), 1.0)


@formula
def slope(code, z):
    """f'(z); at a kink that of the side of 0 (ReLU), of the outside (clip)."""
    if code == RELU:
        return 1.0 if z > 0.0 else 0.0
    if code == TANH:
        return 1.0 - math.tanh(z) ** 2
    if code == ERF:
        return 2.0 / math.sqrt(math.pi) * math.exp(-z * z)
    return 1.0 if -1.0 < z < 1.0 else 0.0


@kernel
def activations(code, z, out):
    """out[i] = f(z[i]) of two vectors."""
    for i in range(z.size):
        out[i] = activation(code, z[i])


@kernel
def slopes(code, z, out):
    """out[i] = f'(z[i]) of two vectors."""
    for i in range(z.size):
        out[i] = slope(code, z[i])
