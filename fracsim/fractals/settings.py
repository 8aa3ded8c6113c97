"""The settings that say which distribution is meant, as studies declare them: one meaning, one type
and one default text over all commands."""

from typing import Any

from fracsim.values.settings import REQUIRED, setting

CURVES = "1 to 6, polynomial:P, finest:M, or P(0),P(1),…,P(n)"


def fractal_setting() -> Any:
    """FRACTAL, the first argument."""
    return setting(
        REQUIRED,
        "name of a fractal (see 'fracsim show'), or path of its TOML file",
        str,
        argument=True,
    )


def depth_setting(default: int, high: int = 1000) -> Any:
    """--fractal-depth n."""
    return setting(default, "depth n of the fractal", int, low=1, high=high)


def curve_setting(default: str = "1", about: str = "approximation curve") -> Any:
    """--curve: one approximation curve."""
    return setting(default, f"{about}: {CURVES}", str)


def gap_setting() -> Any:
    """--gap."""
    return setting(
        None,
        "where negatives lie",
        str,
        choices=("complement", "centre"),
        optional="the fractal's",
    )


def seed_setting(about: str) -> Any:
    """--seed."""
    return setting(0, about, int, low=0, high=10**18)
