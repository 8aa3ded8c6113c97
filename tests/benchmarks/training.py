"""Training speed of fracsim beside JAX and PyTorch: the table of docs/speed.md, on your machine.

    pip install '.[bench]' python tests/benchmarks/training.py                    # about five
    minutes python tests/benchmarks/training.py --quick            # widths 10, 50 and 200, fewer
    repeats python tests/benchmarks/training.py --json table.json --widths 100 200 python
    tests/benchmarks/training.py --peer-python ~/peers/bin/python   # JAX and PyTorch of another
    environment

What is measured: a network of depth T = 5 on d = 2 inputs, batch 100, hinge loss, Adam, float32, on
a data set of 50,000 points of the 2D Cantor distribution (n = 5, curve 1) in a new order each
epoch, the gather of each batch included and compilation excluded. Every contender runs in its own
process on the same single core with one thread; the contenders take turns, so that a machine that
slows down slows all of them. ``best`` is the least time of all turns, ``median`` their median. All
start from the same weights, and their mean loss over the first 500 steps must agree.

GFLOP/s counts the matrix products of the weights only, 6 B W - 2 B d k a step with W = d k + (T-1)
k² + k weights: forward, weight gradient, and input gradient of every layer but the first; no
biases, no activations, no Adam. It stands beside NumPy's float32 1024³ product on one thread of the
same core. The count is nominal: fracsim leaves samples whose hinge loss is 0 out of the backward
pass, which changes no sum and saves the more the further a training has come; the turns cover only
its beginning."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from contenders import BATCH, DEPTH, INPUTS

TARGETS = {10: 4.0, 20: 2.5, 50: 1.8, 100: 1.4, 200: 1.25, 400: 1.1}
"""JAX's time over fracsim's that each width must reach."""
PRODUCT_SHARE = 0.75  # of NumPy's product, from width 200 on
PAIR = 1.8  # two runs on two threads against one
POINTS = 10e6  # points per second of sample and of level
ONE_THREAD = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    ),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}


class Contender:
    """A process of contenders.py."""

    script, environment = "contenders.py", ONE_THREAD

    def __init__(self, name, python, data, cores):
        self.name = name
        script = Path(__file__).with_name(self.script)
        self.process = subprocess.Popen(
            [python, str(script), name, str(data), ",".join(map(str, cores))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environment},
        )
        self.hello = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(
                f"the contender {self.name} ended unexpectedly (exit code {self.process.wait()})"
            )
        answer = json.loads(line)
        if "failed" in answer:
            raise SystemExit(f"the contender {self.name} failed: {answer['failed']}")
        return answer

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def write_data(path, widths):
    """The data set and the initial weights that every contender starts from."""
    from fracsim.fractals.curve import parse_curve
    from fracsim.fractals.distribution import Distribution
    from fracsim.fractals.fractal import load_fractal
    from fracsim.kernels.network.shape import Shape
    from fracsim.networks.initial import initial_parameters

    sample = Distribution(load_fractal("cantor"), 5, parse_curve("1")).sample(50_000, seed=0)
    params = {f"params{k}": initial_parameters(Shape(INPUTS, DEPTH, k), "paper", 0) for k in widths}
    np.savez(path, x=sample.x.astype(np.float32), y=sample.y.astype(np.float32), **params)


def flops(width):
    """Floating-point operations of one step's matrix products; see the top of this file."""
    weights = INPUTS * width + (DEPTH - 1) * width**2 + width
    return 6 * BATCH * weights - 2 * BATCH * INPUTS * width


def race(contenders, width, repeats, seconds):
    """{name: {best, median} µs a step} of one width, the product's GFLOP/s under ``matmul``."""
    first = {
        name: contender.ask(do="prepare", width=width).get("loss")
        for name, contender in contenders.items()
    }
    losses = [loss for loss in first.values() if loss is not None]
    if max(losses) > 1.1 * min(losses):
        raise SystemExit(
            f"the contenders do not train the same network: losses {first} over the first 500 steps"
        )
    turns = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, contender in contenders.items():
            answer = contender.ask(do="measure", width=width, seconds=seconds)
            turns[name].append(answer.get("microseconds", answer.get("gflops")))
    result = {
        name: {"best": min(values), "median": statistics.median(values)}
        for name, values in turns.items()
    }
    result["matmul"]["best"] = max(turns["matmul"])
    result["losses"] = first
    return result


