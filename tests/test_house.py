"""The house keeps its plan: no circle of imports, few modules beside the rooms, short files, a
contract that stays small, and a thin command line."""

import ast
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from places import TOP

ROOMS = ("fracsim", "kernels", "data", "cli")
BESIDE_THE_ROOMS = {"errors", "text", "toml"}
AT_THE_TOP = {
    *ROOMS,
    "docs",
    "tests",
    ".ci",
    ".gitignore",
    "pyproject.toml",
    "LICENSE",
    "CITATION.cff",
}
AT_THE_TOP |= {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "RELEASING.md"}
MOST_LINES = 400
HEAVY = {"numpy", "numba", "h5py", "matplotlib"}


@cache
def modules() -> dict[str, Path]:
    """Name -> file of every module, as it is installed."""
    found = {}
    for room in ROOMS:
        for path in (TOP / room).rglob("*.py"):
            parts = path.relative_to(TOP).with_suffix("").parts
            parts = parts if room == "fracsim" else ("fracsim", *parts)
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported_by(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules that a file imports anywhere, inside functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in names}
    return found


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Sets of nodes from each of which all others can be reached (Tarjan's strong components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            members = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(members) > 1:
                found.append(sorted(members))

    for node in edges:
        if node not in index:
            visit(node)
    return found


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_inside_functions_and_under_parentheses_are_seen(tmp_path):
    path = tmp_path / "one.py"
    path.write_text(
        "def f():\n    from fracsim.cli import (\n        app,\n    )\n"
        "    import fracsim.text\n    from fracsim.errors import nearest\n"
    )
    found = imported_by(path, modules())
    assert found == {"fracsim.cli.app", "fracsim.text", "fracsim.errors"}


def test_no_modules_import_one_another_in_a_circle():
    known = modules()
    assert len(known) > 100
    edges = {name: imported_by(path, known) & set(known) - {name} for name, path in known.items()}
    assert circles(edges) == []


def test_few_modules_lie_beside_the_rooms():
    beside = {path.stem for path in (TOP / "fracsim").glob("*.py")} - {"__init__", "__main__"}
    assert beside == BESIDE_THE_ROOMS


@pytest.mark.skipif(
    not (TOP / ".git").exists() or shutil.which("git") is None, reason="not a checkout of git"
)
def test_nothing_else_lies_at_the_top():
    """What a run left in the checkout came to be committed once."""
    command = ["git", "-c", "safe.directory=*", "-C", str(TOP), "ls-files"]
    tracked = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert {name.partition("/")[0] for name in tracked} == AT_THE_TOP


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_files_are_short(room):
    lengths = {
        path.relative_to(TOP).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in (TOP / room).rglob("*.py")
    }
    assert [name for name, length in lengths.items() if length > MOST_LINES] == []


def test_the_import_contract_is_small():
    text = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["tool"]["importlinter"]["contracts"][0]["layers"]
    assert len(rows) <= 14, "a new file needs no row; a room between two others belongs into one"


def test_the_command_line_holds_no_numerics():
    for name, path in modules().items():
        if name.startswith("fracsim.cli."):
            heavy = {each.partition(".")[0] for each in imported_by(path, modules())} & HEAVY
            assert heavy <= {"matplotlib"}, name  # whose figures pass through, for type checkers
