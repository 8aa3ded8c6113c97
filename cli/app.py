"""``fracsim``: the entry point, its commands, each a module of this folder that is imported only
when called, or made from a declared study, and how errors end it.

Nothing heavy is imported here, so that ``--help`` and completion answer at once. A command returns
None (done) or its exit code: 0 done, 1 error, 2 usage, 75 stopped early and resumable, 130 aborted,
141 the reader of its output went away.
"""

import importlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from fracsim import text
from fracsim.cli import ABORTED
from fracsim.cli.options import ENVIRONMENT, example, version_option
from fracsim.cli.streams import READER_GONE, OutputFault, open_streams, remark, silence
from fracsim.errors import UsageError, nearest
from fracsim.kernels import compiling

if TYPE_CHECKING:
    from fracsim.cli.study import Declared

COMPILING = "compiling kernels, once on this machine"
"""Said once, when a command has to."""

COMMANDS = {
    "sample": "Draw labelled points of a fractal distribution into a file.",
    "train": "Train one network and record how it learns.",
    "sweep": "Train every network of an experiment.",
    "slurm-script": "Print a Slurm job array that trains a sweep in shards.",
    "show": "Show a fractal, a curve or an experiment in words and numbers.",
    "status": "Say what files hold and how far their runs are.",
    "check": "Read files to the last value: valid? complete? which records?",
    "merge": "Make one file from those of all shards.",
    "export": "Write a file's records or points as CSV.",
    "doctor": "Check this machine: versions, SIMD, threads, CUDA, kernels.",
    "warmup": "Compile all kernels now, so that later commands start at once.",
}


