"""The grammar of --where: alternatives, ranges, repeated keys."""

import pytest

from fracsim.errors import UsageError
from fracsim.products.where import accepted, parse_conditions


@pytest.mark.parametrize(
    ("condition", "meets", "fails"),
    [
        ("100", [100, "100", 100.0], [10, 1000, None, "a"]),
        ("1e-3", [0.001], [0.01]),
        ("10,20", [10, 20], [15]),
        ("10:200", [10, 100, 200, 10.5], [9, 201, "100", None]),
        ("10:50:20", [10, 30, 50], [20, 40, 70]),
        ("0.1:0.3:0.1", [0.1, 0.2, 0.3], [0.15]),
        ("5,10:20", [5, 12], [6, 21]),
        ("finest:2", ["finest:2"], ["2", 2]),
        ("cantor,cantor:2", ["cantor", "cantor:2"], ["vicsek"]),
        (".5,.7,1", [".5,.7,1"], [1, ".7"]),
        ("4", ["4"], ["finest:4"]),
        ("none", [None], ["he"]),
        ([10, 20], [10, 20], [30]),
        (10, [10], [20]),
    ],
)
def test_what_is_accepted(condition, meets, fails):
    wanted = accepted(condition)
    assert [value for value in meets if value not in wanted] == []
    assert [value for value in fails if value in wanted] == []


def test_conditions_on_one_key_are_alternatives():
    found = parse_conditions(["seed=0", "seed=1", "width=10:20", "lr=0.1", "learning-rate=0.2"])
    assert list(found) == ["seed", "width", "learning_rate"]
    assert 0 in found["seed"]
    assert 1 in found["seed"]
    assert 2 not in found["seed"]
    assert str(found["learning_rate"]) == "0.1,0.2"


@pytest.mark.parametrize("text", ["width", "=3", "width=", "width= ", "width=20:10", "width=1:5:0"])
def test_what_means_nothing_is_one_sentence(text):
    with pytest.raises(UsageError, match=r"--where.*accepted is") as error:
        parse_conditions([text])
    assert "\n" not in str(error.value)
