"""Fractals as data: iterated function systems (IFS) of affine maps, shipped or written by the user
in TOML.

K_0 is the base cube, K_n = F_1(K_{n-1}) ∪ … ∪ F_r(K_{n-1}) with F_i(x) = A_i x + b_i invertible and
contractive. The images F_i(K_0) lie in the base and do not overlap; they may touch.
docs/fractals.md shows the file format."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fracsim.data.presets import preset_names, preset_text
from fracsim.errors import UsageError, nearest
from fracsim.fractals.overlap import OVERLAP, penetrations
from fracsim.kernels.points.geometry import GAPS, Geometry, make_geometry
from fracsim.kernels.points.level import level
from fracsim.text import brief
from fracsim.toml import matrix_of, parse_toml, read_keys, read_text, vector_of
from fracsim.values.arguments import Array, Place, Table, Text, Whole, check_fields, door

BASES = {"[-1,1]": -1.0, "[0,1]": 0.0}
"""Name of a base cube (in every coordinate) → its lower end."""
MOST_MAPS, MOST_DEPTH, MOST_CELLS, LONGEST_NAME = 4096, 1000, 2**24, 100
NARROWEST_CELL = {"float64": 2.0**-42, "float32": 2.0**-16}
"""How wide a cell must be for points of a precision. Levels are found in float64, whose rounding
grows on the way down: 1024 spacings (2^-52 near 1) keep it off the borders. Levels of points of
float32 are exact; 128 spacings (2^-23) leave many points in a cell, and margins of a hundredth."""

_KEYS = ("name", "description", "base", "gap", "product", "map")


@brief
@dataclass(frozen=True, eq=False)
class Fractal:
    """An IFS, checked when it is made: UsageError where the maps are not a fractal of this kind."""

    name: str
    matrices: np.ndarray
    """A (r, d, d)"""
    offsets: np.ndarray
    """b (r, d)"""
    base: str = "[-1,1]"
    gap: str = "complement"
    """Where negatives lie unless the user says otherwise: ``complement`` or ``centre``."""
    description: str = ""
    touching: bool = field(init=False)
    """Whether some images share a border point (found when the maps are checked)."""

    def __post_init__(self) -> None:
        text = dict.fromkeys(("name", "base", "gap", "description"), Text())
        check_fields(self, **text, matrices=Array("r d d"), offsets=Array("r d"))
        matrices, offsets = np.array(self.matrices), np.array(self.offsets)
        object.__setattr__(self, "matrices", matrices)
        object.__setattr__(self, "offsets", offsets)
        where = f"fractal {self.name}"
        if self.base not in BASES:
            raise UsageError(f"{where}: base {self.base!r} is not one of {', '.join(BASES)}")
        check_gap_name(self.gap, where)
        _check_maps(where, matrices, offsets, self.low)
        object.__setattr__(self, "touching", _check_overlap(where, *self._images()))
        if self.gap == "centre":
            self.check_centre()
        matrices.flags.writeable = offsets.flags.writeable = False

    @property
    def maps(self) -> int:
        """r"""
        return len(self.offsets)

    @property
    def dimension(self) -> int:
        """d"""
        return int(self.offsets.shape[1])

    @property
    def low(self) -> float:
        """Lower end of the base in every coordinate; the upper end is 1."""
        return BASES[self.base]

    @cached_property
    def gap_share(self) -> float:
        """Share of a cell that its images leave free: 1 - Σ |det A_i|."""
        return float(1 - np.abs(np.linalg.det(self.matrices)).sum())

    @cached_property
    def narrowing(self) -> float:
        """Smallest factor by which any map shrinks any direction: cells of level n are at least
        this^n of the base."""
        return float(np.linalg.svd(self.matrices, compute_uv=False).min())

    @property
    def greatest_depth(self) -> int:
        """Largest n whose cells are still wide enough for float64 (``NARROWEST_CELL``)."""
        return self.greatest_depth_in("float64")

    def greatest_depth_in(self, precision: str, side: float | None = None) -> int:
        """Largest n whose cells points of ``precision``, float32 or float64, resolve; ``side``: of
        the cube that the base becomes, where it is not left as it is. Raises UsageError."""
        Text(tuple(NARROWEST_CELL)).read("precision", precision, {})
        side = 1 - self.low if side is None else side
        n = np.log2(NARROWEST_CELL[precision] / side) / np.log2(self.narrowing)
        return max(min(int(n + 1e-9), MOST_DEPTH), 0)

    def check_depth(self, n: int, least: int = 0, precision: str = "float64") -> int:
        """n, as an int. UsageError unless it is a whole number from ``least`` to the greatest depth
        of ``precision``."""
        n = Whole(least).read("fractal_depth", n, {})
        if n > (greatest := self.greatest_depth_in(precision)):
            instead = ""
            if precision != "float64" and n <= self.greatest_depth:
                instead = "; use precision float64 (--precision float64)"
            raise UsageError(
                f"fractal depth {n} is too fine: cells of {self.name} would fall below "
                f"{precision}'s resolution; the greatest depth is {greatest}{instead}"
            )
        return n

    def check_centre(self) -> None:
        """UsageError unless the central third of the base, where ``centre`` puts negatives, is free
        of images."""
        half_axes, centres = self._images()
        middle, half = 0.5 * (self.low + 1), 0.5 * (1 - self.low) / 3
        half_axes = np.concatenate(([half * np.eye(self.dimension)], half_axes))
        centres = np.concatenate(([np.full(self.dimension, middle)], centres))
        for i, k, depth in penetrations(half_axes, centres):
            if i == 0 and depth > OVERLAP:
                raise UsageError(
                    f"fractal {self.name}: gap 'centre' takes negatives from the central third in "
                    f"every coordinate, "
                    f"but map {k} covers part of it; use gap 'complement'"
                )

    def geometry(self) -> Geometry:
        """The arrays that kernels take."""
        return make_geometry(self.matrices, self.offsets, self.low, self.touching)

    @door(x=Array("N d"))
    def level(self, x: np.ndarray, n: int) -> np.ndarray:
        """Levels (N,) int16 of the points x (N, d): the largest j ≤ n with x ∈ K_j, over all
        addresses; -1 outside K_0.

        Cells are closed; float64 decides a border point as far as the maps' own rounding allows.
        """
        n = self.check_depth(n)
        x = np.asarray(x, dtype=float)
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise UsageError(
                f"points of {self.name} have shape (N, {self.dimension}), not {x.shape}"
            )
        return level(self.geometry(), n, x)

    def cells(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The r^n cells of K_n as maps of the base: matrices (r^n, d, d) and offsets (r^n, d),
        address i_1 slowest."""
        n = self.check_depth(n)
        if n * np.log(self.maps) > np.log(MOST_CELLS):
            raise UsageError(
                f"{self.name} has {self.maps}^{n} cells at level {n}; at most {MOST_CELLS} can be "
                f"listed"
            )
        d = self.dimension
        matrices, offsets = np.eye(d)[None], np.zeros((1, d))
        for _ in range(n):
            offsets = (
                np.einsum("ipq,cq->icp", self.matrices, offsets) + self.offsets[:, None]
            ).reshape(-1, d)
            matrices = np.einsum("ipq,cqs->icps", self.matrices, matrices).reshape(-1, d, d)
        return matrices, offsets

    def to_dict(self) -> dict[str, Any]:
        """The fractal as plain lists and text, ready for JSON; ``from_dict`` gives exactly the same
        maps back."""
        maps = [
            {"matrix": a.tolist(), "offset": b.tolist()}
            for a, b in zip(self.matrices, self.offsets, strict=True)
        ]
        return {
            "name": self.name,
            "description": self.description,
            "base": self.base,
            "gap": self.gap,
            "map": maps,
        }

    @classmethod
    @door(table=Table(), name=Text(), dimension=Whole(1))
    def from_dict(
        cls, table: Mapping[str, Any], name: str = "", dimension: int | None = None
    ) -> "Fractal":
        """The fractal of a TOML table (docs/fractals.md); ``dimension`` is for products only."""
        name = table.get("name", name or "without a name")
        if (
            not isinstance(name, str)
            or not name.isprintable()
            or not 1 <= len(name) <= LONGEST_NAME
        ):
            shown = repr(name)[:LONGEST_NAME]
            raise UsageError(
                f"a fractal's name is a text of 1 to {LONGEST_NAME} printable characters, not "
                f"{shown}"
            )
        where = f"fractal {name}"
        read_keys(table, _KEYS, where)
        maps = table.get("map")
        if (
            not isinstance(maps, list)
            or not maps
            or not all(isinstance(entry, Mapping) for entry in maps)
        ):
            raise UsageError(f"{where}: at least one [[map]] is needed")
        pairs = [_map(entry, f"{where}, map {i}") for i, entry in enumerate(maps, start=1)]
        if len({offset.shape for _, offset in pairs}) > 1:
            raise UsageError(f"{where}: all maps must have the same dimension")
        d = dimension
        if "product" in table:
            default = table["product"]
            d = default if d is None else d
            pairs = _product(pairs, d, where)
            name = name if d == default else f"{name}:{d}"
        elif d is not None and d != pairs[0][1].size:
            raise UsageError(
                f"{where} has dimension {pairs[0][1].size} and cannot be made {d}-dimensional"
            )
        matrices, offsets = (np.array(arrays) for arrays in zip(*pairs, strict=True))
        base, gap = table.get("base", "[-1,1]"), table.get("gap", "complement")
        return cls(
            name,
            matrices,
            offsets,
            str(base).replace(" ", ""),
            gap,
            str(table.get("description", "")),
        )

    def _images(self) -> tuple[np.ndarray, np.ndarray]:
        """Half axes (r, d, d) and centres (r, d) of the images of the base."""
        middle, half = 0.5 * (self.low + 1), 0.5 * (1 - self.low)
        return half * self.matrices, self.offsets + self.matrices.sum(axis=2) * middle


