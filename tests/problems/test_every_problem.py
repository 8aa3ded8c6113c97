"""What a training promises holds on every problem: the same bits however a sweep is stopped, cut
and spread, and the same numbers on a card."""

import signal

import numpy as np
import pytest
from command_line import fracsim
from every_problem import CASES, experiment_on
from small_blocks import shrink
from small_experiments import same_numbers
from stops import StopAt

from fracsim.data.check import read_whole
from fracsim.data.reader import open_trajectory
from fracsim.errors import UsageError
from fracsim.problems.registry import PROBLEMS
from fracsim.sweeps.sweep import run_sweep

every_problem = pytest.mark.parametrize("case", CASES)

ON_A_CARD = {"fractal": "classes", "radial": "real labels", "teacher": "both", "images": "refused"}
"""Case -> what only it shows of a card by default; the others bring other points alone."""


def same(one, other):
    """Records and weights, bit for bit."""
    one, other = open_trajectory(one), open_trajectory(other)
    same_numbers(one, other)
    for row in range(len(one.records_done)):
        np.testing.assert_array_equal(one.weights(row)[1], other.weights(row)[1])


def test_every_problem_is_tried():
    assert {case.split()[0] for case in CASES} == PROBLEMS.keys()


@every_problem
def test_stop_and_go_on(case, tmp_path, short_slices):
    experiment = experiment_on(case, tmp_path, "records")
    run_sweep(experiment, tmp_path / "straight.h5", threads=1)
    for share, threads in ((0.3, 1), (0.7, 2)):
        summary = run_sweep(
            experiment, tmp_path / "a.h5", threads=threads, progress=StopAt(share, signal.SIGTERM)
        )
        assert summary.status == "interrupted"
        read_whole(tmp_path / "a.h5")
    assert run_sweep(experiment, tmp_path / "a.h5").status == "complete"
    same(tmp_path / "straight.h5", tmp_path / "a.h5")


@every_problem
def test_shards_make_the_file_of_the_whole(case, tmp_path):
    experiment = experiment_on(case, tmp_path)
    run_sweep(experiment, tmp_path / "whole.h5")
    shards = [tmp_path / f"s{i}.h5" for i in range(3)]
    for i, shard in enumerate(shards):
        run_sweep(experiment, shard, shard=f"{i}/3")
    merged = fracsim("merge", *shards, "-o", tmp_path / "merged.h5")
    assert merged.code == 0, merged.err
    same(tmp_path / "whole.h5", tmp_path / "merged.h5")
    assert fracsim("check", tmp_path / "merged.h5", *shards).code == 0


@every_problem
def test_processes_make_the_same_bits(case, tmp_path):
    experiment = experiment_on(case, tmp_path)
    run_sweep(experiment, tmp_path / "a.h5")
    run_sweep(experiment, tmp_path / "b.h5", executor="processes", threads=1)
    same(tmp_path / "a.h5", tmp_path / "b.h5")


@pytest.mark.parametrize(
    "case",
    [case if case in ON_A_CARD else pytest.param(case, marks=pytest.mark.slow) for case in CASES],
)
def test_a_card_measures_the_same(case, tmp_path, monkeypatch):
    """In a simulator: to the last digits of float32."""
    shrink(monkeypatch)
    few = {"train_points": 20, "test_points": 8, "batch_size": 4, "network_depth": 1}
    alone = {"transfer": "fresh"} if case.startswith("teacher") else {}
    experiment = experiment_on(case, tmp_path).changed(
        {"steps": 2, "record_every": 1, "seed": 7, **few, **alone}, "none"
    )
    run_sweep(experiment, tmp_path / "a.h5")
    if case == "images":
        with pytest.raises(UsageError, match="several outputs"):
            run_sweep(experiment, tmp_path / "b.h5", backend="cuda")
        return
    run_sweep(experiment, tmp_path / "b.h5", backend="cuda")
    one, other = open_trajectory(tmp_path / "a.h5"), open_trajectory(tmp_path / "b.h5")
    assert other.attributes["backend"] == "cuda"
    for name in {*one.records} - {"wall_time"}:
        np.testing.assert_allclose(
            one.variable(name), other.variable(name), rtol=2e-4, atol=1e-6, err_msg=name
        )
