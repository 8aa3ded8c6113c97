"""Sweeps: the same numbers whatever the schedule, the output rule, stopping in good order, and the
plan."""

import os
import signal
import threading
import time

import numpy as np
import pytest
import small_experiments
from places import TOP
from small_experiments import NUMBERS, same_numbers, small

import fracsim.sweeps.estimate
import fracsim.training.points
import fracsim.training.trainer
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory
from fracsim.errors import RunError, UsageError
from fracsim.experiments.experiment import make_experiment
from fracsim.experiments.grid import Grid
from fracsim.sweeps.sweep import choose_threads, run_sweep
from fracsim.training.run import cost


@pytest.fixture(scope="module")
def mixed():
    return small_experiments.mixed()


@pytest.fixture(scope="module")
def straight(mixed, tmp_path_factory):
    path = tmp_path_factory.mktemp("straight") / "mixed.h5"
    assert run_sweep(mixed, path, threads=1).status == "complete"
    return open_trajectory(path)


def test_a_product_holds_every_record_of_every_run(mixed, straight):
    runs = mixed.runs
    assert straight.status == "complete"
    assert set(straight.run_status) == {"complete"}
    assert straight.steps.tolist() == [0, 10, 20, 30, 40]
    for key in ("network_depth", "width", "seed", "learning_rate", "gap", "fractal"):
        assert list(straight.runs[key]) == [getattr(run, key) for run in runs]
    for name in ("test_loss", "test_accuracy", "wall_time"):
        assert np.isfinite(straight.variable(name)).all(), name
    for name in ("train_loss", "train_accuracy"):  # nothing was trained on before step 0
        assert np.isnan(straight.variable(name)[:, 0]).all()
        assert np.isfinite(straight.variable(name)[:, 1:]).all(), name
    for run, norms in zip(runs, straight.variable("gradient_norm"), strict=True):
        assert np.isfinite(norms[:, : run.network_depth + 1]).all()
        assert np.isnan(norms[:, run.network_depth + 1 :]).all()
    assert straight.attributes["threads"] == 1
    assert straight.attributes["backend"] == "cpu"
    assert straight.attributes["experiment_hash"] == mixed.hash()


def test_threads_and_order_change_nothing(mixed, straight, tmp_path, monkeypatch):
    run_sweep(mixed, tmp_path / "two.h5", threads=2)
    same_numbers(straight, open_trajectory(tmp_path / "two.h5"))
    monkeypatch.setattr(
        "fracsim.experiments.shard.cost", lambda run, parameters: -cost(run, parameters)
    )
    run_sweep(mixed, tmp_path / "reversed.h5", threads=3)
    same_numbers(straight, open_trajectory(tmp_path / "reversed.h5"))


def test_a_run_is_the_same_alone(mixed, straight, tmp_path):
    i = 9
    settings = {key: value for key, value in mixed.runs[i].settings().items() if value is not None}
    run_sweep(make_experiment(Grid(fixed=settings)), tmp_path / "alone.h5")
    alone = open_trajectory(tmp_path / "alone.h5")
    for name in NUMBERS:
        expected = straight.variable(name)[i]
        got = alone.variable(name)[0]
        np.testing.assert_array_equal(
            got, expected[..., : got.shape[-1]] if got.ndim == 2 else expected
        )


def test_runs_that_share_a_data_set_draw_it_once(mixed, tmp_path, monkeypatch):
    drawn = []
    make_data = fracsim.training.points.make_data
    monkeypatch.setattr(
        fracsim.training.points,
        "make_data",
        lambda run, b: drawn.append(run.seed) or make_data(run, b),
    )
    run_sweep(mixed, tmp_path / "a.h5", threads=2)
    assert sorted(drawn) == [0, 7]


