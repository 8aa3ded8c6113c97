"""What it takes to look at files: none of ours needs a process of its own to be read."""

import subprocess
from contextlib import ExitStack

import pytest
from command_line import fracsim
from figure_files import experiment_of, write_file

from fracsim.data import untrusted
from fracsim.data.lock import OutputLock

SHARDS = 100


@pytest.fixture
def opens(monkeypatch):
    """Path -> how often it was opened; whatever starts a process fails."""
    counts: dict[str, int] = {}

    def refused(*arguments, **how):
        raise AssertionError(f"a process was started: {arguments}")

    def counted(path, name):
        counts[str(path)] = counts.get(str(path), 0) + 1
        return descriptor(path, name)

    descriptor = untrusted._descriptor
    monkeypatch.setattr(untrusted, "_descriptor", counted)
    monkeypatch.setattr(subprocess, "Popen", refused)
    return counts


def test_status_of_a_hundred_running_shards_starts_no_process(tmp_path, opens):
    seeds = tuple(range(SHARDS))
    experiment = experiment_of({"seed": seeds}, steps=40, record_every=20, network_depth=1)
    paths = [tmp_path / f"shard-{i}.h5" for i in range(SHARDS)]
    with ExitStack() as writers:
        for i, path in enumerate(paths):
            writers.enter_context(OutputLock(path))
            write_file(path, experiment, records=1, finish=None, shard=f"{i}/{SHARDS}")
        code, out, err = fracsim("status", *paths)
    assert (code, err) == (0, "")
    assert f"of {SHARDS} runs {SHARDS} running" in out
    assert set(opens.values()) == {1}
    assert len(opens) == SHARDS


@pytest.mark.parametrize("finish", [None, "interrupted", "complete"])
def test_a_file_of_ours_is_opened_once(tmp_path, opens, finish):
    path = write_file(
        tmp_path / "a.h5", experiment_of({"seed": (0, 1)}, steps=40, record_every=20), finish=finish
    )
    code, _, err = fracsim("status", path)
    assert (code, err) == (0, "")
    assert set(opens.values()) == {1}


def test_an_unfinished_file_whose_structure_was_changed_is_refused(tmp_path, opens):
    """It is the checksum that makes the sandbox needless, not the owner or the lock."""
    path = tmp_path / "a.h5"
    with OutputLock(path):
        write_file(path, experiment_of({}, steps=40, record_every=20), records=1, finish=None)
        data = bytearray(path.read_bytes())
        at = data.index(b"test_accuracy\0")
        data[at] ^= 1
        path.write_bytes(data)
        code, _, err = fracsim("status", path)
    assert code == 1
    assert "damaged" in err
