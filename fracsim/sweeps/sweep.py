"""Sweeps: every run of an experiment, or of one shard of it, into one trajectory file, whatever
computes them.

    groups, longest first -> slices on an executor -> records -> one writer (the calling thread) ->
    trajectory.h5

A group is one run on the CPU, and many equal networks on a device that trains them side by side. A
single training is a sweep of one. Workers only compute; whatever touches the file, its checkpoint,
the terminal or a signal happens in the calling thread. No result depends on the schedule: a run is
a function of its settings."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from concurrent import futures
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracsim.errors import RunError, UsageError, nearest
from fracsim.experiments.experiment import WEIGHTS, Experiment, make_experiment
from fracsim.experiments.grid import Grid
from fracsim.experiments.shard import Part, make_part
from fracsim.experiments.starts import rounded_starts
from fracsim.machine.cpus import MOST_THREADS
from fracsim.machine.kind import Machines
from fracsim.products.checkpoint import Saved, load
from fracsim.products.points import are_old, check_resolution, misfits, rounded_tables
from fracsim.products.product import Product, check_output, folder_of, held_by
from fracsim.sweeps.estimate import Estimate, check_room, estimate
from fracsim.sweeps.executors import Executor, choose_threads, make_executor
from fracsim.sweeps.loop import Summary, Sweep
from fracsim.sweeps.notebook import NotebookBar, in_notebook
from fracsim.sweeps.progress import Progress
from fracsim.sweeps.stop import Stop
from fracsim.text import counted
from fracsim.training.groups import Groups
from fracsim.values.arguments import (
    Called,
    Either,
    Flag,
    Instance,
    Number,
    Place,
    Text,
    Whole,
    door,
    instance,
)

if TYPE_CHECKING:
    from fracsim.data.reader import Trajectory
    from fracsim.kernels.backend import Backend

__all__ = ["Progress", "Summary", "choose_backend", "choose_threads", "run_sweep", "train"]

_EXECUTOR = Instance("an Executor", ("concurrent.futures._base:Executor",))

CHECKPOINT_EVERY = 600.0
"""Seconds between two checkpoints."""


def choose_backend(name: str) -> Backend:
    """The backend of that name. Raises UsageError for an unknown name, RunError for one that cannot
    work here."""
    from fracsim.kernels.backend import BACKENDS, get_backend
    from fracsim.kernels.errors import BackendError

    if name not in BACKENDS:
        raise UsageError(
            f"--backend is '{name}'{nearest(name, BACKENDS)} (accepted: one of "
            f"{', '.join(BACKENDS)})"
        )
    try:
        return get_backend(name)
    except BackendError as error:
        raise RunError(str(error)) from error


@door(
    experiment=instance("an Experiment", "experiments.experiment:Experiment"),
    output=Place(),
    backend=Text(),
    executor=Either(
        (Text(), _EXECUTOR), "the name of an executor, or a concurrent.futures.Executor"
    ),
    threads=Whole(1, MOST_THREADS),
    shard=Text(),
    overwrite=Flag(),
    checkpoint_every=Number(0),
    max_seconds=Number(),
    progress=Called(),
    announce=Called(),
    command=Text(),
)
def run_sweep(
    experiment: Experiment,
    output: str | Path,
    *,
    backend: str = "cpu",
    executor: str | futures.Executor = "threads",
    threads: int | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    max_seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    announce: Callable[[str], None] | None = None,
    command: str = "",
) -> Summary:
    """Train every run of ``experiment`` and write the trajectory file ``output`` (see
    ``fracsim.products.product`` for the output rule).

    An unfinished file of the same experiment is continued, bit for bit as if it had never
    stopped. ``executor``: "threads", "processes", "dask:ADDRESS", or any
    ``concurrent.futures.Executor``; ``threads`` of them work at once. ``shard``: "i/N", the i-th of
    N parts (from 0). ``checkpoint_every``: seconds. ``max_seconds``: stop in time to be done then.
    ``progress`` is called often, ``announce`` with each sentence for the user, both from the
    calling thread; ``command`` is stored in the file. A signal or the time limit (see
    ``fracsim.sweeps.stop``) stops at the next exact point, keeps a checkpoint and gives a Summary
    of status "interrupted". In a notebook a bar is shown where no ``progress`` is given, and after
    the checkpoint of a Ctrl-C KeyboardInterrupt is raised, so that the cells below do not go on.
    Raises UsageError (a setting), RunError (output of another experiment,
    too little disk or memory), FileError."""
    from fracsim.data.errors import FileError
    from fracsim.data.lock import OutputLock

    path, called = Path(output), time.monotonic()
    experiment.validate()
    part = make_part(experiment, shard)
    chosen = choose_backend(backend)
    seen = _fingerprint(path)
    stored = check_output(part, path, overwrite)
    part, notes = continued(part, stored)
    if stored is not None and stored.status == "complete":
        _tidy(path, seen)
        return Summary(path, "complete", already_complete=True)
    say = announce or (lambda sentence: None)
    groups = Groups(part.runs, chosen)
    fresh = groups.at_start()
    most = (
        len(fresh) if stored is None else len(part.runs)
    )  # equal runs may have stopped at different steps
    with (
        OutputLock(path) as lock,
        Stop() as stop,
        make_executor(executor, threads, most, chosen.side_by_side) as workers,
    ):
        if max_seconds is not None:
            stop.after(_until_stop(max_seconds, workers, called))
        if _fingerprint(path) != seen:
            raise FileError(
                f"the output {path} was changed by another process just now: give the command again"
            )
        expected = estimate(part, workers.slots, workers.processes, groups)
        check_room(expected, folder_of(path), held_by(path) if stored is not None else 0)
        machines = Machines(workers.machine(chosen, stop, say))
        saved = load(path, part, stored) if stored is not None else _fresh(path)
        for note in (
            *notes,
            *saved.notes,
            *(_continuing(saved, stored, machines) if stored is not None else []),
        ):
            say(note)
        facts = machines.facts()
        took = f" (auto: {chosen.why})" if chosen.why else ""
        launches = _in(expected) if stored is None else ""
        say(
            f"{_what(part)}{launches} on {_where(workers)} ({workers.reason}); "
            f"{facts['backend']}{took}: "
            f"{facts['device']}"
        )
        attributes: dict[str, str | int | float] = {
            "command": command,
            "executor": workers.name,
            "threads": workers.slots,
            "threads_reason": workers.reason,
            **facts,
        }
        with Product(part, path, attributes, stored, saved.states) as product:
            sweep = Sweep(part, path, product, groups, workers, stop, saved.states, machines)
            if stored is not None:
                sweep.keep(
                    say
                )  # a kill must not leave this machine's records to a checkpoint of another's
            summary = sweep.go(checkpoint_every, progress or _bar(), say, lock.touch)
    if summary.reason == "SIGINT" and in_notebook():
        raise KeyboardInterrupt(f"stopped; {path} and its checkpoint keep all that is done")
    return summary


@door(
    output=Place(),
    weights=Text(WEIGHTS),
    overwrite=Flag(),
    checkpoint_every=Number(0),
    max_seconds=Number(),
    progress=Called(),
    announce=Called(),
)
def train(
    output: str | Path,
    *,
    weights: str = "final",
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    max_seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    announce: Callable[[str], None] | None = None,
    **settings: Any,
) -> Summary:
    """Train one network, a sweep of one, and write the trajectory file ``output``; ``settings`` are
    fields of ``Run``.

    All else is as in ``run_sweep``, and so is what it raises.
    """
    grid = Grid()
    for key, value in settings.items():
        grid.fix(key, value)
    experiment = make_experiment(grid, name="train", weights=weights)
    return run_sweep(
        experiment,
        output,
        overwrite=overwrite,
        checkpoint_every=checkpoint_every,
        max_seconds=max_seconds,
        progress=progress,
        announce=announce,
        command="fracsim.train",
    )


def _bar() -> Callable[[Progress], None] | None:
    return NotebookBar() if in_notebook() else None


def continued(part: Part, stored: Trajectory | None) -> tuple[Part, list[str]]:
    """The part as it goes on in a file, with the points with which that was begun, and sentences
    for the user. Raises UsageError where a new one is of points that its precision cannot carry."""
    if stored is None or not are_old(stored.attributes):
        check_resolution(part.runs)
        new = part.runs if stored is None else ()
        return part, rounded_starts(new) + rounded_tables(new)
    old = dataclasses.replace(part.experiment, old_points=True)
    part = dataclasses.replace(part, experiment=old)
    note = misfits(stored.attributes, part.runs, part.numbers)
    return part, [f"warning: {note}"] if note else []


def _fingerprint(path: Path) -> tuple[int, ...]:
    """Equal while nobody has changed or replaced the file."""
    try:
        info = path.stat()
    except OSError:
        return ()
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def _what(part: Part) -> str:
    return counted(len(part.runs), "run") + (
        f" of {len(part.experiment.runs)}, shard {part.shard}," if part.shard else ""
    )


def _in(expected: Estimate) -> str:
    if expected.device is None:
        return ""
    count = len(expected.device.launches)
    return f" in {count} launches" if count > 1 else " in one launch"


def _where(workers: Executor) -> str:
    if workers.name == "threads":
        return counted(workers.slots, "thread")
    return f"{counted(workers.slots, 'worker')} of {workers.name}"


def _until_stop(max_seconds: float, workers: Executor, called: float) -> float:
    """Seconds until the flag is set, so that the last slices, checkpoint and commit fit before the
    limit.

    The limit counts from the call, at ``called`` (monotonic): reading a long file and starting
    workers take a while."""
    waiting = workers.patience if workers.patience < math.inf else 0.0
    return max_seconds - (time.monotonic() - called) - min(10.0 + waiting, 0.2 * max_seconds)


def _tidy(path: Path, seen: tuple[int, ...]) -> None:
    """Delete what a kill left just before a file was done with; not while another process writes
    it anew."""
    from fracsim.data.checkpoint import remains, remove_checkpoints
    from fracsim.data.errors import FileError
    from fracsim.data.lock import OutputLock, lock_path

    if remains(path) or lock_path(path).exists():
        with suppress(FileError), OutputLock(path):
            if _fingerprint(path) == seen:
                remove_checkpoints(path)


def _fresh(path: Path) -> Saved:
    """Nothing to go on from; what an earlier file left beside it is of no use without it."""
    from fracsim.data.checkpoint import checkpoint_path, remove_checkpoints

    saved = Saved()
    if checkpoint_path(path).exists() and not path.exists():
        saved.notes.append(
            f"there is a checkpoint but no {path}, which held the records: starting again"
        )
    remove_checkpoints(path)
    return saved


def _continuing(saved: Saved, stored: Trajectory, machines: Machines) -> list[str]:
    """Sentences on how a trajectory file is continued."""
    ended = sum(status in ("complete", "diverged") for status in stored.run_status)
    notes = [
        f"continuing {stored.path}: {ended} of {len(stored.run_status)} runs have ended, "
        f"{len(saved.states)} go on from a checkpoint"
    ]
    return notes + machines.go_on(
        saved.machine or stored.attributes, begun=bool(ended or saved.states)
    )
