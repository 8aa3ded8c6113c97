"""Trajectories written and read back, also while they are written; what cannot be written is
told."""

import os
import time

import numpy as np
import pytest
import trajectory_files as files

from fracsim.data import schema
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory, sniff
from fracsim.data.schema import RECORDS
from fracsim.data.writer import TrajectoryWriter


def test_complete_file_gives_everything_back(tmp_path):
    path = files.finished(tmp_path / "run.h5")
    trajectory = open_trajectory(path)
    assert (trajectory.status, trajectory.note, trajectory.path) == ("complete", "", str(path))
    assert trajectory.run_status == ("complete",) * 3
    assert trajectory.steps.tolist() == files.STEPS
    assert trajectory.experiment == {"name": "für Tests"}
    assert trajectory.attributes["threads"] == 2
    assert trajectory.attributes["ratio"] == 0.5
    assert trajectory.attributes["job_id"] == ""
    files.assert_records(trajectory, [4, 4, 4])
    assert list(trajectory.runs) == sorted(files.RUNS)
    for name in ("fractal", "curve", "width", "learning_rate", "seed"):
        assert trajectory.runs[name].tolist() == files.RUNS[name]
    assert trajectory.runs["gap"].tolist() == ["", "", ""]
    assert np.array_equal(trajectory.runs["bias"], [np.nan, 0.25, np.nan], equal_nan=True)
    assert os.listdir(tmp_path) == ["run.h5"]


def test_weights_come_back_with_their_shape(tmp_path):
    trajectory = open_trajectory(files.finished(tmp_path / "run.h5"))
    for run in range(3):
        assert trajectory.weight_steps(run).tolist() == [20, 40]
        for snapshot in (0, 1, -1):
            shape, params = trajectory.weights(run, snapshot)
            assert shape == (2, files.RUNS["network_depth"][run], 3)
            assert params.dtype == np.float32
            np.testing.assert_array_equal(params, files.params(run, snapshot % 2))
    with pytest.raises(
        FileError, match=r"holds no snapshot 2 of the weights \(2 stored\) of run 1"
    ):
        trajectory.weights(1, 2)
    with pytest.raises(ValueError, match="run 3 is not in"):
        trajectory.weights(3)


def test_weights_that_are_not_there(tmp_path):
    with pytest.raises(FileError, match="holds no weights of run 0"):
        open_trajectory(files.unfinished(tmp_path / "early.h5", records=1)).weights(0)
    none = open_trajectory(files.unfinished(tmp_path / "half.h5", records=2))
    assert none.weight_steps(2).tolist() == [20]
    np.testing.assert_array_equal(none.weights(2)[1], files.params(2, 0))
    with (
        files.create(tmp_path / "without.h5", weights=None),
        pytest.raises(FileError, match="no weights of run 2"),
    ):
        open_trajectory(tmp_path / "without.h5").weights(2)


def test_float64_weights_stay_float64(tmp_path):
    group = {"T0_k0_d2": files.WeightsGroup([0], [40], 3, dtype="float64")}
    with files.create(tmp_path / "run.h5", weights=group) as writer:
        writer.write_weights(0, 0, np.array([1 / 3, 2, 3]))
        writer.commit()
        shape, params = open_trajectory(tmp_path / "run.h5").weights(0)
    assert (shape, params.dtype, params[0]) == ((2, 0, 0), np.dtype("f8"), 1 / 3)


def test_running_file_is_read_while_the_writer_holds_it(tmp_path):
    with files.create(tmp_path / "run.h5") as writer:
        assert open_trajectory(tmp_path / "run.h5").note == "running, 0 of 12 records"
        files.fill(writer, 1)
        writer.write_record(2, 1, files.record(2, 1))
        assert (
            open_trajectory(tmp_path / "run.h5").note == "running, 3 of 12 records"
        )  # not yet committed
        writer.set_run_status(1, "diverged")
        writer.commit()
        trajectory = open_trajectory(tmp_path / "run.h5")
        assert (
            trajectory.note == "running, 4 of 9 records"
        )  # no more are expected of the diverged run
        assert trajectory.run_status == ("running", "diverged", "running")
        files.assert_records(trajectory, [1, 1, 2])
    assert sniff(tmp_path / "run.h5") == "trajectory"


