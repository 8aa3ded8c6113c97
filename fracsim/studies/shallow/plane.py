"""The twin of a network of two inputs: three hidden layers, by indicators of its linear pieces.

f is affine on each of R convex pieces of the window. With H half-planes h ≥ 0 (oriented, normed) at
whose borders the pieces end,

    layer 1   [M h + 1]_+ and [M h]_+ for each half-plane, whose difference is the step, and x
    layer 2   I_R = [Σ (steps of R's half-planes) - (their number - 1)]_+, and x
    layer 3   [±(a_R · x + c_R) - B_R (1 - I_R)]_+
    readout   Σ_R (plus - minus)

(Villani & Schoots). I_R is 1 on R and 0 farther from it than 1/M; B_R is more than |a_R · x + c_R|
anywhere in the window, which for steep pieces is far more than f. For M = ∞ this is f off the
edges; with finite M a neighbour adds to it nearer to an edge than about |f| / (M B)."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.errors import RunError
from fracsim.kernels.network.shape import Shape, split_layers
from fracsim.networks.rewriting.layers import Layer, Layers, evaluate, units_of
from fracsim.studies.regions.regions import Partition, partition

LARGE = 1e4
"""B over the largest |f|, at least."""
MOST_PARAMETERS = 2**25
"""256 MiB of float64."""
_NEAR = 1e-9
"""Part of the window's diameter within which a corner is on a line."""
_DIGITS = 12
"""Decimals to which normed lines are compared."""
_CHUNK = 2**21
_STEP_POINTS = 20_000
"""Points at which exact steps are tried."""


@dataclass(frozen=True, eq=False)
class PlaneTwin:
    """A deep network of two inputs, and the one with three hidden layers."""

    deep: Layers
    layers: Layers
    planes: np.ndarray
    """(H, 3): h(x) = n · x + c, of unit normal n"""
    facets: list[np.ndarray]
    """numbers of the half-planes of each piece"""
    functions: np.ndarray
    """(R, 3): f(x) = a · x + c on each piece"""
    regions: int
    """activation regions in the window"""
    steepness: float
    """M"""
    error: float
    """largest difference at points that no second piece touches"""
    error_exact: float
    """the same with exact steps, M = ∞, which no finite weight gives"""
    wrong_signs: int
    """points of these at which the sign differs"""
    near: int
    """points so near to an edge that a second piece adds to the value"""
    points: int
    largest: float
    """largest |f| on the window"""
    rounding: float
    """about how far rounding can take the twin from f: 2^-52 B_R (M Σ |h| + 4) over the half-planes
    of a piece, the greatest"""

    @property
    def pieces(self) -> int:
        """R: linear pieces, those that are not convex in their regions."""
        return len(self.functions)

    def facts(self) -> dict[str, Any]:
        """What ``--json`` says of it beside its sizes."""
        return {
            "regions": self.regions,
            "half_planes": len(self.planes),
            "widths": units_of(self.layers),
            "steepness": self.steepness,
            "points": self.points,
            "points_near_edges": self.near,
            "wrong_signs": self.wrong_signs,
            "largest_error_exact_steps": self.error_exact,
        }


