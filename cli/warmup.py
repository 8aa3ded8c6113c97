"""``fracsim warmup``: compile every kernel into the cache, so that no later command on this machine
waits for it."""

import time

import click

from fracsim.cli.options import echo_json, example, json_option, quiet_option
from fracsim.cli.progress import ProgressBar
from fracsim.kernels import compiling
from fracsim.studies import STUDIES
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

    compiling.tell = None  # it says so itself
    started = time.perf_counter()
    work = list(jobs(job for study in STUDIES.values() for job in study.jobs()))
    parts: dict[str, float] = {}
    with ProgressBar("compile", len(work), unit="parts", quiet=quiet or as_json) as progress:
        for done, (name, compile_part) in enumerate(work):
            progress.update(done, name)
            began = time.perf_counter()
            compile_part()
            parts[name] = time.perf_counter() - began
    seconds = time.perf_counter() - started
    folder = cache_folder()
    if as_json:
        echo_json({"folder": folder, "seconds": seconds, "parts": parts})
    elif not quiet:
        click.echo(
            f"all kernels are ready after {duration(seconds)}, kept in "
            f"{folder or 'memory only: no writable cache'}"
        )
