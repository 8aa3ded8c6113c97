"""Write docs/paper.md, and its figures, from docs/results: ours beside the paper's.

    python docs/paper.py

Every number of the page comes from the CSVs, which docs/results.py made of trajectory files, or
from the paper's tables in data/paper. Without new results the text comes out byte for byte."""

import itertools
import statistics
from collections.abc import Callable, Sequence

from paper_figures import curve_figure, depth_width_figure
from paper_rows import (
    HERE,
    MARGIN_CURVE,
    MARGIN_SPAN,
    MARGIN_WIDE,
    Row,
    agrees,
    best,
    by_curve,
    by_two,
    cell,
    curve_cell,
    curves_at,
    distinct,
    ended,
    learnt_at,
    levels_at,
    lively,
    load,
    span_reaches,
    table,
)
from paper_why import why
from results import read_results

from fracsim.figures import paper

TRAINED = (
    "cantor-depth-width",
    "cantor-curves",
    "cantor-curves-he",
    "fractals-depth-width",
    "fractals-curves",
    "cantor1d-fine",
    "inactive",
)
"""The CSVs of this page that are of trajectory files."""


def grid(
    rows: Sequence[Row], pick: Callable[[list[Row]], list[Row]], theirs: dict[int, dict[int, float]]
) -> str:
    """Best test accuracy by depth and width; ``pick`` chooses which runs of a cell count."""
    widths = distinct(rows, "width")
    lines = []
    for depth in distinct(rows, "network_depth"):
        line = [depth]
        for width in widths:
            chosen = pick(ended(rows, network_depth=depth, width=width))
            number = theirs.get(int(depth), {}).get(int(width))
            line.append(cell(chosen, number, int(width) >= 50))
        lines.append(line)
    return table(["depth", *(f"width {width}" for width in widths)], lines)


def best_rate(rows: list[Row]) -> list[Row]:
    """The runs at the learning rate with the highest mean."""
    parts = [ended(rows, learning_rate=rate) for rate in distinct(rows, "learning_rate")]
    return max(parts, key=lambda part: statistics.fmean(best(part)), default=[])


def figure_4() -> list[str]:
    """The paper's figure 4 on its Cantor set: depth against width."""
    rows = load("cantor-depth-width")
    if not rows:
        return []
    theirs = paper.depth_width_table()
    main = ended(rows, learning_rate="0.001")
    parts = [
        "## Figure 4: depth against width",
        "The Cantor set of depth 5, curve 1, the best test accuracy of 100 evaluations in 10^6 "
        "steps. **Mean over seeds** [least, greatest seed] (the paper's number); ! marks a paper's "
        "number "
        f"that is neither within {MARGIN_WIDE} of the mean (width 50 and above) nor within "
        f"{MARGIN_SPAN} of the span of our seeds (below width 50: within {MARGIN_WIDE} of the "
        "span).",
        "![Best test accuracy against width, a line for each depth](images/paper-figure-4.png)",
        "At the one learning rate 0.001:",
        grid(main, list, theirs),
        misses(main, theirs),
    ]
    greater = [row for row in ended(rows) if float(row["learning_rate"]) > 0.001]
    if greater:
        widths = distinct(greater, "width")
        tried = [row for row in ended(rows) if float(row["learning_rate"]) >= 0.001]
        parts += [
            f"At the best of {', '.join(distinct(tried, 'learning_rate'))} by the mean over seeds:",
            grid([row for row in tried if row["width"] in widths], best_rate, theirs),
        ]
    return [*parts, *many_seeds(main, theirs)]


def misses(rows: Sequence[Row], theirs: dict[int, dict[int, float]]) -> str:
    """How many cells agree, and in which widths depth orders the medians."""
    total, apart, orders = 0, [], []
    for width in distinct(rows, "width"):
        medians = []
        for depth in distinct(rows, "network_depth"):
            found = best(ended(rows, network_depth=depth, width=width))
            if not found:
                continue
            medians.append(statistics.median(found))
            total += 1
            if not agrees(found, theirs[int(depth)][int(width)], int(width) >= 50):
                apart.append(f"depth {depth}, width {width}")
        if len(medians) > 1 and medians == sorted(medians):
            orders.append(width)
    outside = f" The others (see why ours differ): {'; '.join(apart)}." if apart else ""
    ordered = ", ".join(orders) if orders else "no width"
    return (
        f"{total - len(apart)} of {total} cells agree.{outside} The medians over seeds grow with "
        f"every layer at width {ordered}."
    )


def many_seeds(rows: Sequence[Row], theirs: dict[int, dict[int, float]]) -> list[str]:
    """The cells with more than three seeds, seed by seed."""
    lines = []
    for depth in distinct(rows, "network_depth"):
        for width in distinct(rows, "width"):
            found = sorted(best(ended(rows, network_depth=depth, width=width)))
            if len(found) > 3:
                number = f"{theirs[int(depth)][int(width)]:.3f}"
                lines.append([depth, width, ", ".join(f"{v:.3f}" for v in found), number])
    if not lines:
        return []
    return [
        "Seed by seed, where more than three were trained:",
        table(["depth", "width", "best test accuracy, ascending", "paper"], lines),
    ]


