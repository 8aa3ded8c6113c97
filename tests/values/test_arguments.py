"""No public name answers garbage with anything but a sentence: each is called with wrong types,
wrong sizes, values that are not finite, NumPy's scalars, empty and huge."""

import collections
import contextlib
import decimal
import enum
import io
import itertools
import math
import os
import time
import types
import warnings

import numpy as np
import pytest
from public_calls import public_calls

import fracsim
from fracsim.errors import FracsimError
from fracsim.experiments.grid import Grid
from fracsim.kernels.points.geometry import Geometry


def fails(*_):
    raise RuntimeError("no words")


class Odd:
    """An object without words."""

    __repr__ = fails


def failing(*names, base=object):
    """An object whose methods fail, with an exception that is nobody's business."""
    return type("Failing", (base,), dict.fromkeys(names, fails))()


DEEP = []
for _ in range(3000):
    DEEP = [DEEP]


WRONG = {
    "none": None,
    "true": True,
    "text": "nonsense",
    "empty text": "",
    "number as text": "16",
    "bytes": b"abc",
    "negative": -1,
    "zero": 0,
    "fraction": 5.7,
    "nan": math.nan,
    "infinity": math.inf,
    "huge": 10**30,
    "many": 10**13,
    "complex": 1j,
    "numpy fraction": np.float32(2.5),
    "numpy nan": np.float64("nan"),
    "numpy bool": np.bool_(True),
    "numpy huge": np.uint64(2**63),
    "list": [1, 2],
    "empty list": [],
    "nested": [[1], [2, 3]],
    "nan list": [math.nan, 1.0],
    "mapping": {"a": 1},
    "numbers as keys": {1: 2},
    "set": {1},
    "array": np.arange(3.0),
    "empty array": np.empty((0, 0)),
    "objects": np.array([None, "x"], object),
    "nan array": np.full((2, 2), math.nan),
    "three axes": np.zeros((1, 1, 1)),
    "function": lambda *_: None,
    "class": int,
    "odd": Odd(),
    "failing": failing("__getattr__", "__repr__"),
    "failing number": failing("__index__", "__float__", "__array__", "__fspath__"),
    "masked": np.ma.masked_array([1.0, 2.0], [0, 1]),
    "numpy complex": np.complex128(0.5),
    "span": np.timedelta64(3, "s"),
}
"""What is given in place of each argument, one at a time."""

SLOW_WRONG = {
    "long text": "9" * 5000,
    "long list": list(range(100_001)),
    "deep": [[[[[[[[[[]]]]]]]]]],
    "deeper": DEEP,
    "failing list": failing("__getitem__", base=collections.UserList),
    "failing mapping": failing("__iter__", "items", base=collections.UserDict),
    "mask": np.ma.masked,
    "text of no axes": np.array("3"),
    "long range": range(10**13),
    "many digits": 10**400,
    "longest number": np.longdouble("1e4000"),
    "long index": type("Long", (), {"__index__": lambda _: 10**40})(),
    "half": np.float16(2),
    "decimal": decimal.Decimal("NaN"),
    "escape": "\x1b[31mred",
    "device": "/dev/full",
    "memory": memoryview(b"3"),
    "wide array": np.zeros((3, 100_000)),
    "times": np.array(["2020-01-01"], "datetime64[D]"),
    "records": np.zeros(2, [("a", "f8")]),
    "iterator": iter([1]),
    "range": range(3),
    "bytearray": bytearray(b"ab"),
    "minus zero": -0.0,
    "least": 5e-324,
    "largest": 1.7e308,
    "surrogate": "\ud800",
    "nul": "a\0b",
    "newline": "a\nb",
    "dollar": "$x_$",
}


class Endless(collections.abc.Sequence):
    """A sequence that says it has two entries, and never ends."""

    def __len__(self):
        return 2

    def __getitem__(self, place):
        return 1


class Endlessly(dict):
    """A mapping that never ends."""

    def items(self):
        return ((f"key{i}", i) for i in itertools.count())


class Disguised:
    """It says that it is a text."""

    __class__ = str  # type: ignore[assignment]


