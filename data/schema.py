"""What a trajectory file contains: names, dimensions, types, units and meaning of everything in it.

Letters of the design: R runs, S recorded steps, n + 1 levels, T + 1 layers, Q parameters, N points,
d coordinates. Little-endian types are spelled out so that equal results give equal bytes on every
machine."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

FORMAT = "fracsim-trajectory"
SAMPLES_FORMAT = "fracsim-samples"
STUDY_FORMAT = "fracsim-study"
FORMAT_VERSION = 2
"""Of trajectories: version 1 has no record at step 0. Samples and studies are of version 1."""
SAMPLES_VERSION = STUDY_VERSION = 1

RUN_STATUS = ("pending", "running", "complete", "diverged")  # index = the code stored in run_status
FILE_STATUS = ("running", "interrupted", "complete")


class Variable(NamedTuple):
    """One variable: its axes by name, the type on disk, what it measures."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    units: str
    long_name: str


DIMENSIONS = {
    "run": Variable("run", ("run",), "<i8", "1", "number of the run in its experiment"),
    "step": Variable(
        "step", ("step",), "<i8", "1", "optimiser steps done when the record was taken"
    ),
    "level": Variable(
        "level", ("level",), "<i8", "1", "level(x): negatives at j < n, positives at j = n"
    ),
    "layer": Variable(
        "layer", ("layer",), "<i8", "1", "layer: hidden ones from 1, then the readout"
    ),
    "snapshot": Variable(
        "snapshot", ("snapshot",), "<i8", "1", "optimiser steps done when the weights were stored"
    ),
}
FIRST_NUMBER = {"level": 0, "layer": 1}
"""Where the numbers of a dimension begin. Files of version 1 count layers from 0."""

# Dimensions without a coordinate: an index of 10^8 points would cost more than their labels.
BARE_DIMENSIONS = ("parameter", "point", "dim")

RECORDS = (
    Variable(
        "train_loss", ("run", "step"), "<f8", "1", "mean training loss since the previous record"
    ),
    Variable(
        "train_accuracy", ("run", "step"), "<f8", "1", "training accuracy since the previous record"
    ),
    Variable("test_loss", ("run", "step"), "<f8", "1", "loss on the test set"),
    Variable("test_accuracy", ("run", "step"), "<f8", "1", "accuracy on the test set"),
    Variable("wall_time", ("run", "step"), "<f8", "s", "wall-clock time of the run so far"),
    Variable(
        "test_accuracy_by_level",
        ("run", "step", "level"),
        "<f8",
        "1",
        "accuracy on the test points of one level (NaN: none)",
    ),
    Variable(
        "gradient_norm",
        ("run", "step", "layer"),
        "<f8",
        "1",
        "L2 norm of the gradient of the mean test loss, weights and biases of one layer (NaN: no "
        "such layer)",
    ),
    Variable(
        "inactive_units",
        ("run", "step", "layer"),
        "<f8",
        "1",
        "share of the units of a hidden layer that no test point activates (NaN: the readout, or "
        "no such layer)",
    ),
)
SINCE_2 = ("inactive_units",)
"""Records that files of version 1 do not have."""

# Beside the losses, times and norms above, in place of accuracies, where labels are real numbers.
REAL_RECORDS = (
    Variable(
        "test_r2",
        ("run", "step"),
        "<f8",
        "1",
        "R2 on the test set: 1 - mean square error / variance of the labels (NaN: they are all "
        "equal)",
    ),
    Variable("test_rmse", ("run", "step"), "<f8", "1", "root mean square error on the test set"),
    Variable(
        "test_rmse_by_level",
        ("run", "step", "level"),
        "<f8",
        "1",
        "root mean square error on the test points of one level (NaN: none)",
    ),
)
# Beside both, of students of a teacher: its outputs are real numbers, the points have classes.
MIMIC_RECORDS = (
    Variable(
        "test_agreement", ("run", "step"), "<f8", "1", "test points with the teacher's own sign"
    ),
    Variable(
        "test_agreement_by_level",
        ("run", "step", "level"),
        "<f8",
        "1",
        "share of the test points of one level with the teacher's own sign (NaN: none)",
    ),
)
# What labels are: one of two classes, real numbers, or a teacher's outputs.
TARGETS = ("class", "real", "mimic")
EVERY_RECORD = (*RECORDS, *REAL_RECORDS, *MIMIC_RECORDS)
OF_CLASSES = ("train_accuracy", "test_accuracy", "test_accuracy_by_level")

PROGRESS = (
    Variable("run_status", ("run",), "|i1", "1", "state of the run"),
    Variable(
        "records_done", ("run",), "<i8", "1", "commit counter: records of the run that are valid"
    ),
)

