"""What all commands share: start-up, help, errors in one sentence, exit codes, environment,
progress."""

import errno
import json
import os
import subprocess
import sys

import click
import numpy as np
import pytest
from command_line import fracsim, run_group

import fracsim as package
from fracsim.cli import frame
from fracsim.cli.app import COMMANDS
from fracsim.data.errors import FileError
from fracsim.errors import RunError, UsageError

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

    @click.group(cls=frame.Frame)
    def group() -> None:
        pass

    @group.command()
    @click.option("--count", type=frame.Count(), default=1)
    def fail(count: int) -> None:
        raise group.error  # type: ignore[attr-defined]

    return group


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (UsageError("no such\n  fractal"), 2, "Error: no such fractal."),
        (RunError("no room"), 1, "Error: no room."),
        (FileError("not ours"), 1, "Error: not ours."),
        (
            OSError(errno.ENOSPC, "No space left on device", "/a/b"),
            1,
            "Error: /a/b: No space left on device.",
        ),
        (OSError("odd"), 1, "Error: odd."),
        (
            ValueError("FRACSIM_X is '24'; accepted is 16"),
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
    assert result.err.count("Error") == 1 + ("ZeroDivision" in sentence)
    assert len(result.err.strip().splitlines()) == 1


def test_the_traceback_is_shown_on_demand(failing, monkeypatch):
    failing.error = UsageError("no")
    monkeypatch.setenv("FRACSIM_DEBUG", "1")
    with pytest.raises(UsageError):
        run_group(failing, "tool", "fail")


def test_a_returned_number_is_the_exit_code():
    @click.group(cls=frame.Frame)
    def group() -> None:
        pass

    group.command("stop")(lambda: 75)
    assert run_group(group, "tool", "stop").code == 75


def test_warnings_are_one_line():
    @click.group(cls=frame.Frame)
    def group() -> None:
        pass

    @group.command()
    def warn() -> None:
        import warnings

        warnings.warn("no cache", stacklevel=1)

    assert run_group(group, "tool", "warn").err == "Warning: no cache.\n"


def test_options_come_from_the_environment_and_the_command_line_wins(monkeypatch):
    monkeypatch.setenv("FRACSIM_FRACTAL_DEPTH", "2")
    assert len(json.loads(fracsim("show", "curve", "1", "--json").out)["values"]) == 3
    assert (
        len(
            json.loads(fracsim("show", "curve", "1", "--json", "--fractal-depth", "4").out)[
                "values"
            ]
        )
        == 5
    )


@pytest.mark.parametrize(
    ("text", "count"), [("7", 7), ("1e6", 10**6), ("100_000", 100_000), ("2.5e1", 25)]
)
def test_counts_are_read_as_people_write_them(text, count):
    assert frame.Count().convert(text, None, None) == count


@pytest.mark.parametrize(
    "text", ["0", "-3", "nan", "inf", "1.5", "many", "", "1e999", "1e300", "1000000000000000001"]
)
def test_other_counts_are_refused(failing, text):
    result = run_group(failing, "tool", "fail", f"--count={text}")
    assert result.code == 2
    assert f"'{text}' is not a whole number from 1 to 1e+18" in result.sentence
    assert "--count" in result.sentence


def test_json_is_strict(capsys):
    odd = {
        "a": np.float32(0.5),
        "b": np.array([1.0, np.nan]),
        "c": float("inf"),
        "d": (np.int64(3),),
        4: None,
    }
    frame.echo_json(odd)
    assert json.loads(capsys.readouterr().out) == {
        "a": 0.5,
        "b": [1.0, None],
        "c": None,
        "d": [3],
        "4": None,
    }


def test_a_reader_that_goes_away_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m fracsim.cli.app show curve 1 --fractal-depth 1000 | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""


def test_progress_is_plain_lines_where_stderr_is_no_terminal(capsys):
    with frame.Progress("sample", 200, unit="points", every=0) as progress:
        progress.update(50, "half of a half")
    lines = capsys.readouterr().err.splitlines()
    assert "\r" not in "".join(lines)
    assert lines[-1].startswith("sample: 25%  50 of 200 points")
    assert lines[-1].endswith("half of a half")


def test_remarks_that_nobody_reads_are_no_error():
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"{sys.executable} -c 'from fracsim.cli.frame import remark\nfor i in range(9): "
            f"remark(str(i))\n"
            "print(7)' 2>&1 >/dev/null | sleep 0; exit ${PIPESTATUS[0]}",
        ],
        timeout=120,
    )
    assert done.returncode == 0


def test_the_time_left_is_that_of_what_this_call_has_done(capsys, monkeypatch):
    now = 100.0
    monkeypatch.setattr(frame.time, "monotonic", lambda: now)
    progress = frame.Progress("sweep", 100, every=0)
    progress.update(80, share=0.8)  # done by an earlier call
    now = 160.0
    progress.update(80, share=0.8)  # compiling
    now = 170.0
    progress.update(85, share=0.85)
    lines = capsys.readouterr().err.splitlines()
    assert "left" not in lines[0] + lines[1]
    assert lines[2].endswith("85 of 100, 30 s left")


def test_progress_is_a_bar_on_a_terminal_and_leaves_nothing_behind(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with frame.Progress("sweep", 10) as progress:
        progress.shown = 0
        progress.update(5, share=0.75)
    text = capsys.readouterr().err
    assert "[##################------]  75%  5 of 10" in text
    assert text.endswith("\r\033[K")


def test_quiet_progress_says_nothing(capsys):
    with frame.Progress("sweep", 10, quiet=True, every=0) as progress:
        progress.update(5)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (4.24, "4.2 s"), (59, "59 s"), (200, "3 min 20 s"), (18720, "5 h 12 min")],
)
def test_durations(seconds, text):
    assert frame.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(812, "812 B"), (1400, "1.4 kB"), (2e10, "20 GB"), (1e8, "100 MB"), (1.7e22, "17000000 PB")],
)
def test_sizes(count, text):
    assert frame.size(count) == text
