"""Sample files: points with their labels and levels, written whole and read whole."""

import os
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import h5py
import numpy as np

from fracsim.data import layout, schema, trailer
from fracsim.data.atomic import replacing
from fracsim.data.errors import FileError
from fracsim.data.reader import kind_of
from fracsim.data.untrusted import Inspector, Opened, opened


class Samples(NamedTuple):
    """x (N, d) float64, y (N,) int8 of +1 and -1, level (N,) int16, attributes of the file."""

    x: np.ndarray
    y: np.ndarray
    level: np.ndarray
    attributes: dict[str, str | int | float]


def _slice(values: np.ndarray, first: int, end: int) -> np.ndarray:
    return values[first:end]


def write_samples(
    path: str | os.PathLike[str],
    x: np.ndarray,
    y: np.ndarray,
    level: np.ndarray,
    attributes: Mapping[str, str | int | float],
) -> None:
    """Store x (N, d), y (N,), level (N,) in place of whatever `path` held.

    The new file appears when it is whole. Raises FileError where it cannot be written, ValueError
    for arrays that do not fit together or attributes that are not text, int or float."""
    arrays = {
        "x": np.asarray(x, "<f8"),
        "y": np.asarray(y, "|i1"),
        "level": np.asarray(level, "<i2"),
    }
    count = len(arrays["x"])
    if arrays["x"].ndim != 2 or arrays["y"].shape != (count,) or arrays["level"].shape != (count,):
        raise ValueError(
            f"x (N, d), y (N,), level (N,) needed; given {[a.shape for a in arrays.values()]}"
        )
    with replacing(path) as file:
        with h5py.File(file, "w", libver=layout.LIBVER) as root:
            layout.store_attributes(
                root,
                {
                    "format": schema.SAMPLES_FORMAT,
                    "format_version": schema.SAMPLES_VERSION,
                    **attributes,
                },
            )
            scales = {
                "point": layout.bare_scale(root, "point", count),
                "dim": layout.bare_scale(root, "dim", arrays["x"].shape[1]),
            }
            for variable in schema.SAMPLES:
                values = arrays[variable.name]
                if (
                    variable.name == "x" or count == 0
                ):  # random digits: gzip would cost seconds and gain little
                    dataset = root.create_dataset(variable.name, data=values)
                else:
                    rows = partial(_slice, values)
                    dataset = layout.compressed(
                        root, variable.name, values.shape, values.dtype, rows
                    )
                layout.describe(dataset, variable, scales)
        file.check()
        trailer.append(file.fd)


def read_samples(path: str | os.PathLike[str]) -> Samples:
    """Read a sample file. Raises FileError, one sentence, for whatever is wrong with it."""
    with opened(path) as file:
        if (kind := kind_of(file)) != "samples":
            raise FileError(f"'{file.name}' holds a {kind}, not samples")
        return load_samples(file)


def load_samples(file: Opened) -> Samples:
    """All of an opened sample file. Raises FileError."""
    inspector = Inspector(file)
    inspector.members(file.root)
    x = inspector.numbers(file.root, "x", (None, None), "<f8")
    y = inspector.numbers(file.root, "y", (len(x),), "|i1")
    level = inspector.numbers(file.root, "level", (len(x),), "<i2")
    return Samples(x, y, level, inspector.root_attributes())