def verdict(value, target):
    return f"{value:5.2f} (target {target:g}{'' if value >= target else ', MISSED'})"


def print_table(table):
    peers = [name for name in ("jax", "torch") if name in next(iter(table.values()))]
    print(
        f"\n{'width':>5} {'fracsim':>17} " + " ".join(f"{peer + ' µs':>17}" for peer in peers),
        end="",
    )
    print(f" {'steps/s':>9} {'GFLOP/s':>8} {'of product':>10}  speed-up over JAX")
    for width, row in table.items():
        cells = [
            f"{row[name]['best']:8.1f} ({row[name]['median']:6.1f})" for name in ("fracsim", *peers)
        ]
        best = row["fracsim"]["best"]
        gflops = flops(width) / best / 1e3
        share = gflops / row["matmul"]["best"]
        missed = " MISSED" if width >= 200 and share < PRODUCT_SHARE else ""
        print(f"{width:>5} " + " ".join(f"{cell:>17}" for cell in cells), end="")
        print(f" {1e6 / best:9.0f} {gflops:8.1f} {share:9.0%}{missed} ", end=" ")
        if "jax" in row:
            ratio = row["jax"]["best"] / best
            print(verdict(ratio, TARGETS[width]) if width in TARGETS else f"{ratio:5.2f}", end="")
        print()


def machine():
    """One line about the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} logical cores, {platform.system()} {platform.release()}"


def pair_and_points(data, cores, repeats, seconds):
    """Two runs on two threads against one at width 100 and the sampler's speed, the best of the
    repeats."""
    result = {}
    if len(cores) > 1:
        contender = Contender("fracsim", sys.executable, data, cores[-2:])
        pairs = [contender.ask(do="pair", width=100, seconds=seconds) for _ in range(repeats)]
        contender.end()
        result["pair"] = (
            2 * min(pair["alone"] for pair in pairs) / min(pair["both"] for pair in pairs)
        )
        print(f"two runs on two threads against one (width 100): {verdict(result['pair'], PAIR)}")
    contender = Contender("fracsim", sys.executable, data, cores[-1:])
    points = [contender.ask(do="points", count=10**6) for _ in range(repeats)]
    contender.end()
    for verb in ("sample", "level"):
        result[verb] = max(point[verb] for point in points)
        print(f"{verb}: {verdict(result[verb] / 1e6, POINTS / 1e6)} million points/s on one core")
    return result


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--widths", type=int, nargs="+", help="widths to measure (default: all of the table)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer widths and repeats")
    parser.add_argument("--json", metavar="FILE", help="write all numbers to FILE")
    parser.add_argument(
        "--peer-python",
        default=sys.executable,
        metavar="PATH",
        help="interpreter that has the peers",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        default=["jax", "torch"],
        choices=["jax", "torch"],
        help="whom to race",
    )
    options = parser.parse_args()
    widths = options.widths or ([10, 50, 200] if options.quick else list(TARGETS))
    repeats, seconds = (3, 0.3) if options.quick else (7, 0.6)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]

    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        write_data(data, {*widths, 100})
        contenders = {}
        for name in ("fracsim", *options.peers, "matmul"):
            python = options.peer_python if name in options.peers else sys.executable
            contender = Contender(name, python, data, cores[-1:])
            if "version" in contender.hello:
                contenders[name] = contender
                print(contender.hello["version"])
            else:
                print(f"{name} is not installed here: left out ({contender.hello['missing']})")
        table = {}
        for width in widths:
            table[width] = race(contenders, width, repeats, seconds)
            print(f"width {width} done", file=sys.stderr)
        for contender in contenders.values():
            contender.end()
        print_table(table)
        print(
            "µs a step, best (median) of the turns; GFLOP/s of the best; 'of product' against",
            end=" ",
        )
        print(
            f"NumPy's 1024³ float32 product: "
            f"{max(row['matmul']['best'] for row in table.values()):.0f} GFLOP/s"
        )
        rest = pair_and_points(data, cores, repeats, seconds)
    if options.json:
        Path(options.json).write_text(
            json.dumps({"machine": machine(), "widths": table, **rest}, indent=1)
        )


if __name__ == "__main__":
    main()