def test_interrupted_file_keeps_its_records(tmp_path):
    with files.create(tmp_path / "run.h5") as writer:
        files.fill(writer, 2)
        writer.write_record(0, 2, files.record(0, 2))
        writer.finish("interrupted")
    trajectory = open_trajectory(tmp_path / "run.h5")
    assert (trajectory.status, trajectory.note) == ("interrupted", "interrupted, 7 of 12 records")
    files.assert_records(trajectory, [3, 2, 2])


def test_diverged_run_ends_early_in_a_complete_file(tmp_path):
    with files.create(tmp_path / "run.h5") as writer:
        files.fill(writer, 2)
        for run in (0, 1):
            for s in (2, 3):
                writer.write_record(run, s, files.record(run, s))
            writer.set_run_status(run, "complete")
        with pytest.raises(
            ValueError, match="not a complete file: run 2 is running with 2 of 4 records"
        ):
            writer.finish("complete")
        writer.set_run_status(2, "diverged")
        writer.finish("complete")
    trajectory = open_trajectory(tmp_path / "run.h5")
    assert trajectory.run_status == ("complete", "complete", "diverged")
    files.assert_records(trajectory, [4, 4, 2])


def test_equal_input_gives_equal_bytes(tmp_path):
    first = files.finished(tmp_path / "a.h5").read_bytes()
    time.sleep(1.1)  # HDF5's own time stamps have a resolution of a second
    assert files.finished(tmp_path / "b.h5").read_bytes() == first
    # Neither the number of commits nor the order of the runs leaves a trace.
    with files.create(tmp_path / "c.h5") as writer:
        for run in (2, 0, 1):
            for s in range(4):
                writer.write_record(run, s, files.record(run, s))
            for snapshot in (0, 1):
                writer.write_weights(run, snapshot, files.params(run, snapshot))
            writer.set_run_status(run, "complete")
        writer.finish("complete")
    assert (tmp_path / "c.h5").read_bytes() == first


