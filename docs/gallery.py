"""docs/gallery.md: every figure of fracsim-plot with the commands that make it.

    python docs/gallery.py              # the page from docs/gallery.toml
    python docs/gallery.py --run        # every figure anew, then the page: some minutes
    python docs/gallery.py --run bounds # only these figures (and the files of all before them)

Commands are of the checkout that this script lies in, whatever is installed."""

from __future__ import annotations

import argparse
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
PAGE, IMAGES = DOCS / "gallery.md", DOCS / "images" / "gallery"
MODULES = {"fracsim": "fracsim", "fracsim-plot": "fracsim.cli.plot"}
HEAD = """# The gallery

Every figure of `fracsim-plot`, with the commands that make it, from an empty folder and in this
order: a figure may use the files of one above it. The suffix decides the format (`.png`, `.pdf`,
`.svg`). `python docs/gallery.py --run` makes this page.
"""


def figures() -> list[dict[str, Any]]:
    """The figures as docs/gallery.toml has them."""
    found: list[dict[str, Any]] = tomllib.loads(
        (DOCS / "gallery.toml").read_text(encoding="utf-8")
    )["figure"]
    return found


def image_of(figure: dict[str, Any]) -> Path:
    """Where its picture lies."""
    return IMAGES / f"{figure['name']}{figure.get('suffix', '.png')}"


def page() -> str:
    """The page as text."""
    parts = [HEAD]
    for figure in figures():
        output = f"{figure['name']}{figure.get('suffix', '.png')}"
        lines = [*figure.get("files", ()), f"{figure['command']} -o {output}"]
        parts.append(
            f"\n## {figure['about']}\n\n```sh\n{chr(10).join(lines)}\n```\n\n"
            f"![{figure['about']}](images/gallery/{output})\n"
        )
    return "".join(parts)


def run(names: Sequence[str]) -> None:
    """Make the pictures of these figures, or of all."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    last = max((i for i, one in enumerate(figures()) if one["name"] in names), default=None)
    with tempfile.TemporaryDirectory() as folder:
        for figure in figures()[: None if last is None else last + 1]:
            for line in figure.get("files", ()):
                call(line, folder)
            if names and figure["name"] not in names:
                continue
            print(figure["name"], flush=True)
            small = [] if "suffix" in figure else ["--dpi", "80"]
            call(f"{figure['command']} -o {shlex.quote(str(image_of(figure)))}", folder, *small)


def call(line: str, folder: str, *more: str) -> None:
    """Run a command of this checkout in a folder; SystemExit with what it said where it fails."""
    name, *words = shlex.split(line)
    search = os.pathsep.join(filter(None, [str(DOCS.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", MODULES[name], *words, *more],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": search},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{line}: exit code {done.returncode}\n{done.stdout}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", nargs="*", metavar="NAME", help="make the pictures, or only these")
    names = parser.parse_args().run
    if names is not None:
        run(names)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
