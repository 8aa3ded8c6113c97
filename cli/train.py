"""``fracsim train``: one network, one trajectory file; a sweep of one."""

from __future__ import annotations

from typing import Any

import click

from fracsim.cli.options import example, json_option, quiet_option, training_options
from fracsim.cli.settings import SectionCommand, given_settings, run_options
from fracsim.cli.sweep import run_experiment
from fracsim.errors import UsageError

_WEIGHTS = ("final", "records")


@click.command(
    "train",
    cls=SectionCommand,
    epilog=example(
        "fracsim train --depth 5 --width 100 --learning-rate 0.001 --steps 100000 -o run.h5",
        "fracsim train --fractal vicsek --curve 4 --depth 3 --steps 50000 --threads 1 -o run.h5 "
        "--json",
        "fracsim train --problem radial --profile hat --dimension 8 --loss squared --depth 2 "
        "--width 60 --steps 20000 --record-every 1000 -o radial.h5",
    ),
)
@run_options
@click.option(
    "--weights",
    metavar="|".join(_WEIGHTS),
    default="final",
    show_default=True,
    help="Weights to keep: last or all.",
)
@training_options
@json_option
@quiet_option
def command(
    weights: str,
    output: str | None,
    threads: int | None,
    overwrite: bool,
    backend: str,
    checkpoint_every: str,
    max_time: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **options: str | None,
) -> int | None:
    """Train one network and record how it learns: on a fractal distribution, or another --problem.

    The defaults are the paper's protocol. Keys of other problems than the run's are refused. Every
    option is also read from the environment: --depth from FRACSIM_DEPTH."""
    if weights not in _WEIGHTS:
        raise UsageError(f"--weights is '{weights}'; accepted is one of {', '.join(_WEIGHTS)}")
    from fracsim.experiments.experiment import make_experiment
    from fracsim.experiments.grid import Grid

    grid = Grid()
    for key, text in given_settings(options).items():
        grid.fix(key, text)
    experiment = make_experiment(grid, name="train", weights=weights)
    how: dict[str, Any] = {
        "threads": threads,
        "overwrite": overwrite,
        "backend": backend,
        "dry_run": dry_run,
    }
    how |= {
        "checkpoint_every": checkpoint_every,
        "max_time": max_time,
        "as_json": as_json,
        "quiet": quiet,
    }
    return run_experiment(experiment, output, **how)