def figure_5() -> list[str]:
    """The paper's figure 5: which curves can a deep network learn?"""
    rows = main_curves()
    if not rows:
        return []
    theirs = paper.curve_table()
    widths = distinct(rows, "width")
    lines, apart = [], []
    controls = {name: shares_by_curve(name) for name in ("nearest", "kernels")}
    for curve in distinct(rows, "curve"):
        chosen = ended(rows, curve=curve)
        near = [value for row in lively(chosen) for value in best([row])]
        if near and not span_reaches(near, theirs[curve], MARGIN_CURVE):
            apart.append(curve)
        line = [curve, f"{theirs[curve]:.3f}"]
        line += [f"{found[int(curve)]:.3f}" if found else "–" for found in controls.values()]
        lines.append(line + [curve_cell(ended(chosen, width=width)) for width in widths])
    head = ["curve", "paper", "nearest neighbour", "tangent kernel"]
    said = (
        f"The paper's number is within {MARGIN_CURVE} of the span of our living seeds on every "
        "curve."
        if not apart
        else f"The paper's number is more than {MARGIN_CURVE} above or below every living seed of "
        f"ours on curve {', '.join(apart)}."
    )
    return [
        "## Figure 5: the approximation curve",
        "The same set, depth 5, learning rate 0.001 (in the figure also smaller ones, of which the "
        "next section tells), from the coarsest curve, 1, to the finest, 6: mean [least, greatest] "
        "of the seeds that live. The paper's number is that of its best network of depth 5, of all "
        "its widths from 10 to 400. A network is *dead* from the step on from which no hidden "
        "layer feels any gradient, whatever the point. Two controls know no layers: the *nearest "
        "neighbour* among the same 50,000 training points (3 seeds), and ridge regression by the "
        "*tangent kernel* of three layers on 5,000 of them (one draw; both by `python "
        "docs/controls.py`). Where a network stays below them, the data are not to blame.",
        "![Best test accuracy against the curve](images/paper-figure-5.png)",
        table([*head, *(f"width {width}" for width in widths)], lines),
        said,
        learning_times(rows),
    ]


def main_curves() -> list[Row]:
    """The runs that stand beside the paper's: its initial weights, the one learning rate."""
    return curves_at("0.001", 1_000_000)


def differences() -> list[str]:
    """Why ours differ from the paper's numbers."""
    return why(paper.depth_width_table(), paper.curve_table())


def shares_by_curve(name: str) -> dict[int, float]:
    """Curve -> accuracy of a control, the mean over its seeds."""
    rows = load(name)
    return {
        curve: statistics.fmean(float(row["accuracy"]) for row in rows if row["curve"] == text)
        for curve, text in ((int(text), text) for text in distinct(rows, "curve"))
    }


def learning_times(rows: Sequence[Row]) -> str:
    """When each level is learnt: medians over the seeds."""
    n = int(rows[0]["fractal_depth"])
    lines = []
    for curve in distinct(rows, "curve"):
        for width in distinct(rows, "width"):
            chosen = ended(rows, curve=curve, width=width)
            if chosen:
                lines.append([curve, width, *(when(chosen, level) for level in range(n))])
    head = ["curve", "width", *(f"level {level}" for level in range(n))]
    return (
        "The step, in thousands, from which on 80 % of the negatives of a level are right at every "
        f"kept record (median over seeds, of {len(levels_at(rows[0]))} records; – never; · no "
        "negatives there; k/m: only k of m seeds got there):\n\n" + table(head, lines)
    )


def when(rows: Sequence[Row], level: int) -> str:
    """A cell of ``learning_times``."""
    if all(values[level] is None for _, values in levels_at(rows[0])):
        return "·"
    found = [step for row in rows if (step := learnt_at(row, level)) is not None]
    if not found:
        return "–"
    share = "" if len(found) == len(rows) else f" ({len(found)}/{len(rows)})"
    return f"{statistics.median(found) / 1000:.0f}{share}"


def other_fractals() -> list[str]:
    """Depth, width and curve on the paper's other fractals."""
    rows, curves = load("fractals-depth-width"), load("fractals-curves")
    if not rows or not curves:
        return []
    names = distinct(rows, "fractal")
    parts = [
        "## The other fractals",
        "The paper says that depth helps on all of its four fractals, and that the curve matters "
        "on all but Sierpinski's. One seed, learning rate 0.001, 10^6 steps.",
        table(
            ["fractal", "depth 5 less depth 1, by width", "layers that helped", "curves 1 to 6"],
            [verdict(ended(rows, fractal=f), ended(curves, fractal=f), f) for f in names],
        ),
        "*Layers that helped*: of the steps from depth T to T + 1, at each width. A network of one "
        "seed may stand still or be lucky; figure 4 has the spread.",
    ]
    for fractal in names:
        parts += [f"### {fractal}, curve 1", grid(ended(rows, fractal=fractal), list, {})]
    lines = [
        [curve, *(cell(ended(curves, fractal=name, curve=curve)) for name in names)]
        for curve in distinct(curves, "curve")
    ]
    return [*parts, "Depth 5, width 100, by curve:", table(["curve", *names], lines)]


