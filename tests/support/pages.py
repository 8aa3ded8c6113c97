"""The fenced blocks of the documentation, and how they are run.

A block's first line says what it is: ``sh`` runs, in bash, where every command must succeed;
``console`` runs, and what it prints must be what stands below each ``$`` ("…" stands for anything);
``python`` runs, all blocks of a page in one session; ``toml NAME`` becomes a file of that name.
A second word ``elsewhere`` says that a block needs what a test machine lacks (a cluster, a card,
a checkout); what it needs stands in the page."""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from places import TOP

PAGES = [
    *sorted(TOP.glob("*.md")),
    *sorted((TOP / "docs").glob("*.md")),
    *sorted((TOP / "docs" / "studies").glob("*.md")),
]
RUNNABLE = ("sh", "console", "python", "toml")


class Block(NamedTuple):
    """A fenced block: its language, the second word of its first line, its text."""

    language: str
    word: str
    text: str

    @property
    def runs(self) -> bool:
        return self.language in RUNNABLE and self.word != "elsewhere"


def fenced(page: Path) -> list[Block]:
    """The blocks of a page, in its order."""
    return fenced_in(page.read_text(encoding="utf-8"))


def fenced_in(text: str) -> list[Block]:
    """The blocks of a part of a page."""
    found = re.findall(r"^```(\w*) ?(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(*parts) for parts in found]


def blocks(page: Path, language: str | None = None) -> list[str]:
    """The texts of the blocks of a page, of one language or all."""
    return [one.text for one in fenced(page) if language is None or one.language == language]


def run_page(page: Path, folder: Path) -> None:
    """Run all blocks of a page that can be run, in its order, in an empty folder, which must be the
    current one for those in Python. AssertionError with the block and what it said."""
    shell, names = _shell(folder / ".bin"), {}
    for block in fenced(page):
        if not block.runs:
            continue
        if block.language == "toml":
            (folder / (block.word or "mine.toml")).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            _python(block.text, page.name, names)
        elif block.language == "sh":
            code, said = _run(block.text, folder, shell)
            assert code == 0, f"{page.name}, exit code {code}:\n{block.text}\n{said}"
        else:
            for command, expected in _session(block.text):
                _, said = _run(command, folder, shell)
                assert _alike(said, expected), f"{page.name}: {command}\n{said}\nnot\n{expected}"


def _shell(folder: Path) -> dict[str, str]:
    """An environment whose ``fracsim``, ``fracsim-plot`` and ``python`` are this checkout's."""
    folder.mkdir()
    for name, module in (
        ("fracsim", " -m fracsim"),
        ("fracsim-plot", " -m fracsim.cli.plot"),
        ("python", ""),
    ):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}"{module} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    own = {name: value for name, value in os.environ.items() if not name.startswith("FRACSIM_")}
    search = os.pathsep.join([str(TOP), *filter(None, [own.get("PYTHONPATH")])])
    return own | {"PATH": f"{folder}{os.pathsep}{own['PATH']}", "PYTHONPATH": search}


def _run(script: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def _session(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a ``console`` block, each with what it is to print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def _alike(said: str, expected: str) -> bool:
    parts = [re.escape(part) for part in expected.strip().split("…")]
    return re.fullmatch(".*".join(parts), said.strip(), re.DOTALL) is not None


def _python(text: str, page: str, names: dict) -> None:
    """Run a block; what a session with >>> prints is compared."""
    if ">>>" not in text:
        exec(compile(text, page, "exec"), names)
        return
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    test = doctest.DocTestParser().get_doctest(text, names, page, None, None)
    said: list[str] = []
    runner.run(test, out=said.append, clear_globs=False)
    assert not runner.summarize(verbose=False).failed, "".join(said)
    names.update(test.globs)
