"""The loss on a grid beside NumPy's products of the same shapes, and PyTorch where it is there.

    python tests/benchmarks/landscape.py [places] [turns]

5,000 points in the plane, 5 hidden layers of 50, one thread. All take turns in one process, and the
least CPU time of each counts, since machines are shared. Nobody but fracsim makes the parameters of
a place, or parts the loss by level. Wanted: at most 1.3 of NumPy's products, and PyTorch at least
1.5 of fracsim's time, in float32. Exit code 1 where that is missed."""

import os
import sys

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
from turns import least_by_turns  # noqa: E402

from fracsim.kernels.network.shape import Shape, parameter_count, split_layers  # noqa: E402
from fracsim.studies.landscape.measure import OnPoints  # noqa: E402

SHAPE, POINTS = Shape(2, 5, 50), 5000


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
        print("PyTorch is not installed: without it")
        return found
    torch.set_num_threads(1)
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    parts = [(torch.from_numpy(w.T.copy()), torch.from_numpy(b)) for w, b in layers]

    def in_torch(rows):
        with torch.no_grad():
            for _ in range(places):
                total = 0.0
                for first in range(0, POINTS, rows):
                    h = tx[first : first + rows]
                    for w, b in parts[:-1]:
                        h = torch.relu_(torch.nn.functional.linear(h, w, b))
                    f = torch.nn.functional.linear(h, *parts[-1])[:, 0]
                    total += torch.clamp(1 - ty[first : first + rows] * f, min=0).sum().item()

    found["PyTorch"] = lambda: in_torch(POINTS)
    found["PyTorch, blocks of 500"] = lambda: in_torch(500)  # which the cache holds
    return found


def main():
    """Print the table; whether the float32 figures are as wanted."""
    places = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    good = True
    for dtype in (np.float32, np.float64):
        works = contenders(dtype, places)
        for work in works.values():
            work()
        seconds = least_by_turns(works, turns)
        ours = seconds["fracsim"]
        for name, taken in seconds.items():
            print(
                f"{np.dtype(dtype).name}  {name:22} {taken / places * 1e3:7.2f} ms a place, "
                f"{taken / ours:.2f} of fracsim's time"
            )
        if dtype is np.float32:
            peers = [taken for name, taken in seconds.items() if name.startswith("PyTorch")]
            good = ours <= 1.3 * seconds["NumPy, products alone"]
            good = good and all(taken >= 1.5 * ours for taken in peers)
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
