"""One option name has one type and one meaning over all commands."""

from collections import defaultdict

import click
import pytest

from fracsim.cli.app import command as simulate
from fracsim.cli.plot import command as plot
from fracsim.cli.study import Value
from fracsim.training.run import SETTINGS
from fracsim.values.settings import option_name

RUNS = {
    name: (key, accepts)
    for key, accepts in SETTINGS.items()
    for name in (option_name(key, accepts), accepts.short)
    if name
}
"""Option -> key and setting of a run; commands that build a run take its texts as they are."""

WIDER = {"--snapshot": {"int", "str"}, "--output": {"file", "stem"}, "-o": {"file", "stem"}}
"""A snapshot is a number, where several can be drawn also "all"; an array's tasks write files of
one stem."""

SAME = {"depth": "network_depth", "init": "initialisation"}
"""Keys of some studies' files that are another name of a run's."""


def options() -> list[tuple[str, click.Option]]:
    found = []
    for group in (simulate, plot):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            found += [
                (f"{group.name} {name}", one)
                for one in command.params
                if isinstance(one, click.Option)
            ]
    return found


def kind_of(option: click.Option, name: str) -> str:
    """What an option takes: flag, int, float, str, file, …"""
    if option.is_flag:
        return "flag"
    accepts = option.type.accepts if isinstance(option.type, Value) else None
    if accepts is None and option.type.name in ("text", "TEXT") and name in RUNS:
        accepts = RUNS[name][1]
    if accepts is not None:
        return accepts.kind.__name__ + (" coordinates" if accepts.coordinates else "")
    if isinstance(option.type, click.Path) or option.metavar == "FILE":
        return "file"
    if option.metavar == "NAME":
        return "stem"
    return {"count": "int", "integer range": "int"}.get(option.type.name, option.type.name)


@pytest.fixture(scope="module")
def named() -> dict[str, list[tuple[str, click.Option]]]:
    """Option name -> the commands that have it."""
    found = defaultdict(list)
    for command, option in options():
        for name in (*option.opts, *option.secondary_opts):
            found[name].append((command, option))
    assert len(found) > 100
    return found


def test_one_type(named):
    odd = {}
    for name, those in named.items():
        kinds = {kind_of(option, name) for _, option in those}
        if len(kinds) > 1 and kinds != WIDER.get(name):
            odd[name] = {command: kind_of(option, name) for command, option in those}
    assert odd == {}


def test_one_meaning(named):
    """Options of settings carry the same key everywhere, and that of a run where it has one."""
    odd = {}
    for name, those in named.items():
        keys = {option.type.key for _, option in those if isinstance(option.type, Value)}
        keys |= {RUNS[name][0]} if name in RUNS else set()
        keys = {SAME.get(key, key) for key in keys}
        if len(keys) > 1:
            odd[name] = keys
    assert odd == {}


def test_one_default_of_what_is_no_setting(named):
    """--title, --json, --where …: the same option, wherever a figure is drawn (a report is a
    page)."""
    shared = ("--title", "--size", "--dpi", "--style", "--json", "--quiet", "--where")
    for name in shared:
        those = [(command, one) for command, one in named[name] if "report" not in command]
        helps = {option.help for _, option in those}
        assert len(helps) == 1, name
        assert len({option.default for _, option in those}) == 1, name
        assert len({option.multiple for _, option in those}) == 1, name
