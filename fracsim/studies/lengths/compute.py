"""What ``fracsim lengths`` does, and its numbers in words."""

import math
import threading
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
from fracsim.studies.lengths.curves import Curve, circle, random_plane
from fracsim.studies.lengths.declaration import Settings
from fracsim.studies.lengths.measure import Memory, exact_lengths, lengths_of
from fracsim.studies.lengths.picture import (
    NETWORKS,
    POINTS,
    Picture,
    angles,
    autocorrelation_theory,
    take_picture,
)
from fracsim.studies.lengths.stored import line_of, of_stored
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
    pictures: Sequence[Picture] = ()
    """Of the first networks, where the curve is a circle."""
    picture_theory: Floats | None = None
    """(T, angles) autocorrelation in wide layers"""
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
            **self._pictured(),
        }

    def _pictured(self) -> dict[str, Any]:
        """Autocorrelation of the circle, and its image in the first network."""
        if not self.pictures:
            return {}
        found = [one.autocorrelation for one in self.pictures]
        theory = self.picture_theory
        return {
            "angle": angles(),
            "autocorrelation": np.mean(found, axis=0),
            "autocorrelation_theory": np.full_like(found[0], np.nan) if theory is None else theory,
            "place": self.pictures[0].places,
            "variance_share": self.pictures[0].shares,
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
    pictured = min(draws, NETWORKS) if settings.along == "circle" else 0
    pictures: dict[int, Picture] = {}
    own = threading.local()

    def one(index: int) -> None:
        seed = settings.seed + index
        own.memory = getattr(own, "memory", None) or Memory()
        curve, z_length = along.curve(seed)
        starts[:, index] = curve.length, z_length
        if index < pictured:
            points = along.curve(seed, POINTS + 1)[0].points[:-1]
            params = network.parameters(seed)
            pictures[index] = take_picture(network.shape, params, code, points, index == 0)
        params = network.parameters(seed)
        lengths[:, index] = lengths_of(
            network.shape, params, code, curve, exact, settings.points, own.memory
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
    kept = [pictures[index] for index in range(pictured)]
    limit = None
    if kept and along.from_z and along.square is not None:
        limit = autocorrelation_theory(network, activation, along.square)
    measured = x, z, by_layer, curve, kept, limit, notes
    return RandomMeasured(network, activation, settings.along, exact, *measured)


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

    def curve(self, seed: int, points: int | None = None) -> tuple[Curve, float]:
        """The curve for one network, a circle with so many vertices, and the length of its
        preactivation z_0 (NaN: none)."""
        settings = self.settings
        if settings.along == "circle":
            plane = random_plane(self.inputs, seed)
            found = circle(plane, self.radius, points or settings.points)
            if not self.from_z:
                return found, math.nan
            h = np.empty_like(found.points)
            activate(self.code, found.points, h)
            return Curve(h, found.piece), found.length
        return line_of(settings, self.inputs, -1.0), math.nan


def _exactly(settings: Settings, activation: str) -> bool:
    linear = bool(len(KINKS[ACTIVATIONS.index(activation)]))
    if settings.exact and not linear:
        raise UsageError(f"--exact: {activation} is smooth; accepted are relu and hardtanh")
    return linear and (settings.along != "circle" if settings.exact is None else settings.exact)


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


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: |x| twice over [-1, 1] keeps its length; hardtanh of 2x has length 2."""
    line = Curve(np.array([[-1.0], [1.0]]), np.zeros(2, np.int64))
    fold = np.array([1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    found = exact_lengths(Shape(1, 1, 2), fold, RELU, line)
    yield "length of a folded segment", abs(float(found.x[0]) - 2.0), 1e-12
    clip = np.array([2.0, 0.0, 1.0, 0.0])
    found = exact_lengths(Shape(1, 1, 1), clip, HARDTANH, line)
    yield "length of a clipped segment", abs(float(found.x[0]) - 2.0), 1e-12


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values])


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
