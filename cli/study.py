"""The commands that are made from declared studies: ``fracsim NAME``, and ``fracsim-plot NAME``.

The heart of a command: options -> settings -> compute -> file, JSON or words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fracsim.cli import complete
from fracsim.cli.options import (
    Stopwatch,
    check_output,
    command_line,
    echo_json,
    example,
    json_option,
    quiet_option,
)
from fracsim.cli.progress import ProgressBar
from fracsim.cli.settings import option_names, setting_help, setting_metavar
from fracsim.errors import UsageError
from fracsim.studies import STUDIES
from fracsim.text import duration
from fracsim.values.settings import Setting, checked, defaults_of, option_name

if TYPE_CHECKING:
    from fracsim.studies.study import Result, Study

Declared = Mapping[str, tuple[str, Callable[[], click.Command]]]
"""Name -> short help, and what makes the command."""


class _Commands(Declared):
    def __getitem__(self, name: str) -> tuple[str, Callable[[], click.Command]]:
        study = STUDIES[name]
        return study.about, partial(study_command, study)

    def __contains__(self, name: object) -> bool:
        return name in STUDIES

    def __iter__(self) -> Iterator[str]:
        return iter(STUDIES)

    def __len__(self) -> int:
        return len(STUDIES)


def study_commands() -> Declared:
    """The command of every study; of those that nobody asks for, the declaration is not read."""
    return _Commands()


class Value(click.ParamType):
    """The value of a setting, read and checked by the setting's own rules."""

    def __init__(self, key: str, accepts: Setting) -> None:
        self.key, self.accepts, self.name = key, accepts, setting_metavar(accepts)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return checked(self.key, self.accepts, value) if isinstance(value, str) else value


def study_command(study: Study) -> click.Command:
    """``fracsim NAME`` of a study."""

    def command(**values: Any) -> None:
        _run(study, click.get_current_context(), values)

    defaults = defaults_of(study.settings)
    options = [_parameter(key, accepts, defaults[key]) for key, accepts in study.keys.items()]
    options += [
        click.option(
            "--from",
            metavar="FILE",
            help=f"Settings as in this file of 'fracsim {study.name}'; options given win.",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            required=study.needs_output,
            help="File to write (HDF5)" + ("." if study.needs_output else " [default: none]."),
        ),
        click.option("--overwrite", is_flag=True, help="Replace the output where it exists."),
        json_option,
        quiet_option,
    ]
    function: Any = command
    for option in reversed(options):
        function = option(function)
    making = click.command(
        study.name,
        help=study.help or study.about,
        short_help=study.about,
        epilog=example(*study.example),
    )
    return making(function)


def _parameter(key: str, accepts: Setting, default: Any) -> Callable[[Any], Any]:
    """The option or the argument of one setting. None of them has a default of its own, so that
    those of a file can stand in their place."""
    if accepts.argument:
        metavar = key.upper() if default is not None else f"[{key.upper()}]"
        return click.argument(
            key,
            required=False,
            type=Value(key, accepts),
            metavar=metavar,
            shell_complete=complete.values_of(key, accepts),
        )
    name, help = option_name(key, accepts), setting_help(accepts, default)
    if accepts.kind is bool:
        return click.option(f"{name}/--no-{name[2:]}", _name(key, accepts), default=None, help=help)
    return click.option(
        *option_names(key, accepts),
        _name(key, accepts),
        type=Value(key, accepts),
        metavar=setting_metavar(accepts),
        shell_complete=complete.values_of(key, accepts),
        multiple=accepts.many,
        help=help,
    )


def _name(key: str, accepts: Setting) -> str:
    """The parameter that carries a key, as its option is named: FRACSIM_DEPTH is --depth."""
    return key if accepts.argument else option_name(key, accepts)[2:].replace("-", "_")


def _run(study: Study, context: click.Context, values: dict[str, Any]) -> None:
    """Options -> settings -> compute -> file, JSON or words."""
    output, as_json, quiet = values["output"], values["as_json"], values["quiet"]
    settings = study.make(_given(study, context, values), values["from"])
    if quiet and output is None and not as_json:
        raise UsageError(
            "--quiet without --output leaves nothing to do; give an --output, or --json"
        )
    if output is not None:
        check_output(output, values["overwrite"], {**vars(settings), "from": values["from"]})
    watch = Stopwatch()
    with StudyBar(study, quiet or as_json) as bar:
        result = study.result(settings, bar)
    seconds = watch.seconds()
    if output is not None:
        study.write(output, settings, result, command_line())
    if as_json:
        where = {"output": str(output)} if output is not None else {}
        more = {"notes": list(result.notes), "seconds": seconds}
        echo_json({**where, **result.summary(), **more})
    elif not quiet:
        click.echo("\n".join(_words(result, output, seconds)))


def _given(study: Study, context: click.Context, values: dict[str, Any]) -> dict[str, Any]:
    """Key -> value of the settings given. Those of the environment give way to what excludes them
    on the command line."""
    sources = {
        key: context.get_parameter_source(_name(key, accepts))
        for key, accepts in study.keys.items()
    }
    typed = [key for key, source in sources.items() if source is ParameterSource.COMMANDLINE]
    excluded = {other for key in typed for other in study.keys[key].excludes} - set(typed)
    given = {}
    for key, accepts in study.keys.items():
        value = values[_name(key, accepts)]
        if value is None or value == () or sources[key] is ParameterSource.DEFAULT:
            continue
        if key not in excluded:
            given[key] = tuple(one for part in value for one in part) if accepts.many else value
    return given


def _words(result: Result, output: Path | None, seconds: float) -> list[str]:
    first, *more = result.words()
    place = f"{output}: " if output is not None else ""
    notes = [line for note in result.notes for line in ("", f"note: {note}")]
    return [f"{place}{first} ({duration(seconds)})", *more, *notes]


class StudyBar:
    """The progress of a study, whose size is known when it begins; a context manager."""

    def __init__(self, study: Study, quiet: bool) -> None:
        self.study, self.quiet = study, quiet
        self.bar: ProgressBar | None = None

    def __enter__(self) -> StudyBar:
        return self

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show how far the study is (``OnProgress``)."""
        if self.bar is None:
            unit = self.study.unit
            self.bar = ProgressBar(self.study.name, total, unit=unit, quiet=self.quiet)
        self.bar.total = total
        self.bar.update(done, note)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.__exit__()
