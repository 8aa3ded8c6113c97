"""The kept runs of docs/results as rows, and how docs/paper.py counts them."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from results import kept_records, read_results

HERE = Path(__file__).resolve().parent
Row = dict[str, str]

MARGIN_WIDE, MARGIN_SPAN, MARGIN_CURVE = 0.03, 0.02, 0.05
"""From width 50 on a cell agrees within MARGIN_WIDE of the mean, any cell within MARGIN_SPAN of its
seeds' span; a curve of figure 5 within MARGIN_CURVE."""


def load(name: str) -> list[Row]:
    """The rows of docs/results/NAME.csv; none where the runs are still to come."""
    path = HERE / "results" / f"{name}.csv"
    return read_results(path)[1] if path.exists() else []


def ended(rows: Iterable[Row], **wanted: object) -> list[Row]:
    """The complete runs with these settings."""
    return [
        row
        for row in rows
        if row["status"] == "complete" and all(row[k] == str(v) for k, v in wanted.items())
    ]


def distinct(rows: Iterable[Row], key: str) -> list[str]:
    """The values of a setting, numbers by size."""
    found = {row[key] for row in rows}
    return sorted(found, key=lambda text: (float(text) if text[:1].isdigit() else 0.0, text))


def best(rows: Iterable[Row]) -> list[float]:
    """The best test accuracy of each run."""
    return [float(row["best"]) for row in rows]


def cell(rows: Sequence[Row], theirs: float | None = None, wide: bool = True) -> str:
    """``**mean** [least, greatest] of seeds (theirs)``, with ! where theirs lies outside what seeds
    and margins allow."""
    if not rows:
        return "–"
    found = best(rows)
    mean = statistics.fmean(found)
    text = f"**{mean:.3f}**"
    if len(found) > 1:
        text += f" [{min(found):.3f}, {max(found):.3f}]"
    if theirs is not None:
        text += f" ({theirs:.3f})" + ("" if agrees(found, theirs, wide) else " !")
    return text


def agrees(found: Sequence[float], theirs: float, wide: bool) -> bool:
    """Whether the paper's number is within the margins of ours: of the mean where the layers are
    wide, of the seeds' span everywhere."""
    if not wide:
        return span_reaches(found, theirs, MARGIN_WIDE)
    near = abs(statistics.fmean(found) - theirs) <= MARGIN_WIDE
    return near or span_reaches(found, theirs, MARGIN_SPAN)


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def levels_at(row: Row) -> list[tuple[int, list[float | None]]]:
    """(step, accuracy of each level or None where it has no points) at the kept records."""
    steps, *parts = row["levels"].split()
    first, every = map(int, steps.split("+"))
    found, before = [], parts[0].split("/")
    for record, shares in zip(kept_records(int(row["records"])), parts, strict=True):
        before = [a or b for a, b in zip(shares.split("/"), before, strict=True)]
        values = [None if text == "-" else int(text) / 100 for text in before]
        found.append((first + every * int(record), values))
    return found


def learnt_at(row: Row, level: int, share: float = 0.8) -> int | None:
    """The first kept step from which on so many points of a level are right; None where that never
    is. A network that says no everywhere is right on every level for a while."""
    found = None
    for step, values in levels_at(row):
        value = values[level]
        if value is None or value < share:
            found = None
        elif found is None:
            found = step
    return found


def curves_at(rate: str, steps: int) -> list[Row]:
    """The runs of figure 5 at one learning rate and of one length."""
    rows = load("cantor-curves")
    return [row for row in rows if row["learning_rate"] == rate and int(row["steps"]) == steps]


def curve_cell(rows: Sequence[Row]) -> str:
    """``cell`` of the seeds that live, and how many died."""
    dead = len(rows) - len(lively(rows))
    return cell(lively(rows)) + (f"; {dead} of {len(rows)} seeds died" if dead else "")


def by_two(rows: Sequence[Row], first: str, second: str) -> dict[int, dict[int, list[float]]]:
    """``[value of first][value of second]``: the best test accuracies."""
    return {
        int(one): {
            int(other): best(ended(rows, **{first: one, second: other}))
            for other in distinct(rows, second)
        }
        for one in distinct(rows, first)
    }


def by_curve(rows: Iterable[Row]) -> dict[int, list[float]]:
    """``[curve]``: the best test accuracies."""
    found: dict[int, list[float]] = {}
    for row in sorted(rows, key=lambda row: int(row["curve"])):
        found.setdefault(int(row["curve"]), []).extend(best([row]))
    return found


def lively(rows: Iterable[Row]) -> list[Row]:
    """The runs that did not die."""
    return [row for row in rows if not row["dead_since"]]


def span_reaches(found: Sequence[float], value: float, margin: float) -> bool:
    """Whether a value is within a margin of what seeds span."""
    return min(found) - margin <= value <= max(found) + margin
