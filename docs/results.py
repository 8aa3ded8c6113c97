"""Keep what long runs found: trajectory files in, one small CSV out, for docs/paper.py.

    python docs/results.py fig4-*.h5 -o docs/results/cantor-depth-width.csv

Head lines (``# key: value``) say what made them; a line for each run follows: its settings, how it
ended, best and last test accuracy, the seconds that it took, at its last record the share of the
units of each hidden layer that no test point activates, and its accuracy by level at ``STEPS``
recorded steps. A run that is in several files, or in the CSV already, is kept once, with most
records.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fracsim.data.reader import Trajectory, open_trajectory
from fracsim.products.checkpoint import facts_of

STEPS = 20
SETTINGS = (
    "problem",
    "images",
    "network",
    "fractal",
    "fractal_depth",
    "curve",
    "data",
    "network_depth",
    "width",
    "learning_rate",
    "steps",
    "seed",
)
"""Those that some run sets have a column."""
FOUND = (
    "status",
    "records",
    "best",
    "best_step",
    "last",
    "seconds",
    "dead_since",
    "inactive",
    "levels",
)
HEAD = ("software", "numba_version", "numpy_version", "device", "bit_identical", "continued")


def kept_records(done: int) -> np.ndarray:
    """Which of so many records are kept with their levels."""
    return np.unique(np.linspace(0, done - 1, min(STEPS, done)).round().astype(int))


def per_cents(share: float) -> int:
    """Rounded down; 0.29 is 29, though 100 * 0.29 is less than that."""
    return int(100 * share + 1e-9)


def levels_text(trajectory: Trajectory, row: int, done: int) -> str:
    """``first+every a/b/… a/b/…``: the step of the first record and the steps between two, then
    each level's accuracy at ``kept_records``, empty where it is as before. In whole per cents,
    rounded down, so that one reaches so many per cent exactly where the accuracy does."""
    first, every = (int(step) for step in (trajectory.steps[0], np.diff(trajectory.steps)[0]))
    assert (np.diff(trajectory.steps) == every).all(), "records are not equally far apart"
    by_level = trajectory.variable("test_accuracy_by_level")[row]
    n = trajectory.runs.get("fractal_depth")  # of images the classes, all of them
    parts, before = [f"{first}+{every}"], [""] * by_level.shape[-1]
    for record in kept_records(done):
        shares = by_level[record][: None if n is None else int(n[row]) + 1]
        texts = ["-" if np.isnan(share) else f"{per_cents(share)}" for share in shares]
        parts.append("/".join("" if a == b else a for a, b in zip(texts, before, strict=False)))
        before = texts
    return " ".join(parts)


def inactive_text(trajectory: Trajectory, row: int, done: int) -> str:
    """``a/b/…``: of each hidden layer, at the last record, the units that no test point activates,
    in whole per cents, rounded down; nothing where the file does not count them."""
    if "inactive_units" not in trajectory.records:
        return ""
    shares = trajectory.variable("inactive_units")[row][done - 1]
    return "/".join(f"{per_cents(share)}" for share in shares if not np.isnan(share))


def rows_of(trajectory: Trajectory) -> list[dict[str, Any]]:
    """A row for each run that has a record of its training."""
    rows = []
    for row in np.flatnonzero(trajectory.records_done > (trajectory.steps[0] == 0)):
        done = int(trajectory.records_done[row])
        accuracy = trajectory.variable("test_accuracy")[row][:done]
        best = int(np.nanargmax(np.where(trajectory.steps[:done] > 0, accuracy, np.nan)))
        since = int(trajectory.dead_since()[row])
        settings = {
            key: np.asarray(trajectory.runs[key][row]).item()
            for key in SETTINGS
            if key in trajectory.runs
        }
        rows.append(
            settings
            | {
                "status": trajectory.run_status[row],
                "records": done,
                "best": f"{accuracy[best]:.4f}",
                "best_step": int(trajectory.steps[best]),
                "last": f"{accuracy[-1]:.4f}",
                "seconds": f"{trajectory.variable('wall_time')[row][done - 1]:.0f}",
                "dead_since": "" if since < 0 else since,
                "inactive": inactive_text(trajectory, row, done),
                "levels": levels_text(trajectory, row, done),
            }
        )
    return rows


def read_results(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """(head, rows) of a CSV that this script wrote; all values are text."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    return head, list(csv.DictReader(line for line in lines if not line.startswith("# ")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("files", nargs="+", help="trajectory files, finished or not")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    kept: dict[tuple[str, ...], dict[str, Any]] = {}
    head: dict[str, set[str]] = {}
    if options.output.exists():
        before, rows = read_results(options.output)
        head = {key: set(text.split("; ")) for key, text in before.items()}
        kept = {_name(row): row for row in rows}
    for file in options.files:
        trajectory = open_trajectory(file)
        facts = facts_of(trajectory)
        for key in HEAD:
            if key in facts:
                head.setdefault(key, set()).add(str(facts[key]))
        for row in rows_of(trajectory):
            key = _name(row)
            if key not in kept or int(row["records"]) >= int(kept[key]["records"]):
                kept[key] = row
    with options.output.open("w", encoding="utf-8", newline="") as out:
        for key, values in head.items():
            out.write(f"# {key}: {'; '.join(sorted(values))}\n")
        columns = [key for key in SETTINGS if any(key in row for row in kept.values())]
        writer = csv.DictWriter(out, (*columns, *FOUND), lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(
            sorted(kept.values(), key=lambda row: [_order(row.get(k, "")) for k in columns])
        )
    print(f"{options.output}: {len(kept)} runs", file=sys.stderr)


def _name(row: dict[str, Any]) -> tuple[str, ...]:
    """What tells a run from others."""
    return tuple(str(row.get(key, "")) for key in SETTINGS)


def _order(value: Any) -> tuple[int, float, str]:
    try:
        return 0, float(value), ""
    except ValueError:
        return 1, 0.0, str(value)


if __name__ == "__main__":
    main()
