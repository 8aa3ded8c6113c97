"""What ``fracsim lengths`` does, and its numbers in words."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import UsageError
from fracsim.kernels.network.shape import Shape
from fracsim.kernels.random_networks.activations import ACTIVATIONS, HARDTANH, KINKS, RELU
from fracsim.kernels.random_networks.forward import activate
from fracsim.machine.cpus import available_threads
from fracsim.networks.random import RandomNetwork, random_network
from fracsim.networks.snapshots import Snapshot, alone, snapshots_of
from fracsim.studies.lengths.curves import (
    Curve,
    cell_borders,
    circle,
    diagonal,
    polyline,
    random_plane,
)
from fracsim.studies.lengths.declaration import Settings
from fracsim.studies.lengths.measure import (
    Lengths,
    exact_lengths,
    measured_by_chords,
    refined,
)
from fracsim.studies.lengths.theory import Theory, start_square, theory
from fracsim.studies.meanfield.maps import check_activation
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief

Floats = NDArray[np.float64]
_SHOWN = ("ratio", "ratio_theory", "growth", "growth_theory", "z_growth", "z_growth_theory")


@brief
@dataclass(frozen=True, eq=False)
class RandomMeasured(Result):
    """Of random networks (form "random")."""

    network: RandomNetwork
    activation: str
    along: str
    exact: bool
    lengths: Floats
    """(draws, T)"""
    z_lengths: Floats
    by_layer: dict[str, Floats]
    curve: dict[str, Any]
    notes: Sequence[str] = ()
    form: str = "random"

    def arrays(self) -> dict[str, Any]:
        """Numbers of each layer, lengths of each network."""
        widths = self.network.shape.widths
        return {
            "layer": np.arange(1, len(widths) + 1),
            "units": np.array(widths),
            "length": self.lengths,
            "z_length": self.z_lengths,
            **self.by_layer,
        }

    def attributes(self) -> dict[str, Any]:
        """The network and the curve."""
        return {
            **self.network.attributes(),
            "about": f"{self.activation}: {self.network.about}",
            "activation": self.activation,
            "along": self.along,
            "draws": len(self.lengths),
            "exact": int(self.exact),
            **self.curve,
        }

    def summary(self) -> dict[str, Any]:
        """A list of layers; a theory that does not apply is null."""
        layers = [
            {
                "layer": index + 1,
                "units": width,
                **{name: _number(values[index]) for name, values in self.by_layer.items()},
            }
            for index, width in enumerate(self.network.shape.widths)
        ]
        return {
            "network": self.network.about,
            "activation": self.activation,
            "inputs": self.network.shape.inputs,
            "along": self.along,
            "draws": len(self.lengths),
            "exact": self.exact,
            **self.curve,
            "layers": layers,
        }

    def words(self) -> list[str]:
        """A table of the layers."""
        lines = [
            f"{self.activation}, {self.network.about}: a {self.along} through "
            f"{len(self.lengths):,} random networks"
        ]
        lines.append("layer" + "".join(f"{name.replace('_', ' '):>16}" for name in _SHOWN))
        for index in range(len(self.network.shape.widths)):
            row = (_number(self.by_layer[name][index]) for name in _SHOWN)
            cells = ("-" if value is None else f"{value:.5g}" for value in row)
            lines.append(f"{index + 1:5}" + "".join(f"{cell:>16}" for cell in cells))
        return lines


@brief
@dataclass(frozen=True, eq=False)
class StoredMeasured(Result):
    """Of a stored network, or of all snapshots of a run (form "stored")."""

    snapshots: list[Snapshot]
    along: str
    levels: list[int]
    input_lengths: list[float]
    ratios: Floats
    """(snapshots, levels, T)"""
    notes: Sequence[str] = ()
    form: str = "stored"

    def arrays(self) -> dict[str, Any]:
        """Ratios by snapshot, level and layer."""
        widths = self.snapshots[0].shape.widths
        return {
            "layer": np.arange(1, len(widths) + 1),
            "units": np.array(widths),
            "snapshot": np.array([one.step for one in self.snapshots]),
            "test_accuracy": np.array([one.score for one in self.snapshots]),
            "level": np.array(self.levels),
            "input_length": np.array(self.input_lengths),
            "ratio_by_level": self.ratios,
        }

    def attributes(self) -> dict[str, Any]:
        """The network and the curve."""
        return {**self.snapshots[-1].attributes(), "along": self.along, "activation": "relu"}

    def summary(self) -> dict[str, Any]:
        """A list of snapshots, each with a list of levels."""
        return {
            "network": self.snapshots[-1].about,
            "along": self.along,
            "snapshots": [
                {
                    "step": one.step,
                    "test_accuracy": None if math.isnan(one.score) else one.score,
                    "levels": [
                        {
                            "level": level,
                            "input_length": length,
                            "ratio": list(map(float, ratios)),
                            "growth": _mean_growth(ratios),
                        }
                        for level, length, ratios in zip(
                            self.levels, self.input_lengths, rows, strict=True
                        )
                    ],
                }
                for one, rows in zip(self.snapshots, self.ratios, strict=True)
            ],
        }

    def words(self) -> list[str]:
        """Ratios of the first and the last snapshot, and their mean growth."""
        last = self.snapshots[-1]
        what = "borders of cells" if self.along == "cells" else f"a {self.along}"
        lines = [f"{last.about}: {what}, length over the input's"]
        head = "".join(f"{f'layer {n + 1}':>10}" for n in range(last.shape.depth))
        lines.append(f"{'step':>10}{'level':>7}{head}{'growth':>10}")
        for row in sorted({0, len(self.snapshots) - 1}):
            for level, ratios in zip(self.levels, self.ratios[row], strict=True):
                cells = "".join(f"{value:10.4g}" for value in ratios)
                growth = _mean_growth(ratios)
                said = f"{'-':>10}" if growth is None else f"{growth:10.4g}"
                lines.append(f"{self.snapshots[row].step:10,}{level:7}{cells}{said}")
        lines.append("growth: per layer, from layer 1 to the last")
        return lines


def compute(settings: Settings, progress: OnProgress = silent) -> Result:
    """Measure. Raises UsageError, FileError."""
    if settings.random:
        return of_random(settings, progress)
    return of_stored(settings, progress)


def of_random(settings: Settings, progress: OnProgress = silent) -> RandomMeasured:
    """Lengths in random networks."""
    activation = settings.activation or "relu"
    check_activation(activation)
    network, code = random_network(settings), ACTIVATIONS.index(activation)
    draws, threads = settings.draws or 100, settings.threads or available_threads()[0]
    along = _Start(settings, network, activation)
    exact = _exactly(settings, activation)
    lengths = np.empty((3, draws, network.shape.depth))
    starts = np.empty((2, draws))

    def one(index: int) -> None:
        seed = settings.seed + index
        curve, z_length = along.curve(seed)
        starts[:, index] = curve.length, z_length
        lengths[:, index] = _lengths(
            network.shape, network.parameters(seed), code, curve, exact, settings.points
        )

    with ThreadPoolExecutor(threads) as pool:
        for done, _ in enumerate(pool.map(one, range(draws))):
            progress(done + 1, draws)
    z, x, lacking = lengths
    about = theory(network, activation, along.square, along.from_z)
    notes = [] if exact else [_chords_note(settings, activation, float(lacking.mean(0).max()))]
    by_layer = _by_layer(z, x, starts, about, network.shape.widths)
    by_layer["chord_error"] = lacking.mean(0)
    facts = {"radius": along.radius, "from_preactivation": int(along.from_z)}
    curve = facts if settings.along == "circle" else {}
    return RandomMeasured(network, activation, settings.along, exact, x, z, by_layer, curve, notes)


class _Start:
    """The curve that goes into random networks."""

    def __init__(self, settings: Settings, network: RandomNetwork, activation: str) -> None:
        self.settings, self.code = settings, ACTIVATIONS.index(activation)
        self.inputs = network.shape.inputs
        self.square: float | None = None
        self.from_z, self.radius = False, 1.0
        if settings.along != "circle":
            return
        q = None
        if settings.inputs is None and settings.radius is None:
            q = start_square(network, activation)
            self.from_z = q is not None
            self.radius = math.sqrt(self.inputs * (1.0 if q is None else q))
        elif settings.radius is not None:
            self.radius = settings.radius
        self.square = self.radius**2 / self.inputs

    def curve(self, seed: int) -> tuple[Curve, float]:
        """The curve for one network, and the length of its preactivation z_0 (NaN: none)."""
        settings = self.settings
        if settings.along == "circle":
            plane = random_plane(self.inputs, seed)
            found = circle(plane, self.radius, settings.points)
            if not self.from_z:
                return found, math.nan
            h = np.empty_like(found.points)
            activate(self.code, found.points, h)
            return Curve(h, found.piece), found.length
        return _line(settings, self.inputs, -1.0), math.nan


def _line(settings: Settings, inputs: int, low: float) -> Curve:
    """The segment or polyline."""
    if settings.path is None:
        return diagonal(inputs, low)
    return polyline(settings.path, inputs, low, f"a {settings.along}")


def _exactly(settings: Settings, activation: str) -> bool:
    linear = bool(len(KINKS[ACTIVATIONS.index(activation)]))
    if settings.exact and not linear:
        raise UsageError(f"--exact: {activation} is smooth; accepted are relu and hardtanh")
    return linear and (settings.along != "circle" if settings.exact is None else settings.exact)


def _lengths(
    shape: Shape, params: Floats, code: int, curve: Curve, exact: bool, points: int
) -> Lengths:
    if exact:
        return exact_lengths(shape, params, code, curve)
    if len(curve.points) < points:
        curve = refined(curve, curve.length / points)
    return measured_by_chords(shape, params, code, curve)


def _chords_note(settings: Settings, activation: str, lacking: float) -> str:
    return (
        f"Lengths are sums of chords; by comparison with half as many they lack about "
        f"{100 * lacking:.2g} %."
        + (
            " --exact makes every kink a vertex."
            if len(KINKS[ACTIVATIONS.index(activation)])
            else ""
        )
    )


def _by_layer(
    z: Floats, x: Floats, starts: Floats, about: Theory, widths: Sequence[int]
) -> dict[str, Floats]:
    ratios = x / starts[0][:, None]
    before = np.concatenate([starts[0][:, None], x[:, :-1]], axis=1)
    z_before = np.concatenate([starts[1][:, None], z[:, :-1]], axis=1)
    error = (
        ratios.std(0, ddof=1) / math.sqrt(len(x)) if len(x) > 1 else np.full(len(widths), np.nan)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.nanmean(np.where(before > 0, x / before, np.nan), axis=0)
        z_ratio = np.where(z_before > 0, z / z_before, np.nan)
    z_growth = np.array([_mean(column) for column in z_ratio.T])
    return {
        "ratio": ratios.mean(0),
        "ratio_theory": _array(about.ratios()),
        "growth": growth,
        "growth_theory": _array(about.growth),
        "z_growth": z_growth,
        "z_growth_theory": _array(about.z_growth),
        "standard_error": error,
        "length_per_unit": x.mean(0) / np.array(widths),
    }


def of_stored(settings: Settings, progress: OnProgress = silent) -> StoredMeasured:
    """Lengths in a stored network, or in all snapshots of a run."""
    assert settings.file is not None
    snapshots = snapshots_of(settings.file, settings.run, settings.snapshot)
    last = snapshots[-1]
    if not last.shape.depth:
        raise UsageError("the network has no hidden layers, so a curve keeps its length")
    levels, curves = _stored_curves(settings, last)
    exact = settings.along != "circle" if settings.exact is None else settings.exact
    ratios = np.empty((len(snapshots), len(curves), last.shape.depth))
    for row, one in enumerate(snapshots):
        progress(row, len(snapshots), one.about)
        for column, curve in enumerate(curves):
            found = _lengths(one.shape, one.params, RELU, curve, exact, settings.points)
            ratios[row, column] = found.x / curve.length
    lengths = [curve.length for curve in curves]
    notes = alone(settings.file, settings.snapshot, [one.step for one in snapshots])
    return StoredMeasured(snapshots, settings.along, levels, lengths, ratios, notes=notes)


def _stored_curves(settings: Settings, last: Snapshot) -> tuple[list[int], list[Curve]]:
    inputs = last.shape.inputs
    if settings.along == "cells":
        if last.fractal is None:
            raise UsageError(
                "--along cells: the network was trained on no fractal; accepted: circle, segment, "
                "polyline"
            )
        levels = list(range(last.fractal_depth + 1))
        return levels, [cell_borders(last.fractal, level) for level in levels]
    if settings.along == "circle":
        plane, radius = random_plane(inputs, settings.seed), settings.radius or 0.7
        return [0], [circle(plane, radius, settings.points)]
    return [0], [_line(settings, inputs, last.low)]


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: |x| twice over [-1, 1] keeps its length; hardtanh of 2x has length 2."""
    line = Curve(np.array([[-1.0], [1.0]]), np.zeros(2, np.int64))
    fold = np.array([1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    found = exact_lengths(Shape(1, 1, 2), fold, RELU, line)
    yield "length of a folded segment", abs(float(found.x[0]) - 2.0), 1e-12
    clip = np.array([2.0, 0.0, 1.0, 0.0])
    found = exact_lengths(Shape(1, 1, 1), clip, HARDTANH, line)
    yield "length of a clipped segment", abs(float(found.x[0]) - 2.0), 1e-12


def _mean_growth(ratios: Floats) -> float | None:
    """Per layer, from layer 1 to the last."""
    if len(ratios) < 2 or not ratios[0] > 0:
        return None
    return float((ratios[-1] / ratios[0]) ** (1 / (len(ratios) - 1)))


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values])


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
