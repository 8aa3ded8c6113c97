"""The settings of a run as options, as ``--set`` and as variables of the environment; nothing heavy
is imported."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from fracsim.cli import complete
from fracsim.cli.options import ENVIRONMENT
from fracsim.errors import UsageError
from fracsim.experiments.grid import MOST_RUNS
from fracsim.problems.registry import PROBLEM_KEYS
from fracsim.training.run import NETWORK_KEYS, SETTINGS, Run
from fracsim.values.grammar import alternatives
from fracsim.values.settings import REQUIRED, Setting, key_of, label, option_name, shown

F = TypeVar("F", bound=Callable[..., Any])


class Joined(click.types.StringParamType):
    """A text whose option may be repeated; in the environment several are joined."""

    name = "text"

    def __init__(self, joint: str) -> None:
        self.envvar_list_splitter = joint  # type: ignore[misc]


class SectionOption(click.Option):
    """An option that stands in a section of the help (``SectionCommand``)."""

    def __init__(self, *args: Any, section: str = "", **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.section = section


class SectionCommand(click.Command):
    """A command whose options stand in sections, those without one last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                title = getattr(parameter, "section", "") or "Output and machine"
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _section(key: str) -> str:
    if key == "problem" or key in PROBLEM_KEYS:
        return "What is learnt"
    return "Network" if key in NETWORK_KEYS else "Training"


def option_names(key: str, accepts: Setting) -> tuple[str, ...]:
    """The option of a setting and, where it has one, its shorter name."""
    return (option_name(key, accepts), *([accepts.short] if accepts.short else []))


def run_options(function: F) -> F:
    """One option per setting of a run, as keyword arguments that are None where not given (see
    ``given_settings``)."""
    for key, setting in reversed(SETTINGS.items()):
        metavar, help = setting_metavar(setting), setting_help(setting, getattr(Run, key))
        kind = Joined(setting.joined) if setting.joined else None
        option = click.option(
            *option_names(key, setting),
            parameter_name(key),
            cls=SectionOption,
            section=_section(key),
            metavar=metavar,
            help=help,
            type=kind,
            shell_complete=complete.values_of(key, setting),
            multiple=kind is not None,
        )
        function = option(function)
    return function


def setting_metavar(setting: Setting) -> str:
    """What stands in the help for a value of a setting."""
    if setting.metavar or setting.choices:
        return setting.metavar or "|".join(setting.choices)
    if setting.many or setting.coordinates:
        return "LIST"
    return "TEXT" if setting.kind is str else "NUMBER"


def setting_help(setting: Setting, default: Any) -> str:
    """What the help says of a setting: its meaning, what is accepted, the default."""
    plain = setting.kind in (str, bool) and not setting.many
    accepted = "" if plain or setting.choices else f" ({setting.accepted})"
    about = setting.about[0].upper() + setting.about[1:]
    about = about if setting.about[0].isascii() else setting.about
    if default is REQUIRED or setting.kind is bool:
        return f"{about}{accepted}."
    shown = setting.optional if default is None else default
    if isinstance(shown, tuple):
        shown = ",".join(map(str, shown))
    return f"{about}{accepted}. [default: {shown}]"


def given_settings(options: Mapping[str, str | tuple[str, ...] | None]) -> dict[str, str]:
    """Key -> text of the settings given as options (command line or environment)."""
    named = {parameter_name(key): key for key in SETTINGS}
    found = {}
    for name, value in options.items():
        if isinstance(value, tuple):
            value = SETTINGS[named[name]].joined.join(value) or None
        if value is not None:
            found[named[name]] = value
    return found


def parameter_name(key: str) -> str:
    """The keyword argument, and the tail of the environment variable, that carries a key:
    network_depth is "depth"."""
    return option_name(key, SETTINGS.get(key)).removeprefix("--").replace("-", "_")


def parse_set(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Key -> value of ``--set key=value`` options, as :func:`value_of` reads it. Raises
    UsageError."""
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip() or not text.strip():
            raise UsageError(
                f"--set is '{assignment}'; accepted is key=value, as in width=50 or width=50,100"
            )
        key = key_of(key.strip(), SETTINGS)
        values[key] = value_of(key, text, f"--set {assignment}")
    return values


def value_of(key: str, text: str, where: str) -> Any:
    """What a text says of a setting: a value, or a list of alternatives: ``10,20``, ``1:5``,
    ``10:50:10``, ``paper,he``. What begins with a bracket or a quotation mark is TOML; words in
    brackets need no quotes. Raises UsageError, naming ``where``."""
    text = text.strip()
    if not text or text[0] not in "[{\"'":
        found = _alternatives(key, text)
        return found[0] if len(found) == 1 else found
    from fracsim.toml import parse_toml

    try:
        table = parse_toml(f"value = {text}", where)
    except UsageError:
        inside = text[1:-1]
        if text[0] != "[" or text[-1] != "]" or not _WORDS.fullmatch(inside):
            raise
        return _alternatives(key, inside)
    return table["value"] if len(table) == 1 else text


_WORDS = re.compile(r"[^\[\]{}\"'=#]+")
"""A list that TOML does not understand but for want of quotes."""


def _alternatives(key: str, text: str) -> list[str]:
    """Texts that the grid reads by the rules of their key; an unknown key is refused there."""
    if key not in SETTINGS:
        return [text]
    try:
        found = alternatives(SETTINGS[key].kind, text, MOST_RUNS)
    except (ValueError, ArithmeticError):
        raise UsageError(
            f"{label(key)} is {shown(text)}; accepted are values as in 10,20 or a range that "
            f"rises, as in 0:4 or 10:50:10"
        ) from None
    if len(found) > MOST_RUNS:
        raise UsageError(
            f"{label(key)} is {shown(text)}, more than the {MOST_RUNS} values that are accepted"
        )
    return found


def environment_settings() -> dict[str, Any]:
    """Key -> value of the settings in FRACSIM_* variables, named as the options: FRACSIM_DEPTH,
    FRACSIM_SEED, …"""
    values = {}
    for key in SETTINGS:
        variable = f"{ENVIRONMENT}_{parameter_name(key).upper()}"
        if text := os.environ.get(variable, "").strip():
            values[key] = value_of(key, text, variable)
    return values
