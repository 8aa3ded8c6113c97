"""The contenders of ``gpu.py``: R networks of one shape trained side by side, each contender in its
own process.

    python gpu_contenders.py NAME DATA DEVICE

Requests and answers as in ``contenders.py``: ``prepare`` (compile, train the first steps; answers
their mean loss), ``measure`` (microseconds per step of all R networks, several repeats),
``release``. DEVICE is "cuda", or "cpu" for a rehearsal. DATA holds the points and, for each width,
the initial weights of a few networks, which are dealt out to R runs in turn; every run has batches
of its own."""

import gc
import sys

from contenders import BATCH, DEPTH, INPUTS, serve
from gpu_peers import RATE, Contender, Jax, Torch, dealt


class Fracsim(Contender):
    """fracsim's training verb; the orders are computed inside."""

    def __init__(self, data, device):
        import numpy as np

        import fracsim
        from fracsim.kernels.backend import get_backend
        from fracsim.kernels.errors import BackendError
        from fracsim.kernels.network.losses import LOSSES
        from fracsim.kernels.training.optimisers import OPTIMIZERS
        from fracsim.kernels.training.train import Dataset, Rule

        try:
            self.backend = get_backend(device)
        except BackendError as error:
            raise ImportError(str(error)) from error
        self.np, self.data = np, data
        self.rule = Rule(LOSSES.index("hinge"), OPTIMIZERS.index("adam"), 0, BATCH)
        self.source = self.backend.place(Dataset(data["x"][None], data["y"][None]))
        self.version = f"fracsim {fracsim.__version__} ({self.backend.device})"

    def prepare(self, width, runs, steps, **_):
        from fracsim.kernels.network.shape import Shape
        from fracsim.kernels.training.train import State

        np, place = self.np, self.backend.place
        self.steps, self.done, self.shape = steps, 0, Shape(INPUTS, DEPTH, width)
        self.state = place(State.start(dealt(self.data[f"params{width}"], runs)))
        self.rates, self.seeds = place(np.full(runs, RATE)), place(np.arange(runs, dtype=np.uint64))
        self.sets = place(np.zeros(runs, np.int64))
        self.run(1)
        losses, counted = (
            self.backend.fetch(self.state.loss_sum),
            self.backend.fetch(self.state.counted),
        )
        return {"loss": float(np.mean(losses / counted))}

    def run(self, calls):
        stop = self.done + calls * self.steps
        self.backend.train(
            self.shape,
            self.rule,
            self.rates,
            self.seeds,
            self.state,
            self.source,
            self.sets,
            self.done,
            stop,
        )
        self.backend.fetch(self.state.diverged)  # waits
        self.done = stop

    def release(self):
        self.state = None
        gc.collect()
        return {}


CONTENDERS = {"fracsim": Fracsim, "jax": Jax, "torch": Torch}


if __name__ == "__main__":
    name, path, device = sys.argv[1:]
    serve(lambda data: CONTENDERS[name](data, device), path)
