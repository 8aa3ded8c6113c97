"""Convolutional networks against PyTorch's autograd and its Adam; skipped where it is missing."""

from itertools import pairwise

import numpy as np
import pytest

from fracsim.kernels.cpu import CpuBackend
from fracsim.kernels.network.losses import EVERY_LOSS
from fracsim.kernels.network.shape import Shape, parameter_count, split_layers
from fracsim.kernels.random.feistel import epoch_key, shuffled
from fracsim.kernels.training.optimisers import OPTIMIZERS
from fracsim.kernels.training.train import Dataset, Rule, State

torch = pytest.importorskip("torch", reason="PyTorch is not installed (the bench extra)")

CODE = EVERY_LOSS.index("cross-entropy")
SIDE, BATCH, POINTS, RATE, SEED = 5, 16, 200, 0.003, 5
CUTS = (0, 1, 10, 50, 100)
"""Steps at which both are compared."""
ONE = np.zeros(1, np.int64)
SHAPES = {
    "one layer": Shape(8 * 8 * 3, (4,), 10, (8, 8, 3)),
    "odd sizes": Shape(9 * 7 * 2, (3, 17), 5, (9, 7, 2)),
    "four layers": Shape(12 * 12, (8, 1, 6, 3), 10, (12, 12, 1)),
}


class Network:
    """The network of flat parameters in PyTorch: a tensor for each layer's weights and biases."""

    def __init__(self, shape, params):
        self.shape = shape
        self.layers = [
            tuple(torch.tensor(part, requires_grad=True) for part in layer)
            for layer in split_layers(shape, params)
        ]

    def parts(self):
        """Weights and biases, in the order of the flat parameters."""
        return [part for layer in self.layers for part in layer]

    def flat(self):
        """(Q,)"""
        return np.concatenate([part.detach().numpy().ravel() for part in self.parts()])

    def loss(self, x, y):
        """Mean cross-entropy of images x (N, d), flat, and classes y (N,)."""
        h = torch.tensor(x).reshape(-1, *self.shape.image).permute(0, 3, 1, 2)
        *hidden, (weights, biases) = self.layers
        for number, (window, bias) in enumerate(hidden):
            window = window.reshape(SIDE, SIDE, h.shape[1], -1).permute(3, 2, 0, 1).contiguous()
            h = torch.relu(torch.nn.functional.conv2d(h, window, bias, padding=SIDE // 2))
            if number < 2:
                h = torch.nn.functional.max_pool2d(h, 2)
        scores = h.permute(0, 2, 3, 1).flatten(1) @ weights + biases
        return torch.nn.functional.cross_entropy(scores, torch.tensor(y.astype(np.int64)))


def drawn(shape, dtype):
    """Parameters (1, Q) of variance 2 / n_in, images (1, N, d), classes (1, N)."""
    random = np.random.default_rng(1)
    params = random.normal(size=(1, parameter_count(shape)))
    for weights, biases in split_layers(shape, params[0]):  # views: written through
        weights *= np.sqrt(2 / len(weights))
        biases *= 0.1
    x = random.normal(size=(1, POINTS, shape.inputs))
    y = random.integers(0, shape.outputs, (1, POINTS))
    return params.astype(dtype), x.astype(dtype), y.astype(dtype)


def rows_of(step):
    """The points of the batch of step 1, 2, …"""
    per_epoch = POINTS // BATCH
    key = epoch_key(np.uint64(SEED), (step - 1) // per_epoch)
    first = (step - 1) % per_epoch * BATCH
    return [shuffled(first + b, POINTS, key) for b in range(BATCH)]


@pytest.mark.compiled
@pytest.mark.parametrize("name", SHAPES)
def test_gradients(name):
    shape = SHAPES[name]
    params, x, y = drawn(shape, np.float64)
    found, losses = CpuBackend().gradient(shape, CODE, params, x, y, ONE)
    network = Network(shape, params[0])
    loss = network.loss(x[0], y[0])
    loss.backward()
    wanted = np.concatenate([part.grad.numpy().ravel() for part in network.parts()])
    assert losses[0] == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("name", "dtype", "allowed"),
    [
        *((name, np.float64, 1e-9) for name in SHAPES),
        # not "four layers": at step 85 the two largest of four pixels are 2e-7 apart, and which one
        # gets the slope then depends on the last digits of float32, in PyTorch too
        *((name, np.float32, 1e-4) for name in ("one layer", "odd sizes")),
    ],
)
def test_a_hundred_steps_of_adam(name, dtype, allowed):
    shape = SHAPES[name]
    params, x, y = drawn(shape, dtype)
    state, rule = State.start(params), Rule(CODE, OPTIMIZERS.index("adam"), 0, BATCH)
    network = Network(shape, params[0])
    adam = torch.optim.Adam(network.parts(), RATE)
    for start, stop in pairwise(CUTS):
        CpuBackend().train(
            shape, rule, np.full(1, RATE), np.full(1, SEED, np.uint64), state, Dataset(x, y), ONE,
            start, stop,
        )  # fmt: skip
        for step in range(start + 1, stop + 1):
            adam.zero_grad()
            rows = rows_of(step)
            network.loss(x[0][rows], y[0][rows]).backward()
            adam.step()
        np.testing.assert_allclose(state.params[0], network.flat(), rtol=0, atol=allowed)
    assert np.abs(network.flat() - params[0]).max() > 0.05  # it has gone somewhere