class CommandGroup(click.Group):
    """A click group whose errors are one sentence, and whose ``lazy`` subcommands are imported only
    when called.

    ``lazy`` maps a name to its short help; the command is the attribute ``command`` of
    ``fracsim.cli.<name>`` (with _ for -). ``declared`` gives the commands that are made from
    declarations: name -> (short help, what makes it). Ordinary subcommands (``@group.command()``)
    work too."""

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, str] | None = None,
        declared: Callable[[], "Declared"] = dict,
        **keywords: Any,
    ) -> None:
        super().__init__(*args, **keywords)
        self.lazy, self.declared = dict(lazy or {}), declared

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *self.commands, *self.declared()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.lazy:
            module = importlib.import_module(f"fracsim.cli.{cmd_name.replace('-', '_')}")
            command: click.Command | None = module.command
        elif cmd_name in (declared := self.declared()):
            command = declared[cmd_name][1]()
        else:
            command = self.commands.get(cmd_name)
        # FRACSIM_THREADS, not FRACSIM_TRAIN_THREADS: one name means one thing everywhere
        if command is not None:
            command.context_settings.setdefault("auto_envvar_prefix", ENVIRONMENT)
        return _naming_variables(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not (ctx.resilient_parsing or name.startswith("-") or self._has(name)):
            known = self.list_commands(ctx)
            hint = nearest(name, known) or f"; there are {', '.join(known)}."
            ctx.fail(f"No such command '{name}'{hint}")
        return super().resolve_command(ctx, args)

    def _has(self, name: str) -> bool:
        """Whether there is such a command; the declared ones are asked last: that takes time."""
        return name in self.lazy or name in self.commands or name in self.declared()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [*self.lazy.items()]
        rows += [(name, one.get_short_help_str(limit=80)) for name, one in self.commands.items()]
        declared = [(name, about) for name, (about, _) in self.declared().items()]
        for title, part in (("Commands", rows), ("Studies", declared)):
            if part:
                with formatter.section(title):
                    formatter.write_dl(part)

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
        sys.exit(code if isinstance(code, int) else 0)


def _naming_variables(command: click.Command | None) -> click.Command | None:
    """A command whose refusals of a value name the variable of the environment that it is from:
    nobody looks for it there."""
    if command is None or isinstance(command, click.Group) or hasattr(command, "names_variables"):
        return command
    parse, invoke = command.parse_args, command.invoke

    def parse_args(ctx: click.Context, args: list[str]) -> list[str]:
        with _origins(ctx):
            return parse(ctx, args)

    def invoke_command(ctx: click.Context) -> Any:
        _check_numba()
        with _origins(ctx):
            return invoke(ctx)

    named: Any = command
    named.parse_args, named.invoke, named.names_variables = parse_args, invoke_command, True
    return command


def _check_numba() -> None:
    """Raise UsageError for the one variable of numba whose wrong values end its import; of others
    it warns."""
    given = os.environ.get("NUMBA_NUM_THREADS", "").strip()
    if given.lstrip("-").isdecimal() and int(given) < 1:
        raise UsageError(f"NUMBA_NUM_THREADS is {given}; accepted is a whole number from 1")


@contextmanager
def _origins(context: click.Context) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        if names := _variables(context, str(error)):
            raise UsageError(f"{error} (set in the environment: {', '.join(names)})") from error
        raise
    except click.BadParameter as error:
        if names := _variables(context, f"{error.param_hint} {error.format_message()}"):
            said = f"{error.message.rstrip('.')} (set in the environment: {', '.join(names)})"
            setattr(error, "message", said)  # noqa: B010  (click calls it final)
        raise


def _variables(context: click.Context, sentence: str) -> list[str]:
    """The variables of the environment whose options a sentence names, unless it names them."""
    words = set(re.findall(r"[\w-]+", sentence))
    return [
        variable
        for parameter in context.command.params
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.ENVIRONMENT
        and words & {*parameter.opts, str(parameter.name)}
        and (variable := f"{ENVIRONMENT}_{str(parameter.name).upper()}") not in words
    ]


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Turn every error of the block into one line on stderr and an exit code; FRACSIM_DEBUG=1 shows
    tracebacks."""
    for_developers = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, DeprecationWarning):  # Python shows them only where it is asked to
            for_developers(message, category, *where, **more)
        else:
            remark(f"Warning: {text.sentence(message)}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        compiling.tell = lambda: remark(COMPILING)
        try:
            yield
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            _leave(error)


def _leave(error: BaseException) -> NoReturn:
    if os.environ.get(f"{ENVIRONMENT}_DEBUG", "0") not in ("", "0"):
        raise error
    if isinstance(error, OutputFault):
        silence(sys.stdout)
        if error.reader_gone:
            sys.exit(READER_GONE)
    sentence, code = describe(error)
    remark(f"Error: {sentence}")
    sys.exit(code)


def describe(error: BaseException) -> tuple[str, int]:
    """(sentence, exit code) of an error, as the user sees it. Our own errors carry their
    ``exit_code``."""
    if isinstance(error, click.ClickException):
        return _describe_click(error), error.exit_code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return "interrupted.", ABORTED
    code = getattr(error, "exit_code", None)
    if code is not None:
        return text.sentence(error), code
    if isinstance(error, MemoryError):
        what = f"not enough memory: {error}" if str(error) else "not enough memory"
    elif isinstance(error, OSError) and error.strerror:
        what = f"{error.filename or 'the system says'}: {error.strerror}"
    elif isinstance(error, OSError):
        what = str(error)
    else:
        what = (
            f"unexpected {type(error).__name__}: {error} (a bug in fracsim; FRACSIM_DEBUG=1 shows "
            f"where)"
        )
    return text.sentence(what), 1


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
        sentence = text.sentence(error.format_message())
    says_how = "did you mean" in sentence or type(error) is click.BadParameter
    if context is not None and not says_how:
        sentence += f" See '{context.command_path} --help'."
    return sentence


def _studies() -> "Declared":
    from fracsim.cli.study import study_commands

    return study_commands()


@click.group(
    cls=CommandGroup,
    lazy=COMMANDS,
    declared=_studies,
    epilog=example(
        "fracsim sweep cantor5-depth-width --quick -o quick.h5",
        "fracsim-plot depth-width quick.h5 -o quick.png",
    ),
)
@version_option
def command() -> None:
    """Which fractal distributions can a deep ReLU network express, and which can it learn?

    Every option of every command can also be given as an environment variable: --threads as
    FRACSIM_THREADS. The command line wins over the environment, the environment over an
    experiment's TOML. FRACSIM_DEBUG=1 shows where an error comes from."""


def main() -> None:
    """Run ``fracsim`` with the process's arguments; ends the process with its exit code."""
    open_streams()
    try:
        command(prog_name="fracsim")
    except SystemExit as leaving:
        # by a second Ctrl-C: the interpreter would wait for threads that compile
        if leaving.code == ABORTED:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ABORTED)
        raise


if __name__ == "__main__":
    main()
