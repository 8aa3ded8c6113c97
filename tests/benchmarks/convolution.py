"""Training convolutional networks beside PyTorch (oneDNN): one thread, batches of 128 images of
24 x 24 pixels and 3 channels, Adam, cross-entropy, float32.

    python tests/benchmarks/convolution.py [--depth 2] [--width 8,16,32,64,128] [--turns 5] [--json]

All take turns in one process, and the least CPU time of a step counts, since machines are shared.
PyTorch has the better of its two memory formats and its fused Adam; its images lie ready, while
fracsim shuffles and loads them. The rate beside NumPy's product of 1024 x 1024 matrices counts two
operations for each multiplication forward and four backward, without the gradient of the images.
Wanted: PyTorch's speed at widths 8, 16, 32 and 0.8 of it at 64 and 128; 0.6 of NumPy's rate from
width 32 on. Exit code 1 where that is missed; without PyTorch only the rates are told."""

import argparse
import json
import os
import sys
import time

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402

from fracsim.kernels.convolution.evaluate import layout_of  # noqa: E402
from fracsim.kernels.convolution.train import train_on_images  # noqa: E402
from fracsim.kernels.network.losses import EVERY_LOSS  # noqa: E402
from fracsim.kernels.network.shape import Shape, multiplications, parameter_count  # noqa: E402
from fracsim.kernels.training.optimisers import OPTIMIZERS  # noqa: E402
from fracsim.kernels.training.train import Rule, State  # noqa: E402

IMAGE, CLASSES, BATCH = (24, 24, 3), 10, 128
SGEMM = 1024
OPERATIONS = 6e9
"""In one turn of a contender, about."""


def shape_of(depth, width):
    """The network as fracsim knows it."""
    return Shape(int(np.prod(IMAGE)), (width,) * depth, CLASSES, IMAGE)


def operations(shape):
    """Of one step."""
    first = IMAGE[0] * IMAGE[1] * 25 * IMAGE[2] * shape.widths[0]
    return BATCH * (6 * multiplications(shape) - 2 * first)


def fracsim(shape):
    """A function that trains so many steps."""
    random = np.random.default_rng(0)
    state = State.start(random.normal(0, 0.05, (1, parameter_count(shape))).astype(np.float32))
    x = random.normal(size=(4 * BATCH, shape.inputs)).astype(np.float32)
    y = random.integers(0, CLASSES, len(x)).astype(np.float32)
    layout = layout_of(shape, BATCH, 4)
    rule = Rule(EVERY_LOSS.index("cross-entropy"), OPTIMIZERS.index("adam"), 0, BATCH)
    size, flip = np.array(IMAGE[:2]), np.zeros(1, np.int64)

    def work(steps):
        train_on_images(*layout, rule, 1e-3, np.uint64(0), state, 0, x, y, size, flip, 0, steps)

    return work


def torch_network(torch, depth, width):
    """The same network in PyTorch."""
    layers, channels, side = [], IMAGE[2], IMAGE[0]
    for layer in range(depth):
        layers += [torch.nn.Conv2d(channels, width, 5, padding=2), torch.nn.ReLU()]
        if layer < 2:
            layers.append(torch.nn.MaxPool2d(2))
            side //= 2
        channels = width
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(side**2 * width, 10))


def in_torch(torch, depth, width, memory):
    """A function that trains so many steps."""
    torch.manual_seed(0)
    network = torch_network(torch, depth, width).to(memory_format=memory)
    adam = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    loss = torch.nn.CrossEntropyLoss()
    x = torch.randn(BATCH, IMAGE[2], *IMAGE[:2]).to(memory_format=memory)
    y = torch.randint(0, CLASSES, (BATCH,))

    def work(steps):
        for _ in range(steps):
            adam.zero_grad()
            loss(network(x), y).backward()
            adam.step()

    return work


def contenders(depth, width):
    """Name -> what takes so many steps."""
    found = {"fracsim": fracsim(shape_of(depth, width))}
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(1)
    found["PyTorch"] = in_torch(torch, depth, width, torch.contiguous_format)
    found["PyTorch, channels last"] = in_torch(torch, depth, width, torch.channels_last)
    return found


def measured(depth, width, turns):
    """A row: seconds of a step by name, and the rates of fracsim and of NumPy."""
    shape, works = shape_of(depth, width), contenders(depth, width)
    steps = max(1, min(30, int(OPERATIONS / operations(shape))))
    a, b = np.random.default_rng(0).normal(size=(2, SGEMM, SGEMM)).astype(np.float32)
    for work in works.values():
        work(1)
    seconds, product = dict.fromkeys(works, float("inf")), float("inf")
    for _ in range(turns):
        for name, work in works.items():
            started = time.process_time()
            work(steps)
            seconds[name] = min(seconds[name], (time.process_time() - started) / steps)
        started = time.process_time()
        a @ b
        product = min(product, time.process_time() - started)
    rate, sgemm = operations(shape) / seconds["fracsim"], 2 * SGEMM**3 / product
    row = {"depth": depth, "width": width, "seconds": seconds, "gigaflops": rate / 1e9}
    row |= {"sgemm_gigaflops": sgemm / 1e9, "of_sgemm": rate / sgemm}
    if len(works) > 1:
        row["times_torch"] = (
            min(t for n, t in seconds.items() if n != "fracsim") / seconds["fracsim"]
        )
    good = width < 32 or row["of_sgemm"] >= 0.6
    row["good"] = good and row.get("times_torch", 1.0) >= (1.0 if width <= 32 else 0.8)
    return row


def main():
    """Print a row for each width; whether all are as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--width", default="8,16,32,64,128")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    for width in map(int, given.width.split(",")):
        row = measured(given.depth, width, given.turns)
        rows.append(row)
        if not given.json:
            times = "; ".join(f"{n} {t * 1e3:.2f} ms" for n, t in row["seconds"].items())
            beside = f", {row['times_torch']:.2f} x PyTorch" if "times_torch" in row else ""
            print(
                f"T = {given.depth}, w = {width}: {times}{beside}; {row['gigaflops']:.0f} GFLOP/s, "
                f"{row['of_sgemm']:.2f} of NumPy's sgemm ({row['sgemm_gigaflops']:.0f})",
                flush=True,
            )
    if given.json:
        print(json.dumps(rows))
    return all(row["good"] for row in rows)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
