"""Files cut anywhere or with flipped bits, by the hundred: refused, or read; never a traceback, a
hang or a crash."""

import numpy as np
import pytest
from figure_files import experiment_of, write_file
from many_files import Reader

from fracsim.data import sandbox, trailer
from fracsim.products.check import check_file

STATES = ("complete", "interrupted", "running")
FEW_AND_MANY = [
    pytest.param("few", id="few"),
    pytest.param("many", id="many", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """State -> bytes of a product with three runs, three records and the weights of each."""
    folder = tmp_path_factory.mktemp("whole")
    grid = experiment_of(
        {"network_depth": [0, 1, 2]}, "records", width=4, steps=30, record_every=10
    )
    records = {"complete": None, "interrupted": 2, "running": 1}
    return {
        state: write_file(
            folder / f"{state}.h5",
            grid,
            records[state],
            finish=None if state == "running" else state,
        ).read_bytes()
        for state in STATES
    }


@pytest.fixture(scope="module")
def reader():
    with Reader() as reader:
        yield reader


def look(reader, path, content):
    """What becomes of a file; where it kills or hangs a process, that process is not ours."""
    path.write_bytes(content)
    seen = reader.look(path)
    if seen.end in ("crashed", "hung"):
        report = check_file(path)  # now with the sandbox that users have
        assert not report.valid
        seen = seen._replace(end="refused", said=" | ".join(report.problems))
    assert seen.end != "broken", seen.said
    assert seen.end == "read" or str(path) in seen.said
    assert "\n" not in seen.said
    return seen


@pytest.mark.parametrize("state", STATES)
def test_whole_files_are_read(state, contents, reader, tmp_path):
    """The baseline of the others: nothing is refused that is not damaged."""
    seen = look(reader, tmp_path / "run.h5", contents[state])
    assert (seen.end, seen.said) == ("read", "")


@pytest.mark.parametrize("count", FEW_AND_MANY)
@pytest.mark.parametrize("state", STATES)
def test_a_file_cut_anywhere_is_refused(state, count, contents, reader, tmp_path):
    content = contents[state]
    whole, places = len(content), 200 if count == "many" else 40
    near_the_end = [*range(whole - trailer.SIZE - 2, whole, 1 if count == "many" else 8)]
    for size in [
        *np.linspace(0, whole - 1, places).astype(int),
        7,
        8,
        9,
        47,
        48,
        95,
        96,
        *near_the_end,
    ]:
        seen = look(reader, tmp_path / "run.h5", content[:size])
        assert seen.end == "refused", size


@pytest.mark.parametrize("count", FEW_AND_MANY)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("flips", [1, 12])
def test_flipped_bits(flips, state, count, contents, reader, tmp_path, monkeypatch):
    """A finished file with a flipped bit is refused. An unfinished one has no checksum: it is
    refused or read."""
    monkeypatch.setattr(sandbox, "SECONDS", 5)
    content, rng = contents[state], np.random.default_rng(flips)
    ends = []
    for _ in range({"few": 30, "many": 500}[count]):
        damaged = bytearray(content)
        for position in rng.integers(0, len(content), flips):
            damaged[position] ^= 1 << rng.integers(8)
        ends.append(look(reader, tmp_path / "run.h5", damaged).end)
    assert "refused" in ends
    assert state != "complete" or "read" not in ends
