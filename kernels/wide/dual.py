"""The kernels of infinitely wide networks, as functions of two inputs (matrix.py: of many).

κ0(u) = (π - acos u)/π and κ1(u) = (u (π - acos u) + √(1 - u²))/π are E 1[a > 0] 1[b > 0] and
E relu(a) relu(b), times two, of normal a, b of correlation u. L layers, the output among them:
L - 1 hidden ones. Sources: Y. Cho, L. Saul, *Kernel methods for deep learning*, NIPS 2009; A.
Jacot, F. Gabriel, C. Hongler, *Neural tangent kernel*, NeurIPS 2018."""

import math

import numpy as np

from fracsim.kernels.jit import formula, kernel

NTK, RF, STEP, LAPLACE = 0, 1, 2, 3
"""Kinds of kernels by their place in ``KINDS``."""

KINDS = ("ntk", "rf", "step", "laplace")


@formula
def wide_kernel(kind, layers, beta, scale, a, b, p):
    """K(x, y) from a = ‖x‖², b = ‖y‖², p = x·y.

    beta = b²/2 of biases b N(0, 1) in the parametrisation z = √(2/n_in) W x + b β, inputs of
    length √n_in, no √2 before the output; 0: without biases, homogeneous, K(x, x) = ‖x‖² (RF) and
    L ‖x‖² (NTK). Step activations: K(x, x) = 1. Laplace: exp(-scale ‖x - y‖)."""
    if kind == LAPLACE:
        return math.exp(-scale * math.sqrt(max(a + b - 2.0 * p, 0.0)))
    a, b, p = a + beta, b + beta, p + beta
    tangent = p
    for _ in range(layers - 1):
        length = math.sqrt(a * b)
        u = min(max(p / length, -1.0), 1.0) if length > 0.0 else 0.0
        left = math.pi - math.acos(u)
        if kind == STEP:
            a = b = 1.0 + beta
            p = left / math.pi + beta
        else:
            p = length * (u * left + math.sqrt((1.0 - u) * (1.0 + u))) / math.pi + beta
            tangent = tangent * (left / math.pi) + p
            a, b = a + beta, b + beta
    return (tangent if kind == NTK else p) + (beta if layers > 1 else 0.0)


@kernel
def kernel_of_angle(kind, layers, beta, scale, angle, out):
    """out[i] = K of two unit vectors at an angle; both (N,) float64."""
    for i in range(angle.size):
        out[i] = wide_kernel(kind, layers, beta, scale, 1.0, 1.0, math.cos(angle[i]))


@kernel
def moments_of_degrees(dimension, cosine, values, weights, out, size):
    """out[k] = Σ_i w_i f_i P_k(u_i) and size[k] = Σ_i w_i |f_i P_k(u_i)|, P_k(1) = 1 the Legendre
    polynomials of S^{d-1}; sums with Kahan's correction."""
    n = cosine.size
    before, here = np.zeros(n), np.ones(n)
    for k in range(out.size):
        total, lost, absolute = 0.0, 0.0, 0.0
        for i in range(n):
            term = weights[i] * values[i] * here[i]
            absolute += abs(term)
            step = term - lost
            now = total + step
            lost = (now - total) - step
            total = now
        out[k], size[k] = total, absolute
        for i in range(n):
            u = cosine[i]
            after = u
            if k > 0:
                after = ((2 * k + dimension - 2) * u * here[i] - k * before[i]) / (
                    k + dimension - 2
                )
            before[i], here[i] = here[i], after