def fractal_names() -> list[str]:
    """Names of the shipped fractals."""
    return preset_names("fractals")


@door(given=Place(), dimension=Whole(1))
def load_fractal(given: str | Path, dimension: int | None = None) -> Fractal:
    """A shipped fractal by name, or a user's by the path of its TOML file; ``cantor:3`` is the
    product in d = 3.

    UsageError where the name is unknown, the file cannot be read, or the maps are refused.
    """
    text = str(given)
    if dimension is None:
        text, dimension = _name_and_dimension(text)
    if text in fractal_names():
        return Fractal.from_dict(parse_toml(preset_text("fractals", text), text), text, dimension)
    path = Path(text)
    if path.suffix != ".toml":
        known = ", ".join(fractal_names())
        raise UsageError(
            f"unknown fractal '{text}'{nearest(text, fractal_names())} (known: {known}, or a "
            f".toml file)"
        )
    what = f"fractal file '{path}'"
    return Fractal.from_dict(parse_toml(read_text(path, what), what), path.stem, dimension)


def fractal_path(given: str | Path) -> Path | None:
    """The TOML file that ``load_fractal`` reads for what is given; None where it reads none."""
    text = str(given)
    path = Path(_name_and_dimension(text)[0])
    return path if path.suffix == ".toml" and text not in fractal_names() else None


