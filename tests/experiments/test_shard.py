"""Shards: every run in exactly one of them, evenly by cost, and together the file of the whole
sweep."""

import itertools
import json
import signal

import numpy as np
import pytest
import xarray
from command_line import fracsim
from hypothesis import given, settings
from hypothesis import strategies as st
from small_experiments import NUMBERS, mixed, shapes
from stops import StopAt

from fracsim.data.checkpoint import checkpoint_path
from fracsim.data.reader import open_trajectory
from fracsim.errors import RunError, UsageError
from fracsim.experiments.shard import Part, make_part, parse_shard, split
from fracsim.sweeps.sweep import run_sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The whole sweep and its three shards, with the weights of every record."""
    folder = tmp_path_factory.mktemp("shards")
    run_sweep(shapes("records"), folder / "whole.h5")
    for i in range(3):
        run_sweep(shapes("records"), folder / f"s{i}.h5", shard=f"{i}/3")
    return folder


@given(st.lists(st.floats(0.01, 1e12), min_size=1, max_size=60), st.data())
@settings(deadline=None)
def test_every_run_is_in_one_shard_and_none_has_much_more_work(costs, data):
    count = data.draw(st.integers(1, len(costs)))
    shards = split(costs, count)
    assert sorted(number for shard in shards for number in shard) == list(range(len(costs)))
    assert all(shard and list(shard) == sorted(shard) for shard in shards)
    assert shards == split(list(costs), count)
    work = [sum(costs[number] for number in shard) for shard in shards]
    assert max(work) - min(work) <= max(costs) * (1 + 1e-9)


@given(st.lists(st.integers(1, 30), min_size=3, max_size=7))
def test_the_longest_shard_is_within_four_thirds_of_the_best(costs):
    best = min(
        max(
            sum(cost for cost, where in zip(costs, places, strict=True) if where == shard)
            for shard in range(3)
        )
        for places in itertools.product(range(3), repeat=len(costs))
    )
    longest = max(sum(costs[number] for number in shard) for shard in split(costs, 3))
    assert longest <= (4 / 3 - 1 / 9) * best


def test_the_split_is_this_one_for_ever():
    """Jobs of an array may run different versions: the split must not change."""
    assert split([5, 4, 3, 3, 3], 2) == [(0, 3), (1, 2, 4)]
    assert split([1, 1, 1, 1], 3) == [(0, 3), (1,), (2,)]
    assert [make_part(mixed(), f"{i}/3").numbers for i in range(3)] == [
        (5, 6, 10),
        (0, 1, 3, 7, 11),
        (2, 4, 8, 9),
    ]


@pytest.mark.parametrize(
    "text", ["", "1", "4/4", "-1/4", "1/0", "a/b", "1/2/3", "0.5/2", "0/12345678", "٣/٤"]
)
def test_bad_shards_are_one_sentence(tmp_path, text):
    with pytest.raises(UsageError, match=r"accepted is i/N with i from 0 to N - 1, as in 0/4"):
        parse_shard(text)
    result = fracsim(
        "sweep", "cantor5-depth-width", "--quick", f"--shard={text}", "-o", tmp_path / "a.h5"
    )
    assert result.code == 2
    assert "--shard" in result.sentence
    assert list(tmp_path.iterdir()) == []


def test_more_shards_than_runs_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--shard 0/9 asks for 9 shards of 8 runs"):
        run_sweep(shapes(), tmp_path / "a.h5", shard="0/9")
    assert make_part(shapes(), "7/8").numbers


def test_one_shard_of_one_is_the_whole(folder):
    assert run_sweep(shapes("records"), folder / "whole.h5", shard="0/1").already_complete


def test_the_shards_hold_what_the_whole_sweep_holds(folder):
    whole, seen = open_trajectory(folder / "whole.h5"), []
    for i in range(3):
        shard = open_trajectory(folder / f"s{i}.h5")
        assert shard.attributes["shard"] == f"{i}/3"
        assert shard.attributes["experiment_hash"] == whole.attributes["experiment_hash"]
        numbers = shard.numbers
        seen += numbers.tolist()
        for name in NUMBERS:
            np.testing.assert_array_equal(shard.variable(name), whole.variable(name)[numbers])
        for key, column in shard.runs.items():
            assert column.dtype.kind == whole.runs[key].dtype.kind
            np.testing.assert_array_equal(column, whole.runs[key][numbers])
        for row, number in enumerate(numbers):
            assert (
                shard.weight_steps(row).tolist()
                == whole.weight_steps(number).tolist()
                == [0, 10, 20, 30, 40]
            )
            for snapshot in range(5):
                np.testing.assert_array_equal(
                    shard.weights(row, snapshot)[1], whole.weights(number, snapshot)[1]
                )
    assert sorted(seen) == list(range(8))


def test_xarray_puts_shards_together(folder):
    parts = [xarray.open_dataset(folder / f"s{i}.h5") for i in range(3)]
    joined = xarray.concat(parts, dim="run", join="exact", combine_attrs="drop_conflicts").sortby(
        "run"
    )
    whole = xarray.open_dataset(folder / "whole.h5")
    joined.attrs = whole.attrs = {}
    xarray.testing.assert_identical(joined.drop_vars("wall_time"), whole.drop_vars("wall_time"))


@pytest.mark.parametrize(
    ("there", "here", "says"),
    [
        ("0/2", "1/2", "holds shard 0/2, and shard 1/2 is asked for"),
        ("0/2", "0/3", "holds shard 0/2, and shard 0/3 is asked for"),
        ("0/2", None, "holds shard 0/2, and the whole sweep is asked for"),
        (None, "0/2", "holds the whole sweep, and shard 0/2 is asked for"),
    ],
)
def test_another_shard_is_refused_and_nothing_is_lost(tmp_path, there, here, says, short_slices):
    path = tmp_path / "a.h5"
    run_sweep(shapes(), path, shard=there, threads=1, progress=StopAt(0.3))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(RunError, match=says):
        run_sweep(shapes(), path, shard=here)
    with pytest.raises(RunError, match=r"learning_rate is 0\.005 there and 0\.1 here"):
        run_sweep(shapes(learning_rate=0.1), path, shard=there)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert run_sweep(shapes(), path, shard=here, overwrite=True).status == "complete"
    assert not checkpoint_path(path).exists()


def test_a_stopped_shard_goes_on_and_a_rerun_does_only_what_is_missing(
    tmp_path, folder, short_slices
):
    paths = [tmp_path / f"s{i}.h5" for i in range(3)]
    experiment = shapes("records")
    assert run_sweep(experiment, paths[1], shard="1/3").status == "complete"
    for share, number in [(0.3, signal.SIGTERM), (0.7, signal.SIGINT)]:
        stopped = run_sweep(
            experiment, paths[2], shard="2/3", threads=1, progress=StopAt(share, number)
        )
        assert stopped.status == "interrupted"
    ended = [status == "complete" for status in open_trajectory(paths[2]).run_status]
    again = [run_sweep(experiment, path, shard=f"{i}/3", threads=2) for i, path in enumerate(paths)]
    assert [summary.already_complete for summary in again] == [False, True, False]
    assert sum(again[0].steps) == 40 * len(again[0].steps)
    assert [steps == 0 for steps in again[2].steps] == ended
    for i, path in enumerate(paths):
        one, other = open_trajectory(path), open_trajectory(folder / f"s{i}.h5")
        for name in NUMBERS:
            np.testing.assert_array_equal(one.variable(name), other.variable(name))
        for row in range(len(one.numbers)):
            np.testing.assert_array_equal(one.weights(row)[1], other.weights(row)[1])


def test_the_dry_run_of_a_shard_plans_its_runs(folder):
    plan = ["sweep", "--from", folder / "whole.h5", "--dry-run", "--json"]
    whole = json.loads(fracsim(*plan).out)
    parts = [json.loads(fracsim(*plan, "--shard", f"{i}/3").out) for i in range(3)]
    for key in ("runs", "steps", "records"):
        assert sum(part[key] for part in parts) == whole[key]
    refused = fracsim(
        "sweep", "--from", folder / "s0.h5", "--shard", "1/3", "-o", folder / "s0.h5", "--dry-run"
    )
    assert "holds shard 0/3, and shard 1/3 is asked for" in refused.sentence


def test_numbers_of_runs_are_those_of_the_experiment(folder):
    """What a user sees and gives is one number for one run, in whichever file it lies."""
    numbers = [str(number) for number in Part(shapes("records"), 1, 3).numbers]
    path = folder / "s1.h5"
    lines = fracsim("status", path, "--runs").out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("  run ")] == numbers
    rows = fracsim("export", path, "--variables", "width").out.splitlines()[1:]
    assert list(dict.fromkeys(row.split(",")[0] for row in rows)) == numbers
    from fracsim.networks.stored import load_network

    for number in map(int, numbers):
        shard, whole = load_network(path, number), load_network(folder / "whole.h5", number)
        assert shard.run == whole.run == number
        np.testing.assert_array_equal(shard.params, whole.params)
    absent = next(number for number in range(8) if str(number) not in numbers)
    with pytest.raises(UsageError, match=rf"--run {absent}: .* accepted: {', '.join(numbers)}"):
        load_network(path, absent)
    with pytest.raises(UsageError, match=rf"--snapshot 9: run {numbers[-1]} of"):
        load_network(path, int(numbers[-1]), 9)
