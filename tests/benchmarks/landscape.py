"""The loss on a grid beside NumPy's products of the same shapes, and PyTorch where it is there.

    python tests/benchmarks/landscape.py [places]

5,000 points in the plane, 5 hidden layers of 50, one thread; seconds are the least of seven."""

import os
import sys
import time

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402

from fracsim.kernels.network.shape import Shape, parameter_count, split_layers  # noqa: E402
from fracsim.studies.landscape.measure import OnPoints  # noqa: E402

SHAPE, POINTS = Shape(2, 5, 50), 5000


def least(work, repeats=7):
    """Least seconds of a call."""
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def contenders(dtype, places):
    """Name -> what computes the loss, or the products alone, at so many places."""
    random = np.random.default_rng(0)
    centre, *directions = random.normal(size=(3, parameter_count(SHAPE))) / 7
    at = random.uniform(-1, 1, (places, 2))
    x = random.uniform(-1, 1, (POINTS, 2)).astype(dtype)
    y = np.sign(random.normal(size=POINTS)).astype(dtype)
    level = random.integers(0, 6, POINTS).astype(np.int16)
    share = np.bincount(level) / POINTS
    measure = OnPoints("", SHAPE, "hinge", x, y, level, share)
    layers = [(w.astype(dtype), b.astype(dtype)) for w, b in split_layers(SHAPE, centre)]
    hidden = [random.normal(size=(POINTS, w.shape[0])).astype(dtype) for w, _ in layers]
    outputs = [np.empty((POINTS, w.shape[1]), dtype) for w, _ in layers]

    def products():
        for _ in range(places):
            for h, (w, _), out in zip(hidden, layers, outputs, strict=True):
                np.matmul(h, w, out=out)

    found = {
        "fracsim": lambda: measure(centre, np.array(directions), at),
        "NumPy, products alone": products,
    }
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(1)
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    parts = [(torch.from_numpy(w.T.copy()), torch.from_numpy(b)) for w, b in layers]

    def in_torch():
        with torch.no_grad():
            for _ in range(places):
                h = tx
                for w, b in parts[:-1]:
                    h = torch.relu_(torch.nn.functional.linear(h, w, b))
                f = torch.nn.functional.linear(h, *parts[-1])[:, 0]
                torch.clamp(1 - ty * f, min=0).mean().item()

    return {**found, "PyTorch": in_torch}


if __name__ == "__main__":
    places = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    for dtype in (np.float32, np.float64):
        seconds = {}
        for name, work in contenders(dtype, places).items():
            work()
            seconds[name] = least(work)
        for name, taken in seconds.items():
            print(
                f"{np.dtype(dtype).name}  {name:22} {taken / places * 1e3:7.2f} ms a place, "
                f"fracsim takes {seconds['fracsim'] / taken:.2f} of it"
            )
