"""What ``fracsim landscape`` does: a plane around a network, the plane of a training, a line."""

from collections.abc import Iterator

import numpy as np

from fracsim.errors import UsageError
from fracsim.kernels.network.shape import Shape
from fracsim.machine.cpus import available_threads
from fracsim.networks.snapshots import Snapshot
from fracsim.studies.landscape.declaration import Settings
from fracsim.studies.landscape.directions import (
    check_directions,
    explained_by_walk,
    principal_components,
    random_direction,
    zero_filters,
)
from fracsim.studies.landscape.grid import loss_on_grid
from fracsim.studies.landscape.measure import Measure, OnPoints, measure_of
from fracsim.studies.landscape.results import Landscape, Path
from fracsim.studies.landscape.subject import Subject, other_end, subject_of, training_of
from fracsim.studies.study import OnProgress, silent
from fracsim.training.run import problem_of
from fracsim.values.settings import label

_MARGIN = 0.15
"""Part of the training's extent by which its plane reaches beyond."""
_COMPONENTS = 10
"""Principal components of which it is told what they explain."""


def compute(settings: Settings, progress: OnProgress = silent) -> Landscape:
    """Take the loss wherever the settings say. Raises UsageError, FileError."""
    if settings.trajectory:
        return _of_training(settings, progress)
    subject = subject_of(settings)
    return (
        _of_line(settings, subject, progress)
        if settings.to is not None
        else _of_plane(settings, subject, progress)
    )


def _of_plane(settings: Settings, subject: Subject, progress: OnProgress) -> Landscape:
    first, second = settings.places
    number = 2 if second > 1 else 1
    normalise, seed = settings.normalise or "filter", settings.seed or 0
    shape, params = subject.shape, subject.params
    directions = np.array(
        [random_direction(shape, params, normalise, seed, i) for i in range(number)]
    )
    check_directions(directions)
    span = 1.0 if settings.span is None else settings.span
    a = np.linspace(-span, span, first)
    b = np.linspace(-span, span, second) if second > 1 else np.zeros(1)
    notes = []
    if zero := zero_filters(shape, params):
        notes.append(f"{zero} units have no incoming weights other than 0, and keep them")
    facts: dict[str, str | int | float] = {"normalise": normalise, "directions_seed": seed}
    form = "plane" if second > 1 else "line"
    return _landscape(settings, subject, form, directions, a, b, progress, facts, notes)


def _of_line(settings: Settings, subject: Subject, progress: OnProgress) -> Landscape:
    other = other_end(settings, subject)
    low, high = settings.stretch
    directions = (other.params - subject.params)[None]
    check_directions(directions)
    a = np.linspace(low, high, settings.places[0])
    facts: dict[str, str | int | float] = {"to": other.about}
    return _landscape(settings, subject, "line", directions, a, np.zeros(1), progress, facts)


def _of_training(settings: Settings, progress: OnProgress) -> Landscape:
    subject, snapshots = training_of(settings)
    rows = np.array([one.params - subject.params for one in snapshots])
    if not np.isfinite(rows).all():
        raise UsageError(f"the training of '{settings.file}' diverged: its weights are not finite")
    components, explained = principal_components(rows)
    directions = components[:2]
    if len(directions) < 2 or explained[1] < 1e-14:
        raise UsageError(
            f"the training of '{settings.file}' lies on a line, so that it spans no plane; "
            "accepted is --to, with two networks of it"
        )
    at = rows @ directions.T
    count = min(len(snapshots) - 1, len(explained), _COMPONENTS)
    path = _path(settings, subject, snapshots, at, explained[:count])
    low, high = at.min(axis=0), at.max(axis=0)
    reach = _MARGIN * (high - low)
    places = zip(low - reach, high + reach, settings.places, strict=True)
    a, b = (np.linspace(*ends) for ends in places)
    if len(b) < 2:
        raise UsageError(f"{label('grid')} is {settings.grid}; accepted here is a plane, as 51x51")
    return _landscape(settings, subject, "trajectory", directions, a, b, progress, path=path)


def _path(
    settings: Settings,
    subject: Subject,
    snapshots: list[Snapshot],
    at: np.ndarray,
    explained: np.ndarray,
) -> Path:
    measure = measure_of(settings, subject)
    nowhere = np.zeros((1, subject.params.size)), np.zeros((1, 1))
    losses = np.array([measure(one.params, *nowhere)[0].sum() for one in snapshots])
    steps = np.array([one.step for one in snapshots])
    return Path(steps, at, losses, explained, explained_by_walk(len(explained)))


def _landscape(
    settings: Settings,
    subject: Subject,
    form: str,
    directions: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    progress: OnProgress,
    facts: dict[str, str | int | float] | None = None,
    notes: list[str] | None = None,
    path: Path | None = None,
) -> Landscape:
    measure = measure_of(settings, subject)
    at = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)[:, : len(directions)]
    threads = settings.threads or available_threads()[0]
    found = loss_on_grid(
        measure, subject.params, directions, at, threads, progress, settings.checkpoint
    )
    loss, right = (part.reshape(len(a), len(b), -1) for part in found)
    known = {"input_dimension": subject.shape.inputs, "parameters": subject.params.size}
    ends = _ends(measure, subject, directions, settings.to is not None)
    return Landscape(
        subject.about,
        measure.about,
        a,
        b,
        loss,
        right,
        measure.share,
        problem_of(subject.run).target == "class",
        settings.by_level and measure.share.size > 1,
        ends,
        form,
        path,
        {**known, **(facts or {})},
        tuple(notes or ()),
    )


def _ends(measure: Measure, subject: Subject, directions: np.ndarray, both: bool) -> np.ndarray:
    """Loss of the network, and of that at 1 on a line to another."""
    at = np.arange(1.0 + both)[:, None] * np.eye(1, len(directions))
    found: np.ndarray = measure(subject.params, directions, at)[0].sum(axis=1)
    return found


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: the squared loss of an affine function is a paraboloid."""
    random = np.random.default_rng(0)
    x, y = random.uniform(-1, 1, (300, 2)), np.sign(random.normal(size=300))
    measure = OnPoints("", Shape(2, ()), "squared", x, y, np.zeros(300, np.int16), np.ones(1))
    centre, direction = random.normal(size=3), random.normal(size=(1, 3))
    loss = measure(centre, direction, np.linspace(-1, 1, 9)[:, None])[0][:, 0]
    yield "third differences of a parabola of losses", float(np.abs(np.diff(loss, 3)).max()), 1e-12
