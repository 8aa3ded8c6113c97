"""The CPU backend: the verbs of ``backend.py`` on Numba kernels, one run after the other, in the calling thread.

Every verb releases the GIL while it works, so that a pool of threads can train many runs.
"""

import functools

import llvmlite.binding
import numpy as np

from fracsim.kernels import level as level_kernels
from fracsim.kernels import sample as sample_kernels
from fracsim.kernels.evaluate import BLOCK, make_forward, make_gradient, summarise
from fracsim.kernels.geometry import Geometry, Law
from fracsim.kernels.network import Shape, make_plan
from fracsim.kernels.train import Dataset, Rule, State, Stream, make_train

_plan = functools.lru_cache(maxsize=64)(make_plan)


def host_features() -> dict[str, bool]:
    """Instruction sets of this CPU, by LLVM's names."""
    try:
        return dict(llvmlite.binding.get_host_cpu_features())
    except RuntimeError:  # LLVM cannot tell on this platform
        return {}


def host_lanes() -> int:
    """float32 elements of the widest vectors of this CPU: 16 (AVX-512), 8 (AVX2) or 4."""
    features = host_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx2") else 4


class CpuBackend:
    """Numba on the CPU with vectors of ``lanes`` float32 elements (4, 8 or 16; default: what this CPU has).

    Letters: R runs, Q parameters, N points, d inputs, n depth of the fractal. ``x`` is (sets, N, d), ``y`` and ``level`` are
    (sets, N); run i uses set ``set_of_run[i]``. The float type of ``params`` decides the arithmetic.
    """

    name = "cpu"

    def __init__(self, lanes: int | None = None):
        if lanes not in (None, 4, 8, 16):
            raise ValueError(f"lanes must be 4, 8 or 16, not {lanes}")
        self.lanes = lanes or host_lanes()
        self.device = f"{llvmlite.binding.get_host_cpu_name()}, vectors of {self.lanes} float32"

    def _lanes(self, params: np.ndarray) -> int:
        return self.lanes if params.dtype == np.float32 else self.lanes // 2

    def level(self, geometry: Geometry, n: int, x: np.ndarray) -> np.ndarray:
        """Levels (N,) int16 of the points x (N, d) float64."""
        return level_kernels.level(geometry, n, x)

    def sample(
        self, geometry: Geometry, law: Law, seed: int, purpose: int, first: int, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x (count, d) float64, y (count,) int8, level (count,) int16 of samples first … first + count - 1."""
        return sample_kernels.sample(geometry, law, seed, purpose, first, count)

    def forward(self, shape: Shape, params: np.ndarray, x: np.ndarray, set_of_run: np.ndarray) -> np.ndarray:
        """Scores f (R, N) of params (R, Q)."""
        lanes = self._lanes(params)
        plan, places = _plan(shape, BLOCK, lanes)
        scores = np.empty((len(params), x.shape[1]), params.dtype)
        for run, chosen in enumerate(set_of_run):
            make_forward(lanes)(plan, places, params[run], x[chosen], scores[run])
        return scores

    def gradient(
        self, shape: Shape, loss: int, params: np.ndarray, x: np.ndarray, y: np.ndarray, set_of_run: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """dparams (R, Q) = gradient of the mean loss over N, and that loss (R,)."""
        lanes = self._lanes(params)
        plan, places = _plan(shape, BLOCK, lanes)
        dparams, losses = np.empty_like(params), np.empty(len(params))
        for run, chosen in enumerate(set_of_run):
            losses[run] = make_gradient(lanes)(plan, places, loss, params[run], x[chosen], y[chosen], dparams[run])
        return dparams, losses

    def evaluate(
        self,
        shape: Shape,
        loss: int,
        params: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        level: np.ndarray,
        n: int,
        set_of_run: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean loss (R,), accuracy (R,) and accuracy by level (R, n + 1), NaN where a level has no points."""
        scores = self.forward(shape, params, x, set_of_run)
        losses, accuracy = np.empty(len(params)), np.empty(len(params))
        by_level = np.full((len(params), n + 1), np.nan)
        for run, chosen in enumerate(set_of_run):
            total, correct, count = np.zeros(n + 1), np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
            summarise(loss, scores[run], y[chosen], level[chosen], total, correct, count)
            losses[run], accuracy[run] = total.sum() / count.sum(), correct.sum() / count.sum()
            np.divide(correct, count, out=by_level[run], where=count > 0)
        return losses, accuracy, by_level

    def train(
        self,
        shape: Shape,
        rule: Rule,
        learning_rate: np.ndarray,
        seed: np.ndarray,
        state: State,
        source: Dataset | Stream,
        set_of_run: np.ndarray,
        start: int,
        stop: int,
    ) -> None:
        """Steps start+1 … stop of R runs, in place; learning_rate (R,), seed (R,) uint64. Diverged runs stand still."""
        lanes = self._lanes(state.params)
        plan, places = _plan(shape, rule.batch, lanes)
        train = make_train(lanes, isinstance(source, Stream))
        for run in range(len(state.params)):
            if state.diverged[run] < 0:
                train(plan, places, rule, float(learning_rate[run]), np.uint64(seed[run]), state, run, source,
                      int(set_of_run[run]), start, stop)  # fmt: skip