def verdict(rows: Sequence[Row], curves: Sequence[Row], fractal: str) -> list[str]:
    """Whether depth helps on a fractal, and whether its curve matters, as numbers."""
    gains, helped, steps = [], 0, 0
    for width in distinct(rows, "width"):
        column = [
            best(ended(rows, width=width, network_depth=depth))[0]
            for depth in distinct(rows, "network_depth")
        ]
        gains.append(f"+{column[-1] - column[0]:.3f}")
        helped += sum(after > before for before, after in itertools.pairwise(column))
        steps += len(column) - 1
    found = [best(ended(curves, curve=curve))[0] for curve in distinct(curves, "curve")]
    said = f"{found[0]:.3f} to {found[-1]:.3f}, least {min(found):.3f}"
    return [fractal, ", ".join(gains), f"{helped} of {steps}", said]


def fine_curves() -> list[str]:
    """Where descent stalls in one dimension."""
    rows = load("cantor1d-fine")
    if not rows:
        return []
    curves = sorted({row["curve"] for row in rows}, reverse=True)
    lines = []
    for data in distinct(rows, "data"):
        for depth in distinct(ended(rows, data=data), "network_depth"):
            chosen = ended(rows, data=data, network_depth=depth)
            found = [cell(best_rate(ended(chosen, curve=curve))) for curve in curves]
            lines.append([f"{data}, {int(chosen[0]['steps']):,} steps", depth, *found])
    for depth in distinct(load("gradients"), "network_depth"):
        at = {row["curve"]: row for row in load("gradients") if row["network_depth"] == depth}
        felt = [f"{float(at[curve]['median_abs_gradient']):.4f}" for curve in curves]
        lines.append(["gradient at the start", depth, *felt])
    return [
        "## In one dimension, finer and finer",
        "cantor1d of depth 6, width 50, negatives in the m finest levels only (finest:m), at the "
        "best learning rate of those tried: Theorem 5 by training. Below, what the networks feel "
        "before the first step: the largest entry of the gradient of the whole distribution's "
        "loss, median of 200 random networks (`fracsim gradient`, exact). At this depth the "
        "theorem itself says nothing, as its n' is greater than 6.",
        table(["data", "depth", *curves], lines),
    ]


def origin() -> str:
    """What computed all this, and whether stops changed it, from the heads of the CSVs."""
    paths = (HERE / "results" / f"{name}.csv" for name in TRAINED)
    heads = [read_results(path)[0] for path in paths if path.exists()]
    said = {
        key: sorted({value for head in heads if key in head for value in head[key].split("; ")})
        for key in ("software", "numba_version", "device", "bit_identical", "continued")
    }
    stops = max(map(int, said["continued"]))
    return (
        f"All of it was computed by {', '.join(said['software'])} and numba "
        f"{', '.join(said['numba_version'])} on {', '.join(said['device'])}. Sweeps were stopped "
        f"and continued up to {stops} times; bit-identical to runs without a stop, say their "
        f"files: {', '.join(said['bit_identical'])}."
    )


def page() -> str:
    """The whole page."""
    head = [
        "# The paper's experiments, ours beside theirs",
        'Malach & Shalev-Shwartz, "Is Deeper Better only when Shallow is Good?" (NeurIPS 2019). '
        "This page is written by `python docs/paper.py` from docs/results, which "
        "`python docs/results.py` makes of trajectory files; nothing in it is typed by hand.",
    ]
    parts = [*figure_4(), *figure_5(), *differences(), *other_fractals(), *fine_curves(), origin()]
    return "\n\n".join(part.strip() for part in [*head, *parts]) + "\n"


def figures() -> None:
    """The figures of the page."""
    rows = ended(load("cantor-depth-width"), learning_rate="0.001")
    cells = by_two(rows, "network_depth", "width")
    depth_width_figure(cells, paper.depth_width_table(), "paper-figure-4.png")
    slow = [row for row in load("cantor-curves") if float(row["learning_rate"]) < 0.001]
    kinds = {
        f"k = {width}" + ("" if rate == "0.001" else f", rate {rate}"): ended(
            curves_at(rate, 1_000_000), width=width
        )
        for rate in ("0.001", *reversed(distinct(slow, "learning_rate")))
        for width in distinct(load("cantor-curves"), "width")
    }
    kinds = {label: rows for label, rows in kinds.items() if rows}
    curve_figure(
        {label: by_curve(lively(rows)) for label, rows in kinds.items()},
        {
            label: by_curve(row for row in rows if row["dead_since"])
            for label, rows in kinds.items()
        },
        {int(curve): [value] for curve, value in paper.curve_table().items()},
        {
            "nearest neighbour": shares_by_curve("nearest"),
            "kernel, 5,000 points": shares_by_curve("kernels"),
        },
        "paper-figure-5.png",
    )


if __name__ == "__main__":
    figures()
    (HERE / "paper.md").write_text(page(), encoding="utf-8")
    print("docs/paper.md")
