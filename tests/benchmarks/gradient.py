"""How long the exact gradient over a whole distribution takes: on this machine, on one core, in
processor time.

    python tests/benchmarks/gradient.py

First the promise: 1,000 networks of T = 2, k = 20 on cantor1d of depth 40 in under a minute. Then
the time of one network against the depth n of the fractal: of a random one, whose breakpoints
mostly lie in gaps of the first levels, where the descent ends, and of the worst, all of whose units
break at 1/4, a point of the Cantor set. Last, other shapes. The exit code is 1 where the promise is
not kept or where n = 32 takes more than eight times as long as n = 8."""

import sys
import time

import numpy as np

from fracsim.fractals.curve import parse_curve
from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.points.line import make_line
from fracsim.kernels.points.sample import make_law
from fracsim.kernels.training.population import population_gradient
from fracsim.studies.gradient.gradient import RandomNetworks

PROMISE = 60.0  # seconds


def random_networks(shape, count):
    """(count, Q) He weights and N(0, 0.5²) biases."""
    return np.stack([RandomNetworks(shape, "he", None, 0.5).params(i) for i in range(count)])


def seconds(shape, n, params, turns=5):
    """Least processor time of ``turns`` passes over networks (R, Q), per network."""
    geometry = load_fractal("cantor1d").geometry()
    line = make_line(geometry, make_law(geometry, parse_curve("1").values(n), 0, 0.0, 0.0))
    taken = []
    for _ in range(turns):
        started = time.process_time()
        population_gradient(shape, params, line)
        taken.append(time.process_time() - started)
    return min(taken) / len(params)


def main():
    small, wide = Shape(1, 2, 20), Shape(1, 1, 200)
    params = random_networks(small, 1000)
    seconds(small, 5, params[:1], turns=1)  # compiles
    promised = 1000 * seconds(small, 40, params)
    print(
        f"1,000 networks of T = 2, k = 20 at n = 40: {promised:.2f} s (promised: {PROMISE:.0f} s)"
    )
    worst = np.concatenate([np.ones(200), np.full(200, -0.25), np.ones(200), [0.0]])[None]
    depths = {}
    for name, shape, networks in (
        ("random, T = 2, k = 20", small, params),
        ("worst, T = 1, k = 200", wide, worst),
    ):
        depths = {n: seconds(shape, n, networks, turns=9) for n in (8, 16, 32, 60)}
        print(
            f"microseconds, {name}:",
            ", ".join(f"n = {n}: {1e6 * t:.0f}" for n, t in depths.items()),
        )
    for depth, width, draws in ((1, 100, 50), (2, 100, 20), (4, 50, 20), (5, 100, 5)):
        shape = Shape(1, depth, width)
        taken = seconds(shape, 40, random_networks(shape, draws), turns=3)
        print(f"T = {depth}, k = {width}, n = 40: {1e3 * taken:.2f} ms a network")
    return int(promised > PROMISE or depths[32] > 8 * depths[8])


if __name__ == "__main__":
    sys.exit(main())
