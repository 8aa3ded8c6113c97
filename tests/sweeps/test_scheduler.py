"""How far runs are, and what is sent next, without training: slices come from a made-up worker."""

import itertools
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from small_experiments import small

from fracsim.data.numbering import Number, Row
from fracsim.experiments.shard import make_part
from fracsim.kernels.backend import get_backend
from fracsim.sweeps.progress import RunProgress, Tally
from fracsim.sweeps.scheduler import Scheduler
from fracsim.sweeps.stop import Stop
from fracsim.training.groups import Groups

SEEDS = 12


class Workers:
    """An executor that does nothing until ``end`` says so."""

    slots, queues = 2, True

    def __init__(self) -> None:
        self.tasks = []

    def submit(self, task, should_stop, on_progress):
        future = Future()
        self.tasks.append((future, task, on_progress))
        return future

    def end(self, at=0) -> None:
        future, *_ = self.tasks.pop(at)
        future.set_running_or_notify_cancel()
        future.set_result(None)


def slice_of(step: int, status: str, wall_time: float):
    state = SimpleNamespace(step=step, seconds=wall_time, wall_time=wall_time)
    return SimpleNamespace(status=status, state=state)


@pytest.fixture
def sweep():
    part = make_part(small(crossed={"seed": tuple(range(SEEDS))}))
    triples = zip(part.numbers, part.runs, part.costs, strict=True)
    runs = [RunProgress(Row(i), *each) for i, each in enumerate(triples)]
    workers = Workers()
    groups = Groups(part.runs, get_backend("cpu"))
    return runs, workers, Scheduler(runs, groups, workers, Stop(), False)


def send_all(scheduler) -> list:
    groups = iter(scheduler.next, None)
    sent = []
    for group in groups:
        scheduler.send(group)
        sent.append(group)
    return sent


def come_back(runs, scheduler, step=40, status="complete", wall_time=0.01):
    """Take in whatever has ended."""
    for group, _ in scheduler.receive():
        parts = [slice_of(step, status, wall_time) for _ in group]
        scheduler.saw(group, parts)
        for row, part in zip(group, parts, strict=True):
            runs[row].take_in(part)
        if status == "running":
            scheduler.go_on(group)


def test_workers_have_the_next_run_where_runs_are_short(sweep):
    runs, workers, scheduler = sweep
    assert send_all(scheduler) == [(0,), (1,)]
    workers.end()
    come_back(runs, scheduler)
    assert send_all(scheduler) == [(2,), (3,), (4,)]  # two at work, two that wait for them
    workers.end()
    come_back(runs, scheduler, wall_time=5.0)
    assert send_all(scheduler) == []
    assert scheduler.flies
    assert scheduler.waits


def test_nothing_is_sent_ahead_where_tasks_cannot_be_taken_back(sweep):
    runs, workers, scheduler = sweep
    workers.queues = False
    send_all(scheduler)
    workers.end()
    come_back(runs, scheduler)
    assert send_all(scheduler) == [(2,)]
    assert scheduler.recall() == []


def test_a_run_that_goes_on_is_the_next(sweep):
    runs, workers, scheduler = sweep
    send_all(scheduler)
    workers.end()
    come_back(runs, scheduler, 20, "running", 5.0)
    assert send_all(scheduler) == [(0,)]
    assert (runs[0].step, runs[0].status) == (20, "pending")  # what it is called is the loop's


def test_what_no_worker_has_begun_is_taken_back(sweep):
    runs, workers, scheduler = sweep
    send_all(scheduler)
    workers.end()
    come_back(runs, scheduler)
    send_all(scheduler)
    for future, *_ in workers.tasks[:2]:
        future.set_running_or_notify_cancel()
    assert [one.row for one in scheduler.recall()] == [3, 4]
    assert {one.row for one in scheduler.in_flight()} == {1, 2}
    scheduler.give_up()
    assert not scheduler.flies


def test_runs_in_progress_come_first_then_the_longest(sweep):
    runs, workers, _ = sweep
    runs[5].cost *= 2
    runs[7].state = SimpleNamespace(step=10, seconds=1.0)
    runs[0].status = "complete"
    groups = Groups([one.run for one in runs], get_backend("cpu"))
    scheduler = Scheduler(runs, groups, workers, Stop(), False)
    order = list(itertools.islice(iter(scheduler.next, None), 4))
    assert order == [(7,), (5,), (1,), (2,)]


def test_the_tally_is_the_sum_over_the_runs():
    runs = [
        RunProgress(Row(i), Number(i), SimpleNamespace(steps=100), 1.0 + i, status)
        for i, status in enumerate(["complete", "pending", "pending"])
    ]
    tally = Tally(runs)
    assert tally.progress().share == pytest.approx(1 / 6)
    runs[1].step = 50
    tally.count([runs[1]])
    tally.count([runs[1]])
    found = tally.progress()
    assert (found.steps, found.total_steps, found.runs, found.total_runs) == (150, 300, 1, 3)
    assert found.share == pytest.approx(2 / 6)
    runs[1].go_back()
    tally.count([runs[1]])
    assert tally.progress().steps == 100
    for one in runs[1:]:
        one.take_in(slice_of(100, "diverged" if one.row == 1 else "complete", 1.0))
    tally.count(runs)
    assert tally.progress().share == 1.0
    assert tally.progress().runs == 3
