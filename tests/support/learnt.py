"""Experiments of a few milliseconds on problems that are no fractals, and small tables for them."""

import numpy as np

from fracsim.experiments.experiment import make_experiment
from fracsim.experiments.grid import Grid

SHORT = {
    "steps": 40,
    "record_every": 10,
    "batch_size": 20,
    "width": 5,
    "network_depth": 1,
    "loss": "squared",
}


def experiment_of(problem, weights="none", crossed=None, **fixed):
    """A small experiment on a problem; ``crossed``: key -> values."""
    grid = Grid()
    for key, value in {"problem": problem, **SHORT, **fixed}.items():
        grid.fix(key, value)
    for key, values in (crossed or {}).items():
        grid.cross(key, list(values))
    return make_experiment(grid, name=f"small-{problem}", weights=weights)


def radial(weights="none", crossed=None, **fixed):
    """Training on a radial function in d = 3."""
    points = {"train_points": 200, "test_points": 100, "dimension": 3}
    return experiment_of("radial", weights, crossed, **{**points, **fixed})


def table(path, weights="none", crossed=None, **fixed):
    """Training on the points of a file."""
    return experiment_of("table", weights, crossed, table=str(path), **fixed)


def write_table(path, count=150, d=3, real=False, groups=0, seed=0, **changed):
    """An .npz of points that can be learnt; ``changed``: arrays to put in place of its own."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, d))
    y = np.abs(x).sum(axis=1) if real else np.where(x[:, 0] > 0, 1, -1)
    arrays = {"x": x, "y": y}
    if groups:
        arrays["group"] = np.arange(count) % groups
    np.savez(path, **{**arrays, **changed})
    return path
