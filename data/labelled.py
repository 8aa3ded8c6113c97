"""A trajectory as others hold labelled arrays: xarray's and pandas' objects, and a line of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fracsim.data import schema

if TYPE_CHECKING:
    import pandas
    import xarray

Arrays = Mapping[str, np.ndarray]


def to_dataset(
    axes: Arrays, runs: Arrays, progress: Arrays, variables: Arrays, attributes: Mapping[str, Any]
) -> xarray.Dataset:
    """`axes`: the coordinates by dimension; `runs`: settings, which are coordinates of `run`;
    `progress`: of `schema.PROGRESS`; `variables`: the recorded ones. Raises ModuleNotFoundError."""
    package = _package("xarray", "to_xarray")
    known = {one.name: one for one in (*schema.EVERY_RECORD, *schema.PROGRESS)}
    data = {
        name: (known[name].dims, values, _about(known[name]))
        for name, values in {**progress, **variables}.items()
    }
    codes = {
        "flag_values": np.arange(len(schema.RUN_STATUS), dtype="|i1"),
        "flag_meanings": " ".join(schema.RUN_STATUS),
    }
    data["run_status"][2].update(codes)
    coordinates: dict[str, Any] = {
        name: (name, values, _about(schema.DIMENSIONS[name])) for name, values in axes.items()
    }
    for name, values in runs.items():
        words = schema.COLUMNS.get(name, name.replace("_", " "))
        coordinates[name] = ("run", values, {"units": "1", "long_name": words})
    dataset: xarray.Dataset = package.Dataset(data, coordinates, dict(attributes))
    return dataset


def to_frame(axes: Arrays, runs: Arrays, done: np.ndarray, variables: Arrays) -> pandas.DataFrame:
    """One row per record, with an index of run and step; the settings, then the variables, of
    which those by level or layer are a column for each. Raises ModuleNotFoundError."""
    package = _package("pandas", "to_pandas")
    there = np.arange(len(axes["step"])) < done[:, None]
    rows, records = np.nonzero(there)
    columns = {name: values[rows] for name, values in runs.items()}
    dims = {one.name: one.dims for one in schema.EVERY_RECORD}
    for name, values in variables.items():
        found = values[there]
        if found.ndim == 1:
            columns[name] = found
        else:
            first = schema.FIRST_NUMBER.get(dims[name][-1], 0)
            columns |= {f"{name}_{first + j}": found[:, j] for j in range(found.shape[1])}
    keys = [axes["run"][rows], axes["step"][records]]
    index = package.MultiIndex.from_arrays(keys, names=["run", "step"])
    frame: pandas.DataFrame = package.DataFrame(columns, index)
    return frame


def line_of(path: str, status: str, axes: Arrays, runs: Arrays) -> str:
    """A file in a line: what it is, how many runs and records, and what differs between runs."""
    count, steps = len(axes["run"]), axes["step"]
    varied = [name for name, values in runs.items() if len(np.unique(values)) > 1]
    shown = ", ".join(varied[:6]) + (", …" if len(varied) > 6 else "")
    return (
        f"<Trajectory {path!r}: {status}, {count} run{'s' if count != 1 else ''}, {len(steps)} "
        f"records to step {int(steps[-1])}{f'; varied: {shown}' if varied else ''}>"
    )


def _about(variable: schema.Variable) -> dict[str, Any]:
    return {"units": variable.units, "long_name": variable.long_name}


def _package(name: str, method: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModuleNotFoundError(
            f"{method} needs the package {name}, which is not installed here: pip install {name}",
            name=name,
        ) from None
