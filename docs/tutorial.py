"""Runs docs/tutorial.ipynb in an empty folder and keeps what its cells show.

    python docs/tutorial.py           # run it, write the outputs into the notebook
    python docs/tutorial.py --check   # run it, write nothing

It needs the extra `docs`. A cell that fails ends it with the cell and its error."""

import argparse
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parent / "tutorial.ipynb"


def run(check: bool) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # the checkout's fracsim, whatever is installed
    top = str(NOTEBOOK.parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [top, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=900, record_timing=False)
        client.execute(cwd=folder)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output["output_type"] != "error", output
    if not check:
        nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    run(parser.parse_args().check)
