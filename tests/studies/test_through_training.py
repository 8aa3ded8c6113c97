"""``lengths``, ``moments`` and ``regions --along cells`` of all snapshots of a training."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from command_line import fracsim
from figure_files import experiment_of, write_file

from fracsim.cli.plot import command
from fracsim.data.reader import open_trajectory
from fracsim.data.untrusted import opened
from fracsim.kernels.network.shape import Shape
from fracsim.networks.initial import initial_parameters
from fracsim.networks.snapshots import snapshots_of
from fracsim.studies.regions.subjects import stored_subjects

EXPERIMENT = """
description = "a small training, weights at every record"
weights = "records"
fractal = "cantor"
fractal_depth = 2
network_depth = 2
width = 8
initialisation = "he-uniform"
weight_std = 1.2
bias_std = 0.1
train_points = 500
test_points = 200
steps = 60
record_every = 20
seed = 3
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.toml").write_text(EXPERIMENT)
    result = fracsim("sweep", folder / "small.toml", "-o", folder / "run.h5", "-q")
    assert result.code == 0, result.err
    return folder / "run.h5"


def test_snapshots_begin_with_the_network_as_it_was_drawn(trained):
    found = snapshots_of(str(trained), None, "all")
    assert [one.step for one in found] == [0, 20, 40, 60]
    drawn = initial_parameters(Shape(2, (8, 8)), "he-uniform", 3, bias_std=0.1, weight_std=1.2)
    np.testing.assert_array_equal(found[0].params, drawn)
    assert not any(np.isnan(one.score) for one in found)


def test_all_snapshots_are_read_in_one_opening_of_the_file(trained, monkeypatch):
    trajectory = open_trajectory(trained)
    one_by_one = [trajectory.weights(0, snapshot)[1] for snapshot in range(4)]
    openings = []

    def counted(path):
        openings.append(path)
        return opened(path)

    for room in ("trajectory", "reader"):
        monkeypatch.setattr(f"fracsim.data.{room}.opened", counted)
    for read in (snapshots_of, stored_subjects):
        openings.clear()
        found = read(str(trained), None, "all")
        for one, params in zip(found, one_by_one, strict=True):
            np.testing.assert_array_equal(one.params, params)
        assert len(openings) == 3  # what kind it is, the records, the weights


@pytest.mark.parametrize(
    ("study", "options", "names"),
    [
        ("lengths", ["--along", "cells"], {"ratio_by_level": (4, 3, 2)}),
        ("moments", ["--points", 50], {"mean_by_level": (4, 3, 2)}),
        ("regions", ["--along", "cells", "--lines", 20], {"rate_by_level": (4, 3), "rate": (4,)}),
        ("regions", ["--along", "distance", "--lines", 3000], {"density": (4,)}),
    ],
)
def test_measures_by_level_and_their_figures(trained, tmp_path, study, options, names):
    from fracsim.studies import open_study

    path = tmp_path / "s.h5"
    result = fracsim(study, trained, "--snapshot", "all", *options, "--json", "-o", path)
    assert (result.code, result.err) == (0, "")
    json.loads(result.out)
    arrays = open_study(path, study).arrays
    for name, shape in names.items():
        assert arrays[name].shape == shape
        assert np.isfinite(arrays[name]).all()
        assert (arrays[name] >= 0).all()  # of few lines none may meet a breakpoint
        assert (arrays[name] > 0).any()
    for size in ([], ["--size", "3.4x4.5"]):
        drawn = CliRunner().invoke(
            command, [study, str(path), "-o", str(tmp_path / "s.png"), *size]
        )
        assert drawn.exit_code == 0, drawn.output


def test_the_borders_of_level_0_are_the_border_of_the_square(trained):
    result = fracsim("lengths", trained, "--along", "cells", "--json")
    (snapshot,) = json.loads(result.out)["snapshots"]
    lengths = [one["input_length"] for one in snapshot["levels"]]
    assert lengths == pytest.approx([8, 32 / 3, 128 / 9])


def test_borders_blown_up_are_a_control(trained, tmp_path):
    """Longer by the factor; the file and its figure say by how much."""
    from fracsim.studies import open_study

    own = json.loads(fracsim("lengths", trained, "--along", "cells", "--json").out)
    path = tmp_path / "control.h5"
    words = ["--along", "cells", "--scale", 1.5, "--snapshot", "all", "--json", "-o", path]
    done = fracsim("lengths", trained, *words)
    assert done.code == 0, done.err
    control = json.loads(done.out)
    assert control["scale"] == open_study(path).attributes["scale"] == 1.5
    for one, other in zip(
        own["snapshots"][-1]["levels"], control["snapshots"][-1]["levels"], strict=True
    ):
        assert other["input_length"] == pytest.approx(1.5 * one["input_length"])
    figure = str(tmp_path / "c.png")
    drawn = CliRunner().invoke(command, ["lengths", str(path), "-o", figure])
    assert drawn.exit_code == 0, drawn.output


@pytest.mark.parametrize("study", ["lengths", "moments", "regions"])
def test_a_trajectory_without_weights_is_refused_in_one_sentence(study, tmp_path):
    write_file(tmp_path / "bare.h5", experiment_of({}, steps=1000, record_every=500, width=8))
    result = fracsim(study, tmp_path / "bare.h5", "--snapshot", "all")
    assert result.code == 1
    assert "weights" in result.err
    assert result.err.count("\n") == 1


def test_a_file_without_snapshots_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "net.h5"
    made = fracsim("construct", "cantor", "--fractal-depth", 1, "--count", 10, "-o", path, "-q")
    assert made.code == 0, made.err
    for study in ("lengths", "moments", "regions"):
        result = fracsim(study, path, "--snapshot", "all")
        assert result.code == 2
        assert "a constructed network has no training; accepted is a trajectory" in result.err
        assert result.err.count("\n") == 1
