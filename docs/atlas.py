"""docs/atlas.md: our numbers beside those of the sources, statement by statement.

    python docs/atlas.py                      # the page from docs/atlas.toml and docs/atlas.json
    python docs/atlas.py --run                # every command anew, its number into docs/atlas.json
    python docs/atlas.py --run bounds lengths # only the rows, or the studies, of these names

Commands are of the checkout that this script lies in, whatever is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROWS, NUMBERS, PAGE = DOCS / "atlas.toml", DOCS / "atlas.json", DOCS / "atlas.md"
KEYS = {"name", "study", "statement", "source", "theirs"}
TRIED = {"command", "value"}
HEAD = """# The atlas

Statements of the sources, each with the command that tries it, their number and ours. The rows are
in [atlas.toml](atlas.toml); `python docs/atlas.py --run` executes the commands and writes this
page, in about ten minutes. What a source does not claim says so, and so does what was not tried.
What *in full* needs is a night, and the page named there has its numbers.

| statement | source | theirs | ours | command | figure |
|---|---|---|---|---|---|
"""


def rows() -> list[dict[str, str]]:
    """The rows as they are written. Raises ValueError for one that lacks something."""
    found = tomllib.loads(ROWS.read_text(encoding="utf-8"))["row"]
    for row in found:
        due = KEYS if "untested" in row else KEYS | TRIED
        if missing := due - set(row):
            raise ValueError(f"row {row.get('name')} lacks {', '.join(sorted(missing))}")
    if len({row["name"] for row in found}) != len(found):
        raise ValueError("two rows have one name")
    return found


def page(rows: Sequence[dict[str, str]], numbers: dict[str, Any]) -> str:
    """The page, with a dash where a row was never run."""
    lines = []
    for row in rows:
        ours = numbers.get(row["name"])
        shown = "-" if ours is None else f"{ours:.4g}" if isinstance(ours, float) else f"{ours:,}"
        if "untested" in row:
            shown = f"untested: {row['untested']}"
        command = f"`{row['command']}`" if "command" in row else "-"
        command += f"; in full: {row['full']}" if "full" in row else ""
        figure = f"`{row['figure']}`" if "figure" in row else "-"
        cells = row["statement"], row["source"], row["theirs"], shown, command, figure
        lines.append("| " + " | ".join(cells) + " |\n")
    return HEAD + "".join(lines)


def number(row: dict[str, str], folder: str) -> float | int:
    """What the command of a row prints under its ``value``; its figure is drawn, too."""
    said = [output(command, folder) for command in row["command"].split(" && ")]
    found: Any = json.loads(said[-1])
    for key in row["value"].split("."):
        found = found[int(key)] if isinstance(found, list) else found[key]
    if "figure" in row:
        output(row["figure"], folder)
    return found


def output(command: str, folder: str) -> str:
    """What ``fracsim …`` or ``fracsim-plot …`` prints. Raises CalledProcessError."""
    program, *words = shlex.split(command)
    module = {"fracsim": "fracsim.cli.app", "fracsim-plot": "fracsim.cli.plot"}[program]
    path = os.pathsep.join(filter(None, (str(DOCS.parent), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def main() -> None:
    """Write the page; with --run compute the numbers first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--run", nargs="*", metavar="NAME", help="compute: all rows, or those of rows or studies"
    )
    chosen = parser.parse_args().run
    numbers = json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.exists() else {}
    for row in rows() if chosen is not None else ():
        if "untested" in row:
            continue
        if not chosen or {row["name"], row["study"]} & set(chosen):
            with tempfile.TemporaryDirectory() as folder:
                numbers[row["name"]] = number(row, folder)
            print(f"{row['name']}: {numbers[row['name']]}")
    numbers = {row["name"]: numbers[row["name"]] for row in rows() if row["name"] in numbers}
    NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(rows(), numbers), encoding="utf-8")


if __name__ == "__main__":
    main()
