"""The whole experiment conjecture1d in docs/studies/conjecture.md: its table and its picture.

fracsim sweep conjecture1d -o runs.h5 && fracsim conjecture runs.h5 -o c.h5   # 1.2 core-hours
python docs/conjecture.py c.h5    # keep the points, in docs/results/conjecture1d.csv
python docs/conjecture.py         # write table and picture from what is kept
"""

import argparse
import csv
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results import read_results

from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.studies import open_study
from fracsim.studies.conjecture.compute import Scatter
from fracsim.studies.conjecture.figure import draw, fineness
from fracsim.studies.conjecture.points import Point
from fracsim.studies.study import notes_of

HERE = Path(__file__).resolve().parent
KEPT = HERE / "results" / "conjecture1d.csv"
PAGE, PICTURE = HERE / "studies" / "conjecture.md", HERE / "images" / "conjecture.png"
BEGIN, END = "<!-- made by docs/conjecture.py -->", "<!-- end -->"
KINDS: dict[Any, Any] = {str: str, int: int, float: float, bool: lambda text: text == "1"}
FIELDS = {
    one.name: KINDS.get(one.type, lambda text: tuple(map(float, text.split("/"))))
    for one in dataclasses.fields(Point)
}
"""Name of each value of a point -> what reads it from its text."""


def keep(path: str) -> None:
    """Write the points of a file of ``fracsim conjecture``, one a line."""
    study = open_study(path)
    rows = []
    for i in range(len(study.arrays["curve"])):
        row = {name: study.arrays[name][i] for name in FIELDS}
        row["shallow_error"] = "/".join(f"{value:.10g}" for value in row["shallow_error"])
        rows.append({k: v if isinstance(v, str) else f"{v:.10g}" for k, v in row.items()})
    with KEPT.open("w", encoding="utf-8", newline="") as out:
        out.write(f"# software: {study.attributes['software']}\n")
        out.write(f"# sign_changes: {'/'.join(map(str, study.arrays['sign_changes']))}\n")
        out.write(f"# note: {' '.join(notes_of(study))}\n")
        writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def kept() -> Scatter:
    """What is kept."""
    head, rows = read_results(KEPT)
    points = [Point(**{name: read(row[name]) for name, read in FIELDS.items()}) for row in rows]
    changes = tuple(int(m) for m in head["sign_changes"].split("/"))
    return Scatter(points, changes, (head["note"],))


def table(found: Scatter) -> str:
    """A row for each distribution, n by n, from coarse negatives to fine ones."""
    head = ["n", "curve", *(f"m = {m}" for m in found.changes), "trained, T = 1"]
    head += ["T = 3", "mean, worst", "T = 5", "mean, worst", "Theorem 3, T = 5"]
    members: dict[tuple[int, str], dict[int, Point]] = {}
    for one in found.points:
        members.setdefault((one.fractal_depth, one.curve), {})[one.network_depth] = one
    order = sorted(members, key=lambda key: (key[0], fineness(key[1], key[0])))
    lines = [head, ["---"] * len(head)]
    for n, curve in order:
        three, five = members[n, curve][3], members[n, curve][5]
        cells = [str(n), curve.replace(",", " "), *map(short, five.shallow_error)]
        cells.append(short(five.shallow_trained, 3))
        for one in (three, five):
            cells += [f"**{short(one.deep_error, 3)}**"]
            cells += [f"{short(one.deep_mean, 3)}, {short(one.deep_worst, 3)}"]
        lines.append([*cells, short(five.constructed, 3)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def short(value: float, digits: int = 4) -> str:
    """A number as this page writes them: ``.0475``; 0 as it is."""
    if math.isnan(value):
        return "-"
    text = f"{value:.{digits}f}".lstrip("0")
    return text if float(text) else "0"


def made(found: Scatter) -> str:
    """The part of the page that this script writes."""
    verdicts = "\n".join(f"- {line}." for line in found.words()[-len(found.changes) :])
    return f"{BEGIN}\n{table(found)}\n{verdicts}\n{END}"


def whole_page(text: str) -> str:
    """The page with that part anew."""
    before, rest = text.split(BEGIN)
    return before + made(kept()) + rest.split(END)[1]


def picture(found: Scatter) -> None:
    """The scatter, as ``fracsim-plot conjecture`` draws it."""
    contents = StudyContents("conjecture", found.arrays(), {"note": found.notes[0]})
    with style.styled():
        style.save(draw(contents), PICTURE)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("points", nargs="?", help="a file of fracsim conjecture, to be kept")
    path = parser.parse_args(words).points
    if path:
        keep(path)
    PAGE.write_text(whole_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    picture(kept())


if __name__ == "__main__":
    main()
