"""``fracsim warmup``: compile every kernel into the cache, so that no later command on this machine
waits for it."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import click

from fracsim.cli.options import echo_json, example, json_option, quiet_option
from fracsim.cli.progress import ProgressBar
from fracsim.text import duration


@click.command(
    epilog=example("fracsim warmup", "NUMBA_CACHE_DIR=/scratch/$USER/fracsim fracsim warmup")
)
@json_option
@quiet_option
def command(as_json: bool, quiet: bool) -> None:
    """Compile all kernels into the cache, say once per machine type, before many jobs start at the
    same time.

    Where an NVIDIA card works, its kernels too. Compiled kernels belong to one type of CPU or card,
    one version of fracsim and one of numba; others are compiled beside them. The folder is the
    user's cache folder, or NUMBA_CACHE_DIR."""
    started = time.perf_counter()
    work = list(jobs())
    with ProgressBar("compile", len(work), unit="parts", quiet=quiet or as_json) as progress:
        for done, (name, compile_part) in enumerate(work):
            progress.update(done, name)
            compile_part()
    seconds = time.perf_counter() - started
    folder = cache_folder()
    if as_json:
        echo_json({"folder": folder, "seconds": seconds})
    elif not quiet:
        click.echo(
            f"all kernels are ready after {duration(seconds)}, kept in "
            f"{folder or 'memory only: no writable cache'}"
        )


def cache_folder() -> str | None:
    """The folder in which this process keeps compiled kernels; None where there is none to write
    to."""
    import numba

    import fracsim.kernels  # chooses the folder  # noqa: F401

    return numba.config.CACHE_DIR or None  # type: ignore[attr-defined]


def jobs() -> Iterator[tuple[str, Callable[[], object]]]:
    """(name, work): the doctor's checks and tiny trainings that together call every kernel with
    every type."""
    from fracsim.cli.doctor import agreement, checks

    yield "points and networks", lambda: list(checks())
    yield "least error", _least_errors
    yield "linear regions", _regions
    for precision, data in product(("float32", "float64"), ("dataset", "stream", "population")):
        yield f"training, {precision}, {data}", partial(_train, "cpu", precision, data)
    if _card_works():
        yield "points and networks on the card", lambda: list(agreement())
        for precision, data in product(("float32", "float64"), ("dataset", "stream")):
            yield (
                f"training on the card, {precision}, {data}",
                partial(_train, "cuda", precision, data),
            )


def _card_works() -> bool:
    from fracsim.kernels.cuda.working import missing, simulator_is_on

    return not simulator_is_on() and missing() is None


def _least_errors() -> None:
    from fracsim.fractals.fractal import load_fractal
    from fracsim.studies.bounds.least_error import least_errors

    least_errors(load_fractal("cantor1d"), 1, "1")


def _regions() -> None:
    from fracsim.studies.regions.study import Place, measure
    from fracsim.studies.regions.subjects import random_subject

    one = random_subject(2, 2, 8, "he", None, 0.5, 0)
    for segment, lines in ((None, None), ((-1.0, -1.0, 1.0, 1.0), None), (None, 2)):
        measure(one.shape, one.params, Place((-1.0, 1.0, -1.0, 1.0), segment, lines, 2))


def _train(backend_name: str, precision: str, data: str) -> None:
    from fracsim.kernels.backend import get_backend
    from fracsim.training.points import make_data
    from fracsim.training.run import Run
    from fracsim.training.trainer import train_slice

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
