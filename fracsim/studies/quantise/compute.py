"""What ``fracsim quantise`` does: round, or convert, and say what became of the function."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from fracsim.errors import RunError
from fracsim.networks.rewriting.layers import Layer, Layers
from fracsim.studies.quantise.declaration import Settings
from fracsim.studies.quantise.depths import of_depths, wrong_points
from fracsim.studies.quantise.distance import of_distance
from fracsim.studies.quantise.grid import distinct_values, grid_of, rounded, same
from fracsim.studies.quantise.horner import converted, identical, widths
from fracsim.studies.quantise.results import Converted, Rounded, Rounding
from fracsim.studies.quantise.subject import Subject, subject_of
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.values.grammar import MOST_LAYERS

MOST_PARAMETERS = 2**25
"""256 MiB of float64."""
_POINTS, _PLACES = 8, 10
"""Points, multiples of 2^-10, at which a conversion is tested in whole numbers."""


def compute(settings: Settings, progress: OnProgress = silent) -> Result:
    """Round, or convert, as the settings say. Raises UsageError, RunError, FileError."""
    if settings.file is None:
        of = of_distance if settings.fractal_depth is None else of_depths
        return of(settings, progress)
    subject = subject_of(settings)
    if settings.convert is not None:
        return _convert(subject, settings.convert, settings)
    rows = []
    whole = subject.outputs(subject.layers)
    for number, bits in enumerate(settings.bits):
        progress(number, len(settings.bits), f"{bits} bits")
        rows.append(_round(subject, bits, whole, settings.grid))
    progress(len(settings.bits), len(settings.bits))
    return Rounded(subject, subject.accuracy(whole), rows)


def _round(subject: Subject, bits: int, whole: np.ndarray, grid: str) -> Rounding:
    layers, grids = rounded(subject.layers, bits, shared=grid == "network")
    outputs = subject.outputs(layers)
    return Rounding(
        bits,
        min(one.fraction for one in grids),
        same(layers, subject.layers),
        subject.accuracy(outputs),
        float(np.abs(outputs - whole).max()),
        distinct_values(layers),
    )


def _convert(subject: Subject, bits: int, settings: Settings) -> Converted:
    layers, grids = rounded(subject.layers, bits, shared=settings.grid == "network")
    units = widths(layers, grids)
    sizes = [len(layers[0].weights), *units, 1]
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    if len(units) > MOST_LAYERS or parameters > MOST_PARAMETERS:
        raise RunError(
            f"the network would have {len(units):,} hidden layers and {parameters:,} parameters; "
            f"accepted are {MOST_LAYERS:,} and {MOST_PARAMETERS:,}: take fewer bits"
        )
    deep = converted(layers, grids)
    random = np.random.default_rng(settings.seed)
    x = random.integers(-(2**_PLACES), 2**_PLACES + 1, (_POINTS, sizes[0]))
    equal = identical(layers, deep, x, _PLACES)
    unchanged = same(layers, subject.layers)
    return Converted(subject, bits, deep, equal, unchanged)


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: x ↦ w x for bytes w, as networks of weights -1, 0, 1/2, 1, 2."""
    wrong = sum(not byte_is_exact(byte) for byte in (0, 1, 85, 128, 255))
    yield "bytes that Horner's rule multiplies wrongly", float(wrong), 0.0
    yield "points that a shallow network of trapezoids decides wrongly", float(wrong_points()), 0.0


def byte_is_exact(byte: int, fraction: int = 3) -> bool:
    """Whether x ↦ ±byte 2^-fraction x converts exactly, for 9 bits."""
    for sign in (-1.0, 1.0):
        value: Any = sign * byte * 2.0**-fraction
        layers: Layers = [Layer(np.array([[value]]), np.array([value]))]
        grid = grid_of(abs(value), 9)
        x = np.arange(-64, 65, 7)[:, None]
        if not identical(layers, converted(layers, [grid]), x, 4):
            return False
    return True
