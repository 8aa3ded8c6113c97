"""What a setting accepts, and how messages name it.

Nothing heavy is imported here: the commands build their options from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_WORDS = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Setting:
    """What one key accepts. ``low`` and ``high`` are included, ``above`` and ``below`` are not."""

    about: str
    kind: type
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    optional: str = ""
    """What leaving the key out means; empty where the default is a value."""

    @property
    def accepted(self) -> str:
        """The accepted values as a phrase: "a whole number from 1 to 1000"."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind is str:
            return "text"
        if self.low is not None and self.high is not None:
            return f"{_WORDS[self.kind]} from {_number(self.low)} to {_number(self.high)}"
        lower = (
            f"above {_number(self.above)}"
            if self.low is None
            else f"of at least {_number(self.low)}"
        )
        upper = (
            f"below {_number(self.below)}" if self.high is None else f"at most {_number(self.high)}"
        )
        return f"{_WORDS[self.kind]} {lower} and {upper}"

    def holds(self, value: Any) -> bool:
        """Whether a value of the right type is in the accepted range (NaN never is)."""
        if self.choices:
            return value in self.choices
        if self.kind is str:
            return bool(value)
        return bool(
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (self.below is None or value < self.below)
        )


def option_name(key: str) -> str:
    """The option of ``fracsim train`` for a key: "--learning-rate"; ``network_depth`` is
    "--depth"."""
    return "--depth" if key == "network_depth" else "--" + key.replace("_", "-")


def label(key: str) -> str:
    """A key as messages name it, with its option: "learning_rate (--learning-rate)"."""
    return f"{key} ({option_name(key)})"


def _number(value: float | None) -> str:
    return f"{value:,.0f}" if value is not None and value == int(value) else f"{value:g}"