WEIGHTS = (
    Variable(
        "snapshots_done",
        ("run",),
        "<i8",
        "1",
        "commit counter: snapshots of the run that are valid",
    ),
    Variable(
        "params",
        ("run", "snapshot", "parameter"),
        "<f4",
        "1",
        "weights and biases of the network, flat",
    ),
)
PARAMETER_LAYOUT = (
    "per layer the weights (n_in, n_out) row-major, then the biases (n_out); the readout comes last"
)

SAMPLES = (
    Variable("x", ("point", "dim"), "<f8", "1", "coordinates of the point"),
    Variable("y", ("point",), "|i1", "1", "label: +1 inside K_n, -1 outside"),
    Variable("level", ("point",), "<i2", "1", "largest j <= n with the point in K_j"),
)


class StudyFormat(NamedTuple):
    """What the files of one kind of study hold; the studies declare it (a room above this one).

    A dtype "str" is text, on one axis; a variable named after its only axis holds the coordinates
    of that axis. ``forms``: name of a form -> the variables that every file of this form has."""

    kind: str
    variables: tuple[Variable, ...]
    forms: Mapping[str, tuple[str, ...]] = MappingProxyType({})


# Columns on `run`: whatever the experiment says of a run. A column that is not listed is stored
# under its own name.
COLUMNS = {
    "problem": "what is learnt",
    "profile": "function of the radius",
    "dimension": "dimension d of the points",
    "table": "file of the points, # and the SHA-256 of its arrays",
    "target": "what the labels are: class or real",
    "images": "folder or file of the images, # and the SHA-256 of its arrays",
    "crop": "rows and columns of the part that a network sees (NaN: the whole image)",
    "flip": "whether columns of training images are reversed at random",
    "factors": "numbers n that are multiplied",
    "range": "each of them is uniform from -range to range",
    "teacher": "file of the network that is imitated, # and the SHA-256 of its parameters; of "
    "several, joined by +, the mean of their outputs",
    "points_of": "problem whose points the teacher is asked at",
    "transfer": "training points of a student: the teacher's own, fresh or uniform ones",
    "fractal": "name of the fractal",
    "fractal_depth": "depth n of the fractal",
    "curve": "approximation curve",
    "gap": "where negatives of a cell are drawn",
    "positive_margin": "margin of the positives, relative to the innermost cell",
    "negative_margin": "margin of the negatives, relative to their own cell and its images",
    "network": "family of networks: mlp or cnn",
    "network_depth": "hidden layers T",
    "width": "width k of each hidden layer",
    "widths": "units of each hidden layer, from the input side; width is that of the widest",
    "initialisation": "scheme of the initial parameters",
    "weight_std": "standard deviation of initial weights times root fan-in (NaN: the scheme's)",
    "bias": "initial bias (NaN: the scheme's default)",
    "bias_std": "standard deviation of initial biases (NaN: all are equal)",
    "init_from": "file of the network it started from, # and the SHA-256 of its parameters "
    "(empty: drawn weights)",
    "loss": "loss function",
    "optimizer": "optimiser",
    "learning_rate": "learning rate",
    "momentum": "momentum of the optimiser",
    "beta1": "decay of Adam's first moment",
    "beta2": "decay of Adam's second moment",
    "epsilon": "Adam's epsilon",
    "schedule": "schedule of the learning rate",
    "schedule_period": "period of the schedule in steps (NaN: none)",
    "schedule_decay": "factor of the step schedule",
    "data": "dataset drawn once, or stream of fresh samples",
    "train_points": "points of the training set",
    "test_points": "points of the test set",
    "batch_size": "points per optimiser step",
    "steps": "optimiser steps of the whole run",
    "record_every": "optimiser steps between records",
    "seed": "seed of data, order and initial parameters",
    "precision": "arithmetic of the training",
}
# Text even where no run of a file has set it.
TEXT_COLUMNS = frozenset(
    [
        "fractal",
        "curve",
        "gap",
        "initialisation",
        "init_from",
        "loss",
        "optimizer",
        "schedule",
        "data",
        "precision",
        "problem",
        "profile",
        "table",
        "target",
        "teacher",
        "points_of",
        "transfer",
        "widths",
        "images",
        "flip",
        "network",
    ]
)

RESERVED = frozenset(
    [
        *DIMENSIONS,
        *BARE_DIMENSIONS,
        "weights",
        "maps",
        *(v.name for v in (*EVERY_RECORD, *PROGRESS, *WEIGHTS)),
    ]
)


