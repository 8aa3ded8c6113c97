"""The paper's experiment beside the paper's numbers: the table of the README, from the files of
your own run.

    fracsim sweep cantor5-depth-width --set 'width=[10,20,50,100]' --set 'seed=[0,1,2]' -o
    protocol.h5 python tests/benchmarks/protocol.py protocol.h5                 # several files too:
    shards, seeds python tests/benchmarks/protocol.py protocol.h5 --rate 0.001    # this learning
    rate only

Each cell: the best learning rate's mean over seeds of the best test accuracy, its least and
greatest seed, the rate, and the paper's number in brackets; only runs that are complete count. A
cell is marked (!) where it departs from the paper: at width 50 and above by more than 0.03 of the
mean; below, where single runs scatter, where the paper's number lies outside [least - 0.02,
greatest + 0.02] of all runs, all rates included. The exit code is 1 where a cell is marked, or
where accuracy does not grow with depth at width 50 or above."""

import argparse
import sys

import numpy as np

from fracsim.figures.collect import best_choice, group, load_runs
from fracsim.figures.paper import depth_width_table, is_papers

CLOSE, SCATTER, SOLID = 0.03, 0.02, 50


def cell(entries, theirs):
    """(text, departs) of the runs of one depth and width; ``theirs`` is the paper's number."""
    best = best_choice(entries, ["learning_rate"])
    values = [entry.best() for entry in entries]
    width = entries[0].settings["width"]
    if width >= SOLID:
        departs = abs(best.mean - theirs) > CLOSE
    else:
        departs = not min(values) - SCATTER <= theirs <= max(values) + SCATTER
    span = f" [{best.least:.3f}, {best.greatest:.3f}]" if best.least < best.greatest else ""
    return f"**{best.mean:.3f}**{span} at {best.chosen[0]:g} ({theirs:.3f})" + (
        " !" if departs else ""
    ), departs


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--rate", help="only runs with this learning rate")
    options = parser.parse_args()
    runs = load_runs(options.files).where({"learning_rate": options.rate} if options.rate else {})
    for caveat in runs.caveats:
        print(f"note: {caveat}", file=sys.stderr)
    theirs = depth_width_table()
    whole = [
        entry
        for entry in runs.entries
        if is_papers(entry) and np.isfinite(entry.series("test_accuracy")[-1])
    ]
    lines = group(whole, ["network_depth"])
    widths = sorted({entry.settings["width"] for entry in runs.entries})
    print("| depth | " + " | ".join(f"width {width}" for width in widths) + " |")
    print("|---" * (len(widths) + 1) + "|")
    wrong, means = 0, {}
    for (depth,), line in sorted(lines.items()):
        cells = []
        by_width = group(line, ["width"])
        for width in widths:
            text, departs = (
                cell(by_width[(width,)], theirs[depth][width])
                if (width,) in by_width
                else ("", False)
            )
            cells.append(text)
            wrong += departs
            if text:
                means[depth, width] = best_choice(by_width[(width,)], ["learning_rate"]).mean
        print(f"| {depth} | " + " | ".join(cells) + " |")
    unordered = [
        f"width {width}: depth {depth + 1} below depth {depth}"
        for (depth, width), mean in means.items()
        if width >= SOLID and means.get((depth + 1, width), 1.0) <= mean
    ]
    for sentence in unordered:
        print(sentence, file=sys.stderr)
    print(f"\n{wrong} of {len(means)} cells depart from the paper", file=sys.stderr)
    return 1 if wrong or unordered else 0


if __name__ == "__main__":
    sys.exit(main())
