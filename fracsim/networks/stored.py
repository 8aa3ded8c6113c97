"""Networks kept in files: trained ones in trajectories, written ones in the files of studies."""

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.data.errors import FileError, printable
from fracsim.data.numbering import Number, Row
from fracsim.data.reader import Trajectory, open_trajectory, sniff
from fracsim.data.schema import layer_widths
from fracsim.data.studies import read_part
from fracsim.data.trajectory import all_weights
from fracsim.errors import UsageError
from fracsim.fractals.fractal import Fractal
from fracsim.kernels.network.shape import Shape, parameter_count
from fracsim.networks.file import NETWORK, PARAMS
from fracsim.values.grammar import width_of_layers

_LONGEST_WIDTHS = 20  # characters of "100-20-100" that a title has room for


@dataclass(frozen=True)
class StoredNetwork:
    """A network read from a file, and the fractal distribution it was made for."""

    path: str
    shape: Shape
    params: NDArray[Any]
    """(Q,) float32 or float64"""
    fractal: Fractal | None
    """None where another problem was learnt."""
    fractal_depth: int
    curve: str
    """Approximation curve it was trained on; "" for a constructed network."""
    width: int | str
    """Of every hidden layer, or text as 100-20-100, as ``Run.width`` says it."""
    about: str
    """What the network is, for a title: "test accuracy 0.9871 at step 100,000"."""
    run: Number | None = None
    """Number of its run in the experiment; None for a constructed network."""
    note: str = ""
    """What must be said beside results: "" or e.g. "running, 37 of 100 records"."""
    seed: int | None = None
    """Seed of its training; None for a written network."""

    @property
    def sizes(self) -> str:
        """Depth and width for a title; widths of many layers become their greatest."""
        width = str(self.width)
        if len(width) > _LONGEST_WIDTHS:
            width = f"up to {self.shape.width}"
        return f"depth {self.shape.depth}, width {width}"


def load_network(
    path: str | os.PathLike[str],
    run: Number | None = None,
    snapshot: int = -1,
    *,
    several: bool = False,
) -> StoredNetwork:
    """The network of a study, or of a trajectory's ``run`` at one of its stored snapshots (-1: the
    last one).

    ``run`` is its number in the experiment, which the file of a shard keeps. Without it: of the
    runs with weights, the one with the best test accuracy (R² of real labels) at its last snapshot.
    ``several``: networks of several outputs are accepted, too. Raises FileError (no such file, no
    weights in it), UsageError (no such run or snapshot)."""
    try:
        trajectory = open_trajectory(path)
    except FileError:
        if sniff(path) == "study":
            if run is not None or snapshot != -1:
                what = f"run {run}" if run is not None else f"snapshot {snapshot}"
                raise UsageError(
                    f"there is no {what} in '{path}': it is the file of a study, which holds one "
                    "network and no training; leave out which"
                ) from None
            return _constructed(os.fspath(path))
        trajectory = open_trained(path)  # says which command is for such a file
    chosen = choose_run(trajectory, run)
    stored_score(trajectory, chosen, snapshot)  # it says which snapshots there are
    _, params = trajectory.weights(chosen, snapshot)
    return _trained(trajectory, chosen, snapshot, params, several)


def load_networks(trajectory: Trajectory, row: Row) -> list[StoredNetwork]:
    """The networks of a run at all of its stored snapshots. Raises FileError."""
    stored = enumerate(all_weights(trajectory, row))
    return [_trained(trajectory, row, snapshot, params) for snapshot, params in stored]


def _trained(
    trajectory: Trajectory,
    chosen: Row,
    snapshot: int,
    params: NDArray[Any],
    several: bool = False,
) -> StoredNetwork:
    step, score = stored_score(trajectory, chosen, snapshot)
    sizes = trajectory.sizes(chosen)
    width = sizes.width
    if sizes.outputs != 1 and not several:
        raise FileError(
            f"'{trajectory.path}' holds a network of {sizes.outputs} outputs, one for each class; "
            f"accepted here is a network of one output"
        )
    settings = {key: column[chosen] for key, column in trajectory.runs.items()}
    name = str(settings.get("fractal", ""))
    what = "R²" if trajectory.target(chosen) == "real" else "accuracy"
    return StoredNetwork(
        trajectory.path,
        Shape(sizes.inputs, layer_widths(sizes.depth, width), sizes.outputs, sizes.image),
        params,
        stored_fractal(trajectory, name) if name else None,
        int(settings["fractal_depth"]) if name else 0,
        str(settings["curve"]) if name else "",
        width,
        f"test {what} {score:.4f} at step {step:,}",
        Number(int(trajectory.numbers[chosen])),
        trajectory.note,
        int(settings["seed"]) if "seed" in settings else None,
    )


