"""The CUDA backend: the verbs of ``backend.py`` on one NVIDIA card, all runs of a call side by
side.

Arrays may be given on the host, as to the CPU backend, or placed on the card before (``place``);
results of R rows or more (R, Q) stay where their parameters are."""

import threading
from typing import Any

import numpy as np

from fracsim.kernels.cuda import launch as launchers
from fracsim.kernels.cuda import target
from fracsim.kernels.cuda.workspace import Workspace
from fracsim.kernels.errors import BackendError
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.points.geometry import Geometry, Law
from fracsim.kernels.protocol import Backend
from fracsim.kernels.training.train import Dataset, Images, Population, Rule, State, Stream


def _is_placed(array: Any) -> bool:
    return isinstance(array, OnCard) if target.SIMULATED else not isinstance(array, np.ndarray)


class OnCard(np.ndarray):
    """In the simulator, an array that counts as lying on the card."""


class CudaBackend(Backend):
    """Numba on an NVIDIA card. Verbs as in ``Backend``, which documents them."""

    name = "cuda"

    side_by_side = True
    """One call of ``train`` gains by many runs."""

    why = ""
    """Why ``auto`` took it, where it did."""

    kinds_of_data = ("dataset", "stream")
    several_outputs = False
    """What ``train`` takes; the exact loss over a whole distribution is the CPU's."""

    def __init__(self) -> None:
        self.device = target.device_name()
        self.instruction_sets = "sm_{}{}".format(*target.compute_capability())
        self._own = threading.local()

    @property
    def _workspace(self) -> Workspace:
        """The workspace of the calling thread."""
        if not hasattr(self._own, "workspace"):
            self._own.workspace = Workspace(target.new_stream())
        return self._own.workspace

    @property
    def _stream(self) -> Any:
        """The stream of the calling thread."""
        return self._workspace.stream

    def place(self, arrays: Any) -> Any:
        """An array, or a NamedTuple of arrays, on the card, once it is there; what is no array (a
        Stream, say) stays as it is."""
        placed = arrays
        if isinstance(arrays, np.ndarray):
            placed = self._placed(arrays)
        elif isinstance(arrays, tuple) and all(isinstance(array, np.ndarray) for array in arrays):
            placed = type(arrays)(*(self._placed(array) for array in arrays))
        target.wait(self._stream)
        return placed

    def _placed(self, array: Any) -> Any:
        if _is_placed(array):
            return array
        copy = target.to_card(array, self._stream)
        return copy.view(OnCard) if target.SIMULATED else copy

    def fetch(self, arrays: Any) -> Any:
        """What was placed, on the host."""
        if isinstance(arrays, tuple):
            return type(arrays)(*(self.fetch(array) for array in arrays))
        return np.asarray(target.to_host(arrays, self._stream)) if _is_placed(arrays) else arrays

    def clear(self, array: Any) -> None:
        """Set a placed array to zeros."""
        target.copy_to_card(np.zeros(array.shape, array.dtype), array, self._stream)

    def free_memory(self) -> int | None:
        """Bytes free on the card."""
        return target.free_memory()

    def bytes_per_run(self, shape: Shape, rule: Rule, dtype: Any) -> int:
        """Bytes of the card that a run in training takes, data sets excluded."""
        itemsize = np.dtype(dtype).itemsize
        plan = launchers.plan_for(shape, rule.batch, itemsize, 1, groups=1)
        return launchers.bytes_for(plan, itemsize)

    def level(self, geometry: Geometry, n: int, x: np.ndarray) -> np.ndarray:
        """Levels (N,) int16 of the points x (N, d) float64."""
        from fracsim.kernels.cuda.level import level

        return level(geometry, n, x)

    def sample(
        self, geometry: Geometry, law: Law, seed: int, purpose: int, first: int, count: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x (count, d) float64, y (count,) int8, level (count,) int16 of samples first … first +
        count - 1."""
        from fracsim.kernels.cuda.sample import sample

        return sample(geometry, law, seed, purpose, first, count)

    def forward(self, shape: Shape, params: Any, x: Any, set_of_run: Any) -> np.ndarray:
        """Scores f (R, N) of params (R, Q), on the host."""
        return target.to_host(self._scores(shape, params, x, x[..., 0], set_of_run), self._stream)

    def _scores(self, shape: Shape, params: Any, x: Any, y: Any, set_of_run: np.ndarray) -> Any:
        return launchers.scores(
            shape,
            self._placed(params),
            self._placed(x),
            self._placed(y),
            self._placed(set_of_run),
            self._workspace,
        )

    def gradient(
        self,
        shape: Shape,
        loss: int,
        params: Any,
        x: Any,
        y: Any,
        set_of_run: np.ndarray,
        peaks: np.ndarray | None = None,
    ) -> tuple[Any, np.ndarray]:
        """dparams (R, Q) = gradient of the mean loss over N, placed where params are, and that loss
        (R,). ``peaks`` (R, units), on the host, are raised to the greatest activation of each
        hidden unit."""
        dparams, losses = launchers.gradient(
            shape,
            loss,
            self._placed(params),
            self._placed(x),
            self._placed(y),
            self._placed(set_of_run),
            self._workspace,
            peaks,
        )
        return (dparams if _is_placed(params) else target.to_host(dparams, self._stream)), losses

    def layer_norms(self, shape: Shape, dparams: Any) -> np.ndarray:
        """L2 norms (R, T+1) of each layer's part of dparams (R, Q)."""
        return launchers.layer_norms(shape, self._placed(dparams), self._workspace)

    def evaluate(
        self,
        shape: Shape,
        loss: int,
        params: Any,
        x: Any,
        y: Any,
        level: Any,
        n: int,
        set_of_run: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean loss (R,), accuracy (R,) and accuracy by level (R, n + 1), NaN where a level has no
        points."""
        y = self._placed(y)
        answer = self._scores(shape, params, x, y, set_of_run)
        total, right, points = launchers.summary(
            loss, answer, y, self._placed(level), n, self._placed(set_of_run), self._workspace
        )
        by_level = np.full(points.shape, np.nan)
        np.divide(right, points, out=by_level, where=points > 0)
        counts = points.sum(axis=1)
        return total.sum(axis=1) / counts, right.sum(axis=1) / counts, by_level

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
        """Steps start+1 … stop of R runs, in place; learning_rate (R,), seed (R,) uint64. Diverged
        runs stand still."""
        if isinstance(source, Images) or shape.outputs != 1:
            raise BackendError(
                "networks of several outputs are computed on the CPU only: use --backend cpu"
            )
        if isinstance(source, Population):
            raise BackendError(
                "data 'population' is computed on the CPU only: use --backend cpu, or other data"
            )
        placed = self.place(state)
        itemsize = np.dtype(state.params.dtype).itemsize
        plan = launchers.plan_for(shape, rule.batch, itemsize, len(set_of_run))
        launchers.train(
            shape,
            plan,
            rule,
            self._placed(learning_rate),
            self._placed(seed),
            placed,
            self.place(source),
            self._placed(set_of_run),
            start,
            stop,
            self._workspace,
        )
        if placed is not state and not _is_placed(state.params):
            for host, card in zip(state, placed, strict=True):
                host[...] = target.to_host(card, self._stream)
        else:
            target.wait(self._stream)
