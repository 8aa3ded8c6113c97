"""Directions in the space of parameters: random ones, scaled by the network's own weights, and
principal components of a training.

Li, Xu, Taylor, Studer & Goldstein 2018: a Gaussian direction says nothing until it is scaled, since
a ReLU network may be rescaled without changing its function. Biases stay as they are."""

import numpy as np

from fracsim.errors import UsageError
from fracsim.kernels.network.shape import Shape, split_layers
from fracsim.kernels.norms import norms, scales

_TINY = 1e-10
"""As in the authors' code: a direction of norm 0 stays 0."""
_PARALLEL = 1e-9


def random_direction(
    shape: Shape, params: np.ndarray, normalise: str, seed: int, number: int
) -> np.ndarray:
    """Gaussian direction (Q,) number ``number`` of a seed, scaled by params (Q,) float64.

    filter: each column of a layer's weights (the incoming weights of a unit) gets the norm of the
    network's own; layer: each layer's weights do; weight: each weight is multiplied by its own;
    forward: see ``_forward``. Biases get 0."""
    direction = np.random.default_rng([seed, number]).normal(size=params.shape)
    reach = np.ones(shape.inputs)
    for (d, biases), (weights, _) in zip(
        split_layers(shape, direction), split_layers(shape, params), strict=True
    ):
        biases[:] = 0.0
        if normalise == "filter":
            d *= _norms(weights) / (_norms(d) + _TINY)
        elif normalise == "layer":
            d *= norms(weights) / (norms(d) + _TINY)
        elif normalise == "weight":
            d *= weights
        else:
            reach = _forward(d, weights, reach)
    return direction


def _forward(d: np.ndarray, weights: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Scale d (n_in, n_out) in place so that rescaling a unit, its incoming weights by c > 0 and
    its outgoing ones by 1/c, moves the direction along with the network.

    ρ_0 = 1, ρ_l[m] = ‖(W_l[j, m] ρ_{l-1}[j])_j‖ is multiplied by c with unit m; the unit column of
    d is multiplied by ρ_l[m] / ρ_{l-1}[j]. ``reach``: ρ_{l-1}; returns ρ_l. Where ρ_{l-1}[j] is 0,
    a unit without incoming weights, its outgoing ones get no direction."""
    reach = reach * scales(reach.max())  # only ratios of ρ matter, and they may be of any size
    following: np.ndarray = norms(weights * reach[:, None], axis=0)
    inverse = np.divide(1.0, reach, out=np.zeros_like(reach), where=reach > 0)
    d *= following / (_norms(d) + _TINY) * inverse[:, None]
    return following


def _norms(columns: np.ndarray) -> np.ndarray:
    found: np.ndarray = norms(columns, axis=0)
    return found


def zero_filters(shape: Shape, params: np.ndarray) -> int:
    """Units, the output among them, without incoming weights: no direction moves them."""
    return sum(int((_norms(weights) == 0).sum()) for weights, _ in split_layers(shape, params))


def check_directions(directions: np.ndarray) -> None:
    """Raise UsageError where one of directions (D, Q) is 0, or two are parallel."""
    lengths = norms(directions, axis=1)
    if not np.isfinite(lengths).all() or lengths.min() == 0:
        raise UsageError("the weights of the network are all 0 or not finite: nowhere to go")
    if len(directions) == 2:
        one, other = directions / np.abs(directions).max(axis=1, keepdims=True)
        cosine = abs(one @ other) / (norms(one) * norms(other))
        if cosine > 1 - _PARALLEL:
            raise UsageError(
                "the two directions are parallel, so that there is no plane; accepted is a line, "
                "as with --grid 41, or a network of more weights"
            )


def principal_components(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit components (min(S, Q), Q) of rows (S, Q), centred, the largest variance first, and the
    shares of the variance that they explain. The sign: the largest entry is positive."""
    _, values, components = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    largest = components[np.arange(len(components)), np.abs(components).argmax(axis=1)]
    components *= np.where(largest < 0, -1.0, 1.0)[:, None]
    if not (values > 0).any():
        return components, np.zeros(len(values))
    variance = (values / values.max()) ** 2
    return components, variance / variance.sum()


def explained_by_walk(count: int) -> np.ndarray:
    """Shares (count,) of the variance that principal components explain of a long random walk in
    many dimensions: 6 / (π i)², i = 1, 2, … (Antognini & Sohl-Dickstein 2018)."""
    found: np.ndarray = 6.0 / (np.pi * np.arange(1, count + 1)) ** 2
    return found
