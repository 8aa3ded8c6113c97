"""Every flipped bit of an unfinished file is noticed or does no harm: what is read is right, and
the file that goes on becomes the file that it would have become."""

import numpy as np
import pytest
import trajectory_files as files

from fracsim.data import journal
from fracsim.data.check import read_whole
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory
from fracsim.data.writer import TrajectoryWriter, WeightsGroup

DONE = [2, 1, 3]  # records; run 1 has diverged
WEIGHTS = {
    name: WeightsGroup(group.runs, files.STEPS, group.parameters)
    for name, group in files.WEIGHTS.items()
}
FEW_AND_MANY = [
    pytest.param(300, id="few"),
    pytest.param(4000, id="many", marks=pytest.mark.slow),
]


def begin(writer):
    """Commits up to DONE."""
    for s in range(3):
        for run, done in enumerate(DONE):
            if s < done:
                write(writer, run, s)
        writer.commit()
    writer.set_run_status(1, "diverged")


def write(writer, run, s):
    writer.set_run_status(run, "running")
    writer.write_record(run, s, files.record(run, s))
    writer.write_weights(run, s, files.params(run, s))


def end(writer):
    """What is missing, and a finished file."""
    for run in (0, 2):
        for s in range(DONE[run], 4):
            write(writer, run, s)
        writer.set_run_status(run, "complete")
    writer.finish("complete")


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """State -> bytes of an unfinished file; "complete" -> those of the file it becomes."""
    folder, found = tmp_path_factory.mktemp("flips"), {}
    for state in ("running", "interrupted"):
        path = folder / f"{state}.h5"
        with files.create(path, weights=WEIGHTS) as writer:
            begin(writer)
            writer.commit() if state == "running" else writer.finish(state)
        found[state] = path.read_bytes()
    with files.create(folder / "complete.h5", weights=WEIGHTS) as writer:
        begin(writer)
        end(writer)
    return {**found, "complete": (folder / "complete.h5").read_bytes()}


def go_on(path):
    """Continue the file where it is."""
    stored = open_trajectory(path)
    ended = [status if status == "diverged" else None for status in stored.run_status]
    plan = files.plan_of(weights=WEIGHTS)
    with TrajectoryWriter.reopen(path, plan, stored.records_done.tolist(), ended) as writer:
        end(writer)


def assert_noticed_or_harmless(path, content, whole, at, bit):
    """Whether the flip is noticed; else all is right."""
    flipped = bytearray(content)
    flipped[at] ^= 1 << bit
    path.write_bytes(flipped)
    try:
        trajectory = read_whole(path).value
    except FileError:
        return True
    files.assert_records(trajectory, DONE)
    assert trajectory.run_status[1] == "diverged"
    for run, done in enumerate(DONE):
        for s in range(done):
            np.testing.assert_array_equal(trajectory.weights(run, s)[1], files.params(run, s))
    go_on(path)
    assert path.read_bytes() == whole, at
    return False


@pytest.mark.parametrize("count", FEW_AND_MANY)
@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_random_flips(state, count, contents, tmp_path):
    content, rng = contents[state], np.random.default_rng(7)
    noticed = [
        assert_noticed_or_harmless(
            tmp_path / "run.h5", content, contents["complete"], at, int(rng.integers(8))
        )
        for at in rng.integers(0, len(content), count).tolist()
    ]
    assert sum(noticed) > 0.8 * count


def test_flips_in_the_journal(contents, tmp_path):
    """Everywhere in it: header, slots, checksums of what is there and of what is not."""
    content = contents["running"]
    start = content.rindex(journal.MAGIC)
    noticed = [
        assert_noticed_or_harmless(tmp_path / "run.h5", content, contents["complete"], at, at % 8)
        for at in range(start, len(content), 5)
    ]
    assert any(noticed)
    assert not all(noticed)


def test_a_missing_or_cut_journal_is_told(contents, tmp_path):
    path, content = tmp_path / "run.h5", contents["running"]
    start = content.rindex(journal.MAGIC)
    for size, sentence in [
        (start, "its journal is missing"),
        (start + 20, "its journal is cut off or changed"),
        (len(content) - 1, "is truncated"),
    ]:
        path.write_bytes(content[:size])
        with pytest.raises(FileError, match=sentence):
            open_trajectory(path)
