"""The problem ``table``: points that the user brings, in a file of NumPy (x, y and perhaps group)
or one of ``fracsim sample``.

What decides a run's numbers are the arrays, not the file's name: as with ``init_from``, an
experiment pins them ("digits.npz" becomes "digits.npz#" and their SHA-256), a file stores that,
and a file that holds others later is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from fracsim.errors import UsageError
from fracsim.problems.problem import TARGETS, Points, Problem
from fracsim.values.settings import label, setting

if TYPE_CHECKING:
    from fracsim.kernels.backend import Backend
    from fracsim.problems.arrays import Table

TEST_SHARE = 5
"""Of the points, one in so many is for the test, where the numbers of points are not given."""

_FLOAT32 = 3.4e38  # about the largest
_PINNED = re.compile(r"(?P<path>.*)#(?P<digest>[0-9a-f]{64})", re.DOTALL)


@dataclass(frozen=True)
class TableKeys:
    """The keys of a table."""

    table: str | None = setting(
        None,
        "file of points: an .npz with x, y and perhaps group, or one of fracsim sample",
        str,
        optional="none; problem table needs one",
    )
    target: str | None = setting(
        None,
        "what y is: one of two classes, or a real number",
        str,
        choices=TARGETS,
        optional="class where y has two values, else real",
    )


def pinned_path(text: str) -> tuple[str, str | None]:
    """(path, digest) of a value of ``table``; the digest is None before it is pinned."""
    found = _PINNED.fullmatch(text)
    return (found["path"], found["digest"]) if found else (text, None)


@dataclass(frozen=True)
class TableProblem(Problem):
    """Points of a file, split into training and test points by the seed."""

    table: str
    precision: str
    wanted: str | None
    """The target that is asked for."""
    facts: str
    """JSON of what ``look`` says of the file."""

    name: ClassVar[str] = "table"
    declared: ClassVar[type] = TableKeys
    source_key: ClassVar[str] = "table"
    described: ClassVar[tuple[str, ...]] = ("table",)
    open_keys: ClassVar[tuple[str, ...]] = ("train_points", "test_points")

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> TableProblem:
        """See ``Problem``."""
        if settings["table"] is None:
            raise UsageError(
                f"{label('problem')} table needs a {label('table')}: an .npz with x and y, or a "
                f"file of fracsim sample"
            )
        facts = settings["problem_facts"] or json.dumps(_load(settings["table"]).facts())
        return cls(settings["table"], settings["precision"], settings["target"], facts)

    @classmethod
    def look(cls, text: str) -> tuple[str, dict[str, Any]]:
        """The path and the digest of the arrays, and their sizes."""
        table = _load(text)
        return f"{table.path}#{table.digest}", table.facts()

    @classmethod
    def complete(cls, settings: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
        """All points there are: one in five for the test, or what is left by the key that is
        given."""
        if settings["table"] is None:
            return {}
        facts = json.loads(settings["problem_facts"])
        every = int(facts["points"])
        found: dict[str, Any] = {"target": _target_of(settings["table"], settings["target"], facts)}
        if "test_points" not in given:
            left = every - settings["train_points"]
            found["test_points"] = left if "train_points" in given else max(every // TEST_SHARE, 1)
        if "train_points" not in given:
            found["train_points"] = every - found.get("test_points", settings["test_points"])
        _check_counts(settings["table"], every, {**settings, **found})
        return found

    @classmethod
    def content_of(cls, key: str, value: Any) -> Any:
        """The digest of a table."""
        return pinned_path(value)[1] or value if key == "table" and value else value

    @classmethod
    def describe(cls, settings: Mapping[str, Any]) -> str:
        """The name of the file."""
        path = pinned_path(str(settings.get("table") or "a table"))[0]
        return path.replace("\\", "/").rpartition("/")[2].replace("$", r"\$")

    @property
    def inputs(self) -> int:
        """d"""
        return int(self._facts["inputs"])

    @property
    def target(self) -> str:
        """As asked for, else by the values of y."""
        return _target_of(self.table, self.wanted, self._facts)

    @property
    def groups(self) -> int:
        """The largest group + 1; 1 where the file has none."""
        return int(self._facts["groups"])

    @property
    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.facts)
        return facts

    def identity(self) -> tuple[Any, ...]:
        """The arrays, wherever they lie."""
        return self.content_of("table", self.table), self.precision, self.target

    def check(self, run: Mapping[str, Any]) -> None:
        """There must be as many points as are asked for, numbers that the precision holds, and a
        target that y can be."""
        _check_counts(self.table, int(self._facts["points"]), run)
        if self.precision == "float32" and self._facts["largest"] > _FLOAT32:
            raise UsageError(
                f"{label('table')} {pinned_path(self.table)[0]} holds {self._facts['largest']:g}; "
                f"accepted with {label('precision')} float32 are numbers below {_FLOAT32:g}"
            )
        _target_of(self.table, self.wanted, self._facts)

    def points(
        self, seed: int, purpose: int, first: int, count: int, backend: Backend | None = None
    ) -> Points:
        """Test points are taken from the front of the seed's own order of the table, training
        points from its end."""
        import numpy as np

        from fracsim.kernels.random.feistel import fill_split
        from fracsim.kernels.random.philox import TEST

        table = _load(self.table)
        every, rows = len(table.y), np.empty(count, np.int64)
        if not 0 <= first <= every - count:
            raise UsageError(f"points {first} to {first + count - 1} of {every} are asked for")
        if purpose == TEST:
            fill_split(np.uint64(seed), first, 1, every, rows)
        else:
            fill_split(np.uint64(seed), every - 1 - first, -1, every, rows)
        x, y = table.x[rows].astype(self.precision), table.y[rows]
        if self.target == "class":
            y = np.where(y == table.values[1], 1.0, -1.0)
        return Points(x, y.astype(self.precision), table.group[rows])


def _target_of(text: str, wanted: str | None, facts: Mapping[str, Any]) -> str:
    """The target: as wanted, else by the values of y. Raises UsageError where y cannot be it."""
    path, values = pinned_path(text)[0], facts["values"]
    if values == 2:
        return wanted or "class"
    many = "more than " * (values > 1000) + f"{min(values, 1000):,}"
    if wanted == "class":
        raise UsageError(
            f"{label('target')} is class and y of {path} has {many} values; accepted are two"
        )
    if wanted is None and facts["whole"]:
        raise UsageError(
            f"y of {path} holds whole numbers of {many} values; accepted are two values, the "
            f"classes, or any with {label('target')} real"
        )
    return "real"


def _check_counts(text: str, every: int, run: Mapping[str, Any]) -> None:
    """Raise UsageError where a run takes more points than there are, or none to train or to
    test."""
    train, test = run["train_points"], run["test_points"]
    if min(train, test) < 1 or train + test > every:
        raise UsageError(
            f"{label('train_points')} and {label('test_points')} are {train} and {test}; accepted "
            f"are at least one of each, and together at most the {every} points of "
            f"{pinned_path(text)[0]}"
        )


def _load(text: str) -> Table:
    """The table of a value of the key, read once. Raises UsageError, FileError where it is not the
    pinned one."""
    from fracsim.data.errors import FileError
    from fracsim.problems.arrays import read_table

    path, digest = pinned_path(text)
    table = read_table(path)
    if digest is not None and digest != table.digest:
        raise FileError(
            f"{label('table')}: '{path}' no longer holds the points that were there when this "
            f"experiment was made; put that file back, or name the new one"
        )
    return table
