"""What all commands share: start-up, help, errors in one sentence, exit codes."""

import errno
import os
import subprocess
import sys

import click
import pytest
from command_line import fracsim, run_group

import fracsim as package
from fracsim.cli.app import COMMANDS, CommandGroup
from fracsim.cli.options import Count
from fracsim.data.errors import FileError
from fracsim.errors import RunError, Stopped, UsageError
from fracsim.kernels.errors import BackendError, OutOfDeviceMemory, VariableError

HEAVY = ("numpy", "numba", "h5py", "matplotlib.pyplot")
HELPS = [
    [],
    *([name] for name in COMMANDS),
    ["show", "fractal"],
    ["show", "curve"],
    ["show", "experiment"],
]


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_has_an_example_and_imports_nothing_heavy(arguments):
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('LOADED', [name for name in {HEAVY} if name in "
        f"sys.modules]))\n"
        "from fracsim.cli.app import command\n"
        f"command.main({[*arguments, '--help']}, prog_name='fracsim')"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "LOADED []" in done.stdout
    assert "Example" in done.stdout
    assert "  fracsim " in done.stdout.partition("Example")[2]


def test_help_answers_at_once():
    def seconds() -> float:  # of CPU: what else the machine is doing must not count
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "fracsim.cli.app", "--help"],
            capture_output=True,
            check=True,
        )
        after = os.times()
        return (
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )

    assert min(seconds() for _ in range(5)) < 0.3


def test_a_command_that_is_no_study_loads_none():
    done = python(
        "import sys, atexit\n"
        "atexit.register(lambda: print('LOADED', [n for n in sys.modules if 'studies' in n]))\n"
        "from fracsim.cli.app import command\n"
        "command.main(['train', '--help'], prog_name='fracsim')"
    )
    assert "LOADED []" in done.stdout, done.stderr


def test_short_helps_are_listed_without_importing_a_command():
    done = python(
        "import sys, fracsim.cli.app as s\nimport click\n"
        "s.command.get_help(click.Context(s.command))\n"
        "print([n for n in s.COMMANDS if f'fracsim.cli.{n}' in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_the_version_is_said_whatever_the_environment_holds(monkeypatch):
    monkeypatch.setenv("FRACSIM_VERSION", "module-7")  # as environment modules set it
    assert package.__version__ in fracsim("--version").out


def test_without_arguments_the_help_is_shown():
    result = fracsim()
    assert result.code == 0
    assert "sweep" in result.out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["sampel"], ["'sampel'", "did you mean 'sample'?"]),
        (["zzz"], ["'zzz'", "doctor"]),
        (["show", "fracta", "x"], ["'fracta'", "did you mean 'fractal'?"]),
        (["sample", "vicsek", "--cout", "5"], ["'--cout'", "did you mean '--count'?"]),
        (["sample", "vicsek", "--zzz"], ["'--zzz'", "fracsim sample --help"]),
        (["sample", "vicsek"], ["--output", "fracsim sample --help"]),
        (["sample"], ["FRACTAL"]),
        (["sample", "vicsek", "-o", "x.h5", "--threads", "0"], ["--threads", "0"]),
        (
            ["sample", "vicsek", "-o", "x.h5", "--threads", "1e30"],
            ["--threads", "'1e30'", "from 1 to 4096"],
        ),
    ],
)
def test_usage_errors_are_one_sentence_that_helps(arguments, parts):
    result = fracsim(*arguments)
    assert result.code == 2
    assert result.out == ""
    for part in parts:
        assert part in result.sentence


@pytest.fixture
def failing():
    """A group whose command ``fail`` raises what it is given."""

    @click.group(cls=CommandGroup)
    def group() -> None:
        pass

    @group.command()
    @click.option("--count", type=Count(), default=1)
    def fail(count: int) -> None:
        raise group.error  # type: ignore[attr-defined]

    return group


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (UsageError("no such\n  fractal"), 2, "Error: no such fractal."),
        (RunError("no room"), 1, "Error: no room."),
        (Stopped("stopped by SIGTERM"), 75, "Error: stopped by SIGTERM."),
        (FileError("not ours"), 1, "Error: not ours."),
        (BackendError("backend 'cuda': no driver"), 1, "Error: backend 'cuda': no driver."),
        (OutOfDeviceMemory("too little"), 1, "Error: too little."),
        (
            OSError(errno.ENOSPC, "No space left on device", "/a/b"),
            1,
            "Error: /a/b: No space left on device.",
        ),
        (OSError("odd"), 1, "Error: odd."),
        (
            VariableError("FRACSIM_X is '24'; accepted is 16"),
            2,
            "Error: FRACSIM_X is '24'; accepted is 16.",
        ),
        (
            MemoryError("Unable to allocate 7 PiB"),
            1,
            "Error: not enough memory: Unable to allocate 7 PiB.",
        ),
        (KeyboardInterrupt(), 130, "Error: interrupted."),
        (
            ValueError("FRACSIM_X"),
            1,
            "Error: unexpected ValueError: FRACSIM_X (a bug in fracsim; FRACSIM_DEBUG=1",
        ),
        (
            ZeroDivisionError("what"),
            1,
            "Error: unexpected ZeroDivisionError: what (a bug in fracsim; FRACSIM_DEBUG=1",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_is_one_sentence_with_its_exit_code(failing, error, code, sentence):
    failing.error = error
    result = run_group(failing, "tool", "fail")
    assert result.code == code
    assert result.err.strip().startswith(sentence)
    assert result.err.count("Error") == 1 + ("unexpected" in sentence)
    assert len(result.err.strip().splitlines()) == 1


def test_the_traceback_is_shown_on_demand(failing, monkeypatch):
    failing.error = UsageError("no")
    monkeypatch.setenv("FRACSIM_DEBUG", "1")
    with pytest.raises(UsageError):
        run_group(failing, "tool", "fail")


def test_a_returned_number_is_the_exit_code():
    @click.group(cls=CommandGroup)
    def group() -> None:
        pass

    group.command("stop")(lambda: 75)
    assert run_group(group, "tool", "stop").code == 75


def test_warnings_are_one_line_and_deprecations_of_other_packages_none(recwarn):
    @click.group(cls=CommandGroup)
    def group() -> None:
        pass

    @group.command()
    def warn() -> None:
        import warnings

        warnings.warn("no cache", stacklevel=1)
        warnings.warn("'parseString' deprecated", DeprecationWarning, stacklevel=1)

    assert run_group(group, "tool", "warn").err == "Warning: no cache.\n"
    assert [str(one.message) for one in recwarn] == ["'parseString' deprecated"]


def test_a_reader_that_goes_away_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m fracsim.cli.app show curve 1 --fractal-depth 1000 | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("value", ["0", "-1", " 0 "])
def test_a_variable_that_ends_the_import_of_numba_is_named(monkeypatch, value):
    monkeypatch.setenv("NUMBA_NUM_THREADS", value)
    said = fracsim("show", "fractal", "cantor1d")
    assert (said.code, "NUMBA_NUM_THREADS is" in said.sentence) == (2, True)
