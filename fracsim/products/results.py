"""What a trajectory file says at the end of a training: results per run, and a table that fits a
screen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from fracsim.data.reader import open_trajectory
from fracsim.problems.problem import BESTS
from fracsim.products.dead import dead_words
from fracsim.products.entries import Entry, distinct, entries_of, records
from fracsim.products.runs import Runs
from fracsim.products.selection import CHOSEN, OVER, Point, Selection
from fracsim.text import table
from fracsim.values.grammar import is_number

_MOST_ROWS, _MOST_CELLS = 60, 10
(_AVERAGED,), (_CHOSEN,) = OVER, CHOSEN


def runs_of(path: str | os.PathLike[str]) -> Runs:
    """All runs of one trajectory file, in its order, also those without a record. Raises
    FileError."""
    return Runs(entries_of(open_trajectory(path)))


def results_of(runs: Runs, varied: Sequence[str]) -> list[dict[str, Any]]:
    """Per run: its varied settings, status, records, best_test_accuracy (best_test_r2 where labels
    are real), dead_since (the step since which its network is dead) and final, the last record as
    a dict. Values that do not exist are None."""
    return [_result(entry, varied) for entry in runs]


def _result(entry: Entry, varied: Sequence[str]) -> dict[str, Any]:
    trajectory, row, done = entry.trajectory, entry.index, records(entry)
    final = None
    if done:
        final = {
            "step": int(trajectory.steps[done - 1]),
            **{name: entry.last(name).tolist() for name in trajectory.records_of(row)},
        }
    best = float(trajectory.best()[row])
    return {
        **{key: entry.setting(key) for key in varied},
        "status": trajectory.run_status[row],
        "records": done,
        f"best_{trajectory.score(row)}": best if best == best else None,
        "dead_since": entry.dead_since,
        "final": final,
    }


def best_of(result: dict[str, Any]) -> float | None:
    """The best test accuracy of a run's result or, where labels are real, the best R²."""
    best: float | None = next(result[key] for key in BESTS if key in result)
    return best


def bests_of(results: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """The best of all runs, for each kind of labels that they have."""
    return {
        key: max((found[key] for found in results if found.get(key) is not None), default=None)
        for key in BESTS
        if any(key in found for found in results)
    }


def sweep_table(runs: Runs, varied: Sequence[str]) -> str:
    """The best test accuracies, or R²: the mean over seeds, at the best learning rate, by whatever
    else varies.

    Two other keys make a table with the second across; otherwise there is a line per combination.
    """
    keys = [key for key in varied if key not in (_AVERAGED, _CHOSEN)]
    selection = Selection()
    if not keys:
        keys = [key for key in (_CHOSEN,) if key in varied]
        selection = Selection(choose=())
    scores = {f"best_{entry.trajectory.score(entry.index)}" for entry in runs}
    title = " or ".join(BESTS[key] for key in BESTS if key in scores)
    points = _points(runs, keys, selection)
    if len(keys) == 2:
        rows = _across(keys, points)
    else:
        rows = [
            [*keys, "R²" if scores == {"best_test_r2"} else "accuracy"],
            *([*map(str, at), _shown(point)] for at, point in points.items()),
        ]
    if len(rows) > _MOST_ROWS + 1:
        rows = [
            *rows[: _MOST_ROWS + 1],
            [f"… {len(rows) - 1 - _MOST_ROWS} more"] + [""] * (len(rows[0]) - 1),
        ]
    rates = len(distinct(runs, _CHOSEN)) if selection.choose else 1
    how = (", best learning rate" if rates > 1 else "") + _seeds(points)
    return "\n".join([f"{title}{how}:", *table(rows), *_dead(runs, keys, points)])


def _dead(runs: Runs, keys: Sequence[str], points: dict[tuple[Any, ...], Point]) -> list[str]:
    """Lines on dead networks: which, and how many of the seeds of each mean."""
    if not (said := dead_words(runs)):
        return []
    cells = [
        f"{', '.join(f'{key} {value}' for key, value in zip(keys, at, strict=True))}: "
        f"{point.dead} of {point.seeds + point.missing} dead"
        for at, point in points.items()
        if point.dead and keys
    ]
    more = [f"… {len(cells) - _MOST_CELLS} more"] if len(cells) > _MOST_CELLS else []
    return [said, *([f"in the table: {'; '.join([*cells[:_MOST_CELLS], *more])}"] if cells else [])]


def _seeds(points: dict[tuple[Any, ...], Point]) -> str:
    """Of how many runs the means are."""
    counts = sorted({point.seeds for point in points.values() if point.seeds})
    if not counts or counts[-1] == 1:
        return ""
    return f", mean over {' to '.join(map(str, sorted({counts[0], counts[-1]})))} seeds"


def _points(runs: Runs, keys: Sequence[str], selection: Selection) -> dict[tuple[Any, ...], Point]:
    """Values of ``keys`` as ``Run`` has them, in the order of the file -> the runs there."""
    found: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in runs:
        found.setdefault(tuple(entry.setting(key) for key in keys), []).append(entry)
    return {
        at: selection.point(part, part[0].trajectory.score(part[0].index), at)
        for at, part in found.items()
    }


def _across(keys: Sequence[str], points: dict[tuple[Any, ...], Point]) -> list[list[str]]:
    down, across = (_in_order({at[place]: None for at in points}) for place in (0, 1))
    head = [f"{keys[0]} \\ {keys[1]}", *map(str, across)]
    return [
        head,
        *([str(row), *(_shown(points.get((row, column))) for column in across)] for row in down),
    ]


def _in_order(values: Mapping[Any, None]) -> list[Any]:
    """Numbers by size, also in a shard, whose runs stand in any order; words as they come."""
    numbers = all(is_number(value) for value in values)
    return sorted(values) if numbers else list(values)


def _shown(point: Point | None) -> str:
    return f"{point.mean:.4f}" if point is not None and point.seeds else "-"
