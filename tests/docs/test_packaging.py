"""What is said of the package in several places agrees."""

import re
import subprocess
import sys
import tomllib

from places import TOP

import fracsim


def test_the_version_is_the_same_everywhere():
    cited = re.search(r"^version: (.+)$", (TOP / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited is not None
    assert cited[1] == fracsim.__version__
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "fracsim/__init__.py"


def test_the_module_is_the_command():
    command = [sys.executable, "-m", "fracsim", "--version"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"fracsim, version {fracsim.__version__}"


def test_five_packages_are_needed_at_run_time_and_no_more():
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=~!]", text)[0] for text in project["dependencies"]}
    assert names == {"numba", "numpy", "h5py", "matplotlib", "click"}
