"""What a backend is: its verbs, with one signature on every device.

It is apart from the choice of one (``backend``), which imports the backends that are made by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray

    from fracsim.kernels.network.shape import Shape
    from fracsim.kernels.points.geometry import Geometry, Law
    from fracsim.kernels.training.train import Dataset, Images, Population, Rule, State, Stream

Placed = TypeVar("Placed")
"""An array, or a NamedTuple of arrays."""


class Backend(Protocol):
    """What computes: a small set of verbs on arrays.

    Letters: R runs, Q parameters, N points, d inputs, n depth of the fractal, T hidden layers.
    ``x`` is (sets, N, d), ``y`` and ``level`` are (sets, N); run i uses set ``set_of_run[i]``,
    an (R,) int64. The float type of ``params`` decides the arithmetic. Every array may lie on the
    host, or where ``place`` has put it. Verbs may be called from many threads at once, and release
    the GIL while they work.
    """

    name: str
    """One of BACKENDS, but auto."""
    device: str
    """What it computes on, for people."""
    instruction_sets: str
    """What that can do, by the compiler's names: with the versions it decides the last bits."""
    side_by_side: bool
    """Whether one call of ``train`` gains by many runs."""
    why: str
    """Why ``auto`` took it, where it did."""
    kinds_of_data: tuple[str, ...]
    """What ``train`` can train on: of dataset, stream and population."""
    several_outputs: bool
    """Whether it computes networks of several outputs, convolutional ones among them. Their labels
    are numbers of classes, their loss is the cross-entropy, and ``forward`` is (R, N, outputs)."""

    def free_memory(self) -> float | None:
        """Bytes that are free on the device; None where runs take the machine's own memory."""
        ...

    def bytes_per_run(self, shape: Shape, rule: Rule, dtype: DTypeLike) -> int:
        """Bytes of the device that one run takes in training, without its data."""
        ...

    def place(self, arrays: Placed) -> Placed:
        """An array, or a NamedTuple of arrays, where the verbs reach it fastest; what is neither (a
        Stream, say) stays as it is. ``train`` modifies a placed State in place. What is placed may
        be given to every verb that takes such arrays."""
        ...

    def fetch(self, arrays: Placed) -> Placed:
        """What was placed, on the host."""
        ...

    def clear(self, array: NDArray[Any]) -> None:
        """Set a placed array to zeros."""
        ...

    def level(self, geometry: Geometry, n: int, x: NDArray[np.float64]) -> NDArray[np.int16]:
        """Levels (N,) int16 of the points x (N, d) float64."""
        ...

    def sample(
        self, geometry: Geometry, law: Law, seed: int, purpose: int, first: int, count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.int16]]:
        """x (count, d) float64, y (count,) int8, level (count,) int16 of samples first … first +
        count - 1."""
        ...

    def forward(
        self, shape: Shape, params: NDArray[Any], x: NDArray[Any], set_of_run: NDArray[np.int64]
    ) -> NDArray[Any]:
        """Scores f (R, N) of params (R, Q), on the host."""
        ...

    def gradient(
        self,
        shape: Shape,
        loss: int,
        params: NDArray[Any],
        x: NDArray[Any],
        y: NDArray[Any],
        set_of_run: NDArray[np.int64],
        peaks: NDArray[Any] | None = None,
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """dparams (R, Q) = gradient of the mean loss over N, placed where params are, and that loss
        (R,). ``peaks`` (R, units) of the parameters' float type, on the host, are raised to the
        greatest activation of each hidden unit, layer by layer."""
        ...

    def layer_norms(self, shape: Shape, dparams: NDArray[Any]) -> NDArray[np.float64]:
        """L2 norms (R, T+1) of each layer's part (weights and biases, the readout last) of dparams
        (R, Q)."""
        ...

    def evaluate(
        self,
        shape: Shape,
        loss: int,
        params: NDArray[Any],
        x: NDArray[Any],
        y: NDArray[Any],
        level: NDArray[np.int16],
        n: int,
        set_of_run: NDArray[np.int64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Mean loss (R,), accuracy (R,) and accuracy by level (R, n + 1), NaN where a level has no
        points."""
        ...

    def train(
        self,
        shape: Shape,
        rule: Rule,
        learning_rate: NDArray[np.float64],
        seed: NDArray[np.uint64],
        state: State,
        source: Dataset | Images | Stream | Population,
        set_of_run: NDArray[np.int64],
        start: int,
        stop: int,
    ) -> None:
        """Steps start+1 … stop of R runs, in place; learning_rate (R,), seed (R,) uint64. Diverged
        runs stand still."""
        ...
