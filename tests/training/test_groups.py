"""Groups of runs trained side by side: the numbers of single runs, whatever the groups and the
memory."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from command_line import fracsim
from fake_device import Device
from small_experiments import same_numbers, small
from stops import StopAt

from fracsim.data.reader import open_trajectory
from fracsim.errors import RunError, UsageError
from fracsim.kernels.errors import BackendError
from fracsim.sweeps import worker as workers
from fracsim.sweeps.executors import choose_threads
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.groups import Groups

MIXED = small(
    "records",
    {"learning_rate": (0.01, 1000.0, 0.02), "seed": (0, 7), "curve": ("1", "4")},
    loss="squared",
    optimizer="sgd",
    network_depth=2,
)
"""One group: four data sets, and four runs that diverge."""


@pytest.fixture
def device(monkeypatch):
    """A backend cuda, which the CPU plays."""
    found = Device()
    from fracsim.kernels import backend

    get_backend = backend.get_backend
    monkeypatch.setattr(
        backend, "get_backend", lambda name="auto": found if name == "cuda" else get_backend(name)
    )
    workers._backend.cache_clear()
    yield found
    workers._backend.cache_clear()


def same(one, other):
    """Whether two products, by their paths, hold the same but for times."""
    first, second = open_trajectory(one), open_trajectory(other)
    assert first.run_status == second.run_status
    assert first.status == second.status == "complete"
    same_numbers(first, second)
    for run, status in enumerate(first.run_status):
        for snapshot in range(len(first.weight_steps(run)) if status == "complete" else 0):
            assert (first.weights(run, snapshot)[1] == second.weights(run, snapshot)[1]).all()


def test_runs_side_by_side_have_the_numbers_of_single_ones(tmp_path, device):
    run_sweep(MIXED, tmp_path / "a.h5")
    said: list[str] = []
    summary = run_sweep(MIXED, tmp_path / "b.h5", backend="cuda", announce=said.append)
    assert device.launches[0] == 12
    assert said == [
        "12 runs in one launch on 1 thread (one for each launch, a group of equal networks); "
        "cuda: a fake device"
    ]
    assert summary.run_status.count("diverged") == 4
    same(tmp_path / "a.h5", tmp_path / "b.h5")
    assert sum(summary.run_seconds) <= summary.seconds


def test_stop_and_go_on_in_other_groups_and_without(tmp_path, device, short_slices):
    experiment = small(
        "final",
        {"optimizer": ("sgd", "adam"), "data": ("dataset", "stream"), "seed": (0, 1, 2, 3, 4)},
        steps=60,
        record_every=12,
    )
    run_sweep(experiment, tmp_path / "a.h5")
    path, sizes = tmp_path / "b.h5", []
    for share, most, backend in (
        (0.2, 5, "cuda"),
        (0.4, 2, "cuda"),
        (0.6, 1, "cpu"),
        (0.8, 3, "cuda"),
        (1, 5, "cuda"),
    ):
        device.each = device.free * 0.8 / 2 / (most + 0.5)
        device.launches.clear()
        said: list[str] = []
        run_sweep(
            experiment,
            path,
            backend=backend,
            threads=2,
            progress=StopAt(share) if share < 1 else None,
            announce=said.append,
        )
        sizes.append(max(device.launches, default=0))
    assert sizes[:4] == [5, 2, 0, 3]
    assert open_trajectory(path).attributes["continued"] == 4
    same(tmp_path / "a.h5", path)


def test_runs_that_stopped_at_different_steps_go_on_at_once(tmp_path, device, short_slices):
    experiment, path = small(crossed={"seed": (0, 1, 2)}), tmp_path / "a.h5"
    run_sweep(experiment, path, threads=1, progress=StopAt(0.1))
    said: list[str] = []
    device.why = "there is a card"
    assert run_sweep(experiment, path, backend="cuda", announce=said.append).threads == 3
    assert sorted(set(device.launches)) == [1, 2]
    assert said[-1].endswith("; cuda (auto: there is a card): a fake device")


def test_a_device_that_breaks_ends_the_sweep_in_a_sentence(tmp_path, device, monkeypatch):
    def broken(*_):
        raise BackendError("the card does not answer")

    monkeypatch.setattr(device, "evaluate", broken)
    with pytest.raises(RunError, match=r"^run 0 and 2 beside it failed: the card does not answer$"):
        run_sweep(small(crossed={"seed": (0, 1, 2)}), tmp_path / "a.h5", backend="cuda")


def test_the_other_backend_goes_on_and_it_is_said(tmp_path, device, short_slices):
    experiment, path = small(crossed={"seed": (0, 1)}), tmp_path / "a.h5"
    for there, here in (("cpu", "cuda"), ("cuda", "cpu")):
        run_sweep(experiment, path, backend=there, progress=StopAt(0.5), overwrite=True)
        said: list[str] = []
        run_sweep(experiment, path, backend=here, announce=said.append)
        assert (
            f"not bit-identical to a run without a stop: backend {there} there and {here} here"
            in said
        )
        assert (
            open_trajectory(path).attributes["bit_identical"]
            == f"no: backend {there} there and {here} here"
        )


def test_groups_have_what_a_launch_must_have_in_common(device):
    def groups(**crossed):
        runs = small(crossed=crossed).runs
        return len(Groups(runs, device).of(range(len(runs)), [0] * len(runs)))

    together = {
        "seed": (0, 1),
        "learning_rate": (0.1, 0.2),
        "curve": ("1", "4"),
        "fractal": ("cantor", "vicsek"),
        "initialisation": ("paper", "he"),
        "positive_margin": (0.0, 0.1),
    }
    assert groups(**together) == 1
    assert groups(data=("stream",), seed=(0, 1), learning_rate=(0.1, 0.2)) == 1
    for key, values in {
        "width": (3, 4),
        "network_depth": (1, 2),
        "batch_size": (10, 20),
        "loss": ("hinge", "squared"),
        "optimizer": ("sgd", "adam"),
        "fractal": ("cantor", "cantor1d"),
        "fractal_depth": (2, 3),
        "precision": ("float32", "float64"),
        "train_points": (100, 200),
        "test_points": (10, 20),
        "data": ("dataset", "stream"),
        "beta1": (0.8, 0.9),
    }.items():
        assert groups(**{key: values, "seed": (0, 1)}) == 2, key
    assert groups(data=("stream",), curve=("1", "4")) == 2
    widths = ("4-2", "2-4", "4-4", 4)  # the last two are one shape
    assert groups(network_depth=(2,), width=widths, seed=(0, 1)) == 3
    runs = small(crossed={"seed": (0, 1, 2, 3)}).runs
    groups = Groups(runs, device)
    assert groups.of([3, 1, 0, 2], [0, 5, 0, 5]) == [(3, 1), (0, 2)]
    assert Groups(runs, workers._backend("cpu")).of([3, 1, 0], [0] * 4) == [(3,), (1,), (0,)]


def test_groups_in_flight_share_the_memory(device):
    runs = small(crossed={"seed": tuple(range(10))}, train_points=20, test_points=10).runs
    device.each, device.free = (
        1e6 - (20 + 10) * 3 * 4 - 2 * 10,
        1e7,
    )  # of which 8 runs may fill 80 %
    groups = Groups(runs, device)
    formed = groups.of(range(10), [0] * 10)
    assert formed == [(0, 1, 2, 3), (4, 5, 6), (7, 8, 9)]
    assert groups.first(formed, 32) == formed[:2]
    assert groups.first(formed, 1) == formed[:1]
    assert not groups.fits(formed[2], formed[:2])
    groups.was_too_much(formed[:1])
    assert not groups.fits(formed[1], formed[2:])
    assert groups.fits(formed[0], [])
    assert choose_threads(None, 100, True)[0] == 32
    assert choose_threads(None, 3, True)[0] == 3
    assert choose_threads(2, 3, True) == (2, "as asked")


def test_a_full_device_gets_smaller_groups(tmp_path, device):
    experiment = small("final", {"seed": (0, 1, 2, 3, 4), "width": (3, 5)})
    run_sweep(experiment, tmp_path / "a.h5")
    device.most = 2
    said: list[str] = []
    run_sweep(experiment, tmp_path / "b.h5", backend="cuda", announce=said.append)
    assert (
        "a fake device has too little free memory for 5 runs at once: they go on as two groups"
        in said
    )
    assert max(device.launches) == 2
    same(tmp_path / "a.h5", tmp_path / "b.h5")


def test_a_run_that_is_too_large_ends_the_sweep_with_the_sizes(tmp_path, device):
    experiment, path = small(crossed={"seed": (0, 1)}), tmp_path / "a.h5"
    device.most, device.each, device.free = 0, 3e9, 4e9
    with pytest.raises(
        RunError,
        match=r"run \d takes 3 GB of the memory of a fake device, of which 4 GB are free: no",
    ):
        run_sweep(experiment, path, backend="cuda")
    assert open_trajectory(path).status == "interrupted"
    device.most = 5
    assert run_sweep(experiment, path, backend="cuda").status == "complete"
    path.unlink()
    device.each = 3.5e9
    sentence = (
        r"a network of depth 1 and width 5 with its points takes 3\.5 GB of .* 4 GB are "
        r"free; .* at most 80%"
    )
    with pytest.raises(RunError, match=sentence):
        run_sweep(experiment, path, backend="cuda")
    assert list(tmp_path.iterdir()) == []


def test_what_the_device_does_not_train_on_is_refused_before_anything_is_written(tmp_path, device):
    experiment = small(fractal="cantor1d", data="population")
    sentence = (
        r"data \(--data\) is population; accepted with --backend cuda is dataset or stream, and "
        r"population "
        "with --backend cpu"
    )
    with pytest.raises(UsageError, match=sentence):
        run_sweep(experiment, tmp_path / "a.h5", backend="cuda")
    assert list(tmp_path.iterdir()) == []
    result = fracsim(
        "train", "--data", "population", "--fractal", "cantor1d", "--backend", "cuda", "--dry-run"
    )
    assert result.code == 2


@pytest.mark.parametrize("executor", ["processes", "ProcessPoolExecutor"])
def test_groups_travel_to_other_processes(tmp_path, monkeypatch, executor):
    run_sweep(MIXED, tmp_path / "a.h5")
    monkeypatch.setattr("fracsim.kernels.cpu.CpuBackend.side_by_side", True)
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with pool:
        said: list[str] = []
        engine = pool if executor == "ProcessPoolExecutor" else executor
        run_sweep(MIXED, tmp_path / "b.h5", executor=engine, announce=said.append)
    assert "12 runs in one launch on 1 worker of" in said[-1]
    same_numbers(open_trajectory(tmp_path / "a.h5"), open_trajectory(tmp_path / "b.h5"))


def test_the_plan_says_how_many_launches_of_how_many_runs(device):
    words = [
        "sweep",
        "cantor5-depth-width",
        "--quick",
        "--set",
        "width=[5,6]",
        "--set",
        "network_depth=[1]",
        "--set",
        "seed=[0,1,2]",
        "--backend",
        "cuda",
        "--dry-run",
    ]
    result = fracsim(*words)
    assert (result.code, result.err) == (0, "")
    assert "launches: 2 of 3 runs; memory of the device" in result.out
    assert "of 1 TB that is free" in result.out
    assert "on a fake device, records excluded" in result.out
    value = json.loads(fracsim(*words, "--json").out)
    assert value["device"]["launches"] == [3, 3]
    assert value["device"]["free"] == 1e12
