"""One writer for each output: who comes second is told who holds it; a dead owner holds nothing."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from places import TOP
from small_experiments import small

from fracsim.data import lock as locks
from fracsim.data.errors import FileError
from fracsim.data.lock import SIGN_OF_LIFE, OutputLock, lock_path
from fracsim.sweeps.sweep import run_sweep


def test_the_second_is_told_host_pid_and_job_of_the_first(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with OutputLock(tmp_path / "a.h5"):
        with pytest.raises(
            FileError,
            match=f"process {os.getpid()} on {socket.gethostname()}, job 4711: wait for it",
        ):
            OutputLock(tmp_path / "a.h5").__enter__()
        with OutputLock(tmp_path / "b.h5"):
            pass
        assert lock_path(tmp_path / "a.h5").exists()
    assert list(tmp_path.iterdir()) == []
    with OutputLock(tmp_path / "a.h5") as again:
        assert again.left == {}


def test_another_process_holds_it_until_it_is_killed(tmp_path):
    code = f"""
import time
from fracsim.data.lock import OutputLock
with OutputLock({str(tmp_path / "a.h5")!r}):
    print("held", flush=True)
    time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=TOP, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == b"held"
        with pytest.raises(FileError, match=f"process {process.pid} on"):
            run_sweep(small(), tmp_path / "a.h5")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with OutputLock(tmp_path / "a.h5") as taken:
        assert taken.left["pid"] == process.pid
    assert run_sweep(small(), tmp_path / "a.h5").status == "complete"


def leave(path, age, **owner):
    """A lock file that nobody holds with flock, as another host leaves it on a file system without
    shared locks."""
    lock_path(path).write_text(
        json.dumps({"host": "elsewhere", "pid": 17, "job": "", "since": 0, **owner})
    )
    then = time.time() - age
    os.utime(lock_path(path), (then, then))


def test_another_host_counts_as_alive_while_it_gives_signs_of_life(tmp_path):
    path = tmp_path / "a.h5"
    leave(path, age=20, job="12")
    with pytest.raises(FileError, match=r"process 17 on elsewhere, job 12: .*alive 20 s ago"):
        OutputLock(path).__enter__()
    assert json.loads(lock_path(path).read_text())["host"] == "elsewhere"
    leave(path, age=SIGN_OF_LIFE + 5)
    with OutputLock(path) as taken:
        assert taken.left["host"] == "elsewhere"


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_of_two_hosts_may_differ(tmp_path, monkeypatch, hours):
    """The file system's clock dates the signs of life, so it has to judge them."""
    path, clock = tmp_path / "a.h5", time.time
    monkeypatch.setattr(locks.time, "time", lambda: clock() + 3600 * hours)
    lock_path(path).write_text(json.dumps({"host": "elsewhere", "pid": 17}))
    with pytest.raises(FileError, match="process 17 on elsewhere"):
        OutputLock(path).__enter__()
    os.utime(lock_path(path), (clock() - 100, clock() - 100))
    with OutputLock(path):
        assert sorted(item.name for item in tmp_path.iterdir()) == ["a.h5.lock"]


def test_a_holder_gives_signs_of_life(tmp_path, monkeypatch):
    with OutputLock(tmp_path / "a.h5") as held:
        os.utime(held.path, (0, 0))
        held.touch()
        assert held.path.stat().st_mtime == 0  # too soon
        now = time.monotonic()
        monkeypatch.setattr(locks.time, "monotonic", lambda: now + SIGN_OF_LIFE)
        held.touch()
        assert time.time() - held.path.stat().st_mtime < 60


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"[]", b'{"host": 3}', b"[" * 5000])
def test_nonsense_in_a_lock_is_nobodys(tmp_path, content):
    lock_path(tmp_path / "a.h5").write_bytes(content)
    os.utime(lock_path(tmp_path / "a.h5"), (0, 0))
    with OutputLock(tmp_path / "a.h5"):
        pass


def test_without_locks_in_the_file_system_the_pid_must_do(tmp_path, monkeypatch):
    def refuse(fd, operation):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    path = tmp_path / "a.h5"
    leave(path, age=0, host=socket.gethostname(), pid=os.getppid())
    with pytest.raises(FileError, match=f"process {os.getppid()} on"):
        OutputLock(path).__enter__()
    leave(path, age=0, host=socket.gethostname(), pid=2**22 + 1)
    with OutputLock(path):
        pass


def test_a_folder_without_room_for_a_lock_is_said(tmp_path):
    with pytest.raises(FileError, match="cannot write"):
        OutputLock(tmp_path / "none" / "a.h5").__enter__()


def test_a_link_and_its_target_have_one_lock(tmp_path):
    (tmp_path / "a.h5").touch()
    (tmp_path / "link.h5").symlink_to("a.h5")
    with OutputLock(tmp_path / "link.h5"), pytest.raises(FileError, match="is being written by"):
        OutputLock(tmp_path / "a.h5").__enter__()
