"""Theorem 5 of Malach & Shalev-Shwartz 2019 by numbers: random networks and their gradients on a
whole distribution.

On the one-dimensional Cantor distribution, a network of depth t and width k with weights U(±1/(2
n_in)) and one constant bias has, with probability ≥ 1 - δ, a population gradient of which no entry
exceeds 5 (P(n') - 1/2), and a hinge loss of at least (3/2 - P(n')) (1 - P(n')). n' < n is the least
integer with (3/2)^n' > 4 t k² / δ, t ≥ 1.

In d = 1 gradients are exact (``kernels/training/population.py``), n up to 60. In any d they are
estimated from samples.

By level: positives against the negatives of one level j only, E_(j+1) in the paper. There the hinge
loss tells two things at once. Where |f| > 1 the hinge sleeps on one label, and the other label's
gradient is left alone, whatever the fractal. What the labels tell is the correlation E[y ∂f/∂θ],
the gradient with the hinge active everywhere; the two are the same where |f| < 1, as with the
theorem's weights."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from fracsim.errors import RunError, UsageError
from fracsim.fractals.curve import Curve, parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import Fractal
from fracsim.kernels.backend import get_backend
from fracsim.kernels.network.losses import HINGE
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.norms import deviation
from fracsim.kernels.points.geometry import GAPS
from fracsim.kernels.points.line import make_line
from fracsim.kernels.points.sample import make_law
from fracsim.kernels.training.population import population_gradient
from fracsim.machine.memory import free_memory
from fracsim.networks.initial import LARGEST, initial_parameters
from fracsim.text import brief
from fracsim.values.arguments import (
    CURVE,
    FRACTAL,
    SEED,
    Called,
    Either,
    List,
    Network,
    Number,
    Text,
    Whole,
    check_fields,
    door,
    instance,
)

DEEPEST = 60
"""Greatest fractal depth n of exact gradients: at 60 a cell of cantor1d holds less of the
distribution than 2^-53."""

ROUNDING = 1e-12
"""What exact gradients and losses may exceed a bound by and still meet it: the rounding of the
integrals."""

BATCHES = 20
"""Standard errors are those of the means of so many batches of a sample."""


@dataclass(frozen=True)
class RandomNetworks:
    """Random networks: number i is the network of ``seed`` + i, the same that ``fracsim train``
    starts from."""

    shape: Shape
    initialisation: str = "uniform"
    bias: float | None = None
    bias_std: float | None = None
    seed: int = 0
    count: int = 1000

    def __post_init__(self) -> None:
        check_fields(
            self,
            shape=Network(),
            initialisation=Text(),
            bias=Number(-LARGEST, LARGEST),
            bias_std=Number(-LARGEST, LARGEST),
            seed=SEED,
            count=Whole(1, 10**9),
        )

    @door(number=Whole(0))
    def params(self, number: int) -> np.ndarray:
        """(Q,) float64. Raises UsageError for an initialisation that does not exist."""
        return initial_parameters(
            self.shape,
            self.initialisation,
            self.seed + number,
            self.bias,
            np.float64,
            self.bias_std,
        )


@dataclass(frozen=True)
class Bound:
    """What Theorem 5 says; NaN where it says nothing. ``note`` tells why, or where it is only a
    comparison."""

    n_prime: int | None
    gradient: np.ndarray
    """(curves,) 5 (P(n') - 1/2)"""
    loss: np.ndarray
    """(curves,) (3/2 - P(n')) (1 - P(n'))"""
    note: str


@brief
@dataclass(frozen=True)
class GradientStudy:
    """Of every curve and every draw; errors are standard errors, 0 where the integrals are
    exact."""

    curves: tuple[str, ...]
    max_abs_gradient: np.ndarray
    """(curves, draws) largest entry of the gradient of the hinge loss, biases included"""
    max_abs_gradient_error: np.ndarray
    """(curves, draws) standard error of that entry"""
    loss: np.ndarray
    """(curves, draws)"""
    loss_error: np.ndarray
    by_level: np.ndarray
    """(n, draws) largest entry of the gradient where all negatives are of level j"""
    correlation_by_level: np.ndarray
    """(n, draws) largest entry of E[y ∂f/∂θ], the same without the hinge"""
    correlation_error: np.ndarray
    bound: Bound
    samples: int
    """Points of each sample; 0: exact"""

    def satisfied(self) -> np.ndarray:
        """(curves, draws) whether gradient and loss meet their bounds, within rounding or four
        standard errors."""
        most = self.bound.gradient[:, None] + 4 * self.max_abs_gradient_error + ROUNDING
        least = self.bound.loss[:, None] - 4 * self.loss_error - ROUNDING
        return np.asarray((self.max_abs_gradient <= most) & (self.loss >= least))

    def rows(self) -> list[dict[str, Any]]:
        """One row of numbers per curve; NaN where Theorem 5 says nothing."""
        shares = np.where(np.isnan(self.bound.gradient), np.nan, self.satisfied().mean(axis=1))
        return [
            {
                "curve": curve,
                "max_abs_gradient": self.max_abs_gradient[i].max(),
                "median_abs_gradient": np.median(self.max_abs_gradient[i]),
                "loss_min": self.loss[i].min(),
                "loss_max": self.loss[i].max(),
                "bound": self.bound.gradient[i],
                "loss_bound": self.bound.loss[i],
                "share_satisfied": shares[i],
            }
            for i, curve in enumerate(self.curves)
        ]

    def arrays(self) -> dict[str, np.ndarray]:
        """The variables of a study file of kind "gradient" (``data/schema.py``)."""
        n, draws = self.by_level.shape
        arrays = {
            "curve": np.array(self.curves),
            "level": np.arange(n),
            "draw": np.arange(draws),
            "max_abs_gradient": self.max_abs_gradient,
            "loss": self.loss,
            "bound": self.bound.gradient,
            "loss_bound": self.bound.loss,
            "max_abs_gradient_by_level": self.by_level,
            "correlation_by_level": self.correlation_by_level,
        }
        if self.samples:
            arrays["max_abs_gradient_error"] = self.max_abs_gradient_error
            arrays["loss_error"] = self.loss_error
            arrays["correlation_error_by_level"] = self.correlation_error
        return arrays


class Measure(Protocol):
    """A distribution that gradients are taken over."""

    def gradient(
        self, shape: Shape, params: np.ndarray, hinged: bool
    ) -> tuple[float, float, float, float]:
        """(largest |entry| of the gradient, its standard error, loss, its standard error) of params
        (Q,)."""


class ExactMeasure:
    """A distribution in d = 1 of P(0..n) = ``curve``, integrated."""

    def __init__(self, fractal: Fractal, curve: np.ndarray):
        geometry = fractal.geometry()
        self.line = make_line(
            geometry, make_law(geometry, curve, GAPS.index(fractal.gap), 0.0, 0.0)
        )

    def gradient(
        self, shape: Shape, params: np.ndarray, hinged: bool
    ) -> tuple[float, float, float, float]:
        """As ``Measure``; the errors are 0."""
        dparams, loss, _ = population_gradient(shape, params[None], self.line, hinged)
        return float(np.abs(dparams).max()), 0.0, float(loss[0]), 0.0


class SampledMeasure:
    """The same in any d, as the mean over a sample that all networks share."""

    def __init__(self, fractal: Fractal, curve: np.ndarray, samples: int, seed: int):
        distribution = Distribution(fractal, len(curve) - 1, parse_curve(curve.tolist()))
        sample = distribution.sample(samples // BATCHES * BATCHES, seed)
        self.x = sample.x.reshape(BATCHES, -1, fractal.dimension)
        self.y = sample.y.astype(np.float64).reshape(BATCHES, -1)
        self.backend = get_backend("cpu")

    def gradient(
        self, shape: Shape, params: np.ndarray, hinged: bool
    ) -> tuple[float, float, float, float]:
        """As ``Measure``. The largest entry is the largest of noisy ones: at least about its own
        standard error."""
        scale, sets = 1.0, np.arange(BATCHES)
        runs = np.repeat(params[None], BATCHES, axis=0)
        readout = slice(-shape.widths[-1] - 1 if shape.depth else 0, None)
        if (
            not hinged
        ):  # a readout so small that |f| < 1 everywhere: a power of two, which does not round
            scores = self.backend.forward(shape, runs, self.x, sets)
            scale = 2.0 ** -math.ceil(math.log2(max(1.0, 2 * np.abs(scores).max())))
            runs[:, readout] *= scale
        dparams, losses = self.backend.gradient(shape, HINGE, runs, self.x, self.y, sets)
        hidden = np.ones(params.size, bool)
        hidden[readout] = False
        dparams[:, hidden] /= scale
        mean, error = _mean_and_error(dparams)
        loss, loss_error = _mean_and_error((losses - 1.0) / scale + 1.0)
        largest = int(np.abs(mean).argmax())
        return abs(float(mean[largest])), float(error[largest]), float(loss), float(loss_error)


def _mean_and_error(batches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return batches.mean(axis=0), deviation(batches, axis=0, ddof=1) / math.sqrt(len(batches))


def least_level(depth: int, width: int, delta: float) -> int:
    """n', the least integer with (3/2)^n' > 4 t k² / δ (Theorem 5)."""
    if not 0 < delta < 1:
        raise UsageError(f"delta (--delta) is {delta}; accepted is a number above 0 and below 1")
    n = 0
    limit = 4 * int(depth) * int(width) ** 2 / Fraction(delta)  # which no float may hold
    while Fraction(3, 2) ** n <= limit:
        n += 1
    return n


def theorem_5(fractal: Fractal, curves: np.ndarray, draws: RandomNetworks, delta: float) -> Bound:
    """The theorem's bounds for P(0..n) = curves (curves, n + 1)."""
    silent = np.full(len(curves), np.nan)
    if not draws.shape.depth:
        note = "Theorem 5 is about networks of one hidden layer or more; of none it says nothing"
        return Bound(None, silent, silent, note)
    n, n_prime = curves.shape[1] - 1, least_level(draws.shape.depth, draws.shape.width, delta)
    if not _is_cantor(fractal):
        return Bound(
            None,
            silent,
            silent,
            f"Theorem 5 is about cantor1d; for {fractal.name} there is no bound",
        )
    if n_prime >= n:
        note = (
            f"Theorem 5 says nothing at fractal depth {n}: its n' is {n_prime}, and it needs n' < n"
        )
        return Bound(n_prime, silent, silent, note)
    p = curves[:, n_prime]
    note = ""
    if draws.initialisation != "uniform" or draws.bias_std:
        note = (
            "Theorem 5 is about initialisation uniform with a constant bias; its bound is here "
            "for comparison only"
        )
    return Bound(n_prime, 5 * (p - 0.5), (1.5 - p) * (1 - p), note)


def _is_cantor(fractal: Fractal) -> bool:
    if fractal.dimension != 1 or fractal.base != "[0,1]" or fractal.maps != 2:
        return False
    ends = np.sort(
        np.stack([fractal.offsets[:, 0], fractal.matrices[:, 0, 0] + fractal.offsets[:, 0]]).ravel()
    )
    return bool(np.allclose(ends, [0, 1 / 3, 2 / 3, 1], atol=1e-9))


@door(
    fractal=FRACTAL,
    fractal_depth=Whole(),
    curves=List(Either((CURVE, Text(), Number(), List(Number())), "a curve"), most=1000),
    draws=instance("RandomNetworks", "studies.gradient.gradient:RandomNetworks"),
    delta=Number(),
    samples=Whole(),
    on_progress=Called(),
)
def gradient_study(
    fractal: Fractal,
    fractal_depth: int,
    curves: Sequence[str | Curve],
    draws: RandomNetworks,
    *,
    delta: float = 0.05,
    samples: int | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> GradientStudy:
    """Gradient and loss of every network of ``draws`` on every curve, and on the negatives of every
    single level.

    Exact where ``samples`` is None, which needs d = 1; else from samples of so many points, in any
    d. ``on_progress`` gets the number of networks done. Raises UsageError, and RunError where the
    samples do not fit the memory."""
    n = fractal_depth
    _check(fractal, n, draws.shape, samples, len(curves))
    values = np.stack([parse_curve(curve).values(n) for curve in curves])
    bound = theorem_5(fractal, values, draws, delta)
    singles = np.array([[0.5] * (j + 1) + [1.0] * (n - j) for j in range(n)])

    def measure(curve: np.ndarray) -> Measure:
        return (
            ExactMeasure(fractal, curve)
            if samples is None
            else SampledMeasure(fractal, curve, samples, draws.seed)
        )

    measures, levels = [measure(curve) for curve in values], [measure(curve) for curve in singles]
    on_curve = np.empty((len(measures), draws.count, 4))
    on_level, unhinged = np.empty((n, draws.count, 4)), np.empty((n, draws.count, 4))
    for i in range(draws.count):
        params = draws.params(i)
        on_progress(i)
        for j, one in enumerate(measures):
            on_curve[j, i] = one.gradient(draws.shape, params, True)
        for j, one in enumerate(levels):
            on_level[j, i] = one.gradient(draws.shape, params, True)
            unhinged[j, i] = one.gradient(draws.shape, params, False)
    return GradientStudy(
        tuple(parse_curve(curve).name for curve in curves),
        on_curve[:, :, 0],
        on_curve[:, :, 1],
        on_curve[:, :, 2],
        on_curve[:, :, 3],
        on_level[:, :, 0],
        unhinged[:, :, 0],
        unhinged[:, :, 1],
        bound,
        0 if samples is None else samples // BATCHES * BATCHES,
    )


def _check(fractal: Fractal, n: int, shape: Shape, samples: int | None, curves: int) -> None:
    if shape.inputs != fractal.dimension:
        raise UsageError(
            f"the network has {shape.inputs} inputs, but {fractal.name} has dimension "
            f"{fractal.dimension}"
        )
    if samples is not None:
        if samples < 10 * BATCHES:
            raise UsageError(
                f"samples (--samples) is {samples}; accepted is a whole number of at least "
                f"{10 * BATCHES}"
            )
        needed, free = 20.0 * samples * (n + curves) * (fractal.dimension + 1), free_memory()
        if free is not None and needed > free:
            raise RunError(
                f"--samples {samples} needs {needed / 1e9:.3g} GB of memory and {free / 1e9:.3g} "
                f"are free"
            )
        return
    if fractal.dimension > 1:
        raise UsageError(
            f"{fractal.name} has dimension {fractal.dimension}, and exact gradients are for d = 1: "
            "give the points to estimate them from, as in --samples 100000"
        )
    if not 1 <= n <= DEEPEST:
        raise UsageError(
            f"fractal_depth (--fractal-depth) is {n}; exact gradients accept a whole number from "
            f"1 to {DEEPEST}"
        )
    Distribution(fractal, 1, parse_curve("1"))  # refuses a fractal that leaves negatives no room
