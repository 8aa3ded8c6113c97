"""Options that ``train`` and ``sweep`` share, built from the settings of a run; nothing heavy is
imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from fracsim.cli.frame import ENVIRONMENT, Count, Progress, remark
from fracsim.errors import UsageError
from fracsim.machine.cpus import MOST_THREADS
from fracsim.settings import option_name
from fracsim.training.run import SETTINGS, Run

F = TypeVar("F", bound=Callable[..., Any])


def run_options(function: F) -> F:
    """One option per setting of a run, as keyword arguments that are None where not given (see
    ``given_settings``)."""
    for key, setting in reversed(SETTINGS.items()):
        default = getattr(Run, key)
        shown = setting.optional if default is None else default
        metavar = "|".join(setting.choices) or ("TEXT" if setting.kind is str else "NUMBER")
        accepted = "" if setting.kind is str else f" ({setting.accepted})"
        about = (
            setting.about[0].upper() + setting.about[1:]
            if setting.about[0].isascii()
            else setting.about
        )
        help = f"{about}{accepted}. [default: {shown}]"
        function = click.option(option_name(key), metavar=metavar, help=help)(function)
    return function


def given_settings(options: Mapping[str, str | None]) -> dict[str, str]:
    """Key -> text of the settings given as options (command line or environment)."""
    named = {parameter_name(key): key for key in SETTINGS}
    return {named[name]: value for name, value in options.items() if value is not None}


def parameter_name(key: str) -> str:
    """The keyword argument, and the tail of the environment variable, that carries a key:
    network_depth is "depth"."""
    return option_name(key).removeprefix("--").replace("-", "_")


def output_options(function: F) -> F:
    """What every training command has besides its settings."""
    for option in (
        click.option(
            "-o", "--output", metavar="FILE", help="The product file; needed except with --dry-run."
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
            "--dry-run", is_flag=True, help="Show the plan with sizes and times; train nothing."
        ),
    ):
        function = option(function)
    return function


def parse_set(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Key -> value of ``--set key=value`` options, values as in TOML; a bare word is text. Raises
    UsageError."""
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip() or not text.strip():
            raise UsageError(
                f"--set is '{assignment}'; accepted is key=value, as in width=50 or width=[50,100]"
            )
        values[key.strip()] = toml_value(text.strip(), f"--set {assignment}")
    return values


def toml_value(text: str, where: str) -> Any:
    """The TOML value that ``text`` writes, else the text itself. Raises UsageError for a broken
    list or table."""
    from fracsim.toml import parse_toml

    try:
        table = parse_toml(f"value = {text}", where)
    except UsageError:
        if text[0] in "[{\"'":
            raise
        return text
    return table["value"] if len(table) == 1 else text


def environment_settings() -> dict[str, Any]:
    """Key -> value of the settings in FRACSIM_* variables, named as the options: FRACSIM_DEPTH,
    FRACSIM_SEED, …"""
    values = {}
    for key in SETTINGS:
        variable = f"{ENVIRONMENT}_{parameter_name(key).upper()}"
        if text := os.environ.get(variable, "").strip():
            values[key] = toml_value(text, variable)
    return values


def command_line() -> str:
    """The command as typed, to be stored in the product; what is no Unicode in a file name becomes
    a question mark."""
    import shlex

    return shlex.join(["fracsim", *sys.argv[1:]]).encode("utf-8", "replace").decode()


def say(quiet: bool) -> Callable[[str], None]:
    """A function that prints a sentence on stderr, or nothing."""
    return lambda sentence: None if quiet else remark(sentence)


class SweepProgress:
    """The progress of a sweep on stderr: a bar on a terminal, else a line every ten seconds; a
    context manager."""

    def __init__(self, label: str, quiet: bool) -> None:
        self.label, self.quiet = label, quiet
        self.bar: Progress | None = None

    def __enter__(self) -> SweepProgress:
        return self

    def __call__(self, progress: Any) -> None:
        """Take in a ``fracsim.sweeps.sweep.Progress``."""
        if self.bar is None:
            self.bar = Progress(self.label, progress.total_steps, unit="steps", quiet=self.quiet)
        note = (
            f"{progress.runs} of {progress.total_runs} runs done" if progress.total_runs > 1 else ""
        )
        if progress.steps == 0:
            note = "starting; the first time on a machine, kernels are compiled for half a minute"
        self.bar.update(progress.steps, note, share=progress.share)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.__exit__()
