"""What compiles every kernel with every type it is used with: the work of ``fracsim warmup``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product
from typing import Any

from fracsim.kernels.backend import get_backend
from fracsim.kernels.cuda import working
from fracsim.selftest.agreement import card_agreements
from fracsim.selftest.checks import checks
from fracsim.training.points import make_data
from fracsim.training.run import Run
from fracsim.training.trainer import train_slice

Job = tuple[str, Callable[[], object]]
"""Name and work."""


def jobs(more: Iterable[Job] = ()) -> Iterator[Job]:
    """The doctor's checks and tiny trainings that together call every kernel with every type;
    among them ``more``, the jobs of studies, whose room lies above this one."""
    yield "points and networks", lambda: list(checks())
    yield "points with margins", _sample
    yield from more
    for precision, data in product(("float32", "float64"), ("dataset", "stream", "population")):
        yield f"training, {precision}, {data}", partial(_train, "cpu", precision, data)
    for precision in ("float32", "float64"):
        yield f"training on images, {precision}", partial(_train_on_images, precision)
    if working.missing() is None and not working.simulator_is_on():
        yield "points and networks on the card", lambda: list(card_agreements())
        for precision, data in product(("float32", "float64"), ("dataset", "stream")):
            name = f"training on the card, {precision}, {data}"
            yield name, partial(_train, "cuda", precision, data)


def _sample() -> None:
    Run(fractal="cantor", negative_margin=0.1).distribution().sample(8)


def _train_on_images(precision: str) -> None:
    """Convolutions; plain networks of several outputs have the same kernels."""
    _steps("cpu", problem="images", images="digits", network="cnn", crop=6, flip="yes",
           loss="cross-entropy", precision=precision)  # fmt: skip


def _train(backend_name: str, precision: str, data: str) -> None:
    fractal = "cantor1d" if data == "population" else "cantor"
    _steps(backend_name, fractal=fractal, precision=precision, data=data)


def _steps(backend_name: str, **settings: Any) -> None:
    run = Run(
        network_depth=2,
        width=8,
        steps=2,
        record_every=2,
        train_points=8,
        test_points=8,
        batch_size=4,
        **settings,
    )
    backend = get_backend(backend_name)
    points = make_data(run, backend)
    train_slice(run, backend, points)
