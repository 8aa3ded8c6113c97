"""One training: a network, its data, a backend, and a record every so many steps.

The kernels train in chunks of about a second, so that a stop is served soon. Chunks make a slice, after which the state
of the run can be kept, sent elsewhere and trained on. A run's result does not depend on how its steps are cut.
"""

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fracsim.distributions import Distribution
from fracsim.kernels.evaluate import layer_norms
from fracsim.kernels.line import make_line
from fracsim.kernels.losses import LOSSES
from fracsim.kernels.network import Shape
from fracsim.kernels.optimisers import OPTIMIZERS, SCHEDULES
from fracsim.kernels.philox import TEST, TRAIN
from fracsim.kernels.train import Dataset, Population, Rule, State, Stream
from fracsim.networks import initial_parameters
from fracsim.runs import Run
from fracsim.starts import load_start

CHUNK_SECONDS = 1.0
"""Aimed length of one kernel call."""

_FIRST_CHUNK = 50
_FIRST_OPERATIONS = 1e9
"""Most steps, and most floating-point operations, of the first kernel call of a slice."""

_MOST_RECORDS = 100
"""Records after which a slice ends."""


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
    params: np.ndarray | None = None
    """(Q,) parameters at this step, a copy, where they are wanted."""

    def values(self) -> dict[str, float | np.ndarray]:
        """Variable -> value, without the step and the parameters."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("step", "params")}


@dataclass(frozen=True)
class RunState:
    """All that a run needs to go on exactly where it is; whoever holds one may rely on its never changing."""

    step: int
    state: State
    """Of one run: R = 1."""
    seconds: float
    """Spent in training kernels so far."""
    wall_time: float
    """Seconds of this run so far, records included."""


@dataclass(frozen=True)
class Slice:
    """What a stretch of a training gave: ``status`` complete, diverged (a loss was not finite) or running."""

    status: str
    state: RunState
    records: tuple[Record, ...]


@dataclass(frozen=True)
class RunData:
    """Training and test points of a run, in its float type, with a leading axis for one set."""

    source: Dataset | Stream | Population
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
    if run.data == "population":
        return RunData(Population(make_line(geometry, law)), *draw(TEST, run.test_points))
    x, y, _ = draw(TRAIN, run.train_points)
    return RunData(Dataset(x, y), *draw(TEST, run.test_points))


def _first_parameters(run: Run, shape: Shape) -> np.ndarray:
    """Parameters (Q,) before the first step, drawn or those of the network that ``init_from`` names."""
    real = np.float64 if run.precision == "float64" else np.float32
    if run.init_from is None:
        return initial_parameters(shape, run.initialisation, run.seed, run.bias, real)
    return load_start(run.init_from, shape).astype(real)


class Trainer:
    """One run in progress: its state, and the verbs of the backend applied to it."""

    def __init__(self, run: Run, backend: Any, data: RunData, saved: RunState | None = None):
        self.run, self.backend, self.data = run, backend, data
        self.shape, self.rule = shape_of(run), rule_of(run)
        if saved is None:
            saved = RunState(0, State.start(_first_parameters(run, self.shape)[None]), 0.0, 0.0)
        self.state = State(*(values.copy() for values in saved.state))
        self.step = saved.step
        self._only = np.zeros(1, np.int64)
        self.seconds = 0.0
        self.advance(self.step)  # no step: it compiles, so that ``seconds`` holds nothing but training
        self.seconds = saved.seconds
        self._started = time.perf_counter() - saved.wall_time

    @property
    def diverged(self) -> bool:
        """Whether a loss was not finite."""
        return bool(self.state.diverged[0] >= 0)

    @property
    def wall_time(self) -> float:
        """Seconds of this run so far."""
        return time.perf_counter() - self._started

    def save(self) -> RunState:
        """The state as it is; call it last, since it is no copy."""
        return RunState(self.step, self.state, self.seconds, self.wall_time)

    def advance(self, stop: int) -> None:
        """Train up to step ``stop`` in one call of the kernel."""
        started = time.perf_counter()
        rate, seed = np.array([self.run.learning_rate]), np.array([self.run.seed], np.uint64)
        self.backend.train(
            self.shape, self.rule, rate, seed, self.state, self.data.source, self._only, self.step, stop
        )
        self.seconds += time.perf_counter() - started
        self.step = int(self.state.diverged[0]) if self.diverged else stop

    def record(self, with_params: bool = False) -> Record:
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
            float(accuracy[0]), by_level[0], layer_norms(self.shape, gradient[0]), self.wall_time,
            state.params[0].copy() if with_params else None,
        )  # fmt: skip
        state.loss_sum[:], state.correct[:], state.counted[:] = 0, 0, 0
        return record


def train_slice(
    run: Run,
    backend: Any,
    data: RunData,
    saved: RunState | None = None,
    *,
    seconds: float = math.inf,
    with_params: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int], None] = lambda step: None,
) -> Slice:
    """Train a run on from ``saved`` (None: from its first step) for about ``seconds``, or until it ends.

    It ends early when ``should_stop()`` is true between two kernel calls, and after many records, so that they do not
    pile up. ``on_progress`` gets the steps done after each kernel call. The result of a run does not depend on how it
    is cut into slices.
    """
    trainer = Trainer(run, backend, data, saved)
    deadline = time.perf_counter() + seconds
    records: list[Record] = []
    chunk, first = _first_chunk(trainer), trainer.step
    while trainer.step < run.steps and not trainer.diverged:
        enough = time.perf_counter() > deadline or len(records) >= _MOST_RECORDS
        if should_stop() or (enough and trainer.step > first):  # a slice without a step would never end
            return Slice("running", trainer.save(), tuple(records))
        next_record = (trainer.step // run.record_every + 1) * run.record_every
        before, spent = trainer.step, trainer.seconds
        trainer.advance(min(trainer.step + chunk, next_record))
        if trainer.step == next_record and not trainer.diverged:
            records.append(trainer.record(with_params))
        on_progress(trainer.step)
        pace = (trainer.seconds - spent) / max(trainer.step - before, 1)
        chunk = max(1, min(int(CHUNK_SECONDS / max(pace, 1e-9)), 4 * chunk))
    return Slice("diverged" if trainer.diverged else "complete", trainer.save(), tuple(records))


def _first_chunk(trainer: Trainer) -> int:
    """Steps of the first kernel call, whose speed sets the length of the next: a small part of a second's work."""
    operations = 6.0 * trainer.run.points_per_step * trainer.state.params.size
    return max(1, min(_FIRST_CHUNK, int(_FIRST_OPERATIONS / operations)))
