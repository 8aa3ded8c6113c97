"""The network whose loss is looked at, and what it learns or would learn."""

import dataclasses
import json
from dataclasses import dataclass

import numpy as np

from fracsim.data.errors import FileError
from fracsim.data.numbering import Number
from fracsim.data.reader import Trajectory, sniff
from fracsim.data.studies import read_part
from fracsim.errors import UsageError
from fracsim.experiments.experiment import Experiment
from fracsim.kernels.network.shape import Shape
from fracsim.networks.initial import initial_parameters
from fracsim.networks.snapshots import Snapshot, snapshots_of
from fracsim.networks.stored import choose_run, load_network, open_trained
from fracsim.studies.landscape.declaration import Settings
from fracsim.training.run import Run, coerce, make_run, problem_of, shape_of
from fracsim.values.settings import label


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, and the run whose points, loss and arithmetic it is tried with."""

    about: str
    run: Run
    shape: Shape
    params: np.ndarray
    """(Q,) float64"""
    trained: bool = True


def subject_of(settings: Settings) -> Subject:
    """The network of FILE, or a random one. Raises UsageError, FileError."""
    if settings.file is None:
        return _random(settings)
    number = None if settings.run is None else Number(settings.run)
    snapshot = -1 if settings.snapshot is None else settings.snapshot
    network = load_network(settings.file, number, snapshot)
    params = np.asarray(network.params, np.float64)
    if network.run is not None:
        run = trained_run(open_trained(settings.file), network.run)
    elif network.fractal is not None:
        run = _written_run(settings, network.fractal.name, network.fractal.to_dict())
        run = dataclasses.replace(run, fractal_depth=network.fractal_depth)
    else:
        raise UsageError(
            f"'{settings.file}' holds a network that was written for no fractal, so that it has no "
            "points; accepted is a trained one, or one of `fracsim construct`"
        )
    about = f"{network.sizes}; {network.about}"
    trained = network.run is not None
    return Subject(about, changed(run, settings), network.shape, params, trained)


def training_of(settings: Settings) -> tuple[Subject, list[Snapshot]]:
    """The last network of a training, and all of its networks. Raises UsageError, FileError."""
    assert settings.file is not None
    if sniff(settings.file) == "study":
        raise UsageError(
            f"'{settings.file}' holds a written network, which has no training; accepted is a "
            "trajectory file with weights at every record"
        )
    trajectory = open_trained(settings.file)
    row = choose_run(trajectory, None if settings.run is None else Number(settings.run))
    number = Number(int(trajectory.numbers[row]))
    snapshots = snapshots_of(settings.file, number, "all")
    if len(snapshots) < 3:
        raise UsageError(
            f"'{settings.file}' holds {len(trajectory.weight_steps(row))} snapshots of run "
            f"{number}, too few for a plane: train with --weights records"
        )
    last = snapshots[-1]
    run = changed(trained_run(trajectory, number), settings)
    about = f"{last.about.split(': ')[-1]}; {len(snapshots)} networks of its training"
    return Subject(about, run, last.shape, last.params), snapshots


def other_end(settings: Settings, subject: Subject) -> Subject:
    """The network that --to names, which must be of the subject's shape."""
    assert settings.to is not None
    network = load_network(settings.to)
    if network.shape != subject.shape:
        raise UsageError(
            f"'{settings.to}' holds a network of {network.shape}; accepted is one of the shape of "
            f"FILE, {subject.shape}"
        )
    params = np.asarray(network.params, np.float64)
    if np.array_equal(params, subject.params):
        raise UsageError(f"'{settings.to}' holds the same network as FILE: there is no line")
    return Subject(network.about, subject.run, network.shape, params)


def trained_run(trajectory: Trajectory, number: Number) -> Run:
    """The run with a number, as the file's experiment resolves it. Raises FileError."""
    try:
        experiment = Experiment.from_json(json.dumps(trajectory.experiment))
        return experiment.runs[number]
    except (UsageError, IndexError) as error:
        why = str(error) if isinstance(error, UsageError) else f"it has no run {number}"
        raise FileError(
            f"'{trajectory.path}' does not say what run {number} was taught: {why}"
        ) from None


def changed(run: Run, settings: Settings) -> Run:
    """The run with the loss, the precision and the curve of the settings, where they say any."""
    given = {
        key: coerce(key, getattr(settings, key))
        for key in ("loss", "precision", "curve")
        if getattr(settings, key) is not None
    }
    if "curve" in given and run.problem != "fractal":
        raise UsageError(f"{label('curve')} means nothing for the problem {run.problem}")
    found = dataclasses.replace(run, **given)
    if found.data == "population" and found.loss != "hinge":
        found = dataclasses.replace(found, data="dataset")
    found.validate()
    problem_of(found).check(vars(found))
    return found


def _random(settings: Settings) -> Subject:
    keys = ("curve", "fractal", "fractal_depth", "network_depth", "width", "initialisation")
    given = {key: getattr(settings, key) for key in keys if getattr(settings, key) is not None}
    run = make_run({"fractal_depth": 3, "width": 50, "precision": "float64", **given})
    run = changed(dataclasses.replace(run, seed=settings.seed or 0), settings)
    shape = shape_of(run)
    params = initial_parameters(shape, run.initialisation, run.seed, dtype=np.float64)
    return Subject(f"{shape}; {run.initialisation}, as drawn", run, shape, params, False)


def _written_run(settings: Settings, name: str, definition: dict[str, object]) -> Run:
    """What a written network would be taught: its fractal, with the margins it was built for."""
    assert settings.file is not None
    facts = read_part(settings.file).attributes
    return Run(
        fractal=name,
        fractal_definition=json.dumps(definition),
        curve=str(facts.get("curve") or "1"),
        positive_margin=float(facts.get("positive_margin", 0)),
        negative_margin=float(facts.get("negative_margin", 0)),
        precision="float64",
    )
