"""What the paper's data allow without a network, and what its networks feel before they learn.

    python docs/controls.py                 # all, about a quarter of an hour on one core
    python docs/controls.py gradients       # or some of: nearest, kernels, gradients

Each control is a CSV in docs/results, which docs/paper.py reads."""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from fracsim.kernels.backend import get_backend
from fracsim.training.points import make_data
from fracsim.training.run import make_run

RESULTS = Path(__file__).resolve().parent / "results"
CURVES, SEEDS = range(1, 7), range(3)
FINE = [f"finest:{m}" for m in range(6, 0, -1)]

Line = tuple[object, ...]


def nearest() -> Iterator[Line]:
    """The share of the 5,000 test points of a run of figure 5 whose nearest of the 50,000 training
    points has their label."""
    yield "curve", "seed", "train_points", "accuracy"
    for curve in CURVES:
        for seed in SEEDS:
            run = make_run({"fractal": "cantor", "curve": str(curve), "seed": seed})
            data = make_data(run, get_backend("cpu"))
            x, y = data.source.x[0], data.source.y[0]
            found = y[cKDTree(x).query(data.x[0])[1]]
            yield curve, seed, len(x), f"{np.mean(found == data.y[0]):.4f}"


def kernels() -> Iterator[Line]:
    """Ridge regression by the tangent kernel of three layers: a tenth of the points, as all of them
    are too many for a matrix."""
    yield "curve", "kernel", "layers", "train_points", "accuracy"
    for curve in CURVES:
        said = fracsim(
            "kernel-learning cantor --fractal-depth 5 --kernel ntk --layers 3 --train-points 5000 "
            f"--seed 0 --curve {curve}"
        )
        for row in said["results"]:
            shown = f"{row['accuracy']:.4f}"
            yield curve, row["kernel"], row["layers"], row["train_points"], shown


def gradients() -> Iterator[Line]:
    """The largest entry of the gradient of the whole distribution's loss, the median of 200 random
    networks: what the runs of cantor1d-fine start from."""
    yield "network_depth", "curve", "median_abs_gradient"
    for depth in (1, 3, 5):
        said = fracsim(
            f"gradient cantor1d --fractal-depth 6 --curve {','.join(FINE)} --init paper --bias 0.1 "
            f"--depth {depth} --width 50 --draws 200"
        )
        for row in said["curves"]:
            yield depth, row["curve"], f"{row['median_abs_gradient']:.3g}"


def fracsim(words: str) -> dict[str, Any]:
    """What the command says for machines. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        said = subprocess.run(
            [sys.executable, "-m", "fracsim", *words.split(), "--json", "-o", f"{folder}/made.h5"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    found: dict[str, Any] = json.loads(said.stdout)
    return found


CONTROLS: dict[str, Callable[[], Iterator[Line]]] = {
    "nearest": nearest,
    "kernels": kernels,
    "gradients": gradients,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("control", nargs="*", metavar="|".join(CONTROLS))
    for name in parser.parse_args().control or CONTROLS:
        lines = list(CONTROLS[name]())
        with (RESULTS / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(lines)
        print(f"docs/results/{name}.csv", file=sys.stderr)


if __name__ == "__main__":
    main()
