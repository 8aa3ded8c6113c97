"""One call that works of every public function and method: what ``test_arguments`` gives garbage
to."""

import numpy as np

import fracsim
from fracsim.experiments.grid import Grid
from fracsim.kernels.training.train import ADAM, Dataset, Rule, State
from fracsim.networks.initial import Shape

SMALL = {
    "network_depth": 1,
    "width": 3,
    "steps": 2,
    "record_every": 2,
    "train_points": 20,
    "test_points": 10,
    "batch_size": 5,
    "fractal": "cantor1d",
    "fractal_depth": 2,
}


def public_calls(folder):
    """Every public function and method, with one call that works."""
    cantor = fracsim.load_fractal("cantor1d")
    square = fracsim.load_fractal("cantor")
    curve = fracsim.parse_curve("1")
    distribution = fracsim.Distribution(cantor, 2, curve)
    sample = distribution.sample(50, seed=1)
    shape, flat = Shape(1, depth=1, width=3), Shape(2, depth=1, width=3)
    params, plane = (fracsim.initial_parameters(one, "he", bias_std=0.5) for one in (shape, flat))
    built = fracsim.construct(cantor, 2)
    margins = {"positive_margin": built.positive_margin, "negative_margin": built.negative_margin}
    points = fracsim.Distribution(cantor, 2, curve, **margins)
    tried = fracsim.verify(built, points, 100)
    networks = fracsim.RandomNetworks(shape, "he", count=2)
    grid = Grid(fixed=dict(SMALL))
    experiment = fracsim.make_experiment(grid, name="small", weights="final")
    run, net, study = folder / "run.h5", folder / "net.h5", folder / "study.h5"
    fracsim.run_sweep(experiment, run)
    fracsim.store_network(net, built, tried, points)
    trajectory = fracsim.open_trajectory(run)
    bounds = fracsim.STUDIES["bounds"]
    chosen = {"fractal": "cantor1d", "fractal_depth": 2}
    found = bounds.run(**chosen)
    bounds.write(study, bounds.make(chosen), found)
    gradients = {"fractal": cantor, "fractal_depth": 2, "curves": ["1"], "draws": networks}
    window = {"shape": flat, "params": plane, "window": (-1, 1, -1, 1)}
    parts = fracsim.partition(**window)
    runs = fracsim.load_runs([run])
    backend = fracsim.get_backend("cpu")
    yield from {
        "parse_curve": (fracsim.parse_curve, {"given": "1"}),
        "Curve": (fracsim.Curve, {"name": "1", "family": "polynomial", "parameter": 0.0}),
        "Curve.values": (curve.values, {"n": 3}),
        "Distribution": (
            fracsim.Distribution,
            {"fractal": cantor, "fractal_depth": 2, "curve": curve, "gap": "centre", **margins},
        ),
        "Distribution.sample": (
            distribution.sample,
            {"count": 5, "seed": 1, "purpose": 1, "first": 3},
        ),
        "Fractal": (
            fracsim.Fractal,
            {
                "name": "mine",
                "matrices": cantor.matrices,
                "offsets": cantor.offsets,
                "base": cantor.base,
                "gap": "complement",
                "description": "",
            },
        ),
        "Fractal.level": (square.level, {"x": np.zeros((3, 2)), "n": 2}),
        "Fractal.cells": (cantor.cells, {"n": 2}),
        "Fractal.check_depth": (cantor.check_depth, {"n": 2}),
        "Fractal.from_dict": (
            fracsim.Fractal.from_dict,
            {"table": cantor.to_dict(), "name": "x", "dimension": 1},
        ),
        "load_fractal": (fracsim.load_fractal, {"given": "cantor", "dimension": 2}),
        "Shape": (Shape, {"inputs": 2, "depth": 2, "width": 3, "outputs": 1}),
        "initial_parameters": (
            fracsim.initial_parameters,
            {
                "shape": shape,
                "scheme": "he",
                "seed": 1,
                "bias": 0.1,
                "dtype": np.float64,
                "bias_std": 0.1,
                "weight_std": 1.0,
            },
        ),
        "split_layers": (fracsim.split_layers, {"shape": shape, "params": params}),
        "get_backend": (fracsim.get_backend, {"name": "cpu"}),
        "construct": (
            fracsim.construct,
            {"fractal": cantor, "fractal_depth": 2, "levels": 2, "merge": 1, **margins},
        ),
        "verify": (
            fracsim.verify,
            {"construction": built, "distribution": points, "count": 10, "seed": 1},
        ),
        "store_network": (
            fracsim.store_network,
            {
                "path": folder / "stored.h5",
                "construction": built,
                "verification": tried,
                "distribution": points,
                "seed": 1,
                "command": "",
            },
        ),
        "bounds_of": (
            fracsim.bounds_of,
            {
                "fractal": cantor,
                "fractal_depth": 2,
                "curve": "1",
                "gap": "complement",
                "depths": [1],
                "widths": [3],
                "sign_changes": [1, 2],
            },
        ),
        "least_errors": (
            fracsim.least_errors,
            {"fractal": cantor, "fractal_depth": 2, "curve": "1", "gap": "complement"},
        ),
        "RandomNetworks": (
            fracsim.RandomNetworks,
            {
                "shape": shape,
                "initialisation": "he",
                "bias": 0.1,
                "bias_std": 0.1,
                "seed": 1,
                "count": 2,
            },
        ),
        "RandomNetworks.params": (networks.params, {"number": 1}),
        "gradient_study": (fracsim.gradient_study, {**gradients, "delta": 0.1, "samples": 500}),
        "partition": (fracsim.partition, window),
        "Partition.polygon": (parts.polygon, {"region": 0}),
        "count_on_segment": (
            fracsim.count_on_segment,
            {"shape": flat, "params": plane, "start": [-1, -1], "end": [1, 1]},
        ),
        "count_on_segments": (
            fracsim.count_on_segments,
            {
                "shape": flat,
                "params": plane,
                "starts": np.zeros((2, 2)),
                "ends": np.ones((2, 2)),
                "threads": 1,
            },
        ),
        "boundary_distances": (
            fracsim.boundary_distances,
            {"shape": flat, "params": plane, "points": np.zeros((2, 2))},
        ),
        "region_bounds": (fracsim.region_bounds, {"shape": flat, "dimension": 2}),
        "open_study": (fracsim.open_study, {"path": study, "kind": "bounds"}),
        "Study.run": (bounds.run, chosen),
        "Study.make": (bounds.make, {"given": chosen, "path": study}),
        "Study.read": (bounds.read, {"path": study}),
        "open_trajectory": (fracsim.open_trajectory, {"path": run}),
        "Trajectory.variable": (trajectory.variable, {"name": "test_accuracy"}),
        "Trajectory.weights": (trajectory.weights, {"run": 0, "snapshot": -1}),
        "Trajectory.weight_steps": (trajectory.weight_steps, {"run": 0}),
        "Trajectory.target": (trajectory.target, {"run": 0}),
        "load_runs": (fracsim.load_runs, {"paths": [run]}),
        "Runs.where": (runs.where, {"conditions": {"width": [3]}}),
        "Runs.group": (runs.group, {"keys": ["width"]}),
        "Runs.values": (runs.values, {"name": "test_accuracy", "select": "last"}),
        "Runs.points": (
            runs.points,
            {
                "by": ["width"],
                "value": "test_loss",
                "select": "best",
                "choose": ["learning_rate"],
                "over": ["seed"],
            },
        ),
        "Runs.selected": (
            runs.selected,
            {"value": "test_loss", "select": "best", "choose": [], "over": ["seed"]},
        ),
        "train": (fracsim.train, {"output": folder / "trained.h5", "overwrite": True, **SMALL}),
        "Run": (fracsim.Run, dict(SMALL)),
        "load_experiment": (
            fracsim.load_experiment,
            {
                "name_or_path": "cantor5-depth-width",
                "quick": True,
                "overrides": {"seed": [0]},
                "weights": "none",
            },
        ),
        "make_experiment": (
            fracsim.make_experiment,
            {"grid": grid, "name": "x", "description": "", "weights": "none"},
        ),
        "Experiment.changed": (
            experiment.changed,
            {"overrides": {"seed": 3}, "weights": "none"},
        ),
        "Experiment.from_json": (fracsim.Experiment.from_json, {"text": experiment.to_json()}),
        "Grid.fix": (Grid().fix, {"key": "width", "value": 3}),
        "Grid.cross": (Grid().cross, {"key": "width", "axis": [3, 4]}),
        "Grid.zip": (Grid().zip, {"table": {"width": [3, 4]}}),
        "Grid.override": (Grid().override, {"key": "width", "value": [3]}),
        "run_sweep": (
            fracsim.run_sweep,
            {
                "experiment": experiment,
                "output": folder / "swept.h5",
                "backend": "cpu",
                "executor": "threads",
                "threads": 1,
                "shard": "0/1",
                "overwrite": True,
                "checkpoint_every": 600.0,
                "max_seconds": 100.0,
                "command": "",
            },
        ),
        "merge": (
            fracsim.merge,
            {"files": [run], "output": folder / "merged.h5", "overwrite": True, "command": ""},
        ),
        **verbs(backend, distribution, sample, shape, params),
    }.items()


