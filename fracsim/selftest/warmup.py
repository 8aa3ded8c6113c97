"""What compiles every kernel with every type it is used with: the work of ``fracsim warmup``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product

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
    if working.missing() is None and not working.simulator_is_on():
        yield "points and networks on the card", lambda: list(card_agreements())
        for precision, data in product(("float32", "float64"), ("dataset", "stream")):
            name = f"training on the card, {precision}, {data}"
            yield name, partial(_train, "cuda", precision, data)


def _sample() -> None:
    Run(fractal="cantor", negative_margin=0.1).distribution().sample(8)


def _train(backend_name: str, precision: str, data: str) -> None:
    run = Run(
        fractal="cantor1d" if data == "population" else "cantor",
        network_depth=2,
        width=8,
        steps=2,
        record_every=2,
        train_points=8,
        test_points=8,
        batch_size=4,
        precision=precision,
        data=data,
    )
    backend = get_backend(backend_name)
    points = make_data(run, backend)
    train_slice(run, backend, points)
