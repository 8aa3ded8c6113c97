"""Options that many commands have, what they accept, and the JSON that ``--json`` prints.

Nothing heavy is imported here, so that ``--help`` and completion answer at once.
"""

import json
import math
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

import fracsim
from fracsim.kernels import compiling
from fracsim.machine.cpus import MOST_THREADS
from fracsim.text import shortened
from fracsim.values.grammar import whole

ENVIRONMENT = "FRACSIM"
"""``--some-option`` of every command is also read from ``FRACSIM_SOME_OPTION``; the command line
wins."""

F = TypeVar("F", bound=Callable[..., Any])


def example(*lines: str) -> str:
    """An epilog for ``epilog=``: the lines as written, under "Example:"."""
    return "\n".join(
        ["\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)]
    )


def version_option(function: F) -> F:
    """``--version``, never read from the environment: module systems set FRACSIM_VERSION to
    something else."""
    option = click.version_option(
        fracsim.__version__, prog_name="fracsim", allow_from_autoenv=False
    )
    return option(function)


def json_option(function: F) -> F:
    """``--json`` as argument ``as_json``: one JSON object on stdout instead of text."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object for machines."
    )(function)


def quiet_option(function: F) -> F:
    """``--quiet`` as argument ``quiet``: no progress, no summary; errors are still said."""
    return click.option(
        "-q", "--quiet", is_flag=True, help="Say nothing but errors.", callback=_silent
    )(function)


def _silent(context: click.Context, parameter: click.Parameter, quiet: bool) -> bool:
    if quiet:
        compiling.tell = None
    return quiet


class Stopwatch:
    """Seconds since it was made, without those in which kernels were compiled: what a command
    took, the first time on a machine as any other."""

    def __init__(self) -> None:
        self._began, self._compiled = time.perf_counter(), compiling.seconds()

    def seconds(self) -> float:
        """What has passed so far."""
        compiled = compiling.seconds() - self._compiled
        return max(0.0, time.perf_counter() - self._began - compiled)


def echo_json(value: Any) -> None:
    """Print ``value`` as one line of strict JSON; NumPy values become plain ones, NaN and infinity
    null."""
    click.echo(json.dumps(_plain(value), allow_nan=False))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # a NumPy array or scalar, without importing numpy
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


class Count(click.ParamType):
    """A whole number from 1 to ``most``; ``1e6`` and ``100_000`` are understood too."""

    name = "count"

    def __init__(self, most: int = 10**18) -> None:
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            count = whole(value)
        except (ValueError, OverflowError):
            count = 0
        if not 1 <= count <= self.most:
            self.fail(
                f"'{shortened(value)}' is not a whole number from 1 to {self.most:g} "
                f"(as in 100 or 1e2).",
                param,
                ctx,
            )
        return count


def training_options(function: F) -> F:
    """What every training command has besides its settings."""
    for option in (
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            help="The trajectory file; needed except with --dry-run.",
        ),
        click.option("--overwrite", is_flag=True, help="Start afresh, whatever the output holds."),
        click.option(
            "--threads",
            type=Count(MOST_THREADS),
            help="Threads; a run takes one. [default: what the machine grants]",
        ),
        click.option(
            "--backend",
            metavar="TEXT",
            default="cpu",
            show_default=True,
            help="cpu, cuda (an NVIDIA card), or auto: the card if one works.",
        ),
        click.option(
            "--checkpoint-every",
            metavar="TIME",
            default="10:00",
            show_default=True,
            help="Time between two checkpoints: seconds, MM:SS or H:MM:SS.",
        ),
        click.option(
            "--max-time",
            metavar="TIME|auto",
            help="Stop in time to be done then; auto: before the Slurm job ends.",
        ),
        click.option(
            "--dry-run",
            is_flag=True,
            help="Estimate sizes and times; train nothing.",
        ),
    ):
        function = option(function)
    return function


def check_output(path: Path, overwrite: bool, read: Mapping[str, Any] | None = None) -> Path:
    """``path``, if a file can be made there (or replaced, with ``overwrite``); RunError otherwise,
    and UsageError where it is a file that one of the values ``read`` names."""
    from fracsim.products.inputs import named_files, refuse_inputs
    from fracsim.products.product import check_free

    refuse_inputs(path, named_files(read or {}))
    check_free(path, overwrite)
    return path


def titled(name: str, description: str) -> str:
    """A name and what it is about, where that is known."""
    return f"{name}: {description}" if description else name


def command_line() -> str:
    """The command as typed, to be stored in a file; what is no Unicode in a file name becomes a
    question mark."""
    return shlex.join(["fracsim", *sys.argv[1:]]).encode("utf-8", "replace").decode()
