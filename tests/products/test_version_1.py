"""Files of format version 1, made by revision a59ef89: they are read, checked, merged, exported and
drawn like others, and go on where they were stopped, as files of version 1.

tests/data/version_1/files.tar.xz holds a sweep of four runs (cantor, n = 2, T = 2, k = 4 and 6,
seeds 0 and 1, float64, 240 steps, a record and the weights every 20): whole.h5, its two shards, and
half.h5 with its checkpoint, which was stopped with one run done and one at step 60."""

import shutil
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import fracsim, run_group

from fracsim.cli.plot import command as plot
from fracsim.data.reader import open_trajectory
from fracsim.experiments.experiment import Experiment
from fracsim.products.check import check_file
from fracsim.sweeps.sweep import run_sweep

FILES = Path(__file__).parent.parent / "data" / "version_1" / "files.tar.xz"
STEPS = list(range(20, 241, 20))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("version_1")
    with tarfile.open(FILES) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def folder(kept, tmp_path):
    """Copies, which a test may change."""
    for path in kept.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


def numbers(path):
    """Dataset -> values of all but times."""
    found = {}
    with h5py.File(path, "r") as root:
        root.visititems(
            lambda name, node: (
                found.update({name: node[...]})
                if isinstance(node, h5py.Dataset) and name != "wall_time"
                else None
            )
        )
    return found


def assert_same(path, other, **tolerance):
    """The same datasets with the same values; bit for bit unless there is a tolerance."""
    one, two = numbers(path), numbers(other)
    assert one.keys() == two.keys()
    for name, values in one.items():
        if tolerance and values.dtype.kind == "f":
            np.testing.assert_allclose(values, two[name], **tolerance, err_msg=name)
        else:
            assert values.tobytes() == two[name].tobytes() or (values == two[name]).all(), name


def test_they_are_read(kept):
    trajectory = open_trajectory(kept / "whole.h5")
    assert trajectory.version == 1
    assert trajectory.steps.tolist() == STEPS
    assert trajectory.weight_steps(0).tolist() == STEPS
    assert np.isfinite(trajectory.variable("train_loss")).all()
    half = open_trajectory(kept / "half.h5")
    assert (half.note, half.records_done.tolist()) == (
        "interrupted, 15 of 48 records",
        [0, 0, 12, 3],
    )


def test_check_status_export_and_figures(kept, tmp_path):
    for name, code in (("whole", 0), ("half", 75), ("shard-0", 0), ("shard-1", 0)):
        report = check_file(kept / f"{name}.h5")
        assert (report.problems, report.remarks, report.complete) == ((), (), code == 0)
        assert fracsim("check", kept / f"{name}.h5").code == code
    out = fracsim("status", kept / "half.h5", "--runs").out
    assert "interrupted, 15 of 48 records; 4 runs of 240 steps and 12 records" in out
    assert "run 3 at step 60" in out
    table = fracsim("export", kept / "whole.h5", "--variables", "test_loss").out.splitlines()
    assert [line.split(",")[1] for line in table[1:]] == [*map(str, STEPS)] * 4
    for name in ("whole", "half"):
        image = tmp_path / f"{name}.png"
        file = kept / f"{name}.h5"
        assert run_group(plot, "fracsim-plot", "training", file, "-o", image).code == 0
        assert image.stat().st_size > 10_000


def test_shards_are_merged_to_the_whole(folder):
    shards = [folder / f"shard-{i}.h5" for i in range(2)]
    assert fracsim("merge", *shards, "-o", folder / "merged.h5").code == 0
    assert open_trajectory(folder / "merged.h5").version == 1
    assert_same(folder / "merged.h5", folder / "whole.h5")
    assert check_file(folder / "merged.h5").complete


def test_shards_of_both_versions_are_merged_without_step_0(folder):
    trained_here(folder / "shard-1.h5", open_trajectory(folder / "whole.h5"), shard="1/2")
    assert open_trajectory(folder / "shard-1.h5").steps[0] == 0
    shards = [folder / f"shard-{i}.h5" for i in range(2)]
    assert fracsim("merge", *shards, "-o", folder / "merged.h5").code == 0
    merged = open_trajectory(folder / "merged.h5")
    assert (merged.version, merged.steps.tolist()) == (1, STEPS)
    assert check_file(folder / "merged.h5").complete
    assert_same(folder / "merged.h5", folder / "whole.h5", **tolerance(merged))


def test_a_stopped_sweep_goes_on(folder):
    """In its own version, from its checkpoint, to the bits of a sweep that never stopped."""
    half, whole = folder / "half.h5", open_trajectory(folder / "whole.h5")
    said = []
    experiment = Experiment.from_json(str(whole.attributes["experiment"]))
    summary = run_sweep(experiment, half, threads=1, announce=said.append)
    assert summary.status == "complete"
    assert summary.steps == [240, 240, 0, 180]
    assert "1 of 4 runs have ended, 1 go on from a checkpoint" in " ".join(said)
    continued = open_trajectory(half)
    assert (continued.version, continued.steps.tolist()) == (1, STEPS)
    assert check_file(half).complete
    assert_same(half, folder / "whole.h5", **tolerance(continued))


def test_the_same_sweep_today_has_the_same_numbers(folder):
    """The older file's, and before them the record at step 0."""
    whole = open_trajectory(folder / "whole.h5")
    trained_here(folder / "new.h5", whole)
    new = open_trajectory(folder / "new.h5")
    assert new.version == 2
    assert new.steps.tolist() == [0, *STEPS]
    for name in whole.records:
        if name != "wall_time":
            np.testing.assert_allclose(
                new.variable(name)[:, 1:], whole.variable(name), **tolerance(new, whole) or exact
            )


exact = {"rtol": 0, "atol": 0}


def tolerance(*trajectories):
    """None where all was computed on one kind of machine, else that of another CPU's rounding."""
    kinds = {str(each.attributes["instruction_sets"]) for each in trajectories}
    mixed = len(kinds) > 1 or any(
        each.attributes["bit_identical"] != "yes" for each in trajectories
    )
    return {"rtol": 1e-6, "atol": 1e-9} if mixed else {}


def trained_here(path, stored, **how):
    """The sweep of a stored file, trained anew."""
    experiment = Experiment.from_json(str(stored.attributes["experiment"]))
    run_sweep(experiment, path, threads=1, overwrite=True, **how)