def plane_twin_of(
    shape: Shape, params: np.ndarray, window: tuple[float, ...], points: int, steepness: float
) -> PlaneTwin:
    """The twin of a network with two inputs in a window (low1, high1, low2, high2), compared at
    random points.

    Raises UsageError (no window), RunError (more regions, or parameters, than memory)."""
    cut = partition(shape, params, window)
    deep = [Layer(*layer) for layer in split_layers(shape, params)]
    planes, facets, functions = convex_pieces(deep, cut)
    h, r = len(planes), len(functions)
    sizes = [2, 2 * h + 2, r + 2, 2 * r, 1]
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    if parameters > MOST_PARAMETERS:
        raise RunError(
            f"the twin would have hidden layers of {sizes[1]:,}, {sizes[2]:,} and {sizes[3]:,} "
            f"units, {parameters:,} parameters ({r:,} pieces, {h:,} half-planes); accepted are "
            f"{MOST_PARAMETERS:,}: take a smaller window"
        )
    largest = float(np.abs(cut.corner_values).max())
    low = np.array([cut.window[0], cut.window[2]])
    box = np.array(list(itertools.product(cut.window[:2], cut.window[2:])))
    reach = np.abs(box @ functions[:, :2].T + functions[:, 2]).max(axis=0)
    large = np.maximum(LARGE * max(largest, 1e-300), 2 * reach)
    layers = _layers(planes, facets, functions, low, steepness, large)
    x = np.random.default_rng(0).uniform(low, [cut.window[1], cut.window[3]], (points, 2))
    error, wrong, near = _compared(deep, layers, x)
    farthest = np.abs(box @ planes[:, :2].T + planes[:, 2]).max(axis=0, initial=0.0)
    sums = np.array([farthest[numbers].sum() for numbers in facets])
    return PlaneTwin(
        deep,
        layers,
        planes,
        facets,
        functions,
        cut.activation_regions,
        steepness,
        error,
        _error_of_steps(deep, planes, facets, functions, x[:_STEP_POINTS]),
        wrong,
        near,
        points,
        largest,
        2.0**-52 * float((large * (steepness * sums + 4)).max()),
    )


