"""Trained networks that learn what a file's kernels learn."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fracsim.data.errors import FileError
from fracsim.data.studies import StudyContents
from fracsim.errors import UsageError
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.fractal import Fractal
from fracsim.problems.table import pinned_path
from fracsim.products.entries import Entry
from fracsim.products.runs import Runs
from fracsim.text import counted

Lines = dict[int, list[tuple[int, float]]]
"""Depth T -> (training points, best test accuracy), by rising points."""

_BY = ("network_depth", "train_points")


def trained_lines(studies: Sequence[StudyContents], runs: Runs) -> list[Lines]:
    """Of each file the lines of the runs that learn the same: of the learning rates the best by the
    mean over seeds. Files of a gradient flow have none.

    Raises UsageError: runs, and none of them fits, or they differ in another setting."""
    fits = [
        [entry for entry in runs if _alike(study.attributes, entry)]
        if "flow_accuracy" not in study.arrays
        else []
        for study in studies
    ]
    drawn = {id(entry) for part in fits for entry in part}
    if runs.entries and not drawn:
        raise UsageError(
            "kernel-learning: no run of the trajectory files learns, from a number of training "
            "points, what the kernels of a file learn (the same fractal, depth and curve without "
            "margins, table or images), so that none can be laid over"
        )
    if left := len(runs.entries) - len(drawn):
        runs.notes.append(f"{counted(left, 'run')} that learn something else are left out")
    return [_lines(part) for part in fits]


def _lines(entries: list[Entry]) -> Lines:
    lines: Lines = {}
    for point in Runs(entries).points(_BY) if entries else []:
        if point.values:
            depth, points = point.at
            lines.setdefault(int(depth), []).append((int(points), point.mean))
    return lines


def _alike(facts: Mapping[str, Any], entry: Entry) -> bool:
    """Whether a run learns what the file says, from a number of training points."""
    settings, problem = entry.settings, str(facts.get("problem", "fractal"))
    if settings.get("problem", "fractal") != problem or not settings.get("train_points"):
        return False
    if problem != "fractal":
        digest = pinned_path(str(settings.get(problem)))[1]
        return digest is not None and digest == facts.get(f"{problem}_hash")
    try:
        fractal = Fractal.from_dict(json.loads(str(facts["fractal_definition"])))
        n, curve = int(facts["fractal_depth"]), parse_curve(str(facts["curve"]))
    except (KeyError, ValueError, TypeError) as error:
        raise FileError(f"a kernel-learning file does not describe its fractal ({error})") from None
    other = entry.fractal()
    return (
        fractal.base == other.base
        and np.array_equal(fractal.matrices, other.matrices)
        and np.array_equal(fractal.offsets, other.offsets)
        and settings["fractal_depth"] == n
        and np.allclose(parse_curve(str(settings["curve"])).values(n), curve.values(n), atol=1e-12)
        and (settings.get("gap") or other.gap) == facts.get("gap", fractal.gap)
        and not (settings.get("positive_margin") or settings.get("negative_margin"))
    )
