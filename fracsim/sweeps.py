"""Sweeps: every run of an experiment, or of one shard of it, into one product file, whatever computes them.

    runs, longest first -> slices on an engine -> records -> one writer (the calling thread) -> trajectory.h5

A single training is a sweep of one. Workers only compute; whatever touches the file, its checkpoint, the terminal or a
signal happens in the calling thread. No result depends on the schedule: a run is a function of its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracsim.checkpoints import Saved, load
from fracsim.engines import Engine, make_engine, workers_of
from fracsim.errors import RunError, UsageError, nearest
from fracsim.experiments import Experiment, make_experiment
from fracsim.grids import Grid
from fracsim.outputs import Product, check_output
from fracsim.planning import check_room, plan
from fracsim.shards import Part, make_part
from fracsim.stopping import Stop
from fracsim.sweeping import Progress, Summary, Sweep
from fracsim.threads import MOST_THREADS, available_threads

if TYPE_CHECKING:
    from fracsim.data.reader import Trajectory

__all__ = ["Progress", "Summary", "choose_backend", "choose_threads", "run_sweep", "train"]

CHECKPOINT_EVERY = 600.0
"""Seconds between two checkpoints."""


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
    executor: str | Executor = "threads",
    threads: int | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    max_seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    announce: Callable[[str], None] | None = None,
    command: str = "",
) -> Summary:
    """Train every run of ``experiment`` and write the product ``output`` (see ``fracsim.outputs`` for the output rule).

    An unfinished product of the same experiment is continued, bit for bit as if it had never stopped.
    ``executor``: "threads", "processes", "dask:ADDRESS", or any ``concurrent.futures.Executor``; ``threads`` of them
    work at once. ``shard``: "i/N", the i-th of N parts (from 0). ``checkpoint_every``: seconds. ``max_seconds``: stop
    in time to be done then. ``progress`` is called often, ``announce`` with each sentence for the user, both from the
    calling thread; ``command`` is stored in the file. A signal or the time limit (see ``fracsim.stopping``) stops at
    the next exact point, keeps a checkpoint and gives a Summary of status "interrupted".
    Raises UsageError (a setting), RunError (output of another experiment, too little disk or memory), FileError.
    """
    from fracsim.data.errors import FileError
    from fracsim.data.lock import OutputLock

    path = Path(output)
    experiment.validate()
    part = make_part(experiment, shard)
    chosen = choose_backend(backend)
    seen = _fingerprint(path)
    stored = check_output(part, path, overwrite)
    if stored is not None and stored.status == "complete":
        return Summary(path, "complete", already_complete=True)
    slots, reason = choose_slots(executor, threads, len(part.runs))
    say = announce or (lambda sentence: None)
    with OutputLock(path) as lock, Stop(_until_stop(max_seconds)) as stop, make_engine(executor, slots) as engine:
        if _fingerprint(path) != seen:
            raise FileError(f"the output {path} was changed by another process just now: give the command again")
        check_room(plan(part, engine.slots), path.parent)
        saved = load(path, part) if stored is not None else _fresh(path)
        machine = _machine(chosen)
        for note in (*saved.notes, *_continuing(saved, stored, machine)):
            say(note)
        say(f"{_what(part)} on {_where(engine)} ({reason}); {chosen.name}: {chosen.device}")
        attributes: dict[str, str | int | float] = {
            "command": command,
            "backend": chosen.name,
            "device": chosen.device,
            "instruction_sets": chosen.instruction_sets,
            "executor": engine.name,
            "threads": engine.slots,
            "threads_reason": reason,
            "continued": int(machine["continued"]),
            "bit_identical": machine["bit_identical"],
        }
        with Product(part, path, attributes, stored, saved.states) as product:
            sweep = Sweep(part, path, product, chosen.name, engine, stop, saved.states, machine)
            return sweep.go(checkpoint_every, progress, say, lock.touch)


def train(output: str | Path, *, weights: str = "final", overwrite: bool = False, **settings: Any) -> Summary:
    """Train one network, a sweep of one, and write the product ``output``; ``settings`` are fields of ``Run``.

    Raises what ``run_sweep`` raises.
    """
    grid = Grid()
    for key, value in settings.items():
        grid.fix(key, value)
    experiment = make_experiment(grid, name="train", weights=weights)
    return run_sweep(experiment, output, overwrite=overwrite, command="fracsim.train")


def choose_slots(executor: str | Executor, threads: int | None, runs: int) -> tuple[int, str]:
    """How many runs are trained at once and the reason, as a phrase. Raises UsageError for an absurd request."""
    if isinstance(executor, Executor) and threads is None:
        count = workers_of(executor)
        if count is not None:
            return min(count, runs), "as many as the executor has workers"
    return choose_threads(threads, runs)


def _fingerprint(path: Path) -> tuple[int, ...]:
    """Equal while nobody has changed or replaced the file."""
    try:
        info = path.stat()
    except OSError:
        return ()
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def _what(part: Part) -> str:
    noun = "run" if len(part.runs) == 1 else "runs"
    return f"{len(part.runs)} {noun}" + (f" of {len(part.experiment.runs)}, shard {part.shard}," if part.shard else "")


def _where(engine: Engine) -> str:
    plural = "" if engine.slots == 1 else "s"
    noun = f"thread{plural}" if engine.name == "threads" else f"worker{plural} of {engine.name}"
    return f"{engine.slots} {noun}"


def _until_stop(max_seconds: float | None) -> float | None:
    """Seconds until the flag is set, so that the last kernel call, checkpoint and commit fit before the limit."""
    return None if max_seconds is None else max_seconds - min(10.0, 0.2 * max_seconds)


def _fresh(path: Path) -> Saved:
    """Nothing to go on from; what an earlier product left beside it is of no use without it."""
    from fracsim.data.checkpoint import checkpoint_path, remove_checkpoints

    saved = Saved()
    if checkpoint_path(path).exists() and not path.exists():
        saved.notes.append(f"there is a checkpoint but no {path}, which held the records: starting again")
    remove_checkpoints(path)
    return saved


def _machine(backend: Any) -> dict[str, Any]:
    """What the bits of a result depend on."""
    from fracsim.data.provenance import provenance

    facts = provenance()
    return {
        "software": facts["software"],
        "numba_version": facts["numba_version"],
        "backend": backend.name,
        "instruction_sets": backend.instruction_sets,
        "vectors": backend.device.rpartition(", ")[2],
        "continued": 0,
        "bit_identical": "yes",
    }


def _continuing(saved: Saved, stored: Trajectory | None, machine: dict[str, Any]) -> list[str]:
    """Sentences on how a product is continued; ``machine`` learns how often and whether bit for bit."""
    if stored is None:
        return []
    before = saved.machine or {
        **stored.attributes, "vectors": str(stored.attributes.get("device", "")).rpartition(", ")[2]
    }  # fmt: skip
    machine["continued"] = int(before.get("continued", 0)) + 1
    machine["bit_identical"] = str(before.get("bit_identical", "yes"))
    ended = sum(status in ("complete", "diverged") for status in stored.run_status)
    notes = [f"continuing {stored.path}: {ended} of {len(stored.run_status)} runs have ended, "
             f"{len(saved.states)} go on from a checkpoint"]  # fmt: skip
    keys = ("software", "numba_version", "backend", "instruction_sets", "vectors")
    changed = [key for key in keys if before.get(key) != machine[key]]
    if changed and (ended or saved.states):
        shown = [f"{key.replace('_', ' ')} {before.get(key)} there and {machine[key]} here"
                 for key in changed if key != "instruction_sets"]  # fmt: skip
        shown += ["other instruction sets of the CPU"] if "instruction_sets" in changed else []
        machine["bit_identical"] = f"no: {'; '.join(shown)}"
        notes.append(f"not bit-identical to a run without a stop: {'; '.join(shown)}")
    return notes
