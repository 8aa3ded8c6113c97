"""``fracsim merge``, and ``fracsim status`` of many files: the whole from its parts, and what is
missing of it."""

import json
import os
import shlex
import socket
import subprocess
import sys

import h5py
import numpy as np
import pytest
from command_line import fracsim, run_group
from figure_files import experiment_of, write_file
from small_experiments import shapes
from stops import StopAt
from trajectory_files import changed

import fracsim as library
from fracsim.cli import plot
from fracsim.data.checkpoint import checkpoint_path
from fracsim.data.lock import OutputLock, lock_path
from fracsim.data.reader import open_trajectory
from fracsim.products.coverage import ranges
from fracsim.sweeps.sweep import run_sweep

COUNT = 3
OWN = [
    "command",
    "created",
    "host",
    "job_id",
    "merged_from",
    "continued",
    "threads",
    "threads_reason",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The whole sweep and its shards."""
    folder = tmp_path_factory.mktemp("merge")
    run_sweep(shapes("final"), folder / "whole.h5")
    for i in range(COUNT):
        run_sweep(shapes("final"), folder / f"s{i}.h5", shard=f"{i}/{COUNT}")
    return folder


def shards(folder):
    return [folder / f"s{i}.h5" for i in range(COUNT)]


def contents(path):
    """Every dataset and attribute of a file but times: name -> values as bytes or text."""
    found = {}

    def visit(name, node):
        if isinstance(node, h5py.Dataset) and name != "wall_time":
            values = node[()]
            plain = values.tolist() if values.dtype == object else values.tobytes()
            found[name] = (values.dtype, values.shape, node.chunks, node.compression, plain)
        for key, value in node.attrs.items():
            if key not in ("REFERENCE_LIST", "DIMENSION_LIST"):
                found[f"{name}@{key}"] = str(value)

    with h5py.File(path) as file:
        file.visititems(visit)
        found |= {f"@{key}": str(value) for key, value in file.attrs.items() if key not in OWN}
    return found


def test_the_merged_file_is_that_of_the_whole_sweep(folder, tmp_path):
    before = {path: path.read_bytes() for path in shards(folder)}
    result = fracsim("merge", *reversed(shards(folder)), "-o", tmp_path / "merged.h5")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{tmp_path}/merged.h5: 8 runs from 3 files\n"
    assert contents(tmp_path / "merged.h5") == contents(folder / "whole.h5")
    assert {path: path.read_bytes() for path in shards(folder)} == before
    assert os.listdir(tmp_path) == ["merged.h5"]
    merged = open_trajectory(tmp_path / "merged.h5")
    times = [open_trajectory(path) for path in shards(folder)]
    for shard in times:
        np.testing.assert_array_equal(
            merged.variable("wall_time")[shard.numbers], shard.variable("wall_time")
        )
    listed = json.loads(str(merged.attributes["merged_from"]))
    assert [entry["shard"] for entry in listed] == ["2/3", "1/3", "0/3"]
    assert merged.attributes["bit_identical"] == "yes"


def test_the_merged_file_counts_as_the_whole_sweep(folder, tmp_path):
    path = tmp_path / "merged.h5"
    merged = library.merge(shards(folder), path)
    assert (merged.runs, merged.files, merged.diverged) == (8, 3, 0)
    assert run_sweep(shapes("final"), path).already_complete
    again = fracsim("sweep", "--from", path, "-o", path)
    assert again.code == 0
    assert "is already complete" in again.err
    assert "8 runs" in fracsim("status", path).out


def test_memory_is_bounded_by_blocks(folder, tmp_path, monkeypatch):
    """With blocks of one row everything goes through other paths and comes out the same."""
    from fracsim.data import layout, merging

    monkeypatch.setattr(layout, "_CHUNK_BYTES", 1)
    monkeypatch.setattr(merging, "_BLOCK_BYTES", 1)
    library.merge([*shards(folder), folder / "whole.h5"], tmp_path / "merged.h5")
    one, other = open_trajectory(tmp_path / "merged.h5"), open_trajectory(folder / "whole.h5")
    for number in range(8):
        np.testing.assert_array_equal(one.weights(number)[1], other.weights(number)[1])
        np.testing.assert_array_equal(one.variable("test_loss"), other.variable("test_loss"))


def test_missing_shards_are_named_with_the_command_that_makes_them(folder, tmp_path):
    zero, one, two = shards(folder)
    result = fracsim("merge", zero, two, "-o", tmp_path / "merged.h5")
    assert result.code == 1
    assert "not the whole of 'small': shard 1/3 with 2 runs (3, 7) missing" in result.sentence
    command = f"fracsim sweep --from {zero} --shard 1/3 -o FILE"
    assert command in result.sentence
    assert not os.listdir(tmp_path)
    words = shlex.split(command.replace("FILE", str(tmp_path / "made.h5")))
    assert fracsim(*words[1:], "-q").code == 0
    assert contents(tmp_path / "made.h5") == contents(one)
    assert (
        fracsim(
            "merge", zero, tmp_path / "made.h5", two, "-o", tmp_path / "merged.h5", "--json"
        ).code
        == 0
    )
    assert contents(tmp_path / "merged.h5") == contents(folder / "whole.h5")


def test_unfinished_shards_are_named(folder, tmp_path, short_slices):
    zero, one, _ = shards(folder)
    path = tmp_path / "s2.h5"
    run_sweep(shapes("final"), path, shard="2/3", threads=1, progress=StopAt(0.3))
    result = fracsim("merge", zero, one, path, "-o", tmp_path / "merged.h5")
    assert (
        f"shard 2/3 ({path}) is unfinished; the rest is made by: fracsim sweep --from {path}"
        in result.sentence
    )
    with OutputLock(path):
        result = fracsim("merge", zero, one, path, "-o", tmp_path / "merged.h5")
    assert f"shard 2/3 ({path}) is still running; wait for it" in result.sentence
    run_sweep(shapes("final"), path, shard="2/3")
    assert fracsim("merge", zero, one, path, "-o", tmp_path / "merged.h5").code == 0


def test_outputs_are_never_lost(folder, tmp_path):
    path = tmp_path / "precious.h5"
    path.write_text("precious")
    assert "exists already" in fracsim("merge", *shards(folder), "-o", path).sentence
    assert path.read_text() == "precious"
    alias = tmp_path / "alias.h5"
    alias.symlink_to(shards(folder)[1])
    result = fracsim("merge", *shards(folder), "-o", alias, "--overwrite")
    assert result.code == 2
    assert "is one of the files to merge" in result.sentence
    assert (
        "does not exist"
        in fracsim("merge", *shards(folder), "-o", tmp_path / "no" / "m.h5").sentence
    )
    with OutputLock(path):
        assert (
            "being written by process"
            in fracsim("merge", *shards(folder), "-o", path, "--overwrite").sentence
        )
    assert fracsim("merge", *shards(folder), "-o", path, "--overwrite", "-q") == (0, "", "")
    assert open_trajectory(path).status == "complete"


def test_wrong_files_are_one_sentence(folder, tmp_path):
    other = tmp_path / "other.h5"
    run_sweep(shapes("final", learning_rate=0.1), other, shard="0/3")
    sentence = fracsim("merge", shards(folder)[1], other, "-o", tmp_path / "m.h5").sentence
    assert "hold different experiments: learning_rate is 0.005 there and 0.1 here" in sentence
    (tmp_path / "text.h5").write_text("my thesis")
    for name in ("text.h5", "none.h5"):
        assert (
            name
            in fracsim("merge", *shards(folder), tmp_path / name, "-o", tmp_path / "m.h5").sentence
        )
    write_file(tmp_path / "odd.h5", experiment_of({}, **SMALL))
    changed(tmp_path / "odd.h5", lambda root: root.attrs.modify("experiment", "{}"))
    assert (
        "stores no experiment"
        in fracsim("merge", tmp_path / "odd.h5", "-o", tmp_path / "m.h5").sentence
    )
    assert fracsim("merge", "-o", tmp_path / "m.h5").code == 2


SMALL = {
    "fractal": "cantor1d",
    "fractal_depth": 3,
    "steps": 30,
    "record_every": 10,
    "network_depth": 2,
}


def test_a_run_in_two_files_must_be_the_same_in_both(folder, tmp_path):
    assert (
        fracsim(
            "merge",
            *shards(folder),
            shards(folder)[0],
            folder / "whole.h5",
            "-o",
            tmp_path / "m.h5",
        ).code
        == 0
    )
    assert contents(tmp_path / "m.h5") == contents(folder / "whole.h5")
    odd = tmp_path / "odd.h5"
    for name in ("test_loss", "weights/T2_k20_d2/params"):
        odd.write_bytes((folder / "whole.h5").read_bytes())

        def change(root, name=name):
            values = root[name][...]
            values.reshape(-1)[-1] += 1
            root[name][...] = values

        changed(odd, change)
        result = fracsim("merge", *shards(folder), odd, "-o", tmp_path / "m.h5", "--overwrite")
        says = (
            f"run 7 is in {shards(folder)[1]} and in {odd}, with different {name}; give only "
            f"one of them"
        )
        assert says in result.sentence


def test_other_machines_are_told_of(folder, tmp_path):
    paths = [tmp_path / path.name for path in shards(folder)]
    for path, source in zip(paths, shards(folder), strict=True):
        path.write_bytes(source.read_bytes())
    changed(paths[1], lambda root: root.attrs.modify("numba_version", "0.99"))
    result = fracsim("merge", *paths, "-o", tmp_path / "m.h5")
    assert (
        "note: not the bits that one machine makes: the files differ in numba version" in result.err
    )
    attributes = open_trajectory(tmp_path / "m.h5").attributes
    assert attributes["bit_identical"] == "no: the files differ in numba version"
    assert str(attributes["numba_version"]).endswith("; 0.99")


def test_a_diverged_run_is_merged_as_it_is(tmp_path):
    from small_experiments import small

    experiment = small(
        "records",
        {"learning_rate": (1000.0, 0.01)},
        loss="squared",
        optimizer="sgd",
        network_depth=2,
    )
    run_sweep(experiment, tmp_path / "whole.h5")
    for i in range(2):
        run_sweep(experiment, tmp_path / f"s{i}.h5", shard=f"{i}/2")
    result = fracsim("merge", tmp_path / "s0.h5", tmp_path / "s1.h5", "-o", tmp_path / "m.h5")
    assert "2 runs from 2 files, 1 of them diverged" in result.out
    assert contents(tmp_path / "m.h5") == contents(tmp_path / "whole.h5")
    (whole,) = json.loads(fracsim("status", tmp_path / "s0.h5", tmp_path / "s1.h5", "--json").out)[
        "experiments"
    ]
    assert (whole["run_states"], whole["diverged"]) == ({"done": 1, "diverged": 1}, [0])


def test_figures_of_shards_are_those_of_the_merged_file(tmp_path):
    """In any order of the files; of a missing shard the figure tells."""
    crossed = {"network_depth": [1, 2, 3], "width": [10, 20], "seed": [0, 1]}
    experiment = experiment_of(crossed, fractal="cantor", steps=30, record_every=10)
    paths = [write_file(tmp_path / f"s{i}.h5", experiment, shard=f"{i}/4") for i in range(4)]
    library.merge(paths, tmp_path / "merged.h5")
    for picture, files in (("one", [tmp_path / "merged.h5"]), ("many", paths[::-1])):
        result = run_group(
            plot.command, "fracsim-plot", "depth-width", *files, "-o", tmp_path / f"{picture}.svg"
        )
        assert result.code == 0, result.err
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "many.svg").read_bytes()
    result = run_group(
        plot.command, "fracsim-plot", "depth-width", *paths[1:], "-o", tmp_path / "part.svg"
    )
    assert "note: 3 of the 12 runs of 'made up' are in none of the files" in result.err


def test_status_shows_the_whole_of_shards(folder, tmp_path, short_slices):
    zero, one, _ = shards(folder)
    path = tmp_path / "s2.h5"
    run_sweep(shapes("final"), path, shard="2/3", threads=1, progress=StopAt(0.5))
    result = fracsim("status", zero, path)
    assert result.code == 0
    assert f"{path}: small shard 2/3, interrupted, " in result.out
    assert "checkpoint, " in result.out
    assert f"to go on: fracsim sweep --from {path} --shard 2/3 -o {path}" in result.out
    assert "small, 2 files: of 8 runs " in result.out
    assert "  missing: 3, 7" in result.out
    assert (
        f"to train what is missing: fracsim sweep --from {zero} --shard 1/3 -o FILE" in result.out
    )
    value = json.loads(fracsim("status", zero, path, "--json").out)
    (whole,) = value["experiments"]
    assert (whole["runs"], whole["missing"], whole["missing_shards"]) == (8, [3, 7], ["1/3"])
    assert sum(whole["run_states"].values()) == 8
    assert whole["run_states"]["missing"] == 2
    states = open_trajectory(path).run_status
    assert whole["run_states"].get("pending", 0) == states.count("pending")
    assert whole["run_states"].get("interrupted", 0) == states.count("running")
    made = value["files"][1]["checkpoint"]
    assert made["age_seconds"] < 100
    assert {run["run"] for run in made["runs"]} <= set(open_trajectory(path).numbers.tolist())
    assert all(0 < run["step"] < 40 for run in made["runs"])
    assert json.loads(fracsim("status", zero, one, "--json").out)["experiments"][0][
        "missing_shards"
    ] == ["2/3"]


def test_status_tells_the_running_from_the_dead(tmp_path):
    path = write_file(tmp_path / "a.h5", experiment_of({}, **SMALL), records=2, finish=None)
    assert "dead: whoever wrote it is gone" in fracsim("status", path).out
    with OutputLock(path):
        before = lock_path(path).stat().st_mtime_ns
        result = fracsim("status", path)
        assert f"running: process {os.getpid()} on {socket.gethostname()}" in result.out
        assert lock_path(path).stat().st_mtime_ns == before
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    owner = {"host": socket.gethostname(), "pid": ended.pid, "job": "77"}
    lock_path(path).write_text(json.dumps(owner))
    assert (
        f"dead: process {ended.pid} on {owner['host']}, job 77 is gone"
        in fracsim("status", path).out
    )
    lock_path(path).write_text(json.dumps({**owner, "host": "another"}))
    (facts,) = json.loads(fracsim("status", path, "--json").out)["files"]
    assert (facts["state"], facts["owner"]["host"], facts["owner"]["alive"]) == (
        "running",
        "another",
        True,
    )
    os.utime(lock_path(path), (0, 0))
    assert "dead: process" in fracsim("status", path).out


ODD_LOCKS = [b"", b"[1]", b'{"pid": "x"}', b'{"pid": -1, "host": "HOST"}', b"\xff" * 5000]
START = b"fracsim-checkpoint 1\n"
ODD_CHECKPOINTS = [
    b"",
    b"my thesis" * 100,
    START + b"\xff" * 100,
    START + (23).to_bytes(8, "little") + b'{"facts": {"runs": {}}}',
    START + (38).to_bytes(8, "little") + b'{"facts": {"runs": {"9": {"step":5}}}}',
]


@pytest.mark.parametrize(("lock", "checkpoint"), list(zip(ODD_LOCKS, ODD_CHECKPOINTS, strict=True)))
def test_status_of_odd_locks_and_checkpoints(tmp_path, lock, checkpoint):
    path = write_file(tmp_path / "a.h5", experiment_of({}, **SMALL), records=2, finish=None)
    lock_path(path).write_bytes(lock.replace(b"HOST", socket.gethostname().encode()))
    os.utime(lock_path(path), (0, 0))
    checkpoint_path(path).write_bytes(checkpoint)
    result = fracsim("status", path)
    assert (result.code, result.err) == (0, "")
    assert "  dead: process " in result.out
    says = "no run in progress" if checkpoint.endswith(b'"runs": {}}}') else "the checkpoint"
    assert says in result.out.splitlines()[2]


def test_ranges_of_numbers():
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert ranges([]) == ""
    assert ranges(range(0, 100, 2), most=2) == "0, 2, …"
