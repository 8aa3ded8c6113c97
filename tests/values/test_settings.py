"""The grammar of settings: what text means, and what is said of text that means nothing."""

from dataclasses import dataclass

import pytest

from fracsim.errors import UsageError
from fracsim.studies import STUDIES
from fracsim.training.run import Run
from fracsim.values.settings import REQUIRED, Setting, checked, make_settings, setting, settings_of

WHOLE = Setting("", int, low=1, high=1e6, many=True)
NUMBERS = Setting("", float, many=True)
TEXTS = Setting("", str, many=True)
PLACE = Setting("", float, coordinates=True)


@pytest.mark.parametrize(
    ("accepts", "value", "means"),
    [
        (Setting("", int, low=1), "1e6", 1_000_000),
        (Setting("", int), "100_000", 100_000),
        (WHOLE, "1,2,5", (1, 2, 5)),
        (WHOLE, "1:5", (1, 2, 3, 4, 5)),
        (WHOLE, " 10:50:20 , 1e2", (10, 30, 50, 100)),
        (WHOLE, ("1", "3:4"), (1, 3, 4)),
        (WHOLE, [1, 2], (1, 2)),
        (WHOLE, 7, (7,)),
        (NUMBERS, "0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        (NUMBERS, "-1:1", (-1.0, 0.0, 1.0)),
        (TEXTS, "1, 6", ("1", "6")),
        (TEXTS, "0.5,0.7,1", ("0.5,0.7,1",)),
        (TEXTS, ("finest:2", ".5,1"), ("finest:2", ".5,1")),
        (PLACE, "-1,1,-1,1.5", (-1.0, 1.0, -1.0, 1.5)),
        (PLACE, [0, 1], (0.0, 1.0)),
        (Setting("", bool), True, True),
        (Setting("", float, optional="none"), None, None),
    ],
)
def test_what_text_means(accepts, value, means):
    found = checked("key", accepts, value)
    assert found == means
    assert type(found) is type(means)


@pytest.mark.parametrize(
    ("accepts", "value", "said"),
    [
        (WHOLE, "5:1", "whole numbers from 1 to 1,000,000"),
        (WHOLE, "1:5:0", "as in 1,2,5 or 1:5 or 10:50:10"),
        (WHOLE, "1:5:-1", "'1:5:-1'"),
        (WHOLE, "0,1", "from 1"),
        (WHOLE, "1.5", "'1.5'"),
        (WHOLE, "", "''"),
        (WHOLE, "1:1e12", "at most 1000"),
        (WHOLE, "1:nan", "'1:nan'"),
        (WHOLE, "1:inf", "'1:inf'"),
        (WHOLE, "1:2:3:4", "'1:2:3:4'"),
        (NUMBERS, "nan", "numbers"),
        (NUMBERS, "1,inf", "numbers"),
        (PLACE, "1", "at least two finite numbers"),
        (PLACE, "0,nan", "finite"),
        (PLACE, "a,b", "finite"),
        (TEXTS, "a,,b", "text"),
        (Setting("", bool), "perhaps", "yes or no"),
        (Setting("", int, low=3), 2, "a whole number of at least 3"),
        (Setting("", float, above=0), 0, "a number above 0"),
        (Setting("", float), "inf", "accepted is a number"),
        (Setting("", str, choices=("a", "b")), "c", "one of a, b"),
        (Setting("", int, option="--many"), "x", r"key \(--many\) is 'x'"),
        (Setting("", int, argument=True), "x", "^KEY is 'x'"),
        (Setting("", int), True, "is True"),
    ],
)
def test_what_means_nothing_is_said_in_one_sentence(accepts, value, said):
    with pytest.raises(UsageError, match=said) as error:
        checked("key", accepts, value)
    assert "\n" not in str(error.value)


def test_a_range_of_many_numbers_costs_nothing():
    with pytest.raises(UsageError, match="at most 1000"):
        checked("key", WHOLE, "1:999999999999")


@dataclass(frozen=True)
class Some:
    name: str = setting(REQUIRED, "a name", str, argument=True)
    size: int = setting(3, "a size", int, low=1)

    def validate(self):
        if self.size == 13:
            raise UsageError("no")


def test_settings_are_made_and_checked():
    assert make_settings(Some, {"name": "x"}) == Some("x", 3)
    assert make_settings(Some, {"name": "x", "size": "1e1"}).size == 10
    for values, said in (
        ({}, "NAME is missing"),
        ({"name": None}, "NAME is missing"),
        ({"name": "x", "sise": 1}, "unknown key 'sise' in here; did you mean 'size'"),
        ({"name": "x", "size": 13}, "no"),
    ):
        with pytest.raises(UsageError, match=said):
            make_settings(Some, values, "here")


DECLARED = {"Run": Run} | {name: study.settings for name, study in STUDIES.items()}
SETTINGS = [
    pytest.param(key, accepts, id=f"{name}.{key}")
    for name, declared in DECLARED.items()
    for key, accepts in settings_of(declared).items()
]


def some_of(accepts: Setting) -> tuple[str, ...]:
    """Texts that a setting of several values accepts, one of them alone."""
    if accepts.choices:
        return accepts.choices[:1]
    if accepts.kind is str:
        return ("1",)
    for one in ("1", "2", "0.5", "3", "5", "10"):
        try:
            checked("key", accepts, one)
        except UsageError:
            continue
        return (one,)
    raise AssertionError(accepts)


@pytest.mark.parametrize(("key", "accepts"), SETTINGS)
@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_an_empty_text_is_no_value_of_any_setting(key, accepts, text):
    """As of an unset variable in a shell: --gap "$GAP"."""
    with pytest.raises(UsageError, match=f"^({key} |{key.upper()} is)"):
        checked(key, accepts, text)


@pytest.mark.parametrize(("key", "accepts"), [one for one in SETTINGS if one.values[1].many])
def test_no_alternative_is_taken_twice(key, accepts):
    """Each would be computed and drawn twice, and counted twice in a mean."""
    (one,) = some_of(accepts)
    assert len(checked(key, accepts, one)) == 1
    with pytest.raises(UsageError, match="twice; accepted are values that differ"):
        checked(key, accepts, f"{one},{one}")
    with pytest.raises(UsageError, match="twice; accepted are values that differ"):
        checked(key, accepts, [one, one])
