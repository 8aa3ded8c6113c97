"""``fracsim warmup``: compile every kernel into the cache, so that no later command on this machine
waits for it."""

import time

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
    from fracsim.kernels.cache import cache_folder
    from fracsim.selftest.warmup import jobs

    started = time.perf_counter()
    studies = (("least error", _least_errors), ("linear regions", _regions))
    work = list(jobs(studies))
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
