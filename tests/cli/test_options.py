"""What options accept, in which order they count, and what ``--json`` prints."""

import json

import numpy as np
import pytest
from command_line import fracsim

from fracsim.cli.options import Count, echo_json
from fracsim.cli.settings import parse_set
from fracsim.errors import UsageError


def test_options_come_from_the_environment_and_the_command_line_wins(monkeypatch):
    monkeypatch.setenv("FRACSIM_FRACTAL_DEPTH", "2")
    assert len(json.loads(fracsim("show", "curve", "1", "--json").out)["values"]) == 3
    assert (
        len(
            json.loads(fracsim("show", "curve", "1", "--json", "--fractal-depth", "4").out)[
                "values"
            ]
        )
        == 5
    )


@pytest.mark.parametrize(
    ("text", "count"), [("7", 7), ("1e6", 10**6), ("100_000", 100_000), ("2.5e1", 25)]
)
def test_counts_are_read_as_people_write_them(text, count):
    assert Count().convert(text, None, None) == count


@pytest.mark.parametrize(
    "text", ["0", "-3", "nan", "inf", "1.5", "many", "", "1e999", "1e300", "1000000000000000001"]
)
def test_other_counts_are_refused(text):
    result = fracsim("sample", "vicsek", "-o", "x.h5", f"--count={text}")
    assert result.code == 2
    assert f"'{text}' is not a whole number from 1 to 1e+18" in result.sentence
    assert "--count" in result.sentence


def test_json_is_strict(capsys):
    odd = {
        "a": np.float32(0.5),
        "b": np.array([1.0, np.nan]),
        "c": float("inf"),
        "d": (np.int64(3),),
        4: None,
    }
    echo_json(odd)
    assert json.loads(capsys.readouterr().out) == {
        "a": 0.5,
        "b": [1.0, None],
        "c": None,
        "d": [3],
        "4": None,
    }


@pytest.mark.parametrize(
    ("assignment", "means"),
    [
        ("width=10", "10"),
        ("width=10,20", ["10", "20"]),
        ("width=10:50:20", ["10", "30", "50"]),
        ("width=100-20-100,10", ["100-20-100", "10"]),
        ("width=[10,20]", [10, 20]),
        ('width=[10,"100-20-100"]', [10, "100-20-100"]),
        ("width=[10, 100-20-100]", ["10", "100-20-100"]),
        ("seed=0:2", ["0", "1", "2"]),
        ("seed={start=0, stop=2}", {"start": 0, "stop": 2}),
        ("learning_rate=0.1:0.3:0.1,1", ["0.1", "0.2", "0.3", "1"]),
        ("initialisation=paper,he", ["paper", "he"]),
        ("initialisation=[paper, he]", ["paper", "he"]),
        ('initialisation=["paper","he"]', ["paper", "he"]),
        ("curve=1,4,finest:2", ["1", "4", "finest:2"]),
        ("curve=.5,.7,1", ".5,.7,1"),
        ("fractal=cantor:2", "cantor:2"),
        ('init_from="a,b.h5"', "a,b.h5"),
    ],
)
def test_values_of_set_are_separated_by_commas_and_words_need_no_quotes(assignment, means):
    assert list(parse_set((assignment,)).values()) == [means]


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("seed=5:1", r"seed \(--seed\) is '5:1'.* a range that rises"),
        ("seed=0:1e9", "more than the 100000 values"),
        ("width=[5", "not valid TOML"),
        ("width=", "key=value"),
    ],
)
def test_wrong_values_of_set_are_refused(assignment, said):
    with pytest.raises(UsageError, match=said):
        parse_set((assignment,))
