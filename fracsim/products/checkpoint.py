"""The checkpoint of a sweep: the state of every run in progress, to and from
``fracsim.data.checkpoint``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracsim.data.numbering import Row
from fracsim.experiments.shard import Part
from fracsim.products.product import records_until

if TYPE_CHECKING:
    from fracsim.data.checkpoint import Checkpoint
    from fracsim.data.reader import Trajectory
    from fracsim.training.trainer import RunState

_SCALARS = ("step", "seconds", "wall_time")


@dataclass
class Saved:
    """What a checkpoint gives back: row of the run -> its state; where it was made; sentences for
    the user."""

    states: dict[Row, RunState] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def save(
    product: Path, part: Part, states: Mapping[Row, RunState], machine: Mapping[str, Any]
) -> None:
    """Write the checkpoint of a trajectory file; the one before is kept. Raises FileError."""
    from fracsim.data.checkpoint import write_checkpoint

    facts = {
        "experiment_hash": part.experiment.hash(),
        "shard": part.shard,
        "machine": dict(machine),
        "runs": {
            str(row): {key: getattr(state, key) for key in _SCALARS}
            for row, state in states.items()
        },
    }
    arrays = {
        f"{row}/{name}": values for row, state in states.items() for name, values in _named(state)
    }
    write_checkpoint(product, facts, arrays)


def load(product: Path, part: Part, stored: Trajectory) -> Saved:
    """The newest checkpoint that can be read and belongs to this part and to the trajectory file as
    ``stored``; else empty.

    States are those of runs that have not ended. The one before the newest, where it is taken,
    becomes the newest."""
    from fracsim.data.checkpoint import (
        checkpoint_path,
        previous_path,
        promote_previous,
        read_checkpoint,
    )
    from fracsim.data.errors import FileError

    saved = Saved()
    for path in (checkpoint_path(product), previous_path(product)):
        if not path.exists():
            continue
        try:
            checkpoint = read_checkpoint(path)
            facts = checkpoint.facts
            if (facts.get("experiment_hash"), facts.get("shard")) != (
                part.experiment.hash(),
                part.shard,
            ):
                saved.notes.append(f"{path} is of another experiment and is not used")
                continue
            states = {
                row: state
                for row, state in _states(checkpoint, part).items()
                if stored.run_status[row] not in ("complete", "diverged")
            }
            if any(
                records_until(stored.steps, state.step) > stored.records_done[row]
                for row, state in states.items()
            ):
                saved.notes.append(
                    f"{path} counts records that {product} does not hold (was an older copy of it "
                    f"put "
                    "back?) and is not used"
                )
                continue
            saved.states, saved.machine = states, dict(facts["machine"])
        except (FileError, LookupError, ValueError, TypeError, AttributeError) as error:
            reason = (
                str(error)
                if isinstance(error, FileError)
                else f"the checkpoint '{path}' is not a valid one"
            )
            saved.notes.append(reason.rstrip("."))
            continue
        if saved.notes:
            saved.notes.append(f"going on from the checkpoint before it, {path}")
            promote_previous(product)
        return saved
    if saved.notes:
        saved.notes.append("there is no valid checkpoint: runs that have not ended start again")
    return saved


def facts_of(trajectory: Trajectory) -> dict[str, Any]:
    """The attributes of a trajectory file, and of an unfinished one what its checkpoint says of the
    machines and how often it was continued: the file keeps what it was begun with until it ends."""
    from fracsim.data.checkpoint import checkpoint_path, read_facts
    from fracsim.data.errors import FileError

    known = dict(trajectory.attributes)
    if trajectory.status == "complete":
        return known
    try:
        facts = read_facts(checkpoint_path(trajectory.path))
        if any(facts[key] != known[key] for key in ("experiment_hash", "shard")):
            return known
        since = {key: facts["machine"][key] for key in known.keys() & facts["machine"].keys()}
    except (FileError, LookupError, TypeError, AttributeError):
        return known
    return known | {key: one for key, one in since.items() if isinstance(one, (str, int))}


def _named(state: RunState) -> list[tuple[str, Any]]:
    return list(state.state._asdict().items())


def _states(checkpoint: Checkpoint, part: Part) -> dict[Row, RunState]:
    """Row -> state; ValueError or KeyError where it does not fit the runs."""
    import numpy as np

    from fracsim.kernels.training.train import State
    from fracsim.training.run import parameters_of
    from fracsim.training.trainer import RunState

    states = {}
    for text, scalars in checkpoint.facts["runs"].items():
        row = Row(int(text))
        run = part.runs[row]
        count, real = parameters_of(run), np.dtype(run.precision)
        arrays = [checkpoint.arrays[f"{row}/{name}"] for name in State._fields]
        wanted = [((1, count), real)] * 3 + [((1,), np.dtype("f8"))] + [((1,), np.dtype("i8"))] * 3
        if [(values.shape, values.dtype) for values in arrays] != wanted or not 0 <= scalars[
            "step"
        ] < run.steps:
            raise ValueError(f"run {row}")
        states[row] = RunState(
            int(scalars["step"]),
            State(*arrays),
            float(scalars["seconds"]),
            float(scalars["wall_time"]),
        )
    return states
