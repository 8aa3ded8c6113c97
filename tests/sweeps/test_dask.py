"""Sweeps on a real Dask cluster of two worker processes on loopback."""

import contextlib
import os
import re
import socket
import subprocess
import sys

import pytest
from command_line import fracsim
from every_problem import CASES, experiment_on
from places import TOP
from small_experiments import same_numbers, small
from stops import Once, StopAt

from fracsim.data.reader import open_trajectory
from fracsim.errors import RunError, UsageError
from fracsim.sweeps.sweep import run_sweep

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install '.[dask]'")

EXPERIMENT = small(
    "final",
    {"width": (3, "7-4"), "seed": (0, 7)},
    network_depth=2,
    steps=60,
    record_every=12,
)
LONG = small(crossed={"seed": (0, 1, 2)}, steps=120_000, record_every=30_000)
"""Seconds of work for each run."""


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.scheduler = self._start(
            "scheduler", "--host", self.address, "--no-dashboard", "--no-show"
        )
        self.workers: list[subprocess.Popen] = []

    def _start(self, role: str, *options: str) -> subprocess.Popen:
        # in the checkout's folder, so that a worker finds the fracsim under test
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{role}", *options],
            cwd=TOP,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def add_worker(self) -> None:
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        self.workers.append(self._start("worker", self.address, *options))

    def wait_for(self, workers: int) -> None:
        with distributed.Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster():
    with contextlib.closing(Cluster()) as cluster:
        cluster.add_worker()
        cluster.add_worker()
        cluster.wait_for(2)
        yield cluster


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """EXPERIMENT and LONG, trained by threads."""
    folder = tmp_path_factory.mktemp("straight")
    found = []
    for experiment in (EXPERIMENT, LONG):
        run_sweep(experiment, folder / f"{len(found)}.h5")
        found.append(open_trajectory(folder / f"{len(found)}.h5"))
    return found


@pytest.mark.compiled
def test_the_same_bits_as_local(tmp_path, cluster, straight):
    path, said = tmp_path / "a.h5", []
    summary = run_sweep(EXPERIMENT, path, executor=f"dask:{cluster.address}", announce=said.append)
    assert summary.status == "complete"
    assert (
        f"4 runs on 2 workers of dask:{cluster.address} (as many as its workers have threads)"
        in said[-1]
    )
    product = open_trajectory(path)
    same_numbers(straight[0], product)
    for run in range(4):
        assert (product.weights(run)[1] == straight[0].weights(run)[1]).all()
    assert product.attributes["bit_identical"] == "yes"
    assert product.attributes["executor"] == f"dask:{cluster.address}"


@pytest.mark.compiled
@pytest.mark.parametrize("case", CASES)
def test_every_problem(tmp_path, cluster, case):
    """Workers draw the points, and read tables, images and teachers, themselves."""
    experiment = experiment_on(case, tmp_path)
    run_sweep(experiment, tmp_path / "a.h5")
    run_sweep(experiment, tmp_path / "b.h5", executor=f"dask:{cluster.address}")
    one, other = open_trajectory(tmp_path / "a.h5"), open_trajectory(tmp_path / "b.h5")
    same_numbers(one, other)
    for run in range(len(experiment.runs)):
        assert (one.weights(run)[1] == other.weights(run)[1]).all()


@pytest.mark.compiled
def test_an_executor_of_the_callers_client(tmp_path, cluster, straight):
    with distributed.Client(cluster.address, set_as_default=False) as client:
        executor = client.get_executor(pure=False)
        assert run_sweep(EXPERIMENT, tmp_path / "a.h5", executor=executor).threads == 2
        assert executor.submit(max, 1, 2).result() == 2
    same_numbers(straight[0], open_trajectory(tmp_path / "a.h5"))


def test_workers_keep_no_data_after_a_sweep(tmp_path, cluster):
    def kept() -> int:
        from fracsim.sweeps.worker import _shelf

        return len(_shelf._sets)

    run_sweep(EXPERIMENT, tmp_path / "a.h5", executor=f"dask:{cluster.address}")
    with distributed.Client(cluster.address, set_as_default=False) as client:
        assert set(client.run(kept).values()) == {0}


@pytest.mark.compiled
def test_stop_on_dask_and_go_on_here(tmp_path, cluster, straight):
    path = tmp_path / "a.h5"
    stop = StopAt(0.05)
    summary = run_sweep(LONG, path, executor=f"dask:{cluster.address}", progress=stop)
    assert (summary.status, summary.reason) == ("interrupted", "SIGTERM")
    run_sweep(LONG, path)
    product = open_trajectory(path)
    same_numbers(straight[1], product)
    assert product.attributes["bit_identical"] == "yes"


@pytest.mark.compiled
def test_a_killed_worker_costs_only_its_slices(tmp_path, cluster, straight, monkeypatch):
    monkeypatch.setattr("fracsim.sweeps.dask._COUNT_EVERY", 0.2)

    def kill() -> None:
        cluster.workers[0].kill()
        cluster.add_worker()

    path, said, steps = tmp_path / "a.h5", [], []

    def progress(now) -> None:
        steps.append(now.steps)
        once(now)

    once = Once(0.1, kill)
    summary = run_sweep(
        LONG, path, executor=f"dask:{cluster.address}", progress=progress, announce=said.append
    )
    assert summary.steps == [120_000] * 3
    assert steps == sorted(steps)
    assert any(re.match(r"1 workers? of dask:.* now, 2 before", text) for text in said), said
    product = open_trajectory(path)
    assert product.records_done.tolist() == [5] * 3  # each once
    same_numbers(straight[1], product)
    cluster.wait_for(2)


@pytest.mark.compiled
def test_a_lost_scheduler_ends_the_sweep_in_a_sentence_and_loses_nothing(tmp_path, straight):
    path = tmp_path / "a.h5"
    with contextlib.closing(Cluster()) as cluster:
        cluster.add_worker()
        cluster.wait_for(1)  # on a busy machine both take a while to start
        once = Once(0.1, cluster.scheduler.kill)
        with pytest.raises(
            RunError, match=r"dask:tcp://127.* gave the work up \(was it shut down\?\)"
        ):
            run_sweep(LONG, path, executor=f"dask:{cluster.address}", progress=once, threads=2)
    assert open_trajectory(path).status == "interrupted"
    run_sweep(LONG, path)
    same_numbers(straight[1], open_trajectory(path))


def test_nobody_there(tmp_path, monkeypatch):
    monkeypatch.setattr("fracsim.sweeps.dask.CONNECT_SECONDS", 1.0)
    path = tmp_path / "a.h5"
    found = fracsim(
        "sweep",
        "cantor5-depth-width",
        "--quick",
        "--executor",
        "dask:tcp://127.0.0.1:1",
        "-o",
        path,
    )
    assert found.code == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:1 (" in found.sentence
    for wrong in (
        "",
        "localhost",
        "tcp://localhost",
        "http://localhost:8786",
        "tcp://a:b",
        "tcp://a:99999",
    ):
        with pytest.raises(UsageError, match=r"accepted is dask:tcp://HOST:PORT"):
            run_sweep(EXPERIMENT, path, executor=f"dask:{wrong}")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        RunError, match=r"needs the package distributed, .*: pip install '\.\[dask\]'"
    ):
        run_sweep(EXPERIMENT, path, executor="dask:tcp://127.0.0.1:1")
    assert os.listdir(tmp_path) == []
