"""A trajectory as xarray's and pandas' objects, and as a line."""

import importlib
import io

import pandas
import pytest
import trajectory_files as files
import xarray
from command_line import fracsim

from fracsim.data.reader import open_trajectory


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    files.finished(folder / "complete.h5")
    with files.create(folder / "running.h5") as writer:
        files.fill(writer, 2)
    return folder


@pytest.mark.parametrize("name", ["complete", "running"])
def test_xarray_is_what_it_reads_from_the_file(paths, name):
    ours = open_trajectory(paths / f"{name}.h5").to_xarray()
    with xarray.open_dataset(paths / f"{name}.h5") as theirs:
        theirs.load()
        xarray.testing.assert_identical(
            ours.reset_coords().drop_attrs(deep=False), theirs.reset_coords().drop_attrs(deep=False)
        )
        assert ours.attrs == {key: theirs.attrs[key] for key in ours.attrs}
    assert "seed" in ours.coords
    assert ours.test_accuracy.dims == ("run", "step")


@pytest.mark.parametrize("name", ["complete", "running"])
def test_pandas_is_what_it_reads_of_an_export(paths, name):
    ours = open_trajectory(paths / f"{name}.h5").to_pandas()
    code, out, _ = fracsim("export", paths / f"{name}.h5")
    assert code == 0
    theirs = pandas.read_csv(io.StringIO(out), index_col=["run", "step"])
    texts = ours.select_dtypes("str").columns
    theirs[texts] = theirs[texts].astype("object").fillna("").astype("str")
    assert list(ours.columns) == list(theirs.columns)
    pandas.testing.assert_frame_equal(ours, theirs, check_dtype=False, check_column_type=False)


@pytest.mark.parametrize(("package", "method"), [("xarray", "to_xarray"), ("pandas", "to_pandas")])
def test_a_missing_package_is_named(paths, monkeypatch, package, method):
    def absent(name, *rest):
        if name == package:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name, *rest)

    real = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ModuleNotFoundError, match=f"{method} needs the package {package}"):
        getattr(open_trajectory(paths / "complete.h5"), method)()


def test_a_trajectory_is_a_line(paths):
    text = repr(open_trajectory(paths / "running.h5"))
    assert text.startswith("<Trajectory '")
    assert "running, 3 runs, 4 records to step " in text
    assert "\n" not in text
    assert len(text) < 300 + len(str(paths))
