"""``fracsim regions`` and ``fracsim-plot regions`` as a user types them, wrong input included."""

import json
import re

import numpy as np
import pytest
from command_line import fracsim, run_group
from figure_files import experiment_of, write_file
from networks_of_regions import tent_power

from fracsim.data.studies import write_study
from fracsim.experiments.shard import make_part
from fracsim.fractals.fractal import load_fractal
from fracsim.networks.file import NETWORK
from fracsim.studies import STUDIES, open_study

SMALL = {"steps": 2000, "record_every": 500, "width": 10, "network_depth": 2, "fractal_depth": 2}
SMALL_BUT_WIDTH = {key: value for key, value in SMALL.items() if key != "width"}
RANDOM = [
    "regions",
    "--random",
    "--depth",
    "2",
    "--width",
    "8",
    "--bias-std",
    "0.5",
    "--points",
    "20",
]


def plot(*args):
    from fracsim.cli.plot import command

    return run_group(command, "fracsim-plot", *args)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_file(folder / "run.h5", experiment_of({}, "records", **SMALL))
    write_file(folder / "bare.h5", experiment_of({}, **SMALL))
    write_file(folder / "cube.h5", experiment_of({}, "final", fractal="cantor:3", **SMALL))
    shape, params = tent_power(4)
    write_study(
        folder / "tent.h5",
        NETWORK,
        {"params": params},
        {
            "input_dimension": 1,
            "network_depth": shape.depth,
            "width": shape.width,
            "fractal_depth": 2,
            "fractal_definition": json.dumps(load_fractal("cantor1d").to_dict()),
            "about": "tent",
        },
    )
    return folder


