"""JAX and PyTorch as contenders of ``gpu.py``: R networks of one shape, trained as fast as each can
fairly be made to.

The order of their batches lies in the card's memory before the clock starts: drawing and sorting it
costs them nothing, while fracsim computes its own inside."""

import gc
import time

from contenders import BATCH, DEPTH, INPUTS, layers

RATE = 0.005  # the paper's
REPEATS = 5


def sizes(width):
    """[(n_in, n_out), …] of the layers, the readout last."""
    return [(INPUTS, width), *[(width, width)] * (DEPTH - 1), (width, 1)]


def dealt(params, runs):
    """(runs, Q) of the weights (few, Q)."""
    import numpy as np

    return params[np.arange(runs) % len(params)]


class Contender:
    """What all have in common; each has ``run(calls)``, which trains ``calls`` times ``steps``
    steps and waits."""

    kept = None, None

    def measure(self, seconds):
        """Microseconds per step: one number for each repeat."""
        start = time.perf_counter()
        self.run(1)
        calls = max(1, round(seconds / REPEATS / (time.perf_counter() - start)))
        found = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            self.run(calls)
            found.append((time.perf_counter() - start) / (calls * self.steps) * 1e6)
        return {"microseconds": found}

    def orders(self, runs, steps):
        """(steps, R, B) int32: whole epochs, a new order for each run and epoch. The last answer is
        kept."""
        import numpy as np

        if self.kept[0] == (runs, steps):
            return self.kept[1]
        generator, points = np.random.default_rng(runs), len(self.data["x"])
        epochs = -(-steps * BATCH // points)
        order = np.empty((epochs * (points // BATCH), runs, BATCH), np.int32)
        for run in range(runs):
            drawn = [
                generator.permutation(points)[: points // BATCH * BATCH] for _ in range(epochs)
            ]
            order[:, run] = np.concatenate(drawn).reshape(-1, BATCH)
        self.kept = (runs, steps), order[:steps]
        return self.kept[1]


class Jax(Contender):
    """``jit`` of a ``lax.scan`` over the steps, the R networks by ``vmap``, the state donated.

    ``layout``: parameters as a tree of (R, n_in, n_out), or as one array (R, Q), of which Adam is
    one kernel. ``unroll``: steps in the body of the loop. ``gpu.py`` tries them and takes the
    fastest."""

    def __init__(self, data, device):
        import jax

        if device == "cuda" and jax.default_backend() != "gpu":
            raise ImportError("this JAX finds no card: pip install 'jax[cuda12]'")
        self.jax, self.data = jax, data
        self.x, self.y = jax.numpy.asarray(data["x"]), jax.numpy.asarray(data["y"])
        self.version = f"jax {jax.__version__} on {jax.devices()[0].device_kind}"

    def prepare(self, width, runs, steps, precision="highest", layout="tree", unroll=1):
        jax, jnp = self.jax, self.jax.numpy
        self.steps, weights = steps, dealt(self.data[f"params{width}"], runs)
        self.order = jnp.asarray(self.orders(runs, steps))
        params = (
            jnp.asarray(weights) if layout == "flat" else self.as_tree(jnp.asarray(weights), width)
        )
        zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]
        carry = (params, *zeros, jnp.float32(0), jnp.zeros(runs, jnp.float32))
        step = self.step_of(width, layout)
        scan = jax.jit(
            lambda carry, order: jax.lax.scan(step, carry, order, unroll=unroll)[0],
            donate_argnums=0,
        )
        start = time.perf_counter()
        with jax.default_matmul_precision(precision):
            self.program = scan.lower(carry, self.order).compile()
        spent, self.carry = time.perf_counter() - start, carry
        self.run(1)
        return {"loss": float(jnp.mean(self.carry[4])) / steps, "compiling": spent}

    @staticmethod
    def as_tree(params, width):
        """[(W (R, n_in, n_out), b (R, 1, n_out)), …] of the flat parameters (R, Q)."""
        parts, start = [], 0
        for n_in, n_out in sizes(width):
            end = start + n_in * n_out
            weights = params[:, start:end].reshape(-1, n_in, n_out)
            parts.append((weights, params[:, end : end + n_out].reshape(-1, 1, n_out)))
            start = end + n_out
        return parts

    def step_of(self, width, layout):
        """The step of ``scan``: the carry is (parameters, m, v, t, sum of losses (R,))."""
        jax, jnp = self.jax, self.jax.numpy

        def loss(params, x, y):
            for w, b in params[:-1]:
                x = jax.nn.relu(x @ w + b)
            w, b = params[-1]
            return jnp.mean(jax.nn.relu(1 - y * (x @ w + b)[:, 0]))

        def step(carry, chosen):
            p, m, v, t, total = carry
            t = t + 1
            x = self.x.at[chosen].get(mode="promise_in_bounds")
            y = self.y.at[chosen].get(mode="promise_in_bounds")
            value, g = jax.vmap(jax.value_and_grad(loss))(
                self.as_tree(p, width) if layout == "flat" else p, x, y
            )
            if layout == "flat":
                g = jnp.concatenate(
                    [part.reshape(len(part), -1) for pair in g for part in pair], axis=1
                )
            rate, scale = RATE / (1 - 0.9**t), 1 / (1 - 0.999**t)
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * scale) + 1e-8), p, m, v)
            return (p, m, v, t, total + value), None

        return step

    def run(self, calls):
        for _ in range(calls):  # JAX queues them; only the last is waited for
            self.carry = self.program(self.carry, self.order)
        self.jax.block_until_ready(self.carry)

    def release(self):
        self.carry = self.program = self.order = None
        gc.collect()
        return {}


class Torch(Contender):
    """Batched products over the R networks and a backward pass by hand, ``GRAPH`` steps captured in
    one CUDA graph.

    Parameters and gradients are views into two arrays, so that PyTorch's fused Adam is one kernel.
    Autograd's pass would have the same products and more kernels around them. On a CPU the steps
    are taken plainly."""

    GRAPH = 20

    def __init__(self, data, device):
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            raise ImportError("this PyTorch finds no card: install its CUDA build")
        self.torch, self.data, self.device = torch, data, device
        self.x, self.y = (
            torch.from_numpy(each).to(device) for each in (data["x"], data["y"][:, None])
        )
        name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
        self.version = f"torch {torch.__version__} on {name}"

    def prepare(self, width, runs, steps, precision="highest"):
        torch = self.torch
        torch.backends.cuda.matmul.allow_tf32 = precision != "highest"
        self.steps, weights = steps, dealt(self.data[f"params{width}"], runs)
        self.order = torch.from_numpy(self.orders(runs, steps)).to(self.device)
        self.flat = torch.empty(weights.size, device=self.device, requires_grad=True)
        self.flat.grad = torch.zeros_like(self.flat)
        with torch.no_grad():
            self.params, self.grads = (
                self.views(each, width, runs) for each in (self.flat.detach(), self.flat.grad)
            )
            for (w, b), (first_w, first_b) in zip(self.params, layers_of(weights, width)):  # noqa: B905
                w.copy_(torch.from_numpy(first_w))
                b.copy_(torch.from_numpy(first_b))
        self.adam = torch.optim.Adam(
            [self.flat], lr=RATE, fused=True, capturable=self.device == "cuda"
        )
        self.ones = torch.ones(runs, 1, BATCH, device=self.device)
        self.at = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.total = torch.zeros(runs, device=self.device)
        self.graph = self.capture() if self.device == "cuda" else None
        self.run(1)
        return {"loss": float(self.total.mean()) / steps}

    def views(self, flat, width, runs):
        """[(W (R, n_in, n_out), b (R, 1, n_out)), …] as parts of one array."""
        parts, start = [], 0
        for n_in, n_out in sizes(width):
            middle, end = start + runs * n_in * n_out, start + runs * (n_in + 1) * n_out
            parts.append(
                (flat[start:middle].view(runs, n_in, n_out), flat[middle:end].view(runs, 1, n_out))
            )
            start = end
        return parts

    def capture(self):
        """``GRAPH`` steps as one CUDA graph; the steps that warm up are undone."""
        torch, kept = self.torch, self.flat.detach().clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(self.GRAPH):
                self.step()
        with torch.no_grad():
            self.flat.copy_(kept)
            for value in (*self.adam.state[self.flat].values(), self.at, self.total):
                value.zero_()
        return graph

    def step(self):
        torch = self.torch
        with torch.no_grad():
            chosen = self.order.index_select(0, self.at)[0]
            chosen = chosen.view(-1)
            x, y = (
                each.index_select(0, chosen).view(-1, BATCH, each.shape[1])
                for each in (self.x, self.y)
            )
            hidden = [x]
            for w, b in self.params[:-1]:
                hidden.append(torch.baddbmm(b, hidden[-1], w).relu_())
            w, b = self.params[-1]
            margin = 1 - y * torch.baddbmm(b, hidden[-1], w)
            self.total += margin.relu().mean(dim=(1, 2))
            above = torch.ops.aten.threshold_backward(y * (-1 / BATCH), margin, 0)
            for layer in range(DEPTH, -1, -1):
                dw, db = self.grads[layer]
                torch.bmm(hidden[layer].transpose(1, 2), above, out=dw)
                torch.bmm(self.ones, above, out=db)
                if layer:
                    below = torch.bmm(above, self.params[layer][0].transpose(1, 2))
                    above = torch.ops.aten.threshold_backward(below, hidden[layer], 0)
            self.at.add_(1).remainder_(self.steps)
        self.adam.step()

    def run(self, calls):
        for _ in range(calls * self.steps // (self.GRAPH if self.graph else 1)):
            self.graph.replay() if self.graph else self.step()
        if self.graph:
            self.torch.cuda.synchronize()

    def release(self):
        self.flat = self.params = self.grads = self.adam = self.order = self.graph = None
        gc.collect()
        if self.device == "cuda":
            self.torch.cuda.empty_cache()
        return {}


def layers_of(weights, width):
    """[(W (R, n_in, n_out), b (R, 1, n_out)), …] of the weights (R, Q) on the host."""
    import numpy as np

    each = [layers(row, width) for row in weights]
    return [
        (np.stack([row[layer][0] for row in each]), np.stack([row[layer][1][None] for row in each]))
        for layer in range(DEPTH + 1)
    ]
