"""The CPU backend: the verbs of ``backend.py`` on Numba kernels, one run after the other, in the
calling thread.

Every verb releases the GIL while it works, so that a pool of threads can train many runs.
"""

import functools

import llvmlite.binding
import numpy as np
from numpy.typing import DTypeLike

from fracsim.kernels.network.evaluate import BLOCK, layer_norms, loss_gradient, scores_of, summarise
from fracsim.kernels.network.shape import Shape, make_plan
from fracsim.kernels.points import level as level_kernels
from fracsim.kernels.points import sample as sample_kernels
from fracsim.kernels.points.geometry import Geometry, Law
from fracsim.kernels.protocol import Backend, Placed
from fracsim.kernels.training.train import (
    Dataset,
    Images,
    Population,
    Rule,
    State,
    Stream,
    train_on_dataset,
    train_on_population,
    train_on_stream,
)
from fracsim.kernels.vectors import VECTOR_BYTES, host_features


def _is_plain(shape: Shape) -> bool:
    """Whether it is a network of one output; the kernels of others are made when they are used."""
    return shape.outputs == 1 and shape.image is None


_plan = functools.lru_cache(maxsize=64)(make_plan)


class CpuBackend(Backend):
    """Numba on the CPU; nothing needs to be placed."""

    name = "cpu"
    side_by_side = False
    why = ""
    kinds_of_data = ("dataset", "stream", "population")
    several_outputs = True

    def __init__(self) -> None:
        self.instruction_sets = ",".join(sorted(host_features()))
        self.device = (
            f"{llvmlite.binding.get_host_cpu_name()}, vectors of {VECTOR_BYTES // 4} float32"
        )

    def free_memory(self) -> float | None:
        return None

    def bytes_per_run(self, shape: Shape, rule: Rule, dtype: DTypeLike) -> int:
        return 0

    def place(self, arrays: Placed) -> Placed:
        return arrays

    def fetch(self, arrays: Placed) -> Placed:
        return arrays

    def clear(self, array: np.ndarray) -> None:
        array[...] = 0

    def level(self, geometry: Geometry, n: int, x: np.ndarray) -> np.ndarray:
        return level_kernels.level(geometry, n, x)

    def sample(
        self, geometry: Geometry, law: Law, seed: int, purpose: int, first: int, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return sample_kernels.sample(geometry, law, seed, purpose, first, count)

    def forward(
        self, shape: Shape, params: np.ndarray, x: np.ndarray, set_of_run: np.ndarray
    ) -> np.ndarray:
        if not _is_plain(shape):
            from fracsim.kernels.convolution import verbs

            return verbs.forward(shape, params, x, set_of_run)
        plan, places = _plan(shape, BLOCK, VECTOR_BYTES // params.itemsize)
        scores = np.empty((len(params), x.shape[1]), params.dtype)
        for run, chosen in enumerate(set_of_run):
            scores_of(plan, places, params[run], x[chosen], scores[run])
        return scores

    def gradient(
        self,
        shape: Shape,
        loss: int,
        params: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        set_of_run: np.ndarray,
        peaks: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        peaks = np.zeros((len(params), 0), params.dtype) if peaks is None else peaks
        if not _is_plain(shape):
            from fracsim.kernels.convolution import verbs

            return verbs.gradient(shape, params, x, y, set_of_run, peaks)
        plan, places = _plan(shape, BLOCK, VECTOR_BYTES // params.itemsize)
        dparams, losses = np.empty_like(params), np.empty(len(params))
        for run, chosen in enumerate(set_of_run):
            losses[run] = loss_gradient(
                plan, places, loss, params[run], x[chosen], y[chosen], dparams[run], peaks[run]
            )
        return dparams, losses

    def layer_norms(self, shape: Shape, dparams: np.ndarray) -> np.ndarray:
        return np.array([layer_norms(shape, flat) for flat in dparams])

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
        if not _is_plain(shape):
            from fracsim.kernels.convolution import verbs

            return verbs.evaluate(shape, params, x, y, level, n, set_of_run)
        scores = self.forward(shape, params, x, set_of_run)
        losses, accuracy = np.empty(len(params)), np.empty(len(params))
        by_level = np.full((len(params), n + 1), np.nan)
        for run, chosen in enumerate(set_of_run):
            total, correct, count = (
                np.zeros(n + 1),
                np.zeros(n + 1, np.int64),
                np.zeros(n + 1, np.int64),
            )
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
        source: Dataset | Images | Stream | Population,
        set_of_run: np.ndarray,
        start: int,
        stop: int,
    ) -> None:
        if not _is_plain(shape):
            from fracsim.kernels.convolution import verbs

            assert isinstance(source, (Dataset, Images))
            return verbs.train(
                shape, rule, learning_rate, seed, state, source, set_of_run, start, stop
            )
        plan, places = _plan(shape, rule.batch, VECTOR_BYTES // state.params.itemsize)
        for run, chosen in enumerate(set_of_run):
            if state.diverged[run] >= 0:
                continue
            rate, key = float(learning_rate[run]), np.uint64(seed[run])
            if isinstance(source, Stream):
                train_on_stream(
                    plan,
                    places,
                    rule,
                    rate,
                    key,
                    state,
                    run,
                    source.geometry,
                    source.law,
                    start,
                    stop,
                )
            elif isinstance(source, Population):
                train_on_population(plan, rule, rate, state, run, source.line, start, stop)
            else:
                x, y = source.x[chosen], source.y[chosen]
                train_on_dataset(plan, places, rule, rate, key, state, run, x, y, start, stop)
