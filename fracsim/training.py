"""One training: a network, its data, a backend, and a record every so many steps.

The kernels train in chunks of about a second, so that a stop is served soon; a run's result does not depend on how its
steps are cut.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fracsim.distributions import Distribution
from fracsim.kernels.evaluate import layer_norms
from fracsim.kernels.losses import LOSSES
from fracsim.kernels.network import Shape
from fracsim.kernels.optimisers import OPTIMIZERS, SCHEDULES
from fracsim.kernels.philox import TEST, TRAIN
from fracsim.kernels.train import Dataset, Rule, State, Stream
from fracsim.networks import initial_parameters
from fracsim.runs import Run

CHUNK_SECONDS = 1.0
"""Aimed length of one kernel call."""

_FIRST_CHUNK = 50
"""Steps of the first call of a run, whose speed sets the length of the next."""


@dataclass(frozen=True)
class Record:
    """What is measured every ``record_every`` steps; n fractal depth, T network depth.

    Training loss and accuracy are means over the batches since the last record, each batch before its own update; all
    else is measured on the test points at this step. ``gradient_norm``: per layer, weights and biases together, the
    readout last, of the gradient of the mean test loss.
    """

    step: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    test_accuracy_by_level: np.ndarray
    """(n + 1,), index = level(x): negatives at j < n, positives at n; NaN where a level has no test points."""
    gradient_norm: np.ndarray
    """(T + 1,)"""
    wall_time: float
    """Seconds of this run so far, records included."""
    params: np.ndarray
    """(Q,) parameters at this step, a copy."""

    def values(self) -> dict[str, float | np.ndarray]:
        """Variable -> value, without the step and the parameters."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("step", "params")}


@dataclass(frozen=True)
class Outcome:
    """How a training ended: ``status`` complete, diverged (a loss was not finite) or interrupted; ``seconds`` in
    kernels."""

    status: str
    params: np.ndarray
    """(Q,)"""
    steps_done: int
    seconds: float


@dataclass(frozen=True)
class RunData:
    """Training and test points of a run, in its float type, with a leading axis for one set."""

    source: Dataset | Stream
    x: np.ndarray
    """Test points (1, N, d)"""
    y: np.ndarray
    """Test labels ±1 (1, N)"""
    level: np.ndarray
    """Test levels (1, N) int16"""


def shape_of(run: Run) -> Shape:
    """The shape (d, T, k) of a run's network."""
    return Shape(run.load_fractal().dimension, run.network_depth, run.width)


def rule_of(run: Run) -> Rule:
    """A run's loss, optimiser and schedule as the kernels take them."""
    period = run.schedule_period or run.steps
    return Rule(
        LOSSES.index(run.loss), OPTIMIZERS.index(run.optimizer), SCHEDULES.index(run.schedule), run.batch_size,
        run.momentum, run.beta1, run.beta2, run.epsilon, run.schedule_decay, period,
    )  # fmt: skip


def data_key(run: Run) -> Hashable:
    """Equal for runs that share their data."""
    drawn = run.train_points if run.data == "dataset" else None
    return (
        run.fractal_definition or run.fractal, run.fractal_depth, run.curve, run.gap, run.positive_margin,
        run.negative_margin, run.data, drawn, run.test_points, run.seed, run.precision,
    )  # fmt: skip


def make_data(run: Run, backend: Any) -> RunData:
    """Draw a run's data: the sets of purpose TRAIN and TEST of its seed."""
    distribution: Distribution = run.distribution()
    geometry, law = distribution.fractal.geometry(), distribution.law()
    real = np.dtype(run.precision)

    def draw(purpose: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y, level = backend.sample(geometry, law, run.seed, purpose, 0, count)
        return x.astype(real)[None], y.astype(real)[None], level[None]

    if run.data == "stream":
        return RunData(Stream(geometry, law), *draw(TEST, run.test_points))
    x, y, _ = draw(TRAIN, run.train_points)
    return RunData(Dataset(x, y), *draw(TEST, run.test_points))


class Trainer:
    """One run in progress: its state, and the verbs of the backend applied to it."""

    def __init__(self, run: Run, backend: Any, data: RunData):
        self.run, self.backend, self.data = run, backend, data
        self.shape, self.rule = shape_of(run), rule_of(run)
        params = initial_parameters(
            self.shape, run.initialisation, run.seed, run.bias, np.float64 if run.precision == "float64" else np.float32
        )
        self.state = State.start(params[None])
        self.step = 0
        self.seconds = 0.0
        self._only = np.zeros(1, np.int64)
        self.advance(0)  # no step: it compiles, so that ``seconds`` holds nothing but training
        self.seconds = 0.0

    @property
    def diverged(self) -> bool:
        """Whether a loss was not finite."""
        return bool(self.state.diverged[0] >= 0)

    def advance(self, stop: int) -> None:
        """Train up to step ``stop`` in one call of the kernel."""
        started = time.perf_counter()
        rate, seed = np.array([self.run.learning_rate]), np.array([self.run.seed], np.uint64)
        self.backend.train(
            self.shape, self.rule, rate, seed, self.state, self.data.source, self._only, self.step, stop
        )
        self.seconds += time.perf_counter() - started
        self.step = int(self.state.diverged[0]) if self.diverged else stop

    def record(self, wall_time: float) -> Record:
        """Measure the network as it is, and start new running means."""
        state, data, loss = self.state, self.data, self.rule.loss
        n = self.run.fractal_depth
        test_loss, accuracy, by_level = self.backend.evaluate(
            self.shape, loss, state.params, data.x, data.y, data.level, n, self._only
        )
        gradient, _ = self.backend.gradient(self.shape, loss, state.params, data.x, data.y, self._only)
        counted = int(state.counted[0])
        record = Record(
            self.step, float(state.loss_sum[0] / counted), int(state.correct[0]) / counted, float(test_loss[0]),
            float(accuracy[0]), by_level[0], layer_norms(self.shape, gradient[0]), wall_time,
            state.params[0].copy(),
        )  # fmt: skip
        state.loss_sum[:], state.correct[:], state.counted[:] = 0, 0, 0
        return record


def train_run(
    run: Run,
    backend: Any,
    *,
    data: RunData,
    on_record: Callable[[Record], None],
    on_progress: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train one run from its first step to its last, or until ``should_stop()`` is true between two kernel calls.

    ``on_record`` gets each Record as it is taken, ``on_progress`` the steps done after each kernel call.
    """
    trainer = Trainer(run, backend, data)
    started = time.perf_counter()
    chunk = _FIRST_CHUNK
    while trainer.step < run.steps and not trainer.diverged:
        if should_stop():
            return Outcome("interrupted", trainer.state.params[0], trainer.step, trainer.seconds)
        next_record = (trainer.step // run.record_every + 1) * run.record_every
        before, seconds = trainer.step, trainer.seconds
        trainer.advance(min(trainer.step + chunk, next_record))
        if trainer.step == next_record and not trainer.diverged:
            on_record(trainer.record(time.perf_counter() - started))
        if on_progress is not None:
            on_progress(trainer.step)
        pace = (trainer.seconds - seconds) / max(trainer.step - before, 1)
        chunk = max(1, min(int(CHUNK_SECONDS / max(pace, 1e-9)), 4 * chunk))
    return Outcome("diverged" if trainer.diverged else "complete", trainer.state.params[0], trainer.step,
    trainer.seconds)
