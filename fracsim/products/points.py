"""Which points the runs of a file have been trained on: files tell by their ``points_version``.

1 (files without the attribute): the level was that of the float64 point, which was then rounded to
the run's precision; in float32 some points left their cell and kept its label. 2: level, label and
margin are those of the rounded point. A file that was begun with one goes on with it, so that no
run changes its points half-way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fracsim.data.numbering import Number
from fracsim.errors import UsageError
from fracsim.problems.problem import Resolution
from fracsim.problems.table import pinned_path
from fracsim.products.coverage import ranges
from fracsim.training.run import Run, problem_of
from fracsim.values.settings import label

ATTRIBUTE, CURRENT = "points_version", 2


def are_old(attributes: Mapping[str, Any]) -> bool:
    """Whether a file with these attributes has points of version 1."""
    return ATTRIBUTE not in attributes


def resolutions(runs: Iterable[Run]) -> Iterator[tuple[Run, Resolution]]:
    """The different ones among runs, each with a run that has it, where points lie in cells."""
    of_problem = {problem_of(run): run for run in runs}
    seen: list[tuple[Resolution, str]] = []
    for problem, run in of_problem.items():
        found = problem.resolution()
        if found is not None and (found, run.precision) not in seen:
            seen.append((found, run.precision))
            yield run, found


def too_fine(run: Run, found: Resolution | None) -> bool:
    """Whether the precision of a run does not resolve the cells of its points."""
    return found is not None and found.fractal_depth > found.greatest[run.precision]


def check_resolution(runs: Iterable[Run]) -> None:
    """Raise UsageError where a run's precision does not resolve the cells of its points."""
    for run, found in resolutions(runs):
        if too_fine(run, found):
            n, greatest = found.fractal_depth, found.greatest
            instead = ""
            if n <= greatest["float64"]:
                instead = f", or --precision float64, which takes up to {greatest['float64']}"
            raise UsageError(
                f"{label('fractal_depth')} is {n}, and points in {run.precision} do not resolve "
                f"the cells of {found.fractal} there; accepted is at most "
                f"{greatest[run.precision]}{instead}"
            )


def rounded_tables(runs: Iterable[Run]) -> list[str]:
    """Sentences on the files of ``fracsim sample`` of which points change their cell when a run
    rounds them to float32."""
    read = {run.table for run in runs if run.table is not None and run.precision == "float32"}
    said = []
    for path in sorted({pinned_path(text)[0] for text in read}):
        found = _moved(path)
        if found is not None and found[0]:
            said.append(
                f"warning: {found[0]:,} of the {found[1]:,} points of {path} lie in other cells "
                f"than their labels say once they are rounded to float32; {label('precision')} "
                f"float64 keeps them as they are"
            )
    return said


def _moved(path: str) -> tuple[int, int] | None:
    """How many points of a file of samples float32 moves to another level, and how many there are;
    None for another file."""
    from fracsim.data.errors import FileError
    from fracsim.data.samples import read_samples
    from fracsim.fractals.fractal import Fractal

    try:
        samples = read_samples(path)
        fractal = Fractal.from_dict(json.loads(str(samples.attributes["fractal_definition"])))
        level = fractal.level(samples.x.astype("float32"), int(samples.attributes["fractal_depth"]))
    except (FileError, UsageError, LookupError, ValueError, TypeError):
        return None
    return int((level != samples.level).sum()), len(level)


def misfits(attributes: Mapping[str, Any], runs: Sequence[Run], numbers: Sequence[Number]) -> str:
    """A sentence where runs of a file, with these numbers, were trained at depths at which many of
    their labels did not fit their points, else ""."""
    if not are_old(attributes):
        return ""
    bad = [
        number
        for run, number in zip(runs, numbers, strict=True)
        if too_fine(run, problem_of(run).resolution())
    ]
    if not bad:
        return ""
    which = "all runs" if len(bad) == len(runs) else f"runs {ranges(bad)}"
    return (
        f"{which}: the file was begun by an older version, which rounded points to float32 after "
        f"their level was found; at this fractal depth many lie in other cells than their labels "
        f"say"
    )
