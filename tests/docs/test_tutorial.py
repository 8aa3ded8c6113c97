"""The tutorial: it runs, and what its cells show is kept in it."""

import json
import subprocess
import sys

import pytest
from places import TOP

NOTEBOOK = TOP / "docs" / "tutorial.ipynb"


def test_outputs_are_kept_and_small():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    shown = [output for cell in cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in shown) == 3
    assert all(output["output_type"] != "error" for output in shown)
    assert NOTEBOOK.stat().st_size < 300_000


@pytest.mark.slow
def test_the_tutorial_runs():
    pytest.importorskip("nbclient", reason="needs the extra docs: pip install '.[docs]'")
    subprocess.run([sys.executable, TOP / "docs" / "tutorial.py", "--check"], check=True)
