"""What others see: xarray without arguments or warnings, plain h5py, and the promises of the
documentation."""

import re

import h5py
import numpy as np
import pytest
import trajectory_files as files
import xarray
from places import TOP

from fracsim.data import schema
from fracsim.data.provenance import provenance
from fracsim.data.samples import write_samples
from fracsim.data.schema import RECORDS

pytestmark = pytest.mark.filterwarnings("error")
ENGINES = pytest.mark.parametrize("engine", [None, "h5netcdf", "netcdf4"])


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """One file of each kind."""
    folder = tmp_path_factory.mktemp("files")
    attributes = {"experiment": '{"name": "x"}', **provenance("fracsim train")}
    files.finished(folder / "complete.h5", attributes=attributes)
    with files.create(folder / "interrupted.h5", attributes=attributes) as writer:
        files.fill(writer, 2)
        writer.finish("interrupted")
    with files.create(folder / "running.h5", attributes=attributes) as writer:
        files.fill(writer, 2)
    x = np.linspace(-1, 1, 2000).reshape(1000, 2)
    write_samples(
        folder / "points.h5", x, np.where(x[:, 0] > 0, 1, -1), np.arange(1000) % 6, attributes
    )
    return folder


@ENGINES
@pytest.mark.parametrize("name", ["complete", "interrupted", "running"])
def test_xarray_opens_a_trajectory(paths, name, engine):
    with xarray.open_dataset(
        paths / f"{name}.h5", **({"engine": engine} if engine else {})
    ) as data:
        data.load()
    assert dict(data.sizes) == {"run": 3, "step": 4, "level": 3, "layer": 3}
    for variable in (*RECORDS, *schema.PROGRESS):
        assert data[variable.name].dims == variable.dims
        assert data[variable.name].dtype == np.dtype(variable.dtype)
    assert data.step.values.tolist() == files.STEPS
    assert data.layer.values.tolist() == [1, 2, 3]
    assert data.level.values.tolist() == [0, 1, 2]
    assert data.fractal.values.tolist() == files.RUNS["fractal"]  # text, not bytes
    assert data.seed.values.tolist() == files.RUNS["seed"]
    assert np.isnan(data.gradient_norm.values[0, 0]).tolist() == [False, False, True]
    assert float(data.test_loss.sel(step=20)[1]) == files.record(1, 1)["test_loss"]
    assert data.attrs["status"] == name
    assert data.attrs["format"] == "fracsim-trajectory"
    assert data.attrs["job_id"] == ""
    assert data.run_status.attrs["flag_meanings"].split() == list(schema.RUN_STATUS)
    assert data.run_status.attrs["flag_values"].tolist() == [0, 1, 2, 3]
    for variable in data.variables.values():
        assert variable.attrs["units"]
        assert variable.attrs["long_name"]


@ENGINES
def test_xarray_opens_the_weights(paths, engine):
    with xarray.open_dataset(
        paths / "complete.h5", group="weights/T1_k3_d2", engine=engine
    ) as data:
        data.load()
    assert dict(data.sizes) == {"run": 2, "snapshot": 2, "parameter": 13}
    assert data.run.values.tolist() == [0, 2]
    assert data.snapshot.values.tolist() == [20, 40]
    np.testing.assert_array_equal(data.params.sel(run=2, snapshot=40), files.params(2, 1))
    assert data.attrs["layer_sizes"] == "2 -> 3 -> 1"
    assert [data.attrs[name] for name in ("input_dimension", "network_depth", "width")] == [2, 1, 3]
    assert data.attrs["layout"] == schema.PARAMETER_LAYOUT


@ENGINES
def test_xarray_opens_samples(paths, engine):
    with xarray.open_dataset(paths / "points.h5", engine=engine) as data:
        data.load()
    assert dict(data.sizes) == {"point": 1000, "dim": 2}
    assert set(data.data_vars) == {"x", "y", "level"}
    assert (data.x.dims, data.y.dims, data.level.dims) == (("point", "dim"), ("point",), ("point",))
    assert (data.x.dtype, data.y.dtype, data.level.dtype) == (np.float64, np.int8, np.int16)
    assert data.level.values.tolist() == [j % 6 for j in range(1000)]
    assert all(
        variable.attrs["units"] and variable.attrs["long_name"]
        for variable in data.variables.values()
    )


@pytest.mark.parametrize("name", ["complete", "interrupted", "running", "points"])
def test_every_axis_of_every_dataset_has_a_scale(paths, name):
    def check(_, node):
        if isinstance(node, h5py.Dataset) and not node.is_scale:
            assert [len(axis) for axis in node.dims] == [1] * node.ndim, node.name

    with h5py.File(paths / f"{name}.h5", locking=False) as root:
        root.visititems(check)


def test_finished_files_are_compressed_and_running_ones_are_not(paths):
    with h5py.File(paths / "complete.h5") as root:
        for data in (root["test_accuracy_by_level"], root["weights/T2_k3_d2/params"]):
            assert (data.compression, data.compression_opts, data.shuffle, data.fletcher32) == (
                "gzip",
                1,
                True,
                True,
            )
    with h5py.File(paths / "running.h5") as root:
        for variable in RECORDS:
            data = root[variable.name]
            assert (data.chunks, data.compression) == (None, None)
            assert data.id.get_storage_size() == data.nbytes  # every byte is there from the start
            assert np.isnan(data.fillvalue)


def test_the_documentation_names_everything():
    """docs/file-format.md lists every variable, dimension, column and state under its name."""
    text = (TOP / "docs" / "file-format.md").read_text()
    named = set(re.findall(r"`([A-Za-z_0-9]+)`", text))
    variables = (
        *schema.DIMENSIONS.values(),
        *schema.EVERY_RECORD,
        *schema.PROGRESS,
        *schema.WEIGHTS,
        *schema.SAMPLES,
    )
    expected = {v.name for v in variables}.union(
        schema.BARE_DIMENSIONS, schema.COLUMNS, schema.RUN_STATUS, schema.FILE_STATUS
    )
    assert expected - named == set()
    assert set(provenance()) - named == set()


def test_provenance_keeps_secrets(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    found = provenance("fracsim train -o run.h5")
    assert all(isinstance(value, str) for value in found.values())
    assert (found["job_id"], found["command"]) == ("4711", "fracsim train -o run.h5")
    assert found["software"].startswith("fracsim ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["created"])
    assert "hunter2" not in str(found)
