"""The network that is rounded, and the points on which it is tried."""

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fracsim.data.numbering import Number
from fracsim.data.reader import sniff
from fracsim.errors import UsageError
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution, Sample
from fracsim.kernels.network.shape import split_layers
from fracsim.networks.rewriting.layers import Layer, Layers, evaluate_in_parts
from fracsim.networks.stored import StoredNetwork, load_network
from fracsim.studies.quantise.declaration import Settings
from fracsim.values.settings import label

POINTS = 20_000


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, and points of its fractal; of another problem, points of [-1, 1]^d."""

    network: StoredNetwork
    layers: Layers
    points: Sample | None
    cube: np.ndarray

    @cached_property
    def x(self) -> np.ndarray:
        """(N, d)"""
        return self.cube if self.points is None else self.points.x

    def outputs(self, layers: Layers) -> np.ndarray:
        """Outputs (N,) of a network on the points."""
        outputs: np.ndarray = evaluate_in_parts(layers, self.x)[:, 0]
        return outputs

    def accuracy(self, outputs: np.ndarray) -> np.ndarray:
        """Accuracy over all points, then by level 0 … n; empty without a fractal."""
        if self.points is None:
            return np.empty(0)
        right = outputs * self.points.y > 0
        n = self.network.fractal_depth
        of = [self.points.level == j for j in range(n + 1)]
        by_level = [right[there].mean() if there.any() else np.nan for there in of]
        return np.array([right.mean(), *by_level])


def subject_of(settings: Settings) -> Subject:
    """The network of the settings' file, with points that keep the margins it was built for.

    Raises UsageError, FileError."""
    assert settings.file is not None
    run = None if settings.run is None else Number(settings.run)
    snapshot = -1 if settings.snapshot is None else settings.snapshot
    network = load_network(settings.file, run, snapshot)
    params = np.asarray(network.params, np.float64)
    if not np.isfinite(params).all():
        raise UsageError(f"'{settings.file}' holds weights that are not finite: none are rounded")
    layers = [Layer(*layer) for layer in split_layers(network.shape, params)]
    points = _points(settings, network)
    d = network.shape.inputs
    count = settings.count or POINTS
    cube = np.random.default_rng(settings.seed).uniform(-1, 1, (count, d))
    return Subject(network, layers, points, cube)


def _points(settings: Settings, network: StoredNetwork) -> Sample | None:
    if network.fractal is None:
        if settings.curve is not None:
            raise UsageError(
                f"{label('curve')} is for a network of a fractal, and '{network.path}' holds none"
            )
        return None
    facts = _facts(network.path)
    curve = settings.curve or network.curve or str(facts.get("curve", "1"))
    positive, negative = (
        float(facts.get(f"{side}_margin", 0)) for side in ("positive", "negative")
    )
    distribution = Distribution(
        network.fractal, network.fractal_depth, parse_curve(curve), None, positive, negative
    )
    return distribution.sample(settings.count or POINTS, settings.seed)


def _facts(path: str) -> dict[str, str | int | float]:
    """What the file of a constructed network says of its points; nothing for a trained one."""
    if sniff(path) != "study":
        return {}
    from fracsim.studies import open_study

    return dict(open_study(path).attributes)


def fractal_attributes(network: StoredNetwork) -> dict[str, str | int | float]:
    """What a file says of a network's fractal, so that it can be drawn."""
    if network.fractal is None:
        return {}
    return {
        "fractal": network.fractal.name,
        "fractal_depth": network.fractal_depth,
        "fractal_definition": json.dumps(network.fractal.to_dict()),
    }
