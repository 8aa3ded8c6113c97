"""Study files written, read back and refused."""

import os

import h5py
import numpy as np
import pytest
import xarray

from fracsim.data.errors import FileError
from fracsim.data.samples import write_samples
from fracsim.data.studies import read_study, write_study
from fracsim.networks.file import NETWORK

ARRAYS = {
    "params": np.linspace(-1, 1, 9),
    "level": np.arange(4),
    "errors": np.zeros(4, int),
    "samples": np.arange(4),
}


def test_a_study_comes_back(tmp_path):
    path = tmp_path / "net.h5"
    write_study(path, NETWORK, ARRAYS, {"about": "a test", "width": 3})
    study = read_study(path, NETWORK)
    assert study.kind == "network"
    assert set(study.arrays) == set(ARRAYS)
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(study.arrays[name], values)
    assert study.attributes == {
        "format": "fracsim-study",
        "format_version": 1,
        "study": "network",
        "about": "a test",
        "width": 3,
    }
    assert os.listdir(tmp_path) == ["net.h5"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_opens_a_study(tmp_path, engine):
    write_study(tmp_path / "net.h5", NETWORK, ARRAYS, {})
    with xarray.open_dataset(tmp_path / "net.h5", engine=engine) as data:
        data.load()
    assert dict(data.sizes) == {"parameter": 9, "level": 4}
    assert data.errors.dims == ("level",)
    assert data.level.values.tolist() == [0, 1, 2, 3]
    assert all(
        variable.attrs["units"] and variable.attrs["long_name"]
        for variable in data.variables.values()
    )


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"weights": np.zeros(3)}, "has no weights"),
        ({**ARRAYS, "errors": np.zeros(5)}, "'errors' has 5 values along 'level'"),
        ({"params": np.zeros((2, 2))}, r"'params' has the axes \(parameter\)"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, sentence):
    with pytest.raises(ValueError, match=sentence):
        write_study(tmp_path / "net.h5", NETWORK, arrays, {})
    assert os.listdir(tmp_path) == []


def test_other_files_are_refused(tmp_path):
    write_samples(tmp_path / "points.h5", np.zeros((3, 2)), [1, 1, 1], [0, 0, 0], {})
    with pytest.raises(FileError, match="holds samples, not a study of kind 'network'"):
        read_study(tmp_path / "points.h5", NETWORK)
    path = tmp_path / "net.h5"
    write_study(path, NETWORK, ARRAYS, {})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileError, match="damaged"):
        read_study(path, NETWORK)
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "fracsim-study"
    with pytest.raises(FileError, match=r"not one of fracsim's|damaged"):
        read_study(path, NETWORK)
