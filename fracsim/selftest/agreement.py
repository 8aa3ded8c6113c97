"""Do two backends compute the same? Each verb on one small case, what one gives against what the
other gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fracsim.kernels.backend import Backend, get_backend
from fracsim.kernels.cuda import working
from fracsim.kernels.network.losses import LOSSES
from fracsim.kernels.network.shape import Shape, parameter_count
from fracsim.kernels.points.geometry import Geometry
from fracsim.kernels.random.philox import SAMPLE, TEST, TRAIN
from fracsim.kernels.training.optimisers import OPTIMIZERS, SCHEDULES
from fracsim.kernels.training.train import Dataset, Rule, State, Stream
from fracsim.networks.initial import initial_parameters
from fracsim.training.run import Run

ONE_ULP = 2.0**-52
"""By so much may coordinates of the same sample differ."""


class Sizes(NamedTuple):
    """How large a case is."""

    points: int
    runs: int
    """R"""
    depth: int
    """T"""
    width: int
    """k"""
    batch: int
    steps: int = 20


SMALL = Sizes(points=64, runs=2, depth=2, width=8, batch=4)
"""Seconds in numba's CUDA simulator."""

USUAL = Sizes(points=20_000, runs=3, depth=5, width=100, batch=100)
"""A moment on a card and on the CPU."""


class Agreement(NamedTuple):
    """How far two backends are apart in one verb, and what is accepted."""

    backend: str
    verb: str
    deviation: float
    """Largest error relative to the largest value, or a number of points."""
    accepted: float

    @property
    def passed(self) -> bool:
        return self.deviation <= self.accepted  # NaN fails


def card_agreements() -> Iterator[Agreement]:
    """Every verb on the card, or in numba's simulator where that is on, against the CPU; nothing
    where neither is."""
    if working.missing() is None:
        sizes = SMALL if working.simulator_is_on() else USUAL
        yield from agreements(get_backend("cuda"), get_backend("cpu"), sizes)


def agreements(backend: Backend, reference: Backend, sizes: Sizes = SMALL) -> Iterator[Agreement]:
    """Compare ``backend`` with ``reference`` verb by verb: levels, labels and points must be equal,
    the rest is float32 arithmetic in another order."""
    run = Run(fractal="cantor", fractal_depth=5, width=sizes.width, network_depth=sizes.depth)
    geometry, law = run.distribution().fractal.geometry(), run.distribution().law()
    x, y, level = reference.sample(geometry, law, 1, SAMPLE, 0, sizes.points)

    def row(verb: str, deviation: float, accepted: float = 0) -> Agreement:
        return Agreement(backend.name, verb, float(deviation), accepted)

    places = np.concatenate([x, _borders(run, sizes.points)])
    both = [each.level(geometry, run.fractal_depth, places) for each in (backend, reference)]
    yield row("level, points that differ", np.sum(both[0] != both[1]))
    found = backend.sample(geometry, law, 1, SAMPLE, 0, sizes.points)
    apart = (np.abs(found[0] - x) > ONE_ULP).any(axis=1) | (found[1] != y) | (found[2] != level)
    yield row("sample, points that differ", np.sum(apart))
    yield from _networks(backend, reference, run, geometry, sizes, row)


def _networks(
    backend: Backend, reference: Backend, run: Run, geometry: Geometry, sizes: Sizes, row: Any
) -> Iterator[Agreement]:
    """forward, gradient, evaluate and train on the same points."""
    law, n, hinge = run.distribution().law(), run.fractal_depth, LOSSES.index("hinge")
    shape = Shape(2, sizes.depth, sizes.width)
    params = np.array([initial_parameters(shape, "paper", seed) for seed in range(sizes.runs)])
    which = np.zeros(sizes.runs, np.int64)
    points, labels, levels = reference.sample(geometry, law, 1, TEST, 0, sizes.points)
    x, y = points.astype(np.float32)[None], labels.astype(np.float32)[None]
    yield row(
        "forward",
        _apart(each.forward(shape, params, x, which) for each in (backend, reference)),
        1e-5,
    )
    both = [each.gradient(shape, hinge, params, x, y, which) for each in (backend, reference)]
    yield row("gradient", _apart(each[0] for each in both), 1e-5)
    measured = [
        each.evaluate(shape, hinge, params, x, y, levels[None], n, which)
        for each in (backend, reference)
    ]
    yield row("evaluate, loss", _apart(each[0] for each in measured), 1e-5)
    yield row(
        "evaluate, accuracy",
        _apart(each[1] for each in measured),
        max(2, sizes.points / 5000) / sizes.points,
    )
    points, labels, _ = reference.sample(geometry, law, 1, TRAIN, 0, 10 * sizes.batch)
    dataset = Dataset(points.astype(np.float32)[None], labels.astype(np.float32)[None])
    for name, source in (("train", dataset), ("train on a stream", Stream(geometry, law))):
        yield row(
            name,
            _apart(_trained(each, shape, params, source, sizes) for each in (backend, reference)),
            1e-4,
        )


def _trained(
    backend: Backend, shape: Shape, params: np.ndarray, source: Dataset | Stream, sizes: Sizes
) -> np.ndarray:
    """Parameters (R, Q) after some steps of Adam, all runs on the same data in orders of their
    own."""
    rule = Rule(
        LOSSES.index("hinge"), OPTIMIZERS.index("adam"), SCHEDULES.index("constant"), sizes.batch
    )
    learning_rates, seeds = np.full(sizes.runs, 1e-3), np.arange(sizes.runs, dtype=np.uint64)
    state, which = backend.place(State.start(params)), np.zeros(sizes.runs, np.int64)
    placed = backend.place(source) if isinstance(source, Dataset) else source
    backend.train(shape, rule, learning_rates, seeds, state, placed, which, 0, sizes.steps)
    trained = backend.fetch(state).params
    assert trained.shape == (sizes.runs, parameter_count(shape))
    return trained


def _borders(run: Run, most: int) -> np.ndarray:
    """Corners (N, d) of the innermost cells, at most so many: where the last bit decides the
    level."""
    matrices, offsets = run.distribution().fractal.cells(run.fractal_depth)
    corners = np.stack(np.meshgrid(*[(-1.0, 1.0)] * matrices.shape[-1]), axis=-1).reshape(
        -1, matrices.shape[-1]
    )
    places = np.einsum("cpq,kq->ckp", matrices, corners) + offsets[:, None]
    return np.asarray(places.reshape(-1, matrices.shape[-1])[:most])


def _apart(both: Any) -> float:
    """Largest difference of two arrays, relative to the second's largest value."""
    found, wanted = (np.asarray(each, np.float64) for each in both)
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())
