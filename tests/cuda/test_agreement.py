"""The comparison of backends that doctor shows: that it passes for CUDA in the simulator, and that
it can fail."""

import numpy as np
import pytest

from fracsim.kernels.cpu import CpuBackend
from fracsim.kernels.cuda.backend import CudaBackend
from fracsim.selftest.agreement import SMALL, Agreement, agreements


@pytest.mark.slow
def test_cuda_agrees_with_the_cpu(backend):
    rows = list(agreements(CudaBackend(), backend, SMALL))
    assert [row for row in rows if not row.passed] == []
    assert {"forward", "gradient", "train", "train on a stream"} < {row.verb for row in rows}


class Wrong(CpuBackend):
    """Differs from the CPU in one verb, by less than an eye would see."""

    name = "cuda"

    def __init__(self, verb):
        super().__init__()
        self.verb = verb

    def level(self, *args):
        found = super().level(*args)
        found[-1] -= self.verb == "level"
        return found

    def sample(self, *args):
        x, y, level = super().sample(*args)
        return x + (1e-12 if self.verb == "sample" else 0), y, level

    def forward(self, *args):
        return super().forward(*args) * np.float32(1 + 1e-2 * (self.verb == "forward"))

    def gradient(self, *args):
        found, loss = super().gradient(*args)
        return found * np.float32(1 + 1e-4 * (self.verb == "gradient")), loss

    def train(self, *args):
        super().train(*args)
        if self.verb == "train":
            args[4].params[0, 0] += 1e-2


@pytest.mark.parametrize(
    ("verb", "rows"),
    [
        ("level", ["level, points that differ"]),
        ("sample", ["sample, points that differ"]),
        ("forward", ["forward", "evaluate, loss"]),
        ("gradient", ["gradient"]),
        ("train", ["train", "train on a stream"]),
        ("none", []),
    ],
)
def test_a_verb_that_differs_is_found(backend, verb, rows):
    assert [row.verb for row in agreements(Wrong(verb), backend, SMALL) if not row.passed] == rows


def test_nan_is_no_agreement():
    assert not Agreement("cuda", "forward", float("nan"), 1e-5).passed
