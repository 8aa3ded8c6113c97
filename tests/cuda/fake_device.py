"""A device that trains many runs side by side, played by the CPU; what lies on it Python cannot
reach."""

import numpy as np

from fracsim.kernels.cpu import CpuBackend
from fracsim.kernels.errors import OutOfDeviceMemory
from fracsim.kernels.training.train import Stream


class Placed:
    """An array on the device: a length, a shape, a type and no numbers."""

    def __init__(self, array):
        self.here = np.array(array)
        self.shape, self.dtype = self.here.shape, self.here.dtype

    def __len__(self):
        return len(self.here)


def over(function, arrays):
    """Apply a function to an array, or to each of a NamedTuple of arrays."""
    return type(arrays)(*map(function, arrays)) if isinstance(arrays, tuple) else function(arrays)


def here(arrays):
    return over(lambda array: array.here if isinstance(array, Placed) else array, arrays)


class Device(CpuBackend):
    """``most`` runs fit at once; ``free`` bytes are said to be, of which a run takes ``each``."""

    name, side_by_side, kinds_of_data = "cuda", True, ("dataset", "stream")
    several_outputs = False

    def __init__(self, most=10**9, free=1e12, each=1000):
        super().__init__()
        self.most, self.free, self.each, self.device = most, free, each, "a fake device"
        self.launches: list[int] = []

    def free_memory(self):
        return self.free

    def bytes_per_run(self, shape, rule, dtype):
        return self.each

    def place(self, arrays):
        return over(Placed, arrays)

    def fetch(self, arrays):
        return over(lambda array: array.here.copy(), arrays)

    def clear(self, array):
        array.here[...] = 0

    def gradient(self, shape, loss, params, x, y, set_of_run, peaks=None):
        arrays = map(here, (params, x, y, set_of_run))
        dparams, losses = super().gradient(shape, loss, *arrays, peaks)
        return Placed(dparams), losses

    def layer_norms(self, shape, dparams):
        return super().layer_norms(shape, here(dparams))

    def evaluate(self, shape, loss, params, x, y, level, n, set_of_run):
        return super().evaluate(shape, loss, *map(here, (params, x, y, level)), n, here(set_of_run))

    def train(self, shape, rule, learning_rate, seed, state, source, set_of_run, start, stop):
        if len(learning_rate) > self.most:
            raise OutOfDeviceMemory("no memory left")
        if stop > start:
            self.launches.append(len(learning_rate))
        source = source if isinstance(source, Stream) else here(source)
        rates, seeds, state, sets = map(here, (learning_rate, seed, state, set_of_run))
        super().train(shape, rule, rates, seeds, state, source, sets, start, stop)
