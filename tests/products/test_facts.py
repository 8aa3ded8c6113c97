"""What computed a trajectory file: of an unfinished one its checkpoint knows more than the file."""

import json

import pytest
from command_line import fracsim, run_group
from small_experiments import shapes
from stops import StopAt

from fracsim.cli import plot
from fracsim.data.checkpoint import write_checkpoint
from fracsim.data.reader import open_trajectory
from fracsim.products.checkpoint import facts_of
from fracsim.sweeps.sweep import run_sweep


def test_what_an_unfinished_file_owes_to_another_machine_is_told(
    tmp_path, monkeypatch, short_slices
):
    """The file itself has the attributes of its beginning; its checkpoint knows what came since."""
    path = tmp_path / "a.h5"
    run_sweep(shapes("final"), path, threads=1, progress=StopAt(0.3))
    assert "continued" not in fracsim("status", path).out
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("numba.__version__", "0.99")
        again = run_sweep(shapes("final"), path, threads=1, progress=StopAt(0.8))
    assert again.status == "interrupted"
    assert open_trajectory(path).attributes["bit_identical"] == "yes"
    made = facts_of(open_trajectory(path))
    assert made["continued"] == 1
    assert "numba version" in made["bit_identical"]
    assert "continued once; not bit-identical: numba version" in fracsim("status", path).out
    facts = json.loads(fracsim("status", path, "--json").out)["files"][0]
    assert (facts["continued"], facts["bit_identical"]) == (1, made["bit_identical"])
    page = tmp_path / "report.html"
    assert run_group(plot.command, "fracsim-plot", "report", path, "-o", page).code == 0
    assert made["bit_identical"] in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("machine", [None, [], {"bit_identical": [1], "continued": None}, {"a": 1}])
def test_a_checkpoint_that_says_nonsense_of_machines_changes_no_fact(
    tmp_path, machine, short_slices
):
    path = tmp_path / "s.h5"
    run_sweep(shapes("final"), path, threads=1, progress=StopAt(0.3))
    trajectory = open_trajectory(path)
    known = {key: trajectory.attributes[key] for key in ("experiment_hash", "shard")}
    write_checkpoint(path, {**known, "machine": machine, "runs": {}}, {})
    assert facts_of(trajectory) == dict(trajectory.attributes)
