"""Executors: whatever computes the slices of a sweep, the product is the same, and a lost worker
costs only its slice."""

import contextlib
import functools
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from command_line import fracsim
from places import TOP
from small_experiments import same_numbers, small
from stops import Once, StopAt

from fracsim.data.checkpoint import checkpoint_path
from fracsim.data.reader import open_trajectory
from fracsim.errors import RunError, UsageError
from fracsim.machine.kind import Machines
from fracsim.sweeps.sweep import run_sweep
from fracsim.sweeps.worker import Done, Task, machine_of, work

EXPERIMENT = small("final", {"width": (3, 5), "seed": (0, 7)}, steps=60, record_every=12)
LONG = small(crossed={"seed": (0, 1, 2)}, steps=120_000, record_every=30_000)
"""Seconds of work for each run."""


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """EXPERIMENT, trained by one thread."""
    path = tmp_path_factory.mktemp("straight") / "straight.h5"
    run_sweep(EXPERIMENT, path, threads=1)
    return open_trajectory(path)


@pytest.fixture
def short_slices(monkeypatch):
    """Slices of one kernel call."""
    import fracsim.sweeps.scheduler

    monkeypatch.setattr(fracsim.sweeps.scheduler, "Task", functools.partial(Task, seconds=0.0))


def same(one, path):
    other = open_trajectory(path)
    assert other.status == "complete"
    same_numbers(one, other)
    assert other.attributes["bit_identical"] == "yes"
    for run in range(len(one.records_done)):
        assert (one.weights(run)[1] == other.weights(run)[1]).all()
    return other


# --- processes (the tests look for them in /proc) -------------------------------------------------


in_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="no /proc to find processes in"
)


def children(pid: int = os.getpid()) -> list[int]:
    """The worker processes below a process."""
    return [
        child
        for child, (state, parent, words) in processes().items()
        if parent == pid and "serve" in words
    ]


def processes() -> dict[int, tuple[str, int, str]]:
    """Process -> state, parent and command line, of all that run."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(folder.name)] = state, int(parent), (folder / "cmdline").read_text()
    return found


def ended(pids: list[int], seconds: float) -> bool:
    """Whether all of these processes end within so many seconds."""
    deadline = time.monotonic() + seconds
    while set(pids) & set(processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not set(pids) & set(processes())


@in_proc
def test_processes_stop_and_go_on_with_the_bits_of_threads(tmp_path, straight, short_slices):
    path = tmp_path / "a.h5"
    stop = StopAt(0.3)
    assert (
        run_sweep(EXPERIMENT, path, executor="processes", threads=2, progress=stop).status
        == "interrupted"
    )
    assert children() == []
    assert checkpoint_path(path).exists()
    said: list[str] = []
    run_sweep(EXPERIMENT, path, executor="processes", threads=1, announce=said.append)
    assert "on 1 worker of processes (as asked)" in said[-1]
    product = same(straight, path)
    assert product.attributes["executor"] == "processes"
    assert product.attributes["continued"] == 1


@pytest.mark.compiled
@in_proc
def test_a_killed_process_loses_only_its_slice(tmp_path):
    run_sweep(LONG, tmp_path / "straight.h5")
    said: list[str] = []
    kill = Once(0.2, lambda: os.kill(children()[0], signal.SIGKILL))
    run_sweep(
        LONG,
        tmp_path / "a.h5",
        executor="processes",
        threads=2,
        progress=kill,
        announce=said.append,
    )
    assert "a worker process was killed by SIGKILL: its slice is done again" in said
    same_numbers(open_trajectory(tmp_path / "straight.h5"), open_trajectory(tmp_path / "a.h5"))


@in_proc
def test_a_slice_that_kills_every_process_ends_the_sweep(tmp_path):
    def kill_all(_) -> None:
        for pid in children():
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(
        RunError,
        match=r"a worker process was killed by SIGKILL, and so did those that did its slice",
    ):
        run_sweep(LONG, tmp_path / "a.h5", executor="processes", threads=1, progress=kill_all)
    assert open_trajectory(tmp_path / "a.h5").status == "interrupted"


@in_proc
def test_no_process_outlives_a_killed_sweep_and_signals_to_the_group_do_not_end_them(tmp_path):
    words = [
        "sweep",
        "cantor5-depth-width",
        "--quick",
        "--set",
        "steps=10000000",
        "--executor",
        "processes",
    ]
    sweep = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "fracsim.cli.app",
            *words,
            "--threads",
            "2",
            "-o",
            tmp_path / "a.h5",
        ],
        cwd=TOP,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(children(sweep.pid)) < 2 or not (tmp_path / "a.h5").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    workers = children(sweep.pid)
    os.killpg(sweep.pid, signal.SIGUSR2)  # keep a checkpoint and go on
    time.sleep(1.0)
    assert children(sweep.pid) == workers
    sweep.kill()
    sweep.wait()
    assert ended(workers, 60.0)  # at the end of a kernel call; the first time, of compilation


def test_a_script_needs_no_guard(tmp_path):
    """Worker processes do not run the caller's script again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import fracsim\n"
        "from fracsim.experiments.grid import Grid\n"
        "print('once')\n"
        "grid = Grid(fixed=dict(steps=20, record_every=10, train_points=200, test_points=100, "
        "width=3,\n"
        "                       network_depth=1, fractal_depth=2), crossed={'seed': (0, 1)})\n"
        "made = fracsim.make_experiment(grid, name='mine')\n"
        "print(fracsim.run_sweep(made, 'a.h5', executor='processes', threads=1).status)\n",
        encoding="utf-8",
    )
    found = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
    )
    assert (found.stdout, found.stderr) == ("once\ncomplete\n", "")


