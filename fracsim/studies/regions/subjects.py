"""The networks whose regions are counted: a random one, a stored one, or a run at all its stored
snapshots."""

import json
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fracsim.data.numbering import Number
from fracsim.data.reader import sniff
from fracsim.errors import UsageError
from fracsim.fractals.fractal import Fractal
from fracsim.kernels.network.shape import Shape
from fracsim.networks.initial import initial_parameters
from fracsim.networks.stored import (
    StoredNetwork,
    choose_run,
    load_network,
    load_networks,
    open_trained,
    stored_score,
)
from fracsim.values.grammar import layer_widths


@dataclass(frozen=True)
class Subject:
    """A network to count the regions of."""

    shape: Shape
    params: NDArray[Any]
    about: str
    low: float = -1.0
    """Lower side of the base that it was made for."""
    fractal: Fractal | None = None
    fractal_depth: int = 0
    step: int = 0
    """Optimiser steps of a snapshot."""
    accuracy: float = float("nan")
    """Test accuracy of a snapshot; NaN where labels are real."""
    note: str = ""

    def attributes(self) -> dict[str, str | int | float]:
        """What a study file says of the network."""
        known: dict[str, str | int | float] = {"about": self.about}
        if self.fractal is not None:
            known["fractal_definition"] = json.dumps(self.fractal.to_dict())
            known["fractal"], known["fractal_depth"] = self.fractal.name, self.fractal_depth
        return known


def random_shape(inputs: int, depth: int, width: int | str) -> Shape:
    """The shape of a random network: ``depth`` layers of one width, or those of "100-20-100"."""
    return Shape(inputs, layer_widths(width) if isinstance(width, str) else (width,) * depth)


def random_subject(
    inputs: int,
    depth: int,
    width: int | str,
    init: str,
    bias: float | None,
    bias_std: float | None,
    seed: int,
) -> Subject:
    """A network at initialisation, in float32 as the ones that are trained; ``width`` of every
    layer, or text as 100-20-100. Raises UsageError."""
    shape = random_shape(inputs, depth, width)
    params = initial_parameters(shape, init, seed, bias, bias_std=bias_std)
    biases = f", N({bias or 0:g}, {bias_std:g}²) biases" if bias_std is not None else ""
    return Subject(
        shape, params, f"random network, depth {depth}, width {width} ({init}{biases}, seed {seed})"
    )


def stored_subjects(path: str, run: Number | None, snapshot: str | None) -> list[Subject]:
    """The network of a file at one of its snapshots (a number, by default the last), or at "all" of
    them.

    Raises FileError (no network in the file), UsageError (no such run or snapshot).
    """
    if snapshot != "all":
        return [_subject(load_network(path, run, _number(snapshot)))]
    if sniff(path) == "study":
        raise UsageError(
            "--snapshot all: a constructed network has no training; accepted is a trajectory"
        )
    trajectory = open_trained(path)
    row = choose_run(trajectory, run)
    subjects = []
    for snapshot_number, network in enumerate(load_networks(trajectory, row)):
        step, score = stored_score(trajectory, row, snapshot_number)
        accuracy = float("nan") if trajectory.target(row) == "real" else score
        subjects.append(_subject(network, step, accuracy))
    return subjects


def _number(snapshot: str | None) -> int:
    try:
        return -1 if snapshot is None else int(snapshot)
    except ValueError:
        raise UsageError(f"--snapshot {snapshot}: accepted is a number from 0, or all") from None


def _subject(network: StoredNetwork, step: int = 0, accuracy: float = float("nan")) -> Subject:
    shape = network.shape
    name = f"{network.sizes}; {network.about}"
    low = -1.0
    if network.fractal is not None:
        name, low = f"{network.fractal.name}: {name}", network.fractal.geometry().low
    return Subject(
        shape,
        network.params,
        name,
        low,
        network.fractal,
        network.fractal_depth,
        step,
        accuracy,
        network.note,
    )
