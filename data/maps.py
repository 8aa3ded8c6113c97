"""The maps of large fractals as arrays, where they are too long for an attribute.

Attributes say in JSON what a file was made with, the maps of its fractals among it. HDF5 keeps at
most 64 kB in an attribute, and 4096 maps in d = 12 take 12 MB of JSON. So where such a text is
long, each list of maps becomes arrays, in a group of the file, and the text says where they are.
Readers put them back: every number has the same bits, so every hash is the same."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

GROUP = "maps"
TEXTS = ("experiment", "fractal_definition", "settings", "distribution")
"""Attributes that may hold fractals."""

_ROOM = 32_000  # bytes of a text that stays as it is
_MOST_NUMBERS = 1 << 23  # of all maps that are put back
_PLACE, _JSON = "stored in", "JSON of"  # keys that stand for maps, and for a text in JSON


class Maps(NamedTuple):
    """Maps x -> A x + b of one fractal: A (map, row, column), b (map, row)."""

    matrix: np.ndarray
    offset: np.ndarray


def take_out(
    attributes: Mapping[str, str | int | float],
) -> tuple[dict[str, str | int | float], list[Maps]]:
    """The attributes without long lists of maps, and these, each once."""
    kept, found = dict(attributes), list[Maps]()
    for name in TEXTS:
        text = kept.get(name)
        if isinstance(text, str) and len(text.encode()) > _ROOM:
            kept[name] = _dumped(_without(json.loads(text), found))
    return kept, found


def put_back(
    attributes: Mapping[str, str | int | float], read: Callable[[int], Maps]
) -> dict[str, str | int | float]:
    """The attributes that ``take_out`` was given; ``read``: number of a list of maps -> the list.
    Raises ValueError, or what ``read`` raises, for texts that it has not made."""
    full, known, room = dict(attributes), dict[int, Maps](), _MOST_NUMBERS

    def listed(place: Any) -> list[dict[str, Any]]:
        nonlocal room
        number = int(str(place).removeprefix(f"{GROUP}/"))
        if number not in known:
            known[number] = read(number)
        room -= known[number].matrix.size
        if room < 0:  # a short text can name the same maps often
            raise ValueError("its texts repeat too many maps")
        matrices, offsets = (array.tolist() for array in known[number])
        return [{"matrix": a, "offset": b} for a, b in zip(matrices, offsets, strict=True)]

    for name in TEXTS:
        text = full.get(name)
        if isinstance(text, str) and f'"{_PLACE}"' in text:
            full[name] = _dumped(_with(json.loads(text), listed))
    return full


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _without(value: Any, found: list[Maps]) -> Any:
    """A JSON value, its lists of maps replaced by their places in ``found``."""
    if isinstance(value, dict):
        return {
            key: _taken(item, found) if key == "map" else _without(item, found)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without(item, found) for item in value]
    if isinstance(value, str) and len(value) > _ROOM and value.startswith("{"):
        return {_JSON: _without(json.loads(value), found)}  # settings hold a definition as text
    return value


def _taken(value: Any, found: list[Maps]) -> Any:
    """The place of a list of maps; what is none stays as it is."""
    try:
        maps = Maps(
            np.array([entry["matrix"] for entry in value], "<f8"),
            np.array([entry["offset"] for entry in value], "<f8"),
        )
    except (TypeError, KeyError, ValueError):
        return value
    if maps.matrix.ndim != 3 or maps.offset.ndim != 2:
        return value
    for number, known in enumerate(found):
        if all(one.tobytes() == two.tobytes() for one, two in zip(known, maps, strict=True)):
            return {_PLACE: f"{GROUP}/{number}"}
    found.append(maps)
    return {_PLACE: f"{GROUP}/{len(found) - 1}"}


def _with(value: Any, listed: Callable[[Any], list[dict[str, Any]]]) -> Any:
    """The inverse of ``_without``."""
    if isinstance(value, dict):
        if [*value] == [_PLACE]:
            return listed(value[_PLACE])
        if [*value] == [_JSON]:
            return json.dumps(_with(value[_JSON], listed))
        return {key: _with(item, listed) for key, item in value.items()}
    return [_with(item, listed) for item in value] if isinstance(value, list) else value
