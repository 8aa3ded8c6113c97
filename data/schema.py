"""What a trajectory file contains: names, dimensions, types, units and meaning of everything in it.

Letters of the design: R runs, S recorded steps, n + 1 levels, T + 1 layers, Q parameters, N points,
d coordinates. Little-endian types are spelled out so that equal results give equal bytes on every
machine."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

FORMAT = "fracsim-trajectory"
SAMPLES_FORMAT = "fracsim-samples"
STUDY_FORMAT = "fracsim-study"
FORMAT_VERSION = 1

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
    "layer": Variable("layer", ("layer",), "<i8", "1", "layer, input side first, readout last"),
    "snapshot": Variable(
        "snapshot", ("snapshot",), "<i8", "1", "optimiser steps done when the weights were stored"
    ),
}
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
)

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
TARGETS = ("class", "real")  # what labels are: one of two classes, or real numbers
EVERY_RECORD = (*RECORDS, *REAL_RECORDS)
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

# What each of the theory's commands stores. A dtype "str" is text, on one axis; a variable named
# after its only axis holds that axis's coordinates.
STUDIES = {
    "network": (
        Variable("params", ("parameter",), "<f8", "1", "weights and biases of the network, flat"),
        Variable(
            "level", ("level",), "<i8", "1", "level(x): negatives at j < n, positives at j = n"
        ),
        Variable("errors", ("level",), "<i8", "1", "points of the level on which the network errs"),
        Variable("samples", ("level",), "<i8", "1", "points of the level on which it was tried"),
    ),
    "bounds": (
        Variable("network_depth", ("network_depth",), "<i8", "1", "hidden layers T"),
        Variable("width", ("width",), "<i8", "1", "width k of each hidden layer"),
        Variable("level", ("level",), "<i8", "1", "level j, 0..n"),
        Variable(
            "sign_changes",
            ("sign_changes",),
            "<i8",
            "1",
            "sign changes m of a classifier on the line",
        ),
        Variable("curve_values", ("level",), "<f8", "1", "approximation curve P(j)"),
        Variable(
            "least_width",
            ("network_depth",),
            "<f8",
            "1",
            "Theorem 2: width that a network without error needs (NaN: the theorem says nothing)",
        ),
        Variable(
            "upper_error",
            ("network_depth", "width"),
            "<f8",
            "1",
            "Theorem 3: a network with this 0-1 error exists (NaN: too narrow for one level)",
        ),
        Variable(
            "upper_level",
            ("network_depth", "width"),
            "<f8",
            "1",
            "level j that this network resolves",
        ),
        Variable(
            "upper_merge",
            ("network_depth", "width"),
            "<f8",
            "1",
            "levels s that it merges into one step",
        ),
        Variable(
            "lower_error",
            ("network_depth", "width"),
            "<f8",
            "1",
            "Theorem 4, d = 1: no network has a smaller 0-1 error (NaN: the theorem says nothing)",
        ),
        Variable("lower_level", ("network_depth", "width"), "<f8", "1", "level j of this bound"),
        Variable(
            "least_error",
            ("network_depth", "width"),
            "<f8",
            "1",
            "d = 1: exact least 0-1 error with (k + 1)^T sign changes (NaN: not computed)",
        ),
        Variable(
            "changes_least_error",
            ("sign_changes",),
            "<f8",
            "1",
            "exact least 0-1 error of any classifier with at most m sign changes",
        ),
        Variable(
            "changes_lower_error",
            ("sign_changes",),
            "<f8",
            "1",
            "Theorem 4 for m linear pieces: T = 1, k = m - 1 (NaN: the theorem says nothing)",
        ),
    ),
    "gradient": (
        Variable("curve", ("curve",), "str", "1", "approximation curve"),
        Variable("level", ("level",), "<i8", "1", "level j of all negatives; E_(j+1) in the paper"),
        Variable(
            "draw",
            ("draw",),
            "<i8",
            "1",
            "number of the random network: its seed is the study's seed + draw",
        ),
        Variable(
            "max_abs_gradient",
            ("curve", "draw"),
            "<f8",
            "1",
            "largest entry of the gradient of the hinge loss over the distribution",
        ),
        Variable(
            "max_abs_gradient_error",
            ("curve", "draw"),
            "<f8",
            "1",
            "standard error of that entry, if sampled",
        ),
        Variable("loss", ("curve", "draw"), "<f8", "1", "hinge loss over the distribution"),
        Variable(
            "loss_error", ("curve", "draw"), "<f8", "1", "standard error of the loss, if sampled"
        ),
        Variable(
            "bound", ("curve",), "<f8", "1", "Theorem 5's bound on the largest entry (NaN: none)"
        ),
        Variable(
            "loss_bound", ("curve",), "<f8", "1", "Theorem 5's lower bound on the loss (NaN: none)"
        ),
        Variable(
            "max_abs_gradient_by_level",
            ("level", "draw"),
            "<f8",
            "1",
            "largest entry of the gradient of the hinge loss, all negatives of one level",
        ),
        Variable(
            "correlation_by_level",
            ("level", "draw"),
            "<f8",
            "1",
            "largest entry of E[y df/dparams], all negatives of one level",
        ),
        Variable(
            "correlation_error_by_level",
            ("level", "draw"),
            "<f8",
            "1",
            "standard error of that entry, if sampled",
        ),
    ),
    # In a window of the plane, along one segment, along many, or at the stored snapshots of a
    # training.
    "regions": (
        Variable(
            "vertices", ("vertex", "dim"), "<f8", "1", "coordinates of the corners of regions"
        ),
        Variable(
            "corners",
            ("corner",),
            "<i4",
            "1",
            "vertices of the regions, region after region, anticlockwise",
        ),
        Variable("corner_count", ("region",), "<i4", "1", "how many corners the region has"),
        Variable("gradient", ("region", "dim"), "<f8", "1", "gradient of f on the region"),
        Variable("area", ("region",), "<f8", "1", "area of the region"),
        Variable(
            "sign",
            ("region",),
            "|i1",
            "1",
            "sign of f on the region, 0 where f = 0 runs through it",
        ),
        Variable(
            "end",
            ("end",),
            "<f8",
            "1",
            "t at the ends of regions along the segment, start at 0, end at 1",
        ),
        Variable(
            "crossed_layer",
            ("end",),
            "<i4",
            "1",
            "hidden layer of the unit that changes sign there (-1: none)",
        ),
        Variable(
            "crossed_unit",
            ("end",),
            "<i4",
            "1",
            "unit of the layer that changes sign there (-1: none)",
        ),
        Variable("slope", ("region",), "<f8", "1", "df/dt on the region"),
        Variable(
            "offset",
            ("region",),
            "<f8",
            "1",
            "f at the origin (plane), at t = 0 (segment), of the region's f",
        ),
        Variable(
            "piece",
            ("region",),
            "<i8",
            "1",
            "number of the linear piece that the region belongs to",
        ),
        Variable("start", ("segment", "dim"), "<f8", "1", "where the segment starts"),
        Variable("stop", ("segment", "dim"), "<f8", "1", "where the segment ends"),
        Variable("segment_regions", ("segment",), "<i8", "1", "activation regions on the segment"),
        Variable("segment_pieces", ("segment",), "<i8", "1", "linear pieces on the segment"),
        Variable("place", ("point", "dim"), "<f8", "1", "random points of the window"),
        Variable(
            "distance",
            ("point",),
            "<f8",
            "1",
            "distance from the point to the nearest boundary of a region",
        ),
        Variable(
            "snapshot",
            ("snapshot",),
            "<i8",
            "1",
            "optimiser steps done when the weights were stored",
        ),
        Variable(
            "activation_regions",
            ("snapshot",),
            "<i8",
            "1",
            "activation regions (over all segments)",
        ),
        Variable("linear_pieces", ("snapshot",), "<i8", "1", "linear pieces (over all segments)"),
        Variable(
            "mean_distance",
            ("snapshot",),
            "<f8",
            "1",
            "mean distance from a random point to a boundary",
        ),
        Variable("test_accuracy", ("snapshot",), "<f8", "1", "accuracy on the test set"),
    ),
}

# Columns on `run`: whatever the experiment says of a run. A column that is not listed is stored
# under its own name.
COLUMNS = {
    "problem": "what is learnt",
    "profile": "function of the radius",
    "dimension": "dimension d of the points",
    "table": "file of the points, # and the SHA-256 of its arrays",
    "target": "what the labels are: class or real",
    "fractal": "name of the fractal",
    "fractal_depth": "depth n of the fractal",
    "curve": "approximation curve",
    "gap": "where negatives of a cell are drawn",
    "positive_margin": "margin of the positives, relative to the innermost cell",
    "negative_margin": "margin of the negatives, relative to their own cell and its images",
    "network_depth": "hidden layers T",
    "width": "width k of each hidden layer",
    "initialisation": "scheme of the initial parameters",
    "bias": "initial bias (NaN: the scheme's default)",
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
    ]
)

RESERVED = frozenset(
    [
        *DIMENSIONS,
        *BARE_DIMENSIONS,
        "weights",
        *(v.name for v in (*EVERY_RECORD, *PROGRESS, *WEIGHTS)),
    ]
)


def records_of(targets: Sequence[str], levels: int) -> tuple[Variable, ...]:
    """The recorded variables of a file whose runs have these targets; by level where there are
    several."""
    found = []
    for variable in EVERY_RECORD:
        real, classes = variable in REAL_RECORDS, variable.name in OF_CLASSES
        if (
            (not real or "real" in targets)
            and (not classes or "class" in targets)
            and ("level" not in variable.dims or levels > 1)
        ):
            found.append(variable)
    return tuple(found)


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


def weights_name(inputs: int, depth: int, width: int) -> str:
    """Name of the weights group of one network shape, e.g. 'T5_k100_d2'."""
    return f"T{depth}_k{width}_d{inputs}"


def weights_shape(name: str) -> tuple[int, int, int] | None:
    """Shape (d, T, k) that a group's name says; None where it is no such name."""
    found = re.fullmatch(r"T(\d{1,9})_k(\d{1,9})_d(\d{1,9})", name)
    return (int(found[3]), int(found[1]), int(found[2])) if found else None


def parameter_count(inputs: int, depth: int, width: int) -> int:
    """Q of a network with `depth` hidden layers of `width` units and one output."""
    if depth == 0:
        return inputs + 1
    return (inputs + 1) * width + (depth - 1) * (width + 1) * width + width + 1
