"""What a sweep will take: parameters, work, memory, disk and measured time."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from images import small_images, write_npz
from learnt import radial
from places import TOP
from small_experiments import mixed, small

from fracsim.errors import RunError
from fracsim.machine.memory import free_memory
from fracsim.sweeps.estimate import check_room, estimate, measure
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.run import Run, cost, parameters_of


def test_the_plan_counts_parameters_and_work():
    expected = estimate(mixed(), 2)
    assert (expected.runs, expected.steps, expected.records, expected.data_sets) == (12, 480, 60, 2)
    assert {(s.network_depth, s.width, s.parameters) for s in expected.shapes} == {
        (0, 3, 3),
        (1, 3, 13),
        (1, 20, 81),
        (2, 3, 25),
        (2, 20, 501),
    }
    assert expected.seconds is None
    assert estimate(mixed(), 12).memory > expected.memory


@pytest.mark.parametrize("weights", ["none", "final", "records"])
def test_the_disk_of_a_plan_is_enough(weights, tmp_path):
    experiment = small(weights, {"width": (50, 100)}, network_depth=3)
    sizes = []

    def look(progress):
        sizes.append(sum(entry.stat().st_size for entry in tmp_path.iterdir()))

    path = tmp_path / "a.h5"
    run_sweep(experiment, path, progress=look)
    assert max(sizes) + path.stat().st_size <= estimate(experiment, 1).disk


def test_the_disk_of_a_plan_holds_the_checkpoints_of_what_runs_at_once(tmp_path):
    wide = {"width": (400, 401), "seed": (0, 1)}
    experiment = small(crossed=wide, network_depth=3, steps=20_000, record_every=100)
    path, room = tmp_path / "a.h5", estimate(experiment, 2).disk
    two_runs = 2 * 12 * parameters_of(experiment.runs[0])
    sizes, largest = [0], []

    def look(progress):
        """Until the checkpoint and the one before it hold two runs each."""
        found = {entry.name: entry.stat().st_size for entry in tmp_path.iterdir()}
        sizes.append(sum(found.values()))
        kept = [size for name, size in found.items() if "checkpoint" in name]
        if not largest and len(kept) == 2 and min(kept) > two_runs:
            largest.append(max(kept))
            signal.raise_signal(signal.SIGTERM)

    summary = run_sweep(experiment, path, threads=2, progress=look, checkpoint_every=0.0)
    assert summary.status == "interrupted"
    assert max(sizes) + largest[0] <= room < 4 * largest[0] + 1e6


def test_longer_wider_and_deeper_runs_cost_more():
    base = Run()
    costs = [
        cost(run, parameters_of(run))
        for run in (
            base,
            Run(width=200),
            Run(network_depth=6),
            Run(steps=2_000_000),
            Run(batch_size=200),
        )
    ]
    assert all(other > costs[0] for other in costs[1:])


@pytest.mark.compiled
def test_a_measured_plan_has_times():
    from fracsim.kernels.backend import get_backend

    experiment = small(crossed={"width": (3, 400)}, network_depth=3)
    measured = measure(experiment, estimate(experiment, 1), get_backend("cpu"))
    slow, fast = measured.shapes[1].step_seconds, measured.shapes[0].step_seconds
    assert 0 < fast < slow < 0.1
    assert measured.seconds == pytest.approx(40 * (slow + fast))


def test_a_measured_plan_draws_points_once_for_shapes_that_share_them(monkeypatch):
    from fracsim.kernels.backend import get_backend
    from fracsim.training import points

    drawn, make = [], points.make_data
    monkeypatch.setattr(points, "make_data", lambda run, on: drawn.append(run) or make(run, on))
    experiment = radial("none", {"dimension": (2, 3), "width": (3, 4)})
    expected = estimate(experiment, 1)
    assert len(measure(experiment, expected, get_backend("cpu")).shapes) == 4
    assert [run.dimension for run in drawn] == [2, 3]


def test_free_memory_is_plausible():
    memory = free_memory()
    assert memory is None or 1e6 < memory < 1e15
    check_room(estimate(small(), 1), Path())


def test_a_plan_that_no_machine_holds_is_refused(tmp_path):
    huge = small(train_points=4 * 10**9, crossed={"seed": tuple(range(1000))})
    with pytest.raises(RunError, match="of memory"):
        run_sweep(huge, tmp_path / "a.h5")
    wide = small(width=100_000, network_depth=1000, weights="records")
    with pytest.raises(RunError, match="of disk"):
        run_sweep(wide, tmp_path / "a.h5")


PEAK = """
import json, sys
from pathlib import Path
from images import images
from fracsim.sweeps.estimate import estimate
from fracsim.sweeps.sweep import run_sweep

def held(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

def trained(width, name):
    experiment = images("images.npz", network="cnn", network_depth=2, steps=2, record_every=2,
                        batch_size=128, width=width, precision=sys.argv[1])
    run_sweep(experiment, name, threads=1)
    return experiment

trained(4, "small.h5")  # loads and compiles what is needed
Path("/proc/self/clear_refs").write_text("5")
before = held("VmRSS")
expected = estimate(trained(64, "wide.h5"), 1).memory
print(json.dumps([held("VmHWM") - before, expected - 200e6]))
"""
"""Bytes that the training of convolutions takes at most, and those that an estimate tells of it
beside interpreter and libraries."""


@pytest.mark.compiled
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is Linux's to tell")
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_convolutions_keep_the_memory_that_they_were_said_to_take(precision, tmp_path):
    train, test = small_images(256, 24, 3), small_images(64, 24, 3)
    write_npz(tmp_path / "images.npz", train, test)
    path = os.pathsep.join(str(TOP / part) for part in (".", "tests/support"))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, precision],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    taken, told = json.loads(done.stdout.splitlines()[-1])
    assert told / 4 < taken <= told
