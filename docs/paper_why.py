"""Why numbers of docs/paper.md differ from the paper's: one experiment for each possible reason."""

import statistics
from collections.abc import Sequence

from paper_rows import (
    MARGIN_CURVE,
    Row,
    agrees,
    best,
    curve_cell,
    curves_at,
    distinct,
    ended,
    load,
    table,
)

STEPS = 1_000_000


def why(cells: dict[int, dict[int, float]], curves: dict[str, float]) -> list[str]:
    """The section: figure 4 at its widest and deepest, the curves of figure 5, and the units that
    a rate leaves without work. ``cells[depth][width]`` and ``curves`` are the paper's."""
    parts = [*figure_4(cells), *figure_5(curves), *units()]
    return ["## Why ours differ", *parts] if parts else []


def figure_4(theirs: dict[int, dict[int, float]]) -> list[str]:
    """Cells of figure 4 at rates below the table's."""
    rows = ended(load("cantor-depth-width"))
    lines, agreeing = [], 0
    for row in rows:
        if float(row["learning_rate"]) >= 0.001:
            continue
        depth, width = row["network_depth"], row["width"]
        at_first = best(ended(rows, learning_rate="0.001", network_depth=depth, width=width))
        found, number = float(row["best"]), theirs[int(depth)][int(width)]
        agreeing += agrees([found], number, int(width) >= 50)
        seeds = ", ".join(f"{value:.3f}" for value in sorted(at_first))
        line = [seeds, row["learning_rate"], row["seed"], f"{found:.3f}", f"{number:.3f}"]
        lines.append([depth, width, *line])
    if not lines:
        return []
    head = ["depth", "width", "at 0.001, each seed", "smaller rate", "seed", "at that", "the paper"]
    return [
        "Figure 4: is it the learning rate?",
        table(head, lines),
        f"At the smaller rate {agreeing} of {len(lines)} agree.",
    ]


def figure_5(theirs: dict[str, float]) -> list[str]:
    """What another learning rate, more steps, and other initial weights make of the curves."""
    kinds = {
        f"width {width}, rate {rate}" + ("" if steps == STEPS else f", {steps:,} steps"): ended(
            curves_at(rate, steps), width=width
        )
        for width in distinct(load("cantor-curves"), "width")
        for rate in reversed(distinct(load("cantor-curves"), "learning_rate"))
        for steps in (STEPS, 3 * STEPS)
    }
    kinds["width 100, rate 0.001, He's initial weights"] = ended(load("cantor-curves-he"))
    kinds = {name: rows for name, rows in kinds.items() if rows}
    if len(kinds) < 2:
        return []
    curves = list(theirs)
    everything = [row for rows in kinds.values() for row in rows]
    lines = [
        [name, *(curve_cell(ended(rows, curve=curve)) for curve in curves)]
        for name, rows in kinds.items()
    ]
    greatest = {c: max(best(ended(everything, curve=c)), default=0.0) for c in curves}
    lines.append(["the best of all these", *(f"{greatest[curve]:.3f}" for curve in curves)])
    lines.append(["the paper's best, rate unknown", *(f"{theirs[curve]:.3f}" for curve in curves)])
    short = [curve for curve in curves if theirs[curve] - greatest[curve] > MARGIN_CURVE]
    said = (
        f"On curve {', '.join(short)} the best of ours is still more than {MARGIN_CURVE} below."
        if short
        else f"On every curve the best of ours is at most {MARGIN_CURVE} below the paper's best."
    )
    return [
        "Figure 5: is it the width, the learning rate, the number of steps or the initial weights?",
        table(["networks of depth 5", *(f"curve {curve}" for curve in curves)], lines),
        said,
    ]


def units() -> list[str]:
    """The share of units that a rate leaves without work after a few steps."""
    rows = ended(load("inactive"))
    if not rows:
        return []
    widths, rates = distinct(rows, "width"), list(reversed(distinct(rows, "learning_rate")))
    curves, steps = distinct(rows, "curve"), int(rows[0]["steps"])
    lines = [
        [
            curve,
            rate,
            *(lost(ended(rows, curve=curve, learning_rate=rate, width=w)) for w in widths),
        ]
        for curve in curves
        for rate in rates
    ]
    seeds = len(distinct(rows, "seed"))
    return [
        f"What the rate does: hidden units that no test point activates after {steps:,} steps, "
        f"depth 5, mean of {seeds} seeds [least, greatest]; the share of each layer is kept in "
        "whole per cents, rounded down. A likely reason, which is not measured here: Adam's first "
        "steps move every weight by about the rate, whatever its gradient, and a unit sums as many "
        "of these as the layer below has units, so that the wider the network is, the further it "
        "is thrown. A unit that no point activates feels no gradient; only what changes below it "
        "could bring it back.",
        table(["curve", "rate", *(f"width {width}" for width in widths)], lines),
    ]


def lost(rows: Sequence[Row]) -> str:
    """A cell of ``units``."""
    shares = [statistics.fmean(map(int, row["inactive"].split("/"))) for row in rows]
    if not shares:
        return "–"
    return f"**{statistics.fmean(shares):.0f} %** [{min(shares):.0f}, {max(shares):.0f}]"
