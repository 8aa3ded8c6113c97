"""Units that no test point activates: counted in the evaluation of every record, and the networks
that die of them."""

import dataclasses

import numpy as np
import pytest
from small_experiments import small

from fracsim.data.reader import open_trajectory
from fracsim.kernels.backend import get_backend
from fracsim.kernels.network.shape import Shape, parameter_count, split_layers
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.quality import inactive_units


def peaks_of(shape, params, x):
    """The greatest activation of each hidden unit over the points, in NumPy."""
    found, values = [], x.astype(float)
    for weights, biases in split_layers(shape, params.astype(float))[:-1]:
        values = np.maximum(values @ weights + biases, 0)
        found.append(values.max(axis=0))
    return np.concatenate(found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_peaks_are_those_of_numpy(dtype):
    """On more points than a block, for widths that no vector divides."""
    rng, shape = np.random.default_rng(3), Shape(2, (33, 5, 17))
    count = sum((a + 1) * b for a, b in ((2, 33), (33, 5), (5, 17), (17, 1)))
    params = rng.normal(0, 0.4, (2, count)).astype(dtype)
    x, y = rng.uniform(-1, 1, (2, 431, 2)).astype(dtype), np.ones((2, 431), dtype)
    peaks, sets = np.zeros((2, 55), dtype), np.array([1, 0])
    backend = get_backend("cpu")
    dparams, losses = backend.gradient(shape, 0, params, x, y, sets, peaks)
    for run, chosen in enumerate(sets):
        wanted = peaks_of(shape, params[run], x[chosen])
        np.testing.assert_allclose(peaks[run], wanted, rtol=2e-5, atol=1e-6)
    shares = inactive_units(shape, peaks)
    assert shares.shape == (2, 3)
    assert shares[0, 1] == (peaks[0, 33:38] == 0).mean()
    without = backend.gradient(shape, 0, params, x, y, sets)
    assert without[0].tobytes() == dparams.tobytes()
    assert without[1].tobytes() == losses.tobytes()


def test_a_readout_alone_has_no_units():
    assert inactive_units(Shape(2, ()), np.zeros((4, 0))).shape == (4, 0)


def test_records_hold_them_by_layer(tmp_path):
    run_sweep(small(crossed={"network_depth": (0, 2)}), tmp_path / "a.h5")
    found = open_trajectory(tmp_path / "a.h5").variable("inactive_units")
    assert np.isnan(found[0]).all()
    assert np.isnan(found[1, :, 2]).all()  # the readout
    assert ((found[1, :, :2] >= 0) & (found[1, :, :2] <= 1)).all()


def test_a_network_without_an_active_unit_is_dead_from_the_start(tmp_path):
    """Biases of -1000: no unit of the first layer is active, no gradient is there, it never
    lives."""
    run_sweep(small(crossed={"bias": (-1000.0, 0.1)}, network_depth=2), tmp_path / "a.h5")
    trajectory = open_trajectory(tmp_path / "a.h5")
    assert trajectory.dead_since().tolist() == [0, -1]
    assert (trajectory.variable("inactive_units")[0, :, :2] == 1).all()
    assert (trajectory.variable("gradient_norm")[0, :, 0] == 0).all()
    older = dataclasses.replace(
        trajectory,
        _variables={
            name: trajectory.variable(name)
            for name in trajectory.records
            if name != "inactive_units"
        },
    )
    assert older.dead_since().tolist() == [0, -1]


def test_a_channel_of_a_convolutional_network_is_a_unit():
    """On images that do not fill their last block, before the maximum over 2 x 2 pixels."""
    rng, shape = np.random.default_rng(4), Shape(2 * 36, (5, 3), 4, image=(6, 6, 2))
    params = rng.normal(0, 0.2, (1, parameter_count(shape))).astype(np.float32)
    x = rng.uniform(-1, 1, (1, 37, 72)).astype(np.float32)
    y = rng.integers(0, 4, (1, 37)).astype(np.float32)
    peaks = np.zeros((1, 8), np.float32)
    get_backend("cpu").gradient(shape, 0, params, x, y, ZERO, peaks)
    (weights, biases), (more, other), _ = split_layers(shape, params[0].astype(float))
    first = convolved(x[0].reshape(37, 6, 6, 2), weights, biases)
    halved = first.reshape(37, 3, 2, 3, 2, 5).max(axis=(2, 4))
    second = convolved(halved, more, other)
    wanted = [layer.max(axis=(0, 1, 2)) for layer in (first, second)]
    np.testing.assert_allclose(peaks[0], np.concatenate(wanted), rtol=2e-5, atol=1e-6)


ZERO = np.zeros(1, np.int64)


def convolved(images, weights, biases):
    """ReLU of a 5 x 5 convolution with a border of zeros: images (N, H, W, C)."""
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    windows = [padded[:, y : y + height, x : x + width] for y in range(5) for x in range(5)]
    return np.maximum(np.concatenate(windows, axis=3) @ weights + biases, 0)
