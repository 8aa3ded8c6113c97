"""What a He network with Gaussian biases has on average: switches on a segment, density of
boundaries, distance to the nearest one, regions of a window of the plane.

Weights N(0, 2/n_in), biases N(0, σ_b²) in all layers, d inputs. By the formula of Kac and Rice,
exact for layer 1, and for the layers above in the limit of wide ones (their error is of the order
l/n). With a = 2/d and ρ = ‖x‖ a preactivation of layer l has variance s_l² = aρ² + l σ_b². Where
it is 0, its gradient has variance a in the d - 1 directions across x, and a β_l along x, with
β_l = l σ_b² / s_l². Derived for this program; B. Hanin and D. Rolnick (ICML and NeurIPS 2019)
bound the same means."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.kernels.norms import norms

Floats = NDArray[np.float64]


def check_biases(bias_std: float | None) -> float:
    """UsageError unless σ_b > 0: else all boundaries of layer 1 meet in the origin."""
    if not bias_std:
        given = "--bias-std 0" if bias_std == 0 else "no --bias-std"
        raise UsageError(
            f"{given}: with biases of 0 all boundaries of layer 1 meet in the origin, where their "
            "expected density diverges; accepted beside --draws is a --bias-std above 0"
        )
    return bias_std


def switches_by_layer(widths: Sequence[int], bias_std: float, start: Floats, end: Floats) -> Floats:
    """Expected sign changes (T,) of the units of each layer on a segment between points (d,).

    One unit of layer l changes sign (arctan(t_2/s) - arctan(t_1/s))/π times, where t measures the
    line from its foot, the point nearest to the origin, at distance r, and s² = r² + l σ_b² d/2."""
    length = float(norms(end - start))
    direction = (end - start) / length
    first = float(start @ direction)
    r2 = max(float(start @ start) - first**2, 0.0)
    layers = np.arange(1, len(widths) + 1)
    s = np.sqrt(r2 + layers * bias_std**2 * len(start) / 2)
    each = (np.arctan((first + length) / s) - np.arctan(first / s)) / math.pi
    return np.array(widths) * each


def density(widths: Sequence[int], bias_std: float, dimension: int, radii: Floats) -> Floats:
    """S (N,): expected area of all boundaries per unit volume, at distances ρ (N,) from the origin
    (points per unit length for d = 1)."""
    total, a = np.zeros(len(radii)), 2 / dimension
    for layer, n in enumerate(widths, 1):
        variance = a * radii**2 + layer * bias_std**2
        beta = layer * bias_std**2 / variance
        total += n * _mean_norm(dimension, a, beta) / np.sqrt(2 * math.pi * variance)
    return total


def _mean_norm(dimension: int, a: float, beta: Floats) -> Floats:
    """E ‖g‖ of g ~ N(0, diag(a, …, a, β a)), β (N,), from its Laplace transform."""
    u = np.linspace(-80.0, 80.0, 1601)
    t = np.exp(u)
    across = -(dimension - 1) / 2 * np.log1p(2 * a * t)
    found = np.empty(len(beta))
    for i, one in enumerate(beta):
        gone = -np.expm1(across - np.log1p(2 * a * one * t) / 2)
        found[i] = (gone * np.exp(-u / 2)).sum() * (u[1] - u[0]) / (2 * math.sqrt(math.pi))
    return found


def distances(surface: Floats) -> Floats:
    """Mean distance to the nearest boundary where they have a density S, if they were thrown at
    random: 1/(2S)."""
    return 1 / (2 * surface)


def plane_regions(
    widths: Sequence[int], bias_std: float, window: Sequence[float], nodes: int = 160
) -> float:
    """Expected regions of a window (low1, high1, low2, high2), d = 2: one, half of all switches on
    its sides, and all crossings of two boundaries in it. (Closed boundaries that meet nothing add a
    little where T ≥ 2.)"""
    low1, high1, low2, high2 = window
    corners = np.array([[low1, low2], [high1, low2], [high1, high2], [low1, high2], [low1, low2]])
    sides = sum(
        float(switches_by_layer(widths, bias_std, corners[i], corners[i + 1]).sum())
        for i in range(4)
    )
    x, y, area = _grid(window, bias_std, nodes)
    rho2 = x**2 + y**2
    variance = [rho2 + layer * bias_std**2 for layer in range(1, len(widths) + 1)]
    beta = [layer * bias_std**2 / v for layer, v in enumerate(variance, 1)]
    crossings = 0.0
    for i in range(len(widths)):
        for j in range(i, len(widths)):
            pairs = widths[i] * (widths[i] - 1) / 2 if i == j else widths[i] * widths[j]
            if not pairs:
                continue
            # boundaries of a later layer lie closer to radial: β is larger there
            largest = np.maximum(beta[i], beta[j])
            ratio = np.minimum(beta[i], beta[j]) / largest
            sine = 2 / math.pi * np.sqrt(largest) * _ellipe(1 - ratio)
            each = sine / (2 * math.pi * np.sqrt(variance[i] * variance[j]))
            crossings += pairs * float((each * area).sum())
    return 1 + sides / 2 + crossings


def _grid(window: Sequence[float], bias_std: float, nodes: int) -> tuple[Floats, Floats, Floats]:
    """Nodes and weights in a window, by Gauss and Legendre on either side of the origin, finer
    towards it: there the integrand changes over σ_b."""
    axes = []
    for low, high in zip(window[::2], window[1::2], strict=True):
        reach = max(abs(low), abs(high))
        steps = bias_std * np.geomspace(1, max(reach / bias_std, 1.0), 12)
        cuts = np.unique(np.clip([low, high, 0.0, *steps, *-steps], low, high))
        z, w = np.polynomial.legendre.leggauss(max(8, nodes // len(cuts)))
        half, middle = np.diff(cuts) / 2, (cuts[1:] + cuts[:-1]) / 2
        place = (middle[:, None] + half[:, None] * z).ravel()
        axes.append((place, (half[:, None] * w).ravel()))
    (x, wx), (y, wy) = axes
    return x[:, None], y[None, :], wx[:, None] * wy[None, :]


def _ellipe(m: Floats) -> Floats:
    """Complete elliptic integral of the second kind E(m), by the arithmetic-geometric mean."""
    a, b = np.ones_like(m), np.sqrt(1 - m)
    c2, total, power = m.copy(), m / 2, 0.5
    for _ in range(40):
        a, b, c = (a + b) / 2, np.sqrt(a * b), (a - b) / 2
        power *= 2
        c2 = c * c
        total = total + power * c2
        if float(np.abs(c).max()) < 1e-16:
            break
    return math.pi / (2 * a) * (1 - total)


def expected_facts(
    widths: Sequence[int], bias_std: float, place: Any, points: Floats
) -> dict[str, Any]:
    """What is expected in a ``Place``: of a window of the plane regions, of a segment switches by
    layer; at random points (N, d) density and distance."""
    facts: dict[str, Any] = {}
    if place.kind == "plane":
        facts["regions"] = plane_regions(widths, bias_std, place.window)
    if place.kind == "segment":
        ends = np.array(place.segment if place.segment is not None else place.window)
        by_layer = switches_by_layer(widths, bias_std, *np.split(ends, 2))
        facts["switches_by_layer"] = by_layer.tolist()
        facts["regions"] = 1 + float(by_layer.sum())
    dimension = points.shape[1]
    surface = density(widths, bias_std, dimension, norms(points[:500], axis=1))
    facts["density"] = float(surface.mean())
    facts["distance"] = float(distances(surface).mean())
    return facts
