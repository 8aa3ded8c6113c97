"""The nearest neighbour on the paper's data: a control that learns nothing but remembers.

    python docs/nearest.py -o docs/results/nearest-neighbour.csv

For each curve and seed the 50,000 training points of the runs of figure 5, and their 5,000 test
points: the share of test points whose nearest training point has their label."""

import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from fracsim.kernels.backend import get_backend
from fracsim.training.points import make_data
from fracsim.training.run import make_run

CURVES, SEEDS = range(1, 7), range(3)


def accuracy(curve: int, seed: int) -> tuple[int, float]:
    """(training points, accuracy) on cantor of depth 5."""
    run = make_run({"fractal": "cantor", "curve": str(curve), "seed": seed})
    data = make_data(run, get_backend("cpu"))
    x, y = data.source.x[0], data.source.y[0]
    found = y[cKDTree(x).query(data.x[0])[1]]
    return len(x), float(np.mean(found == data.y[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    output = parser.parse_args().output
    with output.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("curve", "seed", "train_points", "accuracy"))
        for curve in CURVES:
            for seed in SEEDS:
                points, share = accuracy(curve, seed)
                writer.writerow((curve, seed, points, f"{share:.4f}"))


if __name__ == "__main__":
    main()
