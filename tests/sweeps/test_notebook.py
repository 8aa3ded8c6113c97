"""In a notebook: a bar without asking, and a Ctrl-C that interrupts the cell when a checkpoint is
made."""

import json

import pytest

import fracsim

TINY = {"network_depth": 1, "width": 5, "record_every": 100, "train_points": 200}
TINY |= {"test_points": 100, "batch_size": 20, "fractal_depth": 2}


def run_cells(*cells, folder):
    """The outputs of the cells of a notebook; cells that fail do not end it."""
    nbformat = pytest.importorskip("nbformat", reason="needs the extra docs")
    client = pytest.importorskip("nbclient", reason="needs the extra docs")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    client.NotebookClient(book, timeout=300, allow_errors=True).execute(cwd=str(folder))
    return [cell.outputs for cell in book.cells]


def test_this_is_no_notebook(tmp_path, capsys):
    summary = fracsim.train(tmp_path / "run.h5", steps=100, **TINY)
    assert summary.status == "complete"
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_a_cell_shows_a_bar_and_is_interrupted_by_ctrl_c(tmp_path, monkeypatch):
    from places import TOP

    monkeypatch.setenv("PYTHONPATH", str(TOP))
    settings = f"**{json.dumps(TINY)}"
    long = {**TINY, "steps": 100_000_000, "record_every": 100_000}
    interrupt = (
        "import threading, signal\n"
        "threading.Timer(3, lambda: signal.raise_signal(signal.SIGINT)).start()\n"
        f"fracsim.train('long.h5', **{json.dumps(long)})"
    )
    done, stopped, after = run_cells(
        f"import fracsim\nsummary = fracsim.train('run.h5', steps=100, {settings})",
        interrupt,
        "print(fracsim.open_trajectory('long.h5').status)",
        folder=tmp_path,
    )
    assert [output["data"]["text/plain"] for output in done] == ["1 run, 100 steps: done"]
    assert [one["ename"] for one in stopped if one["output_type"] == "error"] == [
        "KeyboardInterrupt"
    ]
    assert "".join(one.get("text", "") for one in after).strip() == "interrupted"
    assert (tmp_path / "long.h5.checkpoint").exists()
