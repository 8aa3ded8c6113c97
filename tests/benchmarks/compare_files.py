"""How far two fracsim files hold the same numbers, variable by variable, for same_bits.py.

The older file says what there has to be. A newer format may add variables, columns and a record at
step 0, so records and snapshots are matched by their steps; floating-point numbers are equal where
their bits are, or where both are NaN. Times are left out, and so are attributes."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np

TIMES = ("wall_time",)
"""The only variable that may differ between equal trainings."""

MATCHED = ("step", "snapshot")
"""Dimensions whose coordinates match what two files hold."""

COUNTERS = {"records_done": "step", "snapshots_done": "snapshot"}
"""How many entries along the dimension are valid: compared as the last valid coordinate."""

NUMBERED = ("layer", "crossed_layer")
"""What counts layers, once from 0 and now from 1."""

MISSING = "missing"
MAY_GO = "only in the older file; a study's variable may go"


@dataclass(frozen=True)
class Difference:
    """What comparing one variable has found; ``unlike`` says why nothing could be compared."""

    name: str
    values: int
    differ: int
    largest: float
    unlike: str = ""


def compare(older: Path, newer: Path, without: Collection[int] = ()) -> list[Difference]:
    """A Difference for each variable of the older file, but for times and bare dimensions;
    ``without``: numbers of runs whose values are left out."""
    with h5py.File(older, "r", locking=False) as old, h5py.File(newer, "r", locking=False) as new:
        names = list(_variables(old))
        return [_compare_variable(old, new, name, without) for name in names]


def _variables(file: h5py.File) -> Iterator[str]:
    names: list[str] = []
    file.visititems(lambda name, node: names.append(name) if _is_variable(node) else None)
    for name in sorted(names):
        if name.rpartition("/")[2] not in TIMES:
            yield name


def _is_variable(node: h5py.Dataset | h5py.Group) -> bool:
    """Whether it holds values: an axis without coordinates is a dataset, too, by netCDF's rule."""
    if not isinstance(node, h5py.Dataset):
        return False
    named = node.attrs.get("NAME", b"")
    text = named.decode("ascii", "replace") if isinstance(named, bytes) else str(named)
    return not text.startswith("This is a netCDF dimension but not a netCDF variable")


def _compare_variable(
    old: h5py.File, new: h5py.File, name: str, without: Collection[int]
) -> Difference:
    if name not in new:
        size = old[name].size
        if old.attrs.get("format") == "fracsim-study":
            return Difference(name, size, 0, 0.0, MAY_GO)
        return Difference(name, size, size, np.inf, MISSING)
    folder, _, leaf = name.rpartition("/")
    before, after = old[name], new[name]
    if leaf in COUNTERS:
        dimension = f"{folder}/{COUNTERS[leaf]}"
        last = _last(before[...], old[dimension]), _last(after[...], new[dimension])
        if without and before.ndim == 1:
            kept = ~np.isin(old[f"{folder}/run"][...], list(without))
            last = last[0][kept], last[1][kept]
        return _differ(name, *last)
    if leaf == "params" and before.ndim == 1:  # a constructed network, which may be padded
        return _differ(name, _unpadded(before, old.attrs), _unpadded(after, new.attrs))
    values, wanted = after[...], before[...]
    if leaf in NUMBERED:
        values, wanted = values - values.min(), wanted - wanted.min()
    for axis, dimension in enumerate(_dimensions(before)):
        if dimension in MATCHED and axis < values.ndim:
            values = _taken(
                values, axis, new[f"{folder}/{dimension}"], old[f"{folder}/{dimension}"]
            )
        if dimension == "run" and without and axis < values.ndim:
            kept = ~np.isin(old[f"{folder}/run"][...], list(without))
            values, wanted = (np.compress(kept, one, axis) for one in (values, wanted))
    return _differ(name, wanted, values)


def _dimensions(dataset: h5py.Dataset) -> list[str]:
    """Name of each axis; a coordinate is the scale of its own axis."""
    if dataset.is_scale:
        return [dataset.name.rpartition("/")[2]]
    return [axis[0].name.rpartition("/")[2] if len(axis) else "" for axis in dataset.dims]


def _taken(values: np.ndarray, axis: int, there: h5py.Dataset, wanted: h5py.Dataset) -> np.ndarray:
    """What ``values`` hold at the wanted coordinates, as far as they have them."""
    places = {int(coordinate): place for place, coordinate in enumerate(there[...])}
    found = [places[int(coordinate)] for coordinate in wanted[...] if int(coordinate) in places]
    return np.take(values, found, axis)


def _last(done: np.ndarray, coordinates: h5py.Dataset) -> np.ndarray:
    """The coordinate of the last valid entry, -1 where there is none."""
    return np.append(coordinates[...], -1)[np.asarray(done, np.int64) - 1]


def _unpadded(params: h5py.Dataset, attributes: h5py.AttributeManager) -> np.ndarray:
    """Flat parameters of a network without the zero units that once filled its layers up to the
    widest. What is no such network stays as it is."""
    flat = params[...]
    sizes = [int(size) for size in str(attributes.get("layer_sizes", "")).split("->") if size]
    widest = max(sizes[1:-1], default=0)
    padded = [*sizes[:1], *(widest for _ in sizes[1:-1]), *sizes[-1:]]
    if len(flat) != sum((a + 1) * b for a, b in pairwise(padded)):
        return flat
    kept, place = [], 0
    for layer, (rows, columns) in enumerate(pairwise(padded)):
        weights = flat[place : place + rows * columns].reshape(rows, columns)
        biases = flat[place + rows * columns : place + (rows + 1) * columns]
        used, made = sizes[layer], sizes[layer + 1]
        kept += [weights[:used, :made].ravel(), biases[:made]]
        place += (rows + 1) * columns
    return np.concatenate(kept)


def _differ(name: str, before: np.ndarray, after: np.ndarray) -> Difference:
    if before.shape != after.shape:
        unlike = f"shape {after.shape}, was {before.shape}"
        return Difference(name, before.size, before.size, np.inf, unlike)
    if before.dtype != after.dtype:
        unlike = f"type {after.dtype}, was {before.dtype}"
        return Difference(name, before.size, before.size, np.inf, unlike)
    if before.dtype.kind != "f":
        wrong = before != after
        largest = 0.0
        if wrong.any():
            largest = np.inf if before.dtype.kind not in "iu" else _largest(before, after, wrong)
        return Difference(name, before.size, int(np.count_nonzero(wrong)), largest)
    bits = f"<u{before.dtype.itemsize}"
    same = np.ascontiguousarray(before).view(bits) == np.ascontiguousarray(after).view(bits)
    wrong = ~(same | (np.isnan(before) & np.isnan(after)))
    largest = _largest(before, after, wrong) if wrong.any() else 0.0
    return Difference(name, before.size, int(np.count_nonzero(wrong)), largest)


def _largest(before: np.ndarray, after: np.ndarray, wrong: np.ndarray) -> float:
    """The largest distance; infinite where one of the two is no number."""
    with np.errstate(invalid="ignore"):
        distance = np.abs(before[wrong].astype(float) - after[wrong].astype(float))
    return float(np.nan_to_num(distance, nan=np.inf, posinf=np.inf).max())