def _name_and_dimension(given: str) -> tuple[str, int | None]:
    """The parts of "cantor:3"; without a dimension the whole, and None."""
    text, colon, tail = given.rpartition(":")
    if colon and tail.isdecimal() and len(tail) < 10:
        return text, int(tail)
    return given, None


def check_gap_name(gap: str, where: str) -> None:
    """UsageError unless ``gap`` is the name of a gap."""
    if gap not in GAPS:
        raise UsageError(
            f"{where}: gap {gap!r} is not one of {', '.join(GAPS)}{nearest(str(gap), GAPS)}"
        )


def _map(table: Mapping[str, Any], where: str) -> tuple[np.ndarray, np.ndarray]:
    """(A, b) of one [[map]]: matrix and offset, or scale and offset."""
    read_keys(table, ("matrix", "scale", "offset"), where)
    if "offset" not in table or ("matrix" in table) == ("scale" in table):
        raise UsageError(f"{where}: give an offset and either a matrix or a scale")
    offset = vector_of(table["offset"], f"{where}: offset")
    if "scale" in table:
        scale = vector_of([table["scale"]], f"{where}: scale")[0]
        return scale * np.eye(len(offset)), offset
    return matrix_of(table["matrix"], len(offset), f"{where}: matrix"), offset


def _product(
    pairs: list[tuple[np.ndarray, np.ndarray]], d: int, where: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """All combinations of maps of one coordinate over d coordinates."""
    if isinstance(d, bool) or not isinstance(d, int) or d < 1:
        raise UsageError(f"{where}: the dimension must be a whole number, at least 1, not {d!r}")
    if pairs[0][1].size != 1:
        raise UsageError(
            f"{where}: the maps of a product act on one coordinate, so their offsets have one entry"
        )
    if d > MOST_MAPS or d * np.log(len(pairs)) > np.log(MOST_MAPS):
        raise UsageError(
            f"{where}: {len(pairs)}^{d} maps in dimension {d} are too many (at most {MOST_MAPS})"
        )
    combinations = itertools.product(pairs, repeat=d)
    return [
        (np.diag([a[0, 0] for a, _ in one]), np.array([b[0] for _, b in one]))
        for one in combinations
    ]


def _check_maps(where: str, matrices: np.ndarray, offsets: np.ndarray, low: float) -> None:
    """UsageError unless every map is finite, invertible, contractive and keeps the base inside
    itself."""
    r, d = offsets.shape if offsets.ndim == 2 else (0, 0)
    if r < 1 or d < 1 or matrices.shape != (r, d, d):
        raise UsageError(
            f"{where}: r maps in d dimensions need matrices (r, d, d) and offsets (r, d)"
        )
    if r > MOST_MAPS:
        raise UsageError(f"{where}: {r} maps are too many; at most {MOST_MAPS} are accepted")
    if not (np.isfinite(matrices).all() and np.isfinite(offsets).all()):
        raise UsageError(f"{where}: matrices and offsets must be finite numbers")
    stretch = np.linalg.svd(matrices, compute_uv=False)
    with np.errstate(over="ignore"):  # of maps so large that they are refused
        upper = offsets + np.maximum(matrices, low * matrices).sum(axis=2)
        lower = offsets + np.minimum(matrices, low * matrices).sum(axis=2)
    for i in range(r):
        one = f"{where}, map {i + 1}"
        if stretch[i, -1] <= 1e-12:
            raise UsageError(f"{one}: the matrix is singular; a map must be invertible")
        if stretch[i, 0] >= 1:
            raise UsageError(
                f"{one}: the matrix has spectral norm {stretch[i, 0]:.6g}; a contractive map is "
                f"below 1"
            )
        if upper[i].max() > 1 + OVERLAP or lower[i].min() < low - OVERLAP:
            raise UsageError(f"{one}: the image of the base [{low:g},1]^{d} sticks out of the base")


def _check_overlap(where: str, half_axes: np.ndarray, centres: np.ndarray) -> bool:
    """Whether images touch; UsageError where two overlap."""
    pairs = penetrations(half_axes, centres)
    for i, k, depth in pairs:
        if depth > OVERLAP:
            raise UsageError(
                f"{where}: the images of maps {i + 1} and {k + 1} overlap (by {depth:.3g}); they "
                f"may only touch"
            )
    return bool(pairs)
