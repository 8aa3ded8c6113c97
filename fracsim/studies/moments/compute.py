"""What ``fracsim moments`` does, and its numbers in words."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import RunError, UsageError
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.kernels.norms import deviation
from fracsim.kernels.random_networks.activations import RELU
from fracsim.kernels.random_networks.chain import chi_square_chain
from fracsim.kernels.random_networks.forward import every_layer
from fracsim.kernels.random_networks.networks import sample_networks
from fracsim.machine.cpus import available_threads
from fracsim.machine.memory import free_memory
from fracsim.networks.random import RandomNetwork, random_network
from fracsim.networks.snapshots import Snapshot, alone, snapshots_of
from fracsim.studies.moments import exact
from fracsim.studies.moments.declaration import Settings
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief

Floats = NDArray[np.float64]
DRAWS_AT_ONCE = 4096
"""Draws that a thread makes in one call; results do not depend on it."""
_SHOWN = ("mean", "mean_exact", "mean_limit", "second", "second_exact", "median")


@brief
@dataclass(frozen=True, eq=False)
class LayersMeasured(Result):
    """M_l of random networks, layer by layer (form "layers")."""

    network: RandomNetwork
    draws: int
    chain: bool
    by_layer: dict[str, Floats]
    variance: dict[str, float | None]
    gradient: dict[str, float | None] | None = None
    notes: Sequence[str] = ()
    form: str = "layers"

    def arrays(self) -> dict[str, Any]:
        """Numbers of each layer."""
        widths = self.network.shape.widths
        return {"layer": np.arange(1, len(widths) + 1), "units": np.array(widths), **self.by_layer}

    def attributes(self) -> dict[str, Any]:
        """The network, and the numbers that are not by layer."""
        known = {f"layer_variance_{key}": value for key, value in self.variance.items()}
        known |= {f"gradient_{key}": value for key, value in (self.gradient or {}).items()}
        return {
            **self.network.attributes(),
            "draws": self.draws,
            "law": "chain" if self.chain else "networks",
            **{key: float("nan") if value is None else value for key, value in known.items()},
        }

    def summary(self) -> dict[str, Any]:
        """A list of layers; exact numbers that there are not are null."""
        names = [name for name in self.by_layer if name != "layer"]
        layers = [
            {
                "layer": index + 1,
                "units": width,
                **{name: _number(self.by_layer[name][index]) for name in names},
            }
            for index, width in enumerate(self.network.shape.widths)
        ]
        more = {"gradient": self.gradient} if self.gradient is not None else {}
        return {
            "network": self.network.about,
            "inputs": self.network.shape.inputs,
            "draws": self.draws,
            "law": "chain" if self.chain else "networks",
            "layers": layers,
            "layer_variance": self.variance,
            **more,
        }

    def words(self) -> list[str]:
        """A table of the layers."""
        how = "χ² chains" if self.chain else "random networks"
        lines = [f"{self.network.about}: M_l = |x_l|²/n_l in {self.draws:,} {how}"]
        lines.append("layer" + "".join(f"{name.replace('_', ' '):>14}" for name in _SHOWN))
        for index in range(len(self.network.shape.widths)):
            row = (_number(self.by_layer[name][index]) for name in _SHOWN)
            cells = ("-" if value is None else f"{value:.6g}" for value in row)
            lines.append(f"{index + 1:5}" + "".join(f"{cell:>14}" for cell in cells))
        lines.append(f"variance over layers: {_pair(self.variance, 'sampled', 'exact')}")
        if self.gradient is not None:
            for name in ("fourth", "product", "variance"):
                said = _pair(self.gradient, name, f"{name}_exact")
                lines.append(f"gradient, {_GRADIENT[name]}: {said}")
        return lines


_GRADIENT = {
    "fourth": "E Z_p⁴",
    "product": "E Z_p² Z_q²",
    "variance": "variance of the squared entries",
}


@brief
@dataclass(frozen=True, eq=False)
class TrainingMeasured(Result):
    """M_l of the snapshots of one run, by level of the points (form "training")."""

    snapshots: list[Snapshot]
    mean: Floats
    """(snapshots, levels, T)"""
    spread: Floats
    points: int
    notes: Sequence[str] = ()
    form: str = "training"

    def arrays(self) -> dict[str, Any]:
        """Means and variances by snapshot, level and layer."""
        widths = self.snapshots[0].shape.widths
        return {
            "layer": np.arange(1, len(widths) + 1),
            "units": np.array(widths),
            "snapshot": np.array([one.step for one in self.snapshots]),
            "test_accuracy": np.array([one.score for one in self.snapshots]),
            "level": np.arange(self.mean.shape[1]),
            "mean_by_level": self.mean,
            "variance_by_level": self.spread,
        }

    def attributes(self) -> dict[str, Any]:
        """The network, its fractal, and how many points."""
        return {**self.snapshots[-1].attributes(), "points": self.points}

    def words(self) -> list[str]:
        """M_T at the first and the last snapshot."""
        last = self.snapshots[-1]
        lines = [f"{last.about}: M_l = |x_l|²/n_l by level of the points, last snapshot"]
        lines.append("level" + "".join(f"{f'layer {n + 1}':>12}" for n in range(last.shape.depth)))
        for level, row in enumerate(self.mean[-1]):
            lines.append(f"{level:5}" + "".join(f"{value:12.5g}" for value in row))
        return lines


def compute(settings: Settings, progress: OnProgress = silent) -> Result:
    """Measure. Raises UsageError, RunError, FileError."""
    if settings.is_random:
        return of_random(settings, progress)
    return of_stored(settings, progress)


def of_random(settings: Settings, progress: OnProgress = silent) -> LayersMeasured:
    """M_l of random networks: by the χ² chain where that is their law, else of whole networks."""
    network = random_network(settings)
    threads = settings.threads or available_threads()[0]
    draws, layers = settings.draws or 100_000, network.shape.depth
    columns = network.shape.inputs if settings.gradient else 0
    _check_memory(draws * (layers + columns))
    chain = network.is_gaussian and not settings.networks and not settings.gradient
    lengths, gradients = np.empty((layers, draws)), np.empty((draws, columns))
    kernel_law = network.kernel_law()
    seed, widths = np.uint64(settings.seed), np.array(network.shape.widths)

    def block(first: int) -> None:
        part = slice(first, first + DRAWS_AT_ONCE)
        if chain:
            kappa, variance = network.kappas[0], network.bias_variance
            chi_square_chain(seed, first, widths, kappa, variance, 1.0, lengths[:, part])
        else:
            ones = settings.direction == "ones"
            sample_networks(seed, first, *kernel_law, ones, lengths[:, part], gradients[part])

    with ThreadPoolExecutor(threads) as pool:
        for first in _done(pool, block, draws):
            progress(min(first + DRAWS_AT_ONCE, draws), draws)
    gradient = None
    if settings.gradient:
        gradient = _gradient(network, gradients)
    return LayersMeasured(
        network,
        draws,
        chain,
        _by_layer(network, lengths),
        _layer_variance(network, lengths),
        gradient,
        _notes(network, lengths, chain),
    )


def _done(pool: ThreadPoolExecutor, block: Callable[[int], None], draws: int) -> Iterator[int]:
    firsts = range(0, draws, DRAWS_AT_ONCE)
    for first, _ in zip(firsts, pool.map(block, firsts), strict=True):
        yield first


def _check_memory(numbers: int) -> None:
    free = free_memory()
    if free is not None and 24 * numbers > free:
        raise RunError(
            f"--draws: {numbers:,} numbers do not fit into the memory that is free; take fewer "
            "draws"
        )


def _by_layer(network: RandomNetwork, lengths: Floats) -> dict[str, Floats]:
    widths, kappas, variance = network.shape.widths, network.kappas[:-1], network.bias_variance
    nothing = np.full(len(widths), np.nan)
    low, median, high = np.quantile(lengths, (0.05, 0.5, 0.95), axis=1)
    alive = lengths > 0
    logs = np.log(np.where(alive, lengths, 1.0))
    counts = np.maximum(alive.sum(1), 1)
    log_mean = logs.sum(1) / counts
    log_variance = (np.where(alive, logs - log_mean[:, None], 0.0) ** 2).sum(1) / counts
    symmetric = network.bias == 0
    return {
        "mean": lengths.mean(1),
        "mean_exact": np.array(exact.means(kappas, variance)) if symmetric else nothing,
        "mean_limit": nothing
        if symmetric or variance
        else np.array(exact.constant_bias_limit(kappas, network.bias)),
        "second": (lengths**2).mean(1),
        "second_exact": np.array(exact.second_moments(widths, kappas, variance))
        if network.is_gaussian
        else nothing,
        "median": median,
        "low": low,
        "high": high,
        "log_mean": log_mean,
        "log_variance": log_variance,
        "dead": 1 - alive.mean(1),
        "standard_error": deviation(lengths, axis=1, ddof=1) / np.sqrt(lengths.shape[1]),
    }


def _layer_variance(network: RandomNetwork, lengths: Floats) -> dict[str, float | None]:
    found = {"sampled": float(lengths.var(0).mean())}
    widths, kappas = network.shape.widths, network.kappas[:-1]
    exactly = (
        exact.layer_variance(widths, kappas, network.bias_variance) if network.is_gaussian else None
    )
    return {**found, "exact": exactly}


def _gradient(network: RandomNetwork, gradients: Floats) -> dict[str, float | None]:
    """Moments of the entries, beside the exact ones."""
    squares = gradients**2
    n0, total, fourth = gradients.shape[1], squares.sum(1), (squares**2).sum(1)
    pairs = (total**2 - fourth) / (n0 * (n0 - 1)) if n0 > 1 else np.full(len(squares), np.nan)
    error = deviation(fourth / n0, ddof=1) / np.sqrt(len(squares))
    known = exact.gradient_moments(n0, network.shape.widths, network.kappas)
    exactly = {key: _number(value) if network.is_gaussian else None for key, value in known.items()}
    return {
        **exactly,
        "second": float(squares.mean()),
        "fourth": float(fourth.mean() / n0),
        "product": _number(float(pairs.mean())),
        "variance": float(squares.var(1).mean()),
        "standard_error": float(error),
    }


def _notes(network: RandomNetwork, lengths: Floats, chain: bool) -> list[str]:
    notes = []
    if not network.is_gaussian:
        notes.append(
            "Weights are not Gaussian or biases not of mean 0: whole networks were drawn, and only "
            + ("the mean is exact." if network.bias == 0 else "the limit of wide layers is known.")
        )
    dead = 1 - float((lengths[-1] > 0).mean())
    if dead > 0:
        notes.append(f"In {dead:.2%} of the draws layer {len(lengths)} is dead: M is 0.")
    return notes


def of_stored(settings: Settings, progress: OnProgress = silent) -> TrainingMeasured:
    """M_l of a stored network, or of all snapshots of a run, over points of each level."""
    assert settings.file is not None
    snapshots = snapshots_of(settings.file, settings.run, settings.snapshot)
    groups = points_by_level(snapshots[-1], settings.points, settings.seed)
    layers = snapshots[-1].shape.depth
    if not layers:
        raise UsageError("the network has no hidden layers, so there are no lengths to measure")
    mean, spread = np.empty((2, len(snapshots), len(groups), layers))
    for row, one in enumerate(snapshots):
        progress(row, len(snapshots), one.about)
        for level, points in enumerate(groups):
            for layer, h in enumerate(every_layer(one.shape, one.params, RELU, points)):
                m = (h**2).sum(1) / h.shape[1]
                mean[row, level, layer], spread[row, level, layer] = m.mean(), m.var()
    notes = alone(settings.file, settings.snapshot, [one.step for one in snapshots])
    return TrainingMeasured(snapshots, mean, spread, settings.points, notes=notes)


def points_by_level(snapshot: Snapshot, count: int, seed: int) -> list[Floats]:
    """Points (≤ count, d) of level 0, …, n of the snapshot's fractal; one group, uniform in
    [-1, 1]^d, where another problem was learnt."""
    if snapshot.fractal is None:
        rng_points = np.random.Generator(np.random.Philox(seed))
        return [rng_points.uniform(-1, 1, (count, snapshot.shape.inputs))]
    n = snapshot.fractal_depth
    even = [0.5 + 0.5 * level / n for level in range(n)] + [1.0]
    distribution = Distribution(snapshot.fractal, n, parse_curve(even))
    sample = distribution.sample(4 * count * (n + 1), seed)
    groups = []
    for level in range(n + 1):
        groups.append(np.asarray(sample.x[sample.level == level][:count], np.float64))
    return groups


def checks() -> Iterator[tuple[str, float, float]]:
    """The chain's mean against the exact one, for the doctor."""
    out = np.empty((3, 20_000))
    chi_square_chain(np.uint64(0), 0, np.full(3, 20), 1.0, 0.0, 1.0, out)
    yield "mean length of activations after 3 layers", abs(float(out[-1].mean()) - 1.0), 0.03


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _pair(values: dict[str, float | None], found: str, exactly: str) -> str:
    known = values[exactly]
    said = "nothing exact known" if known is None else f"exactly {known:.6g}"
    sampled = values[found]
    return f"{'-' if sampled is None else f'{sampled:.6g}'}, {said}"