def numbers(dim: str, count: int, version: int = FORMAT_VERSION) -> range:
    """The coordinates of ``level`` or ``layer`` in a file of a version."""
    first = FIRST_NUMBER[dim] if version > 1 else 0
    return range(first, first + count)


def records_of(
    targets: Sequence[str], levels: int, version: int = FORMAT_VERSION
) -> tuple[Variable, ...]:
    """The recorded variables of a file of this version whose runs have these targets; by level
    where there are several."""
    return tuple(
        variable
        for variable in EVERY_RECORD
        if any(is_of(variable, target) for target in targets)
        and ("level" not in variable.dims or levels > 1)
        and (version > 1 or variable.name not in SINCE_2)
    )


def is_of(variable: Variable, target: str) -> bool:
    """Whether a variable is recorded of runs with this target."""
    if variable in MIMIC_RECORDS:
        return target == "mimic"
    if variable in REAL_RECORDS:
        return target != "class"
    if variable.name in OF_CLASSES:
        return target == "class" or (target == "mimic" and variable.name != "train_accuracy")
    return True


class Sizes(NamedTuple):
    """Of a network: inputs d, hidden layers T, and their width, "100-20-100" where layers differ;
    outputs, and of a convolutional network height, width and channels of the images."""

    inputs: int
    depth: int
    width: int | str
    outputs: int = 1
    image: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class WeightsGroup:
    """Stored weights of all runs with one network shape: params (len(runs), len(snapshots),
    parameters).

    `runs`: rows of the runs in the file, ascending. `snapshots`: the steps at which weights are
    stored, ascending. `parameters`: Q. `attributes`: added to those that say the shape. `dtype`:
    "float32" or "float64"."""

    runs: Sequence[int]
    snapshots: Sequence[int]
    parameters: int
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
    dtype: str = "float32"


def weights_name(
    inputs: int,
    depth: int,
    width: int | str,
    outputs: int = 1,
    image: tuple[int, int, int] | None = None,
) -> str:
    """Name of the weights group of one network shape: 'T5_k100_d2', or 'T3_k100-20-100_d2' where
    layers differ in width; 'T3_k100_d784_o10' of ten outputs, 'T2_k16_i28x28x1_o10' of a
    convolutional network."""
    seen = f"d{inputs}" if image is None else "i" + "x".join(map(str, image))
    several = "" if image is None and outputs == 1 else f"_o{outputs}"
    return f"T{depth}_k{width}_{seen}{several}"


_NAME = re.compile(
    r"T(\d{1,6})_k(0|[1-9]\d{0,8}(?:-[1-9]\d{0,8})*)"
    r"_(?:d(\d{1,9})|i(\d{1,5})x(\d{1,5})x(\d{1,5}))(?:_o(\d{1,6}))?"
)


def weights_shape(name: str) -> Sizes | None:
    """What a group's name says; None where it is no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    depth, width, image = int(found[1]), found[2], None
    inputs, outputs = int(found[3] or 0), int(found[7] or 1)
    if found[4]:
        image = (int(found[4]), int(found[5]), int(found[6]))
        inputs = image[0] * image[1] * image[2]
    if "-" in width:
        widths = width.split("-")
        sizes = Sizes(inputs, depth, width, outputs, image)
        known = len(widths) == depth and len({*widths}) > 1
    else:
        sizes = Sizes(inputs, depth, int(width), outputs, image)
        known = width != "0" or depth == 0
    return sizes if known and weights_name(*sizes) == name else None


def layer_widths(depth: int, width: int | str) -> tuple[int, ...]:
    """The widths of the hidden layers, from the input side."""
    return (width,) * depth if isinstance(width, int) else tuple(map(int, width.split("-")))


def parameter_count(
    inputs: int,
    depth: int,
    width: int | str,
    outputs: int = 1,
    image: tuple[int, int, int] | None = None,
) -> int:
    """Q of a network. (As in kernels/network/shape.py, which this room cannot see; no list is made
    of as many layers as a file may claim.)"""
    if depth == 0:
        return (inputs + 1) * outputs
    window, seen = 1, inputs
    first = last = width if isinstance(width, int) else 0
    if not isinstance(width, int):
        first, *_, last = layer_widths(depth, width)
    read = last
    if image is not None:  # windows of 5 x 5, and halved once or twice
        halved = 2 ** min(depth, 2)
        window, seen = 25, image[2]
        read = (image[0] // halved) * (image[1] // halved) * last
    if isinstance(width, int):
        between = (depth - 1) * (window * width + 1) * width
    else:
        pairs = itertools.pairwise(layer_widths(depth, width))
        between = sum((window * n_in + 1) * n_out for n_in, n_out in pairs)
    return (window * seen + 1) * first + between + (read + 1) * outputs
