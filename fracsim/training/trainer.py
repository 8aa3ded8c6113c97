"""Training: networks of one shape in lockstep, their data, a backend, and a record before the first
step and after every so many.

The kernels train in chunks of about a second, so that a stop is served soon. Chunks make a slice,
after which the state of a run can be kept, sent elsewhere and trained on. A run's result depends
neither on how its steps are cut nor on the runs beside it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fracsim.kernels.backend import Backend
from fracsim.kernels.network.losses import EVERY_LOSS
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.training.optimisers import OPTIMIZERS, SCHEDULES
from fracsim.kernels.training.train import Rule, State
from fracsim.networks.initial import initial_parameters
from fracsim.networks.start import load_start
from fracsim.training.points import RunData, sets_of
from fracsim.training.quality import Quality, inactive_units, measure, of_training
from fracsim.training.run import Run, multiplications_of, problem_of, shape_of

CHUNK_SECONDS = 1.0
"""Aimed length of one kernel call."""

_FIRST_CHUNK = 50
_FIRST_OPERATIONS = 1e9
"""Most steps, and most floating-point operations, of the first kernel call of a slice."""

_MOST_RECORDS = 100
"""Records after which a slice ends; with parameters, so many of all its runs together."""


@dataclass(frozen=True)
class Record:
    """What is measured at step 0 and every ``record_every`` steps; T network depth.

    Training loss and accuracy are means over the batches since the last record, each batch before
    its own update (NaN at step 0); all else is measured on the test points at this step.
    ``gradient_norm``: per layer, weights and biases together, the readout last, of the gradient of
    the mean test loss."""

    step: int
    quality: Quality
    """Variable -> value: losses, and accuracies or, of real labels, R² and root mean square error.
    By level: index = level(x), negatives at j < n, positives at n, or the group of other problems;
    NaN where a level has no test points."""
    gradient_norm: np.ndarray
    """(T + 1,)"""
    wall_time: float
    """Seconds of this run so far, records included."""
    params: np.ndarray | None = None
    """(Q,) parameters at this step, a copy, where they are wanted."""
    inactive_units: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """(T,) share of the units of each hidden layer that no test point activates"""

    def values(self) -> dict[str, float | np.ndarray]:
        """Variable -> value, without the step and the parameters."""
        return {
            **self.quality,
            "gradient_norm": self.gradient_norm,
            "inactive_units": self.inactive_units,
            "wall_time": self.wall_time,
        }


@dataclass(frozen=True)
class RunState:
    """All that a run needs to go on exactly where it is, its record at step 0 behind it; whoever
    holds one may rely on its never changing."""

    step: int
    state: State
    """Of one run: R = 1."""
    seconds: float
    """Spent in training kernels so far; of the kernel calls that it shared with other runs, its
    share."""
    wall_time: float
    """Seconds of this run so far, records included."""


@dataclass(frozen=True)
class Slice:
    """What a stretch of a training gave: ``status`` complete, diverged (a loss was not finite) or
    running."""

    status: str
    state: RunState
    records: tuple[Record, ...]


def rule_of(run: Run) -> Rule:
    """A run's loss, optimiser and schedule as the kernels take them."""
    period = run.schedule_period or run.steps
    return Rule(
        EVERY_LOSS.index(run.loss),
        OPTIMIZERS.index(run.optimizer),
        SCHEDULES.index(run.schedule),
        run.batch_size,
        run.momentum,
        run.beta1,
        run.beta2,
        run.epsilon,
        run.schedule_decay,
        period,
    )


def _first_parameters(run: Run, shape: Shape) -> np.ndarray:
    """Parameters (Q,) before the first step, drawn or those of the network that ``init_from``
    names."""
    real = np.float64 if run.precision == "float64" else np.float32
    if run.init_from is None:
        return initial_parameters(
            shape, run.initialisation, run.seed, run.bias, real, run.bias_std, run.weight_std
        )
    return load_start(run.init_from, shape).astype(real)


