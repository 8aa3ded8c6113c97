"""No public name answers garbage with anything but a sentence: each is called with wrong types,
wrong sizes, values that are not finite, NumPy's scalars, empty and huge."""

import collections
import contextlib
import io
import math
import warnings

import numpy as np
import pytest

import fracsim
from fracsim.errors import FracsimError
from fracsim.experiments.grid import Grid
from fracsim.kernels.points.geometry import Geometry
from fracsim.kernels.training.train import ADAM, Dataset, Rule, State, Stream  # noqa: F401
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


class Odd:
    """An object whose every use fails."""

    def __repr__(self):
        raise RuntimeError("no words")


WRONG = {
    "none": None,
    "true": True,
    "text": "nonsense",
    "empty text": "",
    "number as text": "16",
    "bytes": b"abc",
    "negative": -1,
    "zero": 0,
    "fraction": 5.7,
    "nan": math.nan,
    "infinity": math.inf,
    "huge": 10**30,
    "many": 10**13,
    "complex": 1j,
    "numpy fraction": np.float32(2.5),
    "numpy nan": np.float64("nan"),
    "numpy bool": np.bool_(True),
    "numpy huge": np.uint64(2**63),
    "list": [1, 2],
    "empty list": [],
    "nested": [[1], [2, 3]],
    "nan list": [math.nan, 1.0],
    "mapping": {"a": 1},
    "numbers as keys": {1: 2},
    "set": {1},
    "array": np.arange(3.0),
    "empty array": np.empty((0, 0)),
    "objects": np.array([None, "x"], object),
    "nan array": np.full((2, 2), math.nan),
    "three axes": np.zeros((1, 1, 1)),
    "function": lambda *_: None,
    "class": int,
    "odd": Odd(),
}
"""What is given in place of each argument, one at a time."""

SLOW_WRONG = {
    "long text": "9" * 5000,
    "long list": list(range(100_001)),
    "deep": [[[[[[[[[[]]]]]]]]]],
    "wide array": np.zeros((3, 100_000)),
    "times": np.array(["2020-01-01"], "datetime64[D]"),
    "records": np.zeros(2, [("a", "f8")]),
    "iterator": iter([1]),
    "range": range(3),
    "bytearray": bytearray(b"ab"),
    "minus zero": -0.0,
    "least": 5e-324,
    "largest": 1.7e308,
    "surrogate": "\ud800",
    "nul": "a\0b",
    "newline": "a\nb",
    "dollar": "$x_$",
}


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Name -> (a public function or method, arguments that it accepts)."""
    folder = tmp_path_factory.mktemp("door")
    return dict(public_calls(folder))


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


def outcome(function, arguments):
    """How a call ends: "value", the name of an exception of ours, or what is foreign. What it says
    and warns of is not looked at, but that it is one line."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            result = function(**arguments)
        except (FracsimError, fracsim.FileError) as error:
            lines = str(error).count("\n")
            return (f"foreign lines: {error}" if lines else type(error).__name__), None
        except TypeError as error:
            missing = "missing" in str(error) or "unexpected keyword" in str(error)
            return ("TypeError" if missing else f"foreign TypeError: {error}"), None
        except BaseException as error:
            return f"foreign {type(error).__name__}: {error}", None
    return "value", result


def walk(calls, wrong):
    """(what was called, how it ended) of every public name with every wrong value."""
    for name, (function, arguments) in calls.items():
        for argument in arguments:
            for kind, value in wrong.items():
                ended, result = outcome(function, {**arguments, argument: value})
                yield (name, argument, kind), ended, result


def tell(found):
    """Counts of calls by how they ended."""
    return collections.Counter(ended.partition(":")[0] for _, ended, _ in found)


def test_what_is_right_is_accepted(calls):
    for name, (function, arguments) in calls.items():
        assert outcome(function, arguments)[0] == "value", (name, outcome(function, arguments))


