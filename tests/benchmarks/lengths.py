"""Lengths of a circle's images in hard-tanh networks beside PyTorch, and chains of χ² draws beside
NumPy.

    python tests/benchmarks/lengths.py [--turns 5]

The same chords (20,001 points, 6 layers of 200, float64, one thread): lengths of preactivations and
activations of every layer. PyTorch has the best of all points at once and of blocks that fit into a
cache; fracsim also takes every other vertex, for its estimate of the error. Kinks as vertices are
timed apart: PyTorch has none. A chain is drawn for 5 layers of each width; NumPy draws binomials
and χ²s. All take turns in one process, and the least CPU time counts, since machines are shared.
Exit code 1 where fracsim is not 1.3 times as fast as PyTorch, or its chain not 3 times as NumPy's
for widths up to 200."""

import argparse
import os
import sys

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
from turns import least_by_turns  # noqa: E402

from fracsim.kernels.network.shape import Shape  # noqa: E402
from fracsim.kernels.random_networks.activations import HARDTANH  # noqa: E402
from fracsim.kernels.random_networks.chain import chi_square_chain  # noqa: E402
from fracsim.networks.initial import initial_parameters, split_layers  # noqa: E402
from fracsim.studies.lengths.curves import Curve, circle, random_plane  # noqa: E402
from fracsim.studies.lengths.measure import exact_lengths, measured_by_chords  # noqa: E402

POINTS, EXACT_POINTS, DEPTH, WIDTH = 20_001, 2_001, 6, 200
WEIGHT_STD, RADIUS = 4.0, 52.57
CHAINS, CHAIN_DEPTH, AT_ONCE = 100_000, 5, 4096
WIDTHS, PROMISED = (5, 10, 20, 30, 50, 100, 200, 400), 200


def network():
    """Its shape and parameters, and the curve: a circle as preactivation, in a random plane."""
    shape = Shape(WIDTH, DEPTH, WIDTH)
    params = initial_parameters(shape, "he", 0, None, np.float64) * (WEIGHT_STD / np.sqrt(2))
    z = circle(random_plane(WIDTH, 0), RADIUS, POINTS)
    return shape, params, Curve(np.clip(z.points, -1, 1), z.piece)


def in_torch(torch, shape, params, points, block):
    """Lengths (T, 2) of z and of activations, in blocks of rows."""
    layers = [tuple(map(torch.from_numpy, pair)) for pair in split_layers(shape, params)[:-1]]
    x = torch.from_numpy(points)

    def chords(rows):
        return torch.linalg.vector_norm(rows[1:] - rows[:-1], dim=1).sum()

    def work():
        found = torch.zeros(len(layers), 2, dtype=torch.float64)
        with torch.inference_mode():
            for first in range(0, len(x) - 1, block):
                h = x[first : first + block + 1]
                for layer, (weights, biases) in enumerate(layers):
                    z = torch.addmm(biases, h, weights)
                    h = z.clamp(-1, 1)
                    found[layer, 0] += chords(z)
                    found[layer, 1] += chords(h)
        return found.numpy()

    return work


def chords(turns):
    """Print a line; whether fracsim is as fast as wanted (also where there is no PyTorch)."""
    shape, params, curve = network()
    works = {"fracsim": lambda: measured_by_chords(shape, params, HARDTANH, curve)}
    found, version = works["fracsim"](), None
    try:
        import torch
    except ImportError:
        pass
    else:
        torch.set_num_threads(1)
        version = torch.__version__
        for block in (POINTS, 2000, 500):
            work = in_torch(torch, shape, params, curve.points, block)
            np.testing.assert_allclose(work(), np.stack([found.z, found.x], axis=1), rtol=1e-9)
            works[f"PyTorch, {block:,} rows at once"] = work
    seconds = least_by_turns(works, turns)
    said = "; ".join(f"{name} {1000 * value:.0f} ms" for name, value in seconds.items())
    ours = seconds.pop("fracsim")
    times = min(seconds.values()) / ours if seconds else None
    said += f": {times:.2f} x PyTorch {version}" if times else "; no PyTorch here"
    print(f"{POINTS:,} points, {DEPTH} layers of {WIDTH}: {said}")
    few = Curve(np.ascontiguousarray(curve.points[:: POINTS // EXACT_POINTS]), curve.piece[::10])
    exact_lengths(shape, params, HARDTANH, few)
    apart = least_by_turns({"exact": lambda: exact_lengths(shape, params, HARDTANH, few)}, 1)[
        "exact"
    ]
    print(f"polygon of {len(few.points):,} vertices, every kink a vertex: {apart:.2f} s")
    return times is None or times >= 1.3


def chains(turns):
    """Print a line for each width; whether all that is promised holds."""
    random, good = np.random.default_rng(0), True
    out = np.empty((CHAIN_DEPTH, CHAINS))

    def ours(widths):
        for first in range(0, CHAINS, AT_ONCE):
            part = out[:, first : first + AT_ONCE]
            chi_square_chain(np.uint64(0), first, widths, 1.0, 0.0, 1.0, part)

    def theirs(widths):
        m = np.ones(CHAINS)
        for n in widths:
            degrees = random.binomial(n, 0.5, CHAINS)
            m = 2 * m * random.chisquare(np.maximum(degrees, 1e-300)) / n

    for width in WIDTHS:
        widths = np.full(CHAIN_DEPTH, width)
        works = {"ours": lambda w=widths: ours(w), "theirs": lambda w=widths: theirs(w)}
        works["ours"]()
        seconds = least_by_turns(works, turns)
        times, draws = seconds["theirs"] / seconds["ours"], CHAINS * CHAIN_DEPTH
        each = {name: 1e9 * value / draws for name, value in seconds.items()}
        print(
            f"χ² of {width} coins: {each['ours']:.0f} ns a layer, NumPy {each['theirs']:.0f}: "
            f"{times:.2f} x",
            flush=True,
        )
        good &= times >= 3 or width > PROMISED
    return good


def main():
    """Print what was measured; whether it is as promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    return all([chords(turns), chains(turns)])


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
