"""What figures say of runs: what is learnt, the heading of a panel, names in a legend."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fracsim.errors import UsageError
from fracsim.problems.fractal import FractalProblem
from fracsim.problems.registry import DESCRIBED, PROBLEMS
from fracsim.products.dead import dead_words
from fracsim.products.entries import Entry, distinct, group, records, values_text, varied
from fracsim.products.runs import Runs


def real_labels(runs: Runs) -> bool:
    """Whether the labels of all runs are real numbers.

    Raises:
        UsageError: some are and some are not, which no axis can show.
    """
    kinds = {entry.real for entry in runs.entries}
    if len(kinds) > 1:
        text = values_text(runs.entries, "problem")
        raise UsageError(
            f"some runs tell classes apart and some approximate real numbers, which one figure "
            f"cannot show; choose some with --where ({text})"
        )
    return kinds.pop()


def panels(runs: Runs, inside: Sequence[str], most: int = 6) -> dict[tuple[Any, ...], list[Entry]]:
    """The runs by every setting that varies and is not drawn inside a panel.

    Raises:
        UsageError: more panels than a figure can hold.
    """
    keys = varied(runs.entries, without=inside)
    parts = group(runs.entries, keys)
    if len(parts) > most:
        text = "; ".join(values_text(runs.entries, key) for key in keys)
        raise UsageError(
            f"the files hold {len(parts)} combinations of {', '.join(keys)}, at most {most} fit "
            f"in a figure; "
            f"choose some with --where ({text})"
        )
    return parts


def caveats_of(runs: Runs) -> list[str]:
    """What must stand under a figure of these runs: files that go on, runs that are left out, dead
    networks."""
    dead = dead_words(runs.entries)
    others = [caveat for caveat in runs.caveats if caveat != dead]
    return [*others, *([f"{dead}."] if dead else [])]


def steps_text(entries: Iterable[Entry]) -> str:
    """``step 1,000,000``, or ``steps 500 to 2,000``: how far the runs have been trained."""
    last = sorted({int(entry.steps[records(entry) - 1]) for entry in entries})
    if len(last) == 1:
        return f"step {last[0]:,}"
    return f"steps {last[0]:,} to {last[-1]:,}"


def describe(settings: Mapping[str, Any], without: Sequence[str] = ()) -> str:
    """What a run learns, in a title: a fractal with its depth and, unless left out, its curve."""
    kind = PROBLEMS.get(str(settings.get("problem", "fractal")), FractalProblem)
    return kind.describe({key: value for key, value in settings.items() if key not in without})


def heading(runs: Runs, inside: Sequence[str], entries: Sequence[Entry]) -> str:
    """What a panel of :func:`panels` shows: its distribution, then the other settings that set it
    apart."""
    keys = varied(runs.entries, without=(*inside, *DESCRIBED))
    # Each fractal has its own default gap: that a gap goes with a fractal needs no words.
    if "gap" in keys and all(
        len(distinct(part, "gap")) == 1 for part in group(runs.entries, ["fractal"]).values()
    ):
        keys.remove("gap")
    text = describe(entries[0].settings, without=inside)
    return text + (
        "\n" + name_values(keys, [entries[0].settings.get(key) for key in keys]) if keys else ""
    )


def name_values(keys: Sequence[str], values: Sequence[Any]) -> str:
    """``depth 5, width 100, learning rate 0.1``: settings of a run, for a legend or a title. A
    width for each layer stands in place of the widest one's."""
    shown = dict(zip(keys, values, strict=True))
    if "width" in shown and "widths" in shown:
        widths = shown.pop("widths")
        shown["width"] = shown["width"] if widths == "equal" else widths
    return ", ".join(
        f"{WORDS.get(key, key.replace('_', ' '))} "
        f"{f'{value:g}' if isinstance(value, float) else value}"
        for key, value in shown.items()
    )


WORDS = {
    "network_depth": "depth",
    "inverse_widths": "Σ 1/n over the hidden layers",
    "kappa": "κ",
}