# --- executors of the caller's --------------------------------------------------------------------


def test_any_executor_gives_the_same_bits_and_stays_open(tmp_path, straight):
    spawned = multiprocessing.get_context("spawn")
    for executor in (ThreadPoolExecutor(2), ProcessPoolExecutor(1, mp_context=spawned)):
        path, said = tmp_path / f"{type(executor).__name__}.h5", []
        with executor:
            run_sweep(EXPERIMENT, path, executor=executor, announce=said.append)
            assert executor.submit(max, 1, 2).result() == 2
        assert f" of {type(executor).__name__} (as many as the executor has workers)" in said[-1]
        same(straight, path)


class Hostile(Executor):
    """Does ``good`` tasks, then ``turn`` decides what becomes of one: a function of the future."""

    def __init__(self, good, turn):
        self.good, self.turn = good, turn

    def submit(self, function, /, *args, **kwargs):
        future: Future = Future()
        self.good -= 1
        if self.good >= 0:
            future.set_result(function(*args, **kwargs))
        else:
            self.turn(future)
        return future


def refuse(future):
    raise RuntimeError("cannot schedule new futures after shutdown")


def cancel(future):
    future.cancel()
    future.set_running_or_notify_cancel()


@pytest.mark.parametrize(
    ("turn", "sentence"),
    [
        (
            lambda future: future.set_exception(ValueError("no luck")),
            r"run \d failed: ValueError: no luck",
        ),
        (
            lambda future: future.set_result(42),
            "Hostile gave back an object of type int, which no worker of fracsim does",
        ),
        (
            lambda future: future.set_exception(ModuleNotFoundError("No module named 'fracsim'")),
            "a worker of Hostile cannot import all it needs: No module named 'fracsim'",
        ),
        (refuse, "cannot schedule new futures after shutdown"),
        (cancel, "Hostile gave the work up"),
    ],
)
def test_a_hostile_executor_ends_in_a_sentence_and_loses_nothing(
    tmp_path, straight, short_slices, turn, sentence
):
    path = tmp_path / "a.h5"
    with pytest.raises(RunError, match=sentence):
        run_sweep(EXPERIMENT, path, executor=Hostile(12, turn), threads=1)
    product = open_trajectory(path)
    assert product.status == "interrupted"
    assert product.records_done.sum() > 0
    run_sweep(EXPERIMENT, path)
    same(straight, path)


def test_an_executor_that_cannot_work_changes_no_file(tmp_path, straight):
    path = tmp_path / "a.h5"
    path.write_bytes(Path(straight.path).read_bytes())
    for turn, sentence in (
        (refuse, "no worker of Hostile can work: RuntimeError: cannot schedule"),
        (cancel, "Hostile gave the work up"),
        (lambda future: future.set_result(42), "an object of type int"),
    ):
        with pytest.raises(RunError, match=sentence):
            run_sweep(EXPERIMENT, path, executor=Hostile(0, turn), overwrite=True)
    same(straight, path)


def test_slices_that_never_come_back_are_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("fracsim.sweeps.executors.Executor.patience", 1.0)
    lost: list[Future] = []
    summary = run_sweep(  # waiting for them would end by pytest's own time limit
        EXPERIMENT, tmp_path / "a.h5", executor=Hostile(2, lost.append), threads=2, max_seconds=2.0
    )
    assert summary.status == "interrupted"
    assert lost[0].cancelled()


def test_a_worker_of_another_version_is_refused(backend):
    task = Task(EXPERIMENT.runs[:1], (None,), "cpu", False, version="0.0.9")
    with pytest.raises(
        RunError, match=r"has fracsim .* and the sweep has 0\.0\.9: install the same version"
    ):
        work(task)


def test_workers_that_differ_are_told_of(tmp_path, backend):
    class Mixed(Hostile):
        def submit(self, function, /, *args, **kwargs):
            future = super().submit(function, *args, **kwargs)
            if isinstance(done := future.result(), Done) and self.good % 2:
                future = Future()
                future.set_result(
                    Done(
                        done.slices,
                        {**done.machine, "instruction_sets": "sse2", "device": "old, v"},
                    )
                )
            return future

    said: list[str] = []
    run_sweep(
        EXPERIMENT, tmp_path / "a.h5", executor=Mixed(10**6, None), threads=1, announce=said.append
    )
    (note,) = [text for text in said if "not bit-identical" in text]
    assert "on one worker and v on another; other instruction sets of the CPU" in note
    product = open_trajectory(tmp_path / "a.h5")
    assert product.attributes["bit_identical"].startswith("no: vectors of")
    assert product.attributes["instruction_sets"].endswith(" | sse2")
    again = Machines(machine_of(backend))
    assert again.go_on(product.attributes, begun=True)


def test_unknown_engines_are_refused(tmp_path):
    for wrong in ("thread", "mpi", ""):
        with pytest.raises(UsageError, match="accepted: threads, processes, or dask:"):
            run_sweep(EXPERIMENT, tmp_path / "a.h5", executor=wrong)
    found = fracsim(
        "sweep", "cantor5-depth-width", "--executor", "proceses", "-o", tmp_path / "a.h5"
    )
    assert found.code == 2
    assert re.search("did you mean 'processes'", found.sentence)