class Mute(str):
    """A text that cannot be printed."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __format__ = __str__  # type: ignore[assignment]


SLOW_WRONG |= {
    "endless": Endless(),
    "endless mapping": Endlessly(width=1),
    "long length": type("Long", (Endless,), {"__len__": lambda _: 2**62})(),
    "less than nothing": type("Less", (Endless,), {"__len__": lambda _: -1})(),
    "longest range": range(2**70),
    "disguised": Disguised(),
    "mute": Mute("1"),
    "long name of itself": type("Wordy", (), {"__repr__": lambda _: "x" * 10**7})(),
    "nameless": type("Nameless", (), {"__repr__": lambda _: 3})(),
    "spread": np.broadcast_to(np.float64(1), (10**12,)),
    "spread twice": np.broadcast_to(np.float64(1), (10**6, 10**6)),
    "no time": np.datetime64("NaT", "s"),
    "slice": slice(1, 2),
    "read-only mapping": types.MappingProxyType({"a": 1}),
    "nothing as a key": {None: 1},
}


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Name -> (a public function or method, arguments that it accepts); files of odd names come to
    lie in a folder of their own."""
    folder = tmp_path_factory.mktemp("door")
    with contextlib.chdir(folder):
        yield dict(public_calls(folder))


def outcome(function, arguments):
    """How a call ends: "value", the name of an exception of ours, or what is foreign. What it says
    and warns of is not looked at, but that it is one line."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            result = function(**arguments)
        except (FracsimError, fracsim.FileError) as error:
            printable = str(error).isprintable()
            return (type(error).__name__ if printable else f"foreign letters: {error!r}"), None
        except TypeError as error:
            missing = "missing" in str(error) or "unexpected keyword" in str(error)
            return ("TypeError" if missing else f"foreign TypeError: {error}"), None
        except BaseException as error:
            return f"foreign {type(error).__name__}: {error}", None
    return "value", result


def walk(calls, wrong):
    """(what was called, how it ended) of every public name with every wrong value."""
    for name, (function, arguments) in calls.items():
        for argument in arguments:
            for kind, value in wrong.items():
                ended, result = outcome(function, {**arguments, argument: value})
                yield (name, argument, kind), ended, result


def tell(found):
    """Counts of calls by how they ended."""
    return collections.Counter(ended.partition(":")[0] for _, ended, _ in found)


def test_what_is_right_is_accepted(calls):
    for name, (function, arguments) in calls.items():
        assert outcome(function, arguments)[0] == "value", (name, outcome(function, arguments))


# What stands for nothing that any public argument could be, save the few that take anything.
NEVER = ("failing", "failing number", "masked", "numpy complex", "span", "mask", "failing list")
NEVER += ("complex", "odd", "nan array", "objects", "set", "nan list", "class", "numpy nan", "nan")
ANYTHING = {"progress", "announce", "on_progress"}
QUICK = ("none", "true", "text", "negative", "fraction", "huge", "nested", "mapping", "empty list")


def check(calls, wrong, least):
    """Only sentences of ours, and never a number where garbage went in."""
    found = list(walk(calls, wrong))
    foreign = [(what, ended) for what, ended, _ in found if ended.startswith("foreign")]
    assert not foreign, (tell(found), foreign[:40])
    answered = [what for what, ended, _ in found if ended == "value" and what[2] in NEVER]
    assert not [
        what
        for what in answered
        if what[1] not in ANYTHING and what[:2] != ("split_layers", "params")
    ]
    assert len(found) > least


def test_garbage_is_answered_by_a_sentence(calls):
    kinds = (*QUICK, "nan array", "objects", "nan list", "nan", "odd", "failing", "masked")
    check(calls, {kind: WRONG[kind] for kind in kinds}, 2500)


@pytest.mark.slow
def test_every_kind_of_garbage_is_answered_by_a_sentence(calls):
    check(calls, WRONG | SLOW_WRONG, 8000)


def test_every_public_name_is_walked_over(calls):
    """A function or method without a row here has no door."""
    results = {  # what functions return, made by nobody else
        "Bounds", "Construction", "GradientStudy", "Partition", "Point", "Sample", "SegmentRegions",
        "Trajectory", "Verification", "Experiment", "Runs",
    }  # fmt: skip
    errors = {"UsageError", "RunError", "FileError"}
    plain = {"STUDIES", "experiment_names", "fractal_names"}  # these take nothing
    walked = {name.partition(".")[0] for name in calls}
    assert set(fracsim.__all__) - results - errors - plain <= walked


def test_numbers_of_numpy_are_numbers(calls):
    """Where a whole number or a number is taken, NumPy's is, whatever its type."""
    for name, (function, arguments) in calls.items():
        for argument, value in arguments.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            kinds = (np.int16, np.int64) if isinstance(value, int) else (np.float64, np.float32)
            for kind in kinds:
                given = kind(value)
                ended, _ = outcome(function, {**arguments, argument: given})
                accepted = ended == "value" or (isinstance(value, float) and ended == "UsageError")
                assert accepted, (name, argument, kind, ended)