def convex_pieces(deep: Layers, cut: Partition) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Half-planes (H, 3), those of each piece, and the function (R, 3) on each.

    A linear piece that is not convex is left in its regions."""
    lines = [_facets_of(deep, cut.polygon(region)) for region in range(cut.activation_regions)]
    numbers: dict[tuple[float, ...], int] = {}
    planes: list[np.ndarray] = []

    def number(line: np.ndarray) -> int:
        key = tuple(np.round(line, _DIGITS) + 0.0)
        if key not in numbers:
            numbers[key] = len(planes)
            planes.append(line)
        return numbers[key]

    facets, functions = [], []
    for members in _groups(cut, lines):
        regions, outer = members
        facets.append(np.array(sorted({number(line) for line in outer}), np.int64))
        functions.append([*cut.gradient[regions[0]], cut.offset[regions[0]]])
    return np.array(planes).reshape(-1, 3), facets, np.array(functions)


def _groups(cut: Partition, lines: list[np.ndarray]) -> list[tuple[list[int], np.ndarray]]:
    """Regions that become one convex piece, and the half-planes (facets, 3) around them."""
    found: list[tuple[list[int], np.ndarray]] = []
    order = np.argsort(cut.piece, kind="stable")
    starts = np.flatnonzero(np.diff(cut.piece[order], prepend=-1))
    for members in np.split(order, starts[1:]):
        regions = [int(region) for region in members]
        outer = _outer(np.concatenate([lines[region] for region in regions]))
        corners = np.concatenate([cut.polygon(region) for region in regions])
        inside = corners @ outer[:, :2].T + outer[:, 2] >= -_tolerance(cut.window)
        if inside.all():
            found.append((regions, outer))
        else:
            found += [([region], lines[region]) for region in regions]
    return found


def _outer(lines: np.ndarray) -> np.ndarray:
    """Half-planes without those of which the opposite is there too, the edges within."""
    keys = {tuple(key) for key in np.round(lines, _DIGITS) + 0.0}
    kept = [tuple(np.round(-line, _DIGITS) + 0.0) not in keys for line in lines]
    return lines[np.array(kept, bool)] if len(lines) else lines


def _facets_of(deep: Layers, polygon: np.ndarray) -> np.ndarray:
    """The units' half-planes (facets, 3) at whose borders a region with these corners ends.

    The region's pattern decides the affine function of every unit, so that regions with one line
    have it to the last bit."""
    weights, offset = np.eye(2), np.zeros(2)
    centre, edges = polygon.mean(axis=0), np.roll(polygon, -1, axis=0)
    near = _NEAR * float(np.ptp(polygon, axis=0).max()) + 1e-13
    found = []
    for layer in deep[:-1]:
        slopes, offset = weights @ layer.weights, offset @ layer.weights + layer.biases
        norms = np.linalg.norm(slopes, axis=0)
        active = centre @ slopes + offset > 0
        normed = np.vstack([slopes, offset]) / np.where(norms > 0, norms, 1.0)
        at = np.abs(polygon @ normed[:2] + normed[2]) <= near
        both = (at & (np.abs(edges @ normed[:2] + normed[2]) <= near)).any(axis=0) & (norms > 0)
        found.append((np.where(active, 1.0, -1.0) * normed).T[both])
        weights, offset = slopes * active, offset * active
    return np.concatenate(found) if found else np.zeros((0, 3))


def _tolerance(window: tuple[float, ...]) -> float:
    low1, high1, low2, high2 = window
    return _NEAR * float(np.hypot(high1 - low1, high2 - low2))


def _layers(
    planes: np.ndarray,
    facets: list[np.ndarray],
    functions: np.ndarray,
    low: np.ndarray,
    steepness: float,
    large: np.ndarray,
) -> Layers:
    h, r, eye = len(planes), len(functions), np.eye(2)
    slopes, offsets = steepness * planes[:, :2].T, steepness * planes[:, 2]
    first = Layer(np.hstack([slopes, slopes, eye]), np.concatenate([offsets + 1, offsets, -low]))
    second = Layer(np.zeros((2 * h + 2, r + 2)), np.zeros(r + 2))
    for piece, numbers in enumerate(facets):
        second.weights[numbers, piece], second.weights[h + numbers, piece] = 1.0, -1.0
        second.biases[piece] = 1.0 - len(numbers)
    second.weights[2 * h :, r:] = eye
    a, c = functions[:, :2].T, functions[:, 2] + functions[:, :2] @ low  # of x - low
    indicators = np.diag(large)
    third = Layer(
        np.vstack([np.hstack([indicators, indicators]), np.hstack([a, -a])]),
        np.concatenate([c - large, -c - large]),
    )
    signs = np.concatenate([np.ones(r), -np.ones(r)])[:, None]
    return [first, second, third, Layer(signs, np.zeros(1))]


def _compared(deep: Layers, layers: Layers, x: np.ndarray) -> tuple[float, int, int]:
    """(error, wrong signs, points at which a second piece adds to the value) at points x (N, 2);
    the first two at the other points."""
    error, wrong, near = 0.0, 0, 0
    r = len(layers[3].weights) // 2
    step = max(1, _CHUNK // max(units_of(layers)))
    for part in (x[i : i + step] for i in range(0, len(x), step)):
        wanted, hidden = evaluate(deep, part)[:, 0], part
        for layer in layers[:3]:
            hidden = np.maximum(hidden @ layer.weights + layer.biases, 0)
        alone = ((hidden[:, :r] > 0) | (hidden[:, r:] > 0)).sum(axis=1) <= 1
        found = (hidden @ layers[3].weights)[:, 0]
        near += int((~alone).sum())
        error = max(error, float(np.abs(found - wanted)[alone].max(initial=0.0)))
        wrong += int((np.sign(found) != np.sign(wanted))[alone].sum())
    return error, wrong, near


def _error_of_steps(
    deep: Layers, planes: np.ndarray, facets: list[np.ndarray], functions: np.ndarray, x: np.ndarray
) -> float:
    """Largest difference from f at points x (N, 2) with steps 1 on h ≥ 0, else 0."""
    member = np.zeros((len(planes), len(functions)))
    for piece, numbers in enumerate(facets):
        member[numbers, piece] = 1.0
    steps = (x @ planes[:, :2].T + planes[:, 2] >= 0).astype(float)
    inside = steps @ member == member.sum(axis=0)
    values = np.where(inside, x @ functions[:, :2].T + functions[:, 2], 0.0).sum(axis=1)
    return float(np.abs(values - evaluate(deep, x)[:, 0]).max(initial=0.0))