def test_garbage_is_answered_by_a_sentence(calls):
    found = list(walk(calls, WRONG))
    foreign = [(what, ended) for what, ended, _ in found if ended.startswith("foreign")]
    assert len(found) > 5000
    assert not foreign, (tell(found), foreign[:40])


# What stands for nothing that any public argument could be, save the few that take anything.
NEVER = ("complex", "odd", "nan array", "objects", "set", "nan list", "class", "numpy nan", "nan")
ANYTHING = {"progress", "announce", "on_progress"}


def test_garbage_never_gives_a_number(calls):
    wrong = {kind: WRONG[kind] for kind in NEVER}
    found = [
        what
        for what, ended, _ in walk(calls, wrong)
        if ended == "value" and what[1] not in ANYTHING and what[:2] != ("split_layers", "params")
    ]
    assert found == []


def test_every_public_name_is_walked_over(calls):
    """A function or method without a row here has no door."""
    results = {  # what functions return, made by nobody else
        "Bounds", "Construction", "GradientStudy", "Partition", "Point", "Sample", "SegmentRegions",
        "Trajectory", "Verification", "Experiment", "Runs",
    }  # fmt: skip
    errors = {"UsageError", "RunError", "FileError"}
    plain = {"STUDIES", "experiment_names", "fractal_names"}  # these take nothing
    walked = {name.partition(".")[0] for name in calls}
    assert set(fracsim.__all__) - results - errors - plain <= walked


@pytest.mark.slow
def test_more_garbage(calls):
    found = list(walk(calls, SLOW_WRONG))
    assert not [(what, ended) for what, ended, _ in found if ended.startswith("foreign")], tell(
        found
    )


def test_numbers_of_numpy_are_numbers(calls):
    """Where a whole number or a number is taken, NumPy's is, whatever its type."""
    for name, (function, arguments) in calls.items():
        for argument, value in arguments.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            kinds = (np.int8, np.int64) if isinstance(value, int) else (np.float64, np.float32)
            for kind in kinds:
                given = kind(value)
                ended, _ = outcome(function, {**arguments, argument: given})
                accepted = ended == "value" or (isinstance(value, float) and ended == "UsageError")
                assert accepted, (name, argument, kind, ended)


def test_wrong_sizes_reach_no_kernel(calls):
    """The faults that were found: a number, or the end of the process."""
    forward, network = calls["backend.forward"]
    for change in (
        {"params": network["params"][:, :-1]},
        {"x": np.zeros((1, 5, 2), np.float32)},
        {"set_of_run": np.ones(1, np.int64)},
        {"set_of_run": np.full(1, -1)},
        {"set_of_run": np.zeros(2, np.int64)},
        {"x": np.full_like(network["x"], np.nan)},
    ):
        with pytest.raises(fracsim.UsageError, match=next(iter(change))):
            forward(**{**network, **change})
    evaluate, whole = calls["backend.evaluate"]
    for name in ("y", "level"):
        with pytest.raises(fracsim.UsageError, match=name):
            evaluate(**{**whole, name: whole[name][:, :3]})
    with pytest.raises(fracsim.UsageError, match="level runs up to 2"):
        evaluate(**{**whole, "n": 1})
    sample, drawn = calls["backend.sample"]
    verify, tried = calls["verify"]
    split, parts = calls["split_layers"]
    other = fracsim.Distribution(fracsim.load_fractal("cantor"), 3, fracsim.parse_curve("1"))
    offsets = other.fractal.offsets
    geometry = Geometry(drawn["geometry"][0], offsets, *drawn["geometry"][2:])
    with pytest.raises(fracsim.UsageError, match="offsets"):
        sample(**{**drawn, "geometry": geometry})
    with pytest.raises(fracsim.UsageError, match="dimension"):
        verify(**{**tried, "distribution": other})
    with pytest.raises(fracsim.UsageError, match="params is an array"):
        split(**{**parts, "params": parts["params"][:-1]})