def test_wrong_sizes_reach_no_kernel(calls):
    """The faults that were found: a number, or the end of the process."""
    forward, network = calls["backend.forward"]
    for change in (
        {"params": network["params"][:, :-1]},
        {"x": np.zeros((1, 5, 2), np.float32)},
        {"set_of_run": np.ones(1, np.int64)},
        {"set_of_run": np.full(1, -1)},
        {"set_of_run": np.zeros(2, np.int64)},
        {"x": np.full_like(network["x"], np.nan)},
    ):
        with pytest.raises(fracsim.UsageError, match=next(iter(change))):
            forward(**{**network, **change})
    evaluate, whole = calls["backend.evaluate"]
    for name in ("y", "level"):
        with pytest.raises(fracsim.UsageError, match=name):
            evaluate(**{**whole, name: whole[name][:, :3]})
    with pytest.raises(fracsim.UsageError, match="level runs up to 2"):
        evaluate(**{**whole, "n": 1})
    sample, drawn = calls["backend.sample"]
    verify, tried = calls["verify"]
    split, parts = calls["split_layers"]
    other = fracsim.Distribution(fracsim.load_fractal("cantor"), 3, fracsim.parse_curve("1"))
    offsets = other.fractal.offsets
    geometry = Geometry(drawn["geometry"][0], offsets, *drawn["geometry"][2:])
    with pytest.raises(fracsim.UsageError, match="offsets"):
        sample(**{**drawn, "geometry": geometry})
    with pytest.raises(fracsim.UsageError, match="dimension"):
        verify(**{**tried, "distribution": other})
    with pytest.raises(fracsim.UsageError, match="params is an array"):
        split(**{**parts, "params": parts["params"][:-1]})


@pytest.mark.parametrize(
    "path",
    ["x" * 300, "x" * 240, "a/" * 3000 + "b", "nowhere/x.h5", "/dev/null/x.h5", ".", "loop/x.h5"],
)
def test_what_the_system_says_of_a_file_is_a_sentence(calls, path):
    """Of names that are too long (also with the endings of a checkpoint), of loops of links, and
    of folders that are files."""
    with contextlib.suppress(FileExistsError):
        os.symlink("loop", "loop")
    for name, (function, arguments) in calls.items():
        for argument, value in arguments.items():
            if isinstance(value, os.PathLike):
                ended, _ = outcome(function, {**arguments, argument: path})
                said = ended in ("FileError", "RunError", "UsageError")
                assert said or (ended == "value" and len(path) == 240), (name, argument, ended)


def test_members_of_an_enumeration_of_texts_are_their_texts(tmp_path, monkeypatch):
    """Not their names, which is what str makes of them."""

    class Given(str, enum.Enum):  # noqa: UP042
        FILE = "run.h5"
        FRACTAL = "cantor1d"
        SCHEME = "he"
        WIDTH = "4"
        BACKEND = "cpu"

    assert f"{Given.FILE}" != "run.h5"
    monkeypatch.chdir(tmp_path)
    fracsim.train(
        Given.FILE, fractal=Given.FRACTAL, initialisation=Given.SCHEME, width=Given.WIDTH,
        fractal_depth=2, network_depth=1, steps=2, record_every=2,
        train_points=20, test_points=10, batch_size=5,
    )  # fmt: skip
    assert os.listdir() == ["run.h5"]
    stored = fracsim.open_trajectory(Given.FILE)
    assert stored.path == "run.h5"
    settings = [stored.runs[key][0] for key in ("fractal", "initialisation", "width")]
    assert settings == ["cantor1d", "he", 4]
    assert fracsim.get_backend(Given.BACKEND).name == "cpu"
    assert fracsim.load_fractal(Given.FRACTAL).name == "cantor1d"
    assert fracsim.bounds_of(Given.FRACTAL, 2, "1").fractal.name == "cantor1d"


@pytest.mark.parametrize("where", ["Grid.cross", "parse_curve", "Grid.zip"])
@pytest.mark.parametrize("kind", ["long range", "endless", "spread", "longest range"])
def test_lists_without_end_are_refused_at_once(where, kind, calls):
    function, arguments = calls[where]
    given = {"Grid.cross": "axis", "parse_curve": "given", "Grid.zip": "table"}[where]
    value = {"width": SLOW_WRONG[kind]} if where == "Grid.zip" else SLOW_WRONG[kind]
    began = time.process_time()
    assert outcome(function, {**arguments, given: value})[0] == "UsageError"
    assert time.process_time() - began < 5


def test_a_value_twice_among_very_many_is_found_at_once():
    began = time.process_time()
    with pytest.raises(fracsim.UsageError, match="has 90000 twice"):
        Grid().cross("seed", [*range(90_001), 90_000])
    assert time.process_time() - began < 5
