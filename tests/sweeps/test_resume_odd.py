"""Going on from files that do not belong together: put back, left behind, of another machine, badly
named."""

import os
import shutil
import time

import pytest
from small_experiments import same_numbers, small
from stops import StopAt, varied

from fracsim.data.checkpoint import checkpoint_path, previous_path
from fracsim.data.lock import OutputLock, lock_path
from fracsim.data.reader import open_trajectory
from fracsim.errors import RunError
from fracsim.experiments.shard import make_part
from fracsim.products.checkpoint import load
from fracsim.sweeps.estimate import check_room, estimate
from fracsim.sweeps.sweep import run_sweep

pytestmark = pytest.mark.usefixtures("short_slices")


def stopped(path, share, **how):
    assert (
        run_sweep(varied(), path, threads=1, progress=StopAt(share), **how).status == "interrupted"
    )


def completed(path, tmp_path):
    """What was said on the way to the end, where the product is the straight one's equal."""
    said: list[str] = []
    run_sweep(varied(), tmp_path / "straight.h5")
    assert run_sweep(varied(), path, announce=said.append).status == "complete"
    same_numbers(open_trajectory(tmp_path / "straight.h5"), open_trajectory(path))
    assert sorted(os.listdir(tmp_path)) == sorted(
        {"a.h5", "straight.h5", "old"} & {*os.listdir(tmp_path)}
    )
    return said


def test_an_older_copy_of_the_product_is_put_back(tmp_path):
    path = tmp_path / "a.h5"
    stopped(path, 0.4)
    shutil.copy(path, tmp_path / "old")
    stopped(path, 0.45)
    shutil.copy(tmp_path / "old", path)
    assert any("counts records that" in text for text in completed(path, tmp_path))


def test_an_older_checkpoint_is_put_back(tmp_path):
    path, steps = tmp_path / "a.h5", []
    stopped(path, 0.4)
    shutil.copy(checkpoint_path(path), tmp_path / "old")
    going = {
        row for row, status in enumerate(open_trajectory(path).run_status) if status == "running"
    }
    stopped(path, 0.8)
    assert {open_trajectory(path).run_status[row] for row in going} == {"complete"}
    shutil.copy(tmp_path / "old", checkpoint_path(path))
    said: list[str] = []
    run_sweep(
        varied(), path, announce=said.append, progress=lambda progress: steps.append(progress.steps)
    )
    assert "0 go on from a checkpoint" in said[0]
    assert steps[-1] == 60 * len(varied().runs)


def test_the_checkpoint_before_a_broken_one_takes_its_place(tmp_path):
    path = tmp_path / "a.h5"
    stopped(path, 0.4)
    good = previous_path(path).read_bytes()
    checkpoint_path(path).write_bytes(b"broken")
    saved = load(path, make_part(varied()), open_trajectory(path))
    assert saved.states
    assert (
        checkpoint_path(path).read_bytes() == good
    )  # else the next one would push it out before it has its own name
    assert not previous_path(path).exists()


def test_records_of_another_machine_are_never_called_identical(tmp_path, monkeypatch):
    class Crash(Exception):
        pass

    def crash(progress):
        if progress.runs > ended:
            raise Crash

    path = tmp_path / "a.h5"
    stopped(path, 0.3)
    ended = open_trajectory(path).run_status.count("complete")
    monkeypatch.setattr("fracsim.sweeps.loop._COMMIT_EVERY", 0.0)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("numba.__version__", "0.99")
        with pytest.raises(Crash):
            run_sweep(varied(), path, threads=1, progress=crash)
    assert open_trajectory(path).run_status.count("complete") > ended
    run_sweep(varied(), path)
    assert "0.99" in open_trajectory(path).attributes["bit_identical"]


def test_what_a_kill_left_beside_a_complete_product_goes(tmp_path):
    path = tmp_path / "a.h5"
    stopped(path, 0.5)
    content = checkpoint_path(path).read_bytes()
    run_sweep(varied(), path)
    left = [
        checkpoint_path(path),
        previous_path(path),
        tmp_path / ".a.h5.checkpoint.part",
        tmp_path / ".a.h5.part",
    ]
    for file in left:
        file.write_bytes(content)
    with OutputLock(path):  # another process writes it anew
        assert run_sweep(varied(), path).already_complete
    assert all(file.exists() for file in left)
    lock_path(path).write_text("")
    assert run_sweep(varied(), path).already_complete
    assert os.listdir(tmp_path) == ["a.h5"]


@pytest.mark.parametrize(
    "name", ["a.h5.checkpoint", "a.h5.checkpoint.previous", "a.h5.lock", ".a.h5.part"]
)
def test_a_product_is_not_named_as_the_files_beside_one(tmp_path, name):
    with pytest.raises(RunError, match=r"does not end in \.(checkpoint|lock|part)"):
        run_sweep(small(), tmp_path / name)


def test_a_link_out_of_a_folder_that_takes_no_files(tmp_path, monkeypatch):
    (tmp_path / "links").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "links" / "a.h5").symlink_to("../real/a.h5")
    monkeypatch.setattr(
        os, "access", lambda folder, mode: "links" not in str(folder)
    )  # root may write anywhere
    stopped(tmp_path / "links" / "a.h5", 0.5)
    assert checkpoint_path(tmp_path / "real" / "a.h5").exists()
    assert run_sweep(varied(), tmp_path / "real" / "a.h5").status == "complete"
    assert os.listdir(tmp_path / "real") == ["a.h5"]
    assert os.listdir(tmp_path / "links") == ["a.h5"]


def test_a_product_that_is_there_needs_less_room(tmp_path, monkeypatch):
    expected = estimate(make_part(varied()), 1)
    monkeypatch.setattr(
        "shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(0, 0, expected.disk / 2)
    )
    with pytest.raises(RunError, match="of disk"):
        check_room(expected, tmp_path)
    check_room(expected, tmp_path, held=expected.disk / 2)


def test_a_stop_is_said_at_once(tmp_path):
    said: list[str] = []
    stopped(tmp_path / "a.h5", 0.4, announce=said.append)
    assert [text for text in said if text.startswith("stopping, by SIGTERM")]


def test_the_time_limit_counts_what_comes_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr("fracsim.sweeps.sweep.check_output", lambda *arguments: time.sleep(1.0))
    assert sum(run_sweep(varied(), tmp_path / "a.h5", max_seconds=1.0).steps) == 0
