"""What a trajectory file says at the end of a training: results per run, and a table that fits a
screen. Nothing heavy is imported at its top: commands take their words from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fracsim.data.reader import open_trajectory
from fracsim.problems.problem import BESTS
from fracsim.settings import layer_widths, width_of_layers
from fracsim.text import table

Cell = tuple[Any, ...]
"""Values of the keys that a cell of a table stands for."""

_MOST_ROWS = 60
_AVERAGED, _CHOSEN = "seed", "learning_rate"


def read_results(path: str | Path, varied: Sequence[str]) -> list[dict[str, Any]]:
    """Per run: its varied settings, status, records, best_test_accuracy (best_test_r2 where labels
    are real) and final, the last record as a dict.

    Values that do not exist are None. Raises FileError.
    """
    product = open_trajectory(path)
    records = {name: product.variable(name) for name in product.records}
    done, steps, columns = product.records_done, product.steps, product.runs
    results = []
    for i in product.rows.values():
        last = int(done[i]) - 1
        final = None
        if last >= 0:
            final = {
                "step": int(steps[last]),
                **{name: records[name][i, last].tolist() for name in product.records_of(i)},
            }
        score = product.score(i)
        scores = records[score][i]
        best = float(np.nanmax(scores)) if np.isfinite(scores).any() else None
        settings = {key: _setting(columns, key, i) for key in varied}
        results.append(
            {
                **settings,
                "status": product.run_status[i],
                "records": last + 1,
                f"best_{score}": best,
                "final": final,
            }
        )
    return results


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


def _setting(columns: Mapping[str, np.ndarray], key: str, run: int) -> Any:
    """The value of a setting of one run, as ``Run`` has it."""
    if key == "width" and "widths" in columns and (text := str(columns["widths"][run])):
        return width_of_layers(layer_widths(text))
    value = columns[key][run]
    return value.item() if hasattr(value, "item") else value


def sweep_table(varied: Sequence[str], results: Sequence[dict[str, Any]]) -> str:
    """The best test accuracies, or R²: the mean over seeds, at the best learning rate, by whatever
    else varies.

    Two other keys make a table with the second across; otherwise there is a line per combination.
    """
    keys = [key for key in varied if key not in (_AVERAGED, _CHOSEN)]
    chosen = [key for key in (_CHOSEN,) if key in varied]
    if not keys:
        keys, chosen = chosen, []
    cells = _cells(keys, chosen, results)
    title = (
        " or ".join(BESTS[key] for key in bests_of(results))
        + (", best learning rate" if chosen else "")
        + _seeds(varied, results)
    )
    if len(keys) == 2:
        rows = _across(keys, cells)
    else:
        rows = [
            [*keys, "R²" if [*bests_of(results)] == ["best_test_r2"] else "accuracy"],
            *([*map(str, at), _shown(value)] for at, value in cells.items()),
        ]
    if len(rows) > _MOST_ROWS + 1:
        rows = [
            *rows[: _MOST_ROWS + 1],
            [f"… {len(rows) - 1 - _MOST_ROWS} more"] + [""] * (len(rows[0]) - 1),
        ]
    return "\n".join([title + ":", *table(rows)])


def _seeds(varied: Sequence[str], results: Sequence[dict[str, Any]]) -> str:
    seeds = {result.get(_AVERAGED) for result in results} if _AVERAGED in varied else ()
    return f", mean over {len(seeds)} seeds" if len(seeds) > 1 else ""


def _cells(
    keys: Sequence[str], chosen: Sequence[str], results: Sequence[dict[str, Any]]
) -> dict[Cell, float | None]:
    """Values of ``keys`` -> score: the mean over the seeds of the same ``chosen``, then the best
    of those means."""
    groups: dict[Cell, dict[Cell, list[float]]] = {}
    for result in results:
        group = groups.setdefault(tuple(result[key] for key in keys), {})
        members = group.setdefault(tuple(result[key] for key in chosen), [])
        if (best := best_of(result)) is not None:
            members.append(best)
    return {
        at: max(
            (sum(members) / len(members) for members in group.values() if members), default=None
        )
        for at, group in groups.items()
    }


def _across(keys: Sequence[str], cells: dict[Cell, float | None]) -> list[list[str]]:
    across = list(dict.fromkeys(at[1] for at in cells))
    down = list(dict.fromkeys(at[0] for at in cells))
    head = [f"{keys[0]} \\ {keys[1]}", *map(str, across)]
    return [
        head,
        *([str(row), *(_shown(cells.get((row, column))) for column in across)] for row in down),
    ]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
