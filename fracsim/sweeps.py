"""Sweeps: every run of an experiment into one product file, whatever the number of threads or their order.

    runs, longest first -> pool of threads -> events -> one writer (the calling thread) -> trajectory.h5

A single training is a sweep of one. Workers only compute and emit events; whatever touches the file, the terminal or a
signal happens in the calling thread. No result depends on the schedule: a run is a function of its settings.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracsim.errors import RunError, UsageError, nearest
from fracsim.experiments import Experiment, make_experiment
from fracsim.grids import Grid
from fracsim.outputs import Product, check_output
from fracsim.planning import check_room, cost, parameters_of, plan
from fracsim.stopping import Stop
from fracsim.threads import MOST_THREADS, available_threads
from fracsim.workers import DataShelf, Event, train_one

if TYPE_CHECKING:
    from fracsim.training import Outcome

_COMMIT_EVERY = 1.0  # seconds: a kill loses at most this much, Ctrl-C nothing
_TICK = 0.2  # seconds between two looks at the stop flag


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: steps and runs done, share of the work (0 to 1, weighted by cost)."""

    steps: int
    total_steps: int
    runs: int
    total_runs: int
    share: float


@dataclass
class Summary:
    """What a sweep did: ``status`` is "complete" or "interrupted", ``seconds`` the wall time of this call.

    Per run, in the order of the file: ``run_status``, ``steps`` done by this call, ``run_seconds`` in training kernels.
    ``already_complete``: there was nothing to do.
    """

    output: Path
    status: str
    threads: int = 0
    seconds: float = 0.0
    already_complete: bool = False
    run_status: list[str] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    run_seconds: list[float] = field(default_factory=list)


def choose_threads(requested: int | None, runs: int) -> tuple[int, str]:
    """Number of threads for a sweep and the reason, as a phrase. Raises UsageError for an absurd request."""
    if requested is not None and not 1 <= requested <= MOST_THREADS:
        raise UsageError(f"--threads is {requested}; accepted is a whole number from 1 to {MOST_THREADS}")
    if runs == 1:
        return 1, "a single run uses one thread"
    count, reason = (requested, "as asked") if requested else available_threads()
    if runs < count:
        return runs, f"one for each of the {runs} runs"
    return count, reason


def choose_backend(name: str) -> Any:
    """The backend of that name. Raises UsageError for an unknown name, RunError for one that cannot work here."""
    from fracsim.kernels.backend import BACKENDS, BackendError, get_backend

    if name not in BACKENDS:
        raise UsageError(f"--backend is '{name}'{nearest(name, BACKENDS)} (accepted: one of {', '.join(BACKENDS)})")
    try:
        return get_backend(name)
    except BackendError as error:
        raise RunError(str(error)) from error


def run_sweep(
    experiment: Experiment,
    output: str | Path,
    *,
    backend: str = "cpu",
    threads: int | None = None,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
    announce: Callable[[str], None] | None = None,
    command: str = "",
) -> Summary:
    """Train every run of ``experiment`` and write the product ``output`` (see ``fracsim.outputs`` for the output rule).

    ``progress`` is called often and ``announce`` once, with a sentence on what is about to start, both from the calling
    thread; ``command`` is stored in the file. Ctrl-C stops between two kernel calls, keeps every record in a file of
    status "interrupted", and gives a Summary of that status.
    Raises UsageError (a setting), RunError (output of another experiment, too little disk or memory), FileError.
    """
    path = Path(output)
    experiment.validate()
    chosen = choose_backend(backend)
    if check_output(experiment, path, overwrite):
        return Summary(path, "complete", already_complete=True)
    threads, reason = choose_threads(threads, len(experiment.runs))
    check_room(plan(experiment, threads), path.parent)
    if announce is not None:
        noun = "run" if len(experiment.runs) == 1 else "runs"
        plural = "thread" if threads == 1 else "threads"
        announce(f"{len(experiment.runs)} {noun} on {threads} {plural} ({reason}); {chosen.name}: {chosen.device}")
    attributes: dict[str, str | int | float] = {
        "command": command,
        "backend": chosen.name,
        "device": chosen.device,
        "instruction_sets": chosen.instruction_sets,
        "threads": threads,
        "threads_reason": reason,
    }
    with Stop() as stop, Product(experiment, path, attributes) as product:
        return _Sweep(experiment, product, chosen, threads, stop, progress).go(path)


