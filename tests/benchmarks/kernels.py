"""Kernel matrices of wide networks beside a NumPy expression, and tangent kernels of finite ones.

    python tests/benchmarks/kernels.py [points]

The NTK of 6 layers in float64 on one thread, of points on a fractal's base lifted to (x, 1), and of
as many inputs as images have pixels; 1,000 tangent kernels of T = 2, width 512, on 50 inputs, two
threads. CPU seconds, the least of three turns."""

import os
import sys
import time

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402

from fracsim.studies import STUDIES  # noqa: E402
from fracsim.studies.kernel_learning.machine import matrix  # noqa: E402
from fracsim.studies.kernel_learning.points import lifted  # noqa: E402

LAYERS, COMPARED = 6, 3000


def expression(x):
    """The kernel as one writes it in NumPy."""
    lengths = np.sqrt((x**2).sum(1))
    k = np.clip((x @ x.T) / np.outer(lengths, lengths), -1, 1)
    tangent = k.copy()
    for _ in range(LAYERS - 1):
        left = np.pi - np.arccos(k)
        k = np.minimum((k * left + np.sqrt(1 - k * k)) / np.pi, 1)
        tangent = tangent * (left / np.pi) + k
    return np.outer(lengths, lengths) * tangent


def least(work, repeats=3):
    """Least CPU seconds of a call."""
    found = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


def main():
    """Print a line for each."""
    points = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    random = np.random.default_rng(0)
    few = lifted(random.uniform(-1, 1, (COMPARED, 2)))
    matrix("ntk", LAYERS, 1.0, few, few, 1)  # compiles
    ours, theirs = (
        least(lambda: matrix("ntk", LAYERS, 1.0, few, few, 1)),
        least(lambda: expression(few)),
    )
    print(f"{COMPARED:,} points: {ours:.2f} s, NumPy {theirs:.2f} s, {theirs / ours:.1f} x")
    for inputs in (3, 784):
        x = random.uniform(-1, 1, (points, inputs))
        seconds = least(lambda x=x: matrix("ntk", LAYERS, 1.0, x, x, 1))
        print(f"{points:,} points, {inputs} inputs: {seconds:.2f} s")
    networks = {"inputs": 3, "network_depth": 2, "width": 512, "points": 50, "draws": 1000}
    seconds = least(lambda: STUDIES["ntk"].run(**networks, threads=2), 1)
    print(f"1,000 tangent kernels of width 512: {seconds:.1f} s")


if __name__ == "__main__":
    main()
