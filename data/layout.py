"""A trajectory file built from its plan: preallocated for a running writer, or compressed from
finished data.

The same code makes both, so that a finished file differs from a running one in storage only.
"""

import os
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

import h5py
import numpy as np

from fracsim.data import journal, maps, schema, trailer
from fracsim.data.atomic import AtomicFile, read_at, replacing
from fracsim.data.plan import Plan, attribute_error
from fracsim.data.schema import Variable

# The oldest format every tool reads; with "latest" a killed writer leaves a file that does not
# open.
LIBVER = ("earliest", "v110")
_CHUNK_BYTES = 1 << 20
_BARE_SCALE = "This is a netCDF dimension but not a netCDF variable.{:>10}"  # netCDF-4's own mark


class Place(NamedTuple):
    """Where one contiguous dataset lies in the file."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype


Source = Callable[[str, int, int], np.ndarray]  # (path of the dataset, first row, end row) -> rows


def build(
    file: AtomicFile, plan: Plan, status: str, source: Source | None = None
) -> dict[str, Place]:
    """Write the whole structure; without `source` preallocated and empty, with it compressed and
    filled.

    Returns where every preallocated dataset lies (empty with `source`).
    """
    places: dict[str, Place] = {}
    with h5py.File(file, "w", libver=LIBVER) as root:
        set_attributes(root, {"format": schema.FORMAT, "format_version": plan.version})
        root.attrs.create("status", *_fixed_text(status))
        store_attributes(root, plan.attributes)
        scales = {
            "run": _scale(root, "run", plan.numbers),
            "step": _scale(root, "step", plan.steps),
            "level": _scale(root, "level", schema.numbers("level", plan.levels)),
            "layer": _scale(root, "layer", schema.numbers("layer", plan.layers, plan.version)),
        }
        for name, values in plan.runs.items():
            _column(root, name, values, scales["run"])
        for variable in (*schema.PROGRESS, *plan.records):
            _dataset(root, variable, scales, source, places)
            if plan.version > 1:  # by CF's rule: xarray makes coordinates of them
                set_attributes(root[variable.name], {"coordinates": " ".join(plan.runs)})
        names = root["run_status"].attrs
        names["flag_values"] = np.arange(len(schema.RUN_STATUS), dtype="|i1")
        names["flag_meanings"] = " ".join(schema.RUN_STATUS)
        for name, group in plan.weights.items():
            _weights(
                root.create_group(f"weights/{name}"), name, group, plan.numbers, source, places
            )
    return places


def write_finished(
    path: str | os.PathLike[str], plan: Plan, source: Source, consequence: str = ""
) -> None:
    """A complete file from this plan, whole or not at all. Raises FileError, which ends with
    `consequence`."""
    with replacing(path, consequence) as file:
        build(file, plan, "complete", source)
        file.check()
        trailer.append(file.fd)


def find_places(root: h5py.File, plan: Plan) -> dict[str, Place]:
    """Where every preallocated dataset lies in a running file made from this plan. Raises
    ValueError for another."""
    sizes = {
        "run": plan.run_count,
        "step": len(plan.steps),
        "level": plan.levels,
        "layer": plan.layers,
    }
    wanted = {
        f"/{variable.name}": (tuple(sizes[dim] for dim in variable.dims), np.dtype(variable.dtype))
        for variable in (*schema.PROGRESS, *plan.records)
    }
    for name, group in plan.weights.items():
        rows = len(group.runs)
        wanted[f"/weights/{name}/snapshots_done"] = ((rows,), np.dtype("<i8"))
        wanted[f"/weights/{name}/params"] = (
            (rows, len(group.snapshots), group.parameters),
            np.dtype(group.dtype).newbyteorder("<"),
        )
    places = {}
    for name, (shape, dtype) in wanted.items():
        found = root.get(name)
        if (
            not isinstance(found, h5py.Dataset)
            or found.shape != shape
            or found.dtype != dtype
            or found.chunks
        ):
            raise ValueError(f"'{name}' is not as this experiment makes it")
        offset = found.id.get_offset()
        if offset is None:
            raise ValueError(f"'{name}' has no place in the file")
        places[name] = Place(offset, shape, dtype)
    return places


def set_status(file: AtomicFile, status: str) -> None:
    """Change the `status` attribute of a file of version 1 in place (its length is fixed, so no
    other byte moves)."""
    with h5py.File(file, "r+", libver=LIBVER) as root:
        value, _, dtype = _fixed_text(status)
        root.attrs.get_id("status").write(np.asarray(value, dtype=dtype))


def append_journal(file: AtomicFile, plan: Plan, places: Mapping[str, Place]) -> journal.Journal:
    """Append the journal of a file that ``build`` has preallocated."""
    groups = {name: (len(group.runs), len(group.snapshots)) for name, group in plan.weights.items()}
    live = {
        name: (place.offset, int(np.prod(place.shape, dtype=np.int64)) * place.dtype.itemsize)
        for name, place in places.items()
    }
    length = os.fstat(file.fd).st_size
    return journal.append_journal(file.fd, length, plan.run_count, len(plan.steps), groups, live)


def find_journal(fd: int, name: str, plan: Plan) -> journal.Journal | None:
    """The journal of an unfinished file; None of a file of version 1. Raises ValueError where it is
    not that of this plan, FileError where it is damaged."""
    if plan.version < 2:
        return None
    start = read_at(fd, 48, 0)
    (end,) = struct.unpack_from("<Q", start, 40)  # of the superblock that LIBVER makes
    found = journal.read_journal(fd, name, end, os.fstat(fd).st_size)
    if found is None or (found.runs, found.records) != (plan.run_count, len(plan.steps)):
        raise ValueError("its journal is not as this experiment makes it")
    return found


def store_attributes(root: h5py.Group, values: Mapping[str, str | int | float]) -> None:
    """Store the attributes of a file, long lists of maps as arrays (see `maps`). Raises
    ValueError."""
    kept, found = maps.take_out(values)
    set_attributes(root, kept)
    for number, (matrix, offset) in enumerate(found):
        group = root.create_group(f"{maps.GROUP}/{number}")
        scales = {
            name: bare_scale(group, name, size)
            for name, size in zip(("map", "row", "column"), matrix.shape, strict=True)
        }
        for name, array, dims in (
            ("matrix", matrix, ("map", "row", "column")),
            ("offset", offset, ("map", "row")),
        ):
            dataset = group.create_dataset(name, data=array)
            describe(dataset, Variable(name, dims, "<f8", "1", f"{name} of each map"), scales)


def set_attributes(node: h5py.Group | h5py.Dataset, values: Mapping[str, object]) -> None:
    """Store text, int and float attributes. Raises ValueError for any other."""
    if problem := attribute_error(values):
        raise ValueError(problem)
    for name, value in values.items():
        node.attrs[name] = value


def _fixed_text(status: str) -> tuple[np.ndarray, tuple[()], np.dtype]:
    dtype = h5py.string_dtype("utf-8", journal.STATUS_BYTES)
    return np.array(status.encode()).astype(dtype), (), dtype


def _scale(group: h5py.Group, name: str, values: np.ndarray | range) -> h5py.Dataset:
    variable = schema.DIMENSIONS[name]
    scale = group.create_dataset(name, data=np.asarray(values, dtype=variable.dtype))
    scale.make_scale(name)
    set_attributes(scale, {"units": variable.units, "long_name": variable.long_name})
    return scale


def bare_scale(group: h5py.Group, name: str, size: int) -> h5py.Dataset:
    """A dimension without coordinates; it takes no space for its values."""
    scale = group.create_dataset(name, shape=(size,), dtype=">f4")
    scale.make_scale(_BARE_SCALE.format(size))
    return scale


def _column(root: h5py.Group, name: str, values: np.ndarray, run: h5py.Dataset) -> None:
    # Variable-length text: the only kind that both xarray engines give back as text.
    dtype = h5py.string_dtype("utf-8") if values.dtype == object else values.dtype
    dataset = root.create_dataset(name, data=values, dtype=dtype)
    dataset.dims[0].attach_scale(run)
    set_attributes(
        dataset, {"units": "1", "long_name": schema.COLUMNS.get(name, name.replace("_", " "))}
    )


def _dataset(
    group: h5py.Group,
    variable: Variable,
    scales: Mapping[str, h5py.Dataset],
    source: Source | None,
    places: dict[str, Place],
) -> None:
    shape = tuple(len(scales[dim]) for dim in variable.dims)
    dtype = np.dtype(variable.dtype)
    fill = np.nan if dtype.kind == "f" else 0
    if source is None:
        # Contiguous and allocated now: a full disk is met here, and no write moves metadata later.
        now = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        now.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        dataset = group.create_dataset(variable.name, shape, dtype, fillvalue=fill, dcpl=now)
        places[dataset.name] = Place(dataset.id.get_offset(), shape, dtype)
    else:
        path = f"{group.name.rstrip('/')}/{variable.name}"
        dataset = compressed(
            group, variable.name, shape, dtype, lambda first, end: source(path, first, end), fill
        )
    describe(dataset, variable, scales)


def describe(dataset: h5py.Dataset, variable: Variable, scales: Mapping[str, h5py.Dataset]) -> None:
    """A scale on every axis, units and meaning: what xarray needs to open the file without
    arguments."""
    for axis, dim in enumerate(variable.dims):
        dataset.dims[axis].attach_scale(scales[dim])
    set_attributes(dataset, {"units": variable.units, "long_name": variable.long_name})


def compressed(
    group: h5py.Group,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    rows: Callable[[int, int], np.ndarray],
    fill: float = 0,
) -> h5py.Dataset:
    """A chunked dataset (gzip 1, shuffle, fletcher32) filled block by block with rows(first,
    end)."""
    chunk = chunk_shape(shape, dtype.itemsize)
    dataset = group.create_dataset(
        name,
        shape,
        dtype,
        chunks=chunk,
        fillvalue=fill,
        compression="gzip",
        compression_opts=1,
        shuffle=True,
        fletcher32=True,
    )
    row_bytes = max(1, int(np.prod(shape[1:])) * dtype.itemsize)
    step = chunk[0] * max(
        1, 16 * _CHUNK_BYTES // (row_bytes * chunk[0])
    )  # whole chunks, about 16 MiB in memory
    for first in range(0, shape[0], step):
        end = min(first + step, shape[0])
        dataset[first:end] = rows(first, end)
    return dataset


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Whole trailing axes as far as a chunk of 1 MiB holds them, so that reading one run touches
    few chunks."""
    room = max(1, _CHUNK_BYTES // itemsize)
    chunk = []
    for size in reversed(shape):
        chunk.append(max(1, min(size, room)))
        room = max(1, room // chunk[-1])
    return tuple(reversed(chunk))


def _weights(
    group: h5py.Group,
    name: str,
    stored: schema.WeightsGroup,
    numbers: np.ndarray,
    source: Source | None,
    places: dict[str, Place],
) -> None:
    shape = schema.weights_shape(name)
    assert shape is not None, "checked by the writer"
    d, depth, width, outputs, image = shape
    widths = schema.layer_widths(depth, width)
    set_attributes(
        group,
        {
            "input_dimension": d,
            "network_depth": depth,
            "width": width if isinstance(width, int) else max(widths),
            **({} if isinstance(width, int) else {"widths": width}),
            "layer_sizes": " -> ".join(map(str, (d, *widths, outputs))),
            **({} if image is None else {"image": "x".join(map(str, image))}),
            "layout": schema.PARAMETER_LAYOUT,
            **stored.attributes,
        },
    )
    scales = {
        "run": _scale(group, "run", numbers[list(stored.runs)]),
        "snapshot": _scale(group, "snapshot", np.asarray(stored.snapshots)),
        "parameter": bare_scale(group, "parameter", stored.parameters),
    }
    dtype = np.dtype(stored.dtype).newbyteorder("<").str
    for variable in schema.WEIGHTS:
        kind = dtype if variable.name == "params" else variable.dtype
        _dataset(group, variable._replace(dtype=kind), scales, source, places)
