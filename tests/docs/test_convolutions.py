"""Numbers of docs/convolutions.md are those of the runs that are kept."""

import csv
import re

from places import TOP


def test_the_table_of_fashion_mnist_is_that_of_the_kept_runs():
    path = TOP / "docs" / "results" / "fashion-depth-width.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    runs = csv.DictReader(line for line in lines if not line.startswith("#"))
    kept = {
        tuple(int(run[key]) for key in ("network_depth", "width", "steps")): float(run["best"])
        for run in runs
        if run["status"] == "complete"
    }
    page = (TOP / "docs" / "convolutions.md").read_text(encoding="utf-8")
    part = page.partition("## What comes out on Fashion-MNIST")[2].partition("\n## ")[0]
    columns = [(width, steps) for steps in (20_000, 10_000) for width in (8, 16, 32)]
    said = {}
    for depth, *cells in re.findall(r"^\| (\d) \|" + r" (\S+) \|" * 6 + "$", part, re.MULTILINE):
        for column, cell in zip(columns, cells, strict=True):
            if cell != "–":
                said[int(depth), *column] = float(cell)
    assert said == kept