def choose_run(trajectory: Trajectory, run: Number | None) -> Row:
    """The row of the run with this number, else of the one with the best test accuracy, or R², at
    its last stored weights."""
    done = trajectory.records_done
    recorded = {number: row for number, row in trajectory.rows.items() if done[row]}
    if not recorded:
        raise FileError(f"{trajectory.path}: no run has a record yet, so there is nothing to draw")
    if run is not None and run not in recorded:
        there = ", ".join(map(str, recorded))
        raise UsageError(f"--run {run}: there is no such run with records; accepted: {there}")
    stored = [
        i
        for number, i in recorded.items()
        if run in (None, number) and len(trajectory.weight_steps(i))
    ]
    if not stored:
        whose = "" if run is None else f" of run {run}"
        raise FileError(
            f"'{trajectory.path}' holds no weights{whose}, so there is no network to read: "
            "train with `fracsim train`, or with `fracsim sweep --weights final`"
        )
    return max(stored, key=lambda i: stored_score(trajectory, i)[1])


def stored_score(trajectory: Trajectory, run: Row, snapshot: int = -1) -> tuple[int, float]:
    """The step of a stored snapshot of the run in row ``run``, and the test accuracy, or R² of
    real labels, recorded there."""
    steps = trajectory.weight_steps(run)
    if not -len(steps) <= snapshot < len(steps):
        number = trajectory.numbers[run]
        raise UsageError(
            f"--snapshot {snapshot}: run {number} of '{trajectory.path}' has {len(steps)} snapshots"
        )
    step = int(steps[snapshot])
    return step, float(
        trajectory.variable(trajectory.score(run))[run, np.searchsorted(trajectory.steps, step)]
    )


def stored_fractal(trajectory: Trajectory, name: str) -> Fractal:
    """A fractal as the file defines it, so that its own TOML is not needed again. Raises FileError.

    It is never looked up elsewhere: the name may come from anyone, and could be a path.
    """
    try:
        return Fractal.from_dict(trajectory.experiment["fractals"][name])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        why = f": {error}" if isinstance(error, UsageError) else ""
        raise FileError(
            f"'{trajectory.path}' does not define its fractal {name!r:.60}{printable(why)}"
        ) from error


def open_trained(path: str | os.PathLike[str]) -> Trajectory:
    """A trajectory; where the file holds something else of ours, the error says which command is
    for that."""
    try:
        return open_trajectory(path)
    except FileError:
        kind = sniff(path)  # raises the same error for a file that is not ours
        if kind == "samples":
            raise FileError(
                f"'{os.fspath(path)}' holds sampled points, no trained networks; "
                "a fractal and its sample are drawn by `fracsim-plot fractal NAME`"
            ) from None
        raise


def described(shape: Shape, about: str) -> dict[str, str | int | float]:
    """The attributes by which a study's file says what network its ``params`` are."""
    widths = width_of_layers(shape.widths) if shape.widths else 1
    said = {"widths": widths} if isinstance(widths, str) else {}
    return {
        "about": about,
        "input_dimension": shape.inputs,
        "network_depth": shape.depth,
        "width": shape.width,
        **said,
    }


def _constructed(path: str) -> StoredNetwork:
    study = read_part(path, PARAMS)
    facts = study.attributes
    if "params" not in study.arrays:
        raise FileError(f"'{path}' holds what was counted, no network")
    params = study.arrays["params"]
    try:
        inputs, depth, width = (
            int(facts[key]) for key in ("input_dimension", "network_depth", "width")
        )
        if not 0 <= depth <= len(params):  # a deeper one has more parameters than that
            raise ValueError(f"network_depth {depth} with {len(params)} parameters")
        said = str(facts["widths"]) if "widths" in facts else width
        widths = layer_widths(depth, said)
        shape = Shape(inputs, widths)
        about = str(facts["about"])
        fractal, fractal_depth = None, 0
        if study.kind == NETWORK.kind or "fractal_definition" in facts:
            fractal = Fractal.from_dict(json.loads(str(facts["fractal_definition"])))
            fractal_depth = int(facts["fractal_depth"])
    except (KeyError, ValueError, TypeError) as error:
        raise FileError(
            f"'{path}' is not a valid fracsim file: its network is not described ({error})"
        ) from error
    if (len(params), depth) != (parameter_count(shape), shape.depth) or (
        width != shape.width if widths else width < 1
    ):
        raise FileError(
            f"'{path}' is not a valid fracsim file: {len(params)} parameters for a network of "
            f"{shape}"
        )
    return StoredNetwork(path, shape, params, fractal, fractal_depth, "", said, about)