def counted(*args):
    done = fracsim(*args, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.mark.compiled
def test_the_command_of_the_readme(tmp_path):
    path = tmp_path / "regions.h5"
    facts = counted(
        "regions",
        "--random",
        "--inputs",
        2,
        "--depth",
        3,
        "--width",
        64,
        "--init",
        "he",
        "--bias-std",
        0.5,
        "--seed",
        0,
        "--window",
        "-1,1,-1,1",
        "-o",
        path,
    )
    assert facts["activation_regions"] == facts["linear_pieces"] == 9702  # regioncam finds as many
    assert set(facts["bounds"]) >= {"zaslavsky", "montufar", "serra", "paper"}
    assert facts["bounds"]["serra"] == 9011897441
    study = open_study(path, "regions")
    assert len(study.arrays["area"]) == study.attributes["activation_regions"] == 9702
    assert study.arrays["corner_count"].sum() == len(study.arrays["corners"])
    assert study.attributes["bounds_serra"] == "9011897441"
    for suffix in ("png", "pdf"):
        assert plot("regions", path, "-o", tmp_path / f"a.{suffix}").code == 0


def test_a_stored_network_in_the_base_of_its_fractal(folder, tmp_path):
    facts = counted("regions", folder / "run.h5", "-o", tmp_path / "plane.h5")
    assert facts["window"] == [-1.0, 1.0, -1.0, 1.0]
    assert facts == {
        **counted("regions", folder / "run.h5", "--window", "-1,1,-1,1", "--snapshot", "4"),
        "seconds": facts["seconds"],
        "output": facts["output"],
    }
    assert plot("regions", tmp_path / "plane.h5", "-o", tmp_path / "a.svg").code == 0


def test_a_constructed_network_on_its_interval(folder, tmp_path):
    facts = counted("regions", folder / "tent.h5", "-o", tmp_path / "line.h5")
    assert (facts["window"], facts["activation_regions"], facts["linear_pieces"]) == (
        [0.0, 1.0],
        16,
        16,
    )
    assert facts["average_case"]["breakpoints_per_length"] == 15
    assert open_study(tmp_path / "line.h5").arrays["end"].tolist() == [i / 16 for i in range(17)]
    assert plot("regions", tmp_path / "line.h5", "-o", tmp_path / "a.png").code == 0
    half = counted("regions", folder / "tent.h5", "--segment", "0,0.5")
    assert half["activation_regions"] == 8


def test_through_training(folder, tmp_path):
    path = tmp_path / "training.h5"
    facts = counted("regions", folder / "run.h5", "--snapshot", "all", "-o", path)
    assert [row["step"] for row in facts["snapshots"]] == [0, 500, 1000, 1500, 2000]
    assert facts["snapshots"][-1]["activation_regions"] == facts["activation_regions"]
    assert open_study(path).arrays["activation_regions"][-1] == facts["activation_regions"]
    assert plot("regions", path, "-o", tmp_path / "a.png").code == 0
    assert "1,500" in fracsim("regions", folder / "run.h5", "--snapshot", "all").out


def test_a_run_of_a_shard_is_named_by_its_number(tmp_path):
    """Its number in the experiment, not its row in the file: with --snapshot all, too."""
    experiment = experiment_of({"width": [3, 5, 7, 9]}, "records", **SMALL_BUT_WIDTH)
    write_file(tmp_path / "whole.h5", experiment)
    counts = {}
    for shard in ("0/2", "1/2"):
        write_file(tmp_path / "shard.h5", experiment, shard=shard)
        for number in make_part(experiment, shard).numbers:
            where = ["--run", number, "--snapshot", "all", "--points", 5]
            found, whole = (
                counted("regions", tmp_path / name, *where) for name in ("shard.h5", "whole.h5")
            )
            assert found["width"] == whole["width"] == experiment.runs[number].width
            assert found["snapshots"] == whole["snapshots"]
            counts[number] = found["width"]
    assert counts == {0: 3, 1: 5, 2: 7, 3: 9}


def test_random_lines_in_any_dimension(tmp_path):
    path = tmp_path / "lines.h5"
    facts = counted(*RANDOM, "--inputs", 7, "--lines", 300, "-o", path, "--threads", 2)
    assert facts["lines"] == 300
    arrays = open_study(path).arrays
    assert arrays["segment_regions"].sum() == facts["activation_regions"]
    lengths = np.linalg.norm(arrays["stop"] - arrays["start"], axis=1).sum()
    rate = facts["average_case"]["breakpoints_per_length"]
    assert rate == pytest.approx((facts["activation_regions"] - 300) / lengths)
    assert 0 < facts["average_case"]["standard_error"] < rate
    again = counted(*RANDOM, "--inputs", 7, "--lines", 300, "--threads", 1)
    assert again["activation_regions"] == facts["activation_regions"]
    assert plot("regions", path, "-o", tmp_path / "a.png").code == 0


@pytest.mark.compiled
def test_words(folder):
    out = fracsim(*RANDOM).out
    assert re.search(r"\d activation regions in the window, \d+ linear pieces", out)
    assert "Zaslavsky" in out
    assert (
        "10^"
        in fracsim(
            "regions",
            "--random",
            "--depth",
            300,
            "--width",
            100,
            "--points",
            1,
            "--segment",
            "0,0,1e-3,0",
        ).out
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run.h5", "--window", "1,1,-1,1"], 2, "window 1,1,-1,1: .*less than its high"),
        (["run.h5", "--window", "-1,1"], 2, "2 inputs needs 4 numbers, low1,high1,low2,high2"),
        (["run.h5", "--window", "-1,nan,-1,1"], 2, "--window.*finite numbers"),
        (["run.h5", "--window", "a"], 2, "--window.*finite numbers"),
        (["run.h5", "--segment", "0,0,1"], 2, "--segment has 3 numbers.*needs 4"),
        (["run.h5", "--segment", "0,0,0,0"], 2, "two different"),
        (["run.h5", "--segment", "0,0,1,1", "--lines", "5"], 2, "not both"),
        (["run.h5", "--lines", "0"], 2, "--lines"),
        (["--random", "--inputs", "4"], 2, "4 inputs.*box of 2 or 3 dimensions.*--lines"),
        (["cube.h5", "--along", "distance"], 2, "d ≤ 2, and cantor:3 has d = 3"),
        (["run.h5", "--along", "distance", "--segment", "0,0,1,1"], 2, "no --segment"),
        (["bare.h5"], 1, "no weights"),
        (["missing.h5"], 1, "missing.h5"),
        (["run.h5", "--run", "3"], 2, "--run 3"),
        (["run.h5", "--snapshot", "9"], 2, "--snapshot 9: run 0 .*has 5 snapshots"),
        (["run.h5", "--snapshot", "last"], 2, "--snapshot last.*accepted"),
        (["tent.h5", "--snapshot", "all"], 2, "no training"),
        (["run.h5", "--width", "5"], 2, "--width.*--random"),
        (["run.h5", "--random"], 2, "not both"),
        ([], 2, "FILE.*--random"),
        (["--random", "--init", "hee"], 2, "did you mean 'he'"),
        (["--random", "--bias-std", "-1"], 2, "bias_std|bias-std"),
        (["--random", "--bias", "nan"], 2, "--bias.* is nan"),
        (["run.h5", "-o", "nowhere/a.h5"], 1, "nowhere"),
        (["run.h5", "-o", "bare.h5"], 1, "exists already.*--overwrite"),
    ],
)
def test_bad_input(folder, monkeypatch, arguments, code, says):
    monkeypatch.chdir(folder)
    done = fracsim("regions", *arguments)
    assert re.search(says, done.sentence), done.err
    assert done.code == code


def test_more_regions_than_memory(monkeypatch):
    monkeypatch.setattr("fracsim.studies.regions.regions.most_regions", lambda bytes_each: 10)
    done = fracsim(*RANDOM)
    assert (done.code, "more than 10 regions in the window" in done.sentence) == (1, True)
    assert (
        "more than 10 regions on a segment"
        in fracsim(*RANDOM, "--window", "-9,9,-9,9", "--lines", 20).sentence
    )
    assert (
        "more than 10 regions on the segment" in fracsim(*RANDOM, "--segment", "-9,-9,9,9").sentence
    )


def test_figures_say_what_they_cannot_draw(folder, tmp_path):
    done = plot("regions", folder / "tent.h5", "-o", tmp_path / "a.png")
    assert (done.code, "'network', not 'regions'" in done.sentence) == (1, True)
    write_study(tmp_path / "empty.h5", STUDIES["regions"].format, {}, {})
    assert (
        "no regions that could be drawn"
        in plot("regions", tmp_path / "empty.h5", "-o", tmp_path / "a.png").sentence
    )