def verbs(backend, distribution, sample, shape, params):
    """The verbs of a backend."""
    geometry, law = distribution.fractal.geometry(), distribution.law()
    params, x = params[None], sample.x.astype(np.float32)[None]
    y, level, only = sample.y.astype(np.float32)[None], sample.level[None], np.zeros(1, np.int64)
    network = {"shape": shape, "params": params, "x": x, "set_of_run": only}
    return {
        "backend.level": (backend.level, {"geometry": geometry, "n": 2, "x": sample.x}),
        "backend.sample": (
            backend.sample,
            {"geometry": geometry, "law": law, "seed": 1, "purpose": 1, "first": 0, "count": 5},
        ),
        "backend.forward": (backend.forward, network),
        "backend.gradient": (backend.gradient, {**network, "loss": 0, "y": y}),
        "backend.layer_norms": (backend.layer_norms, {"shape": shape, "dparams": params}),
        "backend.evaluate": (
            backend.evaluate,
            {**network, "loss": 0, "y": y, "level": level, "n": 2},
        ),
        "backend.train": (
            backend.train,
            {
                "shape": shape,
                "rule": Rule(0, ADAM, 0, 5),
                "learning_rate": np.full(1, 1e-3),
                "seed": np.ones(1, np.uint64),
                "state": State.start(params),
                "source": Dataset(x, y),
                "set_of_run": only,
                "start": 0,
                "stop": 2,
            },
        ),
    }