def test_long_experiment_and_many_runs(tmp_path):
    """HDF5 keeps small attributes in a header of 64 KiB; a resolved experiment may be longer."""
    text = '{"x": "' + "0123456789" * 30_000 + '"}'
    runs = {"fractal": [f"f{i}" for i in range(2000)], "seed": list(range(2000))}
    with files.create(
        tmp_path / "run.h5", runs=runs, weights=None, attributes={"experiment": text}
    ) as writer:
        writer.finish("interrupted")
    trajectory = open_trajectory(tmp_path / "run.h5")
    assert trajectory.attributes["experiment"] == text
    assert trajectory.runs["fractal"].tolist() == runs["fractal"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"runs": {}}, "at least one run"),
        ({"steps": []}, "at least one run, one step"),
        ({"steps": [10, 10]}, "steps must increase"),
        ({"runs": {"seed": [1, 2], "width": [1]}}, "one value per run"),
        ({"runs": {"seed": [True, False]}}, "column 'seed': only text, int and float"),
        ({"runs": {"gap": ["centre", 1]}}, "column 'gap' must be text throughout"),
        ({"runs": {"curve": [1, 2]}}, "column 'curve' must be text throughout"),
        ({"runs": {"mine": ["a", 2]}}, "column 'mine' must be text throughout"),
        ({"runs": {"test_loss": [1]}, "weights": None}, "cannot be called test_loss"),
        ({"attributes": {"quick": True}}, "attribute 'quick' must be text, int or float, not bool"),
        ({"attributes": {"status": "complete"}}, "the writer itself sets status"),
        (
            {"weights": {"T1_k3_d2": files.WeightsGroup([0], [40], 14)}},
            "does not fit 14 parameters",
        ),
        (
            {"weights": {"T1_k3_d2": files.WeightsGroup([3], [40], 13)}},
            "needs snapshots and runs of this file",
        ),
    ],
)
def test_plans_that_cannot_be_stored(tmp_path, changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        files.create(tmp_path / "run.h5", **changed)
    assert os.listdir(tmp_path) == []


def test_misuse_of_the_writer_is_told(tmp_path):
    with files.create(tmp_path / "run.h5") as writer:
        with pytest.raises(ValueError, match="record 1 given, record 0 of 4 expected"):
            writer.write_record(0, 1, files.record(0, 1))
        with pytest.raises(
            ValueError, match="test_accuracy_by_level has 4 values, the file has room for 3"
        ):
            writer.write_record(0, 0, {**files.record(0, 0), "test_accuracy_by_level": np.zeros(4)})
        with pytest.raises(ValueError, match="snapshot 1 given, 0 expected"):
            writer.write_weights(0, 1, files.params(0, 1))
        with pytest.raises(ValueError, match="13 expected"):
            writer.write_weights(0, 0, np.zeros(12))
        with pytest.raises(ValueError, match="finished as complete or interrupted"):
            writer.finish("done")
    with pytest.raises(ValueError, match="is closed"):
        writer.commit()


def test_folders_that_take_no_file(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path, sentence in [
        (tmp_path / "missing" / "run.h5", "the folder does not exist"),
        (tmp_path / "file" / "run.h5", "a file, not a folder"),
        (tmp_path / "folder", "not a file"),
        (tmp_path / ("x" * 300), "name is too long"),
    ]:
        with pytest.raises(FileError, match=f"cannot write '.*': .*{sentence}"):
            files.create(path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_link_to_scratch_stays_a_link(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "run.h5").symlink_to(tmp_path / "scratch" / "real.h5")
    files.finished(tmp_path / "run.h5")
    assert (tmp_path / "run.h5").is_symlink()
    assert open_trajectory(tmp_path / "scratch" / "real.h5").status == "complete"


def test_a_thousand_runs_take_about_a_second(tmp_path):
    """1,000 runs × 100 records × 6 levels; in processor time, and loosely: test machines are
    busy."""
    runs = {"fractal": ["cantor"] * 1000, "seed": list(range(1000))}
    values = {v.name: 0.5 for v in RECORDS[:5]} | {
        v.name: np.linspace(0, 1, 6) for v in RECORDS[5:]
    }
    start = time.process_time()
    with TrajectoryWriter.create(
        tmp_path / "run.h5", runs=runs, steps=range(100), levels=6, layers=6, attributes={}
    ) as writer:
        for run in range(1000):
            for s in range(100):
                writer.write_record(run, s, values)
            writer.set_run_status(run, "complete")
            if run % 10 == 9:
                writer.commit()
        writer.finish("complete")
    written = time.process_time() - start
    trajectory = open_trajectory(tmp_path / "run.h5")
    read = time.process_time() - start - written
    assert trajectory.variable("test_accuracy_by_level").shape == (1000, 100, 6)
    assert written < 3
    assert read < 1


def test_names_of_weights_groups():
    for sizes in ((2, 5, 100), (1, 0, 7), (3, 2, "9-4"), (2, 3, "100-20-100")):
        assert schema.weights_shape(schema.weights_name(*sizes)) == (*sizes, 1, None)
    for sizes in ((784, 2, 100, 10, None), (784, 2, "9-4", 10, (28, 28, 1)), (9, 0, 1, 2, None)):
        assert schema.weights_shape(schema.weights_name(*sizes)) == sizes
    assert schema.weights_name(784, 2, 16, 10, (28, 28, 1)) == "T2_k16_i28x28x1_o10"
    assert schema.parameter_count(3, 2, "9-4") == 4 * 9 + 10 * 4 + 5
    assert schema.parameter_count(2, 3, "9-9-9") == schema.parameter_count(2, 3, 9)
    for name in (
        "T2_k5-5_d2",
        "T3_k9-4_d2",
        "T2_k9-0_d2",
        "T2_k0_d2",
        "T1_k5-_d2",
        "T9999999_k1_d1",
        "T2_k5_d2_o1",
        "T2_k5_i2x2_o3",
    ):
        assert schema.weights_shape(name) is None, name
