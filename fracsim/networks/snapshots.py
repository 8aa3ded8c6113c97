"""A stored network at one of its snapshots, or a training at all of them, for studies that ask how
a measure changes through training."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.data.errors import FileError
from fracsim.data.numbering import Number, Row
from fracsim.data.reader import Trajectory, sniff
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


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network, and when it was stored."""

    shape: Shape
    params: NDArray[np.float64]
    about: str
    fractal: Fractal | None
    fractal_depth: int
    step: int = 0
    score: float = float("nan")
    """Test accuracy, or R² of real labels; NaN where there is none."""

    @property
    def low(self) -> float:
        """Lower end of the base of its fractal; -1 where it has none."""
        return -1.0 if self.fractal is None else self.fractal.low

    def attributes(self) -> dict[str, Any]:
        """What a study file says of it."""
        known: dict[str, Any] = {
            "about": self.about,
            "input_dimension": self.shape.inputs,
            "network_depth": self.shape.depth,
            "widths": "-".join(map(str, self.shape.widths)),
        }
        if self.fractal is not None:
            known["fractal"], known["fractal_depth"] = self.fractal.name, self.fractal_depth
            known["fractal_definition"] = json.dumps(self.fractal.to_dict())
        return known


def snapshots_of(path: str, run: int | None, snapshot: str | None) -> list[Snapshot]:
    """The network of a file at one snapshot (a number, by default the last), or at "all" of them
    and, where its weights were drawn, as it was before the first step.

    Raises FileError (no network in the file), UsageError (no such run or snapshot, or all of a
    network that has no training)."""
    if snapshot != "all":
        chosen = None if run is None else Number(run)
        return [_of(load_network(path, chosen, _number(snapshot)))]
    if sniff(path) == "study":
        raise UsageError(
            "--snapshot all: a constructed network has no training; accepted is a trajectory"
        )
    trajectory = open_trained(path)
    row = choose_run(trajectory, None if run is None else Number(run))
    number, steps = Number(int(trajectory.numbers[row])), trajectory.weight_steps(row)
    if not len(steps):
        raise FileError(f"'{path}' holds no snapshots of run {number}")
    scores = [stored_score(trajectory, row, i) for i in range(len(steps))]
    networks = load_networks(trajectory, row)
    found = [_of(network, *scored) for network, scored in zip(networks, scores, strict=True)]
    return [*_drawn(trajectory, row, found[0]), *found]


def _drawn(trajectory: Trajectory, row: Row, first: Snapshot) -> list[Snapshot]:
    """The network as it was drawn, from the settings of its run; nothing where the file has it, or
    where it started from another network."""
    settings = {key: column[row] for key, column in trajectory.runs.items()}
    if first.step == 0 or settings.get("init_from") or "initialisation" not in settings:
        return []
    laws = (float(settings.get(key, math.nan)) for key in ("bias", "bias_std", "weight_std"))
    bias, bias_std, weight_std = (None if math.isnan(value) else value for value in laws)
    real = np.float64 if settings.get("precision") == "float64" else np.float32
    params = initial_parameters(
        first.shape,
        str(settings["initialisation"]),
        int(settings["seed"]),
        bias,
        real,
        bias_std,
        weight_std,
    )
    drawn = np.asarray(params, np.float64)
    return [dataclasses.replace(first, params=drawn, step=0, score=math.nan)]


def alone(path: str, snapshot: str | None, steps: Sequence[int]) -> list[str]:
    """A note where all snapshots of a run are asked for and the file keeps one only."""
    if snapshot != "all" or len([step for step in steps if step > 0]) != 1:
        return []
    return [
        f"{path} keeps the weights of one step only, {max(steps):,}: nothing is seen of the way "
        f"there; train with --weights records to keep those of every record"
    ]


def _number(snapshot: str | None) -> int:
    try:
        return -1 if snapshot is None else int(snapshot)
    except ValueError:
        raise UsageError(f"--snapshot {snapshot}: accepted is a number from 0, or all") from None


def _of(network: StoredNetwork, step: int = 0, score: float = float("nan")) -> Snapshot:
    shape = network.shape
    about = f"{shape}; {network.about}"
    if network.fractal is not None:
        about = f"{network.fractal.name}, depth {network.fractal_depth}: {about}"
    params = np.asarray(network.params, np.float64)
    return Snapshot(
        shape, params, about, network.fractal, network.fractal_depth, step, float(score)
    )
