"""One trajectory file from those of shards: the file that the whole sweep would have made."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fracsim.errors import RunError
from fracsim.experiments.shard import Part
from fracsim.products.coverage import Coverage, Gathering, ranges
from fracsim.products.inputs import refuse_inputs
from fracsim.products.points import ATTRIBUTE, are_old
from fracsim.products.product import attributes_of, check_free, contents, first_difference
from fracsim.text import counted
from fracsim.values.arguments import Flag, List, Place, Text, door

if TYPE_CHECKING:
    from fracsim.data.merging import Source
    from fracsim.data.plan import Plan

_DECIDING = ("software", "numba_version", "backend", "device", "instruction_sets")
"""What the last bits of a run depend on."""

_MAKERS = (
    *_DECIDING,
    "python_version",
    "numpy_version",
    "h5py_version",
    "hdf5_version",
    "platform",
    "executor",
    "threads",
    "threads_reason",
    "continued",
)
_LONGEST = 60_000  # bytes of an attribute; HDF5 takes 64 kB


class Merged(NamedTuple):
    """What was merged. ``bit_identical``: "yes", or why these are not the bits that one machine
    would have made."""

    output: Path
    files: int
    runs: int
    diverged: int
    bit_identical: str


@door(files=List(Place()), output=Place(), overwrite=Flag(), command=Text())
def merge(
    files: Sequence[str | Path], output: str | Path, *, overwrite: bool = False, command: str = ""
) -> Merged:
    """Write one trajectory file with every run of an experiment from the complete ones of its
    shards.

    A run that several files hold must be the same in all of them. In every variable the result
    equals that of the sweep without shards. ``command`` is stored in the file. Raises
    UsageError (an input as output), RunError (runs that are missing, unfinished or of another
    experiment; an output in the way), FileError."""
    from fracsim.data.checkpoint import remove_checkpoints
    from fracsim.data.lock import OutputLock
    from fracsim.data.merging import write_merged
    from fracsim.data.plan import make_plan
    from fracsim.data.provenance import provenance

    path, inputs = Path(output), [Path(file) for file in files]
    refuse_inputs(path, (("one of the files to merge", str(file)) for file in inputs))
    check_free(path, overwrite)
    coverage, sources, facts = _read(inputs)
    _check_complete(coverage)
    old = any(map(are_old, facts))
    part = Part(dataclasses.replace(coverage.experiment, old_points=old))
    machines = _machines(facts)
    stored = {"experiment": facts[0]["experiment"]}  # in the words of the shards
    about = {
        **attributes_of(part),
        **stored,
        **provenance(command),
        **machines,
        "merged_from": _list(facts),
    }
    version = min(source.version for source in sources)  # no file can get a record it never had
    plan = make_plan(attributes=about, **contents(part, version))
    owners = _owners(sources, plan)
    with OutputLock(path):
        check_free(path, overwrite)
        write_merged(path, plan, sources, owners)
        remove_checkpoints(path)  # of what was overwritten
    diverged = coverage.counts.get("diverged", 0)
    return Merged(path, len(sources), len(part.runs), diverged, str(machines["bit_identical"]))


def _read(files: Sequence[Path]) -> tuple[Coverage, list[Source], list[dict[str, Any]]]:
    """What the files hold together, each as a source, and their attributes. Raises RunError,
    FileError."""
    from fracsim.data.errors import FileError
    from fracsim.data.merging import make_source
    from fracsim.data.reader import open_trajectory

    gathering = Gathering()
    sources: list[Source] = []
    facts: list[dict[str, Any]] = []
    seen: set[str] = set()
    for file in files:
        if os.path.realpath(file) in seen:
            continue
        seen.add(os.path.realpath(file))
        trajectory = open_trajectory(file)
        if gathering.add(trajectory) is None:
            raise FileError(f"'{file}' stores no experiment, so it cannot be merged")
        sources.append(make_source(trajectory.path, trajectory.numbers, trajectory.version))
        facts.append({"file": str(file), **trajectory.attributes})
        _check_same(gathering.coverages())
    (coverage,) = gathering.coverages()
    return coverage, sources, facts


def _check_same(coverages: Sequence[Coverage]) -> None:
    if len(coverages) > 1:
        one, other = coverages
        raise RunError(
            f"{one.files[0].path} and {other.files[0].path} hold different experiments: "
            f"{first_difference(one.experiment, other.experiment)}; accepted are shards of one "
            f"experiment"
        )


def _check_complete(coverage: Coverage) -> None:
    """Raise RunError where a file is not complete, or a run is in none."""
    problems = []
    for held in coverage.files:
        if held.state != "complete":
            which = f"shard {held.shard} ({held.path})" if held.shard else held.path
            problems.append(
                f"{which} is still running" if held.state == "running" else f"{which} is unfinished"
            )
    if missing := coverage.numbers("missing"):
        shards = coverage.missing_shards()
        noun = "shard" if len(shards) == 1 else "shards"
        runs = f"{counted(len(missing), 'run')} ({ranges(missing)})"
        problems.append(f"{noun} {', '.join(shards)} with {runs} missing")
    if problems:
        commands = coverage.commands()
        advice = (
            f"; the rest is made by: {' ; '.join(commands[:3])}" if commands else "; wait for it"
        )
        more = f" (and {len(commands) - 3} more, see fracsim status)" if len(commands) > 3 else ""
        raise RunError(
            f"these files are not the whole of '{coverage.experiment.name}': "
            f"{'; '.join(problems[:5])}"
            f"{', …' if len(problems) > 5 else ''}{advice}{more}"
        )


def _owners(sources: Sequence[Source], plan: Plan) -> Any:
    """Per run the first source that holds it, as an array. Raises RunError where two sources
    disagree about a run."""
    import numpy as np

    from fracsim.data.merging import first_difference as differing

    owners = np.full(plan.run_count, -1)
    for index, source in enumerate(sources):
        for other in np.unique(owners[source.numbers]):
            if other < 0:
                continue
            shared = source.numbers[owners[source.numbers] == other]
            found = differing(sources[other], source, plan, shared)
            if found is not None:
                number, variable = found
                raise RunError(
                    f"run {number} is in {sources[other].path} and in {source.path}, with "
                    f"different "
                    f"{variable}; give only one of them"
                )
        free = source.numbers[owners[source.numbers] < 0]
        owners[free] = index
    return owners


def _machines(facts: Sequence[dict[str, Any]]) -> dict[str, str | int | float]:
    """What made the runs: values that all files share as they are, others side by side."""
    result: dict[str, str | int | float] = {}
    for key in _MAKERS:
        values = list(dict.fromkeys(fact[key] for fact in facts if key in fact))
        if len(values) == 1:
            result[key] = values[0]
        elif values:
            result[key] = "; ".join(map(str, values))[:_LONGEST]
    reasons = [
        str(fact["bit_identical"]) for fact in facts if fact.get("bit_identical", "yes") != "yes"
    ]
    mixed = [
        key.replace("_", " ")
        for key in (*_DECIDING, ATTRIBUTE)
        if len({fact.get(key) for fact in facts}) > 1
    ]
    if mixed:
        reasons.append(f"no: the files differ in {', '.join(mixed)}")
    result["bit_identical"] = "; ".join(dict.fromkeys(reasons))[:_LONGEST] or "yes"
    return result


def _list(facts: Sequence[dict[str, Any]]) -> str:
    """The sources as a JSON list of objects; where they are too many for an attribute, the first of
    them."""
    keys = ("file", "shard", "host", "job_id", "created")
    listed: list[str] = []
    room = _LONGEST
    for i, fact in enumerate(facts):
        text = json.dumps({key: fact.get(key, "") for key in keys})
        room -= len(text) + 2
        if room < 0:
            listed.append(json.dumps({"more": len(facts) - i}))
            break
        listed.append(text)
    return f"[{', '.join(listed)}]"
