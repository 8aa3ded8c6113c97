"""Write docs/paper.md, and its figures, from docs/results: ours beside the paper's.

    python docs/paper.py

Every number of the page comes from the CSVs, which docs/results.py made of trajectory files, or
from the paper's tables in data/paper. Without new results the text comes out byte for byte."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from results import read_results

from fracsim.figures import paper, style

HERE = Path(__file__).resolve().parent
Row = dict[str, str]

MARGIN_WIDE, MARGIN_SPAN, MARGIN_CURVE = 0.03, 0.02, 0.05
"""From width 50 on a cell agrees within MARGIN_WIDE of the mean, any cell within MARGIN_SPAN of its
seeds' span; a curve of figure 5 within MARGIN_CURVE."""


def load(name: str) -> list[Row]:
    """The rows of docs/results/NAME.csv; none where the runs are still to come."""
    path = HERE / "results" / f"{name}.csv"
    return read_results(path)[1] if path.exists() else []


def ended(rows: Iterable[Row], **wanted: object) -> list[Row]:
    """The complete runs with these settings."""
    return [
        row
        for row in rows
        if row["status"] == "complete" and all(row[k] == str(v) for k, v in wanted.items())
    ]


def distinct(rows: Iterable[Row], key: str) -> list[str]:
    """The values of a setting, numbers by size."""
    return sorted({row[key] for row in rows}, key=lambda text: (float(text), text))


def best(rows: Iterable[Row]) -> list[float]:
    """The best test accuracy of each run."""
    return [float(row["best"]) for row in rows]


def cell(rows: Sequence[Row], theirs: float | None = None, wide: bool = True) -> str:
    """``**mean** [least, greatest] of seeds (theirs)``, with ! where theirs lies outside what seeds
    and margins allow."""
    if not rows:
        return "–"
    found = best(rows)
    mean = statistics.fmean(found)
    text = f"**{mean:.3f}**"
    if len(found) > 1:
        text += f" [{min(found):.3f}, {max(found):.3f}]"
    if theirs is not None:
        text += f" ({theirs:.3f})" + ("" if agrees(found, theirs, wide) else " !")
    return text


def agrees(found: Sequence[float], theirs: float, wide: bool) -> bool:
    """Whether the paper's number is within the margins of ours: of the mean where the layers are
    wide, of the seeds' span everywhere."""
    near = min(found) - MARGIN_SPAN <= theirs <= max(found) + MARGIN_SPAN
    margin = MARGIN_WIDE
    if not wide:
        return min(found) - margin <= theirs <= max(found) + margin
    return near or abs(statistics.fmean(found) - theirs) <= margin


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


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


def levels_at(row: Row) -> list[tuple[int, list[float | None]]]:
    """(step, accuracy of each level or None where it has no points) at the kept records."""
    found = []
    for part in row["levels"].split():
        step, _, shares = part.partition(":")
        values = [None if text == "-" else int(text) / 1000 for text in shares.split("/")]
        found.append((int(step), values))
    return found


def learnt_at(row: Row, level: int, share: float = 0.9) -> int | None:
    """The first kept step at which so many points of a level are right; None where that never
    is."""
    for step, values in levels_at(row):
        value = values[level]
        if value is not None and value >= share:
            return step
    return None


