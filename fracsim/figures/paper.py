"""The paper's own numbers, read from ``fracsim.data.paper``, and where they may be laid over
ours."""

import tomllib

from fracsim.data.presets import preset_text
from fracsim.products.entries import Entry

SOURCE = "the paper's, 10⁶ steps"
"""Whose hollow points they are, and how long their networks were trained."""

CIFAR = "cifar10-depth-width"
"""The table of convolutional networks on CIFAR-10 (figure 6)."""

_STEPS = {"cantor5-depth-width": "10⁶", CIFAR: "60,000"}


def source_of(table: str) -> str:
    """``SOURCE`` of one of the tables by depth and width."""
    return f"the paper's, {_STEPS[table]} steps"


def protocol(table: str) -> str:
    """How the paper made the numbers of a table, for the foot of a figure."""
    return str(tomllib.loads(preset_text("paper", table))["protocol"])


def depth_width_table(name: str = "cantor5-depth-width") -> dict[int, dict[int, float]]:
    """Best test accuracy ``[network depth][width]`` on 2D Cantor, fractal depth 5, curve 1 (the
    depth-width figure), or of another table."""
    table = tomllib.loads(preset_text("paper", name))
    return {
        int(depth): dict(zip(table["widths"], row, strict=True))
        for depth, row in table["best_test_accuracy"].items()
    }


def curve_table() -> dict[str, float]:
    """Best test accuracy of the paper's depth-5 networks ``[curve]`` on 2D Cantor, fractal depth 5
    (figure 5)."""
    table = tomllib.loads(preset_text("paper", "cantor5-curves"))
    return {str(curve): float(value) for curve, value in table["best_test_accuracy"].items()}


def table_of(entry: Entry) -> str:
    """The table by depth and width that a run stands beside; "" where the paper has none."""
    if is_papers(entry):
        return "cantor5-depth-width"
    settings = entry.settings
    if (settings.get("problem"), settings.get("network")) != ("images", "cnn"):
        return ""
    sources = entry.trajectory.experiment.get("sources")
    facts = sources.get(settings.get("images")) if isinstance(sources, dict) else None
    return CIFAR if isinstance(facts, dict) and facts.items() >= _CIFAR_FACTS.items() else ""


_CIFAR_FACTS = {"train": 50_000, "test": 10_000, "image": [32, 32, 3], "classes": 10}


def is_papers(entry: Entry, curve: str | None = "1") -> bool:
    """Whether a run sampled the paper's 2D Cantor distribution of depth 5 (no other fractal may
    have its name).

    Args:
        entry: the run.
        curve: the curve it must have; None accepts all (figure 5 has one point per curve).
    """
    settings = entry.settings
    return (
        settings.get("fractal") in ("cantor", "cantor:2")
        and settings.get("fractal_depth") == 5
        and (curve is None or settings.get("curve") == curve)
        and settings.get("gap") in (None, "", "centre")
        and not settings.get("positive_margin")
        and not settings.get("negative_margin")
    )
