"""Fractals of many maps, in any dimension: their maps are arrays in the files, and every file reads
back as the fractal it was made with."""

import json

import h5py
import numpy as np
import pytest
from command_line import fracsim
from small_experiments import small

from fracsim.data.errors import FileError
from fracsim.data.maps import Maps, put_back, take_out
from fracsim.data.reader import open_trajectory
from fracsim.experiments.experiment import Experiment
from fracsim.fractals.fractal import Fractal, load_fractal
from fracsim.products.check import check_file
from fracsim.sweeps.sweep import run_sweep

FEW = {"fractal_depth": 1, "steps": 2, "record_every": 1, "train_points": 20, "test_points": 20}


def many_maps(side=22):
    """The TOML of side² maps in d = 2, with numbers of many digits."""
    scale = 1 / (3 * side)
    cells = [(2 * np.array([i, j]) + 1) / side - 1 for i in range(side) for j in range(side)]
    lines = ['name = "many"', 'base = "[-1,1]"']
    for cell in cells:
        a, b = (scale + 1e-9 * float(cell[0])), scale / 7
        offset = [float(value) / 1.1 for value in cell]
        lines += [
            "[[map]]",
            f"matrix = [[{a!r}, {b!r}], [{-b!r}, {a!r}]]",
            f"offset = {offset!r}",
        ]
    return "\n".join(lines)


def test_a_list_of_maps_is_taken_out_once_and_put_back():
    definition = load_fractal("cantor:7").to_dict()
    small = load_fractal("cantor:5").to_dict()
    plain = {"experiment": json.dumps({"fractals": {"a": small}}), "name": "x", "depth": 3}
    long = {
        "experiment": json.dumps({"fractals": {"a": definition, "b": definition}, "grid": {}}),
        "settings": json.dumps({"fractal_definition": json.dumps(definition), "width": 5}),
        "name": "x",
        "depth": 3,
    }
    assert take_out(plain) == (plain, [])
    kept, found = take_out(long)
    assert len(found) == 1
    assert found[0].matrix.shape == (128, 7, 7)
    assert max(len(str(text)) for text in kept.values()) < 1000
    assert put_back(kept, found.__getitem__) == long


def test_a_short_text_cannot_ask_for_many_copies():
    maps = Maps(np.zeros((4096, 40, 40)), np.zeros((4096, 40)))
    text = json.dumps({str(i): {"stored in": "maps/0"} for i in range(1000)})
    with pytest.raises(ValueError, match="too many maps"):
        put_back({"experiment": text}, lambda number: maps)


@pytest.mark.parametrize("fractal", ["cantor:7", "many.toml"])
def test_it_is_trained_and_goes_on_and_is_checked(fractal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "many.toml").write_text(many_maps())
    experiment = small(fractal=fractal, **FEW)
    (definition,) = experiment.fractals.values()
    assert len(json.dumps(definition)) > 30_000
    run_sweep(experiment, tmp_path / "a.h5")
    trajectory = open_trajectory(tmp_path / "a.h5")
    assert trajectory.experiment["fractals"] == experiment.fractals
    assert Experiment.from_json(str(trajectory.attributes["experiment"])).hash() == (
        experiment.hash()
    )
    assert check_file(tmp_path / "a.h5").complete
    with h5py.File(tmp_path / "a.h5") as root:
        assert root["maps/0/matrix"].shape[0] == len(definition["map"])
        assert len(root.attrs["experiment"]) < 10_000
    assert run_sweep(experiment, tmp_path / "a.h5").already_complete
    assert fracsim("sweep", "--from", "a.h5", "-o", "b.h5", "-q").code == 0
    for i in range(2):
        shards = small(fractal=fractal, crossed={"seed": (0, 1)}, **FEW)
        run_sweep(shards, tmp_path / f"s{i}.h5", shard=f"{i}/2")
    assert fracsim("merge", "s0.h5", "s1.h5", "-o", "m.h5").code == 0
    assert fracsim("check", "m.h5").code == 0


def test_samples_and_studies_keep_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sample = ("sample", "cantor:7", "--fractal-depth", 1, "--count", 50, "-o", "points.h5", "-q")
    assert fracsim(*sample).code == 0
    assert fracsim("check", "points.h5").code == 0
    with h5py.File("points.h5") as root:
        assert root["maps/0/offset"].shape == (128, 7)
    assert fracsim("bounds", "cantor:7", "--fractal-depth", 1, "-o", "bounds.h5", "-q").code == 0
    assert fracsim("check", "bounds.h5").code == 0
    again = fracsim("bounds", "--from", "bounds.h5", "-o", "again.h5", "-q")
    assert again.code == 0, again.err


def test_maps_that_are_not_there_are_a_sentence(tmp_path):
    run_sweep(small(fractal="cantor:7", **FEW), tmp_path / "a.h5")
    from trajectory_files import changed

    for change in (
        lambda root: root["maps"].pop("0"),
        lambda root: root["maps/0"].pop("offset"),
        lambda root: root.attrs.modify("experiment", '{"x": {"stored in": "maps/-1"}}'),
    ):
        with pytest.raises(FileError):
            open_trajectory(changed(tmp_path / "a.h5", change))
        run_sweep(small(fractal="cantor:7", **FEW), tmp_path / "a.h5", overwrite=True)


@pytest.mark.slow
def test_4096_maps_in_twelve_dimensions(tmp_path):
    run_sweep(small(fractal="cantor:12", **FEW), tmp_path / "a.h5")
    found = open_trajectory(tmp_path / "a.h5").experiment["fractals"]["cantor:12"]
    assert Fractal.from_dict(found).maps == 4096
