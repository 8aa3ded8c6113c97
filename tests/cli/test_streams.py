"""Every command under what a system can do to it: streams closed, full, or read by nobody; no home,
no locale; folders that cannot be written. Each as a process of its own."""

import os
import subprocess
import sys

import pytest
from command_line import fracsim

SHORT = ["--fractal-depth", "2", "--depth", "1", "--width", "4", "--steps", "100"]
SHORT += ["--record-every", "100", "--train-points", "100", "--test-points", "50"]
READER_GONE = 141

WRITES = {
    "train": ["train", *SHORT, "--fractal", "cantor1d"],
    "sweep": ["sweep", "--from", "run.h5", "--seed", "1"],
    "sample": ["sample", "cantor1d", "--fractal-depth", "2", "--count", "100"],
    "merge": ["merge", "run.h5"],
    "export": ["export", "run.h5"],
    "bounds": ["bounds", "cantor1d", "--fractal-depth", "3"],
    "plot": ["curves"],
}
SAYS = {
    "help": ["--help"],
    "show": ["show"],
    "show fractal": ["show", "fractal", "cantor"],
    "show experiment": ["show", "experiment", "cantor5-depth-width"],
    "status": ["status", "run.h5"],
    "check": ["check", "run.h5", "--json"],
    "export": ["export", "run.h5"],
    "bounds": ["bounds", "cantor1d", "--fractal-depth", "3"],
    "slurm-script": ["slurm-script", "--from", "run.h5", "--shards", "1", "--time", "1:00:00"],
    "dry run": ["train", *SHORT, "--dry-run"],
}


def some(names, quick):
    """All names as parameters; those that stand for the others are tried by default."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a finished training."""
    folder = tmp_path_factory.mktemp("streams")
    assert (
        fracsim("train", *SHORT, "--fractal", "cantor1d", "-o", folder / "run.h5", "-q").code == 0
    )
    return folder


def process(folder, words, redirections="", environment=None, output=None):
    """A command as a shell starts it, with its redirections."""
    module = "plot" if words[0] == "curves" else "app"
    line = [sys.executable, "-m", f"fracsim.cli.{module}", *words]
    line += ["-o", str(output)] if output else []
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": root}
    kept |= {key: os.environ[key] for key in ("HOME", "NUMBA_CACHE_DIR") if key in os.environ}
    kept |= {key: value for key, value in (environment or {}).items() if value is not None}
    for key in (key for key, value in (environment or {}).items() if value is None):
        kept.pop(key, None)
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirections}', "bash", *line],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=300,
    )


def fault(done):
    """Nothing of Python's, nor a bug of ours, is in what was said."""
    return any(word in done.stderr for word in ("Traceback", "a bug", "Exception ignored"))


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "2>&-", ">&- -q"])
@pytest.mark.parametrize("name", some(WRITES, ["train", "export"]))
def test_with_closed_streams_the_work_is_done(folder, tmp_path, name, closed):
    output = tmp_path / ("out.png" if name == "plot" else "out.h5")
    done = process(folder, WRITES[name], closed, output=output)
    assert (done.returncode, fault(done)) == (0, False), done
    assert output.stat().st_size > 100
    if name != "plot" and name != "export":
        assert fracsim("check", output).code == 0


@pytest.mark.parametrize("name", some(SAYS, ["help", "export", "check"]))
def test_a_full_disk_behind_the_output_is_one_sentence(folder, name):
    done = process(folder, SAYS[name], "> /dev/full")
    said = [line for line in done.stderr.splitlines() if not line.startswith("compiling")]
    assert done.returncode == 1
    assert said == ["Error: the output cannot be written: No space left on device."]
    assert process(folder, SAYS[name], "> /dev/full 2> /dev/full").returncode == 1


@pytest.mark.parametrize("buffered", [{}, {"PYTHONUNBUFFERED": "1"}])
@pytest.mark.parametrize("name", some(SAYS, ["help", "export"]))
def test_a_reader_that_has_gone_is_no_error(folder, name, buffered):
    done = process(folder, SAYS[name], "| sleep 0; exit ${PIPESTATUS[0]}", buffered)
    said = [line for line in done.stderr.splitlines() if not line.startswith("compiling")]
    assert done.returncode in (0, READER_GONE)
    assert said == []


PLACES = {
    "no locale": {"LC_ALL": "nonsense", "LANG": None},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii:strict"},
    "no home": {"HOME": None, "XDG_CACHE_HOME": None, "MPLCONFIGDIR": None},
    "a home that is not there": {"HOME": "/nowhere/at/all", "MPLCONFIGDIR": None},
    "no terminal": {"TERM": "dumb", "COLUMNS": "1"},
    "no folder for temporary files": {"TMPDIR": "/nowhere", "MATPLOTLIBRC": "/nowhere"},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", some(["help", "show fractal", "status"], ["show fractal"]))
def test_commands_work_in_odd_places(folder, name, place):
    done = process(folder, SAYS[name], environment=PLACES[place])
    assert (done.returncode, fault(done)) == (0, False), done


@pytest.mark.parametrize("place", ["no locale", "a home that is not there"])
def test_figures_are_drawn_in_odd_places(folder, tmp_path, place):
    done = process(folder, WRITES["plot"], environment=PLACES[place], output=tmp_path / "a.png")
    assert (done.returncode, fault(done)) == (0, False), done


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("where", ["nowhere", "a file", "a folder", "/dev/full", "/proc", "long"])
def test_an_output_that_cannot_be_written_is_one_sentence(folder, tmp_path, name, where):
    suffix = ".png" if name == "plot" else ".h5"
    (tmp_path / "file").write_text("")
    (tmp_path / f"folder{suffix}").mkdir()
    output = {
        "nowhere": tmp_path / "no" / f"out{suffix}",
        "a file": tmp_path / "file" / f"out{suffix}",
        "a folder": tmp_path / f"folder{suffix}",
        "/dev/full": tmp_path / f"full{suffix}",
        "/proc": f"/proc/out{suffix}",
        "long": tmp_path / ("a" * 300 + suffix),
    }[where]
    if where == "/dev/full":
        output.symlink_to("/dev/full")
    words = [str(folder / "run.h5") if word == "run.h5" else word for word in WRITES[name]]
    if name == "plot":
        from command_line import run_group

        from fracsim.cli.plot import command

        result = run_group(command, "fracsim-plot", *words, "-o", output)
    else:
        result = fracsim(*words, "-o", output)
    assert result.code in (1, 2)
    assert "a bug" not in result.sentence
    assert not (tmp_path / f"out{suffix}").exists()
