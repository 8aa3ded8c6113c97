"""What the shell completes: names of fractals, curves and experiments, without loading anything."""

import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from places import TOP

from fracsim.cli.app import command
from fracsim.cli.complete import CURVES
from fracsim.cli.plot import command as plot
from fracsim.data.presets import preset_names
from fracsim.fractals.curve import PAPER_CURVES, parse_curve


def completed(*words: str, group=command) -> list[tuple[str, str]]:
    """(kind, word) of what may stand for the last of the words."""
    shell = ShellComplete(group, {}, "fracsim", "_FRACSIM_COMPLETE")
    return [(one.type, one.value) for one in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("sample", "vic"), ["vicsek"]),
        (("construct", "s"), ["sierpinski"]),
        (("show", "fractal", "pen"), ["pentaflake"]),
        (("show", "experiment", "paper"), []),
        (("sweep", "cantor5-d"), ["cantor5-depth-width"]),
        (("slurm-script", "cantor5-d"), ["cantor5-depth-width"]),
        (("sample", "cantor", "--curve", "p"), ["polynomial:"]),
        (("train", "--fractal", "vic"), ["vicsek"]),
        (("train", "--curve", "f"), ["finest:"]),
        (("train", "--optimizer", "a"), ["adam"]),
    ],
)
def test_names_are_completed(words, found):
    if found:
        assert completed(*words) == [("plain", name) for name in found]
    else:
        assert completed(*words) == [("file", words[-1])], "a file may stand there"


def test_figures_complete_them_too():
    assert completed("fractal", "vic", group=plot) == [("plain", "vicsek")]
    assert ("plain", "polynomial:") in completed("curves", "", group=plot)


def test_all_names_are_offered():
    assert completed("sample", "") == [("plain", name) for name in preset_names("fractals")]
    assert completed("sweep", "") == [("plain", name) for name in preset_names("experiments")]


def test_the_curves_are_those_that_there_are():
    assert [name for name in CURVES if not name.endswith(":")] == list(PAPER_CURVES)
    for family in (name for name in CURVES if name.endswith(":")):
        assert parse_curve(f"{family}2")


def test_nothing_heavy_is_loaded_for_a_completion():
    script = (
        "import sys; from click.shell_completion import ShellComplete; "
        "from fracsim.cli.app import command; "
        "shell = ShellComplete(command, {}, 'fracsim', ''); "
        "print([one.value for one in shell.get_completions(['sweep'], 'cantor5-d')], "
        "[name for name in ('numpy', 'h5py', 'numba', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['cantor5-depth-width'] []\n"
