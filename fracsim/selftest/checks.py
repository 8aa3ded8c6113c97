"""Do the compiled kernels compute what they should on this machine? Each verb on one small case,
against plain NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.backend import get_backend
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape, parameter_count, split_layers
from fracsim.kernels.points.line import make_line
from fracsim.kernels.random.philox import philox
from fracsim.kernels.training.population import population_gradient
from fracsim.networks.initial import initial_parameters
from fracsim.training.run import Run


class Check(NamedTuple):
    """One agreement check: its largest deviation from plain NumPy and the largest that is
    accepted."""

    name: str
    deviation: float
    accepted: float

    @property
    def passed(self) -> bool:
        return self.deviation <= self.accepted  # NaN fails


def checks() -> Iterator[Check]:
    """Every verb of the backend on a small case, against the plain formula in float64."""
    yield _philox()
    yield _level()
    for precision, accepted in (("float64", 1e-12), ("float32", 1e-5)):
        yield from _network(precision, accepted)
    yield _population()


def _philox() -> Check:
    """The published known answers of Philox4x32-10 (Random123's kat_vectors): counter and key all
    zeros, all ones."""
    wrong = 0
    for word, answer in (
        (0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (0xFFFFFFFF, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ):
        wrong += tuple(int(value) for value in philox(*[np.uint64(word)] * 6)) != answer
    return Check("Philox, wrong known answers", wrong, 0)


def _level() -> Check:
    """Levels of 4,000 drawn points, against a search through all cells of each level."""
    n = 3
    fractal = load_fractal("cantor")
    sample = Run(fractal="cantor", fractal_depth=n).distribution().sample(4000)
    level = np.full(len(sample.x), -1)
    for j in range(n + 1):
        matrices, offsets = fractal.cells(j)
        at = np.einsum("cpq,cnq->cnp", np.linalg.inv(matrices), sample.x[None] - offsets[:, None])
        level[np.any(np.all(np.abs(at) <= 1, axis=2), axis=0)] = j
    wrong = np.sum(level != sample.level) + np.sum(level != fractal.level(sample.x, n))
    return Check("sample and level, points that differ", int(wrong), 0)


def _network(precision: str, accepted: float) -> Iterator[Check]:
    """Output and gradient of a network with 3 hidden layers of 20 units on 37 points, logistic
    loss."""
    shape, points = Shape(2, 3, 20), 37
    rng = np.random.default_rng(0)
    params = (0.3 * rng.standard_normal(parameter_count(shape))).astype(precision)
    x = rng.uniform(-1, 1, (points, 2)).astype(precision)
    y = np.sign(rng.standard_normal(points)).astype(precision)
    wanted_f, wanted_gradient = plain_network(
        shape, params.astype(float), x.astype(float), y.astype(float)
    )
    backend, first = get_backend("cpu"), np.zeros(1, np.int64)
    f = backend.forward(shape, params[None], x[None], first)
    gradient, _ = backend.gradient(
        shape, LOSSES.index("logistic"), params[None], x[None], y[None], first
    )
    for name, found, wanted in (
        ("output", f[0], wanted_f),
        ("gradient", gradient[0], wanted_gradient),
    ):
        yield Check(
            f"network {name}, {precision}",
            float(np.abs(found - wanted).max() / np.abs(wanted).max()),
            accepted,
        )


def _population() -> Check:
    """Loss of a network over the whole Cantor distribution of depth 3, against the mean over a fine
    grid."""
    n, shape, cantor = 3, Shape(1, 2, 20), load_fractal("cantor1d")
    law = Run(fractal="cantor1d", fractal_depth=n).distribution().law()
    params = initial_parameters(shape, "he", 3, None, np.float64, bias_std=0.5)
    x = (np.arange(27 * 2000) + 0.5) / (27 * 2000)
    level = cantor.level(x[:, None], n)
    y = np.where(level == n, 1.0, -1.0)
    mass = np.append(np.diff(law.curve), 0.5)[level] / np.bincount(level)[level]
    wanted = mass @ np.maximum(0, 1 - y * plain_network(shape, params, x[:, None], y)[0])
    _, loss, _ = population_gradient(shape, params[None], make_line(cantor.geometry(), law))
    return Check("loss over a whole distribution", abs(float(loss[0]) - float(wanted)), 1e-6)


def plain_network(
    shape: Shape, params: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Output f (N,) and gradient (Q,) of the mean logistic loss of a ReLU network for points x
    (N, d) and labels y (N,), in plain NumPy."""
    layers, inputs = split_layers(shape, params), [x]
    for weight, bias in layers:
        z = inputs[-1] @ weight + bias
        inputs.append(np.maximum(z, 0))
    f = z[:, 0]
    slope = (-y / (1 + np.exp(y * f)) / len(y))[:, None]
    parts: list[np.ndarray] = []
    for (weight, _), below in zip(reversed(layers), reversed(inputs[:-1]), strict=True):
        parts[:0] = [(below.T @ slope).ravel(), slope.sum(axis=0)]
        slope = (slope @ weight.T) * (below > 0)
    return f, np.concatenate(parts)
