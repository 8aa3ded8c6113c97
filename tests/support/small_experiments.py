"""Experiments of a few milliseconds for the tests of sweeps and of the commands that run them."""

import numpy as np

from fracsim.data.schema import RECORDS
from fracsim.experiments.experiment import Experiment, make_experiment
from fracsim.experiments.grid import Grid

SMALL = {
    "fractal_depth": 2,
    "steps": 40,
    "record_every": 10,
    "train_points": 200,
    "test_points": 100,
    "batch_size": 20,
    "width": 5,
    "network_depth": 1,
}
NUMBERS = [variable.name for variable in RECORDS if variable.name != "wall_time"]


def small(weights="none", crossed=None, **fixed):
    return make_experiment(
        Grid(fixed={**SMALL, **fixed}, crossed=crossed or {}), name="small", weights=weights
    )


def mixed():
    """Six shapes, two data sets."""
    return small(crossed={"network_depth": (0, 1, 2), "width": (3, 20), "seed": (0, 7)})


def shapes(weights="none", **fixed):
    """Runs of unequal cost, four shapes; in the shard without a cosine, schedule_period is set
    nowhere."""
    crossed = {"network_depth": (1, 2), "width": (3, 20), "schedule": ("constant", "cosine")}
    return Experiment.from_json(
        small(weights, crossed, **fixed).to_json()
    )  # every key once, as commands make it


def same_numbers(one, other):
    assert one.records == other.records
    for name in set(one.records) - {"wall_time"}:
        np.testing.assert_array_equal(one.variable(name), other.variable(name), err_msg=name)
