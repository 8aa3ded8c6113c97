"""The contenders of ``training.py``: each runs in its own process, on one core, and answers
requests on its stdin.

    python contenders.py NAME DATA CORES

A request is one line of JSON, ``{"do": "prepare", "width": k}`` (compile, train for the first 500
steps) or ``{"do": "measure", "width": k, "seconds": s}``; so is the answer. DATA is the .npz of
data set and initial weights that all contenders share. CORES is a comma-separated list to pin the
process to. A contender imports its own library only: the peers need not have fracsim's
dependencies."""

import json
import os
import sys
import time

DEPTH, INPUTS, BATCH, RATE = 5, 2, 100, 0.001
CALL = 500  # steps of one call: one epoch of 50,000 samples


def pin(cores):
    """Keep this process on the given cores; before any library starts its threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})


def timed(call, seconds, least=1):
    """Microseconds per step of ``call()``, which returns its number of steps, repeated for about
    ``seconds``."""
    steps = calls = 0
    start = time.perf_counter()
    while calls < least or time.perf_counter() - start < seconds:
        steps += call()
        calls += 1
    return (time.perf_counter() - start) / steps * 1e6


class Fracsim:
    """fracsim's training verb: chunks of 500 steps, the order of each epoch computed inside."""

    def __init__(self, data):
        import numpy as np

        import fracsim
        from fracsim.kernels.backend import get_backend
        from fracsim.kernels.network.losses import LOSSES
        from fracsim.kernels.network.shape import Shape
        from fracsim.kernels.training.optimisers import OPTIMIZERS
        from fracsim.kernels.training.train import Dataset, Rule, State

        self.np, self.backend, self.shape_of, self.data, self.state = (
            np,
            get_backend("cpu"),
            Shape,
            data,
            State,
        )
        self.rule = Rule(LOSSES.index("hinge"), OPTIMIZERS.index("adam"), 0, BATCH)
        self.source = Dataset(data["x"][None], data["y"][None])
        self.runs = {}
        self.version = f"fracsim {fracsim.__version__} ({self.backend.device})"

    def prepare(self, width, copy=0):
        state = self.state.start(self.data[f"params{width}"][None])
        self.runs[width, copy] = [state, 0]
        self.call(width, copy)
        return {"loss": float(state.loss_sum[0] / state.counted[0])}

    def call(self, width, copy=0):
        np, (state, done) = self.np, self.runs[width, copy]
        rate, seed, chosen = np.array([RATE]), np.zeros(1, np.uint64), np.zeros(1, np.int64)
        shape = self.shape_of(INPUTS, DEPTH, width)
        self.backend.train(
            shape, self.rule, rate, seed, state, self.source, chosen, done, done + CALL
        )
        self.runs[width, copy][1] = done + CALL
        return CALL

    def measure(self, width, seconds):
        return {"microseconds": timed(lambda: self.call(width), seconds)}

    def pair(self, width, seconds):
        """Time of one run alone, then of two runs on two threads, microseconds per step of each
        run."""
        from concurrent.futures import ThreadPoolExecutor

        def run(copy):
            return timed(lambda: self.call(width, copy), 0, least=calls)

        for copy in (0, 1):
            self.prepare(width, copy)
        calls = max(1, round(seconds * 1e6 / (timed(lambda: self.call(width), 0) * CALL)))
        alone = run(0)
        with ThreadPoolExecutor(2) as pool:
            start = time.perf_counter()
            list(pool.map(run, (0, 1)))
            both = (time.perf_counter() - start) / (calls * CALL) * 1e6
        return {"alone": alone, "both": both}

    def points(self, count):
        """Points per second of ``sample`` and ``level``: cantor, n = 5, curve 1."""
        from fracsim.fractals.curve import parse_curve
        from fracsim.fractals.distribution import Distribution
        from fracsim.fractals.fractal import load_fractal
        from fracsim.kernels.random.philox import SAMPLE

        fractal = load_fractal("cantor")
        geometry, law = fractal.geometry(), Distribution(fractal, 5, parse_curve("1")).law()
        x = self.backend.sample(geometry, law, 0, SAMPLE, 0, count)[0]
        self.backend.level(geometry, 5, x[:10])
        start = time.perf_counter()
        self.backend.sample(geometry, law, 1, SAMPLE, 0, count)
        middle = time.perf_counter()
        self.backend.level(geometry, 5, x)
        return {"sample": count / (middle - start), "level": count / (time.perf_counter() - middle)}


