"""Run a command in this process, as a user sees it: exit code, stdout, stderr."""

import contextlib
import io
from typing import NamedTuple

import click

from fracsim.cli.app import COMPILING


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line of an error; fails where it is not exactly one."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("Error: "), self.err
        return lines[0]


def run_group(group: click.Group, name: str, *args: object) -> Result:
    """Exit code and output of ``name args``."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            group.main([str(arg) for arg in args], prog_name=name)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    said = err.getvalue().replace(f"{COMPILING}\n", "")  # it depends on what ran before
    return Result(code, out.getvalue(), said)


def fracsim(*args: object) -> Result:
    """Exit code and output of ``fracsim args``."""
    from fracsim.cli.app import command

    return run_group(command, "fracsim", *args)
