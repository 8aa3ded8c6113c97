"""Durations, bytes, counts, sentences and tables as they are printed."""

import pytest

from fracsim import text as module
from fracsim.text import counted, sentence, shortened, table


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