class Jax:
    """``jit`` + ``lax.scan`` over 500 steps a call, state donated, gather inside; the orders are
    drawn before.

    Two programs are compiled, with the parameters as a tree and as one flat vector; the faster one
    counts."""

    def __init__(self, data):
        import jax
        import numpy as np
        from jax.flatten_util import ravel_pytree

        self.jax, self.np, self.ravel, self.data, self.programs = jax, np, ravel_pytree, data, {}
        self.x, self.y = jax.numpy.asarray(data["x"]), jax.numpy.asarray(data["y"])
        self.orders = [self.order(epoch) for epoch in range(4)]
        self.version = f"jax {jax.__version__}"

    def order(self, epoch):
        order = self.np.random.default_rng(epoch).permutation(len(self.x)).reshape(-1, BATCH)[:CALL]
        return self.jax.numpy.asarray(order.astype(self.np.int32))

    def program(self, width, flat):
        """(jitted epoch, its first carry)."""
        jax, jnp = self.jax, self.jax.numpy
        tree = [
            (jnp.asarray(w), jnp.asarray(b)) for w, b in layers(self.data[f"params{width}"], width)
        ]
        vector, as_tree = self.ravel(tree)

        def loss(params, x, y):
            parts = as_tree(params) if flat else params
            for w, b in parts[:-1]:
                x = jax.nn.relu(x @ w + b)
            w, b = parts[-1]
            return jnp.mean(jax.nn.relu(1 - y * (x @ w + b)[:, 0]))

        def step(carry, chosen):
            p, m, v, t, total = carry
            t = t + 1
            x = self.x.at[chosen].get(mode="promise_in_bounds")
            y = self.y.at[chosen].get(mode="promise_in_bounds")
            value, g = jax.value_and_grad(loss)(p, x, y)
            rate, scale = RATE / (1 - 0.9**t), 1 / (1 - 0.999**t)
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * scale) + 1e-8), p, m, v)
            return (p, m, v, t, total + value), None

        params = vector if flat else tree
        zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]
        epoch = jax.jit(lambda carry, order: jax.lax.scan(step, carry, order)[0], donate_argnums=0)
        return [epoch, (params, *zeros, jnp.float32(0), jnp.float32(0))]

    def prepare(self, width):
        for flat in (False, True):
            self.programs[width, flat] = self.program(width, flat)
            self.call(width, flat, 0)
        return {"loss": float(self.programs[width, True][1][4]) / CALL}

    def call(self, width, flat, epoch):
        program = self.programs[width, flat]
        program[1] = self.jax.block_until_ready(program[0](program[1], self.orders[epoch]))
        return CALL

    def measure(self, width, seconds):
        epochs = iter(range(1, 10**9))
        both = [
            timed(lambda flat=flat: self.call(width, flat, next(epochs) % 4), seconds / 2)
            for flat in (False, True)
        ]
        return {"microseconds": min(both), "tree": both[0], "flat": both[1]}


class Torch:
    """PyTorch eager with its fused Adam, the fastest of its three."""

    def __init__(self, data):
        import torch

        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        self.torch, self.data, self.runs = torch, data, {}
        self.x, self.y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
        self.version = f"torch {torch.__version__}"

    def prepare(self, width):
        torch, modules = self.torch, []
        for w, b in layers(self.data[f"params{width}"], width):
            linear = torch.nn.Linear(*w.shape)
            linear.weight.data, linear.bias.data = (
                torch.from_numpy(w.T.copy()),
                torch.from_numpy(b.copy()),
            )
            modules += [linear, torch.nn.ReLU()]
        net = torch.nn.Sequential(*modules[:-1])
        self.runs[width] = net, torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
        return {"loss": float(torch.stack(self.call(width, CALL)).mean())}

    def call(self, width, steps):
        torch, (net, optimiser) = self.torch, self.runs[width]
        order, losses = torch.randperm(len(self.x)), []
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            loss = torch.relu(1 - self.y[chosen] * net(self.x[chosen])[:, 0]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.detach())
        return losses

    def measure(self, width, seconds):
        return {"microseconds": timed(lambda: len(self.call(width, 100)), seconds)}


class Matmul:
    """NumPy's float32 1024³ matrix product: the machine's yardstick."""

    def __init__(self, data):
        import numpy as np

        self.np, self.version = np, f"numpy {np.__version__}"
        self.a, self.b = (
            np.random.default_rng(seed).random((1024, 1024), np.float32) for seed in (0, 1)
        )
        self.out = np.empty_like(self.a)

    def prepare(self, width):
        self.np.matmul(self.a, self.b, out=self.out)
        return {}

    def measure(self, width, seconds):
        """Best of the products that fit into ``seconds``, in GFLOP/s."""
        best, end = 1e9, time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            self.np.matmul(self.a, self.b, out=self.out)
            best = min(best, time.perf_counter() - start)
        return {"gflops": 2 * 1024**3 / best / 1e9}


def layers(params, width):
    """[(W, b), …] of the flat parameters; see fracsim's kernels/network/shape.py."""
    sizes, parts, start = [INPUTS, *[width] * DEPTH, 1], [], 0
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):  # noqa: B905, RUF007 (peers may run an older Python)
        end = start + n_in * n_out
        parts.append((params[start:end].reshape(n_in, n_out), params[end : end + n_out]))
        start = end + n_out
    return parts


CONTENDERS = {"fracsim": Fracsim, "jax": Jax, "torch": Torch, "matmul": Matmul}


def serve(make, path):
    """Answer the requests on stdin with ``make(data)``; an error is an answer, too."""
    answers, sys.stdout = (
        sys.stdout,
        sys.stderr,
    )  # a library's chatter must not mix with the answers

    def answer(**values):
        print(json.dumps(values), file=answers, flush=True)

    try:
        import numpy as np

        contender = make(dict(np.load(path)))
    except ImportError as missing:
        answer(missing=str(missing))
        return
    answer(version=contender.version)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(**getattr(contender, request.pop("do"))(**request))
        except Exception as error:
            answer(failed=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def main(name, path, cores):
    pin(cores)
    serve(CONTENDERS[name], path)


if __name__ == "__main__":
    main(*sys.argv[1:])