def test_a_complete_product_is_left_as_it_is(tmp_path):
    path = tmp_path / "a.h5"
    run_sweep(small(), path)
    before, changed = path.read_bytes(), path.stat().st_mtime_ns
    summary = run_sweep(small(), path)
    assert summary.already_complete
    assert summary.status == "complete"
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, changed)
    assert not run_sweep(small(), path, overwrite=True).already_complete


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"width": 6}, "width is 5 there and 6 here"),
        ({"crossed": {"seed": (0, 1)}}, "seed is 0 there and 0, 1 here"),
        ({"weights": "final"}, "weights is none there and final here"),
        ({"bias": 0.5}, "bias is not set there and 0.5 here"),
    ],
)
def test_another_experiments_product_is_not_touched(tmp_path, other, says):
    path = tmp_path / "a.h5"
    run_sweep(small(), path)
    before = path.read_bytes()
    with pytest.raises(RunError, match=f"holds another experiment: {says}; .*--overwrite"):
        run_sweep(small(**other), path)
    assert path.read_bytes() == before
    assert run_sweep(small(**other), path, overwrite=True).status == "complete"


@pytest.mark.parametrize("content", [b"", b"my thesis", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_file_that_is_not_ours_is_not_touched(tmp_path, content):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(FileError, match="the output exists and cannot be continued"):
        run_sweep(small(), path)
    assert path.read_bytes() == content


def test_the_folder_is_checked_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("fracsim.training.trainer.train_slices", None)
    with pytest.raises(RunError, match="folder of the output does not exist"):
        run_sweep(small(), tmp_path / "none" / "a.h5")
    with pytest.raises(RunError, match="is a folder"):
        run_sweep(small(), tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # also where the tests run as root
    with pytest.raises(RunError, match="not writable"):
        run_sweep(small(), tmp_path / "a.h5")


def test_too_little_disk_or_memory_is_said_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("fracsim.training.trainer.train_slices", None)
    monkeypatch.setattr(fracsim.sweeps.estimate, "free_memory", lambda: 1e6)
    with pytest.raises(RunError, match=r"the training needs .* of memory and 1 MB are free"):
        run_sweep(small(), tmp_path / "a.h5")
    monkeypatch.setattr(
        fracsim.sweeps.estimate.shutil,
        "disk_usage",
        lambda folder: type("Usage", (), {"free": 1000}),
    )
    sentence = r"the trajectory file needs .* of disk and .* has 1 kB free"
    with pytest.raises(RunError, match=sentence):
        run_sweep(small(), tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_the_records_and_the_next_time_completes(mixed, straight, tmp_path):
    path = tmp_path / "a.h5"

    sent = []

    def interrupt_half_way(progress):
        if progress.share > 0.4 and not sent:
            sent.append(progress)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    summary = run_sweep(mixed, path, threads=1, progress=interrupt_half_way)
    assert summary.status == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before
    stopped = open_trajectory(path)
    assert stopped.status == "interrupted"
    assert 0 < stopped.records_done.sum() < straight.records_done.sum()
    for i, done in enumerate(stopped.records_done):
        for name in NUMBERS:
            np.testing.assert_array_equal(
                stopped.variable(name)[i, :done], straight.variable(name)[i, :done]
            )
    assert run_sweep(mixed, path, threads=2).status == "complete"
    same_numbers(straight, open_trajectory(path))


def test_a_sweep_may_run_outside_the_main_thread(tmp_path):
    found = []
    thread = threading.Thread(
        target=lambda: found.append(run_sweep(small(), tmp_path / "a.h5").status)
    )
    thread.start()
    thread.join()
    assert found == ["complete"]


def test_an_error_in_one_run_stops_the_sweep_and_keeps_what_there_is(tmp_path, monkeypatch):
    train_slices = fracsim.training.trainer.train_slices

    def failing(runs, *args, **keywords):
        if runs[0].seed == 2:
            raise ZeroDivisionError("oh dear")
        return train_slices(runs, *args, **keywords)

    monkeypatch.setattr(fracsim.training.trainer, "train_slices", failing)
    with pytest.raises(RunError, match="run 1 failed: ZeroDivisionError: oh dear"):
        run_sweep(small(crossed={"seed": (1, 2, 3)}), tmp_path / "a.h5", threads=1)
    product = open_trajectory(tmp_path / "a.h5")
    assert product.status == "interrupted"
    assert product.records_done[:2].tolist() == [5, 0]
    assert product.run_status[1:] != ("complete", "complete")


def test_a_failing_disk_ends_the_sweep_with_its_reason(tmp_path, monkeypatch):
    def full(self, *args):
        raise FileError("cannot write: the disk is full")

    monkeypatch.setattr("fracsim.data.writer.TrajectoryWriter.write_record", full)
    with pytest.raises(FileError, match="the disk is full"):
        run_sweep(small(), tmp_path / "a.h5")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fracsim")]


def test_a_run_that_diverges_is_marked_and_the_others_go_on(tmp_path):
    experiment = small(
        loss="squared", optimizer="sgd", crossed={"learning_rate": (0.01, 1000.0)}, weights="final"
    )
    summary = run_sweep(experiment, tmp_path / "a.h5")
    assert summary.status == "complete"
    assert summary.run_status == ["complete", "diverged"]
    product = open_trajectory(tmp_path / "a.h5")
    assert product.run_status == ("complete", "diverged")
    assert product.weights(0)[0] == (2, 1, 5)
    with pytest.raises(FileError):
        product.weights(1)


def test_weights_of_every_record_end_with_the_final_ones(tmp_path):
    crossed = {"network_depth": (1, 2), "seed": (0, 1)}
    run_sweep(small("final", crossed), tmp_path / "final.h5")
    run_sweep(small("records", crossed), tmp_path / "records.h5")
    final, records = (
        open_trajectory(tmp_path / "final.h5"),
        open_trajectory(tmp_path / "records.h5"),
    )
    for run in range(4):
        assert records.weight_steps(run).tolist() == [0, 10, 20, 30, 40]
        assert final.weights(run)[0] == records.weights(run)[0]
        np.testing.assert_array_equal(final.weights(run)[1], records.weights(run)[1])
        assert not np.array_equal(records.weights(run, 0)[1], records.weights(run, 1)[1])


def test_progress_only_rises_and_reaches_the_end(mixed, tmp_path):
    seen = []
    run_sweep(mixed, tmp_path / "a.h5", threads=2, progress=seen.append)
    assert [p.share for p in seen] == sorted(p.share for p in seen)
    last = seen[-1]
    assert (last.steps, last.total_steps, last.runs, last.total_runs) == (480, 480, 12, 12)
    assert last.share == pytest.approx(1.0)


def test_threads_are_chosen_with_a_reason():
    assert choose_threads(None, 1) == (1, "a single run uses one thread")
    assert choose_threads(8, 1)[0] == 1
    assert choose_threads(3, 100) == (3, "as asked")
    count, reason = choose_threads(None, 10**6)
    assert count >= 1
    assert reason
    assert choose_threads(4, 2)[0] == 2
    for absurd in (0, -1, 10**6):
        with pytest.raises(UsageError, match="--threads"):
            choose_threads(absurd, 5)


def test_a_killed_sweep_is_started_again(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "a.h5"
    code = f"""
import sys
sys.path.insert(0, "tests/support")
from small_experiments import small
from fracsim.sweeps.sweep import run_sweep
experiment = small(steps=10**9, record_every=10**7)
run_sweep(experiment, {str(path)!r}, progress=lambda p: p.steps and print("going", flush=True))
"""
    top = TOP
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=top)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"going"
    process.kill()
    process.wait()
    process.stdout.close()
    time.sleep(0.1)
    assert open_trajectory(path).status == "running"
    with pytest.raises(RunError, match="another experiment"):
        run_sweep(small(), path)
    assert run_sweep(small(), path, overwrite=True).status == "complete"


def test_xarray_opens_a_product(tmp_path):
    xarray = pytest.importorskip("xarray")
    run_sweep(small(crossed={"seed": (0, 1)}), tmp_path / "a.h5")
    with xarray.open_dataset(tmp_path / "a.h5") as product:
        assert product.test_accuracy.dims == ("run", "step")
        assert product.seed.values.tolist() == [0, 1]
