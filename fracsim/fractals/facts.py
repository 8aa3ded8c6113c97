"""What people want to know of a fractal: its numbers, and for d <= 2 a picture in text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fracsim.fractals.fractal import Fractal


def fractal_facts(fractal: Fractal, n: int) -> dict[str, Any]:
    """The numbers of a fractal; ``cells`` counts those of K_0, …, K_n."""
    return {
        "name": fractal.name,
        "dimension": fractal.dimension,
        "maps": fractal.maps,
        "touching": bool(fractal.touching),
        "gap_share": float(fractal.gap_share),
        "similarity_dimension": similarity_dimension(fractal.matrices),
        "greatest_depth": fractal.greatest_depth,
        "greatest_depth_float32": fractal.greatest_depth_in("float32"),
        "cells": [fractal.maps**j for j in range(n + 1)],
    }


def similarity_dimension(matrices: np.ndarray) -> float | None:
    """D with sum s_i^D = 1 (Moran's equation) for maps (r, d, d) that scale by s_i; None if one is
    no similarity."""
    singular = np.linalg.svd(matrices, compute_uv=False)
    if np.any(np.ptp(singular, axis=1) > 1e-9 * singular[:, 0]):
        return None
    scales = singular[:, 0]
    low, high = 0.0, math.log(len(scales)) / -math.log(scales.max()) + 1e-9
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if np.sum(scales**middle) > 1 else (low, middle)
    return (low + high) / 2


def picture(fractal: Fractal, rows: int = 27) -> list[str]:
    """Lines of text: for d = 2 the deepest K_j that ``rows`` lines can show, for d = 1 one line for
    each K_j."""
    limit = 3 * rows if fractal.dimension == 1 else rows
    scale = float(np.linalg.svd(fractal.matrices, compute_uv=False)[:, 0].min())
    depth = max(1, math.floor(math.log(limit + 0.5) / -math.log(scale)))
    while depth > 1 and fractal.maps**depth > 2000:
        depth -= 1
    size = round(scale**-depth)  # so that a cell is a whole number of characters
    size = size if limit <= 3 * size <= 3 * limit else limit
    if fractal.dimension == 1:
        inside = [_inside(fractal, j, _centres(fractal, size)[:, None]) for j in range(depth + 1)]
        return [
            f"  K_{j} " + "".join("#" if cell else " " for cell in line)
            for j, line in enumerate(inside)
        ]
    across, down = np.meshgrid(_centres(fractal, 2 * size), _centres(fractal, size)[::-1])
    cells = _inside(fractal, depth, np.stack([across.ravel(), down.ravel()], axis=1)).reshape(
        size, 2 * size
    )
    return [
        f"  K_{depth}",
        *("  " + "".join("#" if cell else "·" for cell in line) for line in cells),
    ]


def _centres(fractal: Fractal, count: int) -> np.ndarray:
    """The middles of ``count`` equal parts of the base's side."""
    low = fractal.geometry().low
    return low + (1.0 - low) * (np.arange(count) + 0.5) / count


def _inside(fractal: Fractal, depth: int, points: np.ndarray) -> np.ndarray:
    """Whether each point (N, d) lies in K_depth, cell by cell."""
    low = fractal.geometry().low
    inside = np.zeros(len(points), bool)
    for matrix, offset in zip(*fractal.cells(depth), strict=True):
        at = (points - offset) @ np.linalg.inv(matrix).T
        inside |= np.all((at >= low - 1e-9) & (at <= 1 + 1e-9), axis=1)
    return inside
