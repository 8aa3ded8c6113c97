"""Durations, bytes, counts, sentences and tables as they are printed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fracsim
from fracsim import text as module
from fracsim.text import brief, counted, sentence, shortened, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (4.24, "4.2 s"), (59, "59 s"), (200, "3 min 20 s"), (18720, "5 h 12 min")],
)
def test_durations(seconds, text):
    assert module.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(812, "812 B"), (1400, "1.4 kB"), (2e10, "20 GB"), (1e8, "100 MB"), (1.7e22, "17000000 PB")],
)
def test_sizes(count, text):
    assert module.size(count) == text


def test_counts_agree_with_their_noun():
    assert [counted(n, "run") for n in (0, 1, 1200)] == ["0 runs", "1 run", "1,200 runs"]


@pytest.mark.parametrize(
    ("message", "line"),
    [("no\n  room", "no room."), ("why?", "why?"), ("", ""), (ValueError("odd"), "odd.")],
)
def test_a_sentence_stands_on_one_line(message, line):
    assert sentence(message) == line


def test_long_texts_are_shortened_to_the_length_asked_for():
    assert shortened("x" * 60) == "x" * 60
    assert shortened("x" * 61) == "x" * 57 + "..."
    assert len(shortened("x" * 61)) == 60


def test_columns_of_a_table_are_aligned():
    rows = [["name", "k", "accuracy"], ["a", 100, None], ["longer", 5, "0.5"], ["short"]]
    assert table(rows, align="<", indent="  ") == [
        "  name      k  accuracy",
        "  a       100",
        "  longer    5       0.5",
        "  short",
    ]
    assert table([]) == []


@brief
@dataclass(frozen=True)
class Found:
    values: Any
    notes: tuple[str, ...] = ("one", "two")


def test_a_result_is_a_line():
    assert repr(Found(np.ones((3, 4)))) == "Found(values=float64[3, 4], notes=['one', 'two'])"
    assert repr(Found({"a": 1})).startswith("Found(values={1 keys}")
    assert repr(Found(list(range(9)))).startswith("Found(values=[9 values]")
    assert len(repr(Found("x" * 1000, notes=("y" * 1000,) * 4))) < 320


def test_results_of_the_library_are_lines():
    cantor = fracsim.load_fractal("cantor")
    points = fracsim.Distribution(cantor, 3, fracsim.parse_curve("1"))
    experiment = fracsim.load_experiment("cantor5-depth-width")
    found = fracsim.STUDIES["bounds"].run(fractal="cantor1d", fractal_depth=4, width="10,100")
    built = fracsim.construct(cantor, fractal_depth=2)
    for one in (cantor, points, experiment, found, built, fracsim.STUDIES["bounds"]):
        assert "\n" not in repr(one)
        assert len(repr(one)) < 350, repr(one)
