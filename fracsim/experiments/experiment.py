"""Experiments: a named grid of runs, read from TOML, resolved so that a trajectory file can be
rerun from itself.

    experiment.toml / options -> Experiment -> [Run]

``docs/experiments.md`` tells how to write one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

from fracsim.errors import UsageError, nearest
from fracsim.experiments.grid import Grid, apply_table, varied_keys
from fracsim.experiments.problems import (
    applicable,
    check_problems,
    check_sources,
    default_of,
    open_keys,
    pin_sources,
    refuse_unused,
    resolved_run,
    usable,
)
from fracsim.experiments.starts import check_starts, pin_starts
from fracsim.networks.start import without_path
from fracsim.problems.problem import RECORDED
from fracsim.text import brief
from fracsim.toml import parse_toml, read_text
from fracsim.training.run import SETTINGS, Run, make_run, problem_of
from fracsim.values.arguments import Flag, Place, Table, Text, check_fields, door, instance

__all__ = [
    "WEIGHTS",
    "Experiment",
    "Run",
    "experiment_names",
    "load_experiment",
    "make_experiment",
    "make_run",
]

WEIGHTS = ("none", "final", "records")
"""Which weights a file keeps: none, those after the last step, or those of every record."""

_GRID_KEYS = ("grid", "zip")
_FILE_KEYS = ("description", "weights", *_GRID_KEYS, "quick")
_LONGEST_JSON = 60_000  # bytes; an HDF5 attribute holds 64 kB
_SHARED_KEYS = ("steps", "record_every")  # the trajectory file has one axis of steps


@brief
@dataclass(frozen=True)
class Experiment:
    """R runs that make one trajectory file. Build it with ``load_experiment`` or
    ``make_experiment``.

    ``fixed``, ``crossed`` and ``zipped`` hold every key once (see ``fracsim.experiments.grid``);
    ``fractals`` holds the maps of each fractal by name (``Fractal.to_dict``), so that nothing
    outside the experiment is needed to rerun it. ``sources`` holds what must be known of the files
    of points that it names, so that its files can be read without them. ``files``: those that it
    was read from itself, which no output may replace. ``old_points``: its runs go on in a file of
    an older version, with the points of that."""

    name: str
    description: str
    weights: str
    fixed: dict[str, Any]
    crossed: dict[str, tuple[Any, ...]]
    zipped: tuple[dict[str, tuple[Any, ...]], ...]
    fractals: dict[str, dict[str, Any]]
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: tuple[str, ...] = field(default=(), compare=False)
    old_points: bool = False

    def __post_init__(self) -> None:
        check_fields(self, name=Text(), description=Text(), weights=Text(WEIGHTS))
        check_fields(self, **dict.fromkeys(("fixed", "crossed", "fractals", "sources"), Table()))

    @property
    def grid(self) -> Grid:
        """A copy of the grid."""
        return Grid(dict(self.fixed), dict(self.crossed), [dict(table) for table in self.zipped])

    @property
    def varied(self) -> tuple[str, ...]:
        """The keys that have an axis."""
        return varied_keys(self.crossed, self.zipped)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The R runs, in the order of the file, checked one by one. Raises UsageError."""
        definitions = {
            name: json.dumps(definition, sort_keys=True)
            for name, definition in self.fractals.items()
        }
        facts = {text: json.dumps(found, sort_keys=True) for text, found in self.sources.items()}
        return tuple(
            resolved_run(settings, definitions, facts, self.old_points)
            for settings in map(partial(applicable, self.varied), self.grid.variants())
        )

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The settings that mean something to one of its runs, in the order of ``Run``: the columns
        of its product. ``problem`` is one of them unless it is the default in all runs."""
        used = set(chain.from_iterable({run.used_keys() for run in self.runs}))
        if "problem" not in self.varied and self.runs[0].problem == Run.problem:
            used.remove("problem")
        return tuple(key for key in SETTINGS if key in used)

    @cached_property
    def levels(self) -> int:
        """The length of the axis of levels: the largest n + 1, or number of groups."""
        return max(problem_of(run).groups for run in self.runs)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """What the records of its runs are by: class, real, mimic."""
        found = {problem_of(run).target for run in self.runs}
        return tuple(target for target in RECORDED if target in found)

    @cached_property
    def layers(self) -> int:
        """The length of the axis of layers: the largest T + 1."""
        return max(run.network_depth for run in self.runs) + 1

    def validate(self) -> None:
        """Raise UsageError where a run, a distribution or the whole makes no sense, and FileError
        where a network to start from, or a file of points, is gone or has changed."""
        self._validate_settings()
        check_starts(self.runs)
        check_sources(self.runs)

    def _validate_settings(self) -> None:
        for key in _SHARED_KEYS:
            if key in self.varied:
                raise UsageError(
                    f"{key} cannot vary within an experiment: all runs of a file share their "
                    f"recorded steps"
                )
        check_problems(self.runs)

    @door(overrides=Table(), weights=Text())
    def changed(self, overrides: Mapping[str, Any], weights: str | None = None) -> Experiment:
        """This experiment with keys replaced, a list or range making an axis. Raises UsageError.

        A fractal that stays is taken from here, not looked up again.
        """
        grid = self.grid
        for key, value in overrides.items():
            grid.override(key, value)
        if "problem" in overrides:  # what the stored one has filled in, nobody has asked for
            for key in set(grid.fixed) - {*overrides, *usable(grid)}:
                del grid.fixed[key]
        known = {} if "fractal" in overrides else self.fractals
        return make_experiment(
            grid,
            name=self.name,
            description=self.description,
            weights=weights or self.weights,
            fractals=known,
            files=self.files,
        )

    def to_json(self) -> str:
        """The resolved experiment as JSON; ``from_json`` reads it back."""
        return json.dumps(
            {
                "name": self.name,
                "description": self.description,
                "weights": self.weights,
                "settings": self.fixed,
                "grid": {key: list(values) for key, values in self.crossed.items()},
                "zip": [
                    {key: list(values) for key, values in table.items()} for table in self.zipped
                ],
                "fractals": self.fractals,
                **({"sources": self.sources} if self.sources else {}),
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Experiment:
        """The experiment that ``to_json`` wrote. Raises UsageError where the text is not one."""
        try:
            value = json.loads(text)
            grid = Grid()
            for key, setting in value["settings"].items():
                grid.fix(key, setting)
            for table in value["zip"]:
                grid.zip(table)
            for key, axis in value["grid"].items():
                grid.cross(key, axis)
            names = (
                str(value["name"]),
                str(value["description"]),
                _checked_weights(value["weights"]),
            )
            experiment = cls(
                *names,
                grid.fixed,
                grid.crossed,
                tuple(grid.zipped),
                dict(value["fractals"]),
                dict(value.get("sources", {})),
            )
            # a trajectory file stays readable where the network it started from is gone
            experiment._validate_settings()
            return experiment
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"the stored experiment cannot be read: {error!r}") from error

    def hash(self) -> str:
        """Hex sha256 of what decides a trajectory's numbers: the runs with their fractals, and
        which weights are kept.

        Names, threads, output path and verbosity are left out; two ways of writing the same runs
        have one hash."""
        return self._hash

    @cached_property
    def _hash(self) -> str:
        """Of thousands of runs it takes a while, and each checkpoint names it."""
        runs = [{**run.decisive(), "init_from": without_path(run.init_from)} for run in self.runs]
        content = {"weights": self.weights, "runs": runs}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@door(
    grid=instance("a Grid", "experiments.grid:Grid"),
    name=Text(),
    description=Text(),
    weights=Text(),
    fractals=Table(),
)
def make_experiment(
    grid: Grid,
    *,
    name: str = "train",
    description: str = "",
    weights: str = "none",
    fractals: Mapping[str, dict[str, Any]] | None = None,
    files: Sequence[str] = (),
) -> Experiment:
    """Resolve a grid: defaults filled in, fractals loaded, every run checked. Raises UsageError.

    A fractal given by path is known by its own name from here on; one that ``fractals`` defines is
    not looked up. ``files``: what the grid was read from, as ``Experiment`` keeps it."""
    fractals, read = dict(fractals or {}), list(files)

    def resolve(text: str) -> str:
        if text in fractals:
            return text
        from fracsim.fractals.fractal import fractal_names, fractal_path, load_fractal

        if (path := fractal_path(text)) is not None:
            read.append(str(path))
        fractal, shipped = load_fractal(text), text.partition(":")[0] in fractal_names()
        name = text if shipped else fractal.name
        if not shipped and name.partition(":")[0] in fractal_names():
            raise UsageError(
                f"the fractal of {text} has the name of a shipped one, '{name}'; give it another "
                f"name"
            )
        definition = {
            key: value for key, value in fractal.to_dict().items() if key != "description"
        }
        if fractals.setdefault(name, definition) != definition:
            raise UsageError(
                f"two different fractals of this experiment are named '{name}'; rename one of them"
            )
        return name

    resolved = Grid(dict(grid.fixed), dict(grid.crossed), [dict(table) for table in grid.zipped])
    refuse_unused(resolved)
    pin_starts(resolved)
    sources = pin_sources(resolved)
    left_open = open_keys(resolved) | resolved.open_keys()
    for key in usable(resolved) - left_open - {*resolved.varied}:
        resolved.fixed.setdefault(key, default_of(resolved, key))
    for axes in (resolved.crossed, *resolved.zipped):
        if "fractal" in axes:
            axes["fractal"] = tuple(resolve(text) for text in axes["fractal"])
    if "fractal" in resolved.fixed:
        resolved.fixed["fractal"] = resolve(resolved.fixed["fractal"])
    ordered = {key: resolved.fixed[key] for key in SETTINGS if key in resolved.fixed}
    zipped = tuple(resolved.zipped)
    weights = _checked_weights(weights)
    tables = (ordered, resolved.crossed, zipped)
    rest = (fractals, sources, tuple(read))
    experiment = Experiment(name, description, weights, *tables, *rest)
    experiment.validate()
    _check_length(experiment)
    return experiment


def _check_length(experiment: Experiment) -> None:
    """Raise UsageError for an experiment that no trajectory file can hold; long maps are arrays
    there."""
    text = experiment.to_json()
    if len(text.encode()) <= _LONGEST_JSON:
        return
    from fracsim.data.maps import take_out

    if len(str(take_out({"experiment": text})[0]["experiment"]).encode()) > _LONGEST_JSON:
        raise UsageError(
            "the experiment's lists are too long to be stored in a trajectory file (60 kB of JSON)"
        )


def experiment_names() -> list[str]:
    """The experiments that come with fracsim."""
    from fracsim.data.presets import preset_names

    return preset_names("experiments")


def experiment_description(name_or_path: str) -> str:
    """What an experiment is about, also where it still needs a file to be loaded. Raises
    UsageError."""
    _, text = _read(name_or_path)
    return str(parse_toml(text, name_or_path).get("description", ""))


@door(name_or_path=Place(), quick=Flag(), overrides=Table(), weights=Text())
def load_experiment(
    name_or_path: str | Path,
    quick: bool = False,
    overrides: Mapping[str, Any] | None = None,
    weights: str | None = None,
) -> Experiment:
    """The experiment of that name, or of that TOML file, resolved and checked.

    ``quick`` applies its [quick] table; then ``overrides``, key -> value, where a list or range
    makes an axis; ``weights`` replaces the file's. Raises UsageError for an unknown name or key,
    naming the nearest, and for values out of range."""
    name, text = _read(str(name_or_path))
    table = parse_toml(text, str(name_or_path))
    grid = Grid()
    apply_table(grid, table, f"experiment '{name}'", _FILE_KEYS)
    if quick:
        if "quick" not in table:
            raise UsageError(f"experiment '{name}' has no [quick] table")
        apply_table(grid, table["quick"], f"[quick] of experiment '{name}'", _GRID_KEYS)
    for key, value in (overrides or {}).items():
        grid.override(key, value)
    return make_experiment(
        grid,
        name=name + "-quick" if quick else name,
        description=str(table.get("description", "")),
        weights=str(weights or table.get("weights", "none")),
        files=[] if name == str(name_or_path) else [str(name_or_path)],
    )


def _read(name_or_path: str) -> tuple[str, str]:
    """Name and text of an experiment; a path is what ends in .toml or has a folder in it."""
    from fracsim.data.presets import preset_text

    names = experiment_names()
    if name_or_path in names:
        return name_or_path, preset_text("experiments", name_or_path)
    path = Path(name_or_path)
    if path.suffix != ".toml" and len(path.parts) < 2:
        raise UsageError(
            f"unknown experiment '{name_or_path}'{nearest(name_or_path, names)} "
            f"(accepted: a path that ends in .toml, or one of {', '.join(names)})"
        )
    return path.stem, read_text(path, f"the experiment '{name_or_path}'")


def _checked_weights(weights: Any) -> str:
    if weights not in WEIGHTS:
        raise UsageError(f"weights is '{weights}'; accepted is one of {', '.join(WEIGHTS)}")
    return str(weights)
