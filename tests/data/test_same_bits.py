"""The comparison behind benchmarks/same_bits.py: a check that cannot fail would prove nothing."""

import sys

import h5py
import numpy as np
import pytest
from places import TESTS

sys.path.append(str(TESTS / "benchmarks"))

from compare_files import MAY_GO, MISSING, compare
from moved_points import moved_points

from fracsim.experiments.experiment import make_experiment
from fracsim.experiments.grid import Grid
from fracsim.sweeps.sweep import run_sweep


def write(path, variables, steps=(100, 200), file_format="fracsim-trajectory", **attributes):
    """A file with an axis ``step``; ``variables`` lie on it (the last axis), or on none."""
    with h5py.File(path, "w") as file:
        file.attrs.update(format=file_format, **attributes)
        file["step"] = np.array(steps)
        file["step"].make_scale("step")
        for name, values in variables.items():
            file[name] = values
            if np.shape(values)[-1:] == (len(steps),):
                file[name].dims[np.ndim(values) - 1].attach_scale(file["step"])
    return path


def compared(tmp_path, old, new, **how):
    """Name -> Difference of two files with these variables."""
    before = write(tmp_path / "old.h5", old, **how.get("before", {}))
    after = write(tmp_path / "new.h5", new, **how.get("after", {}))
    return {one.name: one for one in compare(before, after)}


def test_equal_files_differ_in_nothing(tmp_path):
    values = {"test_loss": np.array([[0.5, np.nan]]), "width": np.array([3])}
    found = compared(tmp_path, values, values)
    assert set(found) == {"step", "test_loss", "width"}
    assert not any(one.differ or one.unlike for one in found.values())


def test_the_last_bit_counts_and_so_does_the_sign_of_zero(tmp_path):
    old, new = np.array([[1.0, 0.0]]), np.array([[np.nextafter(1, 2), -0.0]])
    found = compared(tmp_path, {"test_loss": old}, {"test_loss": new})["test_loss"]
    assert (found.values, found.differ) == (2, 2)
    assert found.largest == pytest.approx(2.2e-16, rel=0.01)


def test_a_number_that_is_missing_in_one_differs(tmp_path):
    found = compared(
        tmp_path, {"test_loss": np.array([[0.5, 1]])}, {"test_loss": np.array([[0.5, np.nan]])}
    )
    assert (found["test_loss"].differ, found["test_loss"].largest) == (1, np.inf)


def test_times_may_differ(tmp_path):
    assert "wall_time" not in compared(
        tmp_path, {"wall_time": np.array([[1.0, 2]])}, {"wall_time": np.array([[3.0, 4]])}
    )


def test_records_are_matched_by_their_steps(tmp_path):
    """A newer file may have a record at step 0 and new columns; a count of records follows."""
    old = {"test_loss": np.array([[0.5, 0.25]]), "records_done": np.array([2])}
    new = {
        "test_loss": np.array([[np.nan, 0.5, 0.25]]),
        "records_done": np.array([3]),
        "widths": np.array([b"3-4"]),
    }
    found = compared(tmp_path, old, new, after={"steps": (0, 100, 200)})
    assert not any(one.differ for one in found.values())
    new["records_done"] = np.array([2])
    assert compared(tmp_path, old, new, after={"steps": (0, 100, 200)})["records_done"].differ == 1


def test_a_record_that_is_gone_differs(tmp_path):
    found = compared(
        tmp_path,
        {"test_loss": np.array([[0.5, 0.25]])},
        {"test_loss": np.array([[0.25]])},
        after={"steps": (200,)},
    )
    assert found["test_loss"].unlike
    assert found["step"].unlike


def test_another_type_differs(tmp_path):
    found = compared(tmp_path, {"x": np.zeros(3, np.float32)}, {"x": np.zeros(3)})
    assert found["x"].differ == 3


def test_a_variable_may_go_from_a_study_only(tmp_path):
    old = {"area": np.ones(5)}
    assert compared(tmp_path, old, {})["area"].unlike == MISSING
    study = {"file_format": "fracsim-study"}
    gone = compared(tmp_path, old, {}, before=study, after=study)["area"]
    assert (gone.unlike, gone.differ) == (MAY_GO, 0)


def test_texts_are_compared(tmp_path):
    found = compared(tmp_path, {"loss": np.array([b"hinge"])}, {"loss": np.array([b"squared"])})
    assert found["loss"].differ == 1


def test_a_padded_network_equals_the_same_without_its_zero_units(tmp_path):
    """Layers 2 -> 1 -> 3 -> 1, once stored as 2 -> 3 -> 3 -> 1."""
    rng = np.random.default_rng(0)
    layers = [rng.random((a + 1, b)) for a, b in ((2, 1), (1, 3), (3, 1))]
    padded = []
    for layer, (a, b) in zip(layers, ((2, 3), (3, 3), (3, 1)), strict=True):
        full = np.zeros((a + 1, b))
        full[: len(layer) - 1, : layer.shape[1]] = layer[:-1]
        full[-1, : layer.shape[1]] = layer[-1]
        padded.append(full.ravel())
    old = {"params": np.concatenate(padded)}
    new = {"params": np.concatenate([layer.ravel() for layer in layers])}
    study = {"file_format": "fracsim-study", "layer_sizes": "2 -> 1 -> 3 -> 1"}
    found = compared(tmp_path, old, new, before=study, after=study)["params"]
    assert (found.unlike, found.differ) == ("", 0)
    new["params"][4] += 1e-9
    assert compared(tmp_path, old, new, before=study, after=study)["params"].differ == 1


def test_runs_can_be_left_out_by_their_numbers(tmp_path):
    paths = [tmp_path / "old.h5", tmp_path / "new.h5"]
    for path, changed in zip(paths, (0.5, 0.25), strict=True):
        with h5py.File(path, "w") as file:
            file.attrs["format"] = "fracsim-trajectory"
            file["run"] = np.array([3, 7])
            file["run"].make_scale("run")
            file["width"], file["records_done"] = np.array([10, 20]), np.array([1, 1])
            file["step"] = np.array([100])
            file["step"].make_scale("step")
            file["test_loss"] = np.array([[1.0], [changed]])
            for name in ("width", "test_loss", "records_done"):
                file[name].dims[0].attach_scale(file["run"])
            file["test_loss"].dims[1].attach_scale(file["step"])
    assert sum(one.differ for one in compare(*paths)) == 1
    assert sum(one.differ for one in compare(*paths, {7})) == 0
    assert sum(one.values for one in compare(*paths, {7})) == 5
    assert sum(one.differ for one in compare(*paths, {3})) == 1


@pytest.mark.compiled
@pytest.mark.parametrize("data", ["dataset", "stream"])
def test_runs_whose_points_are_drawn_again_are_found(tmp_path, data):
    grid = Grid({"fractal": "cantor1d", "width": 3, "network_depth": 1, "data": data})
    for key in ("train_points", "steps", "record_every"):
        grid.fix(key, 2000)
    grid.fix("test_points", 10)
    grid.cross("fractal_depth", [2, 10])
    grid.cross("precision", ["float32", "float64"])
    run_sweep(make_experiment(grid), tmp_path / "new.h5")
    assert set(moved_points(tmp_path / "new.h5")) == {2}