class Trainer:
    """Runs in progress, all of one shape, rule and kind of data and at the same step: their state,
    and the verbs of the backend applied to it.

    ``data`` is that of ``place_data`` for these runs. A run that diverges stands still from there
    on."""

    def __init__(
        self,
        runs: Sequence[Run],
        backend: Backend,
        data: RunData,
        saved: Sequence[RunState | None] | None = None,
    ):
        self.runs, self.backend, self.data = tuple(runs), backend, data
        self.shape, self.rule = shape_of(runs[0]), rule_of(runs[0])
        begun = [
            state or _first_state(run, self.shape)
            for run, state in zip(runs, saved or [None] * len(runs), strict=True)
        ]
        self.step = begun[0].step
        self.size = sum(state.state.params.size for state in begun)
        """Parameters of all runs together."""
        arrays = zip(*(state.state for state in begun), strict=True)
        self.state = backend.place(
            State(*map(np.concatenate, arrays))
        )  # copies: what was saved never changes
        self._rates = backend.place(np.array([run.learning_rate for run in runs]))
        self._seeds = backend.place(np.array([run.seed for run in runs], np.uint64))
        self._sets = backend.place(sets_of(runs)[1])
        self.diverged = np.full(len(runs), -1)
        """(R,) the step at which a run's loss was not finite, else -1"""
        self.seconds = 0.0
        """Spent in training kernels."""
        self._seconds = np.zeros(len(runs))
        self.advance(self.step)  # no step: it compiles, so that seconds hold nothing but training
        self.seconds, self._seconds = 0.0, np.array([state.seconds for state in begun])
        self._started = [time.perf_counter() - state.wall_time for state in begun]

    @property
    def alive(self) -> np.ndarray:
        """(R,) which runs have not diverged."""
        return self.diverged < 0

    def save(self) -> list[RunState]:
        """The state of each run as it is; call it last, since it is no copy."""
        state = self.backend.fetch(self.state)
        return [
            RunState(
                self.step if self.diverged[run] < 0 else int(self.diverged[run]),
                State(*(values[run : run + 1] for values in state)),
                float(self._seconds[run]),
                self._wall_time(run),
            )
            for run in range(len(self.runs))
        ]

    def advance(self, stop: int) -> None:
        """Train up to step ``stop`` in one call of the kernel."""
        started, alive = time.perf_counter(), self.alive
        self.backend.train(
            self.shape,
            self.rule,
            self._rates,
            self._seeds,
            self.state,
            self.data.source,
            self._sets,
            self.step,
            stop,
        )
        self.diverged = self.backend.fetch(self.state.diverged).copy()  # waits for the device
        spent = time.perf_counter() - started
        self.seconds += spent
        self._seconds[alive] += spent / max(alive.sum(), 1)
        self.step = stop

    def record(self, with_params: bool = False) -> list[Record | None]:
        """Measure the networks as they are, and start new running means; None of a run that has
        diverged."""
        state, data, loss, fetch = self.state, self.data, self.rule.loss, self.backend.fetch
        problem = problem_of(self.runs[0])
        tested = measure(problem, self.backend, self.shape, loss, state.params, data, self._sets)
        peaks = np.zeros((len(self.runs), sum(self.shape.widths)), self.runs[0].precision)
        gradient, _ = self.backend.gradient(
            self.shape, loss, state.params, data.x, data.y, self._sets, peaks
        )
        inactive = inactive_units(self.shape, peaks)
        norms = self.backend.layer_norms(self.shape, gradient)
        losses, correct, counted = fetch(state.loss_sum), fetch(state.correct), fetch(state.counted)
        params = fetch(state.params) if with_params else None
        records = [
            Record(
                self.step,
                {
                    **of_training(
                        problem, float(losses[run]), int(correct[run]), int(counted[run])
                    ),
                    **tested[run],
                },
                norms[run],
                self._wall_time(run),
                None if params is None else params[run].copy(),
                inactive[run],
            )
            if self.diverged[run] < 0
            else None
            for run in range(len(self.runs))
        ]
        for sums in (state.loss_sum, state.correct, state.counted):
            self.backend.clear(sums)
        return records

    def _wall_time(self, run: int) -> float:
        return time.perf_counter() - self._started[run]


def _first_state(run: Run, shape: Shape) -> RunState:
    return RunState(0, State.start(_first_parameters(run, shape)[None]), 0.0, 0.0)


def train_slice(
    run: Run, backend: Backend, data: RunData, saved: RunState | None = None, **how: Any
) -> Slice:
    """``train_slices`` of one run."""
    return train_slices((run,), backend, data, (saved,), **how)[0]


def train_slices(
    runs: Sequence[Run],
    backend: Backend,
    data: RunData,
    saved: Sequence[RunState | None] | None = None,
    *,
    seconds: float = math.inf,
    with_params: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int], None] = lambda step: None,
) -> list[Slice]:
    """Train runs of a group (``fracsim.training.groups``) on from ``saved`` (None: from the first
    step) for about ``seconds``, or until they end; the slice of each.

    It ends early when ``should_stop()`` is true between two kernel calls, and after many records,
    so that they do not pile up. ``on_progress`` gets the steps done after each kernel call. The
    result of a run does not depend on how it is cut into slices, nor on the runs beside it."""
    trainer = Trainer(runs, backend, data, saved)
    deadline = time.perf_counter() + seconds
    records: list[list[Record | None]] = []
    most = max(1, _MOST_RECORDS // len(runs)) if with_params else _MOST_RECORDS
    chunk, first = _first_chunk(trainer), trainer.step
    if first == 0 and None in (fresh := list(saved or [None] * len(runs))):
        begun = trainer.record(with_params)
        records.append([None if had else one for one, had in zip(begun, fresh, strict=True)])
    steps, record_every = runs[0].steps, runs[0].record_every
    while trainer.step < steps and trainer.alive.any():
        enough = time.perf_counter() > deadline or len(records) >= most
        if should_stop() or (
            enough and trainer.step > first
        ):  # a slice without a step would never end
            break
        next_record = (trainer.step // record_every + 1) * record_every
        before, spent = trainer.step, trainer.seconds
        trainer.advance(min(trainer.step + chunk, next_record))
        if trainer.step == next_record and trainer.alive.any():
            records.append(trainer.record(with_params))
        on_progress(trainer.step)
        pace = (trainer.seconds - spent) / max(trainer.step - before, 1)
        chunk = max(1, min(int(CHUNK_SECONDS / max(pace, 1e-9)), 4 * chunk))
    ended = "complete" if trainer.step == steps else "running"
    return [
        Slice(
            ended if alive else "diverged",
            state,
            tuple(record for record in column if record is not None),
        )
        for alive, state, column in zip(
            trainer.alive,
            trainer.save(),
            zip(*records, strict=True) if records else [()] * len(runs),
            strict=True,
        )
    ]


def _first_chunk(trainer: Trainer) -> int:
    """Steps of the first kernel call, whose speed sets the length of the next: a small part of a
    second's work."""
    one, count = trainer.runs[0], len(trainer.runs)
    work = trainer.size if one.network == "mlp" else count * multiplications_of(one)
    operations = 6.0 * one.points_per_step * work
    return max(1, min(_FIRST_CHUNK, int(_FIRST_OPERATIONS / operations)))