def train(output: str | Path, *, weights: str = "final", overwrite: bool = False, **settings: Any) -> Summary:
    """Train one network, a sweep of one, and write the product ``output``; ``settings`` are fields of ``Run``.

    Raises what ``run_sweep`` raises.
    """
    grid = Grid()
    for key, value in settings.items():
        grid.fix(key, value)
    experiment = make_experiment(grid, name="train", weights=weights)
    return run_sweep(experiment, output, overwrite=overwrite, command="fracsim.train")


class _Sweep:
    """One sweep in progress: the calling thread's side."""

    def __init__(
        self,
        experiment: Experiment,
        product: Product,
        backend: Any,
        threads: int,
        stop: Stop,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        runs = experiment.runs
        self.runs, self.product, self.backend, self.threads = runs, product, backend, threads
        self.stop, self.progress = stop, progress
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.shelf = DataShelf(runs, backend)
        self.costs = [cost(run, parameters_of(run)) for run in runs]
        self.status = ["pending"] * len(runs)
        self.steps = [0] * len(runs)
        self.shares = [0.0] * len(runs)
        self.work = 0.0
        self.ended = 0
        self.seconds = [0.0] * len(runs)
        self.error: tuple[int, BaseException] | None = None
        self.fresh = False  # whether there is something to commit
        self.committed = time.monotonic()

    def go(self, path: Path) -> Summary:
        """Train all runs, longest first, and finish the product."""
        started = time.monotonic()
        order = sorted(range(len(self.runs)), key=lambda i: (-self.costs[i], i))
        with ThreadPoolExecutor(self.threads, thread_name_prefix="fracsim") as pool:
            try:
                for i in order:
                    pool.submit(train_one, i, self.runs[i], self.backend, self.shelf, self.events.put, self.stop)
                self._listen(len(order))
            finally:
                self.stop.set()  # reached early only by an error: no worker outlives the file
        complete = self.ended == len(self.runs)
        self.product.finish("complete" if complete else "interrupted")
        if self.error is not None:
            self._raise_error()
        return Summary(
            path,
            "complete" if complete else "interrupted",
            threads=self.threads,
            seconds=time.monotonic() - started,
            run_status=self.status,
            steps=self.steps,
            run_seconds=self.seconds,
        )

    def _listen(self, unfinished: int) -> None:
        while unfinished:
            with suppress(queue.Empty):
                unfinished -= self._handle(self.events.get(timeout=_TICK))
            if self.fresh and time.monotonic() - self.committed > _COMMIT_EVERY:
                self.product.commit()
                self.fresh, self.committed = False, time.monotonic()
            self._report()

    def _handle(self, event: Event) -> int:
        """Take in one event; 1 where it is the last of its run."""
        i, value = event.run, event.value
        self.fresh = self.fresh or event.kind != "steps"
        if event.kind == "record":
            self.product.record(i, value)
        elif event.kind == "steps":
            self._advance(i, value, value / self.runs[i].steps)
        elif event.kind == "start":
            self.status[i] = "running"
            self.product.start(i)
        elif event.kind == "end":
            self._end(i, value)
        elif event.kind == "error":
            self.error = self.error or (i, value)
            self.stop.set()
        return int(event.kind in ("end", "error", "skipped"))

    def _end(self, i: int, outcome: Outcome) -> None:
        self.seconds[i] = outcome.seconds
        if outcome.status == "interrupted":
            self._advance(i, outcome.steps_done, outcome.steps_done / self.runs[i].steps)
            return
        self._advance(i, outcome.steps_done, 1.0)
        self.ended += 1
        self.status[i] = outcome.status
        self.product.end(i, outcome.status, outcome.params)

    def _advance(self, i: int, steps: int, share: float) -> None:
        """Run ``i`` has done ``steps``, and ``share`` of its work: all of it where it diverged."""
        self.steps[i] = steps
        self.work += self.costs[i] * (share - self.shares[i])
        self.shares[i] = share

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(
                Progress(
                    steps=sum(self.steps),
                    total_steps=self.runs[0].steps * len(self.runs),
                    runs=self.ended,
                    total_runs=len(self.runs),
                    share=self.work / sum(self.costs),
                )
            )

    def _raise_error(self) -> None:
        assert self.error is not None
        i, error = self.error
        if isinstance(error, (UsageError, RunError, MemoryError, OSError)):
            raise error
        raise RunError(f"run {i} failed: {type(error).__name__}: {error}") from error
