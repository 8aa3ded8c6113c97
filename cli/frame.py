"""What every command shares: lazy subcommands, one-sentence errors with the right exit code,
progress, JSON.

Nothing heavy is imported here, so that ``--help`` and completion answer at once. A command returns
None (done) or its exit code: 0 done, 1 error, 2 usage, 75 stopped early and resumable, 130 aborted.
"""

import errno
import importlib
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

import fracsim
from fracsim.errors import RunError, Stopped, UsageError, nearest

ENVIRONMENT = "FRACSIM"
"""``--some-option`` of every command is also read from ``FRACSIM_SOME_OPTION``; the command line
wins."""
STOPPED = 75  # exit code of a stop that the same command goes on from (EX_TEMPFAIL of sysexits.h)

F = TypeVar("F", bound=Callable[..., Any])


def example(*lines: str) -> str:
    """An epilog for ``epilog=``: the lines as written, under "Example:"."""
    return "\n".join(
        ["\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)]
    )


def json_option(function: F) -> F:
    """``--json`` as argument ``as_json``: one JSON object on stdout instead of text."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object for machines."
    )(function)


def quiet_option(function: F) -> F:
    """``--quiet`` as argument ``quiet``: no progress, no summary; errors are still said."""
    return click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")(function)


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


def remark(text: str, nl: bool = True) -> None:
    """Say on stderr what is no result. That nobody listens any more (``2>&1 | head``) must not end
    the work."""
    try:
        click.echo(text, nl=nl, err=True)
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class Frame(click.Group):
    """A click group whose errors are one sentence, and whose ``lazy`` subcommands are imported only
    when called.

    ``lazy`` maps a name to its short help; the command is the attribute ``command`` of
    ``fracsim.cli.<name>`` (with _ for -). Ordinary subcommands (``@group.command()``) work too."""

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.lazy:
            command = importlib.import_module(f"fracsim.cli.{cmd_name.replace('-', '_')}").command
        else:
            command = self.commands.get(cmd_name)
        if (
            command is not None
        ):  # FRACSIM_THREADS, not FRACSIM_TRAIN_THREADS: one name means one thing everywhere
            command.context_settings.setdefault("auto_envvar_prefix", ENVIRONMENT)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if (
            not ctx.resilient_parsing
            and not name.startswith("-")
            and name not in self.list_commands(ctx)
        ):
            known = self.list_commands(ctx)
            ctx.fail(
                f"No such command "
                f"'{name}'{nearest(name, known) or '; there are ' + ', '.join(known) + '.'}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, self.lazy.get(name) or self.commands[name].get_short_help_str(limit=80))
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing and not self.invoke_without_command:
            args = ["--help"]
        return super().parse_args(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        with one_sentence_errors():
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)


def version_option(function: F) -> F:
    """``--version``, never read from the environment: module systems set FRACSIM_VERSION to
    something else."""
    option = click.version_option(
        fracsim.__version__, prog_name="fracsim", allow_from_autoenv=False
    )
    return option(function)


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Turn every error of the block into one line on stderr and an exit code; FRACSIM_DEBUG=1 shows
    tracebacks."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: click.echo(
            f"Warning: {_one_line(message)}", err=True
        )
        try:
            yield
        except Exception as error:
            _leave(error)
        except KeyboardInterrupt as error:
            _leave(error)


def _leave(error: BaseException) -> NoReturn:
    if os.environ.get(f"{ENVIRONMENT}_DEBUG", "0") not in ("", "0"):
        raise error
    if (
        isinstance(error, OSError) and error.errno == errno.EPIPE
    ):  # the reader went away, as in `fracsim export | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sentence, code = describe(error)
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(code)


def describe(error: BaseException) -> tuple[str, int]:
    """(sentence, exit code) of an error, as the user sees it."""
    if isinstance(error, click.ClickException):
        return _describe_click(error), error.exit_code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return "interrupted.", 130
    from fracsim.data.errors import FileError

    if isinstance(error, (UsageError, RunError, FileError)):
        return _one_line(error), STOPPED if isinstance(error, Stopped) else 2 if isinstance(
            error, UsageError
        ) else 1
    if isinstance(error, ValueError) and str(error).startswith(
        f"{ENVIRONMENT}_"
    ):  # as kernels say of a variable
        return _one_line(error), 2
    backends = sys.modules.get("fracsim.kernels.backend")  # who raises its errors has imported it
    if backends and isinstance(error, backends.BackendError):
        return _one_line(error), 1
    if isinstance(error, MemoryError):
        return _one_line(f"not enough memory: {error}" if str(error) else "not enough memory"), 1
    if isinstance(error, OSError):
        return _one_line(
            f"{error.filename or 'the system says'}: {error.strerror}" if error.strerror else error
        ), 1
    return _one_line(
        f"unexpected {type(error).__name__}: {error} (a bug in fracsim; FRACSIM_DEBUG=1 shows "
        f"where)"
    ), 1


def _describe_click(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption):
        known = (
            [name for p in context.command.get_params(context) for name in p.opts]
            if context
            else []
        )
        sentence = f"No such option '{error.option_name}'{nearest(error.option_name, known) or '.'}"
    else:
        sentence = _one_line(error.format_message())
    says_how = "did you mean" in sentence or type(error) is click.BadParameter
    if context is not None and not says_how:
        sentence += f" See '{context.command_path} --help'."
    return sentence


def _one_line(message: object) -> str:
    line = " ".join(str(message).split())
    return line if not line or line[-1] in ".?!" else line + "."


def check_output(path: Path, overwrite: bool) -> Path:
    """``path``, if a file can be made there (or replaced, with ``overwrite``); RunError
    otherwise."""
    from fracsim.products.product import check_free

    check_free(path, overwrite)
    return path


class Count(click.ParamType):
    """A whole number from 1 to ``most``; ``1e6`` and ``100_000`` are understood too."""

    name = "count"

    def __init__(self, most: int = 10**18) -> None:
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            count = value if isinstance(value, int) else int(value)
        except ValueError:
            count = _whole(value)
        if not 1 <= count <= self.most:
            shown = str(value) if len(str(value)) <= 60 else f"{str(value)[:57]}..."
            self.fail(
                f"'{shown}' is not a whole number from 1 to {self.most:g} (as in 100 or 1e2).",
                param,
                ctx,
            )
        return count


def _whole(text: str) -> int:
    """The integer that ``text`` such as 1e6 means, else 0."""
    try:
        number = float(text)
    except ValueError:
        return 0
    return int(number) if math.isfinite(number) and number.is_integer() else 0


class Progress:
    """Progress on stderr: a bar on a terminal, elsewhere one plain line every ``every`` seconds; a
    context manager.

    ``update(done, note)`` is cheap and may be called often, from one thread.
    """

    def __init__(
        self, label: str, total: int, *, unit: str = "", quiet: bool = False, every: float = 10.0
    ) -> None:
        self.label, self.total, self.unit, self.quiet = label, total, f" {unit}".rstrip(), quiet
        self.terminal = sys.stderr.isatty()
        self.every = 0.1 if self.terminal else every
        self.started = self.shown = time.monotonic()
        self.first: float | None = None  # the share done before this call, where work goes on

    def __enter__(self) -> "Progress":
        self.update(0)
        return self

    def update(self, done: int, note: str = "", share: float | None = None) -> None:
        """Show that ``done`` of ``total`` are done, if the last line is old enough.

        ``share`` (0 to 1) of the work decides bar and time left where the parts are of unequal
        cost."""
        now = time.monotonic()
        if share is None:
            share = done / self.total if self.total else 1.0
        if (
            self.first is None or share <= self.first
        ):  # compiling kernels above all says nothing about the pace
            self.first, self.started = share, now
        if self.quiet or now - self.shown < self.every:
            return
        self.shown = now
        gained = share - self.first
        left = (
            f", {duration((now - self.started) * (1 - share) / gained)} left"
            if gained > 0.01
            else ""
        )
        text = (
            f"{share:4.0%}  {done:,} of "
            f"{self.total:,}{self.unit}{left}{'  ' + note if note else ''}"
        )
        if self.terminal:
            bar = "#" * round(24 * share)
            remark(f"\r{self.label} [{bar:-<24}] {text}\033[K", nl=False)
        else:
            remark(f"{self.label}: {text.strip()}")

    def __exit__(self, *_: object) -> None:
        if self.terminal and not self.quiet:
            remark("\r\033[K", nl=False)


def duration(seconds: float) -> str:
    """``4.2 s``, ``3 min 20 s`` or ``5 h 12 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """``812 B``, ``1.4 MB``, ``20 GB``: bytes for people, in powers of ten."""
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if count < 999.5 or unit == "PB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.2g} {unit}"
        count /= 1000
    raise AssertionError