def depth_width_figure(rows: Sequence[Row], theirs: dict[int, dict[int, float]], name: str) -> None:
    """Accuracy against width, a line and a band of seeds for each depth; the paper's points
    hollow."""
    with style.styled():
        figure = style.new_figure((3.4, 3.3))
        axes = figure.subplots()
        widths = distinct(rows, "width")
        for index, depth in enumerate(distinct(rows, "network_depth")):
            look = style.look(index)
            cells = {int(w): best(ended(rows, network_depth=depth, width=w)) for w in widths}
            cells = {w: found for w, found in cells.items() if found}
            axes.plot(
                list(cells),
                [statistics.fmean(found) for found in cells.values()],
                label=f"T = {depth}",
                **look,
            )
            axes.fill_between(
                list(cells),
                [min(found) for found in cells.values()],
                [max(found) for found in cells.values()],
                color=look["color"],
                alpha=0.18,
                lw=0,
            )
            points = {w: theirs[int(depth)][w] for w in cells if w in theirs.get(int(depth), {})}
            if points:
                axes.plot(
                    list(points),
                    list(points.values()),
                    color=look["color"],
                    linestyle="none",
                    marker=look["marker"],
                    markerfacecolor="none",
                    markersize=7.5,
                )
        axes.set_xscale("log")
        style.ticks_at(axes, [float(width) for width in widths])
        axes.set_xlabel("width k")
        axes.set_ylabel("best test accuracy")
        axes.plot([], [], "o", mfc="none", mec="#404040", ms=7.5, label="the paper's")
        figure.legend(ncols=3, loc="outside lower center")
        style.save(figure, HERE / "images" / name)


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
    if len(distinct(rows, "learning_rate")) > 1:
        parts += [
            f"At the best of {', '.join(distinct(rows, 'learning_rate'))}, by the mean over seeds:",
            grid(rows, best_rate, theirs),
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
    outside = f" The others: {'; '.join(apart)}." if apart else ""
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
    rows = load("cantor-curves")
    if not rows:
        return []
    theirs = paper.curve_table()
    widths = distinct(rows, "width")
    lines = []
    control, head = nearest(), ["curve", "paper", "nearest neighbour"]
    for curve in distinct(rows, "curve"):
        line = [curve, f"{theirs[curve]:.3f}", control.get(curve, "–")]
        for width in widths:
            chosen = ended(rows, curve=curve, width=width)
            alive = [row for row in chosen if not row["dead_since"]]
            said = cell(alive)
            if len(alive) < len(chosen):
                said += f"; {len(chosen) - len(alive)} of {len(chosen)} seeds died"
            line.append(said)
        lines.append(line)
    parts = [
        "## Figure 5: the approximation curve",
        "The same set, depth 5, learning rate 0.001, from the coarsest curve, 1, to the finest, 6: "
        "mean [least, greatest] of the seeds that live. A network is *dead* from the step on from "
        "which no hidden layer feels any gradient, whatever the point. The *nearest neighbour* "
        "among the same 50,000 training points (mean of 3 seeds, docs/nearest.py) shows what these "
        "points carry: where a network stays below it, the data are not to blame.",
        table([*head, *(f"width {width}" for width in widths)], lines),
    ]
    return [*parts, learning_times(rows)]


def nearest() -> dict[str, str]:
    """Curve -> accuracy of the nearest neighbour, the mean over its seeds."""
    rows = load("nearest-neighbour")
    shares = {
        curve: [float(row["accuracy"]) for row in rows if row["curve"] == curve]
        for curve in {row["curve"] for row in rows}
    }
    return {curve: f"{statistics.fmean(found):.3f}" for curve, found in shares.items()}


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
        "The step, in thousands, at which 90 % of the negatives of a level are right (median over "
        f"seeds, of {len(levels_at(rows[0]))} kept records; – never; · no negatives there; "
        "k/m: only k of m seeds got there):\n\n" + table(head, lines)
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
    parts = ["## The other fractals"] if rows or curves else []
    for fractal in sorted({row["fractal"] for row in rows}):
        parts += [f"### {fractal}, curve 1", grid(ended(rows, fractal=fractal), list, {})]
    if curves:
        names = sorted({row["fractal"] for row in curves})
        lines = [
            [curve, *(cell(ended(curves, fractal=name, curve=curve)) for name in names)]
            for curve in distinct(curves, "curve")
        ]
        parts += ["Depth 5, width 100, by curve:", table(["curve", *names], lines)]
    return parts


def fine_curves() -> list[str]:
    """Where descent stalls in one dimension."""
    rows = load("cantor1d-fine")
    if not rows:
        return []
    lines = []
    for data in sorted({row["data"] for row in rows}):
        for depth in distinct(ended(rows, data=data), "network_depth"):
            line = [data, depth]
            for curve in sorted({row["curve"] for row in rows}, reverse=True):
                line.append(
                    cell(best_rate(ended(rows, data=data, network_depth=depth, curve=curve)))
                )
            lines.append(line)
    curves = sorted({row["curve"] for row in rows}, reverse=True)
    return [
        "## In one dimension, finer and finer",
        "cantor1d of depth 6, width 50, negatives in the m finest levels only, best learning rate "
        "of those tried: fresh evidence for Theorem 5.",
        table(["data", "depth", *curves], lines),
    ]


def page() -> str:
    """The whole page."""
    head = [
        "# The paper's experiments, ours beside theirs",
        'Malach & Shalev-Shwartz, "Is Deeper Better only when Shallow is Good?" (NeurIPS 2019). '
        "This page is written by `python docs/paper.py` from docs/results, which "
        "`python docs/results.py` makes of trajectory files; nothing in it is typed by hand.",
    ]
    parts = [*figure_4(), *figure_5(), *other_fractals(), *fine_curves()]
    return "\n\n".join(part.strip() for part in [*head, *parts]) + "\n"


def figures() -> None:
    """The figures of the page."""
    main = ended(load("cantor-depth-width"), learning_rate="0.001")
    depth_width_figure(main, paper.depth_width_table(), "paper-figure-4.png")


if __name__ == "__main__":
    figures()
    (HERE / "paper.md").write_text(page(), encoding="utf-8")
    print("docs/paper.md")
