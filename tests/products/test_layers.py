"""Layers are counted from 1 in every place that numbers them: hidden ones first, the readout last.
Older files, which begin with 0, say the same."""

import json
import tarfile

import h5py
import numpy as np
import pytest
import trajectory_files as files
from command_line import fracsim
from places import TOP

from fracsim.data import schema
from fracsim.data.errors import FileError
from fracsim.data.reader import open_trajectory
from fracsim.data.trailer import append
from fracsim.figures.xy import Request, draw_runs
from fracsim.products.runs import load_runs

LAYERS = [1, 2, 3]


def exported(path):
    header = fracsim("export", path, "--variables", "gradient_norm").out.partition("\n")[0]
    return [int(name.rpartition("_")[2]) for name in header.split(",") if name[-1].isdigit()]


def exported_long(path):
    rows = fracsim("export", path, "--variables", "gradient_norm", "--long").out.splitlines()[1:]
    return sorted({int(row.split(",")[3]) for row in rows})


def drawn(path):
    figure = draw_runs(load_runs(path), Request(x="layer", y="gradient_norm"))
    return sorted({int(x) for axes in figure.axes for line in axes.lines for x in line.get_xdata()})


def tabulated(path):
    columns = open_trajectory(path).to_pandas().columns
    return [int(name.rpartition("_")[2]) for name in columns if name.startswith("gradient_norm_")]


def labelled(path):
    return open_trajectory(path).to_xarray().layer.values.tolist()


def by_name(path):
    """The numbers j whose gradient_norm[j] some run has."""
    runs = load_runs(path)
    found = {j: runs.values(f"gradient_norm[{j}]", "last") for j in range(6)}
    whole = runs.values("gradient_norm", "last")
    for j in LAYERS[: whole.shape[1]]:
        np.testing.assert_array_equal(found[j], whole[:, j - 1])
    return [j for j, values in found.items() if np.isfinite(values).any()]


PLACES = [exported, exported_long, drawn, labelled, by_name]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A file as it is written today."""
    return files.finished(tmp_path_factory.mktemp("layers") / "run.h5")


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """One of version 1, of two hidden layers, which counts 0, 1, 2."""
    folder = tmp_path_factory.mktemp("layers")
    with tarfile.open(TOP / "tests/data/version_1/files.tar.xz") as archive:
        archive.extract("whole.h5", folder, filter="data")
    with h5py.File(folder / "whole.h5") as root:
        assert root["layer"][...].tolist() == [0, 1, 2]
    return folder / "whole.h5"


@pytest.mark.parametrize("place", PLACES)
def test_layers_are_counted_from_1(three, older, place):
    assert place(three) == LAYERS
    assert place(older) == LAYERS


def test_the_axis_of_a_file(three):
    with h5py.File(three) as root:
        assert root["layer"][...].tolist() == LAYERS
        assert root["level"][...].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("first", "read"), [(0, True), (1, True), (2, False), (-1, False)])
def test_files_that_begin_with_0_stay_readable(three, tmp_path, first, read):
    path = tmp_path / "run.h5"
    path.write_bytes(three.read_bytes()[:-64])
    with h5py.File(path, "r+") as root:
        root["layer"][...] = np.arange(3) + first
    with path.open("r+b") as file:
        append(file.fileno())
    if read:
        assert by_name(path) == labelled(path) == LAYERS
    else:
        with pytest.raises(FileError, match="its axis 'layer' does not count from 1"):
            open_trajectory(path)


def test_the_figure_of_a_training_names_them_so(three):
    from fracsim.figures.training import draw

    figure = draw(load_runs(three))
    words = {text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text"))}
    assert {word for word in words if word.startswith("layer ")} <= {f"layer {j}" for j in LAYERS}


def test_switches_of_a_segment(tmp_path):
    """Crossed layers are 1..T, 0 where no unit changes sign: at both ends."""
    path = tmp_path / "line.h5"
    options = "--random --inputs 1 --depth 2 --width 5 --bias-std 0.5 -q".split()  # noqa: SIM905
    assert fracsim("regions", *options, "-o", path).code == 0
    with h5py.File(path) as root:
        layers = root["crossed_layer"][...]
    assert (layers[0], layers[-1]) == (0, 0)
    assert set(layers[1:-1]) == {1, 2}
    facts = json.loads(fracsim("regions", *options, "--draws", "2", "--json").out)
    assert len(facts["switches_by_layer"]) == 2


def test_every_record_by_layer_is_numbered_so():
    assert {one.name for one in schema.EVERY_RECORD if "layer" in one.dims} == {
        "gradient_norm",
        "inactive_units",
    }
